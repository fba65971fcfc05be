//! What is left to read through the logit lens, a few positions of one layer at a time.

use std::sync::Arc;

use super::EngineUpdate;
use crate::hook::{BlockSite, HookPoint};
use crate::model::{Model, ModelError};
use crate::trace::{LENS_TOP, LensReading, Pass};

/// Positions read at once in long passes: few, so that a request need not wait and few logits lie
/// in memory.
const ROWS_AT_ONCE: usize = 32;
/// Passes of up to this many positions are read one by one: a product with a single row has a way
/// of its own, many times as fast as the least of those with several.
const MAX_SINGLE_ROWS: usize = 16;

/// What the logit lens reads of a complete pass, `[layer][position of the pass]`: the same as the
/// worker reads of it while no request waits.
///
/// # Errors
///
/// If the device fails.
pub fn read_lens(model: &Model, pass: Arc<Pass>) -> Result<Vec<Vec<LensReading>>, ModelError> {
    let mut queue = LensQueue::default();
    queue.push(pass);
    let mut by_layer = vec![Vec::new(); model.config().n_layers];
    while !queue.is_empty() {
        let update = queue.read_on(model)?;
        if let Some(EngineUpdate::Lens {
            layer, readings, ..
        }) = update
        {
            by_layer[layer].extend(readings);
        }
    }
    Ok(by_layer)
}

/// Passes to read, the newest last.
#[derive(Default)]
pub(super) struct LensQueue {
    passes: Vec<HalfRead>,
}

/// A pass, and how far it was read.
struct HalfRead {
    pass: Arc<Pass>,
    layer: usize,
    /// Rows of this layer that were read.
    n_rows: usize,
    /// What the last of them predict, not told yet.
    readings: Vec<LensReading>,
}

impl LensQueue {
    pub(super) fn push(&mut self, pass: Arc<Pass>) {
        self.passes.push(HalfRead {
            pass,
            layer: 0,
            n_rows: 0,
            readings: Vec::new(),
        });
    }

    pub(super) fn clear(&mut self) {
        self.passes.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.passes.is_empty()
    }

    /// Reads a few positions of the newest pass, from its first layer to its last, and tells of
    /// them once there are enough.
    pub(super) fn read_on(&mut self, model: &Model) -> Result<Option<EngineUpdate>, ModelError> {
        let Some(next) = self.passes.last_mut() else {
            return Ok(None);
        };
        let config = model.config();
        let hook = HookPoint::block(next.layer, BlockSite::ResidPost);
        let kept = (
            next.pass.cache.get(&hook),
            next.pass.cache.get(&HookPoint::Logits),
        );
        let (Some(resid), Some(last)) = kept else {
            self.passes.pop(); // Its values were not kept.
            return Ok(None);
        };
        let n_pos = next.pass.tokens.len();
        let n_at_once = if n_pos <= MAX_SINGLE_ROWS {
            1
        } else {
            ROWS_AT_ONCE
        };
        let rows = next.n_rows..(next.n_rows + n_at_once).min(n_pos);
        let logits = model
            .unembed(&resid.values()[rows.start * config.d_model..rows.end * config.d_model])?;
        let last = last.values().chunks_exact(config.d_vocab).skip(rows.start);
        let readings = logits
            .chunks_exact(config.d_vocab)
            .zip(last)
            .map(|(row, last)| LensReading::of(row, last, LENS_TOP));
        next.readings.extend(readings);
        let is_told = rows.end == n_pos || next.readings.len() >= ROWS_AT_ONCE;
        let update = is_told.then(|| EngineUpdate::Lens {
            layer: next.layer,
            first_pos: next.pass.first_pos + rows.end - next.readings.len(),
            readings: std::mem::take(&mut next.readings),
        });
        next.n_rows = rows.end;
        if next.n_rows == n_pos {
            next.layer += 1;
            next.n_rows = 0;
        }
        if next.layer == config.n_layers {
            self.passes.pop();
        }
        Ok(update)
    }
}
