//! Numbers as figures write them.

use crate::analysis::round_numbers;

/// A number in three significant digits or so, for where there is little room.
pub fn short(value: f32) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞" } else { "−∞" }.to_owned();
    }
    let size = value.abs();
    let text = if size == 0.0 {
        "0".to_owned()
    } else if !(0.000_95..99_999.5).contains(&size) {
        scientific(value)
    } else if size >= 99.95 {
        format!("{value:.0}")
    } else if size >= 9.995 {
        format!("{value:.1}")
    } else if size >= 0.0995 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    };
    with_minus(&text)
}

/// A number with as many digits as it takes to read it back.
pub fn exact(value: f32) -> String {
    format!("{value}")
}

fn scientific(value: f32) -> String {
    let text = format!("{value:.1e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    format!("{}e{exponent}", digits.trim_end_matches(".0"))
}

fn with_minus(text: &str) -> String {
    text.replace('-', "−")
}

/// A round number for an axis, in steps of `step`.
pub fn tick(value: f64, step: f64) -> String {
    let value = if value.abs() < step * 1e-6 {
        0.0
    } else {
        value
    };
    let size = value.abs().max(step);
    if !(1e-4..1e6).contains(&size) {
        return with_minus(&scientific(value as f32));
    }
    // As many as the step has: a quarter has two.
    let is_whole = |decimals: &usize| {
        let scaled = step * 10f64.powi(*decimals as i32);
        (scaled - scaled.round()).abs() < 1e-6 * scaled
    };
    let decimals = (0..8).find(is_whole).unwrap_or(8);
    let text = format!("{value:.decimals$}");
    if value >= 10_000.0 && decimals == 0 {
        return crate::analysis::grouped(value as u64);
    }
    with_minus(&text)
}

/// Round numbers within `low..=high`, about `n` of them, and the step between them; where there is no
/// such number, `low` alone.
pub(super) fn ticks(low: f64, high: f64, n: usize) -> (Vec<f64>, f64) {
    match round_numbers(low, high, n) {
        (all, step) if all.is_empty() => (vec![low], step),
        found => found,
    }
}
