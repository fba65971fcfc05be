//! The pass that draws the scene into a camera's view.

use bevy::prelude::*;
use bevy::render::camera::ExtractedCamera;
use bevy::render::render_resource::{IndexFormat, PipelineCache, RenderPassDescriptor, StoreOp};
use bevy::render::renderer::{RenderContext, ViewQuery};
use bevy::render::view::{ViewDepthTexture, ViewTarget, ViewUniformOffset};

use super::pipeline::{Form, ViewPipelines};
use super::upload::{CellBindGroups, CellBuffers};
use crate::viewer::scene::{ARC_VERTICES, BOX_INDICES};

pub(super) fn draw_cells(
    view: ViewQuery<(
        &ExtractedCamera,
        &ViewTarget,
        &ViewDepthTexture,
        &ViewUniformOffset,
        &ViewPipelines,
    )>,
    buffers: Res<CellBuffers>,
    bind_groups: Option<Res<CellBindGroups>>,
    cache: Res<PipelineCache>,
    mut ctx: RenderContext,
) {
    let (camera, target, depth, view_offset, pipelines) = view.into_inner();
    let counts = &buffers.counts;
    let Some(bind_groups) = bind_groups.filter(|_| counts.n_lanes > 0) else {
        return;
    };
    let mut pass = ctx.begin_tracked_render_pass(RenderPassDescriptor {
        label: Some("llmscope_cells"),
        color_attachments: &[Some(target.get_color_attachment())],
        depth_stencil_attachment: Some(depth.get_attachment(StoreOp::Store)),
        timestamp_writes: None,
        occlusion_query_set: None,
        multiview_mask: None,
    });
    if let Some(viewport) = &camera.viewport {
        pass.set_camera_viewport(viewport);
    }
    pass.set_bind_group(0, &bind_groups.world, &[view_offset.offset]);
    for (form, pipeline_id) in pipelines.0 {
        let Some(pipeline) = cache.get_render_pipeline(pipeline_id) else {
            continue; // Still compiling.
        };
        pass.set_render_pipeline(pipeline);
        match form {
            // The first is the plate under everything, the others are roads.
            Form::Ground => pass.draw(0..4, u32::from(counts.is_groundless)..counts.n_lanes + 1),
            Form::Tiles => pass.draw(0..4, 0..counts.n_lanes * counts.n_blocks),
            Form::Fields => pass.draw(0..4, 0..counts.n_fields),
            Form::Boxes => {
                pass.set_bind_group(1, &bind_groups.near_tiles, &[]);
                pass.set_index_buffer(buffers.box_indices.slice(..), IndexFormat::Uint16);
                for (tile, n_cells) in counts.near_cells.iter().enumerate() {
                    let first = (tile as u32) << 16;
                    pass.draw_indexed(0..BOX_INDICES.len() as u32, 0, first..first + n_cells);
                }
            }
            Form::Bars => {
                pass.set_bind_group(1, &bind_groups.bars, &[]);
                pass.set_index_buffer(buffers.box_indices.slice(..), IndexFormat::Uint16);
                pass.draw_indexed(0..BOX_INDICES.len() as u32, 0, 0..counts.n_bars);
            }
            Form::Arcs => {
                pass.set_bind_group(1, &bind_groups.arcs, &[]);
                pass.draw(0..ARC_VERTICES, 0..counts.n_arcs);
            }
            Form::Dots => {
                pass.set_bind_group(1, &bind_groups.dots, &[]);
                pass.draw(0..4, 0..counts.n_dots);
            }
            Form::Lines => {
                pass.set_bind_group(1, &bind_groups.lines, &[]);
                pass.draw(0..4, 0..counts.n_lines);
            }
        }
    }
}
