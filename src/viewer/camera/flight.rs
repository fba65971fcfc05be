//! Free flight: keys move the camera along its own axes, the faster the higher it is.

use bevy::input::mouse::{AccumulatedMouseMotion, AccumulatedMouseScroll};
use bevy::prelude::*;
use bevy_panorbit_camera::PanOrbitCamera;

use crate::viewer::viewpoint::Pose;

/// Seconds in which the speed comes most of the way to what the keys ask for.
const EASE_SECS: f32 = 0.18;
/// Turn of the view for a pixel of mouse motion, in radians.
const LOOK_SENSITIVITY: f32 = 0.003;

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

/// Which way the keys ask to go, in the camera's axes.
fn direction(keys: &ButtonInput<KeyCode>) -> Vec3 {
    let axis = |forth: KeyCode, back: KeyCode| {
        f32::from(u8::from(keys.pressed(forth))) - f32::from(u8::from(keys.pressed(back)))
    };
    Vec3::new(
        axis(KeyCode::KeyD, KeyCode::KeyA),
        axis(KeyCode::KeyE, KeyCode::KeyQ),
        axis(KeyCode::KeyS, KeyCode::KeyW),
    )
    .normalize_or_zero()
}

pub(super) fn steer(
    time: Res<Time<Real>>,
    keys: Res<ButtonInput<KeyCode>>,
    buttons: Res<ButtonInput<MouseButton>>,
    motion: Res<AccumulatedMouseMotion>,
    scroll: Res<AccumulatedMouseScroll>,
    guard: Res<super::PanelGuard>,
    mut camera: Query<(&mut PanOrbitCamera, &mut Flight, &Transform)>,
) {
    let Ok((mut orbit, mut flight, transform)) = camera.single_mut() else {
        return;
    };
    let is_modified = keys.any_pressed([KeyCode::ControlLeft, KeyCode::ControlRight]);
    let asked = if is_modified {
        Vec3::ZERO
    } else {
        direction(&keys)
    };
    let has_mouse = flight.is_active && !guard.0;
    if has_mouse && scroll.delta.y != 0.0 {
        flight.speed =
            (flight.speed * 1.15f32.powf(scroll.delta.y.clamp(-5.0, 5.0))).clamp(0.05, 20.0);
    }
    if has_mouse && buttons.any_pressed([MouseButton::Left, MouseButton::Right]) {
        look_around(&mut orbit, transform, motion.delta);
    }
    if asked == Vec3::ZERO && flight.velocity.length_squared() < 1e-4 {
        return;
    }
    let is_fast = keys.any_pressed([KeyCode::ShiftLeft, KeyCode::ShiftRight]);
    let speed =
        flight.speed * (6.0 + 0.9 * transform.translation.y) * if is_fast { 4.0 } else { 1.0 };
    let wanted = transform.rotation * asked * speed;
    let delta_secs = time.delta_secs().min(0.1);
    let share = 1.0 - (-delta_secs / EASE_SECS).exp();
    flight.velocity = flight.velocity.lerp(wanted, share);
    let shift = flight.velocity * delta_secs;
    orbit.target_focus += shift;
    orbit.focus += shift;
    orbit.force_update = true;
}

/// Turns the view around the camera itself: the focus moves, the camera stays.
fn look_around(orbit: &mut PanOrbitCamera, transform: &Transform, delta: Vec2) {
    if delta == Vec2::ZERO {
        return;
    }
    let yaw = orbit.target_yaw - delta.x * LOOK_SENSITIVITY;
    let pitch = (orbit.target_pitch + delta.y * LOOK_SENSITIVITY).clamp(-0.6, 1.56);
    let radius = orbit.target_radius;
    let rotation = Quat::from_rotation_y(yaw) * Quat::from_rotation_x(-pitch);
    let focus = transform.translation - rotation * Vec3::Z * radius;
    let pose = Pose {
        focus,
        yaw,
        pitch,
        radius,
    };
    super::set(orbit, &pose);
}
