//! Round numbers along an axis.

/// Round numbers within `low..=high`, about `n` of them, and the step between them; none where the ends
/// are no range.
pub fn round_numbers(low: f64, high: f64, n: usize) -> (Vec<f64>, f64) {
    let span = high - low;
    if !(span > 0.0 && span.is_finite()) {
        return (Vec::new(), 1.0);
    }
    let rough = span / n.max(1) as f64;
    let magnitude = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .map(|factor| factor * magnitude)
        .into_iter()
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(10.0 * magnitude);
    let first = (low / step - 1e-6).ceil();
    let last = (high / step + 1e-6).floor();
    let n_numbers = (last - first + 1.0).clamp(0.0, 1000.0) as usize;
    // Adding zero takes the sign from a zero.
    let all = (0..n_numbers).map(|index| (first + index as f64) * step + 0.0);
    (all.collect(), step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_round_within_the_ends_and_none_without_a_range() {
        let numbers = |low, high, n| round_numbers(low, high, n).0;

        assert_eq!(numbers(-1.2, 4.3, 5), [0.0, 2.0, 4.0]);
        assert!(numbers(-1.2, 4.3, 5)[0].is_sign_positive());
        assert_eq!(
            round_numbers(0.0, 1.0, 4),
            (vec![0.0, 0.25, 0.5, 0.75, 1.0], 0.25)
        );
        let fine = numbers(0.101, 0.119, 4);
        assert!(
            fine.iter()
                .zip([0.105, 0.11, 0.115])
                .all(|(a, b)| (a - b).abs() < 1e-9)
        );
        assert_eq!(fine.len(), 3);
        assert!(
            numbers(0.6, 0.9, 1).is_empty(),
            "no multiple of a half lies there"
        );
        assert!(numbers(1.0, 1.0, 4).is_empty() && numbers(f64::NAN, 1.0, 4).is_empty());
    }
}
