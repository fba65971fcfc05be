//! Products with a matrix stored `[out, in]`.

use std::ops::Range;

use super::product::{Place, Rows, blocks};
use super::quantized::{bytes_of, dot_q8_0, read_q8_0};
use super::simd::{Simd, Work};
use super::threads::share;
use super::tile::{Ahead, MAX_COLUMNS, Room, multiply, pack_turned, padded, panels};

/// Rows as the columns of panels, one panel after the other: `[in, width]` each.
pub(super) struct Turn<'a> {
    pub xs: &'a [f32],
    pub n_in: usize,
}

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
            places.push((rows, place));
            rest = later;
        }
        share(places, |(rows, place)| {
            let row = |row: usize| &self.xs[(rows.start + row) * self.n_in..][..self.n_in];
            pack_turned(rows.len(), row, padded::<S>(rows.len()), place);
        });
        turned
    }
}

/// Some columns of many rows' products with a matrix stored `[out, in]`: its rows are multiplied with
/// panels that have the rows as columns.
pub(super) struct RowsOutIn<'a> {
    pub turned: &'a [f32],
    pub n_in: usize,
    pub matrix: Rows<'a>,
    pub first: usize,
    pub place: Place<'a>,
}

impl Work for RowsOutIn<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let n_rows = self.place.out.len();
        let n_columns = self.place.out.first().map_or(0, |row| row.len());
        let mut room = Room::new(COLUMNS * PANEL_ROWS.min(self.n_in));
        let rows: Vec<Range<usize>> = panels::<S>(n_rows).collect();
        for rows in rows.chunks(PANELS) {
            for block in blocks(self.n_in, PANEL_ROWS) {
                let n_panel_rows = rows.len() * COLUMNS / 8 * block.len();
                for first in (0..n_columns).step_by(COLUMNS) {
                    let columns = first..(first + COLUMNS).min(n_columns);
                    let next = columns.end..(columns.end + COLUMNS).min(n_columns);
                    match self.matrix {
                        Rows::Plain(weight) => {
                            let at = (self.first + next.start) * self.n_in + block.start;
                            let row = (at, self.n_in, block.len());
                            let ahead = Ahead::new(weight, next.len(), row, n_panel_rows);
                            self.some(simd, rows, &block, &columns, ahead, &mut room);
                        }
                        Rows::Q8_0(bytes) => {
                            let stride = bytes_of(self.n_in);
                            let at = (self.first + next.start) * stride + bytes_of(block.start);
                            let row = (at, stride, bytes_of(block.len()));
                            let ahead = Ahead::new(bytes, next.len(), row, n_panel_rows);
                            self.some(simd, rows, &block, &columns, ahead, &mut room);
                        }
                    }
                }
            }
        }
    }
}

/// Numbers of a row that are multiplied at once, at most: a few panels as long stay in a core's own
/// cache.
const PANEL_ROWS: usize = 768;
/// Columns that are computed at once: as many as a cache line of the product has.
const COLUMNS: usize = 16;
/// Panels of rows that are gone through for every few columns: so many stay in a core's own cache.
const PANELS: usize = 4;

impl RowsOutIn<'_> {
    /// The sums over a block for some columns of some rows.
    #[inline(always)]
    fn some<S: Simd, T>(
        &mut self,
        simd: S,
        rows: &[Range<usize>],
        block: &Range<usize>,
        columns: &Range<usize>,
        mut ahead: Ahead<'_, T>,
        room: &mut Room,
    ) {
        let n_in = block.len();
        let numbers = room.first_mut(columns.len() * n_in);
        for (place, column) in numbers.chunks_exact_mut(n_in).zip(columns.clone()) {
            read(
                simd,
                self.matrix,
                self.first + column,
                self.n_in,
                block,
                place,
            );
        }
        let row = |row: usize| &room.all()[row * n_in..][..n_in];
        let mut products = [0.0; COLUMNS * MAX_COLUMNS];
        for rows in rows {
            let width = padded::<S>(rows.len());
            let panel = &self.turned[rows.start * self.n_in..][..width * self.n_in];
            let panel = &panel[block.start * width..block.end * width];
            let ahead = &mut ahead;
            multiply(simd, columns.len(), row, panel, width, ahead, |at, sums| {
                products[at * width..][..width].copy_from_slice(sums);
            });
            let out = &mut self.place.out[rows.clone()];
            let bias = self.place.bias.filter(|_| block.start == 0);
            for (at, out) in out.iter_mut().enumerate() {
                for (place, column) in out[columns.clone()].iter_mut().zip(0..) {
                    let so_far = if block.start == 0 { 0.0 } else { *place };
                    *place = so_far + products[column * width + at];
                }
                if let Some(bias) = bias {
                    for (place, bias) in out[columns.clone()].iter_mut().zip(&bias[columns.clone()])
                    {
                        *place += bias;
                    }
                }
            }
        }
    }
}

/// Some columns of one row's products with a matrix stored `[out, in]`.
pub(super) struct RowOutIn<'a> {
    pub xs: &'a [f32],
    pub matrix: Rows<'a>,
    pub first: usize,
    pub place: Place<'a>,
}

impl Work for RowOutIn<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let n_in = self.xs.len();
        let n_columns = self.place.out.first().map_or(0, |row| row.len());
        let mut products = vec![0.0; n_columns];
        for (row, product) in (self.first..).zip(&mut products) {
            *product = match self.matrix {
                Rows::Plain(weight) => {
                    let (row, later) = weight[row * n_in..].split_at(n_in);
                    dot(simd, row, later, self.xs)
                }
                Rows::Q8_0(blocks) => {
                    let (row, later) = blocks[row * bytes_of(n_in)..].split_at(bytes_of(n_in));
                    dot_q8_0(simd, row, later, self.xs)
                }
            };
        }
        self.place.put(true, 0, &(0..n_columns), &products);
    }
}

/// Part of a matrix's row.
#[inline(always)]
fn read<S: Simd>(
    simd: S,
    matrix: Rows<'_>,
    row: usize,
    n_in: usize,
    part: &Range<usize>,
    into: &mut [f32],
) {
    match matrix {
        Rows::Plain(weight) => into.copy_from_slice(&weight[row * n_in..][part.clone()]),
        Rows::Q8_0(blocks) => read_q8_0(simd, blocks, row, n_in, part, into),
    }
}

/// How far ahead numbers are brought near: two pages, of which the processor brings only one by itself.
const AHEAD: usize = 2048;

/// The product of two rows; `later` is what lies behind the left one, and is read next.
#[inline(always)]
pub(super) fn dot<S: Simd>(simd: S, left: &[f32], later: &[f32], right: &[f32]) -> f32 {
    let mut sums = [simd.splat(0.0); 4];
    let step = 4 * S::LANES;
    let n_whole = left.len() / step * step;
    let chunks = left.chunks_exact(step).zip(right.chunks_exact(step));
    let mut ahead = AHEAD.saturating_sub(left.len());
    for (left, right) in chunks {
        for line in 0..4 {
            if let Some(place) = later.get(ahead + line * S::LANES) {
                simd.fetch(place);
            }
        }
        ahead += step;
        for (at, sum) in sums.iter_mut().enumerate() {
            let (left, right) = (&left[at * S::LANES..], &right[at * S::LANES..]);
            *sum = simd.mul_add(simd.load(left), simd.load(right), *sum);
        }
    }
    let mut rest = 0.0;
    for (left, right) in left[n_whole..].iter().zip(&right[n_whole..]) {
        rest = simd.mul_add_one(*left, *right, rest);
    }
    let [a, b, c, d] = sums;
    simd.sum(simd.add(simd.add(a, b), simd.add(c, d))) + rest
}
