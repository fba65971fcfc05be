//! Numbers in rows and columns, as heatmaps show them.

/// Numbers in rows and columns; a row may end before the last column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    n_columns: usize,
    /// Row by row, `n_rows * n_columns`; zero where a row has ended.
    values: Vec<f32>,
    /// How many numbers each row has.
    extents: Vec<usize>,
}

/// The ends of the finite numbers of a matrix, and what else it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MatrixRange {
    /// The least finite number; zero where there is none.
    pub low: f32,
    /// The greatest finite number; zero where there is none.
    pub high: f32,
    /// Numbers that are NaN or infinite.
    pub n_not_finite: usize,
    /// Numbers there are, finite or not.
    pub n: usize,
}

impl Matrix {
    /// No rows yet, each to have `n_columns` at most.
    pub fn new(n_columns: usize) -> Self {
        Self {
            n_columns,
            ..Self::default()
        }
    }

    /// `n_rows` rows from columns, one after the other in `columns`, each of `n_rows` numbers; a row
    /// ends before its first `None`.
    pub fn from_columns(n_rows: usize, columns: &[Option<f32>]) -> Self {
        let n_columns = columns.len().checked_div(n_rows).unwrap_or(0);
        let mut matrix = Self::new(n_columns);
        let mut row = Vec::with_capacity(n_columns);
        for index in 0..n_rows {
            row.clear();
            let cells = (0..n_columns).map_while(|column| columns[column * n_rows + index]);
            row.extend(cells);
            matrix.push_row(&row);
        }
        matrix
    }

    /// Adds a row; what it has beyond the last column is left out.
    pub fn push_row(&mut self, row: &[f32]) {
        let extent = row.len().min(self.n_columns);
        self.values.extend_from_slice(&row[..extent]);
        self.values
            .resize((self.extents.len() + 1) * self.n_columns, 0.0);
        self.extents.push(extent);
    }

    /// How many rows.
    pub fn n_rows(&self) -> usize {
        self.extents.len()
    }

    /// How many columns the longest row may have.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// Whether there is no number at all.
    pub fn is_empty(&self) -> bool {
        self.extents.iter().all(|extent| *extent == 0)
    }

    /// The numbers of a row as far as it goes; none beyond the last row.
    pub fn row(&self, row: usize) -> &[f32] {
        let start = row * self.n_columns;
        let extent = self.extents.get(row).copied().unwrap_or(0);
        &self.values[start.min(self.values.len())..][..extent]
    }

    /// The number at a place, if there is one.
    pub fn get(&self, row: usize, column: usize) -> Option<f32> {
        self.row(row).get(column).copied()
    }

    /// Where its finite numbers end.
    pub fn range(&self) -> MatrixRange {
        let mut range = MatrixRange {
            low: f32::INFINITY,
            high: f32::NEG_INFINITY,
            ..MatrixRange::default()
        };
        for row in 0..self.n_rows() {
            for value in self.row(row) {
                range.n += 1;
                if value.is_finite() {
                    range.low = range.low.min(*value);
                    range.high = range.high.max(*value);
                } else {
                    range.n_not_finite += 1;
                }
            }
        }
        if range.n_not_finite == range.n {
            (range.low, range.high) = (0.0, 0.0);
        }
        range
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_end_where_columns_have_nothing() {
        let columns = [Some(1.0), Some(2.0), Some(3.0), None, Some(4.0), Some(5.0)];

        let matrix = Matrix::from_columns(2, &columns);

        assert_eq!((matrix.n_rows(), matrix.n_columns()), (2, 3));
        assert_eq!(matrix.row(0), [1.0, 3.0, 4.0]);
        assert_eq!(matrix.row(1), [2.0]);
        assert_eq!((matrix.get(1, 1), matrix.get(2, 0)), (None, None));
        assert!(!matrix.is_empty());
    }

    #[test]
    fn its_range_is_of_the_finite_and_of_no_filling() {
        let mut matrix = Matrix::new(3);
        matrix.push_row(&[2.0]);
        matrix.push_row(&[f32::NAN, 3.0, f32::INFINITY, 99.0]);

        let range = matrix.range();

        assert_eq!((range.low, range.high), (2.0, 3.0));
        assert_eq!((range.n, range.n_not_finite), (4, 2));
        assert_eq!(Matrix::new(4).range(), MatrixRange::default());
        assert!(Matrix::from_columns(0, &[]).is_empty());
    }
}
