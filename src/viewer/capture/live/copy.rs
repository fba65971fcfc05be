//! Copies the window's picture to the film, before the film's badge is drawn over it.
//!
//! A copy takes a few frames to come back; none waits for it.

use std::collections::VecDeque;

use bevy::core_pipeline::upscaling::upscaling;
use bevy::core_pipeline::{Core3d, Core3dSystems};
use bevy::prelude::*;
use bevy::render::render_resource::{
    Buffer, BufferAsyncError, BufferDescriptor, BufferUsages, Extent3d, MapMode,
    TexelCopyBufferInfo, TexelCopyBufferLayout, Texture, TextureFormat,
};
use bevy::render::renderer::{RenderContext, RenderDevice, ViewQuery};
use bevy::render::view::{ExtractedView, ViewTarget};
use bevy::render::{Extract, ExtractSchedule, Render, RenderApp, RenderSystems};
use bevy_egui::render::egui_pass;
use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

use super::badge::{Badge, BadgeTexture};
use crate::video::ChannelOrder;

/// Copies that may be on their way back at once.
const N_BUFFERS: usize = 4;
/// Copies that may wait to be taken.
const ROOM: usize = 2 * N_BUFFERS;

pub(super) fn plugin(app: &mut App) {
    let (copies, taken) = bounded(ROOM);
    let (give_back, used) = bounded(ROOM);
    app.init_resource::<WantedCopy>()
        .init_resource::<Badge>()
        .insert_resource(Copies {
            taken,
            give_back,
            n_awaited: 0,
        });
    let Some(render_app) = app.get_sub_app_mut(RenderApp) else {
        return;
    };
    render_app
        .init_resource::<WantedCopy>()
        .init_resource::<Badge>()
        .init_resource::<BadgeTexture>()
        .insert_resource(CopyRing {
            free: Vec::new(),
            pending: VecDeque::new(),
            copies,
            used,
        })
        .add_systems(ExtractSchedule, extract)
        .add_systems(
            Core3d,
            (copy_picture, super::badge::draw_badge)
                .chain()
                .after(egui_pass)
                .after(Core3dSystems::PostProcess)
                .before(upscaling),
        )
        .add_systems(Render, read_copies.in_set(RenderSystems::Cleanup));
}

/// The picture that is wanted of the frame being made.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WantedCopy {
    /// The camera that the film follows.
    pub(super) camera: Option<Entity>,
    /// The film's frame that the picture is for; none where it is not wanted.
    pub(super) first_frame: Option<u64>,
}

/// A picture that has come back.
pub(super) struct Copied {
    /// The film's frame that it is for.
    pub(super) first_frame: u64,
    /// The picture; none where there was no room or nothing to copy.
    pub(super) picture: Option<Pixels>,
}

/// What a window shows.
pub(super) struct Pixels {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) order: ChannelOrder,
    pub(super) bytes: Vec<u8>,
}

/// Where copies come out.
#[derive(Resource)]
pub(super) struct Copies {
    taken: Receiver<Copied>,
    give_back: Sender<Vec<u8>>,
    /// Copies that were asked for and have not come.
    n_awaited: usize,
}

impl Copies {
    /// One that nothing comes out of.
    #[cfg(test)]
    pub(super) fn unconnected() -> Self {
        Self {
            taken: bounded(1).1,
            give_back: bounded(1).0,
            n_awaited: 0,
        }
    }

    /// The next picture that has come back.
    pub(super) fn take(&mut self) -> Option<Copied> {
        let copied = self.taken.try_recv().ok()?;
        self.n_awaited = self.n_awaited.saturating_sub(1);
        Some(copied)
    }

    /// Counts a picture as asked for.
    pub(super) fn note_wanted(&mut self) {
        self.n_awaited += 1;
    }

    /// Whether pictures are on their way.
    pub(super) fn is_awaiting(&self) -> bool {
        self.n_awaited > 0
    }

    /// Forgets what is on its way: it belongs to no film any more.
    pub(super) fn forget(&mut self) {
        while self.taken.try_recv().is_ok() {}
        self.n_awaited = 0;
    }

    /// Gives a buffer that was used to the next picture.
    pub(super) fn give_back(&self, buffer: Vec<u8>) {
        // Where there are enough, it goes.
        drop(self.give_back.try_send(buffer));
    }
}

/// Buffers that the renderer copies into.
#[derive(Resource)]
struct CopyRing {
    free: Vec<Buffer>,
    pending: VecDeque<Pending>,
    copies: Sender<Copied>,
    used: Receiver<Vec<u8>>,
}

/// A copy on its way.
struct Pending {
    buffer: Buffer,
    first_frame: u64,
    size: UVec2,
    order: ChannelOrder,
    /// Says when the buffer can be read; none before that was asked.
    mapped: Option<Receiver<Result<(), BufferAsyncError>>>,
}

fn extract(
    wanted: Extract<Res<WantedCopy>>,
    badge: Extract<Res<Badge>>,
    mut here: ResMut<WantedCopy>,
    mut badge_here: ResMut<Badge>,
) {
    *here = **wanted;
    if badge.is_changed() {
        badge_here.clone_from(&badge);
    }
}

fn copy_picture(
    view: ViewQuery<(&ExtractedView, &ViewTarget)>,
    mut wanted: ResMut<WantedCopy>,
    mut ring: ResMut<CopyRing>,
    device: Res<RenderDevice>,
    mut context: RenderContext,
) {
    let (view, target) = view.into_inner();
    if wanted.camera != Some(*view.retained_view_entity.main_entity) {
        return;
    }
    let (Some(first_frame), Some(order)) = (
        wanted.first_frame,
        channel_order(target.main_texture_format()),
    ) else {
        return;
    };
    let texture = target.main_texture();
    let Some(buffer) = ring.buffer(&device, texture) else {
        return;
    };
    wanted.first_frame = None;
    let (width, height) = (texture.width(), texture.height());
    context.command_encoder().copy_texture_to_buffer(
        texture.as_image_copy(),
        TexelCopyBufferInfo {
            buffer: &buffer,
            layout: TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some(padded_row_bytes(width) as u32),
                rows_per_image: None,
            },
        },
        Extent3d {
            width,
            height,
            depth_or_array_layers: 1,
        },
    );
    ring.pending.push_back(Pending {
        buffer,
        first_frame,
        size: UVec2::new(width, height),
        order,
        mapped: None,
    });
}

/// In which order the bytes of a picture's pixels come; none where they are no bytes.
pub(super) fn channel_order(format: TextureFormat) -> Option<ChannelOrder> {
    match format {
        TextureFormat::Rgba8Unorm | TextureFormat::Rgba8UnormSrgb => Some(ChannelOrder::Rgba),
        TextureFormat::Bgra8Unorm | TextureFormat::Bgra8UnormSrgb => Some(ChannelOrder::Bgra),
        _ => None,
    }
}

fn padded_row_bytes(width: u32) -> usize {
    RenderDevice::align_copy_bytes_per_row(4 * width as usize)
}

impl CopyRing {
    /// A buffer for all of a texture; none while enough are on their way.
    fn buffer(&mut self, device: &RenderDevice, texture: &Texture) -> Option<Buffer> {
        if self.pending.len() >= N_BUFFERS {
            return None;
        }
        let size = (padded_row_bytes(texture.width()) * texture.height() as usize) as u64;
        // Those of another size are a resized window's.
        self.free.retain(|buffer| buffer.size() == size);
        let buffer = self.free.pop();
        Some(buffer.unwrap_or_else(|| {
            device.create_buffer(&BufferDescriptor {
                label: Some("llmscope_film"),
                size,
                usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        }))
    }

    fn send(&self, first_frame: u64, picture: Option<Pixels>) {
        // Without a reader, or with one that has stopped reading, nobody misses it.
        drop(self.copies.try_send(Copied {
            first_frame,
            picture,
        }));
    }
}

fn read_copies(mut ring: ResMut<CopyRing>, mut wanted: ResMut<WantedCopy>) {
    for pending in &mut ring.pending {
        if pending.mapped.is_none() {
            let (mapped, is_mapped) = bounded(1);
            pending
                .buffer
                .slice(..)
                .map_async(MapMode::Read, move |result| drop(mapped.try_send(result)));
            pending.mapped = Some(is_mapped);
        }
    }
    while let Some(mapped) = ring.pending.front().and_then(|front| front.mapped.as_ref()) {
        let result = mapped.try_recv();
        if matches!(result, Err(TryRecvError::Empty)) {
            break;
        }
        let Some(pending) = ring.pending.pop_front() else {
            break;
        };
        if !matches!(result, Ok(Ok(()))) {
            ring.send(pending.first_frame, None);
            continue;
        }
        let bytes = ring.used.try_recv().unwrap_or_default();
        let picture = pending.read(bytes);
        ring.send(pending.first_frame, Some(picture));
        ring.free.push(pending.buffer);
    }
    // Nothing was drawn, or there was no room for it.
    if let Some(first_frame) = wanted.first_frame.take() {
        ring.send(first_frame, None);
    }
}

impl Pending {
    /// Reads the buffer into `bytes`, and lets go of it.
    fn read(&self, mut bytes: Vec<u8>) -> Pixels {
        let row_bytes = 4 * self.size.x as usize;
        bytes.clear();
        bytes.reserve(row_bytes * self.size.y as usize);
        let slice = self.buffer.slice(..);
        let mapped = slice.get_mapped_range();
        for row in mapped.chunks_exact(padded_row_bytes(self.size.x)) {
            bytes.extend_from_slice(&row[..row_bytes]);
        }
        drop(mapped);
        self.buffer.unmap();
        Pixels {
            width: self.size.x,
            height: self.size.y,
            order: self.order,
            bytes,
        }
    }
}
