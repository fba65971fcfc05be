//! What each neuron of a layer does over a text.

use std::ops::{Range, RangeInclusive};

use crate::hook::HookPoint;
use crate::trace::TokenTrace;

/// What each number of a vector comes down to over tokens: a layer's neurons, say.
///
/// NaN and infinities are left out of all but their count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NeuronStatistics {
    n_tokens: usize,
    max: Vec<f32>,
    min: Vec<f32>,
    sum: Vec<f64>,
    sum_sq: Vec<f64>,
    n_active: Vec<u32>,
    n_finite: Vec<u32>,
}

/// One of a neuron's statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum NeuronStatistic {
    /// Its own number.
    Index,
    /// The greatest over tokens.
    #[default]
    Max,
    /// The mean over tokens.
    Mean,
    /// The variance over tokens, as of the whole population.
    Variance,
    /// The share of tokens at which it is above zero, 0 to 1.
    ShareActive,
}

/// Which neurons, in which order.
#[derive(Clone, Debug, PartialEq)]
pub struct NeuronQuery {
    /// What they are sorted by.
    pub by: NeuronStatistic,
    /// Whether the least comes first.
    pub is_ascending: bool,
    /// Whose index lies here.
    pub indices: Range<usize>,
    /// Whose statistic lies here; all, NaN too, where none is given.
    pub within: Option<RangeInclusive<f32>>,
}

impl Default for NeuronQuery {
    fn default() -> Self {
        Self {
            by: NeuronStatistic::default(),
            is_ascending: false,
            indices: 0..usize::MAX,
            within: None,
        }
    }
}

impl NeuronStatistic {
    /// All of them, as a table has them.
    pub const ALL: [Self; 5] = [
        Self::Index,
        Self::Max,
        Self::Mean,
        Self::Variance,
        Self::ShareActive,
    ];

    /// A word for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Index => "neuron",
            Self::Max => "max",
            Self::Mean => "mean",
            Self::Variance => "variance",
            Self::ShareActive => "active",
        }
    }
}

impl NeuronStatistics {
    /// Over all tokens at `hook`; one pass over the numbers.
    pub fn of(positions: &[TokenTrace<'_>], hook: HookPoint) -> Self {
        let mut statistics = Self::default();
        for token in positions {
            statistics.take(token.row(hook).unwrap_or_default());
        }
        statistics
    }

    /// Takes in one token's vector. Its width is that of the first; an empty one does not count.
    pub fn take(&mut self, row: &[f32]) {
        if row.is_empty() {
            return;
        }
        if self.n_tokens == 0 {
            *self = Self {
                n_tokens: 0,
                max: vec![f32::NEG_INFINITY; row.len()],
                min: vec![f32::INFINITY; row.len()],
                sum: vec![0.0; row.len()],
                sum_sq: vec![0.0; row.len()],
                n_active: vec![0; row.len()],
                n_finite: vec![0; row.len()],
            };
        }
        self.n_tokens += 1;
        for (index, value) in row.iter().enumerate().take(self.max.len()) {
            if !value.is_finite() {
                continue;
            }
            self.max[index] = self.max[index].max(*value);
            self.min[index] = self.min[index].min(*value);
            self.n_active[index] += u32::from(*value > 0.0);
            self.n_finite[index] += 1;
            let value = f64::from(*value);
            self.sum[index] += value;
            self.sum_sq[index] += value * value;
        }
    }

    /// How many neurons.
    pub fn len(&self) -> usize {
        self.max.len()
    }

    /// Whether nothing was taken in.
    pub fn is_empty(&self) -> bool {
        self.n_tokens == 0
    }

    /// Tokens taken in.
    pub fn n_tokens(&self) -> usize {
        self.n_tokens
    }

    /// Numbers of a neuron that are NaN or infinite.
    pub fn n_not_finite(&self, neuron: usize) -> usize {
        let n_finite = self.n_finite.get(neuron).copied().unwrap_or(0);
        self.n_tokens - n_finite as usize
    }

    /// A neuron's statistic; NaN where it has no finite number.
    pub fn get(&self, neuron: usize, statistic: NeuronStatistic) -> f32 {
        let n = self.n_finite.get(neuron).copied().unwrap_or(0);
        if statistic == NeuronStatistic::Index {
            return neuron as f32;
        }
        if n == 0 {
            return f32::NAN;
        }
        let mean = self.sum[neuron] / f64::from(n);
        match statistic {
            NeuronStatistic::Index => neuron as f32,
            NeuronStatistic::Max => self.max[neuron],
            NeuronStatistic::Mean => mean as f32,
            // Rounding must not show where all numbers are the same.
            NeuronStatistic::Variance if self.max[neuron] == self.min[neuron] => 0.0,
            NeuronStatistic::Variance => {
                let mean_sq = self.sum_sq[neuron] / f64::from(n);
                (mean_sq - mean * mean).max(0.0) as f32
            }
            NeuronStatistic::ShareActive => {
                (f64::from(self.n_active[neuron]) / f64::from(n)) as f32
            }
        }
    }

    /// The neurons that `query` asks for, in its order; of equal ones the lower index first, and NaN
    /// last.
    pub fn ask(&self, query: &NeuronQuery) -> Vec<usize> {
        let last = query.indices.end.min(self.len());
        let mut neurons: Vec<(f32, usize)> = (query.indices.start.min(last)..last)
            .map(|neuron| (self.get(neuron, query.by), neuron))
            .filter(|(value, _)| {
                let within = query.within.as_ref();
                within.is_none_or(|within| within.contains(value))
            })
            .collect();
        neurons.sort_unstable_by(|(a, a_index), (b, b_index)| {
            let by_value = if query.is_ascending {
                a.total_cmp(b)
            } else {
                b.total_cmp(a)
            };
            let by_value = a.is_nan().cmp(&b.is_nan()).then(by_value);
            by_value.then(a_index.cmp(b_index))
        });
        neurons.into_iter().map(|(_, neuron)| neuron).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three_neurons() -> NeuronStatistics {
        let mut statistics = NeuronStatistics::default();
        statistics.take(&[1.0, -2.0, f32::NAN]);
        statistics.take(&[3.0, -2.0, f32::INFINITY]);
        statistics
    }

    #[test]
    fn statistics_are_of_each_neuron_over_tokens() {
        let statistics = three_neurons();

        let of = |neuron| NeuronStatistic::ALL.map(|which| statistics.get(neuron, which));
        assert_eq!(of(0), [0.0, 3.0, 2.0, 1.0, 1.0]);
        assert_eq!(of(1), [1.0, -2.0, -2.0, 0.0, 0.0]);
        assert!(of(2)[1..].iter().all(|value| value.is_nan()));
        assert_eq!(statistics.n_not_finite(2), 2);
        assert!(statistics.get(99, NeuronStatistic::Max).is_nan());
    }

    #[test]
    fn a_query_sorts_and_filters_and_puts_nan_last() {
        let statistics = three_neurons();
        let query = |by, is_ascending| NeuronQuery {
            by,
            is_ascending,
            ..NeuronQuery::default()
        };

        let mean = NeuronStatistic::Mean;
        assert_eq!(statistics.ask(&query(mean, false)), [0, 1, 2]);
        assert_eq!(statistics.ask(&query(mean, true)), [1, 0, 2]);
        let by_index = query(NeuronStatistic::Index, false);
        assert_eq!(statistics.ask(&by_index), [2, 1, 0]);
        let within = NeuronQuery {
            within: Some(-3.0..=0.0),
            ..query(mean, false)
        };
        assert_eq!(statistics.ask(&within), [1]);
        let indices = NeuronQuery {
            indices: 1..2,
            ..query(mean, false)
        };
        assert_eq!(statistics.ask(&indices), [1]);
        let beyond = NeuronQuery {
            indices: 7..9,
            ..query(mean, false)
        };
        assert!(statistics.ask(&beyond).is_empty());
        assert!(
            NeuronStatistics::default()
                .ask(&query(mean, true))
                .is_empty()
        );
    }

    #[test]
    fn a_constant_neuron_has_no_variance() {
        let mut statistics = NeuronStatistics::default();
        for _ in 0..7 {
            statistics.take(&[0.1]);
        }

        assert_eq!(statistics.get(0, NeuronStatistic::Variance), 0.0);
    }
}
