//! Every value on show, as the GPU holds it, and what it comes down to.

use std::mem;
use std::ops::Range;

use bevy::prelude::*;

use super::gpu::NOT_FINITE;
use crate::color::{TileStats, ValueRange};
use crate::config::ModelConfig;
use crate::hook::{BlockSite, HookPoint};
use crate::layout::ModelLayout;
use crate::trace::Activation;

/// Every value on show.
///
/// Vector tensors lie lane by lane, `[pos][block][cell]`; attention patterns lie query by query
/// without the future, `[query][layer][head][key <= query]`. Both only grow as tokens come.
#[derive(Resource, Debug, Default)]
pub struct ValueBuffer {
    vectors: Vec<f32>,
    patterns: Vec<f32>,
    tile_rms: Vec<f32>,
    stats: Vec<BlockStats>,
    lane_stride: usize,
    n_layers: usize,
    n_heads: usize,
    n_not_finite: usize,
    changes: Changes,
}

/// Parts of the [`ValueBuffer`] that changed since they were last taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Of the vector tensors.
    pub vectors: Vec<Range<usize>>,
    /// Of the patterns.
    pub patterns: Vec<Range<usize>>,
    /// Of the tiles' root mean squares.
    pub tile_rms: Vec<Range<usize>>,
}

/// What one block's values come down to, over all lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BlockStats {
    /// The range of its values.
    pub range: ValueRange,
    /// The greatest root mean square of a tile.
    pub max_rms: f32,
    /// The greatest magnitude.
    pub max_abs: f32,
}

impl ValueBuffer {
    /// Forgets all values and makes ready for those of `layout`'s model.
    pub fn reset(&mut self, layout: &ModelLayout, config: &ModelConfig) {
        *self = Self {
            stats: vec![BlockStats::default(); layout.blocks.len()],
            lane_stride: layout.lane_stride,
            n_layers: config.n_layers,
            n_heads: config.n_heads,
            ..Self::default()
        };
    }

    pub(super) fn is_unset(&self) -> bool {
        self.stats.is_empty()
    }

    /// Makes room for `n_lanes` tokens; new room holds zeros until values come.
    pub fn set_lanes(&mut self, n_lanes: usize) {
        let n_layer_heads = self.n_layers * self.n_heads;
        self.vectors.resize(n_lanes * self.lane_stride, 0.0);
        self.tile_rms.resize(n_lanes * self.stats.len(), 0.0);
        let n_weights = ModelLayout::pattern_offset(n_layer_heads, n_lanes, 0);
        self.patterns.resize(n_weights, 0.0);
    }

    /// Takes in the values at `hook` of a pass that began at `first_pos`. Those of hooks that the
    /// world does not show, and of lanes there is no room for, are passed over.
    pub fn write(
        &mut self,
        layout: &ModelLayout,
        hook: HookPoint,
        first_pos: usize,
        activation: &Activation,
    ) {
        if let HookPoint::Block {
            layer,
            site: BlockSite::Pattern,
        } = hook
        {
            self.write_pattern(layer, first_pos, activation);
            return;
        }
        let Some(block_index) = layout.blocks.iter().position(|block| block.hook == hook) else {
            return;
        };
        let block = &layout.blocks[block_index];
        let n_cells = block.grid.n_cells();
        for (row_index, row) in activation.values().chunks_exact(n_cells).enumerate() {
            let pos = first_pos + row_index;
            let start = pos * self.lane_stride + block.value_offset;
            let Some(cells) = self.vectors.get_mut(start..start + n_cells) else {
                return;
            };
            copy_finite(row, cells);
            push_range(&mut self.changes.vectors, start..start + n_cells);
            let tile = TileStats::of(row);
            let tile_index = pos * self.stats.len() + block_index;
            self.tile_rms[tile_index] = tile.rms;
            push_range(&mut self.changes.tile_rms, tile_index..tile_index + 1);
            let stats = &mut self.stats[block_index];
            stats.range = stats.range.including(&tile);
            stats.max_rms = stats.max_rms.max(tile.rms);
            stats.max_abs = stats.max_abs.max(tile.max_abs);
            self.n_not_finite += tile.n_not_finite;
        }
    }

    fn write_pattern(&mut self, layer: usize, first_pos: usize, activation: &Activation) {
        let &[n_heads, n_query, n_key] = activation.shape() else {
            return;
        };
        let n_layer_heads = self.n_layers * self.n_heads;
        for query_index in 0..n_query {
            let query = first_pos + query_index;
            for head in 0..n_heads {
                let row = (head * n_query + query_index) * n_key;
                let weights = &activation.values()[row..row + query + 1];
                let layer_head = layer * self.n_heads + head;
                let start = ModelLayout::pattern_offset(n_layer_heads, query, layer_head);
                let Some(cells) = self.patterns.get_mut(start..start + query + 1) else {
                    return;
                };
                copy_finite(weights, cells);
                self.n_not_finite += weights.iter().filter(|w| !w.is_finite()).count();
                push_range(&mut self.changes.patterns, start..start + query + 1);
            }
        }
    }

    /// Vector tensors, `[pos][block][cell]`.
    pub fn vectors(&self) -> &[f32] {
        &self.vectors
    }

    /// Patterns, `[query][layer][head][key <= query]`.
    pub fn patterns(&self) -> &[f32] {
        &self.patterns
    }

    /// Root mean square of each tile, `[pos][block]`.
    pub fn tile_rms(&self) -> &[f32] {
        &self.tile_rms
    }

    /// What each block comes down to, in the order of the layout's blocks.
    pub fn stats(&self) -> &[BlockStats] {
        &self.stats
    }

    /// Values that are NaN or infinite.
    pub fn n_not_finite(&self) -> usize {
        self.n_not_finite
    }

    /// What changed since this was last asked.
    pub fn take_changes(&mut self) -> Changes {
        mem::take(&mut self.changes)
    }
}

/// Copies values, with a stand-in for NaN and the infinities.
fn copy_finite(from: &[f32], to: &mut [f32]) {
    for (cell, value) in to.iter_mut().zip(from) {
        *cell = if value.is_finite() {
            *value
        } else {
            NOT_FINITE
        };
    }
}

/// Adds a range, joined to the last where they touch.
fn push_range(ranges: &mut Vec<Range<usize>>, range: Range<usize>) {
    match ranges.last_mut() {
        Some(last) if last.end == range.start => last.end = range.end,
        _ => ranges.push(range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny() -> (ModelLayout, ModelConfig) {
        let config = ModelConfig {
            n_layers: 2,
            n_heads: 2,
            d_head: 2,
            d_model: 4,
            d_mlp: 6,
            d_vocab: 5,
            ..ModelConfig::preset("gpt2").unwrap()
        };
        (ModelLayout::new(&config, 3), config)
    }

    #[test]
    fn values_lie_where_the_layout_says_and_only_they_count_as_changed() {
        let (layout, config) = tiny();
        let mut buffer = ValueBuffer::default();
        buffer.reset(&layout, &config);
        buffer.set_lanes(3);
        let hook = HookPoint::block(1, BlockSite::ResidMid);

        buffer.write(
            &layout,
            hook,
            1,
            &Activation::new(vec![2, 4], vec![1., 2., 3., 4., 5., 6., 7., f32::NAN]),
        );

        let range = layout.value_range(hook).unwrap();
        let lane = |pos: usize| {
            let start = pos * layout.lane_stride;
            buffer.vectors()[start + range.start..start + range.end].to_vec()
        };
        assert_eq!(lane(0), [0.0; 4]);
        assert_eq!(lane(1), [1., 2., 3., 4.]);
        assert_eq!(lane(2), [5., 6., 7., NOT_FINITE]);
        assert_eq!(buffer.n_not_finite(), 1);
        let changes = buffer.take_changes();
        let n_changed: usize = changes.vectors.iter().map(Range::len).sum();
        assert_eq!(n_changed, 8);
        assert_eq!(buffer.take_changes(), Changes::default());
    }

    #[test]
    fn a_step_appends_to_the_patterns_without_moving_what_is_there() {
        let (layout, config) = tiny();
        let hook = HookPoint::block(1, BlockSite::Pattern);
        let mut buffer = ValueBuffer::default();
        buffer.reset(&layout, &config);
        buffer.set_lanes(1);
        buffer.write(
            &layout,
            hook,
            0,
            &Activation::new(vec![2, 1, 1], vec![1., 1.]),
        );
        let before = buffer.patterns().to_vec();

        buffer.set_lanes(2);
        buffer.write(
            &layout,
            hook,
            1,
            &Activation::new(vec![2, 1, 2], vec![0.25, 0.75, 0.5, 0.5]),
        );

        assert_eq!(before, [0., 0., 1., 1.]);
        assert_eq!(buffer.patterns()[..4], before);
        assert_eq!(
            buffer.patterns()[4..],
            [0., 0., 0., 0., 0.25, 0.75, 0.5, 0.5]
        );
    }
}
