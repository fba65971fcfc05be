//! What every head of a model does on a text, in a few numbers each.

use super::matrix::Matrix;
use crate::hook::{BlockSite, HookPoint};
use crate::trace::TokenTrace;

/// A number that says what a head does. All are means over queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HeadScore {
    /// The entropy of the query's row, `-sum w ln w`, in nats: 0 where all goes to one token.
    Entropy,
    /// The weight of the token just before, over queries that have one.
    PreviousToken,
    /// The weight of the first token, over all other queries.
    FirstToken,
    /// The weight of tokens just after an earlier occurrence of the query's token, over queries that
    /// have one (Olsson et al. 2022, "In-context Learning and Induction Heads", prefix matching).
    Induction,
    /// The weight of earlier occurrences of the query's token, over queries that have one
    /// (Wang et al. 2022, "Interpretability in the Wild", duplicate token heads).
    DuplicateToken,
}

impl HeadScore {
    /// All of them, as a table has them.
    pub const ALL: [Self; 5] = [
        Self::Entropy,
        Self::PreviousToken,
        Self::FirstToken,
        Self::Induction,
        Self::DuplicateToken,
    ];

    /// A word or two for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Entropy => "entropy",
            Self::PreviousToken => "previous token",
            Self::FirstToken => "first token",
            Self::Induction => "induction",
            Self::DuplicateToken => "duplicate token",
        }
    }

    /// What it counts in.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Entropy => "nats",
            _ => "weight",
        }
    }
}

/// The scores of all heads of all layers on one text, in one pass over its patterns.
///
/// Each new token adds to sums and changes nothing before: a token at position `q` costs
/// `n_layers * n_heads * q` steps, most of them a logarithm. A NaN among the weights that count for a
/// score makes it NaN.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadScores {
    n_layers: usize,
    n_heads: usize,
    /// The tokens taken in.
    tokens: Vec<u32>,
    /// Queries that count, by score.
    n_queries: [u32; 5],
    /// Sums over queries, by layer, head and score.
    sums: Vec<[f64; 5]>,
    /// What the next query adds to each, as far as its layers are taken in.
    pending: Vec<[f64; 5]>,
}

impl HeadScores {
    /// Of no token yet.
    pub fn new(n_layers: usize, n_heads: usize) -> Self {
        Self {
            n_layers,
            n_heads,
            tokens: Vec::new(),
            n_queries: [0; 5],
            sums: vec![[0.0; 5]; n_layers * n_heads],
            pending: Vec::new(),
        }
    }

    /// Of all tokens whose patterns are recorded.
    pub fn of(positions: &[TokenTrace<'_>], n_layers: usize, n_heads: usize) -> Self {
        let mut scores = Self::new(n_layers, n_heads);
        for token in positions {
            if !scores.take(token) {
                break;
            }
        }
        scores
    }

    /// Takes in the next position; whether all its patterns are recorded, without which nothing is
    /// taken in.
    pub fn take(&mut self, token: &TokenTrace<'_>) -> bool {
        self.take_layers(token, self.n_layers)
    }

    /// As [`take`](Self::take), of `n_layers` more of its layers at most: the position counts once all
    /// of them are taken in.
    pub fn take_layers(&mut self, token: &TokenTrace<'_>, n_layers: usize) -> bool {
        let query = self.tokens.len();
        let hook = |layer| HookPoint::block(layer, BlockSite::Pattern);
        let is_recorded = (0..self.n_layers).all(|layer| {
            let mut heads = 0..self.n_heads;
            heads.all(|head| token.attention_row(hook(layer), head).is_some())
        });
        if token.pos != query || !is_recorded {
            return false;
        }
        let earlier = earlier_occurrences(&self.tokens, token.token);
        let first = self.pending.len().checked_div(self.n_heads).unwrap_or(0);
        for layer in first..(first + n_layers).min(self.n_layers) {
            let rows = (0..self.n_heads).map(|head| token.attention_row(hook(layer), head));
            let scores = rows.map(|row| row_scores(row.unwrap_or_default(), &earlier));
            self.pending.extend(scores);
        }
        if self.pending.len() < self.sums.len() {
            return true;
        }
        self.tokens.push(token.token);
        for (n, counts) in self.n_queries.iter_mut().zip([
            true,
            query > 0,
            query > 0,
            !earlier.is_empty(),
            !earlier.is_empty(),
        ]) {
            *n += u32::from(counts);
        }
        for (sums, scores) in self.sums.iter_mut().zip(self.pending.drain(..)) {
            for (sum, score) in sums.iter_mut().zip(scores) {
                *sum += score;
            }
        }
        true
    }

    /// Tokens taken in.
    pub fn n_tokens(&self) -> usize {
        self.tokens.len()
    }

    /// Layers.
    pub fn n_layers(&self) -> usize {
        self.n_layers
    }

    /// Heads of a layer.
    pub fn n_heads(&self) -> usize {
        self.n_heads
    }

    /// Queries that count for a score: without one it is not defined for any head.
    pub fn n_queries(&self, score: HeadScore) -> usize {
        self.n_queries[score as usize] as usize
    }

    /// A head's score; none where no query counts.
    pub fn get(&self, score: HeadScore, layer: usize, head: usize) -> Option<f32> {
        let n = self.n_queries[score as usize];
        if n == 0 || head >= self.n_heads {
            return None;
        }
        let sums = self.sums.get(layer * self.n_heads + head)?;
        Some((sums[score as usize] / f64::from(n)) as f32)
    }

    /// A score of all heads, `[layer, head]`; without rows where it is not defined.
    pub fn matrix(&self, score: HeadScore) -> Matrix {
        let mut matrix = Matrix::new(self.n_heads);
        for layer in 0..self.n_layers {
            let heads = 0..self.n_heads;
            let row: Option<Vec<f32>> = heads.map(|head| self.get(score, layer, head)).collect();
            if let Some(row) = row {
                matrix.push_row(&row);
            }
        }
        matrix
    }
}

/// Where `token` stands in `before`.
fn earlier_occurrences(before: &[u32], token: u32) -> Vec<usize> {
    let occurrences = before.iter().enumerate();
    occurrences
        .filter(|(_, other)| **other == token)
        .map(|(pos, _)| pos)
        .collect()
}

/// What one query's row adds to each score.
fn row_scores(row: &[f32], earlier: &[usize]) -> [f64; 5] {
    let at = |pos: usize| row.get(pos).map_or(f64::NAN, |weight| f64::from(*weight));
    let query = row.len().saturating_sub(1);
    let has_before = query > 0;
    [
        entropy(row),
        if has_before { at(query - 1) } else { 0.0 },
        if has_before { at(0) } else { 0.0 },
        earlier.iter().map(|pos| at(pos + 1)).sum(),
        earlier.iter().map(|pos| at(*pos)).sum(),
    ]
}

/// The entropy of weights that sum to one, `-sum w ln w` with `0 ln 0 = 0`, in nats; NaN where a
/// weight is.
pub fn entropy(weights: &[f32]) -> f64 {
    let mut sum = 0.0;
    for weight in weights {
        // Of a zero weight the logarithm is infinite.
        if *weight != 0.0 {
            sum -= f64::from(*weight * weight.ln());
        }
    }
    // Not minus zero.
    sum + 0.0
}
