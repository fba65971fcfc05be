//! Rotary position embeddings: by which angles queries and keys are turned.
//!
//! Su et al. 2021, "RoFormer" (arXiv 2104.09864).

use std::f64::consts::PI;

/// How queries and keys are rotated by their positions.
///
/// The first values of a head are taken as pairs, value `i` with value `i + n_pairs`; at position
/// `pos` a pair is turned by `pos * inv_freqs[i]` radians.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rotary {
    /// How many values of each head are rotated, at most `d_head`; if it is odd, one more.
    pub dim: usize,
    /// The base of the wave lengths.
    pub theta: f64,
    /// How the angles are stretched beyond the context of training.
    pub scaling: RotaryScaling,
}

/// How angles are stretched so that a longer text fits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RotaryScaling {
    /// Not at all.
    Default,
    /// All alike (Chen et al. 2023, arXiv 2306.15595).
    Linear {
        /// How many times slower.
        factor: f64,
    },
    /// Slow turns only, as Llama 3.1 does: those of more than `original_n_ctx / low_freq_factor`
    /// positions are stretched, those of fewer than `original_n_ctx / high_freq_factor` are not, and
    /// between the two it goes smoothly over.
    Llama3 {
        /// How many times slower the slowest turn.
        factor: f64,
        /// Turns to the original context below which all of the factor counts.
        low_freq_factor: f64,
        /// Turns to the original context above which none of it does.
        high_freq_factor: f64,
        /// The context of training, in tokens.
        original_n_ctx: usize,
    },
}

impl Rotary {
    /// Pairs of values that are turned.
    pub fn n_pairs(&self) -> usize {
        self.dim.div_ceil(2)
    }

    /// Radians per position of each pair, `[n_pairs]`.
    ///
    /// Computed in f32 where transformers computes in f32, so that far positions agree.
    pub fn inv_freqs(&self) -> Vec<f32> {
        let pairs = (0..self.n_pairs()).map(|pair| {
            let power = (2 * pair) as f32 / self.dim as f32;
            1.0 / (self.theta as f32).powf(power)
        });
        pairs.map(|inv_freq| self.stretched(inv_freq)).collect()
    }

    fn stretched(&self, inv_freq: f32) -> f32 {
        match self.scaling {
            RotaryScaling::Default => inv_freq,
            RotaryScaling::Linear { factor } => inv_freq / factor as f32,
            RotaryScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_n_ctx,
            } => {
                let original = original_n_ctx as f64;
                let wave_length = 2.0 * PI / f64::from(inv_freq);
                let slow = f64::from(inv_freq) / factor;
                if wave_length > original / low_freq_factor {
                    return slow as f32;
                }
                if wave_length < original / high_freq_factor {
                    return inv_freq;
                }
                let share = (original / wave_length - low_freq_factor)
                    / (high_freq_factor - low_freq_factor);
                ((1.0 - share) * slow + share * f64::from(inv_freq)) as f32
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pair_turns_a_radian_a_position_and_the_last_hardly() {
        let rotary = Rotary {
            dim: 8,
            theta: 10_000.0,
            scaling: RotaryScaling::Default,
        };

        let inv_freqs = rotary.inv_freqs();

        assert_eq!(inv_freqs.len(), 4);
        for (got, expected) in inv_freqs.iter().zip([1.0, 0.1, 0.01, 0.001]) {
            assert!((got - expected).abs() < 1e-6, "{inv_freqs:?}");
        }
    }

    #[test]
    fn linear_scaling_slows_every_pair_alike() {
        let plain = Rotary {
            dim: 8,
            theta: 10_000.0,
            scaling: RotaryScaling::Default,
        };
        let slow = Rotary {
            scaling: RotaryScaling::Linear { factor: 4.0 },
            ..plain
        };

        for (slow, plain) in slow.inv_freqs().iter().zip(plain.inv_freqs()) {
            assert!((slow * 4.0 - plain).abs() < 1e-6);
        }
    }

    /// The values are those of transformers for Llama 3.2 1B: dimension 64, base 500,000, factor 32,
    /// low 1, high 4, original context 8,192.
    #[test]
    fn llama3_scaling_keeps_fast_turns_and_slows_slow_ones() {
        let rotary = Rotary {
            dim: 64,
            theta: 500_000.0,
            scaling: RotaryScaling::Llama3 {
                factor: 32.0,
                low_freq_factor: 1.0,
                high_freq_factor: 4.0,
                original_n_ctx: 8192,
            },
        };

        let inv_freqs = rotary.inv_freqs();

        let plain = |pair: usize| 500_000f32.powf(-(pair as f32) / 32.0);
        assert!((inv_freqs[0] - 1.0).abs() < 1e-6);
        assert!((inv_freqs[10] / plain(10) - 1.0).abs() < 1e-5);
        assert!((inv_freqs[31] / plain(31) - 1.0 / 32.0).abs() < 1e-5);
        assert!(inv_freqs.is_sorted_by(|a, b| a > b));
    }
}
