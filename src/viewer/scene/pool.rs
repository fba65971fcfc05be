//! Room on the GPU for the values that are seen in detail.
//!
//! The pool is as large as the device lets one buffer be, and no larger than its budget. What is
//! seen in detail is bounded by the pixels of the picture, so that nearly always everything fits;
//! where it does not, the nearest come first and the rest shows its exact reduction.

use std::collections::{BTreeMap, HashMap};

use bevy::prelude::*;

use super::weights::{FieldKey, Window};
use crate::hook::HookPoint;

/// Whose values they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PoolKey {
    /// One token's vector.
    Tile {
        /// The tensor.
        hook: HookPoint,
        /// The position.
        pos: usize,
    },
    /// One head's attention, reduced `level` times by half.
    Square {
        /// Scores or pattern.
        hook: HookPoint,
        /// The head.
        head: usize,
        /// 0 is every number.
        level: u32,
        /// Numbers along an edge that there is room for.
        edge: usize,
    },
    /// A window of a weight field.
    Window(Window),
}

/// Numbers to be written into the pool.
#[derive(Clone, Debug, PartialEq)]
pub struct Upload {
    /// Where, in numbers from the pool's beginning.
    pub offset: usize,
    /// The numbers; never NaN or infinite.
    pub values: Vec<f32>,
}

/// What is where in the pool.
#[derive(Resource, Debug, Default)]
pub struct ValuePool {
    capacity: usize,
    end: usize,
    /// Places that are free again, by their length.
    free: BTreeMap<usize, Vec<usize>>,
    entries: HashMap<PoolKey, Entry>,
    frame: u64,
    uploads: Vec<Upload>,
    evicted: Vec<PoolKey>,
    /// Whether something in view waits for a later frame.
    pub is_behind: bool,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    offset: usize,
    len: usize,
    /// How much of it is there.
    n_done: usize,
    last_frame: u64,
}

/// A place in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Where it begins, in numbers.
    pub offset: usize,
    /// How much of it was written before, as whoever wrote it counts.
    pub n_done: usize,
}

impl ValuePool {
    /// Room for `capacity` numbers; what was there is forgotten.
    pub fn set_capacity(&mut self, capacity: usize) {
        if self.capacity != capacity {
            self.clear();
            self.capacity = capacity;
        }
    }

    /// Numbers there is room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Numbers that the buffer must have room for now.
    pub fn end(&self) -> usize {
        self.end
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self {
            capacity: self.capacity,
            frame: self.frame,
            ..Self::default()
        };
    }

    /// Begins another frame: what is not asked for from here on may give way.
    pub fn begin_frame(&mut self) {
        self.frame += 1;
    }

    /// Where `key` is; it stays there for this frame.
    pub fn find(&mut self, key: &PoolKey) -> Option<Slot> {
        let entry = self.entries.get_mut(key)?;
        entry.last_frame = self.frame;
        Some(Slot {
            offset: entry.offset,
            n_done: entry.n_done,
        })
    }

    /// A window of a weight field, the one asked for last, and where it is.
    pub fn window_of(&mut self, field: FieldKey) -> Option<(Window, usize)> {
        let frame = self.frame;
        let (window, entry) = self
            .entries
            .iter_mut()
            .filter_map(|(key, entry)| match key {
                PoolKey::Window(window) if window.field == field => Some((*window, entry)),
                _ => None,
            })
            .max_by_key(|(window, entry)| (entry.last_frame, *window))?;
        entry.last_frame = frame;
        Some((window, entry.offset))
    }

    /// Whether `key` is there.
    pub fn has(&self, key: &PoolKey) -> bool {
        self.entries.contains_key(key)
    }

    /// Makes room for `len` numbers of `key`, in the place of what was not asked for this frame
    /// where there is no other. None if everything there is needed.
    pub fn take(&mut self, key: PoolKey, len: usize) -> Option<Slot> {
        let offset = self.room(len).or_else(|| {
            self.evict(len);
            self.room(len)
        })?;
        self.entries.insert(
            key,
            Entry {
                offset,
                len,
                n_done: 0,
                last_frame: self.frame,
            },
        );
        Some(Slot { offset, n_done: 0 })
    }

    fn room(&mut self, len: usize) -> Option<usize> {
        if let Some(offset) = self.free.get_mut(&len).and_then(Vec::pop) {
            return Some(offset);
        }
        (self.end + len <= self.capacity).then(|| {
            self.end += len;
            self.end - len
        })
    }

    /// Frees what was not asked for this frame: places of this length first, the oldest first; if
    /// there is none, everything.
    fn evict(&mut self, len: usize) {
        let frame = self.frame;
        let oldest = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.len == len && entry.last_frame < frame)
            .min_by_key(|(key, entry)| (entry.last_frame, **key))
            .map(|(key, _)| *key);
        if let Some(key) = oldest {
            self.remove(&key);
            return;
        }
        self.entries.retain(|key, entry| {
            let is_needed = entry.last_frame == frame;
            if !is_needed {
                self.free.entry(entry.len).or_default().push(entry.offset);
                self.evicted.push(*key);
            }
            is_needed
        });
        // Free ground at the end takes any length.
        let end = self
            .entries
            .values()
            .map(|entry| entry.offset + entry.len)
            .max()
            .unwrap_or(0);
        self.end = end;
        for offsets in self.free.values_mut() {
            offsets.retain(|offset| *offset < end);
        }
    }

    /// Forgets `key`; its place is free again.
    pub fn remove(&mut self, key: &PoolKey) {
        if let Some(entry) = self.entries.remove(key) {
            self.free.entry(entry.len).or_default().push(entry.offset);
            self.evicted.push(*key);
        }
    }

    /// What gave way since this was last asked.
    pub fn take_evicted(&mut self) -> Vec<PoolKey> {
        std::mem::take(&mut self.evicted)
    }

    /// Says how much of `key` is there.
    pub fn set_done(&mut self, key: &PoolKey, n_done: usize) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.n_done = n_done;
        }
    }

    /// Has `values` written at `offset`.
    pub fn upload(&mut self, offset: usize, values: Vec<f32>) {
        self.uploads.push(Upload { offset, values });
    }

    /// What is to be written, since this was last asked.
    pub fn take_uploads(&mut self) -> Vec<Upload> {
        std::mem::take(&mut self.uploads)
    }

    /// What is to be written.
    pub fn uploads(&self) -> &[Upload] {
        &self.uploads
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::BlockSite;

    fn key(pos: usize) -> PoolKey {
        PoolKey::Tile {
            hook: HookPoint::block(0, BlockSite::Q),
            pos,
        }
    }

    fn pool(capacity: usize) -> ValuePool {
        let mut pool = ValuePool::default();
        pool.set_capacity(capacity);
        pool.begin_frame();
        pool
    }

    #[test]
    fn places_never_overlap_and_never_pass_the_limit() {
        let mut pool = pool(100);
        let mut places: Vec<(usize, usize)> = Vec::new();
        for (pos, len) in [(0, 30), (1, 20), (2, 30), (3, 20)] {
            let slot = pool.take(key(pos), len).unwrap();
            places.push((slot.offset, slot.offset + len));
        }

        places.sort_unstable();
        assert!(places.windows(2).all(|pair| pair[0].1 <= pair[1].0));
        assert!(places[3].1 <= 100);
        assert_eq!(pool.take(key(4), 1), None, "all is needed this frame");
    }

    #[test]
    fn what_was_not_asked_for_gives_way_the_oldest_first() {
        let mut pool = pool(60);
        for pos in 0..3 {
            pool.take(key(pos), 20).unwrap();
        }
        pool.begin_frame();
        pool.find(&key(0));
        pool.begin_frame();
        pool.find(&key(2));

        assert!(pool.take(key(3), 20).is_some());
        assert!(!pool.has(&key(1)), "the longest unseen");
        assert!(pool.has(&key(0)) && pool.has(&key(2)));
    }

    #[test]
    fn many_small_places_make_room_for_a_large_one() {
        let mut pool = pool(64);
        for pos in 0..16 {
            pool.take(key(pos), 4).unwrap();
        }
        pool.begin_frame();

        let slot = pool.take(key(99), 50).unwrap();

        assert!(slot.offset + 50 <= 64);
    }

    #[test]
    fn something_larger_than_the_whole_is_refused_and_nothing_breaks() {
        let mut pool = pool(10);

        assert_eq!(pool.take(key(0), 11), None);
        assert!(pool.take(key(1), 10).is_some());
    }
}
