//! t-distributed stochastic neighbour embedding (van der Maaten and Hinton 2008).

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use bhtsne::tSNE;
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;

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
/// How much harder.
const EXAGGERATION: f32 = 12.0;
/// How much of the last step goes into the next.
const MOMENTUM: f32 = 0.8;
/// The least learning rate; of many points it grows with their number.
const LEAST_RATE: f32 = 50.0;
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
    let neighbors = within_reach(&neighbors, k, used.perplexity);
    let points = on_one_thread(|| match n_dims {
        2 => Fit::<2>::new(n, &used, on_progress).run(initial, |tsne, start| {
            let is_grid = n >= GRID_POINTS;
            match (start, is_grid) {
                (Start::Neighbors, false) => tsne.barnes_hut_with_neighbors(THETA, &neighbors),
                (Start::Neighbors, true) => tsne.fit_sne_with_neighbors(&neighbors),
                (Start::Graph, false) => tsne.barnes_hut(THETA, |(), ()| 0.0),
                (Start::Graph, true) => tsne.fit_sne(|(), ()| 0.0),
            };
        }),
        _ => Fit::<3>::new(n, &used, on_progress).run(initial, |tsne, start| {
            match start {
                Start::Neighbors => tsne.barnes_hut_with_neighbors(THETA, &neighbors),
                Start::Graph => tsne.barnes_hut(THETA, |(), ()| 0.0),
            };
        }),
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

/// Neighbours at distances that say all: the crate's own search for a point's reach, the one at which
/// its neighbours are as many as the perplexity, is over as soon as it begins.
fn within_reach(
    neighbors: &[Neighbor],
    k: usize,
    perplexity: f32,
) -> Vec<Vec<bhtsne::Neighbor<f32>>> {
    let rows = neighbors.par_chunks(k);
    rows.map(|row| {
        // What all squares have in common cancels out.
        let nearest = row.first().map_or(0.0, |near| near.distance);
        let squares: Vec<f64> = row
            .iter()
            .map(|near| (near.distance - nearest) * (near.distance + nearest))
            .collect();
        let mean = squares.iter().sum::<f64>() / squares.len() as f64;
        let scale = 1.0 / mean.max(f64::MIN_POSITIVE);
        let squares: Vec<f64> = squares.iter().map(|square| square * scale).collect();
        let precision = precision(&squares, f64::from(perplexity).ln());
        let row = row
            .iter()
            .zip(squares)
            .map(|(near, square)| bhtsne::Neighbor {
                index: near.index,
                distance: (precision * square).sqrt() as f32,
            });
        row.collect()
    })
    .collect()
}

/// By what squared distances are multiplied so that their Gaussian has this entropy: Newton's steps in
/// its logarithm, within what is known to hold it.
fn precision(squares: &[f64], entropy: f64) -> f64 {
    let (mut low, mut high, mut precision) = (0.0, f64::INFINITY, 1.0f64);
    for _ in 0..64 {
        let (mut sum, mut first, mut second) = (0.0, 0.0, 0.0);
        for square in squares {
            let share = (-precision * square).exp();
            sum += share;
            first += share * square;
            second += share * square * square;
        }
        let mean = first / sum;
        let excess = precision * mean + sum.ln() - entropy;
        if excess.abs() < 1e-6 {
            break;
        }
        if excess > 0.0 {
            low = precision;
        } else {
            high = precision;
        }
        let slope = precision * precision * (second / sum - mean * mean);
        let next = precision * (excess / slope).clamp(-2.0, 2.0).exp();
        precision = if next > low && next < high {
            next
        } else if high.is_finite() {
            0.5 * (low + high)
        } else {
            2.0 * low
        };
    }
    precision
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

/// What a fit begins with.
#[derive(Clone, Copy)]
enum Start {
    /// The neighbours of every vector.
    Neighbors,
    /// The graph that an earlier fit has made of them.
    Graph,
}

/// Points on their way.
struct Fit<'a, 'b, const D: usize> {
    settings: TsneSettings,
    /// The neighbours that are given say all there is to say of the vectors.
    samples: Vec<()>,
    on_progress: &'a mut OnProgress<'b>,
}

impl<'a, 'b, const D: usize> Fit<'a, 'b, D> {
    fn new(n: usize, settings: &TsneSettings, on_progress: &'a mut OnProgress<'b>) -> Self {
        Self {
            settings: *settings,
            samples: vec![(); n],
            on_progress,
        }
    }

    /// First pulls hard, in small steps, then as the graph says, in large ones (Belkina et al. 2019).
    fn run(
        mut self,
        initial: Vec<f32>,
        go: impl Fn(&mut tSNE<'_, f32, (), D>, Start),
    ) -> Result<Vec<f32>, ProjectionError> {
        let n = self.samples.len() as f32;
        let n_steps = self.settings.n_steps;
        let n_early = EXAGGERATED_STEPS.min(n_steps);
        let mut graph = None;
        let points = self.phase(0..n_early, initial, |tsne| {
            tsne.early_exaggeration(EXAGGERATION)
                .stop_lying_epoch(usize::MAX)
                .momentum(MOMENTUM)
                .final_momentum(MOMENTUM)
                .learning_rate((n / EXAGGERATION).max(LEAST_RATE));
            go(tsne, Start::Neighbors);
            graph = tsne.affinities();
        })?;
        let (Some(graph), true) = (graph, n_early < n_steps) else {
            return Ok(points);
        };
        self.phase(n_early..n_steps, points, |tsne| {
            tsne.with_affinities(graph)
                .stop_lying_epoch(0)
                .momentum(MOMENTUM)
                .final_momentum(MOMENTUM)
                .learning_rate(n.max(LEAST_RATE));
            go(tsne, Start::Graph);
        })
    }

    /// Some of the steps, with what `go` sets and does.
    fn phase(
        &mut self,
        steps: std::ops::Range<usize>,
        initial: Vec<f32>,
        go: impl FnOnce(&mut tSNE<'_, f32, (), D>),
    ) -> Result<Vec<f32>, ProjectionError> {
        let n_steps = self.settings.n_steps;
        let on_progress = &mut *self.on_progress;
        let mut tsne: tSNE<'_, f32, (), D> = tSNE::new(&self.samples);
        tsne.perplexity(self.settings.perplexity)
            .epochs(steps.len())
            .initial_embedding(initial)
            .epoch_callback(|step, points| {
                let share = (steps.start + step + 1) as f32 / n_steps as f32;
                if tell(on_progress, Stage::Points, share, points).is_err() {
                    // The crate's callback has no other way to end the work; no panic hook sees this.
                    resume_unwind(Box::new(Stop));
                }
            });
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            go(&mut tsne);
            tsne.embedding()
        }));
        match outcome {
            Ok(points) => Ok(points),
            Err(stop) if stop.is::<Stop>() => Err(ProjectionError::Stopped),
            Err(panic) => resume_unwind(panic),
        }
    }
}
