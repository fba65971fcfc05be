//! The inmost loop of every product: a few rows times a panel of columns, all in registers.

use super::simd::{MAX_LANES, Simd};

/// Vectors of columns in a panel, at most.
const MAX_VECTORS: usize = 3;
/// Rows that are computed together, at most.
const MAX_ROWS: usize = 8;
/// Columns of a panel, at most.
const MAX_COLUMNS: usize = MAX_VECTORS * MAX_LANES;
/// Rows of a panel that are computed at once, at most: so much stays in a core's own cache.
pub(super) const PANEL_ROWS: usize = 1024;

/// Columns in a panel, at most.
#[inline(always)]
pub(super) fn panel_columns<S: Simd>() -> usize {
    S::LANES * if S::HAS_MANY_REGISTERS { 3 } else { 2 }
}

/// Cuts `n_columns` into as few panels as there can be, all about as wide: the columns of each, which
/// are whole vectors but for the last.
#[inline(always)]
pub(super) fn panels<S: Simd>(n_columns: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let n_vectors = n_columns.div_ceil(S::LANES);
    let n_panels = n_columns.div_ceil(panel_columns::<S>()).max(1);
    (0..n_panels).map(move |panel| {
        let first = panel * n_vectors / n_panels * S::LANES;
        let end = (panel + 1) * n_vectors / n_panels * S::LANES;
        first..end.min(n_columns)
    })
}

/// The width of a panel for so many columns: whole vectors.
#[inline(always)]
pub(super) fn padded<S: Simd>(n_columns: usize) -> usize {
    n_columns.next_multiple_of(S::LANES)
}

/// The products of rows with a panel of `padded` columns, `[in, width]`, row after row: `write` is told
/// each row's index and its products.
///
/// Every product is summed in the order of the panel's rows, however many rows and columns there are.
#[inline(always)]
pub(super) fn multiply<'a, S: Simd>(
    simd: S,
    n_rows: usize,
    row: impl Fn(usize) -> &'a [f32],
    panel: &[f32],
    width: usize,
    write: impl FnMut(usize, &[f32]),
) {
    let n_vectors = width / S::LANES;
    match (n_vectors, S::HAS_MANY_REGISTERS) {
        (1, true) => tiles::<S, 8, 1>(simd, n_rows, row, panel, write),
        (2, true) => tiles::<S, 8, 2>(simd, n_rows, row, panel, write),
        (_, true) => tiles::<S, 8, 3>(simd, n_rows, row, panel, write),
        (1, false) => tiles::<S, 6, 1>(simd, n_rows, row, panel, write),
        (_, false) => tiles::<S, 6, 2>(simd, n_rows, row, panel, write),
    }
}

#[inline(always)]
fn tiles<'a, S: Simd, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    n_rows: usize,
    row: impl Fn(usize) -> &'a [f32],
    panel: &[f32],
    mut write: impl FnMut(usize, &[f32]),
) {
    let width = VECTORS * S::LANES;
    let mut products = [0.0; MAX_ROWS * MAX_COLUMNS];
    for first in (0..n_rows).step_by(ROWS) {
        // Where rows are missing the last one is computed again, for nobody.
        let rows: [&[f32]; ROWS] = std::array::from_fn(|at| row((first + at).min(n_rows - 1)));
        tile::<S, ROWS, VECTORS>(simd, rows, panel, &mut products);
        let n_here = ROWS.min(n_rows - first);
        for (at, products) in products.chunks_exact(width).take(n_here).enumerate() {
            write(first + at, products);
        }
    }
}

#[inline(always)]
fn tile<S: Simd, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    rows: [&[f32]; ROWS],
    panel: &[f32],
    products: &mut [f32],
) {
    let width = VECTORS * S::LANES;
    let n_in = panel.len() / width;
    let rows = rows.map(|row| &row[..n_in]);
    let mut sums = [[simd.splat(0.0); VECTORS]; ROWS];
    for (at, columns) in panel.chunks_exact(width).enumerate() {
        let columns: [S::Vector; VECTORS] =
            std::array::from_fn(|vector| simd.load(&columns[vector * S::LANES..]));
        for (sums, row) in sums.iter_mut().zip(rows) {
            let number = simd.splat(row[at]);
            for (sum, column) in sums.iter_mut().zip(columns) {
                *sum = simd.mul_add(number, column, *sum);
            }
        }
    }
    let places = products.chunks_exact_mut(S::LANES);
    for (place, sum) in places.zip(sums.into_iter().flatten()) {
        simd.store(sum, place);
    }
}

/// Lays the columns `columns` of rows, each as `row` gives it, side by side as a panel of whole
/// vectors, the rest zero.
#[inline(always)]
pub(super) fn pack<'a>(
    rows: impl Iterator<Item = &'a [f32]>,
    columns: &std::ops::Range<usize>,
    width: usize,
    panel: &mut [f32],
) {
    for (place, row) in panel.chunks_exact_mut(width).zip(rows) {
        let (numbers, rest) = place.split_at_mut(columns.len());
        numbers.copy_from_slice(&row[columns.clone()]);
        rest.fill(0.0);
    }
}

/// Lays rows side by side as the columns of a panel, `[in, width]`, the rest zero.
#[inline(always)]
pub(super) fn pack_turned<'a>(
    n_rows: usize,
    row: impl Fn(usize) -> &'a [f32],
    width: usize,
    panel: &mut [f32],
) {
    // So many numbers of each row in turn that what is written stays in the nearest cache.
    const AT_ONCE: usize = 16;
    for (block, places) in panel.chunks_mut(AT_ONCE * width).enumerate() {
        let first = block * AT_ONCE;
        let n_in = places.len() / width;
        for column in 0..width {
            let places = places[column..].iter_mut().step_by(width);
            if column < n_rows {
                let numbers = &row(column)[first..first + n_in];
                for (place, number) in places.zip(numbers) {
                    *place = *number;
                }
            } else {
                for place in places {
                    *place = 0.0;
                }
            }
        }
    }
}
