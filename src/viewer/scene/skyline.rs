//! The exit: bars for the most probable next tokens of each lane.

use bevy::prelude::*;

use super::gpu::Bar;
use super::{DrawList, SceneLayout};
use crate::analysis::{Candidate, top_candidates};
use crate::hook::HookPoint;
use crate::viewer::inference::{ActiveTrace, TraceEvent};

/// Predictions that each lane has bars for.
const N_CANDIDATES: usize = 5;

/// The most probable next tokens after every position, as far as they are computed.
#[derive(Resource, Debug, Default)]
pub struct Predictions {
    lanes: Vec<Option<Vec<Candidate>>>,
}

impl Predictions {
    /// What may follow the token at `pos`, the most probable first; none if not computed yet.
    pub fn at(&self, pos: usize) -> Option<&[Candidate]> {
        self.lanes.get(pos)?.as_deref()
    }
}

pub(super) fn predict(
    trace: Res<ActiveTrace>,
    mut events: MessageReader<TraceEvent>,
    mut predictions: ResMut<Predictions>,
) {
    for event in events.read() {
        match event {
            TraceEvent::ModelLoaded | TraceEvent::PassStarted { first_pos: 0, .. } => {
                predictions.lanes.clear();
            }
            TraceEvent::Computed { first_pos, values } => {
                let logits = values.iter().find(|(hook, _)| *hook == HookPoint::Logits);
                let Some((_, logits)) = logits else {
                    continue;
                };
                let n_rows = logits.shape().first().copied().unwrap_or(1);
                let width = logits.values().len() / n_rows.max(1);
                for (row, logits) in logits.values().chunks_exact(width.max(1)).enumerate() {
                    let pos = first_pos + row;
                    if predictions.lanes.len() <= pos {
                        predictions.lanes.resize(pos + 1, None);
                    }
                    predictions.lanes[pos] = Some(top_candidates(logits, N_CANDIDATES));
                }
            }
            _ => {}
        }
    }
    // A text that was cut short has no more lanes than positions.
    if predictions.lanes.len() > trace.n_pos() {
        predictions.lanes.truncate(trace.n_pos());
    }
}

pub(super) fn raise_bars(
    layout: Res<SceneLayout>,
    predictions: Res<Predictions>,
    mut list: ResMut<DrawList>,
) {
    if !(layout.is_changed() || predictions.is_changed()) {
        return;
    }
    let Some(layout) = &layout.0 else {
        return;
    };
    let Some(skyline) = &layout.skyline else {
        list.bars.clear();
        return;
    };
    // The logits are the last that a pass reaches.
    let order = layout.blocks.iter().map(|block| block.order).max();
    let mut bars = Vec::new();
    for pos in 0..layout.n_lanes {
        let candidates = predictions.at(pos);
        for rank in 0..skyline.n_ranks {
            let rect = skyline.bar(pos, rank);
            let probability = candidates
                .and_then(|candidates| candidates.get(rank))
                .map_or(0.0, |candidate| candidate.probability);
            bars.push(Bar {
                x: rect.near_left.x,
                z: rect.near_left.y,
                width: rect.size.x,
                depth: rect.size.y,
                height: probability * skyline.height,
                probability: if candidates.is_some() {
                    probability
                } else {
                    -1.0
                },
                order: order.unwrap_or(0) as f32,
                lane: pos as u32,
            });
        }
    }
    if list.bars != bars {
        list.bars = bars;
    }
}
