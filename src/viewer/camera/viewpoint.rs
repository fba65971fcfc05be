//! Places to look from, found from the layout alone.

use bevy::prelude::*;
use bevy_panorbit_camera::PanOrbitCamera;

use crate::hook::{BlockSite, HookPoint};
use crate::layout::{GroundRect, ModelLayout};

/// Where a camera is and looks, as an orbit around what it looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    /// What it looks at.
    pub focus: Vec3,
    /// Turn around the vertical, in radians; 0 looks along the flight.
    pub yaw: f32,
    /// Height above the horizon, in radians; a quarter turn looks straight down.
    pub pitch: f32,
    /// Distance from the focus, in units.
    pub radius: f32,
}

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

/// Half the vertical field of view.
const HALF_FOV: f32 = 22.5 * std::f32::consts::PI / 180.0;

impl Pose {
    /// Where a camera stands for, smoothing left aside.
    pub(super) fn of(orbit: &PanOrbitCamera) -> Self {
        Self {
            focus: orbit.target_focus,
            yaw: orbit.target_yaw,
            pitch: orbit.target_pitch,
            radius: orbit.target_radius,
        }
    }

    /// Puts the camera there at once.
    pub fn set(&self, orbit: &mut PanOrbitCamera) {
        orbit.focus = self.focus;
        orbit.target_focus = self.focus;
        orbit.yaw = Some(self.yaw);
        orbit.target_yaw = self.yaw;
        orbit.pitch = Some(self.pitch);
        orbit.target_pitch = self.pitch;
        orbit.radius = Some(self.radius);
        orbit.target_radius = self.radius;
        orbit.force_update = true;
    }

    /// The pose a share of the way to another; distances change evenly in ratio.
    #[must_use]
    pub fn towards(&self, to: &Self, share: f32) -> Self {
        Self {
            focus: self.focus.lerp(to.focus, share),
            yaw: self.yaw.lerp(to.yaw, share),
            pitch: self.pitch.lerp(to.pitch, share),
            radius: self.radius * (to.radius / self.radius).powf(share),
        }
    }

    fn world_from_camera(&self) -> Transform {
        let rotation = Quat::from_rotation_y(self.yaw) * Quat::from_rotation_x(-self.pitch);
        Transform::from_translation(self.focus + rotation * Vec3::Z * self.radius)
            .with_rotation(rotation)
    }

    /// Where the camera is.
    pub fn position(&self) -> Vec3 {
        self.world_from_camera().translation
    }

    /// Where a point appears: across and up, -1 to 1 within the picture; none behind the camera.
    pub fn project(&self, point: Vec3, aspect: f32) -> Option<Vec2> {
        let camera_from_world = self.world_from_camera().to_matrix().inverse();
        let seen = camera_from_world.transform_point3(point);
        let depth = -seen.z * HALF_FOV.tan();
        (depth > 0.0).then(|| Vec2::new(seen.x / (depth * aspect), seen.y / depth))
    }

    /// The nearest this pose can come with all of `points` within `share` of the picture.
    fn fitting(self, points: &[Vec3], aspect: f32, share: Vec2) -> Self {
        let mut pose = self;
        for _ in 0..400 {
            let is_in_view = points.iter().all(|point| {
                pose.project(*point, aspect)
                    .is_some_and(|place| place.abs().cmple(share).all())
            });
            if is_in_view {
                break;
            }
            pose.radius *= 1.03;
        }
        pose
    }
}

/// The corners of a rectangle on the ground, and above its far edge.
fn corners(rect: GroundRect, height: f32) -> Vec<Vec3> {
    let (near, far) = (rect.near_left.y, rect.near_left.y - rect.size.y);
    let (left, right) = (rect.near_left.x, rect.near_left.x + rect.size.x);
    vec![
        Vec3::new(left, 0.0, near),
        Vec3::new(right, 0.0, near),
        Vec3::new(left, height, far),
        Vec3::new(right, height, far),
    ]
}

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

    /// Where to stand for it, in a picture of this width over height.
    pub fn pose(self, layout: &ModelLayout, aspect: f32) -> Pose {
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
            .fitting(&corners(rect, 0.0), aspect, Vec2::splat(share))
        };
        match self {
            Self::Overview => {
                let bounds = layout.bounds();
                let pose = Pose {
                    focus: bounds.center(),
                    yaw: 0.5,
                    pitch: 0.62,
                    radius: tile,
                };
                pose.fitting(&corners(bounds, 0.0), aspect, Vec2::new(0.93, 0.86))
            }
            Self::Layer => {
                let rect = GroundRect {
                    near_left: Vec2::new(0.0, span.near_z),
                    size: Vec2::new(layout.width(), span.near_z - span.far_z),
                };
                close(rect, 0.42, 0.62, 0.92)
            }
            Self::Heads => {
                let band = &layout.bands[middle_layer];
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
                let bounds = layout.bounds();
                // The avenue runs across the picture, from left to right.
                let pose = Pose {
                    focus: bounds.center(),
                    yaw: -std::f32::consts::FRAC_PI_2,
                    pitch: 1.56,
                    radius: tile,
                };
                pose.fitting(&corners(bounds, 0.0), aspect, Vec2::new(0.95, 0.8))
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
            for aspect in [0.6, 16.0 / 9.0] {
                for viewpoint in Viewpoint::ALL {
                    let pose = viewpoint.pose(&layout, aspect);
                    assert!(pose.position().y > 1.0, "{viewpoint:?} {pose:?}");
                }
                for viewpoint in [Viewpoint::Overview, Viewpoint::Map] {
                    let pose = viewpoint.pose(&layout, aspect);
                    for corner in corners(layout.bounds(), 0.0) {
                        let place = pose.project(corner, aspect).unwrap();
                        assert!(place.abs().max_element() < 1.0, "{viewpoint:?} {place}");
                    }
                }
            }
        }
    }

    #[test]
    fn halfway_between_two_poses_is_the_geometric_mean_of_their_distances() {
        let layout = ModelLayout::new(&ModelConfig::preset("gpt2").unwrap(), 4);
        let from = Pose {
            radius: 10.0,
            ..Viewpoint::Street.pose(&layout, 1.5)
        };
        let to = Pose {
            radius: 1000.0,
            ..from
        };

        assert!((from.towards(&to, 0.5).radius - 100.0).abs() < 0.01);
        assert_eq!(from.towards(&to, 0.0), from);
    }
}
