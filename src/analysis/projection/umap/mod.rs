//! Uniform manifold approximation and projection (McInnes, Healy and Melville 2018).
//!
//! Neighbours become a graph whose edges weigh how surely two vectors belong together; points are
//! then drawn together along edges, in proportion to their weights, and pushed from points chosen at
//! random. In a step every point moves by itself, against where the others stood before it: the
//! outcome depends on no thread.

mod curve;
mod graph;
mod layout;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

use super::neighbors::{Metric, nearest};
use super::tsne::initial;
use super::{
    Method, OnProgress, Projection, ProjectionError, ProjectionSettings, Stage, Vectors, tell,
};

/// How UMAP moves points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UmapSettings {
    /// How many neighbours each vector has, itself among them, at least 2; at most all vectors count.
    pub n_neighbors: usize,
    /// How near points may come, of a spread of 1; 0 to 1.
    pub min_dist: f32,
    /// Steps; 0 for 500 up to 10,000 vectors and 200 of more.
    pub n_steps: usize,
    /// What nearness of vectors means.
    pub metric: Metric,
}

impl Default for UmapSettings {
    fn default() -> Self {
        Self {
            n_neighbors: 15,
            min_dist: 0.1,
            n_steps: 0,
            metric: Metric::Euclidean,
        }
    }
}

/// With fewer vectors there is no picture worth the name.
const FEWEST: usize = 5;
/// The greatest distance from the middle at which points begin.
const INITIAL_REACH: f32 = 10.0;

pub(super) fn project(
    vectors: Vectors<'_>,
    umap: &UmapSettings,
    settings: &ProjectionSettings,
    on_progress: &mut OnProgress<'_>,
) -> Result<Projection, ProjectionError> {
    let n = vectors.n_rows();
    vectors.check("UMAP", FEWEST)?;
    check(umap)?;
    let used = UmapSettings {
        n_neighbors: umap.n_neighbors.min(n),
        n_steps: match umap.n_steps {
            0 if n <= 10_000 => 500,
            0 => 200,
            n_steps => n_steps,
        },
        ..*umap
    };
    let n_dims = settings.n_dims;
    let mut points = initial(vectors, n_dims, settings.seed, 1.0, on_progress)?;
    spread(&mut points, settings.seed);
    let k = used.n_neighbors - 1;
    let neighbors = nearest(vectors, k, used.metric, on_progress)?;
    let graph = graph::Graph::new(&neighbors, n, k);
    let curve = curve::Curve::fit(f64::from(used.min_dist));
    let schedule = layout::Schedule {
        graph: &graph,
        curve,
        n_steps: used.n_steps,
        seed: settings.seed,
    };
    let mut tell = |share: f32, points: &[f32]| tell(on_progress, Stage::Points, share, points);
    match n_dims {
        2 => layout::settle::<2>(&mut points, &schedule, &mut tell)?,
        _ => layout::settle::<3>(&mut points, &schedule, &mut tell)?,
    }
    Ok(Projection {
        n_dims,
        points,
        explained: Vec::new(),
        method: Method::Umap(used),
    })
}

fn check(settings: &UmapSettings) -> Result<(), ProjectionError> {
    if settings.n_neighbors < 2 {
        return Err(ProjectionError::Setting {
            name: "the number of neighbours",
            value: settings.n_neighbors as f64,
            expected: "at least 2",
        });
    }
    if !(0.0..=1.0).contains(&settings.min_dist) {
        return Err(ProjectionError::Setting {
            name: "the least distance",
            value: f64::from(settings.min_dist),
            expected: "from 0 to 1",
        });
    }
    Ok(())
}

/// Stretches points to their reach, and parts those that coincide.
fn spread(points: &mut [f32], seed: u64) {
    let reach = points.iter().fold(0.0f32, |reach, at| reach.max(at.abs()));
    let scale = INITIAL_REACH / reach.max(f32::MIN_POSITIVE);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for at in points {
        let noise = rng.next_u32() as f32 / u32::MAX as f32 - 0.5;
        *at = *at * scale + 4e-4 * noise;
    }
}
