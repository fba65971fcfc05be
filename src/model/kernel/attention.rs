//! Attention, head by head: scores and the mix of values.

use std::ops::Range;

use super::cache::{Head, LayerCache};
use super::fresh::{Place, columns, pieces};
use super::out_in::dot;
use super::simd::{Simd, Work, run};
use super::softmax::unmasked;
use super::tile::{Room, multiply, pack, pack_turned, padded, panel_columns, panels};
use super::weighted::add_rows;

/// The shape of attention.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heads {
    /// Heads of queries.
    pub n_heads: usize,
    /// Numbers of a head.
    pub d_head: usize,
}

impl Heads {
    fn width(self) -> usize {
        self.n_heads * self.d_head
    }

    /// The head of keys and values that a head of queries reads.
    fn kept(self, kept: &[Head], head: usize) -> &Head {
        &kept[head * kept.len() / self.n_heads]
    }
}

/// Which keys a query sees.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mask {
    /// Positions there are.
    pub n_key: usize,
    /// The last of them, whose queries these are.
    pub n_query: usize,
    /// How far back a query sees, itself included; all the way without one.
    pub window: Option<usize>,
}

impl Mask {
    /// The keys that a query sees.
    #[inline(always)]
    fn seen(self, query: usize) -> Range<usize> {
        let end = self.n_key - self.n_query + query + 1;
        let first = self.window.map_or(0, |window| end.saturating_sub(window));
        first..end
    }
}

/// The scores, `[head, query, key]`, of queries, `[query, head, d_head]`, for the last positions of a
/// cache: products with keys times `scale`; minus infinity for keys that a query does not see.
pub(super) fn scores(
    heads: Heads,
    queries: &[f32],
    cache: &LayerCache,
    scale: f32,
    mask: Mask,
) -> Vec<f32> {
    let Mask { n_key, n_query, .. } = mask;
    let kept = cache.read();
    let n_scores = n_query * n_key;
    let n = heads.n_heads * n_scores;
    pieces(n, n_scores, f32::NEG_INFINITY, |head, out| {
        run(HeadScores {
            queries: &queries[head * heads.d_head..],
            width: heads.width(),
            keys: &heads.kept(kept.heads(), head).keys[..n_key * heads.d_head],
            d_head: heads.d_head,
            scale,
            mask,
            out,
        });
    })
}

struct HeadScores<'a> {
    /// The head's queries and what lies between them: each begins `width` after the one before.
    queries: &'a [f32],
    width: usize,
    keys: &'a [f32],
    d_head: usize,
    scale: f32,
    mask: Mask,
    out: &'a mut [f32],
}

impl Work for HeadScores<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self {
            queries,
            width,
            keys,
            d_head,
            scale,
            mask,
            out,
        } = self;
        let Mask { n_key, n_query, .. } = mask;
        let query = |query: usize| &queries[query * width..][..d_head];
        if n_query == 1 {
            let seen = mask.seen(0);
            for (key, score) in seen.clone().zip(&mut out[seen]) {
                *score = dot(simd, &keys[key * d_head..], query(0)) * scale;
            }
            return;
        }
        let mut room = Room::new(panel_columns::<S>() * d_head);
        for columns in panels::<S>(n_key) {
            let padded = padded::<S>(columns.len());
            let room = room.first_mut(padded * d_head);
            let first = &keys[columns.start * d_head..];
            pack_turned(simd, first, d_head, columns.len(), padded, room);
            // Queries before the panel's first key, or too far after its last, see none of it.
            let sees = |query: &usize| {
                let seen = mask.seen(*query);
                seen.start < columns.end && columns.start < seen.end
            };
            let Some(first) = (0..n_query).find(sees) else {
                continue;
            };
            let n_rows = (first..n_query).take_while(sees).count();
            let row = |row: usize| query(first + row);
            multiply(simd, n_rows, row, room, padded, &mut (), |row, products| {
                let seen = mask.seen(first + row);
                let keys = seen.start.max(columns.start)..seen.end.min(columns.end);
                let products = &products[keys.start - columns.start..];
                let out = &mut out[(first + row) * n_key..][keys];
                for (score, product) in out.iter_mut().zip(products) {
                    *score = product * scale;
                }
            });
        }
    }
}

/// The mix, `[query, head, d_head]`, of a cache's values by a pattern, `[head, query, key]`.
pub(super) fn mix(heads: Heads, pattern: &[f32], cache: &LayerCache) -> Vec<f32> {
    let n_key = cache.n_pos();
    let n_query = pattern.len() / (heads.n_heads * n_key);
    let kept = cache.read();
    let [out] = columns(n_query, [heads.width()], heads.d_head, |part| {
        let head = part.columns.start / heads.d_head;
        run(HeadMix {
            pattern: &pattern[head * n_query * n_key..][..n_query * n_key],
            values: &heads.kept(kept.heads(), head).values[..n_key * heads.d_head],
            d_head: heads.d_head,
            out: part.out,
        });
    });
    out
}

struct HeadMix<'a, 'p> {
    pattern: &'a [f32],
    values: &'a [f32],
    d_head: usize,
    out: &'a mut [Place<'p>],
}

/// Queries whose values are mixed together: those of a long text see very different numbers of keys.
const QUERIES_AT_ONCE: usize = 64;

impl Work for HeadMix<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let n_key = self.values.len() / self.d_head;
        if let [out] = &mut *self.out {
            let n_seen = unmasked(self.pattern, 0.0);
            let columns = 0..self.d_head;
            return add_rows(
                simd,
                &self.pattern[..n_seen],
                self.values,
                self.d_head,
                columns,
                out.all(),
            );
        }
        let mut room = Room::new(panel_columns::<S>() * n_key);
        for columns in panels::<S>(self.d_head) {
            let width = padded::<S>(columns.len());
            let room = room.first_mut(width * n_key);
            pack(self.values.chunks_exact(self.d_head), &columns, width, room);
            for first in (0..self.out.len()).step_by(QUERIES_AT_ONCE) {
                let queries = first..(first + QUERIES_AT_ONCE).min(self.out.len());
                self.mix_some(simd, &queries, &columns, room, width);
            }
        }
    }
}

impl HeadMix<'_, '_> {
    #[inline(always)]
    fn mix_some<S: Simd>(
        &mut self,
        simd: S,
        queries: &Range<usize>,
        columns: &Range<usize>,
        panel: &[f32],
        width: usize,
    ) {
        let n_key = self.values.len() / self.d_head;
        let row = |query: usize| &self.pattern[(queries.start + query) * n_key..][..n_key];
        // Keys that none of them attends to add nothing.
        let seen = (0..queries.len()).map(|query| unmasked(row(query), 0.0));
        let n_seen = seen.max().unwrap_or(0);
        let panel = &panel[..n_seen * width];
        multiply(
            simd,
            queries.len(),
            row,
            panel,
            width,
            &mut (),
            |query, products| {
                let place = &mut self.out[queries.start + query];
                place.put(columns.start, &products[..columns.len()]);
            },
        );
    }
}
