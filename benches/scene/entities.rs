//! The same neurons drawn the obvious way: one Bevy entity each, with Bevy's own instancing.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bevy::app::{AppLabel as _, SubApps, TerminalCtrlCHandlerPlugin};
use bevy::camera::RenderTarget;
use bevy::core_pipeline::tonemapping::{DebandDither, Tonemapping};
use bevy::log::LogPlugin;
use bevy::prelude::*;
use bevy::render::pipelined_rendering::PipelinedRenderingPlugin;
use bevy::render::render_resource::{PollType, TextureFormat};
use bevy::render::renderer::RenderDevice;
use bevy::render::{RenderApp, RenderPlugin};
use bevy::window::{ExitCondition, WindowPlugin};
use bevy::winit::WinitPlugin;
use bevy_light::LightPlugin;
use bevy_pbr::{MeshMaterial3d, PbrPlugin, StandardMaterial};
use llmscope::hook::{BlockSite, HookPoint};
use llmscope::layout::{CellId, ModelLayout};
use llmscope::viewer::viewpoint::{FIELD_OF_VIEW, Pose};

use crate::world::swayed;

/// An application with an entity for every neuron of one token.
pub struct Entities {
    sub_apps: SubApps,
    pose: Pose,
    n_frames: u32,
}

impl Entities {
    /// Cubes where `layout` has the neurons of the first token, seen from `pose`.
    pub fn new(layout: &ModelLayout, pose: Pose, size: (u32, u32), samples: u32) -> Self {
        let mut app = App::new();
        app.add_plugins(
            DefaultPlugins
                .set(WindowPlugin {
                    primary_window: None,
                    exit_condition: ExitCondition::DontExit,
                    ..default()
                })
                .set(RenderPlugin {
                    synchronous_pipeline_compilation: true,
                    ..default()
                })
                .disable::<WinitPlugin>()
                .disable::<LogPlugin>()
                .disable::<TerminalCtrlCHandlerPlugin>()
                .disable::<PipelinedRenderingPlugin>(),
        )
        .add_plugins((LightPlugin, PbrPlugin::default()));
        app.finish();
        app.cleanup();
        let world = app.world_mut();
        let image = Image::new_target_texture(size.0, size.1, TextureFormat::Rgba8UnormSrgb, None);
        let target = world.resource_mut::<Assets<Image>>().add(image);
        world.spawn((
            Camera3d::default(),
            RenderTarget::Image(target.into()),
            Msaa::from_samples(samples),
            Tonemapping::None,
            DebandDither::Disabled,
            Projection::Perspective(PerspectiveProjection {
                fov: FIELD_OF_VIEW,
                near: 0.5,
                far: 200_000.0,
                ..default()
            }),
            seen_from(pose),
        ));
        let mesh = world
            .resource_mut::<Assets<Mesh>>()
            .add(Cuboid::from_size(Vec3::ONE));
        // The cheapest material there is: no light is computed.
        let material = world
            .resource_mut::<Assets<StandardMaterial>>()
            .add(StandardMaterial {
                base_color: Color::srgb_u8(90, 140, 200),
                unlit: true,
                ..default()
            });
        let places: Vec<Transform> = neurons(layout).collect();
        world.spawn_batch(places.into_iter().map(move |place| {
            (
                Mesh3d(mesh.clone()),
                MeshMaterial3d(material.clone()),
                place,
            )
        }));
        Self {
            sub_apps: std::mem::take(app.sub_apps_mut()),
            pose,
            n_frames: 0,
        }
    }

    /// How many of them the camera saw in the last frame.
    pub fn n_visible(&mut self) -> usize {
        let world = self.sub_apps.main.world_mut();
        let mut meshes = world.query_filtered::<&ViewVisibility, With<Mesh3d>>();
        meshes.iter(world).filter(|visible| visible.get()).count()
    }

    /// Draws a frame and waits until it is there.
    pub fn frame(&mut self) -> Result<Duration> {
        let pose = swayed(self.pose, self.n_frames);
        self.n_frames += 1;
        let world = self.sub_apps.main.world_mut();
        let mut cameras = world.query_filtered::<&mut Transform, With<Camera3d>>();
        *cameras.single_mut(world)? = seen_from(pose);

        let start = Instant::now();
        self.sub_apps.update();
        let render_app = self.sub_apps.sub_apps.get(&RenderApp.intern());
        let render_world = render_app.context("there is no renderer")?.world();
        render_world
            .resource::<RenderDevice>()
            .poll(PollType::wait_indefinitely())?;
        Ok(start.elapsed())
    }
}

fn seen_from(pose: Pose) -> Transform {
    Transform::from_translation(pose.position()).looking_at(pose.focus, Vec3::Y)
}

fn neurons(layout: &ModelLayout) -> impl Iterator<Item = Transform> + '_ {
    let blocks = layout
        .blocks
        .iter()
        .filter(|block| block.hook.site() == Some(BlockSite::MlpPost));
    blocks.flat_map(move |block| {
        let hook: HookPoint = block.hook;
        (0..block.grid.n_cells()).filter_map(move |index| {
            let rect = layout.cell_rect(CellId {
                hook,
                pos: 0,
                head: 0,
                index,
            })?;
            let height = 0.2 + (index % 17) as f32 / 8.0;
            let size = Vec3::new(0.9 * rect.size.x, height, 0.9 * rect.size.y);
            let center = rect.center() + Vec3::Y * (height / 2.0);
            Some(Transform::from_translation(center).with_scale(size))
        })
    })
}
