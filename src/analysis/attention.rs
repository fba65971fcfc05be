//! What attention comes down to: matrices of a head, of a layer's heads together, and of layers in a
//! row.
//!
//! Positions are given in order, position 0 first. A matrix is `[query, key]`, and a query's row ends
//! at its own position: the later ones are masked.

use super::matrix::Matrix;
use crate::hook::{BlockSite, HookPoint};
use crate::trace::TokenTrace;

/// What `head` of the layer at `hook` (scores or pattern) attends to, `[query, key]`; costs the square
/// of the number of tokens. It ends before the first token that lacks it.
pub fn attention_matrix(positions: &[TokenTrace<'_>], hook: HookPoint, head: usize) -> Matrix {
    let mut matrix = Matrix::new(positions.len());
    for token in positions {
        let Some(row) = token.attention_row(hook, head) else {
            break;
        };
        matrix.push_row(row);
    }
    matrix
}

/// The mean over the first `n_heads` heads of the layer at `hook`, `[query, key]`; costs the square of
/// the number of tokens for each head. It ends before the first token that lacks a head.
pub fn mean_over_heads(positions: &[TokenTrace<'_>], hook: HookPoint, n_heads: usize) -> Matrix {
    let mut matrix = Matrix::new(positions.len());
    let mut mean = Vec::with_capacity(positions.len());
    for token in positions {
        if !mean_row(token, hook, n_heads, &mut mean) {
            break;
        }
        matrix.push_row(&mean);
    }
    matrix
}

/// Writes one query's mean over heads to `mean`; whether all heads are recorded.
fn mean_row(token: &TokenTrace<'_>, hook: HookPoint, n_heads: usize, mean: &mut Vec<f32>) -> bool {
    mean.clear();
    for head in 0..n_heads {
        let Some(row) = token.attention_row(hook, head) else {
            return false;
        };
        mean.resize(row.len(), 0.0);
        for (sum, weight) in mean.iter_mut().zip(row) {
            *sum += weight;
        }
    }
    for sum in mean.iter_mut() {
        *sum /= n_heads as f32;
    }
    n_heads > 0
}

/// Attention rollout: how much of each token a stream that only mixes tokens would hold.
///
/// `R_l = A_l R_(l-1)` with `A_l = (W_l + I) / 2`, `W_l` the mean over the layer's heads and every row
/// of `A_l` divided by its sum (Abnar and Zuidema 2020, "Quantifying Attention Flow in Transformers").
/// As no token attends to a later one, each new token adds a row and changes none: a token at
/// position `q` costs about `n_layers * (n_heads * q + q * q / 2)` steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    n_heads: usize,
    n_tokens: usize,
    /// By layer, the rows one after the other, each one longer than the last.
    layers: Vec<Vec<f32>>,
}

impl Rollout {
    /// Of no token yet.
    pub fn new(n_layers: usize, n_heads: usize) -> Self {
        Self {
            n_heads,
            n_tokens: 0,
            layers: vec![Vec::new(); n_layers],
        }
    }

    /// Of all tokens whose patterns are recorded.
    pub fn of(positions: &[TokenTrace<'_>], n_layers: usize, n_heads: usize) -> Self {
        let mut rollout = Self::new(n_layers, n_heads);
        for token in positions {
            if !rollout.take(token) {
                break;
            }
        }
        rollout
    }

    /// Takes in the next position; whether all its patterns are recorded, without which nothing is
    /// taken in.
    pub fn take(&mut self, token: &TokenTrace<'_>) -> bool {
        let query = self.n_tokens;
        let mut rows: Vec<Vec<f32>> = Vec::with_capacity(self.layers.len());
        let mut weights = Vec::with_capacity(query + 1);
        for layer in 0..self.layers.len() {
            let hook = HookPoint::block(layer, BlockSite::Pattern);
            if token.pos != query || !mean_row(token, hook, self.n_heads, &mut weights) {
                return false;
            }
            // The sum of the halved row and of the identity's half.
            let sum = 0.5 * weights.iter().sum::<f32>() + 0.5;
            for weight in &mut weights {
                *weight *= 0.5 / sum;
            }
            weights[query] += 0.5 / sum;
            let Some(layer_before) = layer.checked_sub(1) else {
                rows.push(weights.clone());
                continue;
            };
            let mut row = vec![0.0f32; query + 1];
            for (key, weight) in weights.iter().enumerate() {
                let before = if key == query {
                    &rows[layer_before]
                } else {
                    triangle_row(&self.layers[layer_before], key)
                };
                for (sum, share) in row.iter_mut().zip(before) {
                    *sum += weight * share;
                }
            }
            rows.push(row);
        }
        for (layer, row) in self.layers.iter_mut().zip(rows) {
            layer.extend_from_slice(&row);
        }
        self.n_tokens += 1;
        true
    }

    /// Tokens taken in.
    pub fn n_tokens(&self) -> usize {
        self.n_tokens
    }

    /// From the embedding up to and with `layer`, `[query, key]`; empty beyond the last layer.
    pub fn matrix(&self, layer: usize) -> Matrix {
        let mut matrix = Matrix::new(self.n_tokens);
        if let Some(rows) = self.layers.get(layer) {
            for query in 0..self.n_tokens {
                matrix.push_row(triangle_row(rows, query));
            }
        }
        matrix
    }
}

/// Row `index` of rows that lie one after the other, each one longer than the last.
fn triangle_row(rows: &[f32], index: usize) -> &[f32] {
    let start = index * (index + 1) / 2;
    &rows[start..=start + index]
}

/// How many rows and columns [`thumbnail`] gives for `n_pos` tokens in at most `side`.
pub fn thumbnail_side(n_pos: usize, side: usize) -> usize {
    let n_at_once = n_pos.div_ceil(side.max(1)).max(1);
    n_pos.div_ceil(n_at_once)
}

/// A head's matrix in small: the greatest weight of each block of tokens, `[query, key]`, with at most
/// `side` rows; NaN where a block holds one. Exact where the text has no more than `side` tokens.
pub fn thumbnail(
    positions: &[TokenTrace<'_>],
    hook: HookPoint,
    head: usize,
    side: usize,
) -> Matrix {
    let n_at_once = positions.len().div_ceil(side.max(1)).max(1);
    let mut matrix = Matrix::new(thumbnail_side(positions.len(), side));
    for block in positions.chunks(n_at_once) {
        let n_keys = block.last().map_or(0, |last| last.pos + 1);
        let mut row = vec![f32::NEG_INFINITY; n_keys.div_ceil(n_at_once)];
        for token in block {
            let Some(weights) = token.attention_row(hook, head) else {
                return matrix;
            };
            for (greatest, weights) in row.iter_mut().zip(weights.chunks(n_at_once)) {
                for weight in weights {
                    // A NaN stays: no comparison with it holds.
                    if *weight > *greatest || weight.is_nan() {
                        *greatest = *weight;
                    }
                }
            }
        }
        matrix.push_row(&row);
    }
    matrix
}

/// A weight of a matrix `[query, key]`, for a line from token to token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionArc {
    /// The position that attends.
    pub query: usize,
    /// The position attended to.
    pub key: usize,
    /// How much.
    pub weight: f32,
}

/// The weights of `matrix` from `threshold` on, query by query. NaN is never among them.
pub fn arcs(matrix: &Matrix, threshold: f32) -> Vec<AttentionArc> {
    let queries = 0..matrix.n_rows();
    queries
        .flat_map(|query| {
            let row = matrix.row(query).iter().copied().enumerate();
            row.filter(move |(_, weight)| *weight >= threshold)
                .map(move |(key, weight)| AttentionArc { query, key, weight })
        })
        .collect()
}
