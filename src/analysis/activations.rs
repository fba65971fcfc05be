//! What activations come down to, layer by layer and token by token.
//!
//! Positions are given in order, position 0 first. Nothing here panics on NaN, on constant input or
//! on a text of one token or none.

use super::matrix::Matrix;
use super::statistics::{Histogram, Sparsity, Statistics};
use crate::config::ModelConfig;
use crate::hook::{BlockSite, HookPoint};
use crate::trace::TokenTrace;

/// What a vector comes down to. One with a NaN in it comes down to NaN, and so does an empty one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Measure {
    /// The L2 norm, `sqrt(sum x^2)`.
    #[default]
    Norm,
    /// The mean.
    Mean,
    /// The greatest.
    Max,
    /// The greatest magnitude.
    MaxAbs,
    /// The number at one index: a dimension, or a neuron.
    Index(usize),
}

impl Measure {
    /// The measures that need no index.
    pub const WHOLE: [Self; 4] = [Self::Norm, Self::Mean, Self::Max, Self::MaxAbs];

    /// A word or two for people, without the index.
    pub fn title(self) -> &'static str {
        match self {
            Self::Norm => "L2 norm",
            Self::Mean => "mean",
            Self::Max => "max",
            Self::MaxAbs => "max |x|",
            Self::Index(_) => "value",
        }
    }

    /// Whether it is never below zero.
    pub fn is_non_negative(self) -> bool {
        matches!(self, Self::Norm | Self::MaxAbs)
    }

    /// What `values` come down to; none where they end before the index.
    pub fn of(self, values: &[f32]) -> Option<f32> {
        if let Self::Index(index) = self {
            return values.get(index).copied();
        }
        if values.is_empty() {
            return Some(f32::NAN);
        }
        Some(match self {
            Self::Norm => sum_by(values, |x| x * x).sqrt() as f32,
            Self::Mean => (sum_by(values, |x| x) / values.len() as f64) as f32,
            Self::Max => greatest(values, |x| x),
            Self::MaxAbs | Self::Index(_) => greatest(values, f32::abs),
        })
    }
}

/// Numbers taken at once: the processor adds that many side by side.
const LANES: usize = 16;

/// The sum of `term` over all, in double precision beyond a few hundred numbers.
fn sum_by(values: &[f32], term: impl Fn(f32) -> f32) -> f64 {
    let mut total = 0.0;
    for part in values.chunks(16 * LANES) {
        let mut sums = [0.0f32; LANES];
        let (chunks, rest) = part.as_chunks::<LANES>();
        for chunk in chunks {
            for (sum, value) in sums.iter_mut().zip(chunk) {
                *sum += term(*value);
            }
        }
        for (sum, value) in sums.iter_mut().zip(rest) {
            *sum += term(*value);
        }
        total += sums.iter().map(|sum| f64::from(*sum)).sum::<f64>();
    }
    total
}

/// The greatest of `term`; NaN where there is one.
fn greatest(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut maxima = [f32::NEG_INFINITY; LANES];
    let mut has_nan = [false; LANES];
    let mut take = |chunk: &[f32]| {
        for ((max, nan), value) in maxima.iter_mut().zip(&mut has_nan).zip(chunk) {
            let value = term(*value);
            *max = if value > *max { value } else { *max };
            *nan |= value.is_nan();
        }
    };
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        take(chunk);
    }
    take(rest);
    if has_nan.contains(&true) {
        return f32::NAN;
    }
    maxima.into_iter().fold(f32::NEG_INFINITY, f32::max)
}

/// Whether a token has one vector here, which attention's rows are not.
pub fn has_vectors(hook: HookPoint) -> bool {
    !matches!(
        hook.site(),
        Some(BlockSite::AttnScores | BlockSite::Pattern)
    )
}

/// `site` of every layer, in order: the rows of a layer by token map.
pub fn layer_hooks(config: &ModelConfig, site: BlockSite) -> Vec<HookPoint> {
    let hooks = (0..config.n_layers).map(|layer| HookPoint::block(layer, site));
    hooks.filter(|hook| config.has_hook(*hook)).collect()
}

/// The residual stream where it can be read: what enters the first layer, then what leaves each.
pub fn stream_hooks(config: &ModelConfig) -> Vec<HookPoint> {
    let first = (config.n_layers > 0).then(|| HookPoint::block(0, BlockSite::ResidPre));
    let posts = layer_hooks(config, BlockSite::ResidPost);
    first.into_iter().chain(posts).collect()
}

/// What one token's vectors at `hooks` come down to; none where one is not recorded or ends before
/// the measure's index. A column of [`activation_map`]; costs the vectors' numbers.
pub fn activation_column(
    token: &TokenTrace<'_>,
    hooks: &[HookPoint],
    measure: Measure,
) -> impl Iterator<Item = Option<f32>> {
    hooks
        .iter()
        .map(move |hook| measure.of(token.row(*hook).filter(|_| has_vectors(*hook))?))
}

/// What every token's vector at each of `hooks` comes down to: `[hook, token]`. A row ends at the
/// first token that lacks its hook.
pub fn activation_map(
    positions: &[TokenTrace<'_>],
    hooks: &[HookPoint],
    measure: Measure,
) -> Matrix {
    let columns: Vec<Option<f32>> = positions
        .iter()
        .flat_map(|token| activation_column(token, hooks, measure))
        .collect();
    if hooks.is_empty() {
        return Matrix::default();
    }
    Matrix::from_columns(hooks.len(), &columns)
}

/// The lengths of tokens' vectors at one place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormRange {
    /// The place.
    pub hook: HookPoint,
    /// The mean over tokens; NaN where no length is finite.
    pub mean: f32,
    /// The least; NaN where no length is finite.
    pub min: f32,
    /// The greatest; NaN where no length is finite.
    pub max: f32,
    /// Tokens that have a vector there.
    pub n: usize,
    /// Tokens whose length is NaN or infinite; left out of all else.
    pub n_not_finite: usize,
}

/// The L2 norms of the residual stream over tokens: entering the first layer, then leaving each.
pub fn residual_norms(positions: &[TokenTrace<'_>], config: &ModelConfig) -> Vec<NormRange> {
    let hooks = stream_hooks(config);
    let norms = activation_map(positions, &hooks, Measure::Norm);
    norm_ranges(&hooks, &norms)
}

/// What each row of a map of norms comes down to; `hooks` names the rows.
pub fn norm_ranges(hooks: &[HookPoint], norms: &Matrix) -> Vec<NormRange> {
    let of_row = |(row, hook): (usize, &HookPoint)| {
        let mut statistics = Statistics::default();
        statistics.take(norms.row(row));
        let n_finite = statistics.n_finite() as usize;
        let of_finite = |value: f32| if n_finite == 0 { f32::NAN } else { value };
        NormRange {
            hook: *hook,
            mean: statistics.mean() as f32,
            min: of_finite(statistics.min),
            max: of_finite(statistics.max),
            n: statistics.n as usize,
            n_not_finite: statistics.n as usize - n_finite,
        }
    };
    hooks.iter().enumerate().map(of_row).collect()
}

/// By what numbers are ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Ranking {
    /// The greatest first.
    #[default]
    Value,
    /// The greatest magnitude first.
    Magnitude,
}

impl Ranking {
    fn key(self, value: f32) -> f32 {
        match self {
            Self::Value => value,
            Self::Magnitude => value.abs(),
        }
    }
}

/// One number of one token's vector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NeuronValue {
    /// The tensor it is part of.
    pub hook: HookPoint,
    /// Its index within the vector.
    pub index: usize,
    /// The number.
    pub value: f32,
}

/// The `n` first of one token's numbers at `hooks` by `ranking`; of equal ones the earlier. NaN is
/// never among them.
pub fn top_neurons(
    token: &TokenTrace<'_>,
    hooks: &[HookPoint],
    ranking: Ranking,
    n: usize,
) -> Vec<NeuronValue> {
    let mut best = Best::new(ranking, n);
    for hook in hooks {
        let row = token.row(*hook).unwrap_or_default();
        for (index, value) in row.iter().enumerate() {
            best.offer(*value, || (*hook, index));
        }
    }
    best.into_iter(|value, (hook, index)| NeuronValue { hook, index, value })
}

/// One number of one token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenValue {
    /// The token's position.
    pub pos: usize,
    /// The token.
    pub token: u32,
    /// The number.
    pub value: f32,
}

/// The `n` tokens at which the number `index` of `hook` is first by `ranking`; of equal ones the
/// earlier. NaN is never among them.
pub fn top_tokens(
    positions: &[TokenTrace<'_>],
    hook: HookPoint,
    index: usize,
    ranking: Ranking,
    n: usize,
) -> Vec<TokenValue> {
    let mut best = Best::new(ranking, n);
    for token in positions {
        let value = token.row(hook).and_then(|row| row.get(index));
        if let Some(value) = value {
            best.offer(*value, || (token.pos, token.token));
        }
    }
    best.into_iter(|value, (pos, token)| TokenValue { pos, token, value })
}

/// The first few of many, best first.
struct Best<T> {
    ranking: Ranking,
    n: usize,
    /// Rank, number, and what it is of.
    best: Vec<(f32, f32, T)>,
}

impl<T> Best<T> {
    fn new(ranking: Ranking, n: usize) -> Self {
        Self {
            ranking,
            n,
            best: Vec::with_capacity(n + 1),
        }
    }

    /// Few of many ever get in.
    fn offer(&mut self, value: f32, what: impl FnOnce() -> T) {
        let rank = self.ranking.key(value);
        let is_beaten =
            self.best.len() == self.n && self.best.last().is_none_or(|(worst, ..)| rank <= *worst);
        if is_beaten || rank.is_nan() {
            return;
        }
        let place = self.best.partition_point(|(other, ..)| *other >= rank);
        self.best.insert(place, (rank, value, what()));
        self.best.truncate(self.n);
    }

    fn into_iter<U>(self, make: impl Fn(f32, T) -> U) -> Vec<U> {
        let best = self.best.into_iter();
        best.map(|(_, value, what)| make(value, what)).collect()
    }
}

/// How all numbers of one tensor are spread, over all tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// What they come down to.
    pub statistics: Statistics,
    /// How many are zero or nearly so.
    pub sparsity: Sparsity,
    /// How many lie in each part of their range.
    pub histogram: Histogram,
    n_bins: usize,
    n_counted: usize,
    n_binned: usize,
}

impl Distribution {
    /// Of nothing yet, with `n_bins` parts (one at least) and numbers below `eps` in magnitude nearly
    /// zero.
    pub fn new(n_bins: usize, eps: f32) -> Self {
        Self {
            statistics: Statistics::default(),
            sparsity: Sparsity::new(eps),
            histogram: Histogram::new(0.0, 0.0, n_bins.max(1)),
            n_bins: n_bins.max(1),
            n_counted: 0,
            n_binned: 0,
        }
    }

    /// Of all tokens at `hook`: two passes over the numbers.
    pub fn of(positions: &[TokenTrace<'_>], hook: HookPoint, n_bins: usize, eps: f32) -> Self {
        let mut distribution = Self::new(n_bins, eps);
        distribution.advance(positions, hook, usize::MAX);
        distribution
    }

    /// Goes on to take in `hook` at positions not yet taken in, and stops once it has read
    /// `n_values`; says whether all is taken in. The positions taken in before stay the same.
    pub fn advance(
        &mut self,
        positions: &[TokenTrace<'_>],
        hook: HookPoint,
        n_values: usize,
    ) -> bool {
        let row = |pos: usize| {
            let row = positions[pos].row(hook).unwrap_or_default();
            if has_vectors(hook) { row } else { &[] }
        };
        let mut n_left = n_values;
        while self.n_counted < positions.len() && n_left > 0 {
            let row = row(self.n_counted);
            self.statistics.take(row);
            self.sparsity.take(row);
            self.n_counted += 1;
            n_left = n_left.saturating_sub(row.len().max(1));
        }
        let (low, high) = match self.statistics.n_finite() {
            0 => (0.0, 0.0),
            _ => (self.statistics.min, self.statistics.max),
        };
        if (low, high) != (self.histogram.low, self.histogram.high) {
            self.histogram = Histogram::new(low, high, self.n_bins);
            self.n_binned = 0;
        }
        while self.n_binned < self.n_counted && n_left > 0 {
            let row = row(self.n_binned);
            self.histogram.take(row);
            self.n_binned += 1;
            n_left = n_left.saturating_sub(row.len().max(1));
        }
        self.n_binned == positions.len()
    }
}
