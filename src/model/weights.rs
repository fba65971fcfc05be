//! The learned weights, to be looked at.

use std::collections::HashMap;
use std::ops::Range;

use candle_core::{DType, Tensor};

use crate::config::{ModelConfig, WeightSlice};

/// The learned weights of a model in memory, shared with it.
#[derive(Clone, Debug)]
pub struct Weights {
    config: ModelConfig,
    tensors: HashMap<String, Tensor>,
}

impl Weights {
    pub(super) fn new(config: &ModelConfig, tensors: HashMap<String, Tensor>) -> Self {
        Self {
            config: config.clone(),
            tensors,
        }
    }

    /// The shape of the model.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The bytes that a number takes in memory; where tensors differ, the most.
    pub fn bytes_per_number(&self) -> u64 {
        let sizes = self
            .tensors
            .values()
            .map(|tensor| tensor.dtype().size_in_bytes());
        sizes.max().unwrap_or(4) as u64
    }

    /// Numbers of the tensor that holds `slice`, row by row: its rows `rows` (a vector has one), and
    /// `columns` counted from the first of the slice's. None if there is no such tensor or part.
    pub fn read(
        &self,
        slice: &WeightSlice,
        rows: Range<usize>,
        columns: Range<usize>,
    ) -> Option<Vec<f32>> {
        let tensor = self.tensors.get(&slice.key)?;
        if rows.end > slice.n_rows || columns.end > slice.columns.len() {
            return None;
        }
        let first_column = slice.columns.start + columns.start;
        let part = if tensor.rank() == 1 {
            tensor.narrow(0, first_column, columns.len())
        } else {
            tensor
                .narrow(0, rows.start, rows.len())
                .and_then(|part| part.narrow(1, first_column, columns.len()))
        };
        part.and_then(|part| part.to_dtype(DType::F32)?.flatten_all()?.to_vec1())
            .ok()
    }
}
