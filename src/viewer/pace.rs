//! Frames only when something moves: an idle window leaves the processor alone.

use std::time::Duration;

use bevy::input::keyboard::KeyboardInput;
use bevy::input::mouse::{MouseButtonInput, MouseMotion, MouseWheel};
use bevy::prelude::*;
use bevy::winit::{UpdateMode, WinitSettings};

use super::camera_path::PathDesk;
use super::filming::{Filming, PictureMode};
use super::inference::{ActiveTrace, Openings};
use super::playback::{Playback, Playhead};
use super::scene::{DrawList, SceneLayout, ValuePool, WeightStore};

/// Sets the pace of a window's frames.
pub struct PacePlugin;

impl Plugin for PacePlugin {
    fn build(&self, app: &mut App) {
        app.insert_resource(WinitSettings::continuous())
            .add_systems(Last, set_pace);
    }
}

/// How long after the last motion frames go on; smoothed motion comes to rest in less.
const REST: Duration = Duration::from_millis(1500);
/// How often an idle window is drawn all the same. No news can come: nothing is being computed.
const IDLE_WAIT: Duration = Duration::from_secs(10);

/// What the user does.
#[derive(bevy::ecs::system::SystemParam)]
struct Inputs<'w, 's> {
    keys: MessageReader<'w, 's, KeyboardInput>,
    clicks: MessageReader<'w, 's, MouseButtonInput>,
    motion: MessageReader<'w, 's, MouseMotion>,
    wheel: MessageReader<'w, 's, MouseWheel>,
}

impl Inputs<'_, '_> {
    /// How much of it there was since the last call.
    fn count(&mut self) -> usize {
        self.keys.read().count()
            + self.clicks.read().count()
            + self.motion.read().count()
            + self.wheel.read().count()
    }
}

/// What goes on whether the user does something or not.
#[derive(bevy::ecs::system::SystemParam)]
struct Works<'w> {
    path: Res<'w, PathDesk>,
    filming: Res<'w, Filming>,
    picture: Res<'w, PictureMode>,
    openings: Res<'w, Openings>,
}

impl Works<'_> {
    fn are_under_way(&self) -> bool {
        self.path.is_active()
            || self.filming.0.is_some()
            || self.picture.is_busy()
            || self.openings.is_loading()
    }
}

fn set_pace(
    time: Res<Time<Real>>,
    mut last_motion: Local<Duration>,
    trace: Res<ActiveTrace>,
    playhead: Res<Playhead>,
    playback: Res<Playback>,
    list: Res<DrawList>,
    layout: Res<SceneLayout>,
    pool: Res<ValuePool>,
    weights: Res<WeightStore>,
    works: Works,
    mut inputs: Inputs,
    cameras: Query<&GlobalTransform, With<Camera3d>>,
    mut last_camera: Local<GlobalTransform>,
    mut settings: ResMut<WinitSettings>,
) {
    let n_inputs = inputs.count();
    // Change detection would not do: the camera is written each frame, moved or not.
    let camera = cameras.iter().next().copied().unwrap_or_default();
    let has_camera_moved = *last_camera != camera;
    *last_camera = camera;
    let is_waiting = trace.model().is_none() || trace.is_computing() || playback.is_playing;
    let n_fields = layout
        .as_ref()
        .as_ref()
        .map_or(0, |layout| layout.fields.len());
    let is_moving = is_waiting
        || works.are_under_way()
        || pool.is_behind
        || weights.is_reading(n_fields)
        || n_inputs > 0
        || trace.is_changed()
        || playhead.is_changed()
        || list.is_changed()
        || has_camera_moved;
    if is_moving {
        *last_motion = time.elapsed();
    }
    let is_resting = time.elapsed().saturating_sub(*last_motion) > REST;
    let mode = if is_resting {
        UpdateMode::reactive(IDLE_WAIT)
    } else {
        UpdateMode::Continuous
    };
    if settings.focused_mode != mode {
        settings.focused_mode = mode;
        settings.unfocused_mode = mode;
    }
}
