//! The learned weights, to be looked at.

use std::collections::HashMap;
use std::ops::Range;

use candle_core::{DType, Result, Tensor};

use super::sizes::TensorBytes;
use super::tensors::{Stored, is_in_out};
use crate::config::{ModelConfig, Stripes, WeightSlice};

/// The learned weights of a model in memory, shared with it.
#[derive(Clone, Debug)]
pub struct Weights {
    config: ModelConfig,
    tensors: HashMap<String, Stored>,
}

impl Weights {
    pub(super) fn new(config: &ModelConfig, tensors: HashMap<String, Stored>) -> Self {
        Self {
            config: config.clone(),
            tensors,
        }
    }

    /// The shape of the model.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The bytes that all weights take in memory.
    pub fn byte_count(&self) -> u64 {
        self.tensors.values().map(Stored::byte_count).sum()
    }

    /// The bytes that each tensor takes in memory.
    pub fn tensor_bytes(&self) -> TensorBytes {
        let tensors = self.tensors.iter();
        TensorBytes::new(tensors.map(|(name, stored)| (name.clone(), stored.byte_count())))
    }

    /// The bytes that a number takes in memory, rounded up; where tensors differ, the most.
    pub fn bytes_per_number(&self) -> u64 {
        let sizes = self.tensors.values().map(|stored| {
            let n_numbers = stored.element_count() as u64;
            stored.byte_count().div_ceil(n_numbers.max(1))
        });
        sizes.max().unwrap_or(4)
    }

    /// Numbers of the part of a tensor that `slice` is, row by row as the tensor lies: rows `rows` (a
    /// vector has one) and `columns`, both counted from the slice's first. None if there is no such
    /// tensor or part.
    pub fn read(
        &self,
        slice: &WeightSlice,
        rows: Range<usize>,
        columns: Range<usize>,
    ) -> Option<Vec<f32>> {
        if rows.end > slice.rows.len || columns.end > slice.columns.len {
            return None;
        }
        let tensor = self.tensor(&slice.key)?;
        let part = if tensor.rank() == 1 {
            picked(&tensor, 0, &slice.columns, columns)
        } else {
            picked(&tensor, 0, &slice.rows, rows)
                .and_then(|part| picked(&part, 1, &slice.columns, columns))
        };
        part.and_then(|part| part.to_dtype(DType::F32)?.flatten_all()?.to_vec1())
            .ok()
    }

    /// A tensor in the checkpoint's own shape.
    fn tensor(&self, key: &str) -> Option<Tensor> {
        let stored = self.tensors.get(key)?;
        let tensor = stored.dequantized().ok()?;
        let is_turned =
            matches!(stored, Stored::Quantized(_)) && is_in_out(self.config.family, key);
        if is_turned {
            tensor.t().ok()
        } else {
            Some(tensor)
        }
    }
}

/// Those indices of a tensor's dimension that `stripes` has at `range`.
fn picked(tensor: &Tensor, dim: usize, stripes: &Stripes, range: Range<usize>) -> Result<Tensor> {
    if stripes.is_one() {
        return tensor.narrow(dim, stripes.index(range.start), range.len());
    }
    let indices: Vec<u32> = range.map(|at| stripes.index(at) as u32).collect();
    tensor.index_select(&Tensor::new(indices, tensor.device())?, dim)
}
