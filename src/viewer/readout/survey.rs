//! What the whole tensor of a cell comes down to.

use std::sync::Arc;

use super::is_attention;
use crate::analysis::{Histogram, Statistics};
use crate::hook::HookPoint;
use crate::layout::{Cell, CellId, WeightCell};
use crate::model::Weights;
use crate::trace::Trace;

/// What the whole tensor of a cell comes down to.
#[derive(Clone, Debug, PartialEq)]
pub struct Survey {
    /// The numbers of the cell's own token; of a weight, those of its row.
    pub own: Statistics,
    /// All numbers of the tensor, over all tokens. Attention to tokens that are not
    /// seen does not count.
    pub all: Statistics,
    /// How they are spread.
    pub histogram: Histogram,
}

/// Where the numbers to survey are, to be taken to another thread.
#[derive(Clone)]
pub struct Subject {
    cell: Cell,
    trace: Option<Trace>,
    weights: Option<Arc<Weights>>,
}

/// Parts of a histogram.
const N_BINS: usize = 60;
/// Numbers of a weight that are read at once.
const CHUNK: usize = 1 << 20;

impl Subject {
    /// The tensor of `cell` as far as it is recorded in `trace` or lies in `weights`.
    pub fn new(cell: Cell, trace: Option<Trace>, weights: Option<Arc<Weights>>) -> Self {
        Self {
            cell,
            trace,
            weights,
        }
    }

    /// Goes through all of the tensor, twice.
    pub fn survey(&self) -> Survey {
        let mut own = Statistics::default();
        let mut all = Statistics::default();
        self.visit(&mut |is_own, values| {
            all.take(values);
            if is_own {
                own.take(values);
            }
        });
        let (low, high) = if all.n_finite() > 0 {
            (all.min, all.max)
        } else {
            (0.0, 0.0)
        };
        let mut histogram = Histogram::new(low, high, N_BINS);
        self.visit(&mut |_, values| histogram.take(values));
        Survey {
            own,
            all,
            histogram,
        }
    }

    /// Hands every number to `visit`, and says whether it is of the cell's own token or row.
    fn visit(&self, visit: &mut dyn FnMut(bool, &[f32])) {
        match self.cell {
            Cell::Value(cell) => {
                if let Some(trace) = &self.trace {
                    visit_values(trace, cell, visit);
                }
            }
            Cell::Weight(cell) => {
                if let Some(weights) = &self.weights {
                    visit_weight(weights, cell, visit);
                }
            }
        }
    }
}

fn visit_values(trace: &Trace, cell: CellId, visit: &mut dyn FnMut(bool, &[f32])) {
    let n_heads = trace.config().n_heads;
    let hook: HookPoint = cell.hook;
    let window = hook
        .layer()
        .and_then(|layer| trace.config().window_of(layer));
    let reach = window.unwrap_or(usize::MAX);
    for token in (0..trace.len()).filter_map(|pos| trace.token(pos)) {
        let is_own = token.pos == cell.pos;
        if is_attention(hook) {
            // What lies before a sliding window is masked.
            let first_seen = (token.pos + 1).saturating_sub(reach);
            for head in 0..n_heads {
                let row = token.attention_row(hook, head).unwrap_or_default();
                visit(is_own, row.get(first_seen..).unwrap_or_default());
            }
        } else {
            visit(is_own, token.row(hook).unwrap_or_default());
        }
    }
}

fn visit_weight(weights: &Weights, cell: WeightCell, visit: &mut dyn FnMut(bool, &[f32])) {
    let slice = weights.config().weight_slice(cell.weight);
    let n_columns = slice.columns.len;
    // What the tensor has as rows is what the weight has as columns where it is transposed.
    let own_row = (!slice.is_transposed).then_some(cell.row);
    let n_at_once = (CHUNK / n_columns.max(1)).max(1);
    for first in (0..slice.rows.len).step_by(n_at_once) {
        let rows = first..(first + n_at_once).min(slice.rows.len);
        let Some(values) = weights.read(&slice, rows, 0..n_columns) else {
            return;
        };
        for (row, values) in values.chunks_exact(n_columns.max(1)).enumerate() {
            match own_row {
                Some(own_row) => visit(first + row == own_row, values),
                None => {
                    let (before, rest) = values.split_at(cell.row.min(values.len()));
                    let (own, after) = rest.split_at(rest.len().min(1));
                    visit(false, before);
                    visit(true, own);
                    visit(false, after);
                }
            }
        }
    }
}
