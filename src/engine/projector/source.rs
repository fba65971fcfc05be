//! Vectors that are read when they are first needed, on whichever thread needs them.

use std::sync::{Arc, OnceLock};

use super::ProjectorError;
use crate::analysis::projection::{Vectors, lengths};
use crate::model::Weights;
use crate::weight::WeightPoint;

/// Vectors to be projected, read when they are first asked for and then kept.
#[derive(Debug)]
pub struct VectorSource {
    origin: Origin,
    n_columns: usize,
    read: OnceLock<Option<ReadVectors>>,
}

#[derive(Debug)]
enum Origin {
    Values(Vec<f32>),
    Weight(Arc<Weights>, WeightPoint),
}

#[derive(Debug)]
struct ReadVectors {
    /// Empty where the origin has them.
    values: Vec<f32>,
    lengths: Vec<f32>,
}

impl VectorSource {
    /// Vectors that are there, `[n, n_columns]`.
    pub fn of_values(values: Vec<f32>, n_columns: usize) -> Self {
        Self {
            origin: Origin::Values(values),
            n_columns,
            read: OnceLock::new(),
        }
    }

    /// One vector for each token, of the embedding or the unembedding.
    pub fn of_weight(weights: Arc<Weights>, weight: WeightPoint) -> Self {
        Self {
            n_columns: weights.config().d_model,
            origin: Origin::Weight(weights, weight),
            read: OnceLock::new(),
        }
    }

    /// The vectors; the first call reads them.
    ///
    /// # Errors
    ///
    /// If they can't be read or projected.
    pub fn vectors(&self) -> Result<Vectors<'_>, ProjectorError> {
        let read = self.read.get_or_init(|| self.read()).as_ref();
        let Some(read) = read else {
            return Err(ProjectorError::Unread);
        };
        Ok(Vectors::new(self.values(read), self.n_columns)?)
    }

    /// The length of every vector, once they are read.
    pub fn lengths(&self) -> Option<&[f32]> {
        Some(&self.read.get()?.as_ref()?.lengths)
    }

    fn values<'a>(&'a self, read: &'a ReadVectors) -> &'a [f32] {
        match &self.origin {
            Origin::Values(values) => values,
            Origin::Weight(..) => &read.values,
        }
    }

    fn read(&self) -> Option<ReadVectors> {
        let values = match &self.origin {
            Origin::Values(_) => Vec::new(),
            Origin::Weight(weights, weight) => {
                // Tokens are the tensor's rows, of the embedding and of the unembedding alike.
                let slice = weights.config().weight_slice(*weight);
                weights.read(&slice, 0..slice.rows.len, 0..slice.columns.len)?
            }
        };
        let mut read = ReadVectors {
            values,
            lengths: Vec::new(),
        };
        if let Ok(vectors) = Vectors::new(self.values(&read), self.n_columns) {
            read.lengths = lengths(vectors);
        }
        Some(read)
    }
}
