//! t-distributed stochastic neighbour embedding (van der Maaten and Hinton 2008).

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use bhtsne::tSNE;
use rayon::ThreadPoolBuilder;

use super::neighbors::{Metric, Neighbor, nearest};
use super::{
    Method, OnProgress, Pca, Projection, ProjectionError, ProjectionSettings, Stage, Vectors, tell,
};

/// How t-SNE moves points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TsneSettings {
    /// About how many neighbours each vector has, more than 1; at most a third of the others count.
    pub perplexity: f32,
    /// Steps, of which the first quarter of a thousand pull twelve times as hard.
    pub n_steps: usize,
    /// What nearness of vectors means.
    pub metric: Metric,
}

impl Default for TsneSettings {
    fn default() -> Self {
        Self {
            perplexity: 30.0,
            n_steps: 750,
            metric: Metric::Euclidean,
        }
    }
}

/// Steps that pull harder.
const EXAGGERATED_STEPS: usize = 250;
/// From this many points on in a plane, forces are interpolated on a grid (Linderman et al. 2019);
/// of fewer, and in space, far groups of points are taken together (Barnes and Hut).
const GRID_POINTS: usize = 8_000;
/// How wide a group of points may look to count as one.
const THETA: f32 = 0.5;
/// With fewer vectors there is no picture worth the name.
const FEWEST: usize = 5;

/// The epoch callback's way out.
struct Stop;

pub(super) fn project(
    vectors: Vectors<'_>,
    tsne: &TsneSettings,
    settings: &ProjectionSettings,
    on_progress: &mut OnProgress<'_>,
) -> Result<Projection, ProjectionError> {
    let n = vectors.n_rows();
    vectors.check("t-SNE", FEWEST)?;
    if !(tsne.perplexity > 1.0 && tsne.perplexity.is_finite()) {
        return Err(ProjectionError::Setting {
            name: "the perplexity",
            value: f64::from(tsne.perplexity),
            expected: "more than 1",
        });
    }
    if tsne.n_steps == 0 {
        return Err(ProjectionError::Setting {
            name: "the number of steps",
            value: 0.0,
            expected: "at least 1",
        });
    }
    let used = TsneSettings {
        perplexity: tsne.perplexity.min((n - 1) as f32 / 3.0),
        ..*tsne
    };
    let n_dims = settings.n_dims;
    let initial = initial(vectors, n_dims, settings.seed, 1e-4, on_progress)?;
    let k = ((3.0 * used.perplexity) as usize).clamp(1, n - 1);
    let neighbors = nearest(vectors, k, used.metric, on_progress)?;
    let neighbors = scaled(&neighbors, k);
    let near = &neighbors;
    let points = on_one_thread(|| {
        if n_dims == 3 {
            return fit::<3>(n, &used, initial, on_progress, |tsne| {
                tsne.barnes_hut_with_neighbors(THETA, near);
            });
        }
        fit::<2>(n, &used, initial, on_progress, |tsne| {
            if n < GRID_POINTS {
                tsne.barnes_hut_with_neighbors(THETA, near);
            } else {
                tsne.fit_sne_with_neighbors(near);
            }
        })
    })??;
    Ok(Projection {
        n_dims,
        points,
        explained: Vec::new(),
        method: Method::Tsne(used),
    })
}

/// Where points begin: along the first principal components, the widest with this standard deviation.
pub(super) fn initial(
    vectors: Vectors<'_>,
    n_dims: usize,
    seed: u64,
    deviation: f64,
    on_progress: &mut OnProgress<'_>,
) -> Result<Vec<f32>, ProjectionError> {
    let pca = Pca::fit(vectors, n_dims, seed, on_progress)?;
    let widest = pca.variances.first().copied().unwrap_or(0.0).sqrt();
    let scale = deviation / widest.max(f64::MIN_POSITIVE);
    let points = pca.scores.iter();
    Ok(points
        .map(|score| (f64::from(*score) * scale) as f32)
        .collect())
}

/// Distances in units of their mean, so that the search for each point's reach begins near its end
/// however large the vectors are.
fn scaled(neighbors: &[Neighbor], k: usize) -> Vec<Vec<bhtsne::Neighbor<f32>>> {
    let distances = neighbors.iter().map(|near| near.distance);
    let mean = distances.sum::<f64>() / neighbors.len() as f64;
    let scale = 1.0 / mean.max(f64::MIN_POSITIVE);
    let rows = neighbors.chunks(k);
    rows.map(|row| {
        let row = row.iter().map(|near| bhtsne::Neighbor {
            index: near.index,
            distance: (near.distance * scale) as f32,
        });
        row.collect()
    })
    .collect()
}

/// Runs work on a thread of its own: the crate adds up in the order in which its threads are done, and
/// one thread has one order.
fn on_one_thread<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, ProjectionError> {
    let pool = ThreadPoolBuilder::new()
        .num_threads(1)
        .thread_name(|_| "llmscope-tsne".to_owned())
        .build();
    let pool = pool.map_err(|error| ProjectionError::Thread(error.to_string()))?;
    Ok(pool.install(work))
}

fn fit<const D: usize>(
    n: usize,
    settings: &TsneSettings,
    initial: Vec<f32>,
    on_progress: &mut OnProgress<'_>,
    run: impl FnOnce(&mut tSNE<'_, f32, (), D>),
) -> Result<Vec<f32>, ProjectionError> {
    let n_steps = settings.n_steps;
    // The neighbours that are given say all there is to say of the vectors.
    let samples: Vec<()> = vec![(); n];
    let mut tsne: tSNE<'_, f32, (), D> = tSNE::new(&samples);
    tsne.perplexity(settings.perplexity)
        .epochs(n_steps)
        .stop_lying_epoch(EXAGGERATED_STEPS.min(n_steps))
        .momentum_switch_epoch(EXAGGERATED_STEPS)
        .initial_embedding(initial)
        .epoch_callback(|step, points| {
            let share = (step + 1) as f32 / n_steps as f32;
            if tell(on_progress, Stage::Points, share, points).is_err() {
                // The crate's callback has no other way to end the work; no panic hook sees this.
                resume_unwind(Box::new(Stop));
            }
        });
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        run(&mut tsne);
        tsne.embedding()
    }));
    match outcome {
        Ok(points) => Ok(points),
        Err(stop) if stop.is::<Stop>() => Err(ProjectionError::Stopped),
        Err(panic) => resume_unwind(panic),
    }
}
