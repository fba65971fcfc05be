//! Vectors as points in two or three dimensions, and who is whose neighbour.
//!
//! [`project`] takes vectors `[n, d]` to points `[n, 2]` or `[n, 3]` by one of three methods: PCA
//! keeps what varies most and says how much that is; t-SNE and UMAP keep neighbours together. Each
//! tells how far it is and can be stopped at any step. The same vectors, settings and seed give the
//! same numbers to the last bit, however many threads there are: what is summed is summed in one order.

mod neighbors;
mod pca;
mod pooled;
mod subspace;
#[cfg(test)]
mod tests;
mod tokens;
mod trust;
mod tsne;
mod umap;
mod vectors;

use std::ops::ControlFlow;

use thiserror::Error;

pub use neighbors::{Metric, Neighbor, nearest, nearest_to};
pub use pca::Pca;
pub use pooled::{LayerPath, pooled_layers};
pub use tokens::{TokenProjection, lengths, project_tokens};
pub use trust::trustworthiness;
pub use tsne::TsneSettings;
pub use umap::UmapSettings;
pub use vectors::Vectors;

/// How vectors become points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// Principal component analysis: the orthogonal directions along which the vectors vary most.
    Pca,
    /// t-distributed stochastic neighbour embedding (van der Maaten and Hinton 2008).
    Tsne(TsneSettings),
    /// Uniform manifold approximation and projection (McInnes, Healy and Melville 2018).
    Umap(UmapSettings),
}

impl Method {
    /// Its name on screen and on the command line's pictures.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pca => "PCA",
            Self::Tsne(_) => "t-SNE",
            Self::Umap(_) => "UMAP",
        }
    }
}

/// What [`project`] is to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProjectionSettings {
    /// How.
    pub method: Method,
    /// Dimensions of the points, 2 or 3.
    pub n_dims: usize,
    /// Whether every vector is first scaled to length one, so that only directions count.
    pub has_unit_length: bool,
    /// Where random choices begin.
    pub seed: u64,
}

impl Default for ProjectionSettings {
    fn default() -> Self {
        Self {
            method: Method::Pca,
            n_dims: 2,
            has_unit_length: false,
            seed: 0,
        }
    }
}

/// Vectors as points.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// Dimensions of a point, 2 or 3.
    pub n_dims: usize,
    /// The points, `[n, n_dims]`, row by row, in the order of the vectors. PCA's keep the vectors'
    /// unit; those of t-SNE and UMAP have none.
    pub points: Vec<f32>,
    /// The share of the variance along each axis, 0 to 1, greatest first; empty but for PCA.
    pub explained: Vec<f64>,
    /// The method, its settings as they were used: with few vectors they are lowered.
    pub method: Method,
}

impl Projection {
    /// The coordinates of a point.
    pub fn point(&self, index: usize) -> &[f32] {
        &self.points[index * self.n_dims..][..self.n_dims]
    }

    /// What runs along an axis, such as `PC 1 (34.2 % of variance)`.
    pub fn axis(&self, axis: usize) -> String {
        let number = axis + 1;
        match (self.method, self.explained.get(axis)) {
            (Method::Pca, Some(share)) => {
                format!("PC {number} ({:.1} % of variance)", 100.0 * share)
            }
            (method, _) => format!("{} {number} (no unit)", method.name()),
        }
    }
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The directions of greatest variance are being sought.
    Components,
    /// The nearest neighbours of every vector are being sought.
    Neighbors,
    /// The points are being moved.
    Points,
}

/// How far [`project`] has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// What is being done.
    pub stage: Stage,
    /// The share of the stage that is done, 0 to 1.
    pub share: f32,
    /// The points as they are now, `[n, n_dims]`; empty before there are any.
    pub points: &'a [f32],
}

/// Is told how far a projection has come, and says whether to go on. It is called on whichever
/// thread does the work.
pub type OnProgress<'a> = dyn FnMut(Progress<'_>) -> ControlFlow<()> + Send + 'a;

/// Why vectors have no projection.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum ProjectionError {
    /// There is nothing to project.
    #[error("there are no vectors to project")]
    Empty,
    /// The numbers do not fill whole vectors.
    #[error("{n_values} numbers do not fill vectors of {n_columns}")]
    Shape {
        /// How many numbers.
        n_values: usize,
        /// How many a vector has.
        n_columns: usize,
    },
    /// Not one vector for each token.
    #[error("there are {n_vectors} vectors of {n_tokens} tokens")]
    Tokens {
        /// How many vectors.
        n_vectors: usize,
        /// How many tokens.
        n_tokens: usize,
    },
    /// Too few vectors.
    #[error("{method} needs at least {needed} vectors, and there are {n}: take a longer text")]
    TooFew {
        /// The method's name.
        method: &'static str,
        /// How many there are.
        n: usize,
        /// How many it takes.
        needed: usize,
    },
    /// More axes are asked for than the vectors have.
    #[error("vectors of {n_columns} numbers have no projection in {n_dims} dimensions")]
    TooFlat {
        /// How many numbers a vector has.
        n_columns: usize,
        /// How many axes were asked for.
        n_dims: usize,
    },
    /// Another number of axes than two or three.
    #[error("a projection has 2 or 3 dimensions, not {0}")]
    Dimensions(usize),
    /// A number is NaN or infinite.
    #[error(
        "vector {row} has {value} as its number {column}: only finite numbers can be projected"
    )]
    NotFinite {
        /// The vector.
        row: usize,
        /// The number within it.
        column: usize,
        /// What it is.
        value: f32,
    },
    /// All vectors are the same.
    #[error("all {n} vectors are the same: there is nothing that could set points apart")]
    Constant {
        /// How many.
        n: usize,
    },
    /// A setting makes no sense.
    #[error("{name} is {value}; it must be {expected}")]
    Setting {
        /// Which one.
        name: &'static str,
        /// What it is.
        value: f64,
        /// What it may be.
        expected: &'static str,
    },
    /// It was told to stop.
    #[error("the projection was stopped")]
    Stopped,
    /// The directions of greatest variance were not found.
    #[error("the eigenvalues of the vectors' covariance did not converge")]
    NoConvergence,
    /// The system gives no thread.
    #[error("the projection needs a thread and the system gives none: {0}")]
    Thread(String),
}

/// Takes vectors to points.
///
/// `on_progress` is called after every step and may stop it. PCA of 50,257 vectors of 768 takes about
/// a second; t-SNE and UMAP first seek every vector's nearest neighbours among all the others, which
/// takes `2 n * n * d` floating point operations.
///
/// # Errors
///
/// Where the vectors are too few, all the same or not finite, a setting is out of range, or
/// `on_progress` said to stop.
pub fn project(
    vectors: Vectors<'_>,
    settings: &ProjectionSettings,
    on_progress: &mut OnProgress<'_>,
) -> Result<Projection, ProjectionError> {
    if !(2..=3).contains(&settings.n_dims) {
        return Err(ProjectionError::Dimensions(settings.n_dims));
    }
    let unit;
    let vectors = if settings.has_unit_length {
        unit = vectors.to_unit_length();
        Vectors::new(&unit, vectors.n_columns())?
    } else {
        vectors
    };
    match settings.method {
        Method::Pca => {
            let pca = Pca::fit(vectors, settings.n_dims, settings.seed, on_progress)?;
            Ok(Projection {
                n_dims: settings.n_dims,
                points: pca.scores,
                explained: pca.explained,
                method: Method::Pca,
            })
        }
        Method::Tsne(tsne) => tsne::project(vectors, &tsne, settings, on_progress),
        Method::Umap(umap) => umap::project(vectors, &umap, settings, on_progress),
    }
}

/// Goes on, or stops with [`ProjectionError::Stopped`].
fn tell(
    on_progress: &mut OnProgress<'_>,
    stage: Stage,
    share: f32,
    points: &[f32],
) -> Result<(), ProjectionError> {
    let progress = Progress {
        stage,
        share,
        points,
    };
    match on_progress(progress) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(ProjectionError::Stopped),
    }
}
