//! Whose the mouse is: the panels' or the camera's.

use bevy::input::mouse::{AccumulatedMouseMotion, AccumulatedMouseScroll};
use bevy::prelude::*;
use bevy::window::PrimaryWindow;
use bevy_panorbit_camera::PanOrbitCamera;

use super::flight::Flight;
use crate::viewer::viewpoint::{CameraTaken, Screen};

/// The lowest pitch in free flight, which may look up, and in orbit, in radians.
const FLIGHT_PITCH: f32 = -0.6;
const ORBIT_PITCH: f32 = 0.01;

/// Whether the mouse is the panels': it is over one, or was when its button went down.
#[derive(Resource, Default)]
pub(super) struct PanelGuard(pub(super) bool);

/// Keeps the camera still while the mouse is the panels'.
///
/// egui's own answer does not count panels that were laid out by hand around a free middle.
pub(super) fn guard_panels(
    windows: Query<&Window, With<PrimaryWindow>>,
    buttons: Res<ButtonInput<MouseButton>>,
    screen: Res<Screen>,
    mut guard: ResMut<PanelGuard>,
    mut camera: Query<(&mut PanOrbitCamera, &Flight)>,
) {
    let (Ok(window), Ok((mut orbit, flight))) = (windows.single(), camera.single_mut()) else {
        return;
    };
    let is_dragging = buttons.get_pressed().len() > buttons.get_just_pressed().len();
    if !is_dragging && let Some(cursor) = window.cursor_position() {
        guard.0 = !screen.is_free(cursor / window.size());
    }
    let is_enabled = !guard.0 && !flight.is_active;
    if orbit.enabled != is_enabled {
        orbit.enabled = is_enabled;
    }
    let lowest = Some(if flight.is_active {
        FLIGHT_PITCH
    } else {
        ORBIT_PITCH
    });
    if orbit.pitch_lower_limit != lowest {
        orbit.pitch_lower_limit = lowest;
    }
}

/// A hand on the mouse takes the camera; one on a panel's button does not.
pub(super) fn notice_drag(
    buttons: Res<ButtonInput<MouseButton>>,
    motion: Res<AccumulatedMouseMotion>,
    scroll: Res<AccumulatedMouseScroll>,
    guard: Res<PanelGuard>,
    mut taken: MessageWriter<CameraTaken>,
) {
    let is_dragging = buttons.any_pressed([MouseButton::Left, MouseButton::Right]);
    let has_moved = is_dragging && motion.delta != Vec2::ZERO;
    if (has_moved || scroll.delta != Vec2::ZERO) && !guard.0 {
        taken.write(CameraTaken);
    }
}
