//! Counts what goes to the GPU.

use std::sync::atomic::{AtomicU64, Ordering};

use bevy::prelude::*;
use bevy::render::render_resource::Buffer;
use bevy::render::renderer::RenderQueue;

/// How many bytes of the scene have gone to the GPU; a resource of the renderer's world.
#[derive(Resource, Debug, Default)]
pub struct UploadMeter {
    n_bytes: AtomicU64,
}

impl UploadMeter {
    /// Bytes since the renderer was started.
    pub fn n_bytes(&self) -> u64 {
        self.n_bytes.load(Ordering::Relaxed)
    }

    /// Writes `bytes` into `buffer` at `offset`, and counts them.
    pub(super) fn write_buffer(
        &self,
        queue: &RenderQueue,
        buffer: &Buffer,
        offset: u64,
        bytes: &[u8],
    ) {
        self.n_bytes
            .fetch_add(bytes.len() as u64, Ordering::Relaxed);
        queue.write_buffer(buffer, offset, bytes);
    }
}
