//! What the values on show come down to: a number for each tile, a range for each tensor.

#[cfg(test)]
mod tests;

use std::ops::Range;

use bevy::prelude::*;

use super::arcs::ArcChoice;
use super::attention::AttentionOverview;
use super::gpu::{NOT_FINITE, Tile};
use super::overlay::Overlay;
use crate::color::{TileStats, ValueRange};
use crate::config::ModelConfig;
use crate::hook::{BlockSite, HookPoint};
use crate::trace::Activation;
use crate::viewer::inference::ActiveTrace;

/// What the values on show come down to. The values themselves stay where they were recorded; those
/// seen in detail are copied to the [`ValuePool`](super::ValuePool).
#[derive(Resource, Debug, Default)]
pub struct ValueTable {
    hooks: Vec<HookPoint>,
    n_heads: usize,
    n_layers: usize,
    /// How far back a layer's queries see, `[layer]`; all the way without one.
    windows: Vec<Option<usize>>,
    tiles: Vec<Tile>,
    stats: Vec<TensorStats>,
    attention: AttentionOverview,
    n_not_finite: usize,
    tile_changes: Vec<Range<usize>>,
    /// 0 for the values of the text; else whose numbers stand in their place.
    source: u64,
    /// Whether what was computed by now was taken in at once.
    is_refilled: bool,
    /// Whether some tensors may have no numbers, as in a saved trace of some hook points.
    has_gaps: bool,
}

/// Stands for the root mean square of a tile without numbers.
const NO_VALUE: f32 = -1.0;

/// What one tensor's values come down to, over all lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TensorStats {
    /// The range of its values.
    pub range: ValueRange,
    /// The greatest root mean square of a tile.
    pub max_rms: f32,
    /// The greatest magnitude.
    pub max_abs: f32,
    /// Whether there is any number.
    pub is_there: bool,
}

impl ValueTable {
    /// Forgets all values and makes ready for those of a model of this shape; reductions of attention
    /// take at most `max_numbers`.
    pub fn reset(&mut self, config: &ModelConfig, max_numbers: usize) {
        let hooks = config.hook_points();
        *self = Self {
            stats: vec![TensorStats::default(); hooks.len()],
            hooks,
            n_heads: config.n_heads,
            n_layers: config.n_layers,
            windows: (0..config.n_layers)
                .map(|layer| config.window_of(layer))
                .collect(),
            attention: AttentionOverview::new(
                config.n_layers * (2 * config.n_heads + 1),
                max_numbers,
            ),
            ..Self::default()
        };
    }

    /// Says whose numbers come: 0 for the values of the text, else others in their place, which may be
    /// of any sign and need not be everywhere.
    pub(super) fn set_source(&mut self, source: u64) {
        self.source = source;
    }

    /// Says that some tensors may have no numbers at all.
    pub(super) fn allow_gaps(&mut self) {
        self.has_gaps = true;
    }

    /// Says that all that was computed by now has been taken in.
    pub(super) fn note_refilled(&mut self) {
        self.is_refilled = true;
    }

    /// Whether all that was computed by now has been taken in since this was last asked.
    pub(super) fn take_refilled(&mut self) -> bool {
        std::mem::take(&mut self.is_refilled)
    }

    /// Whose numbers there are.
    pub(super) fn source(&self) -> u64 {
        self.source
    }

    /// Whether the numbers are parts in a prediction, of any sign, and not the values themselves.
    pub fn has_parts(&self) -> bool {
        self.source != 0
    }

    /// Whether there are numbers of a tensor that lies by query and key.
    pub fn has_attention(&self, hook: HookPoint) -> bool {
        let stats = self.order(hook).map(|order| self.stats[order]);
        !self.may_lack() || stats.is_some_and(|stats| stats.is_there)
    }

    /// Whether a tensor's numbers span 0 to 1, whatever they are.
    pub fn is_weights(&self, hook: HookPoint) -> bool {
        hook.is_non_negative() && !self.has_parts()
    }

    pub(super) fn is_unset(&self) -> bool {
        self.stats.is_empty()
    }

    /// Hook points of a pass: as many tiles each position has.
    pub fn n_orders(&self) -> usize {
        self.hooks.len()
    }

    /// Makes room for `n_lanes` tokens.
    pub fn set_lanes(&mut self, n_lanes: usize) {
        let before = self.tiles.len();
        self.tiles.resize(n_lanes * self.n_orders(), self.blank());
        if self.tiles.len() > before {
            self.tile_changes.push(before..self.tiles.len());
        }
        self.attention.reserve(n_lanes);
    }

    fn may_lack(&self) -> bool {
        self.has_gaps || self.has_parts()
    }

    fn blank(&self) -> Tile {
        Tile {
            rms: if self.may_lack() { NO_VALUE } else { 0.0 },
            slot: 0,
        }
    }

    /// When a pass reaches `hook`: its place among the hook points.
    pub fn order(&self, hook: HookPoint) -> Option<usize> {
        self.hooks.binary_search(&hook).ok()
    }

    /// The square of a head's scores or pattern among all of them.
    pub fn square(&self, hook: HookPoint, head: usize) -> Option<usize> {
        let layer = hook.layer()?;
        let half = match hook.site()? {
            BlockSite::AttnScores => 0,
            BlockSite::Pattern => self.n_layers * self.n_heads,
            _ => return None,
        };
        Some(half + layer * self.n_heads + head)
    }

    /// The square of what a layer's patterns come down to together.
    pub fn pooled_square(&self, layer: usize) -> usize {
        2 * self.n_layers * self.n_heads + layer
    }

    /// Works out anew what the patterns of each layer come down to together.
    pub(super) fn repool(&mut self, shown: &Overlay, trace: &ActiveTrace, choice: &ArcChoice) {
        let mut pooled = Vec::new();
        for layer in 0..self.n_layers {
            let hook = HookPoint::block(layer, BlockSite::Pattern);
            for pos in 0..trace.n_pos() {
                let Some(token) = shown.token(trace, pos) else {
                    continue;
                };
                let heads = (0..self.n_heads).filter(|head| choice.has(*head));
                choice.pool(
                    heads.filter_map(|head| token.attention_row(hook, head)),
                    &mut pooled,
                );
                self.write_pooled(layer, pos, &pooled);
            }
        }
    }

    fn write_pooled(&mut self, layer: usize, query: usize, pooled: &[f32]) {
        if !pooled.is_empty() {
            let finite: Vec<f32> = pooled.iter().copied().map(finite_or_stand_in).collect();
            let square = self.pooled_square(layer);
            self.attention.write(square, query, &finite);
        }
    }

    /// Takes in the values at `hook` of a pass that began at `first_pos`. Those of hooks that the
    /// model does not have, and of lanes there is no room for, are passed over. `choice` says what the
    /// patterns of a layer come down to together.
    pub fn write(
        &mut self,
        hook: HookPoint,
        first_pos: usize,
        activation: &Activation,
        choice: &ArcChoice,
    ) {
        if self.square(hook, 0).is_some() {
            self.write_attention(hook, first_pos, activation, choice);
            return;
        }
        let (Some(order), Some(&n_rows)) = (self.order(hook), activation.shape().first()) else {
            return;
        };
        let Some(width) = activation.values().len().checked_div(n_rows) else {
            return;
        };
        for (row_index, row) in activation.values().chunks_exact(width.max(1)).enumerate() {
            let tile_index = (first_pos + row_index) * self.n_orders() + order;
            let Some(tile) = self.tiles.get_mut(tile_index) else {
                return;
            };
            let reduced = TileStats::beyond(row, self.stats[order].range.limit);
            tile.rms = reduced.rms;
            self.tile_changes.push(tile_index..tile_index + 1);
            self.include(order, &reduced);
        }
    }

    fn include(&mut self, order: usize, tile: &TileStats) {
        let stats = &mut self.stats[order];
        stats.range = stats.range.including(tile);
        stats.max_rms = stats.max_rms.max(tile.rms);
        stats.max_abs = stats.max_abs.max(tile.max_abs);
        stats.is_there = true;
        self.n_not_finite += tile.n_not_finite;
    }

    fn write_attention(
        &mut self,
        hook: HookPoint,
        first_pos: usize,
        activation: &Activation,
        choice: &ArcChoice,
    ) {
        let (&[n_heads, n_query, n_key], Some(order)) = (activation.shape(), self.order(hook))
        else {
            return;
        };
        let mut finite = Vec::with_capacity(n_key);
        let mut of_query = Vec::with_capacity(n_heads * n_key);
        let is_scores = hook.site() == Some(BlockSite::AttnScores);
        let has_range = is_scores || self.has_parts();
        let window = hook.layer().and_then(|layer| self.windows[layer]);
        let mut pooled = Vec::new();
        for query_index in 0..n_query {
            let query = first_pos + query_index;
            // What lies before the window is masked, and no value.
            let first_seen = (query + 1).saturating_sub(window.unwrap_or(usize::MAX));
            of_query.clear();
            for head in 0..n_heads {
                let Some(square) = self.square(hook, head) else {
                    return;
                };
                let row = (head * n_query + query_index) * n_key;
                let values = &activation.values()[row..row + query + 1];
                finite.clear();
                finite.resize(first_seen, 0.0);
                let values = &values[first_seen..];
                finite.extend(values.iter().copied().map(finite_or_stand_in));
                self.attention.write(square, query, &finite);
                if has_range {
                    of_query.extend_from_slice(values);
                } else {
                    self.n_not_finite += values.iter().filter(|w| !w.is_finite()).count();
                }
            }
            if let (false, Some(layer)) = (is_scores, hook.layer()) {
                let heads = (0..n_heads).filter(|head| choice.has(*head));
                let rows = heads.map(|head| {
                    let row = (head * n_query + query_index) * n_key;
                    &activation.values()[row..row + query + 1]
                });
                choice.pool(rows, &mut pooled);
                self.write_pooled(layer, query, &pooled);
            }
            // Patterns span 0 to 1 whatever they are, their parts do not.
            if has_range {
                let limit = self.stats[order].range.limit;
                self.include(order, &TileStats::beyond(&of_query, limit));
            }
            self.stats[order].is_there = true;
        }
    }

    /// What each tensor comes down to; none of a hook that the model does not have.
    pub fn stats(&self, hook: HookPoint) -> Option<&TensorStats> {
        self.stats.get(self.order(hook)?)
    }

    /// Root mean square of one token's tile.
    pub fn tile_rms(&self, hook: HookPoint, pos: usize) -> Option<f32> {
        let index = pos * self.n_orders() + self.order(hook)?;
        self.tiles.get(index).map(|tile| tile.rms)
    }

    /// Tiles, `[pos][order]`.
    pub fn tiles(&self) -> &[Tile] {
        &self.tiles
    }

    /// Reductions of attention.
    pub fn attention(&self) -> &AttentionOverview {
        &self.attention
    }

    /// The reductions of attention that changed since this was last asked.
    pub fn take_attention_changes(&mut self) -> Vec<Range<usize>> {
        self.attention.take_changes()
    }

    pub(super) fn attention_mut(&mut self) -> &mut AttentionOverview {
        &mut self.attention
    }

    /// Says where in the pool a tile's values are, one more than that; 0 for nowhere.
    pub(super) fn set_slot(&mut self, pos: usize, order: usize, slot: u32) {
        let index = pos * self.n_orders() + order;
        if let Some(tile) = self.tiles.get_mut(index)
            && tile.slot != slot
        {
            tile.slot = slot;
            self.tile_changes.push(index..index + 1);
        }
    }

    /// Forgets where every tile's values are.
    pub(super) fn clear_slots(&mut self) {
        for index in 0..self.tiles.len() {
            if self.tiles[index].slot != 0 {
                self.tiles[index].slot = 0;
                self.tile_changes.push(index..index + 1);
            }
        }
    }

    /// Values that are NaN or infinite.
    pub fn n_not_finite(&self) -> usize {
        self.n_not_finite
    }

    /// The tiles that changed since this was last asked, sorted and joined.
    pub fn take_tile_changes(&mut self) -> Vec<Range<usize>> {
        let mut changes = std::mem::take(&mut self.tile_changes);
        changes.sort_unstable_by_key(|range| range.start);
        let mut joined: Vec<Range<usize>> = Vec::new();
        for range in changes {
            match joined.last_mut() {
                // A few bytes more are cheaper than another write.
                Some(last) if last.end + 16 >= range.start => last.end = last.end.max(range.end),
                _ => joined.push(range),
            }
        }
        joined
    }
}

/// The value, or what stands for NaN and the infinities on the GPU.
pub(super) fn finite_or_stand_in(value: f32) -> f32 {
    if value.is_finite() { value } else { NOT_FINITE }
}
