//! Places to look from, found from the layout alone, and the wish to go there.

use std::f32::consts::{PI, TAU};

use bevy::prelude::*;

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

/// The picture, and the part of it that no panel covers.
#[derive(Resource, Clone, Copy, Debug, PartialEq)]
pub struct Screen {
    /// Width over height.
    pub aspect: f32,
    /// The free part's lower left corner; the picture's is (-1, -1).
    pub low: Vec2,
    /// The free part's upper right corner; the picture's is (1, 1).
    pub high: Vec2,
}

impl Default for Screen {
    fn default() -> Self {
        Self::whole(16.0 / 9.0)
    }
}

impl Screen {
    /// Whether a place is in the free part: across and down, as shares of the picture.
    pub fn is_free(&self, place: Vec2) -> bool {
        let place = Vec2::new(2.0 * place.x - 1.0, 1.0 - 2.0 * place.y);
        (place.cmpge(self.low) & place.cmple(self.high)).all()
    }

    /// A picture without panels.
    pub fn whole(aspect: f32) -> Self {
        Self {
            aspect,
            low: Vec2::NEG_ONE,
            high: Vec2::ONE,
        }
    }
}

/// Vertical field of view, in radians.
pub const FIELD_OF_VIEW: f32 = 45.0 * PI / 180.0;
/// The nearest the camera comes to its focus, in units.
pub const MIN_RADIUS: f32 = 2.0;
/// Half the vertical field of view.
const HALF_FOV: f32 = FIELD_OF_VIEW / 2.0;

impl Pose {
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

    /// Close before a rectangle on the ground, all of it in view.
    pub fn before(rect: GroundRect, screen: &Screen) -> Self {
        Self::framing(rect, 0.25, 0.7, screen, 0.9)
    }

    /// Seen from `yaw` and `pitch` (radians), a rectangle on the ground that fills `share` of the
    /// free part of the picture.
    pub fn framing(rect: GroundRect, yaw: f32, pitch: f32, screen: &Screen, share: f32) -> Self {
        Self {
            focus: rect.center(),
            yaw,
            pitch,
            radius: 0.5 * rect.size.min_element().max(1.0),
        }
        .fitting(&corners(rect, 0.0), screen, share)
    }

    /// The same pose with its turn within half a turn of `to`'s, so that a flight there takes the
    /// short way round.
    #[must_use]
    pub fn unwound_towards(self, to: &Self) -> Self {
        let turn = (self.yaw - to.yaw + PI).rem_euclid(TAU) - PI;
        Self {
            yaw: to.yaw + turn,
            ..self
        }
    }

    /// The same eye and view, with the focus on the ground ahead if the view meets it: so that
    /// turning the camera turns it around what is seen.
    #[must_use]
    pub fn grounded(self) -> Self {
        let eye = self.position();
        let radius = eye.y / self.pitch.sin();
        if self.pitch < 0.05 || radius < MIN_RADIUS || !radius.is_finite() {
            return self;
        }
        let ahead = (self.focus - eye) / self.radius;
        Self {
            focus: eye + ahead * radius,
            radius,
            ..self
        }
    }

    /// This pose moved so that it is neither in the ground nor lost beyond the world: a camera that
    /// may stand anywhere near it.
    #[must_use]
    pub fn kept_in(self, layout: &ModelLayout) -> Self {
        let tile = layout.tile_size.x;
        let bounds = layout.bounds();
        let extent = bounds.size.max_element();
        let room = 0.5 * extent + 6.0 * tile;
        let mut pose = Self {
            radius: self.radius.clamp(MIN_RADIUS, 4.0 * extent + 12.0 * tile),
            ..self
        };
        let low = Vec3::new(-room, -room, bounds.near_left.y - bounds.size.y - room);
        let high = Vec3::new(bounds.size.x + room, room, bounds.near_left.y + room);
        pose.focus = pose.focus.clamp(low, high);
        pose.focus.y += (lowest_eye(layout) - pose.position().y).max(0.0);
        pose
    }

    /// Whether both look the same, but for rounding.
    pub fn is_near(&self, other: &Self) -> bool {
        self.focus.distance(other.focus) < 1e-3 * self.radius
            && (self.yaw - other.yaw).abs() < 1e-3
            && (self.pitch - other.pitch).abs() < 1e-3
            && (self.radius / other.radius - 1.0).abs() < 1e-3
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

    /// This pose moved over the ground and away from it until `points` fill `share` of the free part
    /// of the picture.
    fn fitting(self, points: &[Vec3], screen: &Screen, share: f32) -> Self {
        let mut pose = self;
        let wanted_center = 0.5 * (screen.low + screen.high);
        let wanted_half = 0.5 * share * (screen.high - screen.low);
        for _ in 0..300 {
            let places: Option<Vec<Vec2>> = points
                .iter()
                .map(|point| pose.project(*point, screen.aspect))
                .collect();
            let Some(places) = places else {
                pose.radius *= 1.3; // Something is behind the camera.
                continue;
            };
            let low = places.iter().copied().reduce(Vec2::min).unwrap_or_default();
            let high = places.iter().copied().reduce(Vec2::max).unwrap_or_default();
            let offset = 0.5 * (low + high) - wanted_center;
            let growth = (0.5 * (high - low) / wanted_half).max_element();
            // Points near the camera's own plane appear at any distance: step by step.
            let offset = offset.clamp_length_max(0.2);
            let reach = if growth < 1.5 {
                pose.radius * HALF_FOV.tan()
            } else {
                0.0
            };
            let turn = Quat::from_rotation_y(pose.yaw);
            pose.focus += turn * Vec3::X * (offset.x * reach * screen.aspect);
            pose.focus += turn * Vec3::NEG_Z * (offset.y * reach / pose.pitch.sin().max(0.2));
            pose.radius *= growth.clamp(0.9, 1.12);
            if offset.length() < 1e-3 && (growth - 1.0).abs() < 1e-3 {
                break;
            }
        }
        pose
    }
}

/// The lowest the camera stands, in units above the ground.
fn lowest_eye(layout: &ModelLayout) -> f32 {
    0.06 * layout.tile_size.x
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

/// The whole ground, with room for the names at its entrance and its left.
fn with_labels(layout: &ModelLayout) -> GroundRect {
    let room = Vec2::new(0.9, 0.4) * layout.tile_size.x;
    let bounds = layout.bounds();
    GroundRect {
        near_left: bounds.near_left + Vec2::new(-room.x, room.y),
        size: bounds.size + room,
    }
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
                let pose = Pose {
                    focus: bounds.center(),
                    yaw: 0.5,
                    pitch: 0.62,
                    radius: tile,
                };
                pose.fitting(&corners(bounds, 0.0), screen, 0.88)
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

    #[test]
    fn wherever_the_camera_goes_it_stays_above_the_ground_and_near_the_world() {
        let layout = ModelLayout::new(&ModelConfig::preset("gpt2").unwrap(), 4);
        let far = 10.0 * layout.exit_z.abs();
        for x in [-1e9, 0.0, 1e9] {
            for y in [-1e6, 0.0, 1e6] {
                for pitch in [-0.6, 0.1, 1.56] {
                    for radius in [0.0, 50.0, 1e9] {
                        let focus = Vec3::new(x, y, -x);
                        let pose = Pose {
                            focus,
                            yaw: 1.0,
                            pitch,
                            radius,
                        };

                        let kept = pose.kept_in(&layout);

                        let eye = kept.position();
                        assert!(eye.y > 0.5, "{kept:?}");
                        assert!(eye.length() < far, "{kept:?}");
                        assert!(kept.kept_in(&layout).is_near(&kept), "{kept:?}");
                    }
                }
            }
        }
        for viewpoint in Viewpoint::ALL {
            let pose = viewpoint.pose(&layout, &Screen::whole(0.6));
            assert!(
                pose.kept_in(&layout).is_near(&pose),
                "{viewpoint:?} {pose:?}"
            );
        }
    }

    #[test]
    fn after_a_flight_the_camera_orbits_the_ground_it_looks_at_from_where_it_is() {
        let pose = Pose {
            focus: Vec3::new(3.0, 40.0, -20.0),
            yaw: 0.4,
            pitch: 0.5,
            radius: 30.0,
        };

        let grounded = pose.grounded();

        assert!(grounded.focus.y.abs() < 1e-3, "{grounded:?}");
        assert!(grounded.position().distance(pose.position()) < 1e-2);
        let upwards = Pose {
            pitch: -0.2,
            ..pose
        };
        assert_eq!(upwards.grounded(), upwards);
    }

    #[test]
    fn a_flight_turns_the_short_way_round() {
        let layout = ModelLayout::new(&ModelConfig::preset("gpt2").unwrap(), 4);
        let to = Viewpoint::Overview.pose(&layout, &Screen::default());
        let from = Pose {
            yaw: to.yaw + 3.0 * TAU + 0.3,
            ..to
        };

        assert!((from.unwound_towards(&to).yaw - to.yaw - 0.3).abs() < 1e-4);
    }

    #[test]
    fn what_a_panel_covers_is_not_free() {
        let screen = Screen {
            low: Vec2::new(-0.5, -1.0),
            ..Screen::default()
        };

        assert!(screen.is_free(Vec2::new(0.5, 0.99)));
        assert!(!screen.is_free(Vec2::new(0.2, 0.5)), "the left quarter");
        assert!(screen.is_free(Vec2::new(0.26, 0.01)));
    }

    #[test]
    fn halfway_between_two_poses_is_the_geometric_mean_of_their_distances() {
        let layout = ModelLayout::new(&ModelConfig::preset("gpt2").unwrap(), 4);
        let from = Pose {
            radius: 10.0,
            ..Viewpoint::Street.pose(&layout, &Screen::default())
        };
        let to = Pose {
            radius: 1000.0,
            ..from
        };

        assert!((from.towards(&to, 0.5).radius - 100.0).abs() < 0.01);
        assert_eq!(from.towards(&to, 0.0), from);
    }
}
