//! Puts the scene on the GPU and draws it: ground, tiles, matrices, near boxes, bars, arcs, points and lines.
//!
//! What is seen in detail lies in one pool of values, everything else in exact reductions; the
//! shaders find a cell's place and colour from its index. A frame costs seven draws whatever the
//! model's size and one for each tile near the camera, and uploads only what changed.

mod buffer;
mod draw;
mod pipeline;
mod upload;

use bevy::core_pipeline::Core3d;
use bevy::core_pipeline::core_3d::{main_opaque_pass_3d, main_transparent_pass_3d};
use bevy::core_pipeline::schedule::Core3dSystems;
use bevy::prelude::*;
use bevy::render::render_resource::SpecializedRenderPipelines;
use bevy::render::{ExtractSchedule, Render, RenderApp, RenderStartup, RenderSystems};

use bevy::render::renderer::RenderDevice;
use pipeline::{CellPipelines, CellShaders};
pub use upload::UploadMeter;

use super::scene::SceneLimits;

/// Draws [`DrawList`](crate::viewer::scene::DrawList) and the
/// [`ValuePool`](crate::viewer::scene::ValuePool) in every 3D camera.
pub struct MaterialPlugin;

impl Plugin for MaterialPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<UploadMeter>();
        let shaders = CellShaders::new(&mut app.world_mut().resource_mut());
        let Some(render_app) = app.get_sub_app_mut(RenderApp) else {
            return; // No renderer: the scene is kept up to date all the same.
        };
        render_app
            .insert_resource(shaders)
            .init_resource::<SpecializedRenderPipelines<CellPipelines>>()
            .add_systems(
                RenderStartup,
                (pipeline::init_pipelines, upload::init_buffers),
            )
            .add_systems(ExtractSchedule, upload::upload_changes)
            .add_systems(
                Render,
                (
                    pipeline::specialize_pipelines.in_set(RenderSystems::Prepare),
                    upload::prepare_bind_groups.in_set(RenderSystems::PrepareBindGroups),
                ),
            )
            .add_systems(
                Core3d,
                draw::draw_cells
                    .after(main_opaque_pass_3d)
                    .before(main_transparent_pass_3d)
                    .in_set(Core3dSystems::MainPass),
            );
    }

    fn finish(&self, app: &mut App) {
        // The device says how large a buffer can be.
        if let Some(device) = app.world().get_resource::<RenderDevice>() {
            let limits = device.limits();
            let bytes = limits
                .max_storage_buffer_binding_size
                .min(limits.max_buffer_size);
            app.insert_resource(SceneLimits {
                buffer_bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
            });
        }
    }
}
