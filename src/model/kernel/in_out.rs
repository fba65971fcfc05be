//! Products with a matrix stored `[in, out]`.

use std::ops::Range;

use super::product::{Place, blocks};
use super::simd::{Simd, Work};
use super::tile::{Ahead, Room, multiply, pack, padded, panel_columns, panels};

/// Rows of the matrix that are laid out as a panel at once, at most.
const PANEL_ROWS: usize = 3200;

/// Some columns of many rows' products with a matrix stored `[in, out]`.
pub(super) struct RowsInOut<'a> {
    pub xs: &'a [f32],
    pub n_in: usize,
    pub weight: &'a [f32],
    pub n_out: usize,
    pub columns: Range<usize>,
    /// Where columns begin that will probably be computed after these.
    pub later: usize,
    pub place: Place<'a>,
}

impl Work for RowsInOut<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let n_rows = self.place.out.len();
        let mut room = Room::new(PANEL_ROWS.min(self.n_in) * panel_columns::<S>());
        for columns in panels::<S>(self.columns.len()) {
            let width = padded::<S>(columns.len());
            let stored = self.columns.start + columns.start..self.columns.start + columns.end;
            for block in blocks(self.n_in, PANEL_ROWS) {
                let panel = room.first_mut(block.len() * width);
                let rows = self.weight.chunks_exact(self.n_out).skip(block.start);
                pack(rows, &stored, width, panel);
                let row = |row: usize| &self.xs[row * self.n_in..][block.clone()];
                let mut ahead = self.after(&columns, &block, width);
                multiply(
                    simd,
                    n_rows,
                    row,
                    panel,
                    width,
                    &mut ahead,
                    |row, products| {
                        self.place.put(block.start == 0, row, &columns, products);
                    },
                );
            }
        }
    }
}

impl<'a> RowsInOut<'a> {
    /// What of the weight is read after these columns of a block.
    #[inline(always)]
    fn after(&self, columns: &Range<usize>, block: &Range<usize>, width: usize) -> Ahead<'a, f32> {
        let n_rows = self.place.out.len();
        let (first, block) = if block.end < self.n_in {
            let later = block.end..(block.end + block.len()).min(self.n_in);
            (self.columns.start + columns.start, later)
        } else if columns.end < self.columns.len() {
            (self.columns.start + columns.end, 0..block.len())
        } else if self.later < self.n_out {
            (self.later, 0..block.len())
        } else {
            return Ahead::nothing();
        };
        let first = block.start * self.n_out + first;
        let steps = n_rows.div_ceil(8) * block.len();
        Ahead::new(self.weight, block.len(), (first, self.n_out, width), steps)
    }
}

/// Some columns of one row's products with a matrix stored `[in, out]`.
pub(super) struct RowInOut<'a> {
    pub xs: &'a [f32],
    pub weight: &'a [f32],
    pub n_out: usize,
    pub columns: Range<usize>,
    pub place: Place<'a>,
}

impl Work for RowInOut<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let n_columns = self.columns.len();
        let mut sums = vec![0.0; n_columns];
        add_rows(
            simd,
            self.xs,
            self.weight,
            self.n_out,
            self.columns,
            &mut sums,
        );
        self.place.put(true, 0, &(0..n_columns), &sums);
    }
}

/// Adds rows, each times its number, to `sums`: of rows of `stride` numbers, the columns given.
#[inline(always)]
pub(super) fn add_rows<S: Simd>(
    simd: S,
    numbers: &[f32],
    rows: &[f32],
    stride: usize,
    columns: Range<usize>,
    sums: &mut [f32],
) {
    /// Rows that are read side by side.
    const ROWS: usize = 8;
    let (chunks, rest) = numbers.as_chunks::<ROWS>();
    for (numbers, rows) in chunks.iter().zip(rows.chunks(ROWS * stride)) {
        add_some(simd, *numbers, rows, stride, &columns, sums);
    }
    let rows = rows.chunks(stride).skip(chunks.len() * ROWS);
    for (number, row) in rest.iter().zip(rows) {
        add_some(simd, [*number], row, stride, &columns, sums);
    }
}

#[inline(always)]
fn add_some<S: Simd, const ROWS: usize>(
    simd: S,
    numbers: [f32; ROWS],
    rows: &[f32],
    stride: usize,
    columns: &Range<usize>,
    sums: &mut [f32],
) {
    let mut parts: [&[f32]; ROWS] = [&[]; ROWS];
    let mut factors = [simd.splat(0.0); ROWS];
    for at in 0..ROWS {
        parts[at] = &rows[at * stride..][columns.clone()];
        factors[at] = simd.splat(numbers[at]);
    }
    let n_whole = columns.len() / S::LANES * S::LANES;
    for first in (0..n_whole).step_by(S::LANES) {
        let mut sum = simd.load(&sums[first..]);
        for (factor, row) in factors.into_iter().zip(parts) {
            sum = simd.mul_add(factor, simd.load(&row[first..]), sum);
        }
        simd.store(sum, &mut sums[first..]);
    }
    for column in n_whole..columns.len() {
        for (number, row) in numbers.into_iter().zip(parts) {
            sums[column] = simd.mul_add_one(number, row[column], sums[column]);
        }
    }
}
