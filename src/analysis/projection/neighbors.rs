//! The nearest vectors of each, exactly.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::vectors::length;
use super::{OnProgress, ProjectionError, Stage, Vectors, tell};

/// How far two vectors are from one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metric {
    /// The length of their difference.
    #[default]
    Euclidean,
    /// One less the cosine of the angle between them, 0 to 2; a vector of zeros is 1 from any other.
    Cosine,
}

impl Metric {
    /// Its name on screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Euclidean => "Euclidean distance",
            Self::Cosine => "cosine distance",
        }
    }

    /// How far two vectors are from one another, summed in f64.
    pub fn distance(self, a: &[f32], b: &[f32]) -> f64 {
        let pairs = || a.iter().zip(b).map(|(a, b)| (f64::from(*a), f64::from(*b)));
        match self {
            Self::Euclidean => pairs().map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt(),
            Self::Cosine => {
                let lengths = length(a) * length(b);
                if lengths == 0.0 {
                    return 1.0;
                }
                let dot: f64 = pairs().map(|(a, b)| a * b).sum();
                (1.0 - dot / lengths).clamp(0.0, 2.0)
            }
        }
    }
}

/// A vector near another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbor {
    /// Which vector.
    pub index: usize,
    /// How far it is, in the metric asked for.
    pub distance: f64,
}

/// The `k` vectors nearest to vector `index`, nearest first and without itself, of every one compared
/// in f64; of equally near ones the first.
pub fn nearest_to(vectors: Vectors<'_>, index: usize, k: usize, metric: Metric) -> Vec<Neighbor> {
    let target = vectors.row(index);
    let mut all: Vec<(f64, usize)> = (0..vectors.n_rows())
        .into_par_iter()
        .filter(|other| *other != index)
        .map(|other| (metric.distance(target, vectors.row(other)), other))
        .collect();
    let order = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    if k < all.len() {
        all.select_nth_unstable_by(k, order);
        all.truncate(k);
    }
    all.sort_unstable_by(order);
    all.into_iter()
        .map(|(distance, index)| Neighbor { index, distance })
        .collect()
}

/// Vectors whose neighbours are sought at once.
const QUERIES: usize = 128;
/// Vectors they are compared with at once.
const CANDIDATES: usize = 1024;
/// Candidates kept beyond those asked for, to be compared once more without rounding.
const SPARE: usize = 8;

/// The `k` vectors nearest to each, `n` times `k` of them, nearest first and without itself; where
/// there are no more than `k` vectors, all the others. Costs `2 n * n * d` steps.
///
/// Candidates come from products of blocks in f32; the few best of them are measured anew, difference
/// by difference.
///
/// # Errors
///
/// If `on_progress` says to stop.
pub fn nearest(
    vectors: Vectors<'_>,
    k: usize,
    metric: Metric,
    on_progress: &mut OnProgress<'_>,
) -> Result<Vec<Neighbor>, ProjectionError> {
    let (n, d) = (vectors.n_rows(), vectors.n_columns());
    let k = k.min(n - 1);
    let data = match metric {
        Metric::Euclidean => vectors.centered().values,
        Metric::Cosine => vectors.to_unit_length(),
    };
    let halves: Vec<f32> = data
        .par_chunks(d)
        .map(|row| 0.5 * length(row).powi(2) as f32)
        .collect();
    let mut found = Vec::with_capacity(n * k);
    let search = Search {
        vectors,
        data: &data,
        halves: &halves,
        k,
        metric,
    };
    let n_at_once = QUERIES * 2 * rayon::current_num_threads();
    for start in (0..n).step_by(n_at_once) {
        tell(on_progress, Stage::Neighbors, start as f32 / n as f32, &[])?;
        let end = (start + n_at_once).min(n);
        let starts: Vec<usize> = (start..end).step_by(QUERIES).collect();
        let blocks: Vec<Vec<Neighbor>> = starts
            .into_par_iter()
            .map(|start| search.block(start, (start + QUERIES).min(end)))
            .collect();
        found.extend(blocks.into_iter().flatten());
    }
    Ok(found)
}

struct Search<'a> {
    vectors: Vectors<'a>,
    /// What is multiplied, `[n, d]`.
    data: &'a [f32],
    /// Half of every squared length of `data`.
    halves: &'a [f32],
    k: usize,
    metric: Metric,
}

impl Search<'_> {
    /// The neighbours of some vectors in a row.
    fn block(&self, start: usize, end: usize) -> Vec<Neighbor> {
        let d = self.vectors.n_columns();
        let n = self.vectors.n_rows();
        let queries = MatRef::from_row_major_slice(&self.data[start * d..end * d], end - start, d);
        let mut best: Vec<Best> = (start..end)
            .map(|_| Best::new((self.k + SPARE).min(n - 1)))
            .collect();
        let mut products = vec![0.0f32; (end - start) * CANDIDATES];
        for first in (0..n).step_by(CANDIDATES) {
            let last = (first + CANDIDATES).min(n);
            let others = &self.data[first * d..last * d];
            let others = MatRef::from_row_major_slice(others, last - first, d);
            let products = &mut products[..(end - start) * (last - first)];
            let columns = MatMut::from_row_major_slice_mut(products, end - start, last - first);
            matmul(
                columns,
                Accum::Replace,
                queries,
                others.transpose(),
                1.0,
                Par::Seq,
            );
            for (row, best) in best.iter_mut().enumerate() {
                let products = &products[row * (last - first)..][..last - first];
                best.take(products, &self.halves[first..last], first, start + row);
            }
        }
        let rows = best.into_iter().zip(start..end);
        rows.flat_map(|(best, row)| self.measured(best, row))
            .collect()
    }

    /// The best candidates in the order of their distances.
    fn measured(&self, best: Best, row: usize) -> Vec<Neighbor> {
        let target = self.vectors.row(row);
        let candidates = best.candidates.into_iter().map(|(_, index)| {
            let other = self.vectors.row(index as usize);
            (self.metric.distance(target, other), index as usize)
        });
        let mut candidates: Vec<(f64, usize)> = candidates.collect();
        candidates.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        candidates.truncate(self.k);
        candidates
            .into_iter()
            .map(|(distance, index)| Neighbor { index, distance })
            .collect()
    }
}

/// The best candidates of one vector so far.
struct Best {
    n_kept: usize,
    /// Nearness (half the squared distance, less a constant) and index; sorted when it is full.
    candidates: Vec<(f32, u32)>,
    /// What a candidate must be below.
    limit: f32,
}

impl Best {
    fn new(n_kept: usize) -> Self {
        Self {
            n_kept,
            candidates: Vec::with_capacity(2 * n_kept),
            limit: f32::INFINITY,
        }
    }

    fn take(&mut self, products: &[f32], halves: &[f32], first: usize, own: usize) {
        // Most groups hold nothing near enough: one comparison for each group.
        const GROUP: usize = 16;
        let groups = products.chunks(GROUP).zip(halves.chunks(GROUP));
        for (group, (products, halves)) in groups.enumerate() {
            let mut far = [f32::INFINITY; GROUP];
            for ((far, half), product) in far.iter_mut().zip(halves).zip(products) {
                *far = half - product;
            }
            if !far.iter().any(|far| *far < self.limit) {
                continue;
            }
            for (index, far) in far[..products.len()].iter().enumerate() {
                let index = first + group * GROUP + index;
                if *far < self.limit && index != own {
                    self.candidates.push((*far, index as u32));
                    if self.candidates.len() == 2 * self.n_kept {
                        self.shrink();
                    }
                }
            }
        }
        if self.candidates.len() > self.n_kept {
            self.shrink();
        }
    }

    /// Leaves the best of them.
    fn shrink(&mut self) {
        let order = |a: &(f32, u32), b: &(f32, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        self.candidates
            .select_nth_unstable_by(self.n_kept - 1, order);
        self.candidates.truncate(self.n_kept);
        self.limit = self.candidates[self.n_kept - 1].0;
    }
}
