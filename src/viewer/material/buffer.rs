//! A storage buffer that grows and keeps what it holds.

use std::ops::Range;

use bevy::render::render_resource::{
    Buffer, BufferDescriptor, BufferUsages, CommandEncoderDescriptor,
};
use bevy::render::renderer::{RenderDevice, RenderQueue};
use bytemuck::{Pod, Zeroable};

/// The device and its queue.
#[derive(Clone, Copy)]
pub(super) struct Gpu<'a> {
    pub(super) device: &'a RenderDevice,
    pub(super) queue: &'a RenderQueue,
}

/// A storage buffer that grows and keeps what it holds.
pub(super) struct GrowingBuffer {
    label: &'static str,
    pub(super) buffer: Buffer,
    n_bytes: u64,
}

impl GrowingBuffer {
    pub(super) fn new(label: &'static str, device: &RenderDevice, n_bytes: u64) -> Self {
        Self {
            label,
            buffer: device.create_buffer(&BufferDescriptor {
                label: Some(label),
                size: n_bytes,
                usage: BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            }),
            n_bytes,
        }
    }

    /// Makes room for `n_bytes`, of `max_bytes` at most.
    pub(super) fn reserve(&mut self, gpu: Gpu<'_>, n_bytes: u64, max_bytes: u64) {
        if n_bytes <= self.n_bytes {
            return;
        }
        let room = n_bytes.next_power_of_two().min(max_bytes).max(n_bytes);
        let larger = Self::new(self.label, gpu.device, room);
        let mut encoder = gpu
            .device
            .create_command_encoder(&CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(&self.buffer, 0, &larger.buffer, 0, self.n_bytes);
        gpu.queue.submit([encoder.finish()]);
        *self = larger;
    }

    /// Writes `items` from number `first` on; returns how many bytes that are.
    pub(super) fn write<T: Pod>(&mut self, gpu: Gpu<'_>, first: usize, items: &[T]) -> u64 {
        let bytes: &[u8] = bytemuck::cast_slice(items);
        let offset = (first * size_of::<T>()) as u64;
        let n_bytes = bytes.len() as u64;
        if n_bytes > 0 {
            self.reserve(gpu, offset + n_bytes, u64::MAX);
            gpu.queue.write_buffer(&self.buffer, offset, bytes);
        }
        n_bytes
    }
}

/// A list on the GPU and what it held last.
pub(super) struct ListBuffer<T> {
    pub(super) buffer: GrowingBuffer,
    last: Vec<T>,
}

impl<T: Pod + Zeroable + PartialEq> ListBuffer<T> {
    pub(super) fn new(label: &'static str, device: &RenderDevice) -> Self {
        Self {
            buffer: GrowingBuffer::new(label, device, 256),
            last: Vec::new(),
        }
    }

    /// Writes what differs from what it held; returns how many bytes that are.
    pub(super) fn write(&mut self, gpu: Gpu<'_>, items: &[T]) -> u64 {
        let Some(range) = difference(&self.last, items) else {
            self.last.truncate(items.len());
            return 0;
        };
        let n_bytes = self.buffer.write(gpu, range.start, &items[range]);
        self.last.clear();
        self.last.extend_from_slice(items);
        n_bytes
    }
}

/// From the first to the last of `new` that is not in `old`; none if all are.
fn difference<T: PartialEq>(old: &[T], new: &[T]) -> Option<Range<usize>> {
    let n_same = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    if n_same == new.len() {
        return None;
    }
    if new.len() > old.len() {
        return Some(n_same..new.len());
    }
    let n_same_last = old[..new.len()]
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    Some(n_same..new.len() - n_same_last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_written() {
        assert_eq!(difference(&[1, 2, 3, 4], &[1, 2, 3, 4]), None);
        assert_eq!(difference(&[1, 2, 3, 4], &[1, 7, 3, 4]), Some(1..2));
        assert_eq!(difference(&[1, 2, 3, 4], &[1, 2]), None);
        assert_eq!(difference(&[1, 2], &[1, 2, 3]), Some(2..3));
        assert_eq!(difference(&[9, 2, 8], &[1, 2, 3]), Some(0..3));
        assert_eq!(difference(&[], &[5]), Some(0..1));
    }
}
