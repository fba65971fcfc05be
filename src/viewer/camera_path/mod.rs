//! Camera paths: keyframes in time, and where the camera is between them.
//!
//! A path is plain data that a film flies along; `file` keeps it on disk. `desk` records, edits and
//! plays one in the window, `record` makes keyframes of a flight.

mod desk;
mod file;
mod record;

use std::f32::consts::{PI, TAU};

use glam::Vec3;

pub use desk::{Activity, CameraPathPlugin, PathDesk, PathNews, PathWish};
pub use file::PathError;

use super::slots::AnchoredPose;
use super::viewpoint::{Pose, Screen};
use crate::hook::HookPoint;
use crate::layout::ModelLayout;

/// Where the camera is at which time. Keyframes are sorted by time, each at a time of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CameraPath {
    keyframes: Vec<Keyframe>,
}

/// Where the camera is at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keyframe {
    /// Seconds since the path's start.
    pub at_secs: f64,
    /// Where it stands.
    pub pose: AnchoredPose,
    /// How it comes here.
    pub ease: Ease,
    /// The tensor that it looks at from there, in place of where the pose looks.
    pub look_at: Option<HookPoint>,
}

/// How the camera comes to a keyframe, and leaves it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ease {
    /// It comes to rest there.
    #[default]
    Rest,
    /// It flies through.
    Through,
    /// It waits where it was, and then is there at once.
    Cut,
}

/// Keyframes closer than this are one, in seconds.
pub const MIN_GAP_SECS: f64 = 0.01;
/// The longest path, a day, in seconds.
pub const MAX_SECS: f64 = 86_400.0;

impl Ease {
    /// Every way, in the order that they are offered.
    pub const ALL: [Self; 3] = [Self::Rest, Self::Through, Self::Cut];

    /// A word for people and for the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Through => "through",
            Self::Cut => "cut",
        }
    }
}

impl CameraPath {
    /// The keyframes, by time.
    pub fn keyframes(&self) -> &[Keyframe] {
        &self.keyframes
    }

    /// When the last keyframe is, in seconds; 0 without any.
    pub fn duration_secs(&self) -> f64 {
        self.keyframes.last().map_or(0.0, |last| last.at_secs)
    }

    /// Adds a keyframe, in place of one at the same time; says which it is, counted from 0. Times
    /// before the start are the start's.
    pub fn add(&mut self, keyframe: Keyframe) -> usize {
        let at_secs = keyframe.at_secs.clamp(0.0, MAX_SECS);
        let near = |known: &Keyframe| (known.at_secs - at_secs).abs() < MIN_GAP_SECS;
        if let Some(index) = self.keyframes.iter().position(near) {
            self.keyframes.remove(index);
        }
        let index = self
            .keyframes
            .partition_point(|known| known.at_secs < at_secs);
        self.keyframes.insert(
            index,
            Keyframe {
                at_secs,
                ..keyframe
            },
        );
        index
    }

    /// Moves a keyframe in time, as far as those beside it leave room; they never change places.
    pub fn move_to(&mut self, index: usize, at_secs: f64) {
        let before = index.checked_sub(1).and_then(|i| self.keyframes.get(i));
        let low = before.map_or(0.0, |before| before.at_secs + MIN_GAP_SECS);
        let after = self.keyframes.get(index + 1);
        let high = after.map_or(MAX_SECS, |after| after.at_secs - MIN_GAP_SECS);
        if let Some(keyframe) = self.keyframes.get_mut(index) {
            keyframe.at_secs = at_secs.min(high).max(low);
        }
    }

    /// Takes a keyframe out.
    pub fn remove(&mut self, index: usize) {
        if index < self.keyframes.len() {
            self.keyframes.remove(index);
        }
    }

    /// A keyframe, to be changed in all but its time.
    pub fn change(&mut self, index: usize, change: impl FnOnce(&mut Keyframe)) {
        if let Some(keyframe) = self.keyframes.get_mut(index) {
            let at_secs = keyframe.at_secs;
            change(keyframe);
            keyframe.at_secs = at_secs;
        }
    }

    /// Where the camera is `secs` after the start; none without keyframes. Before the first keyframe
    /// it is there, after the last it stays. Never in the ground.
    pub fn pose_at(&self, secs: f64, layout: &ModelLayout, screen: &Screen) -> Option<Pose> {
        let next = self
            .keyframes
            .partition_point(|keyframe| keyframe.at_secs <= secs);
        let standing = |index: usize| self.keyframes[index].stand(layout, screen);
        let Some(to) = self.keyframes.get(next) else {
            return next.checked_sub(1).map(standing);
        };
        let Some(before) = next.checked_sub(1) else {
            return Some(standing(next));
        };
        let from = &self.keyframes[before];
        if to.ease == Ease::Cut {
            return Some(standing(before));
        }
        let share = ((secs - from.at_secs) / (to.at_secs - from.at_secs)) as f32;
        let (start, end) = (from.stand(layout, screen), to.stand(layout, screen));
        if from.ease != Ease::Through && to.ease == Ease::Rest {
            // From rest to rest there is a best way.
            let eased = share * share * share * (share * (6.0 * share - 15.0) + 10.0);
            let start = start.unwound_towards(&end);
            return Some(start.towards(&end, eased).kept_in(layout));
        }
        let start = State::of(&start);
        let end = State::of(&end).unwound(&start);
        let span_secs = (to.at_secs - from.at_secs) as f32;
        let slope = |index: usize| self.slope(index, layout, screen);
        let (leaving, coming) = (slope(before).times(span_secs), slope(next).times(span_secs));
        let state = hermite(&start, &leaving, &end, &coming, share);
        Some(state.pose().kept_in(layout))
    }

    /// How the camera moves at a keyframe, a second: not at all where it rests or a cut is beside.
    fn slope(&self, index: usize, layout: &ModelLayout, screen: &Screen) -> State {
        let neighbours = index
            .checked_sub(1)
            .and_then(|before| Some((self.keyframes.get(before)?, self.keyframes.get(index + 1)?)));
        match (self.keyframes[index].ease, neighbours) {
            (Ease::Through, Some((before, after))) if after.ease != Ease::Cut => {
                let span_secs = (after.at_secs - before.at_secs) as f32;
                let before = State::of(&before.stand(layout, screen));
                let here = State::of(&self.keyframes[index].stand(layout, screen));
                let here = here.unwound(&before);
                let after = State::of(&after.stand(layout, screen)).unwound(&here);
                after.plus(&before.times(-1.0)).times(1.0 / span_secs)
            }
            _ => State::default(),
        }
    }
}

impl Keyframe {
    /// Where the camera is in this layout.
    fn stand(&self, layout: &ModelLayout, screen: &Screen) -> Pose {
        let pose = self.pose.pose(layout, screen);
        let Some(rect) = self.look_at.and_then(|hook| layout.hook_rect(hook)) else {
            return pose;
        };
        // Straight ahead where it can: the middle of a wide tensor may be far to the side.
        let eye = pose.position();
        let across = eye.x.clamp(rect.low().x, rect.high().x);
        let focus = Vec3::new(across, 0.0, rect.center().z);
        looking(eye, focus).kept_in(layout)
    }
}

/// The pose of an eye that looks at `focus`.
fn looking(eye: Vec3, focus: Vec3) -> Pose {
    let back = eye - focus;
    let radius = back.length().max(f32::MIN_POSITIVE);
    Pose {
        focus,
        yaw: back.x.atan2(back.z),
        pitch: (back.y / radius).clamp(-1.0, 1.0).asin(),
        radius,
    }
}

/// A pose as numbers that may be added: the distance by its logarithm.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct State {
    focus: Vec3,
    yaw: f32,
    pitch: f32,
    log_radius: f32,
}

impl State {
    fn of(pose: &Pose) -> Self {
        Self {
            focus: pose.focus,
            yaw: pose.yaw,
            pitch: pose.pitch,
            log_radius: pose.radius.ln(),
        }
    }

    fn pose(&self) -> Pose {
        Pose {
            focus: self.focus,
            yaw: self.yaw,
            pitch: self.pitch,
            radius: self.log_radius.exp(),
        }
    }

    /// The same view by a turn within half a turn of `before`'s.
    fn unwound(self, before: &Self) -> Self {
        let turn = (self.yaw - before.yaw + PI).rem_euclid(TAU) - PI;
        Self {
            yaw: before.yaw + turn,
            ..self
        }
    }

    fn times(&self, factor: f32) -> Self {
        Self {
            focus: self.focus * factor,
            yaw: self.yaw * factor,
            pitch: self.pitch * factor,
            log_radius: self.log_radius * factor,
        }
    }

    /// How different both look: the way between them as a share of how far they see, and turns.
    fn distance(&self, other: &Self) -> f32 {
        let radius = self.log_radius.min(other.log_radius).exp();
        self.focus.distance(other.focus) / radius
            + (self.yaw - other.yaw).abs()
            + (self.pitch - other.pitch).abs()
            + (self.log_radius - other.log_radius).abs()
    }

    fn plus(&self, other: &Self) -> Self {
        Self {
            focus: self.focus + other.focus,
            yaw: self.yaw + other.yaw,
            pitch: self.pitch + other.pitch,
            log_radius: self.log_radius + other.log_radius,
        }
    }
}

/// Cubic Hermite interpolation; `leaving` and `coming` are slopes over the whole span.
fn hermite(start: &State, leaving: &State, end: &State, coming: &State, share: f32) -> State {
    let (t, t2, t3) = (share, share * share, share * share * share);
    start
        .times(2.0 * t3 - 3.0 * t2 + 1.0)
        .plus(&leaving.times(t3 - 2.0 * t2 + t))
        .plus(&end.times(-2.0 * t3 + 3.0 * t2))
        .plus(&coming.times(t3 - t2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ModelConfig;
    use crate::hook::BlockSite;
    use crate::viewer::viewpoint::Viewpoint;

    fn layout() -> ModelLayout {
        ModelLayout::new(&ModelConfig::preset("gpt2").unwrap(), 5)
    }

    fn keyframe(at_secs: f64, viewpoint: Viewpoint, ease: Ease) -> Keyframe {
        let layout = layout();
        let pose = viewpoint.pose(&layout, &Screen::default());
        Keyframe {
            at_secs,
            pose: AnchoredPose::new(&pose, &layout),
            ease,
            look_at: None,
        }
    }

    fn path(ease: Ease) -> CameraPath {
        let mut path = CameraPath::default();
        for (at_secs, viewpoint) in [
            (4.0, Viewpoint::Neurons),
            (0.0, Viewpoint::Overview),
            (2.0, Viewpoint::Heads),
        ] {
            path.add(keyframe(at_secs, viewpoint, ease));
        }
        path
    }

    fn at(path: &CameraPath, secs: f64) -> Pose {
        path.pose_at(secs, &layout(), &Screen::default()).unwrap()
    }

    #[test]
    fn a_path_passes_its_keyframes_in_time_and_stays_at_its_ends() {
        for ease in Ease::ALL {
            let path = path(ease);
            assert_eq!(path.duration_secs(), 4.0);
            for keyframe in path.keyframes() {
                let pose = keyframe.pose.pose(&layout(), &Screen::default());
                assert!(at(&path, keyframe.at_secs).is_near(&pose), "{ease:?}");
            }
            assert!(at(&path, -1.0).is_near(&at(&path, 0.0)));
            assert!(at(&path, 99.0).is_near(&at(&path, 4.0)));
        }
        assert_eq!(
            CameraPath::default().pose_at(0.0, &layout(), &Screen::default()),
            None
        );
    }

    /// How far the eye moves in a hundredth of a second.
    fn speed(path: &CameraPath, secs: f64) -> f32 {
        let (before, after) = (at(path, secs - 0.005), at(path, secs + 0.005));
        before.position().distance(after.position())
    }

    #[test]
    fn it_rests_where_it_should_flies_through_where_it_should_and_jumps_at_a_cut() {
        let (rest, through, cut) = (path(Ease::Rest), path(Ease::Through), path(Ease::Cut));

        assert!(speed(&rest, 2.0) < 0.05 * speed(&rest, 1.0));
        assert!(speed(&through, 2.0) > 0.2 * speed(&through, 1.0));
        // Without a jump in speed: what comes before and after is alike.
        let (before, after) = (speed(&through, 1.98), speed(&through, 2.02));
        assert!((before / after - 1.0).abs() < 0.3, "{before} {after}");
        assert_eq!(speed(&cut, 1.9), 0.0);
        assert!(speed(&cut, 2.0) > 1.0);
    }

    #[test]
    fn nowhere_along_a_path_is_the_camera_in_the_ground() {
        for ease in Ease::ALL {
            for step in 0..400 {
                let pose = at(&path(ease), f64::from(step) * 0.01);
                assert!(pose.position().y > 0.3, "{ease:?} {step}: {pose:?}");
            }
        }
    }

    #[test]
    fn what_is_looked_at_stays_in_the_middle_of_the_picture() {
        let hook = HookPoint::block(6, BlockSite::MlpPost);
        let mut path = path(Ease::Rest);
        for index in 0..3 {
            path.change(index, |keyframe| keyframe.look_at = Some(hook));
        }
        let rect = layout().hook_rect(hook).unwrap();

        for step in 0..=40 {
            let pose = at(&path, f64::from(step) * 0.1);
            let focus = pose.focus;
            assert!((focus.z - rect.center().z).abs() < 1e-2, "{step}: {pose:?}");
            assert!(pose.project(focus, 1.6).unwrap().length() < 1e-4);
        }
    }

    #[test]
    fn keyframes_are_added_moved_and_removed_and_never_change_places() {
        let mut path = path(Ease::Rest);
        assert_eq!(path.add(keyframe(2.004, Viewpoint::Map, Ease::Cut)), 1);
        assert_eq!(path.keyframes().len(), 3, "in place of the one at 2 s");

        path.move_to(1, 9.0);
        assert_eq!(path.keyframes()[1].at_secs, 4.0 - MIN_GAP_SECS);
        path.move_to(1, -3.0);
        assert_eq!(path.keyframes()[1].at_secs, MIN_GAP_SECS);
        path.change(1, |keyframe| keyframe.at_secs = 77.0);
        assert_eq!(path.keyframes()[1].at_secs, MIN_GAP_SECS);
        path.remove(0);
        path.remove(7);
        path.move_to(7, 1.0);

        let eases: Vec<Ease> = path.keyframes().iter().map(|known| known.ease).collect();
        assert_eq!(eases, [Ease::Cut, Ease::Rest]);
    }
}
