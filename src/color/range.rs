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
    /// The tensors of one layer.
    PerLayer,
    /// The tensors of one name in all layers.
    PerName,
    /// All tensors.
    WholeModel,
}

/// Where a range ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RangeEnd {
    /// At the magnitude that 99 % of each token's values keep within.
    #[default]
    Quantile,
    /// At the greatest magnitude.
    Max,
}

/// How values lie within their range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Scaling {
    /// Evenly.
    #[default]
    Linear,
    /// By the logarithm of their magnitude, evenly around zero, so that small ones are told apart:
    /// `sign(x) ln(1 + 99 |x|) / ln(100)` with `x` in ranges (Webber 2013, "A bi-symmetric log
    /// transformation for wide-range data").
    SymLog,
}

/// Which values share a range, where it ends, and how values lie within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct RangeSettings {
    /// Which values share it.
    pub mode: RangeMode,
    /// Where it ends.
    pub end: RangeEnd,
    /// How values lie within it.
    pub scaling: Scaling,
}

impl Scaling {
    /// The place of a value, both in ranges: -1 to 1 within the range, and farther beyond it.
    pub fn place(self, share: f32) -> f32 {
        match self {
            Self::Linear => share,
            Self::SymLog => (99.0 * share.abs()).ln_1p() / 100f32.ln() * share.signum(),
        }
    }
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
        // Counting comes before choosing: a token has hundreds of thousands of values.
        let mut counts = [0usize; N_BUCKETS];
        for value in values {
            counts[bucket(*value)] += 1;
        }
        let n: usize = counts[..bucket(f32::INFINITY)].iter().sum();
        let n_not_finite = values.len() - n;
        if n == 0 {
            return Self {
                n_not_finite,
                ..Self::default()
            };
        }
        let rank = quantile_rank(n);
        let mut n_below = 0;
        let ranks_bucket = counts.iter().position(|count| {
            n_below += count;
            n_below > rank
        });
        let ranks_bucket = ranks_bucket.unwrap_or(0);
        n_below -= counts[ranks_bucket];
        let mut near: Vec<u32> = Vec::with_capacity(counts[ranks_bucket]);
        let in_bucket = values
            .iter()
            .filter(|value| bucket(**value) == ranks_bucket);
        near.extend(in_bucket.map(|value| value.abs().to_bits()));
        let (_, quantile, _) = near.select_nth_unstable(rank - n_below);
        let quantile_abs = f32::from_bits(*quantile);
        let finite = |value: &f32| if value.is_finite() { value.abs() } else { 0.0 };
        Self {
            rms: (sum_of_squares(values, finite) / n as f64).sqrt() as f32,
            max_abs: values.iter().map(finite).fold(0.0, f32::max),
            quantile_abs,
            n_not_finite,
        }
    }
}

impl TileStats {
    /// The statistics of `values` where the quantile matters only beyond `limit`: where 99 % of them
    /// keep within it, [`quantile_abs`](Self::quantile_abs) is `limit`.
    pub fn beyond(values: &[f32], limit: f32) -> Self {
        let mut maxima = [0.0f32; LANES];
        let mut n_beyond = [0u32; LANES];
        let mut n_not_finite = [0u32; LANES];
        let mut sum_sq = 0.0;
        // Sums of few numbers lose nothing that counts.
        for part in values.chunks(16 * LANES) {
            let mut sums = [0.0f32; LANES];
            // Without a branch, so that the processor takes several at once.
            let mut take = |lane: usize, value: f32| {
                let bits = value.to_bits() & 0x7fff_ffff;
                let is_finite = u32::from(bits < f32::INFINITY.to_bits());
                let size = f32::from_bits(bits & 0u32.wrapping_sub(is_finite));
                sums[lane] += size * size;
                maxima[lane] = if size > maxima[lane] {
                    size
                } else {
                    maxima[lane]
                };
                n_beyond[lane] += u32::from(size > limit);
                n_not_finite[lane] += 1 - is_finite;
            };
            let (chunks, rest) = part.as_chunks::<LANES>();
            for chunk in chunks {
                for (lane, value) in chunk.iter().enumerate() {
                    take(lane, *value);
                }
            }
            for (lane, value) in rest.iter().enumerate() {
                take(lane, *value);
            }
            sum_sq += sums.iter().map(|sum| f64::from(*sum)).sum::<f64>();
        }
        let n_not_finite = n_not_finite.iter().sum::<u32>() as usize;
        let n = values.len() - n_not_finite;
        let n_beyond = n_beyond.iter().sum::<u32>() as usize;
        if n == 0 || n_beyond > n - 1 - quantile_rank(n) || !sum_sq.is_finite() {
            return Self::of(values);
        }
        Self {
            rms: (sum_sq / n as f64).sqrt() as f32,
            max_abs: maxima.iter().copied().fold(0.0, f32::max),
            quantile_abs: limit,
            n_not_finite,
        }
    }
}

/// Numbers that are added side by side.
const LANES: usize = 16;

/// The place among `n` sorted magnitudes of the one that the range ends at.
fn quantile_rank(n: usize) -> usize {
    ((n - 1) as f64 * RANGE_QUANTILE).round() as usize
}

/// Magnitudes that share their exponent and the first three bits after it share a bucket.
const N_BUCKETS: usize = 1 << 11;

/// Greater magnitudes have greater numbers of buckets; the infinities and NaN have the greatest.
fn bucket(value: f32) -> usize {
    (value.abs().to_bits() >> 20) as usize
}

/// In eight sums side by side, which the processor adds at once.
fn sum_of_squares(values: &[f32], finite: impl Fn(&f32) -> f32) -> f64 {
    let mut sums = [0.0f64; 8];
    for chunk in values.chunks(sums.len()) {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(finite(value)).powi(2);
        }
    }
    sums.iter().sum()
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
    fn the_statistics_are_those_of_the_sorted_magnitudes() {
        for n in [1, 2, 7, 99, 100, 101, 4096] {
            let mut seed = n as u32;
            let values: Vec<f32> = (0..n)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let share = seed as f32 / u32::MAX as f32 - 0.5;
                    share * 10f32.powi((seed % 9) as i32 - 4)
                })
                .collect();
            let mut sorted: Vec<f32> = values.iter().map(|value| value.abs()).collect();
            sorted.sort_by(f32::total_cmp);
            let mean_sq = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / n as f64;

            let stats = TileStats::of(&values);

            let rank = ((n - 1) as f64 * RANGE_QUANTILE).round() as usize;
            assert_eq!(stats.quantile_abs, sorted[rank], "of {n}");
            assert_eq!(stats.max_abs, sorted[n - 1]);
            assert!((f64::from(stats.rms) / mean_sq.sqrt() - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn a_range_grows_as_far_by_the_quick_way_as_by_the_slow_one() {
        let mut range = ValueRange::default();
        let mut quick = ValueRange::default();
        for round in 0..40 {
            let values: Vec<f32> = (0..700)
                .map(|index| ((index * 37 + round * 11) % 101) as f32 * (round % 7) as f32 - 90.0)
                .collect();
            let slow = TileStats::of(&values);
            let fast = TileStats::beyond(&values, quick.limit);
            range = range.including(&slow);
            quick = quick.including(&fast);
            assert_eq!(range, quick);
            assert_eq!(slow.max_abs, fast.max_abs);
            assert!((slow.rms - fast.rms).abs() <= 1e-5 * slow.rms);
        }
    }

    #[test]
    fn statistics_are_of_the_finite_values_and_count_the_others() {
        let stats = TileStats::of(&[3.0, -4.0, f32::NAN, f32::NEG_INFINITY]);

        assert_eq!(stats.max_abs, 4.0);
        assert!((stats.rms - 12.5f32.sqrt()).abs() < 1e-6);
        assert_eq!(stats.n_not_finite, 2);
    }

    #[test]
    fn both_scalings_keep_zero_and_the_ends_and_turn_nowhere() {
        for scaling in [Scaling::Linear, Scaling::SymLog] {
            let places: Vec<f32> = (-20..=20)
                .map(|step| scaling.place(step as f32 / 10.0))
                .collect();

            assert!(places.is_sorted(), "{places:?}");
            assert_eq!(scaling.place(0.0), 0.0);
            assert!((scaling.place(1.0) - 1.0).abs() < 1e-6);
            assert!((scaling.place(-1.0) + 1.0).abs() < 1e-6);
        }
        assert!(
            Scaling::SymLog.place(0.01) > 0.1,
            "small ones are told apart"
        );
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
