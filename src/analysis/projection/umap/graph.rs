//! Neighbours as a graph: how surely two vectors belong together.

use rayon::prelude::*;

use crate::analysis::projection::Neighbor;

/// A symmetric graph; every edge stands in the rows of both its ends.
#[derive(Debug, PartialEq)]
pub(super) struct Graph {
    /// Where each vector's edges begin, and where the last one's end, `[n + 1]`.
    pub starts: Vec<usize>,
    /// The other ends, in ascending order within a row.
    pub ends: Vec<u32>,
    /// Weights, above 0, at most 1.
    pub weights: Vec<f32>,
}

/// The least reach of a vector, as a share of the mean distance of its neighbours.
const LEAST_REACH: f64 = 1e-3;

impl Graph {
    /// The graph of `n` vectors with `k` neighbours each, nearest first.
    pub fn new(neighbors: &[Neighbor], n: usize, k: usize) -> Self {
        let distances = neighbors.iter().map(|near| near.distance);
        let mean = distances.sum::<f64>() / neighbors.len() as f64;
        let mut rows: Vec<Vec<(u32, f32)>> = neighbors
            .par_chunks(k)
            .map(|row| {
                let mut edges = memberships(row, mean);
                edges.sort_unstable_by_key(|(end, _)| *end);
                edges
            })
            .collect();
        rows.resize(n, Vec::new());
        let mut reversed: Vec<Vec<(u32, f32)>> = vec![Vec::new(); n];
        for (start, row) in (0..).zip(&rows) {
            for (end, weight) in row {
                reversed[*end as usize].push((start, *weight));
            }
        }
        let mut graph = Self {
            starts: vec![0],
            ends: Vec::with_capacity(2 * neighbors.len()),
            weights: Vec::with_capacity(2 * neighbors.len()),
        };
        for (out, into) in rows.iter().zip(&reversed) {
            graph.join(out, into);
            graph.starts.push(graph.ends.len());
        }
        graph
    }

    /// Adds a row: the union of two, each sorted by its ends, where either or both may be true.
    fn join(&mut self, mut out: &[(u32, f32)], mut into: &[(u32, f32)]) {
        loop {
            let (end, weight) = match (out, into) {
                ([(a, x), more_out @ ..], [(b, y), more_into @ ..]) if a == b => {
                    (out, into) = (more_out, more_into);
                    (*a, x + y - x * y)
                }
                ([(a, x), more @ ..], [(b, _), ..]) if a < b => {
                    out = more;
                    (*a, *x)
                }
                ([(a, x), more @ ..], []) => {
                    out = more;
                    (*a, *x)
                }
                (_, [(b, y), more @ ..]) => {
                    into = more;
                    (*b, *y)
                }
                ([], []) => return,
            };
            if weight > 0.0 {
                self.ends.push(end);
                self.weights.push(weight);
            }
        }
    }
}

/// How surely each neighbour belongs to the vector: 1 for the nearest that is apart from it, falling
/// off with distance so that all together make `log2(k + 1)`.
fn memberships(row: &[Neighbor], mean_of_all: f64) -> Vec<(u32, f32)> {
    let distances: Vec<f64> = row.iter().map(|near| near.distance).collect();
    let nearest = distances.iter().copied().find(|distance| *distance > 0.0);
    let nearest = nearest.unwrap_or(0.0);
    let reach = reach(&distances, nearest);
    let mean = distances.iter().sum::<f64>() / distances.len() as f64;
    let least = LEAST_REACH * if nearest > 0.0 { mean } else { mean_of_all };
    let reach = reach.max(least);
    let weight = |distance: f64| {
        let beyond = distance - nearest;
        if beyond <= 0.0 || reach == 0.0 {
            1.0
        } else {
            (-beyond / reach).exp() as f32
        }
    };
    let edges = row.iter().zip(&distances);
    edges
        .map(|(near, distance)| (near.index as u32, weight(*distance)))
        .collect()
}

/// The reach at which memberships make `log2(k + 1)`, by bisection.
fn reach(distances: &[f64], nearest: f64) -> f64 {
    let target = ((distances.len() + 1) as f64).log2();
    let (mut low, mut high, mut reach) = (0.0, f64::INFINITY, 1.0f64);
    for _ in 0..64 {
        let memberships = distances.iter().map(|distance| {
            let beyond = distance - nearest;
            if beyond > 0.0 {
                (-beyond / reach).exp()
            } else {
                1.0
            }
        });
        let sum: f64 = memberships.sum();
        if (sum - target).abs() < 1e-5 {
            break;
        }
        if sum > target {
            high = reach;
            reach = 0.5 * (low + high);
        } else {
            low = reach;
            reach = if high.is_finite() {
                0.5 * (low + high)
            } else {
                2.0 * reach
            };
        }
    }
    reach
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(index: usize, distance: f64) -> Neighbor {
        Neighbor { index, distance }
    }

    #[test]
    fn memberships_make_the_logarithm_of_their_number_and_the_nearest_has_one() {
        let row = [near(4, 1.0), near(2, 2.0), near(7, 3.0)];

        let memberships = memberships(&row, 2.0);

        assert_eq!(memberships[0], (4, 1.0));
        let sum: f32 = memberships.iter().map(|(_, weight)| weight).sum();
        assert!((sum - 2.0).abs() < 1e-4, "{sum}");
    }

    #[test]
    fn an_edge_of_both_directions_is_true_if_either_is() {
        let neighbors = [near(1, 1.0), near(0, 1.0), near(0, 3.0)];

        let graph = Graph::new(&neighbors, 3, 1);

        assert_eq!(graph.starts, [0, 2, 3, 4]);
        assert_eq!(graph.ends, [1, 2, 0, 0]);
        assert_eq!(graph.weights, [1.0; 4]);
    }
}
