//! Places to look from, found from the layout alone, and the wish to go there.

mod pose;

use bevy::prelude::*;

use pose::corners;
pub use pose::{FIELD_OF_VIEW, MIN_RADIUS, Pose, Screen};

use crate::hook::{BlockSite, HookPoint};
use crate::layout::{GroundRect, ModelLayout};

/// A place to look from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewpoint {
    /// The whole model, from above the entrance at a slant.
    Overview,
    /// One layer, close up.
    Layer,
    /// Just above the ground, in a lane.
    Street,
    /// A layer's head patterns, close up.
    Heads,
    /// Neuron tiles, close up.
    Neurons,
    /// Straight down.
    Map,
}

/// What the user wants of the camera.
#[derive(Message, Clone, Copy, Debug, PartialEq)]
pub enum CameraWish {
    /// Fly to a viewpoint.
    GoTo(Viewpoint),
    /// Fly until this stands before the camera.
    LookAt(Pose),
    /// Fly there in this many seconds.
    Fly {
        /// Where to.
        to: Pose,
        /// How long it takes.
        secs: f32,
    },
    /// Be there at once.
    Stand(Pose),
    /// Fly to the projection of tokens beside the entrance.
    VisitCloud,
    /// Free flight, or orbit again.
    ToggleFlight,
}

/// The user has taken the camera, by mouse, key or gamepad: whatever moved it by itself gives way.
#[derive(Message, Clone, Copy, Debug, PartialEq, Eq)]
pub struct CameraTaken;

/// Where the camera stands, its smoothing left aside; none before there is one.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq)]
pub struct CameraPose(pub Option<Pose>);

/// How the camera behaves.
#[derive(Resource, Clone, Debug, PartialEq)]
pub struct CameraSettings {
    /// Where it stands when a text begins.
    pub start: Viewpoint,
    /// Whether it moves over time; if not, it is there at once.
    pub is_animated: bool,
    /// Whether the user asked for cuts instead of flights.
    pub has_reduced_motion: bool,
    /// Samples a pixel, against jagged edges: 1, 2 or 4.
    pub msaa_samples: u32,
}

impl Default for CameraSettings {
    fn default() -> Self {
        Self {
            start: Viewpoint::Overview,
            is_animated: true,
            has_reduced_motion: false,
            msaa_samples: 4,
        }
    }
}

impl CameraSettings {
    /// Whether the camera flies where it is sent; if not, it is there at once.
    pub fn flies(&self) -> bool {
        self.is_animated && !self.has_reduced_motion
    }
}

/// The whole ground, with room for the names at its entrance and its left.
fn with_labels(layout: &ModelLayout) -> GroundRect {
    let room = Vec2::new(0.9, 0.4) * layout.tile_size.x;
    let bounds = layout.bounds();
    GroundRect {
        near_left: bounds.near_left + Vec2::new(-room.x, room.y),
        size: bounds.size + room,
    }
    .union(&layout.ground)
}

/// The area of a picture that a ground covers, by the places of its corners: near left and right, far
/// left and right.
fn area(places: &[Vec2]) -> f32 {
    match places {
        [near_left, near_right, far_left, far_right] => {
            let diagonal = *far_right - *near_left;
            0.5 * diagonal.perp_dot(*far_left - *near_right).abs()
        }
        _ => 0.0,
    }
}

/// Turns that an overview may have; the one that shows most of the ground is taken.
const OVERVIEW_YAWS: [f32; 6] = [0.5, 0.3, 0.7, 0.15, 0.9, 1.1];
/// Lanes of a layer that are shown close up, at most.
const LAYER_LANES: usize = 14;

impl Viewpoint {
    /// Every viewpoint, in the order of their keys.
    pub const ALL: [Self; 6] = [
        Self::Overview,
        Self::Layer,
        Self::Heads,
        Self::Neurons,
        Self::Street,
        Self::Map,
    ];

    /// A word for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Layer => "Layer",
            Self::Heads => "Heads",
            Self::Neurons => "Neurons",
            Self::Street => "Street",
            Self::Map => "Map",
        }
    }

    /// Where to stand for it.
    pub fn pose(self, layout: &ModelLayout, screen: &Screen) -> Pose {
        let tile = layout.tile_size.x;
        let middle_layer = layout.layers.len() / 2;
        let span = layout.layers[middle_layer];
        let middle_of = |site| {
            let hook = HookPoint::block(middle_layer, site);
            layout.hook_rect(hook).unwrap_or_else(|| layout.bounds())
        };
        let close = |rect: GroundRect, yaw: f32, pitch: f32, share: f32| {
            Pose {
                focus: rect.center(),
                yaw,
                pitch,
                radius: 0.8 * tile,
            }
            .fitting(&corners(rect, 0.0), screen, share)
        };
        match self {
            Self::Overview => {
                let bounds = with_labels(layout);
                let turned = |yaw: f32| {
                    let pose = Pose {
                        focus: bounds.center(),
                        yaw,
                        pitch: 0.62,
                        radius: tile,
                    };
                    pose.fitting(&corners(bounds, 0.0), screen, 0.9)
                };
                // The first unless another shows clearly more of the ground.
                let shown = |pose: &Pose| {
                    let place = |corner| pose.project(corner, screen.aspect);
                    let places: Option<Vec<Vec2>> =
                        corners(bounds, 0.0).into_iter().map(place).collect();
                    places.map_or(0.0, |places| area(&places))
                };
                let first = turned(OVERVIEW_YAWS[0]);
                OVERVIEW_YAWS[1..]
                    .iter()
                    .map(|yaw| turned(*yaw))
                    .fold(first, |best, pose| {
                        if shown(&pose) > 1.1 * shown(&best) {
                            pose
                        } else {
                            best
                        }
                    })
            }
            Self::Layer => {
                let n_lanes = layout.n_lanes.min(LAYER_LANES);
                let first = layout.n_lanes - n_lanes;
                let rect = GroundRect {
                    near_left: Vec2::new(layout.lane_x(first), span.near_z),
                    size: Vec2::new(
                        layout.width() - layout.lane_x(first),
                        span.near_z - span.far_z,
                    ),
                };
                close(rect, 0.42, 0.62, 0.92)
            }
            Self::Heads => {
                let pattern = HookPoint::block(middle_layer, BlockSite::Pattern);
                let Some(band) = layout.band(pattern) else {
                    return Self::Layer.pose(layout, screen);
                };
                let last = band.n_heads.min(4) - 1;
                let (first, last) = (band.square(0), band.square(last));
                let rect = GroundRect {
                    near_left: first.near_left,
                    size: Vec2::new(
                        last.near_left.x + last.size.x - first.near_left.x,
                        first.size.y,
                    ),
                };
                close(rect, 0.12, 0.75, 0.92)
            }
            Self::Neurons => {
                let rect = middle_of(BlockSite::MlpPost);
                let rect = GroundRect {
                    size: Vec2::new(rect.size.x.min(2.3 * layout.lane_pitch), rect.size.y),
                    ..rect
                };
                close(rect, 0.18, 0.7, 0.9)
            }
            Self::Street => {
                let lane = (layout.n_lanes - 1) / 2;
                let x = layout.lane_x(lane) + 0.5 * tile;
                Pose {
                    focus: Vec3::new(x, 0.22 * tile, span.near_z - 1.4 * tile),
                    yaw: 0.08,
                    pitch: 0.14,
                    radius: 2.2 * tile,
                }
            }
            Self::Map => {
                let bounds = with_labels(layout);
                // The avenue runs across the picture, from left to right.
                let pose = Pose {
                    focus: bounds.center(),
                    yaw: std::f32::consts::FRAC_PI_2,
                    pitch: 1.56,
                    radius: tile,
                };
                pose.fitting(&corners(bounds, 0.0), screen, 0.86)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ModelConfig;

    #[test]
    fn every_viewpoint_is_above_the_ground_and_the_whole_is_in_view_from_the_overview() {
        for (name, n_lanes) in [("gpt2", 1), ("gpt2-medium", 12), ("gpt2-xl", 40)] {
            let layout = ModelLayout::new(&ModelConfig::preset(name).unwrap(), n_lanes);
            let with_panels = Screen {
                aspect: 1.6,
                low: Vec2::new(-0.6, -0.8),
                high: Vec2::new(0.55, 1.0),
            };
            for screen in [Screen::whole(0.6), Screen::default(), with_panels] {
                for viewpoint in Viewpoint::ALL {
                    let pose = viewpoint.pose(&layout, &screen);
                    assert!(pose.position().y > 1.0, "{viewpoint:?} {pose:?}");
                }
                for viewpoint in [Viewpoint::Overview, Viewpoint::Map] {
                    let pose = viewpoint.pose(&layout, &screen);
                    for corner in corners(layout.bounds(), 0.0) {
                        let place = pose.project(corner, screen.aspect).unwrap();
                        let is_free = place.cmpgt(screen.low) & place.cmplt(screen.high);
                        assert!(is_free.all(), "{name} {n_lanes} {viewpoint:?} {place}");
                    }
                }
            }
        }
    }
}
