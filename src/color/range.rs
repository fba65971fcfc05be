//! The ranges of values that colours and heights span.

/// The share of a tile's values, by magnitude, that its range takes in. The few beyond it take the
/// end's colour and still rise to their full height.
const RANGE_QUANTILE: f64 = 0.99;

/// Which values share one range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RangeMode {
    /// The tokens of one tensor of one layer.
    #[default]
    PerTensor,
    /// The tensors of one name in all layers.
    PerName,
}

/// The range of a signed or non-negative tensor: colours span `-limit..=limit` or `0..=limit`.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct ValueRange {
    /// The magnitude at the end of the range; zero where nothing but zeros was seen.
    pub limit: f32,
}

/// What a tile of one token comes down to; computed over its finite values.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct TileStats {
    /// Root mean square.
    pub rms: f32,
    /// Greatest magnitude.
    pub max_abs: f32,
    /// The magnitude that 99 % of the values keep within.
    pub quantile_abs: f32,
    /// Values that are NaN or infinite.
    pub n_not_finite: usize,
}

impl TileStats {
    /// The statistics of `values`.
    pub fn of(values: &[f32]) -> Self {
        let mut magnitudes: Vec<f32> = values
            .iter()
            .filter(|value| value.is_finite())
            .map(|value| value.abs())
            .collect();
        let n_not_finite = values.len() - magnitudes.len();
        let n = magnitudes.len();
        if n == 0 {
            return Self {
                n_not_finite,
                ..Self::default()
            };
        }
        let sum_sq: f64 = magnitudes.iter().map(|m| f64::from(*m).powi(2)).sum();
        let rank = ((n - 1) as f64 * RANGE_QUANTILE).round() as usize;
        let (_, quantile_abs, above) = magnitudes.select_nth_unstable_by(rank, f32::total_cmp);
        let quantile_abs = *quantile_abs;
        let max_abs = above.iter().copied().fold(quantile_abs, f32::max);
        Self {
            rms: (sum_sq / n as f64).sqrt() as f32,
            max_abs,
            quantile_abs,
            n_not_finite,
        }
    }
}

impl ValueRange {
    /// Widened to take in `stats`.
    pub fn including(self, stats: &TileStats) -> Self {
        Self {
            limit: self.limit.max(stats.quantile_abs),
        }
    }

    /// Widened to take in `other`.
    pub fn union(self, other: Self) -> Self {
        Self {
            limit: self.limit.max(other.limit),
        }
    }

    /// What a value is multiplied with to lie within -1..1; zero where the range is empty.
    pub fn scale(self) -> f32 {
        if self.limit > 0.0 {
            1.0 / self.limit
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_of_the_finite_values_and_count_the_others() {
        let stats = TileStats::of(&[3.0, -4.0, f32::NAN, f32::NEG_INFINITY]);

        assert_eq!(stats.max_abs, 4.0);
        assert!((stats.rms - 12.5f32.sqrt()).abs() < 1e-6);
        assert_eq!(stats.n_not_finite, 2);
    }

    #[test]
    fn an_outlier_does_not_stretch_the_range() {
        let mut values = vec![1.0; 1000];
        values[17] = -250.0;

        let stats = TileStats::of(&values);

        assert_eq!(stats.max_abs, 250.0);
        assert_eq!(ValueRange::default().including(&stats).limit, 1.0);
    }

    #[test]
    fn tiles_of_zeros_or_of_nothing_have_an_empty_range() {
        for values in [&[0.0, 0.0][..], &[], &[f32::NAN]] {
            let range = ValueRange::default().including(&TileStats::of(values));

            assert_eq!(range.scale(), 0.0);
        }
    }
}
