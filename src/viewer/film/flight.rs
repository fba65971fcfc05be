//! Where a film's camera is.

use std::f32::consts::TAU;

use glam::{Vec2, Vec3};

use super::story::{Chapter, ChapterKind, Moment, Story};
use crate::config::ModelConfig;
use crate::layout::{GroundRect, ModelLayout};
use crate::viewer::camera_path::CameraPath;
use crate::viewer::viewpoint::{Pose, Screen, Viewpoint};

/// What a film's camera does.
#[derive(Clone, Debug, PartialEq)]
pub enum FilmCamera {
    /// It follows the story: to the entrance, along with the signal, to the prediction.
    Tour,
    /// It goes once round the model.
    Orbit,
    /// It stays there.
    Still(Viewpoint),
    /// It flies along a path.
    Path(CameraPath),
}

/// A film's camera in its world.
pub struct Flight<'a> {
    camera: &'a FilmCamera,
    story: &'a Story,
    layout: &'a ModelLayout,
    screen: Screen,
    overview: Pose,
    entrance: Pose,
    /// Where along Z each hook point of the pass is computed.
    stages: Vec<f32>,
}

/// The turn from which the signal is followed, and the height above the horizon, in radians.
const FOLLOW_YAW: f32 = 0.42;
const FOLLOW_PITCH: f32 = 0.5;
/// The turn and the height above the horizon from which a prediction is looked at, in radians.
const EXIT_VIEW: (f32, f32) = (0.32, 0.3);
/// How long it takes to go from one view to another, as a share of the chapter, and at most, in
/// seconds.
const SWING_SHARE: f64 = 0.45;
const SWING_SECS: f64 = 2.4;
/// How far the overview turns in a second, in radians.
const DRIFT: f32 = 0.012;

impl<'a> Flight<'a> {
    /// Finds the way of `camera` through the world of `layout`.
    pub fn new(
        camera: &'a FilmCamera,
        story: &'a Story,
        config: &ModelConfig,
        layout: &'a ModelLayout,
        screen: &Screen,
    ) -> Self {
        let mut flight = Self {
            camera,
            story,
            layout,
            screen: *screen,
            overview: Viewpoint::Overview.pose(layout, screen),
            entrance: Viewpoint::Overview.pose(layout, screen),
            stages: stages(config, layout),
        };
        flight.entrance = flight.at_entrance();
        flight
    }

    /// How long the camera takes for its way, if that has a length of its own; in seconds.
    pub fn own_secs(camera: &FilmCamera) -> Option<f64> {
        match camera {
            FilmCamera::Path(path) => Some(path.duration_secs()),
            _ => None,
        }
    }

    /// Where the camera is, `secs` after the film began.
    pub fn at(&self, secs: f64) -> Pose {
        match self.camera {
            FilmCamera::Tour => self.follow(&self.story.at(secs)),
            FilmCamera::Orbit => {
                let share = secs / self.story.secs().max(f64::MIN_POSITIVE);
                Pose {
                    yaw: self.overview.yaw + TAU * share as f32,
                    ..self.overview
                }
            }
            FilmCamera::Still(viewpoint) => viewpoint.pose(self.layout, &self.screen),
            FilmCamera::Path(path) => path
                .pose_at(secs, self.layout, &self.screen)
                .unwrap_or(self.overview),
        }
        .kept_in(self.layout)
    }

    fn follow(&self, moment: &Moment) -> Pose {
        let chapter = &self.story.chapters()[moment.chapter];
        let secs = moment.secs;
        match chapter.kind {
            ChapterKind::Opening => {
                let share = eased(secs / chapter.secs().max(f64::MIN_POSITIVE));
                self.overview.towards(&self.entrance, share)
            }
            ChapterKind::Word => self.entrance,
            ChapterKind::Thought => self.think(chapter, secs),
            ChapterKind::Token | ChapterKind::Ending => self.watch(chapter, secs),
        }
    }

    /// Along with the signal, and then to what it predicts.
    fn think(&self, chapter: &Chapter, secs: f64) -> Pose {
        let share = chapter.run_share(secs);
        let beside = self.beside(share as f32 * (self.stages.len().max(1) - 1) as f32);
        // Into the flight, along the flight, and out of it towards the exit.
        let joined = eased(share / 0.18);
        let pose = self.entrance.towards(&beside, joined);
        let leave_secs = 0.86 * chapter.run_secs;
        let swing_secs = (chapter.secs() - leave_secs).min(SWING_SECS);
        let leaving = eased((secs - leave_secs) / swing_secs.max(f64::MIN_POSITIVE));
        pose.towards(&self.at_exit(chapter.lane), leaving)
    }

    /// From the last prediction back to the whole, which then turns slowly.
    fn watch(&self, chapter: &Chapter, secs: f64) -> Pose {
        let first = self
            .story
            .chapters()
            .iter()
            .find(|chapter| matches!(chapter.kind, ChapterKind::Token | ChapterKind::Ending))
            .unwrap_or(chapter);
        let since_secs = chapter.start_secs + secs - first.start_secs;
        let swing_secs = SWING_SECS.min(SWING_SHARE * (self.story.secs() - first.start_secs));
        let turn = DRIFT * since_secs as f32;
        let whole = Pose {
            yaw: self.overview.yaw + turn,
            ..self.overview
        };
        let came_from = match self.thought() {
            Some(thought) => self.at_exit(thought.lane),
            None => self.overview,
        };
        let share = eased(since_secs / swing_secs.max(f64::MIN_POSITIVE));
        came_from.unwound_towards(&whole).towards(&whole, share)
    }

    fn thought(&self) -> Option<&Chapter> {
        let mut chapters = self.story.chapters().iter();
        chapters.find(|chapter| chapter.kind == ChapterKind::Thought)
    }

    /// The prompt's lanes, seen from before the entrance.
    fn at_entrance(&self) -> Pose {
        let tile = self.layout.tile_size.x;
        let n_lanes = self.thought().map_or(self.layout.n_lanes, |t| t.lane + 1);
        let width = self.layout.lane_x(n_lanes.saturating_sub(1)) + tile;
        let rect = GroundRect {
            near_left: Vec2::new(-0.2 * tile, 0.55 * tile),
            size: Vec2::new(width + 0.4 * tile, 5.2 * tile),
        };
        Pose::framing(rect, FOLLOW_YAW, FOLLOW_PITCH, &self.screen, 0.86)
    }

    /// Where the signal is, followed from behind; `order` in hook points.
    fn beside(&self, order: f32) -> Pose {
        let index = (order as usize).min(self.stages.len().saturating_sub(1));
        let z = |index: usize| self.stages.get(index).copied().unwrap_or_default();
        let next = (index + 1).min(self.stages.len().saturating_sub(1));
        let z = z(index) + (z(next) - z(index)) * (order - index as f32).clamp(0.0, 1.0);
        let entrance = self.entrance;
        Pose {
            focus: Vec3::new(entrance.focus.x, 0.0, z),
            yaw: FOLLOW_YAW,
            pitch: FOLLOW_PITCH + 0.08,
            radius: entrance.radius.max(5.0 * self.layout.tile_size.x),
        }
    }

    /// Before the bars of what is predicted at `lane`.
    fn at_exit(&self, lane: usize) -> Pose {
        let tile = self.layout.tile_size.x;
        let Some(skyline) = &self.layout.skyline else {
            return self.overview;
        };
        let (first, last) = (skyline.bar(lane, 0), skyline.bar(lane, skyline.n_ranks - 1));
        let rect = first.union(&last);
        let room = 0.35 * tile;
        let rect = GroundRect {
            near_left: rect.near_left + Vec2::new(-room, room),
            size: rect.size + Vec2::new(2.0 * room, 2.0 * room),
        };
        // With room for the words above the bars.
        let height = 1.12 * skyline.height;
        Pose::framing_rise(rect, height, EXIT_VIEW, &self.screen, 0.82)
    }
}

/// Where along Z each hook point is computed, never going back: what is left out of the world is
/// passed with what comes before it.
fn stages(config: &ModelConfig, layout: &ModelLayout) -> Vec<f32> {
    let mut z = 0.0f32;
    let hooks = config.hook_points();
    let mut stages: Vec<f32> = hooks
        .iter()
        .map(|hook| {
            if let Some(rect) = layout.hook_rect(*hook) {
                z = z.min(rect.center().z);
            }
            z
        })
        .collect();
    smooth(&mut stages);
    stages
}

/// Means over some stages: tensors stand close in one place and far apart in another, and the camera
/// goes evenly.
fn smooth(stages: &mut Vec<f32>) {
    const REACH: usize = 6;
    let smoothed: Vec<f32> = (0..stages.len())
        .map(|index| {
            let reach = REACH.min(index).min(stages.len() - 1 - index);
            let window = &stages[index - reach..=index + reach];
            window.iter().sum::<f32>() / window.len() as f32
        })
        .collect();
    *stages = smoothed;
}

/// A share of a way that begins and ends at rest.
fn eased(share: f64) -> f32 {
    let share = share.clamp(0.0, 1.0) as f32;
    share * share * share * (share * (6.0 * share - 15.0) + 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(preset: &str, n_lanes: usize) -> (ModelConfig, ModelLayout) {
        let config = ModelConfig::preset(preset).unwrap();
        let layout = ModelLayout::new(&config, n_lanes);
        (config, layout)
    }

    #[test]
    fn no_camera_jumps_or_enters_the_ground() {
        for (preset, n_lanes) in [("gpt2", 9), ("gpt2-xl", 30), ("distilgpt2", 1)] {
            let (config, layout) = world(preset, n_lanes);
            let story = Story::new(
                n_lanes.div_ceil(2),
                n_lanes,
                config.hook_points().len(),
                None,
            );
            let screen = Screen::default();
            for camera in [FilmCamera::Tour, FilmCamera::Orbit] {
                let flight = Flight::new(&camera, &story, &config, &layout, &screen);
                let mut before = flight.at(0.0);
                for frame in 1..(story.secs() * 30.0) as usize {
                    let pose = flight.at(frame as f64 / 30.0);
                    assert!(pose.position().y > 0.3, "{preset} {camera:?} {frame}");
                    // Relative to how far it sees, no frame is far from the one before.
                    let way = pose.position().distance(before.position());
                    let turn = (pose.yaw - before.yaw).abs() + (pose.pitch - before.pitch).abs();
                    let share = way / pose.radius.min(before.radius);
                    assert!(
                        share < 0.35 && turn < 0.1,
                        "{preset} {frame}: {share} {turn}"
                    );
                    before = pose;
                }
            }
        }
    }

    #[test]
    fn the_tour_is_where_the_signal_is_and_ends_with_the_whole_world() {
        let (config, layout) = world("gpt2", 9);
        let story = Story::new(4, 9, config.hook_points().len(), None);
        let screen = Screen::default();
        let flight = Flight::new(&FilmCamera::Tour, &story, &config, &layout, &screen);
        let thought = flight.thought().unwrap();

        for layer in [3, 6, 9] {
            let order = config.hook_points().len() * layer / config.n_layers;
            let share = order as f64 / config.hook_points().len() as f64;
            let pose = flight.at(thought.start_secs + share * thought.run_secs);
            let span = layout.layers[layer];
            let middle = 0.5 * (span.near_z + span.far_z);
            let depth = span.near_z - span.far_z;
            assert!((pose.focus.z - middle).abs() < depth, "{layer}: {pose:?}");
        }
        let end = flight.at(story.secs());
        let overview = Viewpoint::Overview.pose(&layout, &screen);
        assert!(end.focus.distance(overview.focus) < 0.02 * overview.radius);
    }

    #[test]
    fn a_still_camera_stays_and_a_path_is_flown_along() {
        let (config, layout) = world("gpt2", 5);
        let story = Story::new(3, 5, config.hook_points().len(), None);
        let screen = Screen::default();
        let still = FilmCamera::Still(Viewpoint::Heads);
        let flight = Flight::new(&still, &story, &config, &layout, &screen);

        assert_eq!(flight.at(0.0), flight.at(9.0));
        assert_eq!(Flight::own_secs(&still), None);
    }
}
