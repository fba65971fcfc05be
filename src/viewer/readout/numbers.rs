//! The numbers behind the cells, computed and learned.

use crate::config::ModelConfig;
use crate::engine::LoadedModel;
use crate::hook::HookPoint;
use crate::layout::{Cell, CellId, WeightCell};
use crate::viewer::inference::ActiveTrace;
use crate::weight::WeightPoint;

/// Where the numbers of the model and the text on show are looked up.
#[derive(Clone, Copy)]
pub struct Numbers<'a> {
    trace: &'a ActiveTrace,
    model: &'a LoadedModel,
}

impl<'a> Numbers<'a> {
    /// Those of the text on show; none before a model is loaded.
    pub fn of(trace: &'a ActiveTrace) -> Option<Self> {
        let model = trace.model()?;
        Some(Self { trace, model })
    }

    /// The model's shape.
    pub fn config(&self) -> &'a ModelConfig {
        &self.model.config
    }

    /// Whether the model itself is there.
    pub fn has_weights(&self) -> bool {
        self.model.weights.is_some()
    }

    /// Whether there is nothing but the shape.
    pub fn is_shape(&self) -> bool {
        !self.has_weights() && self.trace.n_pos() == 0
    }

    /// The label of the token at a position.
    pub fn token_text(&self, pos: usize) -> Option<String> {
        self.vocab_text(self.token(pos)? as usize)
    }

    /// The label of a token of the vocabulary.
    pub fn vocab_text(&self, token: usize) -> Option<String> {
        let vocab = &self.model.vocab;
        (!vocab.is_empty()).then(|| vocab.label(token as u32))
    }

    /// The token at a position.
    pub fn token(&self, pos: usize) -> Option<u32> {
        self.trace.token(pos).map(|token| token.token)
    }

    /// A token's values at `hook`, heads one after the other.
    pub fn row(&self, hook: HookPoint, pos: usize) -> Option<&'a [f32]> {
        self.trace.token(pos)?.row(hook)
    }

    /// One head's scores or pattern from a query to every key up to it.
    pub fn attention_row(&self, hook: HookPoint, head: usize, query: usize) -> Option<&'a [f32]> {
        self.trace.token(query)?.attention_row(hook, head)
    }

    /// The number at a cell.
    pub fn number(&self, cell: Cell) -> Option<f32> {
        match cell {
            Cell::Value(cell) => self.value(cell),
            Cell::Weight(cell) => self.weight(cell),
        }
    }

    /// A computed number.
    pub fn value(&self, cell: CellId) -> Option<f32> {
        if super::is_attention(cell.hook) {
            let row = self.attention_row(cell.hook, cell.head, cell.pos)?;
            return row.get(cell.index).copied();
        }
        let row = self.row(cell.hook, cell.pos)?;
        row.get(cell.head * self.config().d_head + cell.index)
            .copied()
    }

    /// A learned number.
    pub fn weight(&self, cell: WeightCell) -> Option<f32> {
        let slice = self.config().weight_slice(cell.weight);
        let (row, column) = if slice.is_transposed {
            (cell.column, cell.row)
        } else {
            (cell.row, cell.column)
        };
        let weights = self.model.weights.as_ref()?;
        weights
            .read(&slice, row..row + 1, column..column + 1)?
            .first()
            .copied()
    }

    /// One column of a learned matrix.
    pub fn weight_column(&self, weight: WeightPoint, column: usize) -> Option<Vec<f32>> {
        let slice = self.config().weight_slice(weight);
        let weights = self.model.weights.as_ref()?;
        if slice.is_transposed {
            weights.read(&slice, column..column + 1, 0..slice.columns.len)
        } else {
            weights.read(&slice, 0..slice.rows.len, column..column + 1)
        }
    }
}
