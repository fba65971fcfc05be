//! Free flight and turning by keys: the camera moves along its own axes, the faster the higher it is.

use bevy::input::mouse::{AccumulatedMouseMotion, AccumulatedMouseScroll};
use bevy::prelude::*;
use bevy_egui::input::EguiWantsInput;
use bevy_panorbit_camera::PanOrbitCamera;

use super::guard::PanelGuard;
use crate::viewer::scene::SceneLayout;
use crate::viewer::viewpoint::{CameraSettings, CameraTaken, Pose};

/// Seconds in which the speed comes most of the way to what the keys ask for.
const EASE_SECS: f32 = 0.18;
/// Turn of the view for a pixel of mouse motion, in radians.
const LOOK_SENSITIVITY: f32 = 0.003;
/// Turn of the view while a key is held or a stick leans, in radians a second.
const TURN_SPEED: f32 = 1.3;
/// By how much the distance changes while a key is held: times e in a second, so often.
const ZOOM_SPEED: f32 = 1.4;
/// Below this many tile widths a flight forward levels out, so that it ends in a street and not with
/// the view on the ground.
const LANDING_HEIGHT: f32 = 0.6;
/// The view of a flight that has levelled out, in radians below the horizon.
const LEVEL_PITCH: f32 = 0.12;
/// How fast it levels out, in radians a second.
const LANDING_TURN: f32 = 0.9;
/// Below this many units a second the camera stands.
const REST_SPEED: f32 = 0.05;

/// The camera's own motion.
#[derive(Component, Debug)]
pub(super) struct Flight {
    /// Whether the mouse looks around instead of orbiting.
    pub(super) is_active: bool,
    /// Units a second, in the world's axes.
    velocity: Vec3,
    /// Set by the wheel: times the speed that the height gives.
    speed: f32,
}

impl Default for Flight {
    fn default() -> Self {
        Self {
            is_active: false,
            velocity: Vec3::ZERO,
            speed: 1.0,
        }
    }
}

impl Flight {
    pub(super) fn stop(&mut self) {
        self.velocity = Vec3::ZERO;
        self.is_active = false;
    }
}

/// What a gamepad asks for; nothing without one.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct PadMotion {
    /// Where to, in the camera's axes; at most 1 long.
    pub(super) go: Vec3,
    /// Turn to the right and up, each -1 to 1.
    pub(super) look: Vec2,
}

/// 1, -1 or 0: which of two keys is held.
fn axis(keys: &ButtonInput<KeyCode>, forth: KeyCode, back: KeyCode) -> f32 {
    f32::from(u8::from(keys.pressed(forth))) - f32::from(u8::from(keys.pressed(back)))
}

/// Which way the keys ask to go, in the camera's axes.
fn direction(keys: &ButtonInput<KeyCode>) -> Vec3 {
    if is_command(keys) {
        return Vec3::ZERO;
    }
    Vec3::new(
        axis(keys, KeyCode::KeyD, KeyCode::KeyA),
        axis(keys, KeyCode::KeyE, KeyCode::KeyQ),
        axis(keys, KeyCode::KeyS, KeyCode::KeyW),
    )
    .normalize_or_zero()
}

/// Whether a key that is held makes others commands.
fn is_command(keys: &ButtonInput<KeyCode>) -> bool {
    keys.any_pressed([
        KeyCode::ControlLeft,
        KeyCode::ControlRight,
        KeyCode::AltLeft,
        KeyCode::SuperLeft,
        KeyCode::SuperRight,
    ])
}

fn is_shift(keys: &ButtonInput<KeyCode>) -> bool {
    keys.any_pressed([KeyCode::ShiftLeft, KeyCode::ShiftRight])
}

/// The velocity after `delta_secs`, on its way to what is asked for.
fn eased(velocity: Vec3, wanted: Vec3, delta_secs: f32) -> Vec3 {
    let share = 1.0 - (-delta_secs / EASE_SECS).exp();
    let velocity = velocity.lerp(wanted, share);
    if wanted == Vec3::ZERO && velocity.length() < REST_SPEED {
        Vec3::ZERO
    } else {
        velocity
    }
}

/// Moves the camera.
pub(super) fn steer(
    time: Res<Time<Real>>,
    settings: Res<CameraSettings>,
    egui: Res<EguiWantsInput>,
    keys: Res<ButtonInput<KeyCode>>,
    pad: Res<PadMotion>,
    scroll: Res<AccumulatedMouseScroll>,
    guard: Res<PanelGuard>,
    layout: Res<SceneLayout>,
    mut taken: MessageWriter<CameraTaken>,
    mut camera: Query<(&mut PanOrbitCamera, &mut Flight, &Transform)>,
) {
    let Ok((mut orbit, mut flight, transform)) = camera.single_mut() else {
        return;
    };
    // Letters that are typed are not for the camera; one that glides comes to rest.
    let is_typing = egui.wants_any_keyboard_input();
    let held = if is_typing {
        Vec3::ZERO
    } else {
        direction(&keys)
    };
    let asked = (held + pad.go).clamp_length_max(1.0);
    if flight.is_active && !guard.0 && scroll.delta.y != 0.0 {
        flight.speed =
            (flight.speed * 1.15f32.powf(scroll.delta.y.clamp(-5.0, 5.0))).clamp(0.05, 20.0);
    }
    if asked == Vec3::ZERO && flight.velocity == Vec3::ZERO {
        return;
    }
    if asked != Vec3::ZERO {
        taken.write(CameraTaken);
    }
    let fast = if is_shift(&keys) { 4.0 } else { 1.0 };
    let speed = flight.speed * fast * (6.0 + 0.9 * transform.translation.y);
    let wanted = transform.rotation * asked * speed;
    let delta_secs = time.delta_secs().min(0.1);
    flight.velocity = if settings.flies() {
        eased(flight.velocity, wanted, delta_secs)
    } else {
        wanted
    };
    let shift = flight.velocity * delta_secs;
    orbit.target_focus += shift;
    orbit.focus += shift;
    orbit.force_update = true;
    let tile = layout.as_ref().as_ref().map_or(0.0, |l| l.tile_size.x);
    if asked.z < 0.0 && transform.translation.y < LANDING_HEIGHT * tile {
        let level = (orbit.target_pitch - LEVEL_PITCH).clamp(0.0, LANDING_TURN * delta_secs);
        if level > 0.0 {
            look_around(&mut orbit, transform, shift, Vec2::new(0.0, level));
        }
    }
}

/// Turns the camera and brings it closer: by mouse in free flight, by keys and gamepad always.
pub(super) fn turn(
    time: Res<Time<Real>>,
    egui: Res<EguiWantsInput>,
    keys: Res<ButtonInput<KeyCode>>,
    buttons: Res<ButtonInput<MouseButton>>,
    motion: Res<AccumulatedMouseMotion>,
    pad: Res<PadMotion>,
    guard: Res<PanelGuard>,
    mut taken: MessageWriter<CameraTaken>,
    mut camera: Query<(&mut PanOrbitCamera, &Flight, &Transform)>,
) {
    let Ok((mut orbit, flight, transform)) = camera.single_mut() else {
        return;
    };
    let delta_secs = time.delta_secs().min(0.1);
    let has_mouse = flight.is_active
        && !guard.0
        && buttons.any_pressed([MouseButton::Left, MouseButton::Right]);
    let mut look = pad.look * (TURN_SPEED * delta_secs);
    if has_mouse {
        look += Vec2::new(motion.delta.x, -motion.delta.y) * LOOK_SENSITIVITY;
    }
    let has_keys = !egui.wants_any_keyboard_input() && !is_command(&keys);
    let arrows = if has_keys {
        Vec2::new(
            axis(&keys, KeyCode::ArrowRight, KeyCode::ArrowLeft),
            axis(&keys, KeyCode::ArrowUp, KeyCode::ArrowDown),
        )
    } else {
        Vec2::ZERO
    };
    let turn = if is_shift(&keys) {
        arrows * (TURN_SPEED * delta_secs)
    } else {
        Vec2::ZERO
    };
    if turn != Vec2::ZERO {
        taken.write(CameraTaken);
        if flight.is_active {
            look += turn;
        } else {
            orbit.target_yaw += turn.x;
            orbit.target_pitch += turn.y;
        }
    } else if arrows.y != 0.0 && !is_shift(&keys) {
        taken.write(CameraTaken);
        orbit.target_radius *= (-arrows.y * ZOOM_SPEED * delta_secs).exp();
    }
    if look != Vec2::ZERO {
        taken.write(CameraTaken);
        look_around(&mut orbit, transform, Vec3::ZERO, look);
    }
}

/// Turns the view around the camera itself, which is `shift` away from where it was drawn last: the
/// focus moves.
fn look_around(orbit: &mut PanOrbitCamera, transform: &Transform, shift: Vec3, look: Vec2) {
    let yaw = orbit.target_yaw - look.x;
    let lowest = orbit.pitch_lower_limit.unwrap_or_default();
    let pitch = (orbit.target_pitch - look.y).clamp(lowest, 1.56);
    let radius = orbit.target_radius;
    let rotation = Quat::from_rotation_y(yaw) * Quat::from_rotation_x(-pitch);
    let focus = transform.translation + shift - rotation * Vec3::Z * radius;
    let pose = Pose {
        focus,
        yaw,
        pitch,
        radius,
    };
    super::set(orbit, &pose);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speed_eases_in_and_comes_to_rest() {
        let wanted = Vec3::X * 10.0;

        let early = eased(Vec3::ZERO, wanted, 0.05);
        let mut late = early;
        for _ in 0..40 {
            late = eased(late, wanted, 0.05);
        }
        let mut rest = late;
        for _ in 0..40 {
            rest = eased(rest, Vec3::ZERO, 0.05);
        }

        assert!((1.0..4.0).contains(&early.x), "{early}");
        assert!((late.x - 10.0).abs() < 0.01, "{late}");
        assert_eq!(rest, Vec3::ZERO);
    }

    #[test]
    fn keys_held_together_go_no_faster_and_commands_do_not_move() {
        let mut keys = ButtonInput::default();
        keys.press(KeyCode::KeyW);
        keys.press(KeyCode::KeyD);

        assert!((direction(&keys).length() - 1.0).abs() < 1e-6);
        assert!(direction(&keys).z < 0.0 && direction(&keys).x > 0.0);

        keys.press(KeyCode::ControlLeft);
        assert_eq!(direction(&keys), Vec3::ZERO);
    }
}
