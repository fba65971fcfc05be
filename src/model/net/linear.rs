//! Projections: a matrix and perhaps a bias, stored either way round, in full or quantised.

use candle_core::quantized::{QMatMul, QTensor};
use candle_core::{Module as _, Result, Tensor};
use std::sync::Arc;

use super::product::product;
use crate::model::tensors::{Stored, Tensors};

/// `xs * weight + bias`.
pub(in crate::model) struct Linear {
    weight: Matrix,
    bias: Option<Tensor>, // [out]
    n_out: usize,
}

/// How a checkpoint stores a projection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    /// `[in, out]`, as GPT-2's `Conv1D`.
    InOut,
    /// `[out, in]`, as all others.
    OutIn,
}

enum Matrix {
    Plain(Tensor), // [in, out], perhaps a view of [out, in]
    Quantized {
        stored: Arc<QTensor>, // [out, in]
        product: QMatMul,
    },
}

impl Linear {
    /// Takes `{name}.weight` and, with `has_bias`, `{name}.bias`.
    pub(super) fn load(
        tensors: &Tensors<'_>,
        name: &str,
        (n_in, n_out): (usize, usize),
        stand: Stand,
        has_bias: bool,
    ) -> Result<Self> {
        let bias = has_bias.then(|| tensors.plain(&format!("{name}.bias"), &[n_out]));
        Ok(Self {
            bias: bias.transpose()?,
            ..Self::unbiased(tensors, &format!("{name}.weight"), (n_in, n_out), stand)?
        })
    }

    /// Takes the matrix of this name alone.
    pub(super) fn unbiased(
        tensors: &Tensors<'_>,
        weight: &str,
        (n_in, n_out): (usize, usize),
        stand: Stand,
    ) -> Result<Self> {
        let (shape, is_in_out) = match stand {
            Stand::InOut => ([n_in, n_out], true),
            Stand::OutIn => ([n_out, n_in], false),
        };
        let weight = match tensors.matrix(weight, shape, is_in_out)? {
            Stored::Plain(tensor) if is_in_out => Matrix::Plain(tensor),
            Stored::Plain(tensor) => Matrix::Plain(tensor.t()?),
            Stored::Quantized(stored) => Matrix::Quantized {
                product: QMatMul::from_arc(stored.clone())?,
                stored,
            },
        };
        Ok(Self {
            weight,
            bias: None,
            n_out,
        })
    }

    /// `xs`, `[batch, pos, in]`, projected: `[batch, pos, out]`.
    pub(super) fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let (n_batch, n_pos, n_in) = xs.dims3()?;
        // One flat product: a batched one would copy the weight for every batch entry.
        let flat = xs.reshape((n_batch * n_pos, n_in))?; // [batch * pos, in]
        self.rows(&flat)?.reshape((n_batch, n_pos, self.n_out)) // [batch, pos, out]
    }

    /// Rows, `[n, in]`, projected: `[n, out]`.
    pub(super) fn rows(&self, rows: &Tensor) -> Result<Tensor> {
        let out = match &self.weight {
            Matrix::Plain(weight) => product(rows, weight)?,
            Matrix::Quantized { product, .. } if !rows.track_op() => product.forward(rows)?,
            Matrix::Quantized { .. } => product(rows, &self.matrix()?)?,
        };
        match &self.bias {
            Some(bias) => out.broadcast_add(bias),
            None => Ok(out),
        }
    }

    /// The matrix, `[in, out]`.
    pub(in crate::model) fn matrix(&self) -> Result<Tensor> {
        match &self.weight {
            Matrix::Plain(weight) => Ok(weight.clone()),
            Matrix::Quantized { stored, .. } => stored.dequantize(&stored.device())?.t(),
        }
    }

    /// One column of the matrix, `[in]`.
    pub(in crate::model) fn column(&self, index: usize) -> Result<Tensor> {
        self.matrix()?.narrow(1, index, 1)?.flatten_all()
    }

    /// The bias, `[out]`, if there is one.
    pub(in crate::model) fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }
}
