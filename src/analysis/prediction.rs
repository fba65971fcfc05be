//! What a row of logits predicts.

/// A token that may come next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The token.
    pub token: u32,
    /// Its probability, 0 to 1.
    pub probability: f32,
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
}
