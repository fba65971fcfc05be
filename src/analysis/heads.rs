//! What a head does, read off its pattern.

/// How much a head attends to the token just before: the mean of `pattern[query][query - 1]`.
///
/// `pattern` is `[n_pos, n_pos]`, row by row.
pub fn previous_token_score(pattern: &[f32], n_pos: usize) -> f32 {
    mean((1..n_pos).map(|query| pattern[query * n_pos + query - 1]))
}

/// How much a head looks, in a text of `period` tokens said twice, at what followed the same token
/// the first time: the mean of `pattern[query][query - period + 1]` over the second time.
///
/// Olsson et al. 2022, "In-context Learning and Induction Heads", prefix matching score. `pattern`
/// is `[n_pos, n_pos]`, row by row, and the first `n_before` tokens come before the text.
pub fn induction_score(pattern: &[f32], n_pos: usize, n_before: usize, period: usize) -> f32 {
    let second_time = n_before + period..n_pos;
    mean(second_time.map(|query| pattern[query * n_pos + query + 1 - period]))
}

fn mean(values: impl Iterator<Item = f32>) -> f32 {
    let (sum, n) = values.fold((0.0, 0), |(sum, n), value| (sum + value, n + 1));
    if n == 0 { 0.0 } else { sum / n as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pattern whose every row looks at one key.
    fn looking_at(n_pos: usize, key: impl Fn(usize) -> usize) -> Vec<f32> {
        let mut pattern = vec![0.0; n_pos * n_pos];
        for query in 0..n_pos {
            pattern[query * n_pos + key(query)] = 1.0;
        }
        pattern
    }

    #[test]
    fn hand_made_heads_have_the_scores_they_were_made_for() {
        let previous = looking_at(9, |query| query.saturating_sub(1));
        let induction = looking_at(9, |query| if query >= 5 { query - 3 } else { 0 });
        let first = looking_at(9, |_| 0);

        assert_eq!(previous_token_score(&previous, 9), 1.0);
        assert_eq!(induction_score(&induction, 9, 1, 4), 1.0);
        assert_eq!(induction_score(&previous, 9, 1, 4), 0.0);
        assert_eq!(induction_score(&first, 9, 1, 4), 0.0);
        assert_eq!(previous_token_score(&first, 9), 1.0 / 8.0);
        assert_eq!(previous_token_score(&[1.0], 1), 0.0);
    }
}
