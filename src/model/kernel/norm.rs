//! Norms over rows.

use super::fresh::rows;
use super::math::fold;
use super::simd::{Simd, Work, run};

/// How rows are normalized.
#[derive(Clone, Copy, Debug)]
pub(super) enum Norm<'a> {
    /// LayerNorm: mean zero and variance one, then a shift, `[width]`.
    Layer {
        /// What is added.
        bias: &'a [f32],
    },
    /// RMSNorm: mean square one.
    Rms,
}

/// Every row of `xs`, `[n, width]`, normalized and times `weight`, `[width]`.
pub(super) fn normalize(norm: Norm<'_>, xs: &[f32], weight: &[f32], eps: f32) -> Vec<f32> {
    let width = weight.len();
    rows(xs.len(), width, |first, out| {
        run(Normalize {
            norm,
            xs: &xs[first * width..],
            weight,
            eps,
            out,
        });
    })
}

struct Normalize<'a> {
    norm: Norm<'a>,
    xs: &'a [f32],
    weight: &'a [f32],
    eps: f32,
    out: &'a mut [f32],
}

impl Work for Normalize<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let width = self.weight.len();
        let rows = self
            .out
            .chunks_exact_mut(width)
            .zip(self.xs.chunks_exact(width));
        for (out, row) in rows {
            match self.norm {
                Norm::Layer { bias } => layer_norm(simd, row, self.weight, bias, self.eps, out),
                Norm::Rms => rms_norm(simd, row, self.weight, self.eps, out),
            }
        }
    }
}

#[inline(always)]
fn layer_norm<S: Simd>(
    simd: S,
    row: &[f32],
    weight: &[f32],
    bias: &[f32],
    eps: f32,
    out: &mut [f32],
) {
    let n = row.len() as f32;
    let mean = fold(row, 0.0, |sum, x| sum + x, |a, b| a + b) / n;
    let square = |sum, x| {
        let off = x - mean;
        simd.mul_add_one(off, off, sum)
    };
    let variance = fold(row, 0.0, square, |a, b| a + b) / n;
    let scale = 1.0 / (variance + eps).sqrt();
    let terms = row.iter().zip(weight).zip(bias);
    for (out, ((x, weight), bias)) in out.iter_mut().zip(terms) {
        *out = simd.mul_add_one((x - mean) * scale, *weight, *bias);
    }
}

#[inline(always)]
fn rms_norm<S: Simd>(simd: S, row: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let square = |sum, x| simd.mul_add_one(x, x, sum);
    let mean_square = fold(row, 0.0, square, |a, b| a + b) / row.len() as f32;
    let scale = 1.0 / (mean_square + eps).sqrt();
    for (out, (x, weight)) in out.iter_mut().zip(row.iter().zip(weight)) {
        *out = x * scale * weight;
    }
}
