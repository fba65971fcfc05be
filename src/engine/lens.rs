//! What is left to read through the logit lens, a few positions of one layer at a time.

use std::sync::Arc;

use super::{EngineError, EngineUpdate};
use crate::analysis::top_candidates;
use crate::hook::{BlockSite, HookPoint};
use crate::model::Model;
use crate::trace::Pass;

/// Tokens kept of each prediction.
const N_TOP: usize = 5;
/// Positions read at once: few, so that a request need not wait and few logits lie in memory.
const ROWS_AT_ONCE: usize = 8;

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
}

impl LensQueue {
    pub(super) fn push(&mut self, pass: Arc<Pass>) {
        self.passes.push(HalfRead {
            pass,
            layer: 0,
            n_rows: 0,
        });
    }

    pub(super) fn clear(&mut self) {
        self.passes.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.passes.is_empty()
    }

    /// Reads a few positions of the newest pass, from its first layer to its last; none where
    /// there was nothing left of it.
    pub(super) fn read_on(&mut self, model: &Model) -> Result<Option<EngineUpdate>, EngineError> {
        let Some(next) = self.passes.last_mut() else {
            return Ok(None);
        };
        let config = model.config();
        let hook = HookPoint::block(next.layer, BlockSite::ResidPost);
        let Some(resid) = next.pass.cache.get(&hook) else {
            self.passes.pop(); // Its last layer was read.
            return Ok(None);
        };
        let n_pos = next.pass.tokens.len();
        let rows = next.n_rows..(next.n_rows + ROWS_AT_ONCE).min(n_pos);
        let logits = model
            .unembed(&resid.values()[rows.start * config.d_model..rows.end * config.d_model])?;
        let update = EngineUpdate::Lens {
            layer: next.layer,
            first_pos: next.pass.first_pos + rows.start,
            top: logits
                .chunks_exact(config.d_vocab)
                .map(|row| top_candidates(row, N_TOP))
                .collect(),
        };
        next.n_rows = rows.end;
        if next.n_rows == n_pos {
            next.layer += 1;
            next.n_rows = 0;
        }
        if next.layer == config.n_layers {
            self.passes.pop();
        }
        Ok(Some(update))
    }
}
