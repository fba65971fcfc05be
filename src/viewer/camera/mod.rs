//! Cameras: orbit around a focus, free flight, and viewpoints to fly to.

mod flight;
mod viewpoint;

use std::time::Duration;

use bevy::core_pipeline::tonemapping::{DebandDither, Tonemapping};
use bevy::prelude::*;
use bevy_egui::EguiGlobalSettings;
use bevy_egui::input::egui_wants_any_keyboard_input;
use bevy_panorbit_camera::{
    EguiFocusIncludesHover, PanOrbitCamera, PanOrbitCameraPlugin, PanOrbitCameraSystemSet,
};

pub use viewpoint::{Pose, Viewpoint};

use super::ViewerSystems;
use super::scene::{SceneLayout, SceneSettings};

/// Adds the camera and what moves it.
pub struct CameraPlugin;

impl Plugin for CameraPlugin {
    fn build(&self, app: &mut App) {
        app.add_plugins(PanOrbitCameraPlugin)
            .insert_resource(EguiFocusIncludesHover(true))
            .init_resource::<CameraSettings>()
            .init_resource::<Journey>()
            .add_message::<CameraWish>()
            .add_systems(Startup, spawn_camera)
            .add_systems(
                Update,
                (
                    frame_new_text,
                    flight::steer.run_if(not(egui_wants_any_keyboard_input)),
                    obey_wishes,
                    travel,
                    tint_sky,
                )
                    .chain()
                    .in_set(ViewerSystems::Camera),
            )
            .add_systems(
                PostUpdate,
                stay_above_ground
                    .after(PanOrbitCameraSystemSet)
                    .before(TransformSystems::Propagate),
            );
    }
}

/// How the camera behaves.
#[derive(Resource, Clone, Debug, PartialEq)]
pub struct CameraSettings {
    /// Where it stands when a text begins.
    pub start: Viewpoint,
    /// Width over height of the picture, until there is a picture.
    pub aspect: f32,
    /// Whether it moves over time; if not, it is there at once.
    pub is_animated: bool,
    /// Samples a pixel, against jagged edges: 1, 2 or 4.
    pub msaa_samples: u32,
}

impl Default for CameraSettings {
    fn default() -> Self {
        Self {
            start: Viewpoint::Overview,
            aspect: 16.0 / 9.0,
            is_animated: true,
            msaa_samples: 4,
        }
    }
}

/// What the user wants of the camera.
#[derive(Message, Clone, Copy, Debug, PartialEq)]
pub enum CameraWish {
    /// Fly to a viewpoint.
    GoTo(Viewpoint),
    /// Fly until this stands before the camera.
    LookAt(Pose),
    /// Free flight, or orbit again.
    ToggleFlight,
}

/// The flight to a viewpoint under way.
#[derive(Resource, Default)]
struct Journey(Option<Leg>);

struct Leg {
    from: Pose,
    to: Pose,
    elapsed: Duration,
}

/// How long the flight to a viewpoint takes.
const LEG_SECS: f32 = 1.1;

fn spawn_camera(
    mut commands: Commands,
    settings: Res<CameraSettings>,
    mut egui: ResMut<EguiGlobalSettings>,
) {
    // The camera carries the panels too; in a window and offscreen alike.
    egui.auto_create_primary_context = false;
    commands.spawn((
        Camera3d::default(),
        bevy_egui::PrimaryEguiContext,
        Msaa::from_samples(settings.msaa_samples),
        Tonemapping::None,
        DebandDither::Disabled,
        Projection::Perspective(PerspectiveProjection {
            fov: 45.0f32.to_radians(),
            near: 0.5,
            far: 200_000.0,
            ..default()
        }),
        PanOrbitCamera {
            button_orbit: MouseButton::Left,
            button_pan: MouseButton::Right,
            pitch_upper_limit: Some(1.57),
            pitch_lower_limit: Some(0.01),
            zoom_lower_limit: 2.0,
            orbit_smoothness: if settings.is_animated { 0.6 } else { 0.0 },
            pan_smoothness: if settings.is_animated { 0.4 } else { 0.0 },
            zoom_smoothness: if settings.is_animated { 0.6 } else { 0.0 },
            ..default()
        },
        flight::Flight::default(),
    ));
}

/// Stands at the start when another text begins; and again when the world has grown, until the
/// user has moved the camera.
fn frame_new_text(
    layout: Res<SceneLayout>,
    settings: Res<CameraSettings>,
    mut framed_layers: Local<Option<(usize, f32)>>,
    mut camera: Query<(&mut PanOrbitCamera, &Camera)>,
) {
    let (Some(layout), Ok((mut orbit, camera))) = (layout.as_ref().as_ref(), camera.single_mut())
    else {
        return;
    };
    let model = (layout.layers.len(), layout.tile_size.x);
    if *framed_layers == Some(model) {
        return;
    }
    // The first layout of a model knows no text yet.
    if layout.n_lanes > 1 {
        *framed_layers = Some(model);
    }
    settings
        .start
        .pose(layout, aspect(camera, &settings))
        .set(&mut orbit);
}

fn aspect(camera: &Camera, settings: &CameraSettings) -> f32 {
    camera
        .logical_viewport_size()
        .filter(|size| size.min_element() > 0.0)
        .map_or(settings.aspect, |size| size.x / size.y)
}

fn obey_wishes(
    mut wishes: MessageReader<CameraWish>,
    layout: Res<SceneLayout>,
    settings: Res<CameraSettings>,
    mut journey: ResMut<Journey>,
    mut camera: Query<(&mut PanOrbitCamera, &mut flight::Flight, &Camera)>,
) {
    let (Some(layout), Ok((mut orbit, mut flight, camera))) =
        (layout.as_ref().as_ref(), camera.single_mut())
    else {
        return;
    };
    for wish in wishes.read() {
        let to = match wish {
            CameraWish::ToggleFlight => {
                flight.is_active = !flight.is_active;
                continue;
            }
            CameraWish::GoTo(viewpoint) => viewpoint.pose(layout, aspect(camera, &settings)),
            CameraWish::LookAt(pose) => *pose,
        };
        flight.stop();
        if settings.is_animated {
            journey.0 = Some(Leg {
                from: Pose::of(&orbit),
                to,
                elapsed: Duration::ZERO,
            });
        } else {
            to.set(&mut orbit);
        }
    }
}

fn travel(
    time: Res<Time>,
    buttons: Res<ButtonInput<MouseButton>>,
    mut journey: ResMut<Journey>,
    mut camera: Query<&mut PanOrbitCamera>,
) {
    let Ok(mut orbit) = camera.single_mut() else {
        return;
    };
    // A hand on the mouse takes over.
    if buttons.any_just_pressed([MouseButton::Left, MouseButton::Right]) {
        journey.0 = None;
    }
    let Some(leg) = &mut journey.0 else {
        return;
    };
    leg.elapsed += time.delta();
    let share = (leg.elapsed.as_secs_f32() / LEG_SECS).min(1.0);
    leg.from
        .towards(&leg.to, EaseFunction::SmootherStep.sample_clamped(share))
        .set(&mut orbit);
    if share >= 1.0 {
        journey.0 = None;
    }
}

fn tint_sky(settings: Res<SceneSettings>, mut sky: ResMut<ClearColor>) {
    let [r, g, b] = settings.theme.neutrals().background;
    let color = Color::srgb_u8(r, g, b);
    if sky.0 != color {
        sky.0 = color;
    }
}

/// Lifts the camera where it would sink into the ground.
fn stay_above_ground(
    layout: Res<SceneLayout>,
    mut camera: Query<&mut Transform, With<PanOrbitCamera>>,
) {
    let Some(layout) = layout.as_ref().as_ref() else {
        return;
    };
    let lowest = 0.06 * layout.tile_size.x;
    for mut transform in &mut camera {
        if transform.translation.y < lowest {
            transform.translation.y = lowest;
        }
    }
}
