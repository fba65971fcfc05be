//! Products with a matrix stored `[out, in]`.

use std::ops::Range;

use super::fresh::Place;
use super::product::{Matrix, blocks};
use super::quantized::{bytes_of, dot_q8_0, read_q8_0};
use super::simd::{SIDE, Simd, Work, run};
use super::threads::share;
use super::tile::{
    Ahead, MAX_COLUMNS, MAX_ROWS, Meanwhile, Room, multiply_into, n_steps, pack_turned, padded,
    panels,
};

/// Rows as the columns of panels, one panel after the other: `[in, width]` each.
pub(super) struct Turn<'a> {
    pub xs: &'a [f32],
    pub n_in: usize,
}

/// Numbers of each row that are turned at once.
const TURNED_AT_ONCE: usize = 256;

impl Work for Turn<'_> {
    type Output = Room;

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) -> Room {
        let n_rows = self.xs.len() / self.n_in;
        let n_numbers = padded::<S>(n_rows) * self.n_in;
        let mut turned = Room::new(n_numbers);
        let mut places = Vec::new();
        let mut rest = turned.first_mut(n_numbers);
        for rows in panels::<S>(n_rows) {
            let (place, later) = rest.split_at_mut(padded::<S>(rows.len()) * self.n_in);
            let width = padded::<S>(rows.len());
            for (at, place) in place.chunks_mut(width * TURNED_AT_ONCE).enumerate() {
                places.push((rows.clone(), at * TURNED_AT_ONCE, place));
            }
            rest = later;
        }
        share(places, |(rows, first, place)| {
            run(TurnSome {
                xs: &self.xs[rows.start * self.n_in + first..],
                n_in: self.n_in,
                n_rows: rows.len(),
                place,
            });
        });
        turned
    }
}

/// Some numbers of some rows as part of a panel.
struct TurnSome<'a> {
    /// Rows that begin `n_in` numbers apart.
    xs: &'a [f32],
    n_in: usize,
    n_rows: usize,
    place: &'a mut [f32],
}

impl Work for TurnSome<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let width = padded::<S>(self.n_rows);
        pack_turned(simd, self.xs, self.n_in, self.n_rows, width, self.place);
    }
}

/// Some columns of many rows' products with a matrix stored `[out, in]`: its rows are multiplied with
/// panels that have the rows as columns.
pub(super) struct RowsOutIn<'a, 'p> {
    pub turned: &'a [f32],
    pub n_in: usize,
    pub matrix: Matrix<'a>,
    pub first: usize,
    /// What is added to each column.
    pub bias: Option<&'a [f32]>,
    /// Where the products go, row by row.
    pub out: &'a mut [Place<'p>],
}

impl Work for RowsOutIn<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let n_rows = self.out.len();
        let n_columns = self.out.first().map_or(0, Place::len);
        let n_in = self.n_in;
        let mut room = match self.matrix {
            Matrix::Plain(_) => Room::new(0),
            Matrix::Q8_0(_) => Room::new(COLUMNS * PANEL_ROWS.min(n_in)),
        };
        let rows: Vec<Range<usize>> = panels::<S>(n_rows).collect();
        for rows in rows.chunks(PANELS) {
            for block in blocks(n_in, PANEL_ROWS) {
                let n_steps = rows.len() * n_steps::<S>(COLUMNS, block.len());
                for first in (0..n_columns).step_by(COLUMNS) {
                    let columns = first..(first + COLUMNS).min(n_columns);
                    let next = columns.end..(columns.end + COLUMNS).min(n_columns);
                    let stored = self.first + columns.start;
                    let later = self.first + next.start;
                    match self.matrix {
                        Matrix::Plain(weight) => {
                            let later = &weight[(later * n_in + block.start).min(weight.len())..];
                            let row = (n_in, block.len());
                            let mut ahead = Ahead::new(later, next.len(), row, n_steps);
                            let weight = &weight[stored * n_in + block.start..];
                            self.some(simd, rows, &block, &columns, &mut ahead, (weight, n_in));
                        }
                        Matrix::Q8_0(bytes) => {
                            let stride = bytes_of(n_in);
                            let later = later * stride + bytes_of(block.start);
                            let later = &bytes[later.min(bytes.len())..];
                            let row = (stride, bytes_of(block.len()));
                            let mut ahead = Ahead::new(later, next.len(), row, n_steps);
                            let n_here = block.len();
                            let numbers = room.first_mut(columns.len() * n_here);
                            for (place, column) in numbers.chunks_exact_mut(n_here).zip(stored..) {
                                read_q8_0(simd, bytes, column, n_in, &block, place);
                            }
                            self.some(simd, rows, &block, &columns, &mut ahead, (numbers, n_here));
                        }
                    }
                }
            }
        }
    }
}

/// Numbers of a row that are multiplied at once, at most: a panel as long stays in a core's own cache.
const PANEL_ROWS: usize = 1600;
/// Columns that are computed at once: as many as a cache line of the product has.
pub(super) const COLUMNS: usize = SIDE;
/// Panels of rows that are gone through for every few columns: so many stay in a core's own cache.
const PANELS: usize = 4;

impl RowsOutIn<'_, '_> {
    /// The sums over a block for some columns of some rows. The matrix's rows that make them lie so far
    /// apart.
    #[inline(always)]
    fn some<S: Simd>(
        &mut self,
        simd: S,
        rows: &[Range<usize>],
        block: &Range<usize>,
        columns: &Range<usize>,
        meanwhile: &mut impl Meanwhile,
        (numbers, stride): (&[f32], usize),
    ) {
        let row = |row: usize| &numbers[row * stride..][..block.len()];
        let mut products = [0.0; (COLUMNS + MAX_ROWS) * MAX_COLUMNS];
        for place in &self.out[rows[0].start..rows[rows.len() - 1].end] {
            place.fetch(simd, columns.start + COLUMNS - 1);
        }
        for rows in rows {
            let width = padded::<S>(rows.len());
            let panel = &self.turned[rows.start * self.n_in..][..width * self.n_in];
            let panel = &panel[block.start * width..block.end * width];
            let n_here = columns.len();
            multiply_into(simd, n_here, row, panel, width, meanwhile, &mut products);
            let bias = self.bias.filter(|_| block.start == 0);
            let places = self.out[rows.clone()].chunks_mut(SIDE);
            for (first, places) in (0..).step_by(SIDE).zip(places) {
                let mut square = simd.turned(&products[first..], width);
                for (place, sums) in places.iter_mut().zip(&mut square) {
                    if let Some(bias) = bias {
                        for (sum, bias) in sums.iter_mut().zip(&bias[columns.clone()]) {
                            *sum += bias;
                        }
                    }
                    // Nearly all are whole lines, which are written as such.
                    match n_here {
                        COLUMNS => place.put(columns.start, &sums[..COLUMNS]),
                        _ => place.put(columns.start, &sums[..n_here]),
                    }
                }
            }
        }
    }
}

/// Some columns of one row's products with a matrix stored `[out, in]`.
pub(super) struct RowOutIn<'a, 'p> {
    pub xs: &'a [f32],
    pub matrix: Matrix<'a>,
    pub first: usize,
    /// What is added to each column.
    pub bias: Option<&'a [f32]>,
    /// Where the products go, row by row.
    pub out: &'a mut [Place<'p>],
}

impl Work for RowOutIn<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let n_in = self.xs.len();
        let n_columns = self.out.first().map_or(0, Place::len);
        let mut products = vec![0.0; n_columns];
        for (row, product) in (self.first..).zip(&mut products) {
            *product = match self.matrix {
                Matrix::Plain(weight) => dot(simd, &weight[row * n_in..], self.xs),
                Matrix::Q8_0(blocks) => dot_q8_0(simd, &blocks[row * bytes_of(n_in)..], self.xs),
            };
        }
        if let Some(bias) = self.bias {
            for (product, bias) in products.iter_mut().zip(bias) {
                *product += bias;
            }
        }
        self.out[0].put(0, &products);
    }
}

/// How far ahead numbers are brought near: two pages, of which the processor brings only one by itself.
const AHEAD: usize = 2048;

/// The product of `xs` with the first numbers of `numbers`, of which those after them are read next.
#[inline(always)]
pub(super) fn dot<S: Simd>(simd: S, numbers: &[f32], xs: &[f32]) -> f32 {
    let mut sums = [simd.splat(0.0); 4];
    let step = 4 * S::LANES;
    let row = &numbers[..xs.len()];
    let n_whole = row.len() / step * step;
    let chunks = row.chunks_exact(step).zip(xs.chunks_exact(step));
    for (ahead, (row, xs)) in (AHEAD..).step_by(step).zip(chunks) {
        for line in 0..4 {
            if let Some(place) = numbers.get(ahead + line * S::LANES) {
                simd.fetch(place);
            }
        }
        for (at, sum) in sums.iter_mut().enumerate() {
            let (row, xs) = (&row[at * S::LANES..], &xs[at * S::LANES..]);
            *sum = simd.mul_add(simd.load(row), simd.load(xs), *sum);
        }
    }
    let mut rest = 0.0;
    for (number, x) in row[n_whole..].iter().zip(&xs[n_whole..]) {
        rest = simd.mul_add_one(*number, *x, rest);
    }
    let [a, b, c, d] = sums;
    simd.sum(simd.add(simd.add(a, b), simd.add(c, d))) + rest
}
