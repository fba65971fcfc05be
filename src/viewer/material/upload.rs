//! Brings what changed in the scene to the GPU.

use bevy::prelude::*;
use bevy::render::MainWorld;
use bevy::render::render_resource::{
    BindGroup, BindGroupEntries, Buffer, BufferDescriptor, BufferInitDescriptor, BufferUsages,
    Extent3d, PipelineCache, TextureDataOrder, TextureDescriptor, TextureDimension, TextureFormat,
    TextureUsages, TextureView, TextureViewDescriptor,
};
use bevy::render::renderer::{RenderDevice, RenderQueue};
use bevy::render::view::ViewUniforms;

use super::buffer::{Gpu, GrowingBuffer, ListBuffer};
use super::pipeline::CellPipelines;
use crate::color::{Colormap, LUT_SIZE, Theme};
use crate::viewer::scene::{
    Arc, BOX_INDICES, Bar, Block, Dot, DrawList, Field, Line, NearTile, SceneLimits, SceneSettings,
    ValuePool, ValueTable, WeightStore, WorldUniform,
};

/// How many bytes have been brought to the GPU so far, in all.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UploadMeter {
    /// Values and what they come down to.
    pub value_bytes: u64,
    /// What is drawn where.
    pub list_bytes: u64,
}

/// The scene on the GPU.
#[derive(Resource)]
pub(super) struct CellBuffers {
    uniform: Buffer,
    last_uniform: WorldUniform,
    pool: GrowingBuffer,
    tiles: GrowingBuffer,
    attention: GrowingBuffer,
    weights: GrowingBuffer,
    blocks: ListBuffer<Block>,
    fields: ListBuffer<Field>,
    near_tiles: ListBuffer<NearTile>,
    bars: ListBuffer<Bar>,
    arcs: ListBuffer<Arc>,
    dots: ListBuffer<Dot>,
    lines: ListBuffer<Line>,
    pub(super) box_indices: Buffer,
    lut: TextureView,
    lut_theme: Theme,
    /// What the draws need to know of the list.
    pub(super) counts: DrawCounts,
}

#[derive(Clone, Debug, Default)]
pub(super) struct DrawCounts {
    pub(super) n_lanes: u32,
    /// Whether the ground is left out.
    pub(super) is_groundless: bool,
    pub(super) n_blocks: u32,
    pub(super) n_fields: u32,
    pub(super) n_bars: u32,
    pub(super) n_arcs: u32,
    pub(super) n_dots: u32,
    pub(super) n_lines: u32,
    /// Cells of each near tile.
    pub(super) near_cells: Vec<u32>,
}

pub(super) fn init_buffers(
    mut commands: Commands,
    device: Res<RenderDevice>,
    queue: Res<RenderQueue>,
) {
    let growing = |label| GrowingBuffer::new(label, &device, 256);
    commands.insert_resource(CellBuffers {
        uniform: device.create_buffer(&BufferDescriptor {
            label: Some("llmscope_world"),
            size: size_of::<WorldUniform>() as u64,
            usage: BufferUsages::UNIFORM | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        }),
        last_uniform: WorldUniform::default(),
        pool: growing("llmscope_pool"),
        tiles: growing("llmscope_tiles"),
        attention: growing("llmscope_attention"),
        weights: growing("llmscope_weights"),
        blocks: ListBuffer::new("llmscope_blocks", &device),
        fields: ListBuffer::new("llmscope_fields", &device),
        near_tiles: ListBuffer::new("llmscope_near_tiles", &device),
        bars: ListBuffer::new("llmscope_bars", &device),
        arcs: ListBuffer::new("llmscope_arcs", &device),
        dots: ListBuffer::new("llmscope_dots", &device),
        lines: ListBuffer::new("llmscope_lines", &device),
        box_indices: device.create_buffer_with_data(&BufferInitDescriptor {
            label: Some("llmscope_box_indices"),
            contents: bytemuck::cast_slice(&BOX_INDICES),
            usage: BufferUsages::INDEX,
        }),
        lut: lut_texture(&device, &queue, Theme::default()),
        lut_theme: Theme::default(),
        counts: DrawCounts::default(),
    });
}

/// The colour maps as a texture, one row each.
fn lut_texture(device: &RenderDevice, queue: &RenderQueue, theme: Theme) -> TextureView {
    let texels: Vec<u8> = Colormap::ALL
        .into_iter()
        .flat_map(|map| map.table(theme))
        .flat_map(|[r, g, b]| [r, g, b, 255])
        .collect();
    let texture = device.create_texture_with_data(
        queue,
        &TextureDescriptor {
            label: Some("llmscope_colors"),
            size: Extent3d {
                width: LUT_SIZE as u32,
                height: Colormap::ALL.len() as u32,
                depth_or_array_layers: 1,
            },
            mip_level_count: 1,
            sample_count: 1,
            dimension: TextureDimension::D2,
            format: TextureFormat::Rgba8UnormSrgb,
            usage: TextureUsages::TEXTURE_BINDING,
            view_formats: &[],
        },
        TextureDataOrder::default(),
        &texels,
    );
    texture.create_view(&TextureViewDescriptor::default())
}

pub(super) fn upload_changes(
    mut main_world: ResMut<MainWorld>,
    mut buffers: ResMut<CellBuffers>,
    device: Res<RenderDevice>,
    queue: Res<RenderQueue>,
) {
    let gpu = Gpu {
        device: &device,
        queue: &queue,
    };
    let value_bytes = upload_values(&mut main_world, &mut buffers, gpu);
    let list_bytes = upload_lists(&main_world, &mut buffers, gpu);
    if let Some(mut meter) = main_world.get_resource_mut::<UploadMeter>() {
        meter.value_bytes += value_bytes;
        meter.list_bytes += list_bytes;
    }
}

fn upload_values(main_world: &mut World, buffers: &mut CellBuffers, gpu: Gpu<'_>) -> u64 {
    let mut n_bytes = 0;
    let reduction = main_world
        .get_resource::<SceneSettings>()
        .map(|settings| settings.reduction)
        .unwrap_or_default();
    let max_bytes = main_world
        .get_resource::<SceneLimits>()
        .map_or(u64::MAX, |limits| limits.buffer_bytes as u64);
    if let Some(mut pool) = main_world.get_resource_mut::<ValuePool>() {
        let pool = pool.bypass_change_detection();
        let end_bytes = (pool.end() * size_of::<f32>()) as u64;
        buffers.pool.reserve(gpu, end_bytes, max_bytes);
        for upload in pool.take_uploads() {
            n_bytes += buffers.pool.write(gpu, upload.offset, &upload.values);
        }
    }
    if let Some(mut table) = main_world.get_resource_mut::<ValueTable>() {
        let table = table.bypass_change_detection();
        for range in table.take_tile_changes() {
            let tiles = &table.tiles()[range.start..range.end.min(table.tiles().len())];
            n_bytes += buffers.tiles.write(gpu, range.start, tiles);
        }
        for range in table.take_attention_changes() {
            let values = table.attention().values(range.clone(), reduction);
            n_bytes += buffers.attention.write(gpu, range.start, &values);
        }
    }
    if let Some(mut weights) = main_world.get_resource_mut::<WeightStore>() {
        let weights = weights.bypass_change_detection();
        let range = weights.take_new();
        let values = &weights.values()[range.clone()];
        n_bytes += buffers.weights.write(gpu, range.start, values);
    }
    n_bytes
}

fn upload_lists(main_world: &World, buffers: &mut CellBuffers, gpu: Gpu<'_>) -> u64 {
    let Some(list) = main_world.get_resource_ref::<DrawList>() else {
        return 0;
    };
    if !list.is_changed() {
        return 0;
    }
    if list.theme != buffers.lut_theme {
        buffers.lut = lut_texture(gpu.device, gpu.queue, list.theme);
        buffers.lut_theme = list.theme;
    }
    let mut n_bytes = 0;
    if list.uniform != buffers.last_uniform {
        buffers.last_uniform = list.uniform;
        let bytes = bytemuck::bytes_of(&list.uniform);
        gpu.queue.write_buffer(&buffers.uniform, 0, bytes);
        n_bytes += bytes.len() as u64;
    }
    n_bytes += buffers.blocks.write(gpu, &list.blocks);
    n_bytes += buffers.fields.write(gpu, &list.fields);
    n_bytes += buffers.near_tiles.write(gpu, &list.near.tiles);
    n_bytes += buffers.bars.write(gpu, &list.bars);
    n_bytes += buffers.arcs.write(gpu, &list.arcs);
    n_bytes += buffers.dots.write(gpu, &list.dots);
    n_bytes += buffers.lines.write(gpu, &list.lines);
    buffers.counts = DrawCounts {
        n_lanes: list.uniform.n_lanes,
        is_groundless: list.is_groundless,
        n_blocks: list.uniform.n_blocks,
        n_fields: list.fields.len() as u32,
        n_bars: list.bars.len() as u32,
        n_arcs: list.arcs.len() as u32,
        n_dots: list.dots.len() as u32,
        n_lines: list.lines.len() as u32,
        near_cells: list.near.n_cells.clone(),
    };
    n_bytes
}

/// The scene, bound for drawing.
#[derive(Resource)]
pub(super) struct CellBindGroups {
    pub(super) world: BindGroup,
    pub(super) near_tiles: BindGroup,
    pub(super) bars: BindGroup,
    pub(super) arcs: BindGroup,
    pub(super) dots: BindGroup,
    pub(super) lines: BindGroup,
}

pub(super) fn prepare_bind_groups(
    mut commands: Commands,
    buffers: Res<CellBuffers>,
    pipelines: Res<CellPipelines>,
    cache: Res<PipelineCache>,
    view_uniforms: Res<ViewUniforms>,
    device: Res<RenderDevice>,
) {
    let Some(view) = view_uniforms.uniforms.binding() else {
        return; // No camera yet.
    };
    let world_layout = cache.get_bind_group_layout(&pipelines.world_layout);
    let list_layout = cache.get_bind_group_layout(&pipelines.list_layout);
    let list = |label, list: &GrowingBuffer| {
        device.create_bind_group(
            label,
            &list_layout,
            &BindGroupEntries::single(list.buffer.as_entire_binding()),
        )
    };
    commands.insert_resource(CellBindGroups {
        world: device.create_bind_group(
            "llmscope_world",
            &world_layout,
            &BindGroupEntries::sequential((
                view,
                buffers.uniform.as_entire_binding(),
                buffers.pool.buffer.as_entire_binding(),
                buffers.tiles.buffer.as_entire_binding(),
                buffers.blocks.buffer.buffer.as_entire_binding(),
                buffers.fields.buffer.buffer.as_entire_binding(),
                buffers.attention.buffer.as_entire_binding(),
                buffers.weights.buffer.as_entire_binding(),
                &buffers.lut,
            )),
        ),
        near_tiles: list("llmscope_near_tiles", &buffers.near_tiles.buffer),
        bars: list("llmscope_bars", &buffers.bars.buffer),
        arcs: list("llmscope_arcs", &buffers.arcs.buffer),
        dots: list("llmscope_dots", &buffers.dots.buffer),
        lines: list("llmscope_lines", &buffers.lines.buffer),
    });
}
