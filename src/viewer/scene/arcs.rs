//! Attention arcs: which keys each query attends to, by the heads chosen.

use std::collections::BTreeSet;

use bevy::prelude::*;

use super::gpu::Arc;
use super::{DrawList, SceneLayout, SceneSettings};
use crate::hook::BlockSite;
use crate::layout::ModelLayout;
use crate::viewer::inference::{ActiveTrace, TraceEvent};

/// The latest queries that have arcs; more than this hide one another.
const MAX_QUERIES: usize = 24;

/// How the attention of several heads becomes one arc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Pooling {
    /// Their mean.
    #[default]
    Mean,
    /// The greatest.
    Max,
}

/// Which heads have arcs, and what an arc stands for.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ArcChoice {
    /// The heads, by their number in the layer; all of them if empty.
    pub heads: BTreeSet<usize>,
    /// How several become one.
    pub pooling: Pooling,
    /// The only layer that has arcs; every layer without one.
    pub layer: Option<usize>,
}

impl ArcChoice {
    /// Whether `head` is among those chosen.
    pub fn has(&self, head: usize) -> bool {
        self.heads.is_empty() || self.heads.contains(&head)
    }

    /// What several heads' rows become, key by key, in `pooled`.
    pub(super) fn pool<'a>(&self, rows: impl Iterator<Item = &'a [f32]>, pooled: &mut Vec<f32>) {
        pooled.clear();
        let mut n_rows = 0;
        for row in rows {
            n_rows += 1;
            pooled.resize(row.len(), 0.0);
            for (cell, weight) in pooled.iter_mut().zip(row) {
                match self.pooling {
                    Pooling::Mean => *cell += weight,
                    // Of parts of either sign, the loudest.
                    Pooling::Max if weight.abs() > cell.abs() => *cell = *weight,
                    Pooling::Max => {}
                }
            }
        }
        if self.pooling == Pooling::Mean {
            let share = 1.0 / n_rows.max(1) as f32;
            pooled.iter_mut().for_each(|cell| *cell *= share);
        }
    }
}

/// The arcs of every layer: for each query the keys before it whose weight, over the heads chosen,
/// reaches `threshold`. `row` gives a head's pattern row at a band's tensor and query.
pub fn arcs<'a>(
    layout: &ModelLayout,
    row: &dyn Fn(crate::hook::HookPoint, usize, usize) -> Option<&'a [f32]>,
    choice: &ArcChoice,
    threshold: f32,
) -> Vec<Arc> {
    let lane_middle = |pos: usize| layout.lane_x(pos) + layout.tile_size.x / 2.0;
    let mut arcs = Vec::new();
    let first_query = layout.n_lanes.saturating_sub(MAX_QUERIES).max(1);
    let patterns = layout.bands.iter().filter(|band| {
        band.hook.site() == Some(BlockSite::Pattern)
            && choice.layer.is_none_or(|layer| layer == band.layer)
    });
    let mut pooled = Vec::new();
    for band in patterns {
        for query in first_query..layout.n_lanes {
            let rows = (0..band.n_heads)
                .filter(|head| choice.has(*head))
                .filter_map(|head| row(band.hook, head, query));
            choice.pool(rows, &mut pooled);
            for (key, weight) in pooled.iter().copied().enumerate().take(query) {
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
    trace: Res<ActiveTrace>,
    mut events: MessageReader<TraceEvent>,
    settings: Res<SceneSettings>,
    mut list: ResMut<DrawList>,
) {
    let has_values = events
        .read()
        .filter(|event| !matches!(event, TraceEvent::Loading(_)))
        .count()
        > 0;
    if !(layout.is_changed() || has_values || settings.is_changed()) {
        return;
    }
    let raised = match &layout.0 {
        Some(layout) if settings.has_arcs => arcs(
            layout,
            &|hook, head, query| trace.token(query)?.attention_row(hook, head),
            &settings.arc_choice,
            settings.arc_threshold,
        ),
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

    fn raised(choice: &ArcChoice, threshold: f32) -> Vec<Arc> {
        let config = ModelConfig {
            n_layers: 1,
            n_heads: 2,
            d_head: 2,
            d_model: 4,
            ..ModelConfig::preset("gpt2").unwrap()
        };
        let layout = ModelLayout::new(&config, 2);
        // Two heads; query 0 sees one key, query 1 two.
        let rows: [[&[f32]; 2]; 2] = [[&[1.0], &[0.5, 0.5]], [&[1.0], &[0.3, 0.7]]];
        arcs(
            &layout,
            &|_, head, query| Some(rows[head][query]),
            choice,
            threshold,
        )
    }

    #[test]
    fn an_arc_stands_for_the_mean_over_heads_and_never_for_the_future() {
        let arcs = raised(&ArcChoice::default(), 0.2);

        assert_eq!(arcs.len(), 1);
        assert!((arcs[0].weight - 0.4).abs() < 1e-6);
        assert!(arcs[0].key_x < arcs[0].query_x);
        assert!(raised(&ArcChoice::default(), 0.5).is_empty());
    }

    #[test]
    fn heads_can_be_chosen_and_the_greatest_taken() {
        let weight = |choice: &ArcChoice| raised(choice, 0.1)[0].weight;

        let second = ArcChoice {
            heads: BTreeSet::from([1]),
            ..ArcChoice::default()
        };
        let greatest = ArcChoice {
            pooling: Pooling::Max,
            ..ArcChoice::default()
        };
        let elsewhere = ArcChoice {
            layer: Some(5),
            ..ArcChoice::default()
        };
        assert_eq!(weight(&second), 0.3);
        assert_eq!(weight(&greatest), 0.5);
        assert!(raised(&elsewhere, 0.1).is_empty());
    }
}
