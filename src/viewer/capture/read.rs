//! Reads a texture back, and waits for it.

use bevy::prelude::*;
use bevy::render::render_resource::{
    Buffer, BufferDescriptor, BufferUsages, CommandEncoderDescriptor, Extent3d, MapMode, PollType,
    TexelCopyBufferInfo, TexelCopyBufferLayout, Texture,
};
use bevy::render::renderer::{RenderDevice, RenderQueue};

use crate::viewer::app::ViewerError;

/// What textures are copied into on their way back.
#[derive(Default)]
pub(super) struct Reading(Option<Buffer>);

impl Reading {
    /// Reads `size` pixels of `texture`, from the top left, row by row into `take`.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub(super) fn read(
        &mut self,
        device: &RenderDevice,
        queue: &RenderQueue,
        texture: &Texture,
        size: UVec2,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), ViewerError> {
        let row_bytes = 4 * size.x as usize;
        let padded_row_bytes = RenderDevice::align_copy_bytes_per_row(row_bytes);
        let n_bytes = (padded_row_bytes * size.y as usize) as u64;
        // One that was left mapped by a failure is of no more use.
        let buffer = self.0.take().filter(|buffer| buffer.size() >= n_bytes);
        let buffer = buffer.unwrap_or_else(|| {
            device.create_buffer(&BufferDescriptor {
                label: Some("llmscope_picture"),
                size: n_bytes,
                usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        });
        let mut encoder = device.create_command_encoder(&CommandEncoderDescriptor::default());
        encoder.copy_texture_to_buffer(
            texture.as_image_copy(),
            TexelCopyBufferInfo {
                buffer: &buffer,
                layout: TexelCopyBufferLayout {
                    offset: 0,
                    bytes_per_row: Some(padded_row_bytes as u32),
                    rows_per_image: None,
                },
            },
            Extent3d {
                width: size.x,
                height: size.y,
                depth_or_array_layers: 1,
            },
        );
        queue.submit([encoder.finish()]);
        let slice = buffer.slice(..n_bytes);
        let (mapped, is_mapped) = crossbeam_channel::bounded(1);
        slice.map_async(MapMode::Read, move |result| {
            // The receiver waits below until this is called.
            drop(mapped.send(result));
        });
        device
            .poll(PollType::wait_indefinitely())
            .map_err(|error| ViewerError::Draw(error.to_string()))?;
        match is_mapped.recv() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(ViewerError::Draw(error.to_string())),
            Err(error) => return Err(ViewerError::Draw(error.to_string())),
        }
        let bytes = slice.get_mapped_range();
        for row in bytes.chunks_exact(padded_row_bytes) {
            take(&row[..row_bytes]);
        }
        drop(bytes);
        buffer.unmap();
        self.0 = Some(buffer);
        Ok(())
    }
}
