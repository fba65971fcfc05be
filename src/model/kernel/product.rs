//! Products of rows with weights, as the checkpoint stores them, and a bias.

use std::ops::Range;

use super::in_out::{RowInOut, RowsInOut};
use super::out_in::{RowOutIn, RowsOutIn, Turn};
use super::simd::run;
use super::threads::{n_threads, share};
use super::tile::Room;

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
const PIECES: usize = 8;

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
        _ => Room::new(0),
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
                later: piece.later,
                place,
            }),
            (Matrix::OutIn(matrix), 1) => run(RowOutIn {
                xs,
                matrix,
                first,
                place,
            }),
            (Matrix::OutIn(matrix), _) => run(RowsOutIn {
                turned: turned.all(),
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
    /// Where the piece begins that whoever takes this one will probably take next.
    later: usize,
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
                later: first + start + n_threads() * width_each,
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
pub(super) struct Place<'a> {
    pub out: Vec<&'a mut [f32]>,
    pub bias: Option<&'a [f32]>,
}

impl Place<'_> {
    /// Writes the sums over the first rows of the matrix, or adds those over later ones.
    #[inline(always)]
    pub(super) fn put(
        &mut self,
        is_first: bool,
        row: usize,
        columns: &Range<usize>,
        products: &[f32],
    ) {
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

/// Cuts the matrix's rows into as few blocks as there can be of `most` rows, to be multiplied one after
/// the other.
#[inline(always)]
pub(super) fn blocks(n_in: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let n_blocks = n_in.div_ceil(most).max(1);
    (0..n_blocks).map(move |block| block * n_in / n_blocks..(block + 1) * n_in / n_blocks)
}
