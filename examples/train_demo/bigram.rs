//! The baseline: a table of which token follows which.

/// Held-out loss in nats per token of a bigram table counted on `train`, mixed with single-token
/// counts so that no pair is impossible.
pub fn held_out_loss(train: &[u32], held_out: &[u32], vocab_size: usize) -> f64 {
    // A tenth of the mass goes to the single-token counts; better than add-one, which drowns
    // rare tokens in a vocabulary of a thousand.
    const SINGLE_SHARE: f64 = 0.1;

    let mut singles = vec![1.0; vocab_size];
    let mut pairs = vec![0.0; vocab_size * vocab_size];
    let mut firsts = vec![0.0; vocab_size];
    for pair in train.windows(2) {
        let (first, second) = (pair[0] as usize, pair[1] as usize);
        singles[second] += 1.0;
        firsts[first] += 1.0;
        pairs[first * vocab_size + second] += 1.0;
    }
    let total: f64 = singles.iter().sum();

    let losses = held_out.windows(2).map(|pair| {
        let (first, second) = (pair[0] as usize, pair[1] as usize);
        let single = singles[second] / total;
        let seen: f64 = firsts[first];
        let follows = if seen > 0.0 {
            pairs[first * vocab_size + second] / seen
        } else {
            single
        };
        -(SINGLE_SHARE * single + (1.0 - SINGLE_SHARE) * follows).ln()
    });
    losses.sum::<f64>() / (held_out.len() - 1) as f64
}
