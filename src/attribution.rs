//! What is asked of a prediction, and what its answer is: a target logit, and what of the pass it
//! hangs on.
//!
//! The model computes these values; [`analysis`](crate::analysis) brings them down to what plots show.

use thiserror::Error;

use crate::ablation::Ablation;
use crate::trace::ActivationCache;

/// Which logit is explained, as it is asked for: what is left open is chosen by
/// [`choose`](Self::choose).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TargetWish {
    /// The position whose prediction is explained; without one, the text's last.
    pub pos: Option<usize>,
    /// The token whose logit is explained; without one, the most probable there.
    pub token: Option<u32>,
    /// A token whose logit is taken off, so that the difference of two is explained.
    pub minus: Option<u32>,
}

/// Which number is explained: a token's logit at a position, or by how much it exceeds another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The position whose prediction is explained.
    pub pos: usize,
    /// The token whose logit is explained.
    pub token: u32,
    /// The token whose logit is taken off, if one is.
    pub minus: Option<u32>,
}

/// Why there is no such target.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TargetError {
    /// There is no text.
    #[error("there is no text yet, so nothing was predicted; begin one first")]
    NoText,
    /// The position is beyond the text.
    #[error("position {pos} is not in the text; its positions go from 0 to {last}")]
    NoPosition {
        /// The position asked for.
        pos: usize,
        /// The last there is.
        last: usize,
    },
    /// The vocabulary has no such token.
    #[error("the vocabulary has no token {token}; its tokens go from 0 to {}", d_vocab - 1)]
    NoToken {
        /// The token asked for.
        token: u32,
        /// How many tokens there are.
        d_vocab: usize,
    },
    /// Both tokens are the same.
    #[error("token {token} is compared with itself; the difference is zero whatever the pass does")]
    Same {
        /// The token.
        token: u32,
    },
    /// No logit is the greatest.
    #[error("the logits at position {pos} are not all numbers, so there is no most probable token")]
    NotFinite {
        /// The position.
        pos: usize,
    },
}

impl TargetWish {
    /// The position it means in a text of `n_pos` positions.
    ///
    /// # Errors
    ///
    /// If the text has no such position.
    pub fn position(&self, n_pos: usize) -> Result<usize, TargetError> {
        let last = n_pos.checked_sub(1).ok_or(TargetError::NoText)?;
        match self.pos {
            Some(pos) if pos > last => Err(TargetError::NoPosition { pos, last }),
            pos => Ok(pos.unwrap_or(last)),
        }
    }

    /// The target it means at `pos`, whose logits are `logits`, `[d_vocab]`.
    ///
    /// # Errors
    ///
    /// If the vocabulary has no such token, both tokens are the same, or no logit is the greatest.
    pub fn choose(&self, pos: usize, logits: &[f32]) -> Result<Target, TargetError> {
        let d_vocab = logits.len();
        for token in [self.token, self.minus].into_iter().flatten() {
            if token as usize >= d_vocab {
                return Err(TargetError::NoToken { token, d_vocab });
            }
        }
        let token = match self.token {
            Some(token) => token,
            None => most_probable(logits).ok_or(TargetError::NotFinite { pos })?,
        };
        if self.minus == Some(token) {
            return Err(TargetError::Same { token });
        }
        Ok(Target {
            pos,
            token,
            minus: self.minus,
        })
    }
}

/// The token of the greatest logit; of equal ones the lower. None where a logit is NaN.
fn most_probable(logits: &[f32]) -> Option<u32> {
    let mut best: Option<(usize, f32)> = None;
    for (token, logit) in logits.iter().enumerate() {
        if logit.is_nan() {
            return None;
        }
        if best.is_none_or(|(_, greatest)| *logit > greatest) {
            best = Some((token, *logit));
        }
    }
    best.map(|(token, _)| token as u32)
}

impl Target {
    /// The number itself, of the logits at its position, `[d_vocab]`.
    pub fn value(&self, logits: &[f32]) -> f32 {
        let minus = self.minus.map_or(0.0, |token| logits[token as usize]);
        logits[self.token as usize] - minus
    }
}

/// Where integrated gradients begin: what stands in place of every token's embedding there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Baseline {
    /// Zeros.
    #[default]
    Zero,
    /// The mean of the vocabulary's embeddings.
    Mean,
    /// One token's embedding at every position.
    Token(u32),
}

/// How integrated gradients are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IntegrationSettings {
    /// Points on the straight way from the baseline to the text, each the middle of its step; 1 or
    /// more.
    pub n_steps: usize,
    /// Where it begins.
    pub baseline: Baseline,
}

impl Default for IntegrationSettings {
    fn default() -> Self {
        Self {
            n_steps: 64,
            baseline: Baseline::Zero,
        }
    }
}

/// How a target changes with every number of a pass over the whole text up to its position.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    /// What is differentiated.
    pub target: Target,
    /// Its value.
    pub value: f32,
    /// d target / d value, of the shape of each hook point's values.
    pub gradients: ActivationCache,
    /// The values themselves, as this pass computed them.
    pub values: ActivationCache,
}

/// What each token's embedding adds to a target on the way from a baseline to the text.
///
/// Sundararajan, Taly and Yan 2017, "Axiomatic Attribution for Deep Networks".
#[derive(Clone, Debug, PartialEq)]
pub struct IntegratedGradients {
    /// What is explained.
    pub target: Target,
    /// How it was computed.
    pub settings: IntegrationSettings,
    /// By position, `[pos]`: the mean gradient along the way times the embedding less the baseline,
    /// summed over `d_model`.
    pub by_pos: Vec<f32>,
    /// The target's value for the text.
    pub value: f32,
    /// The target's value for the baseline.
    pub baseline_value: f32,
}

impl IntegratedGradients {
    /// By how much the positions' sum misses the difference that it should be: completeness would
    /// make it zero.
    pub fn completeness_error(&self) -> f32 {
        let sum: f64 = self.by_pos.iter().copied().map(f64::from).sum();
        (sum - (f64::from(self.value) - f64::from(self.baseline_value))) as f32
    }
}

/// What each part of the residual stream at the target's position adds to the target directly, with
/// the final norm's scale held at what it is. All parts sum to the target.
///
/// Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits".
#[derive(Clone, Debug, PartialEq)]
pub struct DirectAttribution {
    /// What is explained.
    pub target: Target,
    /// Its value, as the pass computed it.
    pub value: f32,
    /// The token embedding's part.
    pub embed: f32,
    /// The position embedding's part; zero in models without one.
    pub pos_embed: f32,
    /// Each head's part, `[layer][head]`.
    pub heads: Vec<Vec<f32>>,
    /// The part of each number of `attn.hook_z`, `[layer][head * d_head]`: heads one after the other.
    pub z: Vec<Vec<f32>>,
    /// The part of each attention's output bias, `[layer]`.
    pub attn_bias: Vec<f32>,
    /// Each neuron's part, `[layer][neuron]`.
    pub neurons: Vec<Vec<f32>>,
    /// The part of each MLP's output bias, `[layer]`.
    pub mlp_bias: Vec<f32>,
    /// The part of the final norm's bias.
    pub bias: f32,
    /// The direction that reads the target off the stream, `[d_model]`: a vector's part is its dot
    /// product with it.
    pub direction: Vec<f32>,
}

impl DirectAttribution {
    /// What a layer's attention adds: its heads and its bias.
    pub fn attention(&self, layer: usize) -> f32 {
        self.heads[layer].iter().sum::<f32>() + self.attn_bias[layer]
    }

    /// What a layer's MLP adds: its neurons and its bias.
    pub fn mlp(&self, layer: usize) -> f32 {
        self.neurons[layer].iter().sum::<f32>() + self.mlp_bias[layer]
    }

    /// The sum of all parts, which is the target's value.
    pub fn sum(&self) -> f32 {
        let layers = (0..self.heads.len()).map(|layer| self.attention(layer) + self.mlp(layer));
        self.embed + self.pos_embed + layers.sum::<f32>() + self.bias
    }
}

/// What setting parts of the pass to zero does to what the model predicts.
#[derive(Clone, Debug, PartialEq)]
pub struct AblationEffect {
    /// What is set to zero.
    pub parts: Vec<Ablation>,
    /// What is watched.
    pub target: Target,
    /// The target's value in the pass as it is.
    pub value_before: f32,
    /// Its value with the parts set to zero.
    pub value_after: f32,
    /// The logits at the target's position as they are, `[d_vocab]`.
    pub logits_before: Vec<f32>,
    /// The same with the parts set to zero, `[d_vocab]`.
    pub logits_after: Vec<f32>,
    /// Kullback-Leibler divergence of the prediction with the parts set to zero from that as it is, in
    /// nats, by position, `[pos]`: `sum p_before ln(p_before / p_after)`.
    pub kl: Vec<f32>,
}

/// Kullback-Leibler divergence of `q` from `p`, in nats: `sum p ln(p / q)`, where both are the softmax
/// of logits, `[d_vocab]`. NaN where a logit is.
pub fn kl_divergence(p_logits: &[f32], q_logits: &[f32]) -> f32 {
    let (p_log_sum, q_log_sum) = (log_sum_exp(p_logits), log_sum_exp(q_logits));
    let mut sum = 0.0;
    for (p, q) in p_logits.iter().zip(q_logits) {
        let p_log = f64::from(*p) - p_log_sum;
        let p = p_log.exp();
        // What is impossible adds nothing, however impossible it is to `q`.
        if p != 0.0 {
            sum += p * (p_log - (f64::from(*q) - q_log_sum));
        }
    }
    // It is never negative but by rounding.
    if sum < 0.0 { 0.0 } else { sum as f32 }
}

/// `ln(sum exp(logits))`.
fn log_sum_exp(logits: &[f32]) -> f64 {
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let greatest = f64::from(greatest);
    let sum: f64 = logits
        .iter()
        .map(|logit| (f64::from(*logit) - greatest).exp())
        .sum();
    greatest + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_wish_leaves_open_is_the_last_position_and_the_most_probable_token() {
        let wish = TargetWish::default();

        let pos = wish.position(3).unwrap();
        let target = wish.choose(pos, &[0.5, 2.0, 2.0, -1.0]).unwrap();

        assert_eq!((target.pos, target.token, target.minus), (2, 1, None));
        assert_eq!(target.value(&[0.5, 2.0, 2.0, -1.0]), 2.0);
        let difference = TargetWish {
            minus: Some(3),
            ..wish
        };
        let target = difference.choose(0, &[0.5, 2.0, 2.0, -1.0]).unwrap();
        assert_eq!(target.value(&[0.5, 2.0, 2.0, -1.0]), 3.0);
    }

    #[test]
    fn what_is_not_there_is_refused_with_what_there_is() {
        let at = |pos| TargetWish {
            pos: Some(pos),
            ..TargetWish::default()
        };
        let of = |token, minus| TargetWish {
            token,
            minus,
            ..TargetWish::default()
        };
        let far = at(5).position(5).unwrap_err().to_string();
        assert!(
            far.contains("position 5") && far.contains("0 to 4"),
            "{far}"
        );
        assert_eq!(at(0).position(0), Err(TargetError::NoText));
        let logits = [1.0, 0.0];
        let unknown = of(Some(2), None).choose(0, &logits).unwrap_err();
        assert!(unknown.to_string().contains("0 to 1"), "{unknown}");
        let unknown = of(None, Some(7)).choose(0, &logits).unwrap_err();
        assert!(unknown.to_string().contains("token 7"), "{unknown}");
        let same = of(None, Some(0)).choose(0, &logits);
        assert_eq!(same, Err(TargetError::Same { token: 0 }));
        let broken = of(None, None).choose(4, &[0.0, f32::NAN]);
        assert_eq!(broken, Err(TargetError::NotFinite { pos: 4 }));
    }

    #[test]
    fn divergence_is_zero_of_equals_and_grows_with_what_is_missed() {
        let even = [0.0, 0.0];
        // Probabilities 3/4 and 1/4.
        let uneven = [3.0f32.ln() + 5.0, 5.0];

        assert_eq!(kl_divergence(&even, &even), 0.0);
        let expected = 0.5 * (0.5f32 / 0.75).ln() + 0.5 * (0.5f32 / 0.25).ln();
        assert!((kl_divergence(&even, &uneven) - expected).abs() < 1e-6);
        let certain = [0.0, f32::NEG_INFINITY];
        assert!((kl_divergence(&certain, &even) - 2.0f32.ln()).abs() < 1e-6);
        assert_eq!(kl_divergence(&even, &certain), f32::INFINITY);
        assert!(kl_divergence(&even, &[0.0, f32::NAN]).is_nan());
    }
}
