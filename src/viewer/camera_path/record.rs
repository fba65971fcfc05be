//! From where a camera was at many moments to the few keyframes that lead it there again.

use super::{CameraPath, Ease, Keyframe, State};
use crate::layout::ModelLayout;
use crate::viewer::slots::AnchoredPose;
use crate::viewer::viewpoint::Pose;

/// The least time between two samples, in seconds.
pub(super) const SAMPLE_SECS: f64 = 0.1;
/// How far from where it was the camera may be, as a share of how far it sees, and how much it may be
/// turned, in radians.
const TOLERANCE: f32 = 0.02;

/// The path that leads through `samples`, times in seconds with poses, with as few keyframes as it
/// takes. Ramer 1972 and Douglas and Peucker 1973, with time along the line.
pub(super) fn simplified(samples: &[(f64, Pose)], layout: &ModelLayout) -> CameraPath {
    let mut states: Vec<(f64, State)> = Vec::with_capacity(samples.len());
    for (secs, pose) in samples {
        let state = State::of(pose);
        let state = match states.last() {
            Some((_, before)) => state.unwound(before),
            None => state,
        };
        states.push((*secs, state));
    }
    let last = states.len().saturating_sub(1);
    let mut kept = vec![false; states.len()];
    let mut spans = vec![(0, last)];
    while let Some((from, to)) = spans.pop() {
        for end in [from, to] {
            if let Some(kept) = kept.get_mut(end) {
                *kept = true;
            }
        }
        if let Some(worst) = worst_between(&states, from, to) {
            spans.extend([(from, worst), (worst, to)]);
        }
    }
    let mut path = CameraPath::default();
    for (index, ((secs, pose), _)) in samples
        .iter()
        .zip(&kept)
        .enumerate()
        .filter(|(_, (_, kept))| **kept)
    {
        let is_end = index == 0 || index == last;
        path.add(Keyframe {
            at_secs: *secs,
            pose: AnchoredPose::new(pose, layout),
            ease: if is_end { Ease::Rest } else { Ease::Through },
            look_at: None,
        });
    }
    path
}

/// The sample farthest from the straight way between two others, if it is too far.
fn worst_between(states: &[(f64, State)], from: usize, to: usize) -> Option<usize> {
    let (&(start_secs, start), &(end_secs, end)) = (states.get(from)?, states.get(to)?);
    let off = |&(secs, state): &(f64, State)| {
        let share = ((secs - start_secs) / (end_secs - start_secs)) as f32;
        let straight = start.times(1.0 - share).plus(&end.times(share));
        straight.distance(&state)
    };
    let between = states.iter().enumerate().take(to).skip(from + 1);
    let (worst, off) = between
        .map(|(index, state)| (index, off(state)))
        .max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    (off > TOLERANCE).then_some(worst)
}
