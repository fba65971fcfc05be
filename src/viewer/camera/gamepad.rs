//! A gamepad: the left stick moves, the right one looks, the triggers lift and lower.

use bevy::prelude::*;

use super::flight::PadMotion;

/// A stick that leans less than this stands still.
const DEAD_ZONE: f32 = 0.18;

/// How a gamepad's sticks and triggers stand.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sticks {
    /// Right and forward, each -1 to 1.
    left: Vec2,
    /// Right and up, each -1 to 1.
    right: Vec2,
    /// The left trigger, 0 to 1.
    lower: f32,
    /// The right trigger, 0 to 1.
    lift: f32,
}

impl Sticks {
    /// What they ask of the camera.
    fn motion(&self) -> PadMotion {
        let go = beyond_dead_zone(self.left);
        let up = beyond_dead_zone(Vec2::new(0.0, self.lift - self.lower)).y;
        PadMotion {
            go: Vec3::new(go.x, up, -go.y).clamp_length_max(1.0),
            look: beyond_dead_zone(self.right),
        }
    }
}

/// Nothing within the dead zone; from its edge the answer grows slowly, then fast, up to 1.
fn beyond_dead_zone(lean: Vec2) -> Vec2 {
    let length = lean.length();
    // A broken stick may report anything.
    if !length.is_finite() || length <= DEAD_ZONE {
        return Vec2::ZERO;
    }
    let share = ((length - DEAD_ZONE) / (1.0 - DEAD_ZONE)).min(1.0);
    lean / length * share * share
}

#[cfg(feature = "gamepad")]
pub(super) use device::plugin;

#[cfg(feature = "gamepad")]
mod device {
    //! Reads the gamepads that are there.

    use bevy::prelude::*;

    use super::{PadMotion, Sticks};
    use crate::viewer::ViewerSystems;
    use crate::viewer::playback::PlaybackWish;
    use crate::viewer::tour::TourWish;
    use crate::viewer::viewpoint::{CameraWish, Viewpoint};

    pub(in crate::viewer::camera) fn plugin(app: &mut App) {
        app.add_systems(
            Update,
            (read_sticks, obey_buttons).before(ViewerSystems::Playback),
        );
    }

    fn read_sticks(gamepads: Query<&Gamepad>, mut motion: ResMut<PadMotion>) {
        let mut total = PadMotion::default();
        for gamepad in &gamepads {
            let sticks = Sticks {
                left: gamepad.left_stick(),
                right: gamepad.right_stick(),
                lower: gamepad.get(GamepadButton::LeftTrigger2).unwrap_or(0.0),
                lift: gamepad.get(GamepadButton::RightTrigger2).unwrap_or(0.0),
            };
            let asked = sticks.motion();
            total.go += asked.go;
            total.look += asked.look;
        }
        motion.set_if_neq(total);
    }

    fn obey_buttons(
        gamepads: Query<&Gamepad>,
        mut playback: MessageWriter<PlaybackWish>,
        mut camera: MessageWriter<CameraWish>,
        mut tour: MessageWriter<TourWish>,
    ) {
        for gamepad in &gamepads {
            for button in gamepad.get_just_pressed() {
                match button {
                    GamepadButton::South => {
                        playback.write(PlaybackWish::StepForward);
                    }
                    GamepadButton::East => {
                        playback.write(PlaybackWish::StepBack);
                    }
                    GamepadButton::North => {
                        camera.write(CameraWish::GoTo(Viewpoint::Overview));
                    }
                    GamepadButton::Start => {
                        tour.write(TourWish::Toggle);
                    }
                    GamepadButton::DPadRight => {
                        tour.write(TourWish::Next);
                    }
                    GamepadButton::DPadLeft => {
                        tour.write(TourWish::Back);
                    }
                    _ => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stick_at_rest_moves_nothing() {
        let sticks = Sticks {
            left: Vec2::new(0.1, -0.12),
            right: Vec2::new(f32::NAN, 0.0),
            lower: 0.5,
            lift: 0.6,
        };

        assert_eq!(sticks.motion(), PadMotion::default());
    }

    #[test]
    fn full_sticks_ask_for_full_speed_along_the_cameras_axes() {
        let sticks = Sticks {
            left: Vec2::new(0.0, 1.0),
            right: Vec2::new(-1.0, 0.0),
            ..Sticks::default()
        };
        let lifting = Sticks {
            lift: 1.0,
            ..Sticks::default()
        };

        assert_eq!(sticks.motion().go, Vec3::NEG_Z);
        assert_eq!(sticks.motion().look, Vec2::NEG_X);
        assert_eq!(lifting.motion().go, Vec3::Y);
    }

    #[test]
    fn the_answer_grows_evenly_from_the_edge_of_the_dead_zone_in_all_directions() {
        let at = |length: f32| beyond_dead_zone(Vec2::from_angle(0.7) * length).length();

        assert!(at(DEAD_ZONE + 0.01) < 0.01);
        assert!(at(0.4) < at(0.7) && at(0.7) < at(1.0));
        assert!((at(1.0) - 1.0).abs() < 1e-5 && (at(1.4) - 1.0).abs() < 1e-5);
    }
}
