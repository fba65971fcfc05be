//! Folding a vector into a near-square grid of cells.

/// How the cells of a vector are folded, row by row, into a near-square grid. Where the vector has
/// heads, each head is a block of the grid, folded by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellGrid {
    n_heads: usize,
    n_per_head: usize,
    head_cols: usize,
    cell_cols: usize,
}

impl CellGrid {
    /// A grid of `n_cells` cells.
    ///
    /// # Panics
    ///
    /// If there is no cell.
    pub fn of(n_cells: usize) -> Self {
        Self::of_heads(1, n_cells)
    }

    /// A grid of `n_heads` blocks with `n_per_head` cells each.
    ///
    /// # Panics
    ///
    /// If there is no cell.
    pub fn of_heads(n_heads: usize, n_per_head: usize) -> Self {
        assert!(n_heads * n_per_head > 0, "a grid has at least one cell");
        Self {
            n_heads,
            n_per_head,
            head_cols: columns(n_heads),
            cell_cols: columns(n_per_head),
        }
    }

    /// A grid of `n_heads` blocks like those of `queries`, each of which several of them share. Where
    /// it comes out even, a row of it serves the same row of `queries`.
    ///
    /// # Panics
    ///
    /// If there is no block.
    pub fn shared_by(queries: &Self, n_heads: usize) -> Self {
        let n_sharing = queries.n_heads / n_heads;
        let head_cols = if queries.head_cols.is_multiple_of(n_sharing) {
            queries.head_cols / n_sharing
        } else if n_sharing.is_multiple_of(queries.head_cols) {
            1
        } else {
            columns(n_heads)
        };
        Self {
            n_heads,
            head_cols,
            ..*queries
        }
    }

    /// Cells in all.
    pub fn n_cells(&self) -> usize {
        self.n_heads * self.n_per_head
    }

    /// Blocks; 1 where the vector has no heads.
    pub fn n_heads(&self) -> usize {
        self.n_heads
    }

    /// Cells of one block.
    pub fn n_per_head(&self) -> usize {
        self.n_per_head
    }

    /// Blocks in a row of blocks.
    pub fn head_cols(&self) -> usize {
        self.head_cols
    }

    /// Cells in a row of one block.
    pub fn cell_cols(&self) -> usize {
        self.cell_cols
    }

    /// Rows of cells of one block.
    pub fn cell_rows(&self) -> usize {
        self.n_per_head.div_ceil(self.cell_cols)
    }

    /// Cells in a row of the whole grid.
    pub fn cols(&self) -> usize {
        self.head_cols * self.cell_cols
    }

    /// Rows of the whole grid.
    pub fn rows(&self) -> usize {
        self.n_heads.div_ceil(self.head_cols) * self.cell_rows()
    }

    /// The head and the index within it of the `cell`-th value.
    pub fn head_and_index(&self, cell: usize) -> (usize, usize) {
        (cell / self.n_per_head, cell % self.n_per_head)
    }

    /// Column and row of a cell; none if it does not exist.
    pub fn place(&self, head: usize, index: usize) -> Option<(usize, usize)> {
        if head >= self.n_heads || index >= self.n_per_head {
            return None;
        }
        let col = (head % self.head_cols) * self.cell_cols + index % self.cell_cols;
        let row = (head / self.head_cols) * self.cell_rows() + index / self.cell_cols;
        Some((col, row))
    }

    /// Head and index of the cell at a column and row; none on the free places of the last rows.
    pub fn cell_at(&self, col: usize, row: usize) -> Option<(usize, usize)> {
        if col >= self.cols() {
            return None;
        }
        let head = (row / self.cell_rows()) * self.head_cols + col / self.cell_cols;
        let index = (row % self.cell_rows()) * self.cell_cols + col % self.cell_cols;
        (head < self.n_heads && index < self.n_per_head).then_some((head, index))
    }
}

/// Columns for `n` cells: the divisor that makes a full rectangle no wider than twice its depth,
/// or, where there is none, the smallest square that holds them.
fn columns(n: usize) -> usize {
    let root = (n as f64).sqrt().ceil() as usize;
    (root..=n)
        .take_while(|cols| cols * cols <= 2 * n)
        .find(|cols| n.is_multiple_of(*cols))
        .unwrap_or(root)
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_widths_fold_into_full_near_square_grids() {
        for (width, cols, rows) in [
            (128, 16, 8),
            (512, 32, 16),
            (768, 32, 24),
            (1024, 32, 32),
            (1280, 40, 32),
            (1600, 40, 40),
            (3072, 64, 48),
            (4096, 64, 64),
            (6400, 80, 80),
            (1, 1, 1),
            (97, 10, 10),
        ] {
            let grid = CellGrid::of(width);

            assert_eq!((grid.cols(), grid.rows()), (cols, rows), "{width}");
        }
    }

    #[test]
    fn a_row_of_shared_heads_serves_the_row_of_queries_beside_it() {
        // Heads of queries, heads shared, and into how many columns these are folded.
        for (n_queries, n_shared, expected) in [
            (32, 8, 2),
            (16, 8, 2),
            (9, 3, 1),
            (28, 4, 1),
            (16, 2, 1),
            (12, 12, 4),
            // Seven of fourteen are no whole row.
            (14, 2, 2),
        ] {
            let queries = CellGrid::of_heads(n_queries, 8);

            let shared = CellGrid::shared_by(&queries, n_shared);

            assert_eq!(shared.head_cols(), expected, "{n_queries} {n_shared}");
            assert_eq!(shared.n_cells(), 8 * n_shared);
            assert_eq!(shared.cell_cols(), queries.cell_cols());
        }
        let queries = CellGrid::of_heads(32, 64);
        assert_eq!(CellGrid::shared_by(&queries, 8).rows(), queries.rows());
    }

    #[test]
    fn sixteen_heads_of_64_are_4_by_4_blocks_of_8_by_8() {
        let grid = CellGrid::of_heads(16, 64);

        assert_eq!((grid.cols(), grid.rows()), (32, 32));
        assert_eq!(grid.place(0, 0), Some((0, 0)));
        assert_eq!(grid.place(5, 9), Some((9, 9)));
        assert_eq!(grid.place(16, 0), None);
    }

    #[test]
    fn free_places_of_a_ragged_grid_hold_no_cell() {
        let grid = CellGrid::of(97);

        assert_eq!(grid.cell_at(6, 9), Some((0, 96)));
        assert_eq!(grid.cell_at(7, 9), None);
        assert_eq!(grid.cell_at(10, 0), None);
    }
}
