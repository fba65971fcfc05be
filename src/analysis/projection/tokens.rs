//! Tokens as points, with all that a picture of them says.

use rayon::prelude::*;

use super::vectors::length;
use super::{OnProgress, Projection, ProjectionError, ProjectionSettings, Vectors, project};
use crate::trace::Vocab;

/// Tokens as points.
///
/// What `plot embeddings` draws: `projection` has the points, the axes' names
/// ([`Projection::axis`]), the method as it was used and PCA's shares of the variance.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenProjection {
    /// The points, in the order of `tokens`.
    pub projection: Projection,
    /// The token of every point.
    pub tokens: Vec<u32>,
    /// Every token's text with its blanks made visible.
    pub labels: Vec<String>,
    /// The length of every token's vector, in the vectors' unit, before any scaling.
    pub lengths: Vec<f32>,
}

/// Takes the vectors of tokens to points: those of `tokens[i]` are the numbers
/// `i * n_columns..(i + 1) * n_columns` of `values`, such as rows of the embedding or of a residual
/// layer. It returns when it is done; `on_progress` hears of every step, and
/// `&mut |_| ControlFlow::Continue(())` lets it run.
///
/// # Errors
///
/// As [`project`] does; and if there is another number of tokens than of vectors.
pub fn project_tokens(
    values: &[f32],
    n_columns: usize,
    tokens: &[u32],
    vocab: &Vocab,
    settings: &ProjectionSettings,
    on_progress: &mut OnProgress<'_>,
) -> Result<TokenProjection, ProjectionError> {
    let vectors = Vectors::new(values, n_columns)?;
    if vectors.n_rows() != tokens.len() {
        return Err(ProjectionError::Tokens {
            n_vectors: vectors.n_rows(),
            n_tokens: tokens.len(),
        });
    }
    let projection = project(vectors, settings, on_progress)?;
    Ok(TokenProjection {
        projection,
        tokens: tokens.to_vec(),
        labels: tokens.iter().map(|token| vocab.label(*token)).collect(),
        lengths: lengths(vectors),
    })
}

/// The length of every vector.
pub fn lengths(vectors: Vectors<'_>) -> Vec<f32> {
    let rows = vectors.values().par_chunks(vectors.n_columns());
    rows.map(|row| length(row) as f32).collect()
}
