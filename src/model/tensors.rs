//! The weights of a checkpoint in memory, by name.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Result, Tensor, bail};

use super::kernel;
use crate::config::{Family, ModelConfig};
use crate::weight::WeightPoint;

/// A weight in memory.
#[derive(Clone, Debug)]
pub enum Stored {
    /// Numbers, in the checkpoint's own shape. Of a matrix for kernels those that an output is made of
    /// lie side by side in memory, whatever the shape.
    Plain(Tensor),
    /// A matrix in blocks of a few bits a number, always `[out, in]`, also where the checkpoint has
    /// `[in, out]`.
    Quantized(Arc<QTensor>),
}

impl Stored {
    /// The bytes that it takes.
    pub fn byte_count(&self) -> u64 {
        match self {
            Self::Plain(tensor) => (tensor.elem_count() * tensor.dtype().size_in_bytes()) as u64,
            Self::Quantized(tensor) => tensor.storage_size_in_bytes() as u64,
        }
    }

    /// How many numbers it holds.
    pub fn element_count(&self) -> usize {
        match self {
            Self::Plain(tensor) => tensor.elem_count(),
            Self::Quantized(tensor) => tensor.shape().elem_count(),
        }
    }

    /// The numbers, a quantised matrix as `[out, in]` and f32.
    pub(super) fn dequantized(&self) -> Result<Tensor> {
        match self {
            Self::Plain(tensor) => Ok(tensor.clone()),
            Self::Quantized(tensor) => tensor.dequantize(&tensor.device()),
        }
    }
}

impl From<Tensor> for Stored {
    fn from(tensor: Tensor) -> Self {
        Self::Plain(tensor)
    }
}

/// A matrix in blocks of a few bits a number; `is_in_out` if it lies `[in, out]`.
pub(super) fn quantized(matrix: &Tensor, dtype: GgmlDType, is_in_out: bool) -> Result<Stored> {
    let out_in = if is_in_out {
        matrix.t()?.contiguous()?
    } else {
        matrix.clone()
    };
    Ok(Stored::Quantized(Arc::new(QTensor::quantize(
        &out_in, dtype,
    )?)))
}

/// A matrix `[in, out]` as kernels want it in memory, where it is for kernels: column after column.
pub(super) fn by_columns(matrix: Tensor) -> Result<Tensor> {
    if matrix.is_variable() || matrix.t()?.is_contiguous() {
        return Ok(matrix);
    }
    Ok(kernel::by_columns(&matrix)?.unwrap_or(matrix))
}

/// Whether checkpoints of this family have this tensor as `[in, out]`.
pub(super) fn is_in_out(family: Family, key: &str) -> bool {
    family == Family::Gpt2 && key.starts_with("h.")
}

/// The weights that a net is built from.
pub(super) struct Tensors<'a> {
    by_name: &'a HashMap<String, Stored>,
}

impl<'a> Tensors<'a> {
    pub(super) fn new(by_name: &'a HashMap<String, Stored>) -> Self {
        Self { by_name }
    }

    fn stored(&self, name: &str) -> Result<&'a Stored> {
        match self.by_name.get(name) {
            Some(stored) => Ok(stored),
            None => bail!("there is no weight {name:?}"),
        }
    }

    /// The name of the unembedding: its own, or the embedding's where it has none. A tied one has one
    /// of its own where it is kept quantised beside the embedding.
    pub(super) fn unembedding(&self, config: &ModelConfig) -> String {
        let own = config.family.own_unembedding();
        match self.by_name.contains_key(own) {
            true => own.to_owned(),
            false => config.weight_slice(WeightPoint::Unembed).key,
        }
    }

    /// A vector or a table, `shape`, as numbers.
    pub(super) fn plain(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let tensor = self.stored(name)?.dequantized()?;
        check_shape(name, tensor.dims(), shape)?;
        Ok(tensor)
    }

    /// A matrix; `shape` is the checkpoint's, `is_in_out` whether that is `[in, out]`.
    pub(super) fn matrix(&self, name: &str, shape: [usize; 2], is_in_out: bool) -> Result<Stored> {
        let stored = self.stored(name)?;
        match stored {
            Stored::Plain(tensor) => check_shape(name, tensor.dims(), &shape)?,
            Stored::Quantized(tensor) => {
                let [first, last] = shape;
                let out_in = if is_in_out { [last, first] } else { shape };
                check_shape(name, tensor.shape().dims(), &out_in)?;
            }
        }
        Ok(stored.clone())
    }
}

fn check_shape(name: &str, got: &[usize], expected: &[usize]) -> Result<()> {
    if got != expected {
        bail!("weight {name:?} has shape {got:?}, expected {expected:?}");
    }
    Ok(())
}
