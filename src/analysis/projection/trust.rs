//! How far neighbours in a picture are neighbours of the vectors.

use rayon::prelude::*;

use super::{Metric, Vectors};

/// Trustworthiness of a picture, 0 to 1 (Venna and Kaski 2001): one less a penalty for each of a
/// point's `k` nearest that is none of its vector's `k` nearest, by how far down that vector's order
/// it stands. `points` is `[n, n_dims]`, in the order of the vectors. Costs `n * n * d` steps.
///
/// Not a number unless `0 < k` and `3 k < 2 n - 1`.
pub fn trustworthiness(
    vectors: Vectors<'_>,
    points: &[f32],
    n_dims: usize,
    k: usize,
    metric: Metric,
) -> f64 {
    let n = vectors.n_rows();
    if k == 0 || 3 * k + 1 >= 2 * n || points.len() != n * n_dims {
        return f64::NAN;
    }
    let point = |index: usize| &points[index * n_dims..][..n_dims];
    let penalties: Vec<usize> = (0..n)
        .into_par_iter()
        .map(|row| {
            let ranks = ranks(n, row, |other| {
                metric.distance(vectors.row(row), vectors.row(other))
            });
            let shown = order(n, row, |other| {
                Metric::Euclidean.distance(point(row), point(other))
            });
            let near = shown.into_iter().take(k);
            near.map(|other| ranks[other].saturating_sub(k)).sum()
        })
        .collect();
    let worst = (n * k * (2 * n - 3 * k - 1)) as f64;
    1.0 - 2.0 * penalties.iter().sum::<usize>() as f64 / worst
}

/// All but `own`, nearest first.
fn order(n: usize, own: usize, distance: impl Fn(usize) -> f64) -> Vec<usize> {
    let others = (0..n).filter(|other| *other != own);
    let mut others: Vec<(f64, usize)> = others.map(|other| (distance(other), other)).collect();
    others.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    others.into_iter().map(|(_, other)| other).collect()
}

/// Where each stands among the others, from 1 for the nearest.
fn ranks(n: usize, own: usize, distance: impl Fn(usize) -> f64) -> Vec<usize> {
    let mut ranks = vec![0; n];
    for (rank, other) in (1..).zip(order(n, own, distance)) {
        ranks[other] = rank;
    }
    ranks
}
