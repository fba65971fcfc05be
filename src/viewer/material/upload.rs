//! Brings what changed in the scene to the GPU.

use std::ops::Range;

use bevy::prelude::*;
use bevy::render::MainWorld;
use bevy::render::render_resource::{
    BindGroup, BindGroupEntries, Buffer, BufferDescriptor, BufferInitDescriptor, BufferUsages,
    Extent3d, PipelineCache, TextureDataOrder, TextureDescriptor, TextureDimension, TextureFormat,
    TextureUsages, TextureView, TextureViewDescriptor,
};
use bevy::render::renderer::{RenderDevice, RenderQueue};
use bevy::render::view::ViewUniforms;
use bytemuck::Pod;

use super::meter::UploadMeter;
use super::pipeline::CellPipelines;
use crate::color::{Colormap, LUT_SIZE, Theme};
use crate::viewer::scene::{BOX_INDICES, Changes, DrawList, ValueBuffer, WorldUniform};

/// A storage buffer that grows.
struct GrowingBuffer {
    label: &'static str,
    buffer: Buffer,
    n_bytes: u64,
}

impl GrowingBuffer {
    fn new(label: &'static str, device: &RenderDevice, n_bytes: u64) -> Self {
        Self {
            label,
            buffer: device.create_buffer(&BufferDescriptor {
                label: Some(label),
                size: n_bytes,
                usage: BufferUsages::STORAGE | BufferUsages::COPY_DST,
                mapped_at_creation: false,
            }),
            n_bytes,
        }
    }

    /// Makes room for `n_bytes`; what was there is then lost. Returns whether it was.
    fn reserve(&mut self, device: &RenderDevice, n_bytes: u64) -> bool {
        if n_bytes <= self.n_bytes {
            return false;
        }
        *self = Self::new(self.label, device, n_bytes.next_power_of_two());
        true
    }

    fn write<T: Pod>(
        &mut self,
        device: &RenderDevice,
        queue: &RenderQueue,
        meter: &UploadMeter,
        items: &[T],
    ) {
        let bytes: &[u8] = bytemuck::cast_slice(items);
        self.reserve(device, bytes.len() as u64);
        meter.write_buffer(queue, &self.buffer, 0, bytes);
    }

    /// Writes the ranges of `values` that changed, or all of them into a buffer that grew.
    fn write_changes(
        &mut self,
        device: &RenderDevice,
        queue: &RenderQueue,
        meter: &UploadMeter,
        values: &[f32],
        changed: Vec<Range<usize>>,
    ) {
        if self.reserve(device, size_of_val(values) as u64) {
            meter.write_buffer(queue, &self.buffer, 0, bytemuck::cast_slice(values));
            return;
        }
        for range in changed {
            let offset = (range.start * size_of::<f32>()) as u64;
            let bytes = bytemuck::cast_slice(&values[range]);
            meter.write_buffer(queue, &self.buffer, offset, bytes);
        }
    }
}

/// The scene on the GPU.
#[derive(Resource)]
pub(super) struct CellBuffers {
    uniform: Buffer,
    values: GrowingBuffer,
    patterns: GrowingBuffer,
    tile_rms: GrowingBuffer,
    blocks: GrowingBuffer,
    bands: GrowingBuffer,
    near_tiles: GrowingBuffer,
    arcs: GrowingBuffer,
    pub(super) box_indices: Buffer,
    lut: TextureView,
    lut_theme: Theme,
    /// What the draws need to know of the list.
    pub(super) counts: DrawCounts,
}

#[derive(Clone, Debug, Default)]
pub(super) struct DrawCounts {
    pub(super) n_lanes: u32,
    pub(super) n_blocks: u32,
    pub(super) n_patterns: u32,
    pub(super) n_arcs: u32,
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
        values: growing("llmscope_values"),
        patterns: growing("llmscope_patterns"),
        tile_rms: growing("llmscope_tile_rms"),
        blocks: growing("llmscope_blocks"),
        bands: growing("llmscope_bands"),
        near_tiles: growing("llmscope_near_tiles"),
        arcs: growing("llmscope_arcs"),
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
    meter: Res<UploadMeter>,
) {
    let buffers = &mut *buffers;
    if let Some(mut values) = main_world.get_resource_mut::<ValueBuffer>() {
        let Changes {
            vectors,
            patterns,
            tile_rms,
        } = values.bypass_change_detection().take_changes();
        let (device, queue, meter) = (&device, &queue, &meter);
        buffers
            .values
            .write_changes(device, queue, meter, values.vectors(), vectors);
        buffers
            .patterns
            .write_changes(device, queue, meter, values.patterns(), patterns);
        buffers
            .tile_rms
            .write_changes(device, queue, meter, values.tile_rms(), tile_rms);
    }
    let Some(list) = main_world.get_resource_ref::<DrawList>() else {
        return;
    };
    if !list.is_changed() {
        return;
    }
    if list.theme != buffers.lut_theme {
        buffers.lut = lut_texture(&device, &queue, list.theme);
        buffers.lut_theme = list.theme;
    }
    let uniform = bytemuck::bytes_of(&list.uniform);
    meter.write_buffer(&queue, &buffers.uniform, 0, uniform);
    buffers.blocks.write(&device, &queue, &meter, &list.blocks);
    buffers.bands.write(&device, &queue, &meter, &list.bands);
    buffers
        .near_tiles
        .write(&device, &queue, &meter, &list.near_tiles);
    buffers.arcs.write(&device, &queue, &meter, &list.arcs);
    buffers.counts = DrawCounts {
        n_lanes: list.uniform.n_lanes,
        n_blocks: list.uniform.n_blocks,
        n_patterns: list.bands.iter().map(|band| band.n_heads).sum(),
        n_arcs: list.arcs.len() as u32,
        near_cells: list.near_cells.clone(),
    };
}

/// The scene, bound for drawing.
#[derive(Resource)]
pub(super) struct CellBindGroups {
    pub(super) world: BindGroup,
    pub(super) near_tiles: BindGroup,
    pub(super) arcs: BindGroup,
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
                buffers.values.buffer.as_entire_binding(),
                buffers.patterns.buffer.as_entire_binding(),
                buffers.tile_rms.buffer.as_entire_binding(),
                buffers.blocks.buffer.as_entire_binding(),
                buffers.bands.buffer.as_entire_binding(),
                &buffers.lut,
            )),
        ),
        near_tiles: list("llmscope_near_tiles", &buffers.near_tiles),
        arcs: list("llmscope_arcs", &buffers.arcs),
    });
}
