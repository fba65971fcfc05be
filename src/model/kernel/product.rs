//! Products of rows with weights, as the checkpoint stores them, and a bias.

use std::ops::Range;

use super::quantized::{dot_q8_0, read_q8_0};
use super::simd::{Simd, Work, run};
use super::threads::share;
use super::tile::{PANEL_ROWS, multiply, pack, pack_turned, padded, panel_columns, panels};

/// A matrix that rows are multiplied with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Matrix<'a> {
    /// Stored `[in, out]`.
    InOut(&'a [f32]),
    /// Stored `[out, in]`.
    OutIn(Rows<'a>),
}

/// How the rows of a matrix are stored.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rows<'a> {
    /// Number after number.
    Plain(&'a [f32]),
    /// As blocks of Q8_0.
    Q8_0(&'a [u8]),
}

/// Pieces that a product is cut into, so that cores which are busy hold nobody up.
const PIECES: usize = 16;

/// `xs`, `[n, in]`, times `matrix`, plus `bias`, `[out]`. The columns are dealt out to tensors of
/// `widths` columns, which are all of them: `[n, width]` each.
pub(super) fn product<const N: usize>(
    xs: &[f32],
    n_in: usize,
    matrix: Matrix<'_>,
    bias: Option<&[f32]>,
    widths: [usize; N],
) -> [Vec<f32>; N] {
    let n_rows = xs.len() / n_in;
    let n_out = widths.into_iter().sum();
    let mut outs = widths.map(|width| vec![0.0; n_rows * width]);
    let pieces = pieces(&mut outs, &widths, n_out);
    let turned = match matrix {
        Matrix::OutIn(_) if n_rows > 1 => run(Turn { xs, n_in }),
        _ => Vec::new(),
    };
    share(pieces, |piece| {
        let bias = bias.map(|bias| &bias[piece.columns.clone()]);
        let first = piece.columns.start;
        let place = Place {
            out: piece.out,
            bias,
        };
        match (matrix, n_rows) {
            (Matrix::InOut(weight), 1) => run(RowInOut {
                xs,
                weight,
                n_out,
                columns: piece.columns,
                place,
            }),
            (Matrix::InOut(weight), _) => run(RowsInOut {
                xs,
                n_in,
                weight,
                n_out,
                columns: piece.columns,
                place,
            }),
            (Matrix::OutIn(matrix), 1) => run(RowOutIn {
                xs,
                matrix,
                first,
                place,
            }),
            (Matrix::OutIn(matrix), _) => run(RowsOutIn {
                turned: &turned,
                n_in,
                matrix,
                first,
                place,
            }),
        }
    });
    outs
}

/// Some columns of a product.
struct Piece<'a> {
    /// Which of the matrix's they are.
    columns: Range<usize>,
    /// Their place in each row of the product.
    out: Vec<&'a mut [f32]>,
}

/// Cuts the product's columns into pieces of whole panels that lie in one tensor each.
fn pieces<'a>(outs: &'a mut [Vec<f32>], widths: &[usize], n_out: usize) -> Vec<Piece<'a>> {
    // Whole panels of the widest vectors, which are whole panels of all others too.
    const STEP: usize = 48;
    let width_each = (n_out / PIECES).next_multiple_of(STEP).max(STEP);
    let mut all = Vec::new();
    let mut first = 0;
    for (out, width) in outs.iter_mut().zip(widths) {
        let n_rows = out.len() / width.max(&1);
        let begin = all.len();
        for start in (0..*width).step_by(width_each) {
            let end = (start + width_each).min(*width);
            all.push(Piece {
                columns: first + start..first + end,
                out: Vec::with_capacity(n_rows),
            });
        }
        for row in out.chunks_exact_mut((*width).max(1)) {
            for (piece, part) in all[begin..].iter_mut().zip(row.chunks_mut(width_each)) {
                piece.out.push(part);
            }
        }
        first += width;
    }
    all
}

/// Where products go, row by row, and what is added to each column.
struct Place<'a> {
    out: Vec<&'a mut [f32]>,
    bias: Option<&'a [f32]>,
}

impl Place<'_> {
    /// Writes the sums over the first rows of the matrix, or adds those over later ones.
    #[inline(always)]
    fn put(&mut self, is_first: bool, row: usize, columns: &Range<usize>, products: &[f32]) {
        let out = &mut self.out[row][columns.clone()];
        match (is_first, self.bias) {
            (true, Some(bias)) => {
                let terms = products.iter().zip(&bias[columns.clone()]);
                for (out, (product, bias)) in out.iter_mut().zip(terms) {
                    *out = product + bias;
                }
            }
            (true, None) => out.copy_from_slice(&products[..columns.len()]),
            (false, _) => {
                for (out, product) in out.iter_mut().zip(products) {
                    *out += product;
                }
            }
        }
    }
}

/// Parts of a matrix's rows that are multiplied at once.
#[inline(always)]
fn blocks(n_in: usize) -> impl Iterator<Item = Range<usize>> {
    let n_blocks = n_in.div_ceil(PANEL_ROWS).max(1);
    (0..n_blocks).map(move |block| block * n_in / n_blocks..(block + 1) * n_in / n_blocks)
}

/// Some columns of many rows' products with a matrix stored `[in, out]`.
struct RowsInOut<'a> {
    xs: &'a [f32],
    n_in: usize,
    weight: &'a [f32],
    n_out: usize,
    columns: Range<usize>,
    place: Place<'a>,
}

impl Work for RowsInOut<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let n_rows = self.place.out.len();
        let mut room = vec![0.0; PANEL_ROWS.min(self.n_in) * panel_columns::<S>()];
        for columns in panels::<S>(self.columns.len()) {
            let width = padded::<S>(columns.len());
            let stored = self.columns.start + columns.start..self.columns.start + columns.end;
            for block in blocks(self.n_in) {
                let panel = &mut room[..block.len() * width];
                let rows = self.weight.chunks_exact(self.n_out).skip(block.start);
                pack(rows, &stored, width, panel);
                let row = |row: usize| &self.xs[row * self.n_in..][block.clone()];
                multiply(simd, n_rows, row, panel, width, |row, products| {
                    self.place.put(block.start == 0, row, &columns, products);
                });
            }
        }
    }
}

/// Some columns of one row's products with a matrix stored `[in, out]`.
struct RowInOut<'a> {
    xs: &'a [f32],
    weight: &'a [f32],
    n_out: usize,
    columns: Range<usize>,
    place: Place<'a>,
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
    let n_whole = columns.len() / S::LANES * S::LANES;
    for (numbers, rows) in numbers.chunks(ROWS).zip(rows.chunks(ROWS * stride)) {
        // Where rows are missing the last one is added again, times zero.
        let n_here = numbers.len();
        let rows: [&[f32]; ROWS] =
            std::array::from_fn(|at| &rows[at.min(n_here - 1) * stride..][columns.clone()]);
        let number = |at: usize| if at < n_here { numbers[at] } else { 0.0 };
        let factors: [S::Vector; ROWS] = std::array::from_fn(|at| simd.splat(number(at)));
        for first in (0..n_whole).step_by(S::LANES) {
            let mut sum = simd.load(&sums[first..]);
            for (factor, row) in factors.into_iter().zip(rows) {
                sum = simd.mul_add(factor, simd.load(&row[first..]), sum);
            }
            simd.store(sum, &mut sums[first..]);
        }
        for column in n_whole..columns.len() {
            for (at, row) in rows.iter().enumerate() {
                sums[column] = simd.mul_add_one(number(at), row[column], sums[column]);
            }
        }
    }
}

/// Rows as the columns of panels, one panel after the other: `[in, width]` each.
struct Turn<'a> {
    xs: &'a [f32],
    n_in: usize,
}

impl Work for Turn<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) -> Vec<f32> {
        let n_rows = self.xs.len() / self.n_in;
        let mut turned = vec![0.0; padded::<S>(n_rows) * self.n_in];
        let mut places = Vec::new();
        let mut rest = turned.as_mut_slice();
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
struct RowsOutIn<'a> {
    turned: &'a [f32],
    n_in: usize,
    matrix: Rows<'a>,
    first: usize,
    place: Place<'a>,
}

impl Work for RowsOutIn<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        /// Rows of the matrix that are read at once, into the nearest cache.
        const ROWS: usize = 8;
        let n_rows = self.place.out.len();
        let n_columns = self.place.out.first().map_or(0, |row| row.len());
        let mut room = vec![0.0; ROWS * PANEL_ROWS.min(self.n_in)];
        for first in (0..n_columns).step_by(ROWS) {
            let columns = first..(first + ROWS).min(n_columns);
            for block in blocks(self.n_in) {
                for (place, column) in room.chunks_exact_mut(block.len()).zip(columns.clone()) {
                    read(
                        simd,
                        self.matrix,
                        self.first + column,
                        self.n_in,
                        &block,
                        place,
                    );
                }
                let mut rest = self.turned;
                for rows in panels::<S>(n_rows) {
                    let width = padded::<S>(rows.len());
                    let (panel, later) = rest.split_at(width * self.n_in);
                    rest = later;
                    let panel = &panel[block.start * width..block.end * width];
                    let row = |row: usize| &room[row * block.len()..][..block.len()];
                    let out = &mut self.place.out[rows.clone()];
                    let bias = self.place.bias;
                    multiply(simd, columns.len(), row, panel, width, |at, products| {
                        let column = first + at;
                        let bias = bias.map_or(0.0, |bias| bias[column]);
                        for (out, product) in out.iter_mut().zip(products) {
                            let so_far = if block.start == 0 { bias } else { out[column] };
                            out[column] = so_far + product;
                        }
                    });
                }
            }
        }
    }
}

/// Some columns of one row's products with a matrix stored `[out, in]`.
struct RowOutIn<'a> {
    xs: &'a [f32],
    matrix: Rows<'a>,
    first: usize,
    place: Place<'a>,
}

impl Work for RowOutIn<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let n_in = self.xs.len();
        let n_columns = self.place.out.first().map_or(0, |row| row.len());
        let products: Vec<f32> = (self.first..self.first + n_columns)
            .map(|row| match self.matrix {
                Rows::Plain(weight) => dot(simd, &weight[row * n_in..][..n_in], self.xs),
                Rows::Q8_0(blocks) => dot_q8_0(simd, blocks, row, self.xs),
            })
            .collect();
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

/// The product of two rows.
#[inline(always)]
pub(super) fn dot<S: Simd>(simd: S, left: &[f32], right: &[f32]) -> f32 {
    let mut sums = [simd.splat(0.0); 4];
    let step = 4 * S::LANES;
    let n_whole = left.len() / step * step;
    let chunks = left.chunks_exact(step).zip(right.chunks_exact(step));
    for (left, right) in chunks {
        for (at, sum) in sums.iter_mut().enumerate() {
            let (left, right) = (&left[at * S::LANES..], &right[at * S::LANES..]);
            *sum = simd.mul_add(simd.load(left), simd.load(right), *sum);
        }
    }
    let rest = left[n_whole..].iter().zip(&right[n_whole..]);
    let rest = rest.fold(0.0, |sum, (left, right)| {
        simd.mul_add_one(*left, *right, sum)
    });
    let [a, b, c, d] = sums;
    simd.sum(simd.add(simd.add(a, b), simd.add(c, d))) + rest
}
