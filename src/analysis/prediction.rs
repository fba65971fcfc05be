//! What a row of logits predicts.

use crate::attribution::kl_divergence;
use crate::trace::{Candidate, LensReading};

impl LensReading {
    /// What `logits`, `[d_vocab]`, predict, beside the pass's own, `last`; the `n_top` most probable
    /// tokens of it.
    pub fn of(logits: &[f32], last: &[f32], n_top: usize) -> Self {
        Self {
            top: top_candidates(logits, n_top),
            entropy: prediction_entropy(logits),
            kl: kl_divergence(last, logits),
        }
    }
}

/// The entropy of the prediction that `logits`, `[d_vocab]`, make, in nats; NaN where a logit is.
pub fn prediction_entropy(logits: &[f32]) -> f32 {
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    // H = ln Z - sum e ln e / Z, with e = exp(logit - greatest) and Z their sum.
    let (mut sum, mut weighted) = (0.0f64, 0.0f64);
    for logit in logits {
        let above = f64::from(*logit) - f64::from(greatest);
        let share = above.exp();
        sum += share;
        if share != 0.0 {
            weighted += share * above;
        }
    }
    (sum.ln() - weighted / sum) as f32
}

/// The `n` most probable tokens of `logits`, `[d_vocab]`, most probable first; of equal ones the
/// lower token. Fewer where there are fewer, none where a logit is NaN or plus infinity.
pub fn top_candidates(logits: &[f32], n: usize) -> Vec<Candidate> {
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits
        .iter()
        .map(|logit| f64::from((logit - greatest).exp()))
        .sum();
    if !sum.is_finite() || !greatest.is_finite() {
        return Vec::new();
    }
    // The best so far, best first: few of many ever get in.
    let mut best: Vec<u32> = Vec::with_capacity(n + 1);
    for (token, logit) in logits.iter().enumerate() {
        let is_full = best.len() == n;
        if is_full
            && best
                .last()
                .is_none_or(|last| *logit <= logits[*last as usize])
        {
            continue;
        }
        let place = best.partition_point(|other| logits[*other as usize] >= *logit);
        best.insert(place, token as u32);
        best.truncate(n);
    }
    best.into_iter()
        .map(|token| Candidate {
            token,
            probability: (f64::from(logits[token as usize] - greatest).exp() / sum) as f32,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_probable_come_first_and_all_sum_to_one() {
        let logits = [0.0, 2.0, -1.0, 2.0, f32::NEG_INFINITY];

        let all = top_candidates(&logits, 9);
        let two = top_candidates(&logits, 2);

        let tokens: Vec<u32> = all.iter().map(|candidate| candidate.token).collect();
        assert_eq!(tokens, [1, 3, 0, 2, 4]);
        let sum: f32 = all.iter().map(|candidate| candidate.probability).sum();
        assert!((sum - 1.0).abs() < 1e-6);
        assert_eq!(two, all[..2]);
    }

    #[test]
    fn large_logits_do_not_overflow_and_broken_ones_predict_nothing() {
        assert!((top_candidates(&[1e4, 0.0], 1)[0].probability - 1.0).abs() < 1e-6);
        assert!(top_candidates(&[0.0, f32::NAN], 2).is_empty());
        assert!(top_candidates(&[0.0, f32::INFINITY], 2).is_empty());
        assert!(top_candidates(&[], 2).is_empty());
        assert!(top_candidates(&[1.0], 0).is_empty());
    }

    #[test]
    fn entropy_is_that_of_the_probabilities() {
        let even = [7.0; 4];
        let certain = [0.0, f32::NEG_INFINITY];
        // Probabilities 3/4 and 1/4.
        let uneven = [3.0f32.ln(), 0.0];

        assert!((prediction_entropy(&even) - 4.0f32.ln()).abs() < 1e-6);
        assert_eq!(prediction_entropy(&certain), 0.0);
        let expected = -(0.75 * 0.75f32.ln() + 0.25 * 0.25f32.ln());
        assert!((prediction_entropy(&uneven) - expected).abs() < 1e-6);
        assert!(prediction_entropy(&[0.0, f32::NAN]).is_nan());
    }

    #[test]
    fn a_reading_of_the_last_layer_differs_in_nothing_from_the_pass() {
        let last = [0.0, 2.0, -1.0];

        let reading = LensReading::of(&last, &last, 1);

        assert_eq!((reading.top[0].token, reading.kl), (1, 0.0));
        assert!(LensReading::of(&[2.0, 0.0, 0.0], &last, 1).kl > 0.1);
    }
}
