//! Arithmetic of formulas, and how their numbers are written.

use super::exact;

/// How many of a sum's products are named.
pub(super) const N_SHARES: usize = 4;

/// The sum of the products.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| f64::from(*a) * f64::from(*b))
        .sum()
}

/// The places of the products of `a` and `b` that are greatest in magnitude, the greatest first.
pub(super) fn greatest(a: &[f32], b: &[f32]) -> Vec<usize> {
    let magnitude = |index: &usize| (a[*index] * b[*index]).abs();
    let mut order: Vec<usize> = (0..a.len().min(b.len())).collect();
    let descending = |a: &usize, b: &usize| magnitude(b).total_cmp(&magnitude(a)).then(a.cmp(b));
    if order.len() > N_SHARES {
        order.select_nth_unstable_by(N_SHARES - 1, descending);
        order.truncate(N_SHARES);
    }
    order.sort_unstable_by(descending);
    order
}

pub(super) fn mean(values: &[f32]) -> f64 {
    values.iter().copied().map(f64::from).sum::<f64>() / values.len() as f64
}

/// The root of the mean square of what lies between `values` and `middle`, and of `eps`.
pub(super) fn deviation(values: &[f32], middle: f64, eps: f64) -> f64 {
    let squares = values
        .iter()
        .map(|value| (f64::from(*value) - middle).powi(2));
    (squares.sum::<f64>() / values.len() as f64 + eps).sqrt()
}

/// Hendrycks & Gimpel 2016, section 2, the tanh approximation.
pub(super) fn gelu_new(x: f64) -> f64 {
    let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
    0.5 * x * (1.0 + inner.tanh())
}

/// `x * Phi(x)`.
pub(super) fn gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2))
}

/// The error function, by its series whose terms are all of one sign (Abramowitz and Stegun, 7.1.6).
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let mut term = x;
    let mut sum = x;
    for n in 1..200 {
        term *= 2.0 * x * x / f64::from(2 * n + 1);
        sum += term;
        if term.abs() < 1e-17 * sum.abs() {
            break;
        }
    }
    2.0 / std::f64::consts::PI.sqrt() * (-x * x).exp() * sum
}

/// Five digits, for a number within a formula or a table.
pub fn digits(value: f32) -> String {
    let magnitude = value.abs();
    if value == 0.0 || !value.is_finite() {
        return exact(value);
    }
    if !(1e-4..1e6).contains(&magnitude) {
        return format!("{value:.4e}");
    }
    let after = (4 - magnitude.log10().floor() as i32).clamp(0, 8) as usize;
    format!("{value:.after$}")
}

/// The same in brackets where a sign before it would be read as part of the formula.
pub(super) fn in_sum(value: f32) -> String {
    if value.is_sign_negative() {
        format!("({})", digits(value))
    } else {
        digits(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_function_has_its_tabled_values() {
        // Abramowitz and Stegun, table 7.1.
        for (x, expected) in [
            (0.0, 0.0),
            (0.5, 0.520_499_877_8),
            (1.0, 0.842_700_792_9),
            (-2.0, -0.995_322_265_0),
            (7.0, 1.0),
        ] {
            assert!((erf(x) - expected).abs() < 1e-9, "{x}");
        }
    }

    #[test]
    fn numbers_in_formulas_have_five_digits_and_brackets_round_a_minus() {
        let texts = [0.0, 1.0, 123.456_78, -0.001_234_567, 3.2e-7, f32::NAN].map(in_sum);

        assert_eq!(
            texts,
            [
                "0.0",
                "1.0000",
                "123.46",
                "(-0.0012346)",
                "3.2000e-7",
                "NaN"
            ]
        );
    }

    #[test]
    fn the_greatest_products_come_first() {
        let a = [1.0, -5.0, 2.0, 0.5, 0.1, 3.0];
        let b = [1.0; 6];

        assert_eq!(greatest(&a, &b), [1, 5, 2, 0]);
        assert_eq!(greatest(&a[..2], &b), [1, 0]);
    }
}
