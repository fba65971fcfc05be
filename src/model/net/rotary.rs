//! Turns queries and keys by their positions.

use candle_core::{D, DType, Device, Result, Tensor};

use crate::config::Rotary;
use crate::model::kernel;

/// Cosines and sines of the angles at a run of positions.
pub(super) struct Turns {
    cos: Tensor, // [pos, 1, pair]
    sin: Tensor, // [pos, 1, pair]
    n_pairs: usize,
}

impl Turns {
    /// The turns at `n_pos` positions from `first_pos` on.
    pub(super) fn new(
        rotary: &Rotary,
        (first_pos, n_pos): (usize, usize),
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let inv_freqs = rotary.inv_freqs();
        let angles: Vec<f32> = (first_pos..first_pos + n_pos)
            .flat_map(|pos| inv_freqs.iter().map(move |inv_freq| pos as f32 * inv_freq))
            .collect();
        let angles = Tensor::from_vec(angles, (n_pos, 1, rotary.n_pairs()), device)?;
        Ok(Self {
            cos: angles.cos()?.to_dtype(dtype)?,
            sin: angles.sin()?.to_dtype(dtype)?,
            n_pairs: rotary.n_pairs(),
        })
    }

    /// `heads`, `[batch, pos, head, d_head]`, each turned by its position: value `i` of the rotated
    /// part with value `i + n_pairs`.
    pub(super) fn apply(&self, heads: &Tensor) -> Result<Tensor> {
        if let Some(turned) = kernel::turn(heads, &self.cos, &self.sin)? {
            return Ok(turned);
        }
        let d_head = heads.dim(D::Minus1)?;
        let half = self.n_pairs;
        let first = heads.narrow(D::Minus1, 0, half)?;
        let second = heads.narrow(D::Minus1, half, half)?;
        let turned =
            |a: &Tensor, b: &Tensor| a.broadcast_mul(&self.cos)? + b.broadcast_mul(&self.sin)?;
        let turned_first = turned(&first, &second.neg()?)?;
        let turned_second = turned(&second, &first)?;
        if 2 * half == d_head {
            return Tensor::cat(&[turned_first, turned_second], D::Minus1);
        }
        let rest = heads.narrow(D::Minus1, 2 * half, d_head - 2 * half)?;
        Tensor::cat(&[turned_first, turned_second, rest], D::Minus1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RotaryScaling;

    #[test]
    fn a_quarter_turn_swaps_a_pair_and_leaves_the_rest() {
        let rotary = Rotary {
            dim: 2,
            theta: 10_000.0,
            scaling: RotaryScaling::Default,
        };
        let heads = Tensor::new(&[[[[1.0f32, 2.0, 7.0]]]], &Device::Cpu).unwrap();

        let turns = Turns::new(&rotary, (3, 1), DType::F32, &Device::Cpu).unwrap();
        let turned = turns.apply(&heads).unwrap().flatten_all().unwrap();

        let turned = turned.to_vec1::<f32>().unwrap();
        let (sin, cos) = 3f32.sin_cos();
        for (got, expected) in turned.iter().zip([cos - 2.0 * sin, 2.0 * cos + sin, 7.0]) {
            assert!((got - expected).abs() < 1e-6, "{turned:?}");
        }
    }
}
