//! Attention arcs: which keys each query attends to, on average over a layer's heads.

use bevy::prelude::*;

use super::gpu::Arc;
use super::{DrawList, SceneLayout, SceneSettings, ValueBuffer};
use crate::layout::ModelLayout;

/// The latest queries that have arcs; more than this hide one another.
const MAX_QUERIES: usize = 24;

/// The arcs of every layer: for each query the keys before it whose weight, averaged over the
/// layer's heads, reaches `threshold`.
pub fn arcs(layout: &ModelLayout, patterns: &[f32], threshold: f32) -> Vec<Arc> {
    let n_layer_heads: usize = layout.bands.iter().map(|band| band.n_heads).sum();
    let lane_middle = |pos: usize| layout.lane_x(pos) + layout.tile_size.x / 2.0;
    let mut arcs = Vec::new();
    let first_query = layout.n_lanes.saturating_sub(MAX_QUERIES).max(1);
    for band in &layout.bands {
        let first_head = band.layer * band.n_heads;
        for query in first_query..layout.n_lanes {
            let start = ModelLayout::pattern_offset(n_layer_heads, query, first_head);
            for key in 0..query {
                let rows = (0..band.n_heads).map(|head| start + head * (query + 1) + key);
                let sum: f32 = rows.filter_map(|index| patterns.get(index)).sum();
                let weight = sum / band.n_heads as f32;
                if weight >= threshold && weight <= 1.0 {
                    arcs.push(Arc {
                        key_x: lane_middle(key),
                        query_x: lane_middle(query),
                        z: band.z - band.square_size / 2.0,
                        weight,
                        order: band.order as f32,
                        query: query as u32,
                    });
                }
            }
        }
    }
    arcs
}

pub(super) fn raise_arcs(
    layout: Res<SceneLayout>,
    values: Res<ValueBuffer>,
    settings: Res<SceneSettings>,
    mut list: ResMut<DrawList>,
) {
    if !(layout.is_changed() || values.is_changed() || settings.is_changed()) {
        return;
    }
    let raised = match &layout.0 {
        Some(layout) if settings.has_arcs => {
            arcs(layout, values.patterns(), settings.arc_threshold)
        }
        _ => Vec::new(),
    };
    if list.arcs != raised {
        list.arcs = raised;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ModelConfig;

    #[test]
    fn an_arc_stands_for_the_mean_over_heads_and_never_for_the_future() {
        let config = ModelConfig {
            n_layers: 1,
            n_heads: 2,
            d_head: 2,
            d_model: 4,
            ..ModelConfig::preset("gpt2").unwrap()
        };
        let layout = ModelLayout::new(&config, 2);
        // Query 0: one key for each head. Query 1: two keys for each head.
        let patterns = [1.0, 1.0, 0.5, 0.5, 0.3, 0.7];

        let raised = arcs(&layout, &patterns, 0.2);

        assert_eq!(raised.len(), 1);
        assert!((raised[0].weight - 0.4).abs() < 1e-6);
        assert!(raised[0].key_x < raised[0].query_x);
        assert!(arcs(&layout, &patterns, 0.5).is_empty());
    }
}
