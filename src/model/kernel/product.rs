//! Products of rows with weights, and a bias.

use std::ops::Range;

use super::fresh::columns;
use super::out_in::{COLUMNS, RowOutIn, RowsOutIn, Turn};
use super::simd::run;
use super::tile::Room;

/// How a matrix is stored, `[out, in]`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Matrix<'a> {
    /// Number after number.
    Plain(&'a [f32]),
    /// As blocks of Q8_0.
    Q8_0(&'a [u8]),
}

/// Pieces that a product is cut into, so that nobody waits long for whoever is last.
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
    let n_out: usize = widths.into_iter().sum();
    let width_each = (n_out / PIECES).next_multiple_of(COLUMNS).max(COLUMNS);
    let turned = match n_rows {
        1 => Room::new(0),
        _ => run(Turn { xs, n_in }),
    };
    columns(n_rows, widths, width_each, |piece| {
        let first = piece.columns.start;
        let bias = bias.map(|bias| &bias[piece.columns.clone()]);
        let out = piece.out;
        match n_rows {
            1 => run(RowOutIn {
                xs,
                matrix,
                first,
                bias,
                out,
            }),
            _ => run(RowsOutIn {
                turned: turned.all(),
                n_in,
                matrix,
                first,
                bias,
                out,
            }),
        }
    })
}

/// Cuts the matrix's rows into as few blocks as there can be of `most` rows, to be multiplied one after
/// the other.
#[inline(always)]
pub(super) fn blocks(n_in: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let n_blocks = n_in.div_ceil(most).max(1);
    (0..n_blocks).map(move |block| block * n_in / n_blocks..(block + 1) * n_in / n_blocks)
}
