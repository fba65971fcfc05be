//! Eigenvectors of symmetric matrices: all of a small one, the first ones of a large one.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use rayon::prelude::*;

use super::vectors::{BLOCK, Centered};
use super::{OnProgress, ProjectionError, Stage, tell};

/// Directions sought beyond those asked for: the wanted ones converge the sooner.
const OVERSAMPLING: usize = 13;
/// A direction has converged when what a pass turns it by is this share of it.
const TOLERANCE: f64 = 2e-4;
/// Passes over the vectors at most; reached only where directions vary alike, and any of them will do.
const MAX_PASSES: usize = 40;

/// Eigenvalues of a symmetric matrix, greatest first, and their vectors as columns.
pub(super) fn eigen(matrix: MatRef<'_, f64>) -> Result<(Vec<f64>, Mat<f64>), ProjectionError> {
    let n = matrix.nrows();
    let mut vectors = Mat::zeros(n, n);
    let mut values = Diag::zeros(n);
    let scratch =
        self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::Yes, Par::Seq, Default::default());
    self_adjoint_evd(
        matrix,
        values.as_mut(),
        Some(vectors.as_mut()),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .map_err(|_no_convergence| ProjectionError::NoConvergence)?;
    let values = (0..n).rev().map(|index| values[index]).collect();
    let vectors = Mat::from_fn(n, n, |row, column| vectors[(row, n - 1 - column)]);
    Ok((values, vectors))
}

/// Makes the columns orthogonal and of length one, from the first on. One that has nothing of its own
/// is replaced.
pub(super) fn orthonormalize(columns: &mut Mat<f64>) {
    let (d, k) = columns.shape();
    for index in 0..k {
        let length_before = columns.col(index).norm_l2();
        let mut unit = 0;
        loop {
            // Twice is enough (Parlett 1980).
            for _ in 0..2 {
                for before in 0..index {
                    let along: f64 = (0..d)
                        .map(|row| columns[(row, before)] * columns[(row, index)])
                        .sum();
                    for row in 0..d {
                        columns[(row, index)] -= along * columns[(row, before)];
                    }
                }
            }
            let length = columns.col(index).norm_l2();
            let least = if unit == 0 {
                1e-10 * length_before
            } else {
                1e-3
            };
            if length > least || unit >= d {
                for row in 0..d {
                    columns[(row, index)] /= length.max(f64::MIN_POSITIVE);
                }
                break;
            }
            for row in 0..d {
                columns[(row, index)] = f64::from(row == unit);
            }
            unit += 1;
        }
    }
}

/// The first sums of squares and directions, by turning a block of directions towards them.
pub(super) fn iterated(
    centered: &Centered,
    d: usize,
    k: usize,
    seed: u64,
    on_progress: &mut OnProgress<'_>,
) -> Result<(Vec<f64>, Mat<f64>), ProjectionError> {
    let n_columns = (k + OVERSAMPLING).min(d);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut basis = Mat::from_fn(d, n_columns, |_, _| f64::from(rng.next_u32()) / 2e9 - 1.0);
    orthonormalize(&mut basis);
    for pass in 1.. {
        let turned = turn(&centered.values, d, &basis);
        let mut ritz = Mat::zeros(n_columns, n_columns);
        matmul(
            &mut ritz,
            Accum::Replace,
            basis.transpose(),
            &turned,
            1.0,
            Par::Seq,
        );
        let symmetric = Mat::from_fn(n_columns, n_columns, |row, column| {
            0.5 * (ritz[(row, column)] + ritz[(column, row)])
        });
        let (values, rotation) = eigen(symmetric.as_ref())?;
        let rotated = |columns: &Mat<f64>| columns * &rotation;
        let (directions, mut next) = (rotated(&basis), rotated(&turned));
        let error = (0..k).map(|index| {
            let rest = next.col(index) - directions.col(index) * faer::Scale(values[index]);
            rest.norm_l2() / values[index].max(f64::MIN_POSITIVE)
        });
        let error = error.fold(0.0, f64::max);
        if error < TOLERANCE || pass == MAX_PASSES {
            let directions = directions.subcols(0, k).to_owned();
            return Ok((values[..k].to_vec(), directions));
        }
        let share = (pass as f64 / MAX_PASSES as f64).max((TOLERANCE / error).sqrt());
        tell(on_progress, Stage::Components, share as f32, &[])?;
        orthonormalize(&mut next);
        basis = next;
    }
    unreachable!("the passes end with an answer")
}

/// The data's product with itself, times directions `[d, b]`.
fn turn(values: &[f32], d: usize, basis: &Mat<f64>) -> Mat<f64> {
    let n_columns = basis.ncols();
    let basis = Mat::from_fn(d, n_columns, |row, column| basis[(row, column)] as f32);
    let parts: Vec<Mat<f32>> = values
        .par_chunks(BLOCK * d)
        .map(|block| {
            let n = block.len() / d;
            let block = MatRef::from_row_major_slice(block, n, d);
            let mut along = Mat::zeros(n, n_columns);
            matmul(&mut along, Accum::Replace, block, &basis, 1.0, Par::Seq);
            let mut part = Mat::zeros(d, n_columns);
            matmul(
                &mut part,
                Accum::Replace,
                block.transpose(),
                &along,
                1.0,
                Par::Seq,
            );
            part
        })
        .collect();
    Mat::from_fn(d, n_columns, |row, column| {
        parts
            .iter()
            .map(|part| f64::from(part[(row, column)]))
            .sum()
    })
}
