//! Cameras: orbit around a focus, free flight, and viewpoints to fly to.

mod flight;
#[cfg(any(test, feature = "gamepad"))]
mod gamepad;
mod guard;
mod samples;

use std::time::Duration;

use bevy::core_pipeline::tonemapping::{DebandDither, Tonemapping};
use bevy::prelude::*;
use bevy_egui::EguiGlobalSettings;
use bevy_panorbit_camera::{
    EguiFocusIncludesHover, PanOrbitCamera, PanOrbitCameraPlugin, PanOrbitCameraSystemSet,
};

use super::ViewerSystems;
use super::scene::{SceneLayout, SceneSettings};
use super::viewpoint::{
    CameraPose, CameraSettings, CameraTaken, CameraWish, FIELD_OF_VIEW, MIN_RADIUS, Pose, Screen,
    Viewpoint,
};
use guard::PanelGuard;

/// Adds the camera and what moves it.
pub struct CameraPlugin;

impl Plugin for CameraPlugin {
    fn build(&self, app: &mut App) {
        app.add_plugins(PanOrbitCameraPlugin)
            .insert_resource(EguiFocusIncludesHover(true))
            .init_resource::<CameraSettings>()
            .init_resource::<Screen>()
            .init_resource::<Journey>()
            .init_resource::<PanelGuard>()
            .init_resource::<Framed>()
            .init_resource::<CameraPose>()
            .init_resource::<flight::PadMotion>()
            .add_message::<CameraWish>()
            .add_message::<CameraTaken>()
            .add_systems(Startup, spawn_camera)
            .add_systems(
                Update,
                (
                    set_smoothness.run_if(resource_changed::<CameraSettings>),
                    frame_text,
                    guard::guard_panels,
                    guard::notice_drag,
                    flight::steer,
                    flight::turn,
                    obey_wishes,
                    travel,
                    keep_in_world,
                    tint_sky,
                )
                    .chain()
                    .in_set(ViewerSystems::Camera),
            )
            .add_systems(
                PostUpdate,
                (stay_above_ground, samples::choose_samples)
                    .chain()
                    .after(PanOrbitCameraSystemSet)
                    .before(TransformSystems::Propagate),
            );
        #[cfg(feature = "gamepad")]
        gamepad::plugin(app);
    }
}

/// The flight to a viewpoint under way.
#[derive(Resource, Default)]
struct Journey(Option<Leg>);

struct Leg {
    from: Pose,
    to: Pose,
    elapsed: Duration,
    secs: f32,
}

impl Leg {
    fn new(from: Pose, to: Pose, secs: f32) -> Self {
        Self {
            from: from.unwound_towards(&to),
            to,
            elapsed: Duration::ZERO,
            secs,
        }
    }
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
            fov: FIELD_OF_VIEW,
            near: 0.05,
            far: 200_000.0,
            ..default()
        }),
        PanOrbitCamera {
            button_orbit: MouseButton::Left,
            button_pan: MouseButton::Right,
            pitch_upper_limit: Some(1.57),
            pitch_lower_limit: Some(0.01),
            zoom_lower_limit: MIN_RADIUS,
            ..default()
        },
        flight::Flight::default(),
    ));
}

/// Lets the camera glide, or stop where it is left.
fn set_smoothness(settings: Res<CameraSettings>, mut camera: Query<&mut PanOrbitCamera>) {
    for mut orbit in &mut camera {
        let share = if settings.flies() { 1.0 } else { 0.0 };
        orbit.orbit_smoothness = 0.6 * share;
        orbit.pan_smoothness = 0.4 * share;
        orbit.zoom_smoothness = 0.6 * share;
    }
}

/// The viewpoint that the camera was last brought to.
#[derive(Resource, Default)]
struct Framed {
    model: Option<(usize, f32)>,
    n_lanes: usize,
    viewpoint: Option<Viewpoint>,
    pose: Option<Pose>,
}

/// Stands at the start when another model is shown; and goes along when the world grows, as long as
/// the user has not moved the camera away from a viewpoint.
fn frame_text(
    layout: Res<SceneLayout>,
    settings: Res<CameraSettings>,
    screen: Res<Screen>,
    mut framed: ResMut<Framed>,
    mut journey: ResMut<Journey>,
    mut camera: Query<&mut PanOrbitCamera>,
) {
    let (Some(layout), Ok(mut orbit)) = (layout.as_ref().as_ref(), camera.single_mut()) else {
        return;
    };
    let model = Some((layout.layers.len(), layout.tile_size.x));
    let is_same_model = framed.model == model;
    let has_grown = framed.n_lanes != layout.n_lanes || screen.is_changed();
    if is_same_model && !has_grown {
        return;
    }
    framed.n_lanes = layout.n_lanes;
    let here = pose_of(&orbit);
    let is_underway = journey.0.is_some();
    let is_untouched = is_underway || framed.pose.is_some_and(|pose| pose.is_near(&here));
    if is_same_model && !is_untouched {
        return;
    }
    if !is_same_model {
        framed.viewpoint = Some(settings.start);
    }
    let Some(viewpoint) = framed.viewpoint else {
        return;
    };
    let to = viewpoint.pose(layout, &screen).kept_in(layout);
    framed.model = model;
    framed.pose = Some(to);
    if is_same_model && settings.flies() {
        journey.0 = Some(Leg::new(here, to, LEG_SECS));
    } else {
        journey.0 = None;
        set(&mut orbit, &to);
    }
}

/// Where the camera stands, smoothing left aside.
fn pose_of(orbit: &PanOrbitCamera) -> Pose {
    Pose {
        focus: orbit.target_focus,
        yaw: orbit.target_yaw,
        pitch: orbit.target_pitch,
        radius: orbit.target_radius,
    }
}

/// Puts the camera there at once.
fn set(orbit: &mut PanOrbitCamera, pose: &Pose) {
    orbit.focus = pose.focus;
    orbit.target_focus = pose.focus;
    orbit.yaw = Some(pose.yaw);
    orbit.target_yaw = pose.yaw;
    orbit.pitch = Some(pose.pitch);
    orbit.target_pitch = pose.pitch;
    orbit.radius = Some(pose.radius);
    orbit.target_radius = pose.radius;
    orbit.force_update = true;
}

fn obey_wishes(
    mut wishes: MessageReader<CameraWish>,
    layout: Res<SceneLayout>,
    settings: Res<CameraSettings>,
    screen: Res<Screen>,
    mut journey: ResMut<Journey>,
    mut framed: ResMut<Framed>,
    mut camera: Query<(&mut PanOrbitCamera, &mut flight::Flight)>,
) {
    let (Some(layout), Ok((mut orbit, mut flight))) =
        (layout.as_ref().as_ref(), camera.single_mut())
    else {
        return;
    };
    for wish in wishes.read() {
        let (to, secs) = match wish {
            CameraWish::ToggleFlight => {
                flight.is_active = !flight.is_active;
                if !flight.is_active {
                    // What it orbits from here on is what it looks at.
                    let ahead = pose_of(&orbit).grounded();
                    set(&mut orbit, &ahead);
                }
                continue;
            }
            CameraWish::Stand(pose) => {
                framed.viewpoint = None;
                flight.stop();
                journey.0 = None;
                set(&mut orbit, pose);
                continue;
            }
            CameraWish::GoTo(viewpoint) => {
                let pose = viewpoint.pose(layout, &screen).kept_in(layout);
                framed.viewpoint = Some(*viewpoint);
                framed.pose = Some(pose);
                (pose, LEG_SECS)
            }
            CameraWish::VisitCloud => {
                framed.viewpoint = None;
                (Pose::before_cloud(layout, &screen), LEG_SECS)
            }
            CameraWish::LookAt(pose) => {
                framed.viewpoint = None;
                (*pose, LEG_SECS)
            }
            CameraWish::Fly { to, secs } => {
                framed.viewpoint = None;
                (*to, *secs)
            }
        };
        flight.stop();
        if settings.flies() {
            journey.0 = Some(Leg::new(pose_of(&orbit), to, secs));
        } else {
            journey.0 = None;
            set(&mut orbit, &to);
        }
    }
}

fn travel(
    time: Res<Time>,
    mut taken: MessageReader<CameraTaken>,
    mut journey: ResMut<Journey>,
    mut camera: Query<&mut PanOrbitCamera>,
) {
    let Ok(mut orbit) = camera.single_mut() else {
        return;
    };
    if taken.read().count() > 0 {
        journey.0 = None;
    }
    let Some(leg) = &mut journey.0 else {
        return;
    };
    leg.elapsed += time.delta();
    let share = (leg.elapsed.as_secs_f32() / leg.secs.max(1e-3)).min(1.0);
    let eased = EaseFunction::SmootherStep.sample_clamped(share);
    set(&mut orbit, &leg.from.towards(&leg.to, eased));
    if share >= 1.0 {
        journey.0 = None;
    }
}

/// Brings the camera back where it would leave the world or sink into the ground; and says where it
/// stands.
fn keep_in_world(
    layout: Res<SceneLayout>,
    mut stands: ResMut<CameraPose>,
    mut camera: Query<&mut PanOrbitCamera>,
) {
    let Ok(mut orbit) = camera.single_mut() else {
        return;
    };
    let mut pose = pose_of(&orbit);
    if let Some(layout) = layout.as_ref().as_ref() {
        let kept = pose.kept_in(layout);
        if kept != pose {
            orbit.focus += kept.focus - pose.focus;
            orbit.target_focus = kept.focus;
            orbit.target_radius = kept.radius;
            pose = kept;
        }
    }
    stands.set_if_neq(CameraPose(Some(pose)));
}

fn tint_sky(settings: Res<SceneSettings>, mut sky: ResMut<ClearColor>) {
    let [r, g, b] = settings.theme.neutrals().background;
    let color = match settings.has_backdrop {
        true => Color::srgb_u8(r, g, b),
        false => Color::NONE,
    };
    if sky.0 != color {
        sky.0 = color;
    }
}

/// Lifts the camera where it would sink into the ground on its way to where it is sent.
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
