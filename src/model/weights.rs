//! The learned weights, to be looked at.

use std::collections::HashMap;
use std::ops::Range;

use candle_core::quantized::{QStorage, QTensor};
use candle_core::{DType, Device, Result, Tensor};

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
        let part = match self.tensors.get(&slice.key)? {
            Stored::Plain(tensor) if tensor.rank() == 1 => {
                picked(tensor, 0, &slice.columns, columns)
            }
            Stored::Plain(tensor) => picked(tensor, 0, &slice.rows, rows)
                .and_then(|part| picked(&part, 1, &slice.columns, columns)),
            Stored::Quantized(matrix) => {
                let (rows, columns) = ((&slice.rows, rows), (&slice.columns, columns));
                if is_in_out(self.config.family, &slice.key) {
                    dequantized(matrix, columns, rows).and_then(|part| part.t())
                } else {
                    dequantized(matrix, rows, columns)
                }
            }
        };
        part.and_then(|part| part.to_dtype(DType::F32)?.flatten_all()?.to_vec1())
            .ok()
    }
}

/// Rows and columns of a quantised matrix; of no other row a number is computed.
fn dequantized(
    matrix: &QTensor,
    (rows, row_range): (&Stripes, Range<usize>),
    (columns, column_range): (&Stripes, Range<usize>),
) -> Result<Tensor> {
    let (_, n_columns) = matrix.shape().dims2()?;
    let dtype = matrix.dtype();
    let row_bytes = n_columns / dtype.block_size() * dtype.type_size();
    let stored = matrix.data()?;
    let n_rows = row_range.len();
    let mut bytes = Vec::with_capacity(n_rows * row_bytes);
    for at in row_range {
        let first = rows.index(at) * row_bytes;
        bytes.extend_from_slice(&stored[first..first + row_bytes]);
    }
    let storage = QStorage::from_data(bytes.into(), &Device::Cpu, dtype)?;
    let part = QTensor::new(storage, (n_rows, n_columns))?.dequantize(&Device::Cpu)?;
    picked(&part, 1, columns, column_range)
}

/// Those indices of a tensor's dimension that `stripes` has at `range`.
fn picked(tensor: &Tensor, dim: usize, stripes: &Stripes, range: Range<usize>) -> Result<Tensor> {
    if stripes.is_one() {
        return tensor.narrow(dim, stripes.index(range.start), range.len());
    }
    let indices: Vec<u32> = range.map(|at| stripes.index(at) as u32).collect();
    tensor.index_select(&Tensor::new(indices, tensor.device())?, dim)
}
