//! What many numbers come down to.

/// What many numbers come down to; NaN and infinities are counted, and left out of all else.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// How many numbers, finite or not.
    pub n: u64,
    /// How many are NaN.
    pub n_nan: u64,
    /// How many are infinite.
    pub n_infinite: u64,
    /// How many are zero.
    pub n_zero: u64,
    /// The least; infinite where there is none.
    pub min: f32,
    /// The greatest; minus infinite where there is none.
    pub max: f32,
    sum: f64,
    sum_sq: f64,
}

impl Default for Statistics {
    fn default() -> Self {
        Self {
            n: 0,
            n_nan: 0,
            n_infinite: 0,
            n_zero: 0,
            min: f32::INFINITY,
            max: f32::NEG_INFINITY,
            sum: 0.0,
            sum_sq: 0.0,
        }
    }
}

impl Statistics {
    /// Takes in more numbers.
    pub fn take(&mut self, values: &[f32]) {
        self.n += values.len() as u64;
        for value in values {
            if !value.is_finite() {
                self.n_nan += u64::from(value.is_nan());
                self.n_infinite += u64::from(value.is_infinite());
                continue;
            }
            self.n_zero += u64::from(*value == 0.0);
            self.min = self.min.min(*value);
            self.max = self.max.max(*value);
            let value = f64::from(*value);
            self.sum += value;
            self.sum_sq += value * value;
        }
    }

    /// How many are finite.
    pub fn n_finite(&self) -> u64 {
        self.n - self.n_nan - self.n_infinite
    }

    /// Their mean; NaN where there is none.
    pub fn mean(&self) -> f64 {
        self.sum / self.n_finite() as f64
    }

    /// Their standard deviation, as of the whole population; NaN where there is none.
    pub fn standard_deviation(&self) -> f64 {
        let mean_sq = self.sum_sq / self.n_finite() as f64;
        (mean_sq - self.mean().powi(2)).max(0.0).sqrt()
    }

    /// Their root mean square; NaN where there is none.
    pub fn rms(&self) -> f64 {
        (self.sum_sq / self.n_finite() as f64).sqrt()
    }
}

/// How many of many numbers are zero or nearly so. NaN counts as neither.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sparsity {
    /// Below this magnitude a number is nearly zero.
    pub eps: f32,
    /// How many numbers, finite or not.
    pub n: u64,
    /// How many are zero or less.
    pub n_not_positive: u64,
    /// How many are below `eps` in magnitude.
    pub n_near_zero: u64,
}

impl Sparsity {
    /// Of nothing yet.
    pub fn new(eps: f32) -> Self {
        Self {
            eps,
            n: 0,
            n_not_positive: 0,
            n_near_zero: 0,
        }
    }

    /// Takes in more numbers.
    pub fn take(&mut self, values: &[f32]) {
        self.n += values.len() as u64;
        let (mut n_not_positive, mut n_near_zero) = (0u32, 0u32);
        for value in values {
            n_not_positive += u32::from(*value <= 0.0);
            n_near_zero += u32::from(value.abs() < self.eps);
        }
        self.n_not_positive += u64::from(n_not_positive);
        self.n_near_zero += u64::from(n_near_zero);
    }

    /// The share that is zero or less, 0 to 1; NaN of nothing.
    pub fn share_not_positive(&self) -> f64 {
        self.n_not_positive as f64 / self.n as f64
    }

    /// The share that is nearly zero, 0 to 1; NaN of nothing.
    pub fn share_near_zero(&self) -> f64 {
        self.n_near_zero as f64 / self.n as f64
    }
}

/// How many of the finite numbers lie in each of equal parts of a range.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// The low end of the first part.
    pub low: f32,
    /// The high end of the last.
    pub high: f32,
    /// Counts, from the low end on.
    pub counts: Vec<u64>,
}

impl Histogram {
    /// Empty, with `n_bins` parts of `low..=high`.
    ///
    /// # Panics
    ///
    /// If there is no part.
    pub fn new(low: f32, high: f32, n_bins: usize) -> Self {
        assert!(n_bins > 0, "a histogram has at least one part");
        Self {
            low,
            high,
            counts: vec![0; n_bins],
        }
    }

    /// The part that holds `value`; none outside the range.
    pub fn bin(&self, value: f32) -> Option<usize> {
        if !(self.low..=self.high).contains(&value) {
            return None;
        }
        let span = f64::from(self.high) - f64::from(self.low);
        if span <= 0.0 {
            return Some(0);
        }
        let share = (f64::from(value) - f64::from(self.low)) / span;
        Some(((share * self.counts.len() as f64) as usize).min(self.counts.len() - 1))
    }

    /// Takes in more numbers; those outside the range are passed over.
    pub fn take(&mut self, values: &[f32]) {
        for value in values {
            if let Some(bin) = self.bin(*value) {
                self.counts[bin] += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_of_the_finite_and_count_the_others() {
        let mut statistics = Statistics::default();
        statistics.take(&[3.0, f32::NAN, 0.0]);
        statistics.take(&[-3.0, f32::INFINITY, f32::NEG_INFINITY]);

        assert_eq!((statistics.n, statistics.n_finite()), (6, 3));
        assert_eq!((statistics.n_nan, statistics.n_infinite), (1, 2));
        assert_eq!(statistics.n_zero, 1);
        assert_eq!((statistics.min, statistics.max), (-3.0, 3.0));
        assert_eq!(statistics.mean(), 0.0);
        assert!((statistics.standard_deviation() - 6f64.sqrt()).abs() < 1e-12);
        assert!((statistics.rms() - 6f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn sparsity_counts_what_is_zero_or_less_and_what_is_nearly_zero() {
        let mut sparsity = Sparsity::new(0.1);

        sparsity.take(&[0.0, -1.0, 0.05, 2.0]);
        sparsity.take(&[f32::NAN, f32::NEG_INFINITY, -0.05, 0.1]);

        assert_eq!(sparsity.share_not_positive(), 0.5);
        assert_eq!(sparsity.share_near_zero(), 3.0 / 8.0);
        assert!(Sparsity::new(0.1).share_near_zero().is_nan());
    }

    #[test]
    fn every_number_in_the_range_is_in_one_part() {
        let mut histogram = Histogram::new(-1.0, 1.0, 4);

        histogram.take(&[-1.0, -0.6, -0.5, 0.0, 0.9, 1.0, 1.1, f32::NAN]);

        assert_eq!(histogram.counts, [2, 1, 1, 2]);
        assert_eq!(histogram.bin(1.0), Some(3));
    }

    #[test]
    fn a_range_without_extent_has_all_in_its_first_part() {
        let mut histogram = Histogram::new(2.0, 2.0, 3);

        histogram.take(&[2.0, 2.0]);

        assert_eq!(histogram.counts, [2, 0, 0]);
    }
}
