//! A session as plain data: a pure function of time.

use crate::ablation::Ablation;
use crate::layout::ModelLayout;
use crate::model::SamplerSettings;
use crate::viewer::camera_path::CameraPath;
use crate::viewer::playback::Playhead;
use crate::viewer::scene::SceneSettings;
use crate::viewer::viewpoint::{Pose, Screen};

/// A session: what was shown, and when. Times are a film's, in seconds from its start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionLog {
    /// The options that the window was started with.
    pub arguments: Vec<String>,
    /// The model's name.
    pub model: String,
    /// The prompt that was begun last.
    pub prompt: String,
    /// The token at every position.
    pub tokens: Vec<u32>,
    /// How many of them were given; the others were chosen.
    pub n_prompt: usize,
    /// How they were chosen.
    pub sampler: SamplerSettings,
    /// What passes set to zero.
    pub ablations: Vec<Ablation>,
    /// The film's width in pixels.
    pub width: u32,
    /// Its height.
    pub height: u32,
    /// Its frames a second.
    pub fps: u32,
    /// How long it is.
    pub secs: f64,
    /// What the window looked like, each from a time on.
    pub looks: Vec<(f64, SessionLook)>,
    /// Where the picture stood in the text, each from a time on.
    pub showings: Vec<(f64, Showing)>,
    /// Where the camera was.
    pub camera: CameraPath,
}

/// What a window looks like.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionLook {
    /// What of the scene is shown, and how.
    pub scene: SceneSettings,
    /// Whether the panels are there.
    pub has_panels: bool,
    /// Whether names stand in the world.
    pub has_labels: bool,
}

impl Default for SessionLook {
    fn default() -> Self {
        Self {
            scene: SceneSettings::default(),
            has_panels: true,
            has_labels: true,
        }
    }
}

/// Notes of a signal that runs are never farther apart than this, in seconds, however slow the window.
const RUN_SECS: f64 = 0.7;

/// Where a picture stands in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Showing {
    /// The playhead.
    pub playhead: Playhead,
    /// How many tokens there were.
    pub n_tokens: usize,
}

/// A session at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SessionFrame<'a> {
    /// The moment.
    pub secs: f64,
    /// Where the picture stood in the text.
    pub showing: Showing,
    /// What the window looked like; none where nothing was noted.
    pub look: Option<&'a SessionLook>,
    camera: &'a CameraPath,
}

impl SessionLog {
    /// What was shown `secs` after the start. Before the first note it is what that says, after the
    /// last it stays.
    pub fn at(&self, secs: f64) -> SessionFrame<'_> {
        let mut showing = latest(&self.showings, secs).copied().unwrap_or_default();
        showing.playhead.order = self.order_at(secs).unwrap_or(showing.playhead.order);
        // Another text may have been on show when it was noted.
        showing.n_tokens = showing.n_tokens.min(self.tokens.len());
        let last_lane = self.tokens.len().saturating_sub(1);
        showing.playhead.lane = showing.playhead.lane.min(last_lane);
        showing.playhead.first_lane = showing.playhead.first_lane.min(last_lane);
        SessionFrame {
            secs,
            showing,
            look: latest(&self.looks, secs),
            camera: &self.camera,
        }
    }

    /// How far the signal is on its way from one note to the next, where it ran between them; none where
    /// it stood.
    fn order_at(&self, secs: f64) -> Option<f32> {
        let n_past = self
            .showings
            .partition_point(|(at_secs, _)| *at_secs <= secs);
        let (from_secs, from) = self.showings.get(n_past.checked_sub(1)?)?;
        let (to_secs, to) = self.showings.get(n_past)?;
        let lanes = |showing: &Showing| (showing.playhead.lane, showing.playhead.first_lane);
        let (start, end) = (from.playhead.order, to.playhead.order);
        let is_run = lanes(from) == lanes(to) && end > start && to_secs - from_secs <= RUN_SECS;
        let share = (secs - from_secs) / (to_secs - from_secs);
        is_run.then_some(start + (end - start) * share as f32)
    }

    /// How many frames a film of it has at `fps` frames a second.
    pub fn n_frames(&self, fps: u32) -> u64 {
        (self.secs * f64::from(fps)).ceil().max(1.0) as u64
    }

    /// The session at a film's frame, counted from 0, at `fps` frames a second.
    pub fn frame(&self, frame: u64, fps: u32) -> SessionFrame<'_> {
        self.at(frame as f64 / f64::from(fps.max(1)))
    }
}

impl SessionFrame<'_> {
    /// Where the camera was, in a layout of the same text; none where nothing was noted.
    pub fn pose(&self, layout: &ModelLayout, screen: &Screen) -> Option<Pose> {
        self.camera.pose_at(self.secs, layout, screen)
    }
}

/// The last of what was noted up to `secs`; the first of all before that.
fn latest<T>(notes: &[(f64, T)], secs: f64) -> Option<&T> {
    // Times are written down with fewer digits than they are computed with.
    let n_past = notes.partition_point(|(at_secs, _)| *at_secs <= secs + 1e-6);
    let (_, note) = notes.get(n_past.saturating_sub(1))?;
    Some(note)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_two_notes_the_signal_runs_on_and_a_jump_stays_a_jump() {
        let note = |at_secs: f64, lane: usize, order: f32| {
            let playhead = Playhead {
                lane,
                first_lane: lane,
                order,
            };
            let n_tokens = 3;
            (at_secs, Showing { playhead, n_tokens })
        };
        let log = SessionLog {
            tokens: vec![1, 2, 3],
            showings: vec![
                note(0.0, 0, 0.0),
                note(0.5, 0, 10.0),
                note(0.9, 1, 2.0),
                note(3.0, 1, 12.0),
            ],
            ..SessionLog::default()
        };
        let order = |secs: f64| log.at(secs).showing.playhead.order;

        assert_eq!(order(0.25), 5.0);
        assert_eq!(order(0.5), 10.0);
        assert_eq!(order(0.7), 10.0, "another token is another run");
        assert_eq!(order(2.0), 2.0, "it stood, and was put elsewhere");
        assert_eq!(order(9.0), 12.0);
    }
}
