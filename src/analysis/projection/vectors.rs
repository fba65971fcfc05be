//! Vectors of one length, row by row, and what every method needs to know of them first.

use rayon::prelude::*;

use super::ProjectionError;

/// Vectors of one length, finite and at least one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vectors<'a> {
    values: &'a [f32],
    n_columns: usize,
}

/// Vectors with their mean taken away and divided by the greatest magnitude that is then left, so that
/// no square of theirs is too large for an f32.
pub(super) struct Centered {
    /// `[n, d]`, each from -1 to 1.
    pub values: Vec<f32>,
    /// What they were divided by.
    pub scale: f64,
}

/// Vectors that are summed up at once; sums of blocks are added in order.
pub(super) const BLOCK: usize = 512;

impl<'a> Vectors<'a> {
    /// The vectors whose numbers are `values`, `[n, n_columns]`, row by row.
    ///
    /// # Errors
    ///
    /// If there is none, they are not whole, or a number is not finite.
    pub fn new(values: &'a [f32], n_columns: usize) -> Result<Self, ProjectionError> {
        if values.is_empty() || n_columns == 0 {
            return Err(ProjectionError::Empty);
        }
        if !values.len().is_multiple_of(n_columns) {
            let n_values = values.len();
            return Err(ProjectionError::Shape {
                n_values,
                n_columns,
            });
        }
        // A sum of zeros is zero, unless one of them was made of a number that is not finite.
        let is_finite = |row: &[f32]| row.iter().map(|value| value * 0.0).sum::<f32>() == 0.0;
        let bad = values
            .par_chunks(n_columns)
            .position_first(|row| !is_finite(row));
        if let Some(row) = bad {
            let numbers = &values[row * n_columns..][..n_columns];
            let column = numbers.iter().position(|value| !value.is_finite());
            let column = column.unwrap_or(0);
            return Err(ProjectionError::NotFinite {
                row,
                column,
                value: numbers[column],
            });
        }
        Ok(Self { values, n_columns })
    }

    /// How many.
    pub fn n_rows(&self) -> usize {
        self.values.len() / self.n_columns
    }

    /// How many numbers each has.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// All numbers, row by row.
    pub fn values(&self) -> &'a [f32] {
        self.values
    }

    /// The numbers of one.
    pub fn row(&self, row: usize) -> &'a [f32] {
        &self.values[row * self.n_columns..][..self.n_columns]
    }

    /// Each divided by its length; one of zeros stays.
    pub fn to_unit_length(&self) -> Vec<f32> {
        let mut unit = self.values.to_vec();
        unit.par_chunks_mut(self.n_columns).for_each(|row| {
            let length = length(row);
            if length > 0.0 {
                for value in row {
                    *value = (f64::from(*value) / length) as f32;
                }
            }
        });
        unit
    }

    /// Fails where there are fewer than `needed`, or all are the same.
    pub(super) fn check(&self, method: &'static str, needed: usize) -> Result<(), ProjectionError> {
        let n = self.n_rows();
        if n < needed {
            return Err(ProjectionError::TooFew { method, n, needed });
        }
        let first = self.row(0);
        if self
            .values
            .par_chunks(self.n_columns)
            .all(|row| row == first)
        {
            return Err(ProjectionError::Constant { n });
        }
        Ok(())
    }

    /// Their mean taken away, and scaled.
    pub(super) fn centered(&self) -> Centered {
        let d = self.n_columns;
        let means = self.means();
        let scale = self.values.par_chunks(d * BLOCK).map(|block| {
            let rows = block.chunks(d);
            rows.flat_map(|row| row.iter().zip(&means))
                .map(|(value, mean)| (f64::from(*value) - mean).abs())
                .fold(0.0, f64::max)
        });
        let scale = scale.reduce(|| 0.0, f64::max);
        let scale = if scale > 0.0 { scale } else { 1.0 };
        let inverse = 1.0 / scale;
        let mut values = vec![0.0; self.values.len()];
        values
            .par_chunks_mut(d)
            .zip(self.values.par_chunks(d))
            .for_each(|(centered, row)| {
                for ((centered, value), mean) in centered.iter_mut().zip(row).zip(&means) {
                    *centered = ((f64::from(*value) - mean) * inverse) as f32;
                }
            });
        Centered { values, scale }
    }

    fn means(&self) -> Vec<f64> {
        let d = self.n_columns;
        let sums: Vec<Vec<f64>> = self
            .values
            .par_chunks(d * BLOCK)
            .map(|block| {
                let mut sums = vec![0.0; d];
                for row in block.chunks(d) {
                    for (sum, value) in sums.iter_mut().zip(row) {
                        *sum += f64::from(*value);
                    }
                }
                sums
            })
            .collect();
        let mut means = vec![0.0; d];
        for block in &sums {
            for (mean, sum) in means.iter_mut().zip(block) {
                *mean += sum;
            }
        }
        let n = self.n_rows() as f64;
        means.iter_mut().for_each(|mean| *mean /= n);
        means
    }
}

/// The length of a vector.
pub(super) fn length(row: &[f32]) -> f64 {
    let squares = row.iter().map(|value| f64::from(*value).powi(2));
    squares.sum::<f64>().sqrt()
}
