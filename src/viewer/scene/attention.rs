//! Exact reductions of attention: for every head the greatest and the mean magnitude of ever larger
//! squares of query and key.

#[cfg(test)]
mod tests;

use std::ops::Range;

use super::gpu::NOT_FINITE;

/// Cells along an edge of the finest reduction that is kept.
const MAX_GRID: usize = 64;

/// What many attention values come down to, seen from afar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Reduction {
    /// The greatest magnitude.
    #[default]
    Max,
    /// The mean magnitude.
    Mean,
}

/// Reductions of the attention of every head, `[level][row][square][column]`; a square is one head's
/// scores or pattern.
///
/// At level 0 a cell stands for `block` by `block` numbers; where `block` is 1 it is the number
/// itself, sign and all. Each further level halves both edges. The future is left out: a mean is
/// over the keys up to the query.
#[derive(Clone, Debug, Default)]
pub struct AttentionOverview {
    n_squares: usize,
    max_grid: usize,
    grid: usize,
    block: usize,
    /// Where each level begins.
    starts: Vec<usize>,
    max: Vec<f32>,
    sum: Vec<f32>,
    changes: Vec<Range<usize>>,
}

impl AttentionOverview {
    /// An empty one for so many squares, that holds at most `max_numbers`.
    pub fn new(n_squares: usize, max_numbers: usize) -> Self {
        let mut max_grid = MAX_GRID;
        while max_grid > 1 && Self::len(n_squares, max_grid) > max_numbers {
            max_grid /= 2;
        }
        Self {
            n_squares,
            max_grid,
            grid: 0,
            block: 1,
            ..Self::default()
        }
    }

    /// Squares.
    pub fn n_squares(&self) -> usize {
        self.n_squares
    }

    /// Cells along an edge at level 0.
    pub fn grid(&self) -> usize {
        self.grid
    }

    /// Numbers along an edge of a cell at level 0.
    pub fn block(&self) -> usize {
        self.block
    }

    /// Makes room for `n` positions.
    pub fn reserve(&mut self, n: usize) {
        while self.grid * self.block < n {
            if self.grid < self.max_grid {
                self.widen((2 * self.grid).clamp(4.min(self.max_grid), self.max_grid));
            } else {
                self.coarsen();
            }
        }
    }

    fn len(n_squares: usize, grid: usize) -> usize {
        let mut len = 0;
        let mut edge = grid;
        while edge > 0 {
            len += edge * edge * n_squares;
            edge /= 2;
        }
        len
    }

    /// Where each level of such a grid begins.
    fn starts(n_squares: usize, grid: usize) -> Vec<usize> {
        let whole = Self::len(n_squares, grid);
        let n_levels = if grid == 0 {
            0
        } else {
            grid.ilog2() as usize + 1
        };
        (0..n_levels)
            .map(|level| whole - Self::len(n_squares, grid >> level))
            .collect()
    }

    fn index(&self, level: usize, row: usize, square: usize, column: usize) -> usize {
        let edge = self.grid >> level;
        self.starts[level] + (row * self.n_squares + square) * edge + column
    }

    /// More cells of the same size.
    fn widen(&mut self, grid: usize) {
        let mut wide = Self {
            n_squares: self.n_squares,
            max_grid: self.max_grid,
            grid,
            block: self.block,
            starts: Self::starts(self.n_squares, grid),
            max: vec![0.0; Self::len(self.n_squares, grid)],
            sum: vec![0.0; Self::len(self.n_squares, grid)],
            changes: Vec::new(),
        };
        let mut edge = self.grid;
        for level in 0.. {
            if edge == 0 {
                break;
            }
            for row in 0..edge {
                for square in 0..self.n_squares {
                    let from = self.index(level, row, square, 0);
                    let to = wide.index(level, row, square, 0);
                    wide.max[to..to + edge].copy_from_slice(&self.max[from..from + edge]);
                    wide.sum[to..to + edge].copy_from_slice(&self.sum[from..from + edge]);
                }
            }
            edge /= 2;
        }
        // The coarse levels that the narrow one lacked.
        for square in 0..self.n_squares {
            for row in (0..self.grid).step_by(2) {
                wide.fold_up(square, row);
            }
        }
        wide.touch();
        *self = wide;
    }

    /// As many cells of twice the edge.
    fn coarsen(&mut self) {
        let mut coarse = Self {
            n_squares: self.n_squares,
            max_grid: self.max_grid,
            grid: self.grid,
            block: 2 * self.block,
            starts: self.starts.clone(),
            max: vec![0.0; self.max.len()],
            sum: vec![0.0; self.sum.len()],
            changes: Vec::new(),
        };
        let half = self.grid / 2;
        for row in 0..half {
            for square in 0..self.n_squares {
                let from = self.index(1, row, square, 0);
                let to = coarse.index(0, row, square, 0);
                coarse.max[to..to + half].copy_from_slice(&self.max[from..from + half]);
                coarse.sum[to..to + half].copy_from_slice(&self.sum[from..from + half]);
            }
        }
        for square in 0..self.n_squares {
            for row in (0..half).step_by(2) {
                coarse.fold_up(square, row);
            }
        }
        coarse.touch();
        *self = coarse;
    }

    /// Takes in how one query of a square attends to the keys up to it: `values[key]`, stand-ins in
    /// place of what is not finite.
    pub fn write(&mut self, square: usize, query: usize, values: &[f32]) {
        self.reserve(query + 1);
        let row = query / self.block;
        let is_first = query.is_multiple_of(self.block);
        for (column, part) in values.chunks(self.block).enumerate() {
            let at = self.index(0, row, square, column);
            if self.block == 1 {
                self.max[at] = part[0];
                self.sum[at] = magnitude(part[0]);
                continue;
            }
            let top = part.iter().copied().map(magnitude).fold(0.0, f32::max);
            let sum: f32 = part.iter().copied().map(magnitude).sum();
            if is_first {
                (self.max[at], self.sum[at]) = (top, sum);
            } else {
                self.max[at] = self.max[at].max(top);
                self.sum[at] += sum;
            }
        }
        self.fold_up(square, row);
        self.note(square, row);
    }

    /// Recomputes what lies above a row of level 0.
    fn fold_up(&mut self, square: usize, mut row: usize) {
        let mut level = 1;
        while self.grid >> level > 0 {
            row /= 2;
            let edge = self.grid >> level;
            let below = [0, 1].map(|down| self.index(level - 1, 2 * row + down, square, 0));
            let here = self.index(level, row, square, 0);
            let start = self.starts[level];
            let (finer, coarser) = self.max.split_at_mut(start);
            let rows = below.map(|from| finer[from..from + 2 * edge].as_chunks::<2>().0);
            let cells = &mut coarser[here - start..here - start + edge];
            for ((cell, near), far) in cells.iter_mut().zip(rows[0]).zip(rows[1]) {
                let (a, b) = (magnitude(near[0]), magnitude(near[1]));
                let (c, d) = (magnitude(far[0]), magnitude(far[1]));
                *cell = a.max(b).max(c.max(d));
            }
            let (finer, coarser) = self.sum.split_at_mut(start);
            let rows = below.map(|from| finer[from..from + 2 * edge].as_chunks::<2>().0);
            let cells = &mut coarser[here - start..here - start + edge];
            for ((cell, near), far) in cells.iter_mut().zip(rows[0]).zip(rows[1]) {
                *cell = near[0] + near[1] + far[0] + far[1];
            }
            level += 1;
        }
    }

    /// Notes that a row of a square changed, at every level.
    fn note(&mut self, square: usize, mut row: usize) {
        let mut level = 0;
        while self.grid >> level > 0 {
            let edge = self.grid >> level;
            let start = self.index(level, row, square, 0);
            self.changes.push(start..start + edge);
            row /= 2;
            level += 1;
        }
    }

    /// What changed since this was last asked, sorted and joined.
    pub fn take_changes(&mut self) -> Vec<Range<usize>> {
        let mut changes = std::mem::take(&mut self.changes);
        changes.sort_unstable_by_key(|range| range.start);
        let mut joined: Vec<Range<usize>> = Vec::new();
        for range in changes {
            match joined.last_mut() {
                Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
                _ => joined.push(range),
            }
        }
        joined
    }

    /// Says that everything changed, as after another choice of reduction.
    pub fn touch(&mut self) {
        self.changes.clear();
        self.changes.push(0..self.max.len());
    }

    /// Numbers in all.
    pub fn n_values(&self) -> usize {
        self.max.len()
    }

    /// The numbers of `range`, reduced so.
    pub fn values(&self, range: Range<usize>, reduction: Reduction) -> Vec<f32> {
        match reduction {
            Reduction::Max => self.max[range].to_vec(),
            Reduction::Mean => range.map(|index| self.mean(index)).collect(),
        }
    }

    /// The greatest magnitude of a square.
    pub fn max_of(&self, square: usize) -> f32 {
        if self.grid == 0 {
            return 0.0;
        }
        let top = self.grid.ilog2() as usize;
        magnitude(self.max[self.index(top, 0, square, 0)])
    }

    fn mean(&self, index: usize) -> f32 {
        let (level, row, column) = self.place(index);
        if level == 0 && self.block == 1 {
            return self.max[index];
        }
        let edge = self.block << level;
        let count = causal_count(row * edge, column * edge, edge);
        if count == 0 {
            0.0
        } else {
            self.sum[index] / count as f32
        }
    }

    fn place(&self, index: usize) -> (usize, usize, usize) {
        let (mut level, mut start) = (0, 0);
        loop {
            let edge = self.grid >> level;
            let len = edge * edge * self.n_squares;
            if index < start + len {
                let within = index - start;
                return (level, within / (edge * self.n_squares), within % edge);
            }
            start += len;
            level += 1;
        }
    }
}

/// Its magnitude; the stand-in stays what it is.
fn magnitude(value: f32) -> f32 {
    value.abs().min(NOT_FINITE)
}

/// Pairs of query and key with the key not after the query, in the square of `edge` that begins at
/// `(query, key)`.
fn causal_count(query: usize, key: usize, edge: usize) -> usize {
    (query..query + edge)
        .map(|query| (query + 1).saturating_sub(key).min(edge))
        .sum()
}

/// One head's attention at `level`: row by row, `stride` numbers each, the rows from `first_row`
/// on. A cell stands for `2^level` by `2^level` numbers; level 0 is the numbers themselves. What lies
/// before the window, masked, is zero.
pub(super) fn reduce_square<'a>(
    row_of: impl Fn(usize) -> Option<&'a [f32]>,
    n: usize,
    level: u32,
    first_row: usize,
    stride: usize,
    reduction: Reduction,
    window: Option<usize>,
) -> Vec<f32> {
    let reach = window.unwrap_or(usize::MAX);
    let block = 1usize << level;
    let n_rows = n.div_ceil(block);
    let mut cells = vec![0.0; (n_rows - first_row.min(n_rows)) * stride];
    for (row, cells) in (first_row..n_rows).zip(cells.chunks_exact_mut(stride)) {
        for query in row * block..((row + 1) * block).min(n) {
            let Some(values) = row_of(query) else {
                continue;
            };
            let first_seen = (query + 1).saturating_sub(reach);
            if level == 0 {
                for (cell, value) in cells.iter_mut().zip(values).skip(first_seen) {
                    *cell = if value.is_finite() {
                        *value
                    } else {
                        NOT_FINITE
                    };
                }
                continue;
            }
            for (column, value) in values.iter().enumerate().skip(first_seen) {
                if let Some(cell) = cells.get_mut(column >> level) {
                    let value = if value.is_finite() {
                        value.abs()
                    } else {
                        NOT_FINITE
                    };
                    match reduction {
                        Reduction::Max => *cell = cell.max(value),
                        Reduction::Mean => *cell += value,
                    }
                }
            }
        }
        if level > 0 && reduction == Reduction::Mean {
            for (column, cell) in cells.iter_mut().enumerate() {
                let count = causal_count(row * block, column * block, block);
                *cell /= count.max(1) as f32;
            }
        }
    }
    cells
}
