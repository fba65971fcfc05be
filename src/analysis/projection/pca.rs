//! Principal component analysis: the directions along which vectors vary most.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::subspace::{eigen, iterated, orthonormalize};
use super::vectors::{BLOCK, Centered};
use super::{OnProgress, ProjectionError, Stage, Vectors, tell};

/// The directions along which vectors vary most, and the vectors along them.
#[derive(Clone, Debug, PartialEq)]
pub struct Pca {
    /// How many directions, `k`.
    pub n_components: usize,
    /// The vectors along the directions, `[n, k]`, in the vectors' unit.
    pub scores: Vec<f32>,
    /// The directions, `[k, d]`, each of length one; the loading of greatest magnitude is positive.
    pub components: Vec<f32>,
    /// The variance along each direction, of `n - 1` degrees of freedom, greatest first.
    pub variances: Vec<f64>,
    /// The share of the whole variance along each direction, 0 to 1.
    pub explained: Vec<f64>,
}

/// Up to this many steps the exact way is taken: every eigenvalue of the smaller product.
const EXACT_STEPS: usize = 500_000_000;

impl Pca {
    /// The `n_components` directions along which `vectors` vary most.
    ///
    /// Few or short vectors are taken exactly. Of many and long ones a block of random directions
    /// (from `seed`) is turned towards the greatest by subspace iteration with Rayleigh-Ritz steps
    /// (Halko, Martinsson and Tropp 2011), until another pass turns them by less than 0.02 %.
    ///
    /// # Errors
    ///
    /// If there are fewer than two vectors, they are all the same, or shorter than the directions are
    /// many, or `on_progress` says to stop.
    pub fn fit(
        vectors: Vectors<'_>,
        n_components: usize,
        seed: u64,
        on_progress: &mut OnProgress<'_>,
    ) -> Result<Self, ProjectionError> {
        vectors.check("PCA", 2)?;
        let (n, d) = (vectors.n_rows(), vectors.n_columns());
        if n_components == 0 || n_components > d {
            return Err(ProjectionError::TooFlat {
                n_columns: d,
                n_dims: n_components,
            });
        }
        tell(on_progress, Stage::Components, 0.0, &[])?;
        let centered = vectors.centered();
        let data = MatRef::from_row_major_slice(&centered.values, n, d);
        let (values, directions) = if n.saturating_mul(d).saturating_mul(n.min(d)) <= EXACT_STEPS {
            exact(data, n_components)?
        } else {
            iterated(&centered, d, n_components, seed, on_progress)?
        };
        let pca = Self::along(&centered, n, values, directions);
        tell(on_progress, Stage::Components, 1.0, &pca.scores)?;
        Ok(pca)
    }

    /// From sums of squares along directions `[d, k]`.
    fn along(centered: &Centered, n: usize, values: Vec<f64>, mut directions: Mat<f64>) -> Self {
        let (d, k) = directions.shape();
        for column in directions.col_iter_mut() {
            let largest = (0..d)
                .map(|row| column[row])
                .fold(0.0, |largest: f64, loading| {
                    if loading.abs() > largest.abs() {
                        loading
                    } else {
                        largest
                    }
                });
            if largest < 0.0 {
                column.iter_mut().for_each(|loading| *loading = -*loading);
            }
        }
        let components: Vec<f32> = (0..k * d)
            .map(|index| directions[(index % d, index / d)] as f32)
            .collect();
        let total = total_variance(&centered.values, d);
        let explained = values.iter().map(|value| (value / total).clamp(0.0, 1.0));
        let unit = centered.scale * centered.scale / (n - 1) as f64;
        Self {
            n_components: k,
            scores: scores(&centered.values, d, &components, centered.scale as f32),
            explained: explained.collect(),
            variances: values.iter().map(|value| value.max(0.0) * unit).collect(),
            components,
        }
    }
}

/// The sum of all squares.
fn total_variance(values: &[f32], d: usize) -> f64 {
    let blocks: Vec<f64> = values
        .par_chunks(BLOCK * d)
        .map(|block| {
            let rows = block.chunks(d);
            rows.map(|row| f64::from(row.iter().map(|value| value * value).sum::<f32>()))
                .sum()
        })
        .collect();
    blocks.iter().sum()
}

/// Vectors along directions `[k, d]`, `[n, k]`.
fn scores(values: &[f32], d: usize, components: &[f32], scale: f32) -> Vec<f32> {
    let k = components.len() / d;
    let n = values.len() / d;
    let mut scores = vec![0.0f32; n * k];
    let directions = MatRef::from_column_major_slice(components, d, k);
    scores
        .par_chunks_mut(BLOCK * k)
        .zip(values.par_chunks(BLOCK * d))
        .for_each(|(scores, block)| {
            let n = block.len() / d;
            let block = MatRef::from_row_major_slice(block, n, d);
            let scores = MatMut::from_row_major_slice_mut(scores, n, k);
            matmul(scores, Accum::Replace, block, directions, scale, Par::Seq);
        });
    scores
}

/// The first sums of squares and directions, from the product of the data with itself, over whichever
/// side is shorter.
fn exact(data: MatRef<'_, f32>, k: usize) -> Result<(Vec<f64>, Mat<f64>), ProjectionError> {
    let (n, d) = data.shape();
    let data = Mat::from_fn(n, d, |row, column| f64::from(data[(row, column)]));
    if d <= n {
        let mut product = Mat::zeros(d, d);
        matmul(
            &mut product,
            Accum::Replace,
            data.transpose(),
            &data,
            1.0,
            Par::Seq,
        );
        let (values, vectors) = eigen(product.as_ref())?;
        let directions = Mat::from_fn(d, k, |row, column| vectors[(row, column)]);
        return Ok((values[..k].to_vec(), directions));
    }
    let mut product = Mat::zeros(n, n);
    matmul(
        &mut product,
        Accum::Replace,
        &data,
        data.transpose(),
        1.0,
        Par::Seq,
    );
    let (mut values, vectors) = eigen(product.as_ref())?;
    values.resize(k.max(n), 0.0);
    let mut directions = Mat::zeros(d, k);
    let shared = k.min(n);
    let mut wanted = directions.subcols_mut(0, shared);
    let vectors = vectors.subcols(0, shared);
    matmul(
        &mut wanted,
        Accum::Replace,
        data.transpose(),
        vectors,
        1.0,
        Par::Seq,
    );
    // Along a direction in which nothing varies there is none: one that is at a right angle to the
    // others is as good as any.
    orthonormalize(&mut directions);
    values.truncate(k);
    Ok((values, directions))
}
