//! The keys and values of the positions computed so far, kept so that a step adds to them in place.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use super::threads::share;

/// Positions there is room for from the beginning; whenever there is no room left it is doubled.
pub(in crate::model) const FIRST_ROOM: usize = 256;

/// The keys and values of one layer.
///
/// A clone shares the numbers. Appending to either never changes what the other has: it goes on in
/// place where nobody has gone on before, and on a copy elsewhere.
#[derive(Clone, Debug)]
pub(in crate::model) struct LayerCache {
    kept: Arc<RwLock<Kept>>,
    /// Positions that are this one's; others may have gone on.
    n_pos: usize,
    /// The most positions there will be.
    n_ctx: usize,
}

/// Each head's keys and values.
#[derive(Debug)]
pub(super) struct Kept {
    heads: Vec<Head>,
    n_pos: usize,
}

/// A head's keys and values, position after position: `[pos, d_head]`.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) keys: Vec<f32>,
    pub(super) values: Vec<f32>,
}

impl LayerCache {
    /// An empty one of a model with so many heads of keys and values, for so many positions at most.
    pub(in crate::model) fn new(n_kv_heads: usize, n_ctx: usize) -> Self {
        let head = Head {
            keys: Vec::new(),
            values: Vec::new(),
        };
        let kept = Kept {
            heads: vec![head; n_kv_heads],
            n_pos: 0,
        };
        Self {
            kept: Arc::new(RwLock::new(kept)),
            n_pos: 0,
            n_ctx,
        }
    }

    /// How many heads of keys and values it has.
    pub(super) fn n_kv_heads(&self) -> usize {
        self.read().heads.len()
    }

    /// How many positions it holds.
    pub(in crate::model) fn n_pos(&self) -> usize {
        self.n_pos
    }

    /// The most positions there will be.
    pub(in crate::model) fn n_ctx(&self) -> usize {
        self.n_ctx
    }

    /// Adds keys and values, `[pos, head, d_head]` both.
    pub(super) fn append(&mut self, keys: &[f32], values: &[f32], d_head: usize) {
        let (n_pos, n_ctx) = (self.n_pos, self.n_ctx);
        let is_shared = Arc::strong_count(&self.kept) > 1;
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.n_pos > n_pos && is_shared {
            let own = kept.first(n_pos, d_head);
            drop(kept);
            self.kept = Arc::new(RwLock::new(own));
            kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        }
        let n_heads = kept.heads.len();
        let n_new = keys.len() / (n_heads * d_head);
        let heads = kept.heads.iter_mut().enumerate();
        share(heads.collect(), |(index, head)| {
            let sides = [(&mut head.keys, keys), (&mut head.values, values)];
            for (side, numbers) in sides {
                side.truncate(n_pos * d_head);
                make_room(side, n_new * d_head, n_ctx * d_head, d_head);
                for position in numbers.chunks_exact(n_heads * d_head) {
                    side.extend_from_slice(&position[index * d_head..][..d_head]);
                }
            }
        });
        kept.n_pos = n_pos + n_new;
        drop(kept);
        self.n_pos += n_new;
    }

    /// The numbers, of at least [`n_pos`](Self::n_pos) positions.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Each head's keys and values.
    pub(super) fn heads(&self) -> &[Head] {
        &self.heads
    }

    /// A copy of the first positions.
    fn first(&self, n_pos: usize, d_head: usize) -> Self {
        let head = |head: &Head| Head {
            keys: head.keys[..n_pos * d_head].to_vec(),
            values: head.values[..n_pos * d_head].to_vec(),
        };
        Self {
            heads: self.heads.iter().map(head).collect(),
            n_pos,
        }
    }
}

/// Room for `more` numbers: where there is none, for twice as many as there are, and never for more
/// than `most` unless they come.
fn make_room(side: &mut Vec<f32>, more: usize, most: usize, d_head: usize) {
    let needed = side.len() + more;
    if needed > side.capacity() {
        let roomy = (2 * side.capacity()).max(FIRST_ROOM * d_head).min(most);
        side.reserve_exact(roomy.max(needed) - side.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(cache: &LayerCache) -> Vec<f32> {
        cache.read().heads()[0].keys[..cache.n_pos()].to_vec()
    }

    #[test]
    fn appending_to_a_clone_changes_nothing_of_the_other() {
        let mut cache = LayerCache::new(1, 8);
        cache.append(&[1.0, 2.0], &[0.0, 0.0], 1);

        let before = cache.clone();
        let mut left = cache.clone();
        left.append(&[3.0], &[0.0], 1);
        let mut right = before.clone();
        right.append(&[4.0, 5.0], &[0.0, 0.0], 1);

        assert_eq!(keys(&before), [1.0, 2.0]);
        assert_eq!(keys(&left), [1.0, 2.0, 3.0]);
        assert_eq!(keys(&right), [1.0, 2.0, 4.0, 5.0]);
    }

    #[test]
    fn a_step_after_a_step_is_added_in_place() {
        let mut cache = LayerCache::new(1, 1024);
        cache.append(&[1.0], &[0.0], 1);
        let place = cache.read().heads()[0].keys.as_ptr();

        for _ in 0..200 {
            let mut next = cache.clone();
            next.append(&[2.0], &[0.0], 1);
            cache = next;
        }

        assert_eq!(cache.n_pos(), 201);
        assert_eq!(cache.read().heads()[0].keys.as_ptr(), place);
    }

    #[test]
    fn room_is_doubled_and_ends_with_the_context() {
        let mut cache = LayerCache::new(1, 600);
        let mut rooms = Vec::new();
        for _ in 0..600 {
            cache.append(&[1.0], &[0.0], 1);
            rooms.push(cache.read().heads()[0].keys.capacity());
        }
        rooms.dedup();

        assert_eq!(rooms, [256, 512, 600]);
    }
}
