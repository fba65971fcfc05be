//! Where a camera stands, and what of the picture it has for itself.

use std::f32::consts::{PI, TAU};

use bevy::prelude::*;

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
pub const MIN_RADIUS: f32 = 0.6;
/// Half the vertical field of view.
const HALF_FOV: f32 = FIELD_OF_VIEW / 2.0;

impl Pose {
    /// The pose a share of the way to another, along the path that looks smoothest: far ways are
    /// seen from farther off (van Wijk and Nuij 2003, "Smooth and efficient zooming and panning").
    #[must_use]
    pub fn towards(&self, to: &Self, share: f32) -> Self {
        let (way_share, radius) = smooth_way(
            f64::from(self.focus.distance(to.focus)),
            f64::from(self.radius),
            f64::from(to.radius),
            f64::from(share),
        );
        Self {
            focus: self.focus.lerp(to.focus, way_share as f32),
            yaw: self.yaw.lerp(to.yaw, share),
            pitch: self.pitch.lerp(to.pitch, share),
            radius: radius as f32,
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

    /// As [`framing`](Self::framing), with what rises up to `height` above the rectangle.
    pub fn framing_rise(
        rect: GroundRect,
        height: f32,
        (yaw, pitch): (f32, f32),
        screen: &Screen,
        share: f32,
    ) -> Self {
        let mut points = corners(rect, 0.0);
        points.extend(corners(rect, height));
        let focus = rect.center() + 0.5 * height * Vec3::Y;
        Self {
            focus,
            yaw,
            pitch,
            radius: rect.size.max_element().max(height).max(1.0),
        }
        .fitting(&points, screen, share)
    }

    /// Before the projection of tokens beside the entrance.
    pub fn before_cloud(layout: &ModelLayout, screen: &Screen) -> Self {
        let room = layout.cloud_room();
        let corners: Vec<Vec3> = (0..8u8)
            .map(|corner| {
                let side = |bit: u8| if corner & bit == 0 { -1.0 } else { 1.0 };
                room.center + room.half * Vec3::new(side(1), side(2), side(4))
            })
            .collect();
        Self {
            focus: room.center,
            yaw: 0.35,
            pitch: 0.22,
            radius: 3.0 * room.half,
        }
        .fitting(&corners, screen, 0.84)
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
        let ground = layout.ground;
        let extent = ground.size.max_element();
        let room = 0.5 * extent + 6.0 * tile;
        let mut pose = Self {
            radius: self.radius.clamp(MIN_RADIUS, 4.0 * extent + 12.0 * tile),
            ..self
        };
        let (low, high) = (ground.low(), ground.high());
        let low = Vec3::new(low.x - room, -room, low.y - room);
        let high = Vec3::new(high.x + room, room, high.y + room);
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
    pub(super) fn fitting(self, points: &[Vec3], screen: &Screen, share: f32) -> Self {
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
    0.015 * layout.tile_size.x
}

/// How much a path prefers to rise over going far: van Wijk and Nuij's rho.
const RISE: f64 = 1.2;

/// How much of the way of this length one has come, and the distance from it then, after a share of
/// the path that begins at distance `from` and ends at distance `to`.
fn smooth_way(length: f64, from: f64, to: f64, share: f64) -> (f64, f64) {
    if share <= 0.0 || share >= 1.0 || length < 1e-3 * from.min(to) {
        return (
            share.clamp(0.0, 1.0),
            from * (to / from).powf(share.clamp(0.0, 1.0)),
        );
    }
    let bend = |own: f64, sign: f64| {
        let square = to * to - from * from + sign * (RISE * RISE * length).powi(2);
        let b = square / (2.0 * own * RISE * RISE * length);
        // ln(sqrt(b^2 + 1) - b), without loss where b is large.
        -b.asinh()
    };
    let (first, last) = (bend(from, 1.0), bend(to, -1.0));
    let at = first + share * (last - first);
    let come = from / (RISE * RISE) * (first.cosh() * at.tanh() - first.sinh());
    (
        (come / length).clamp(0.0, 1.0),
        from * first.cosh() / at.cosh(),
    )
}

/// The corners of a rectangle on the ground, and above its far edge.
pub(super) fn corners(rect: GroundRect, height: f32) -> Vec<Vec3> {
    let (near, far) = (rect.near_left.y, rect.near_left.y - rect.size.y);
    let (left, right) = (rect.near_left.x, rect.near_left.x + rect.size.x);
    vec![
        Vec3::new(left, 0.0, near),
        Vec3::new(right, 0.0, near),
        Vec3::new(left, height, far),
        Vec3::new(right, height, far),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ModelConfig;
    use crate::viewer::viewpoint::Viewpoint;

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
                        assert!(eye.y > 0.4, "{kept:?}");
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
}
