//! Projections: a matrix and perhaps a bias, stored either way round, in full or quantised.

use candle_core::quantized::{QMatMul, QTensor};
use candle_core::{D, Module as _, Result, Tensor};
use std::sync::Arc;

use super::product::product;
use crate::model::kernel::{self, Weight};
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
    InOut(Tensor),
    OutIn(Tensor),
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
            Stored::Plain(tensor) if is_in_out => Matrix::InOut(tensor),
            Stored::Plain(tensor) => Matrix::OutIn(tensor),
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

    /// `xs`, `[.., in]`, projected: `[.., out]`.
    pub(in crate::model) fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let [out] = self.parts(xs, [self.n_out])?;
        Ok(out) // [.., out]
    }

    /// `xs`, `[.., in]`, projected, the columns dealt out to tensors of so many columns:
    /// `[.., width]` each.
    pub(super) fn parts<const N: usize>(
        &self,
        xs: &Tensor,
        widths: [usize; N],
    ) -> Result<[Tensor; N]> {
        let turned;
        let weight = match &self.weight {
            Matrix::InOut(weight) => {
                turned = weight.t()?;
                Weight::Plain(&turned)
            }
            Matrix::OutIn(weight) => Weight::Plain(weight),
            Matrix::Quantized { stored, .. } => Weight::Quantized(stored),
        };
        if let Some(parts) = kernel::product(xs, weight, self.bias.as_ref(), widths)? {
            return Ok(parts);
        }
        let out = self.plain(xs)?; // [.., out]
        let mut parts = widths.map(|_| out.clone());
        let mut first = 0;
        for (part, width) in parts.iter_mut().zip(widths) {
            *part = part.narrow(D::Minus1, first, width)?;
            first += width;
        }
        Ok(parts)
    }

    /// As [`forward`](Self::forward), by operations that can be differentiated.
    fn plain(&self, xs: &Tensor) -> Result<Tensor> {
        // One flat product: a batched one would copy the weight for every batch entry.
        let mut shape = xs.dims().to_vec();
        let n_in = shape.pop().unwrap_or(0);
        let rows = xs.reshape(((), n_in))?; // [n, in]
        let out = match &self.weight {
            Matrix::Quantized { product, .. } if !rows.track_op() => product.forward(&rows)?,
            _ => product(&rows, &self.matrix()?)?,
        };
        let out = match &self.bias {
            Some(bias) => out.broadcast_add(bias)?,
            None => out,
        };
        shape.push(self.n_out);
        out.reshape(shape) // [.., out]
    }

    /// The matrix, `[in, out]`.
    pub(in crate::model) fn matrix(&self) -> Result<Tensor> {
        match &self.weight {
            Matrix::InOut(weight) => Ok(weight.clone()),
            Matrix::OutIn(weight) => weight.t(),
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
