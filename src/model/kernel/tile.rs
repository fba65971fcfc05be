//! The inmost loop of every product: a few rows times a panel of columns, all in registers.

use super::simd::{MAX_LANES, Simd};

/// Vectors of columns in a panel, at most.
const MAX_VECTORS: usize = 3;
/// Rows that are computed together, at most.
const MAX_ROWS: usize = 8;
/// Columns of a panel, at most.
pub(super) const MAX_COLUMNS: usize = MAX_VECTORS * MAX_LANES;

/// Room for numbers that begins with a cache line, so that no vector is read from two.
pub(super) struct Room {
    numbers: Vec<f32>,
    first: usize,
}

/// Numbers of the longest cache line that is common.
const LINE: usize = 16;

impl Room {
    /// Room for so many numbers, all zero.
    pub(super) fn new(n: usize) -> Self {
        let numbers = vec![0.0; n + LINE];
        let first = numbers.as_ptr().align_offset(LINE * size_of::<f32>());
        // Where the beginning can't be found out any will do.
        Self {
            first: first.min(LINE),
            numbers,
        }
    }

    /// The first `n` numbers.
    #[inline(always)]
    pub(super) fn first_mut(&mut self, n: usize) -> &mut [f32] {
        &mut self.numbers[self.first..][..n]
    }

    /// All of them, and perhaps some more.
    #[inline(always)]
    pub(super) fn all(&self) -> &[f32] {
        &self.numbers[self.first..]
    }
}

/// What will be read next, brought near bit by bit while tiles are computed: so many numbers of some
/// rows.
pub(super) struct Ahead<'a, T> {
    pub numbers: &'a [T],
    /// Where the first row's begin.
    pub first: usize,
    /// From a row to the next.
    pub stride: usize,
    /// Numbers of a row.
    pub width: usize,
    /// Rows done, in 2^-32.
    done: u64,
    /// Rows at a time, in 2^-32.
    step: u64,
}

impl<'a, T> Ahead<'a, T> {
    /// Rows of a panel between one place brought near and the next.
    const EVERY: usize = 4;

    /// Nothing.
    pub(super) fn nothing() -> Self {
        Self::new(&[], 0, (0, 0, 0), 0)
    }

    /// `n_rows` rows, `stride` apart, of `width` numbers from `first` on, while so many rows of panels are
    /// gone through.
    #[inline(always)]
    pub(super) fn new(
        numbers: &'a [T],
        n_rows: usize,
        (first, stride, width): (usize, usize, usize),
        n_panel_rows: usize,
    ) -> Self {
        let n_steps = n_panel_rows / Self::EVERY + 1;
        Self {
            numbers,
            first,
            stride,
            width,
            done: 0,
            step: ((n_rows as u64) << 32) / n_steps as u64,
        }
    }

    #[inline(always)]
    fn fetch<S: Simd>(&mut self, simd: S) {
        let row = (self.done >> 32) as usize;
        let column = ((self.done & 0xffff_ffff) * self.width as u64) >> 32;
        if let Some(place) = self
            .numbers
            .get(self.first + row * self.stride + column as usize)
        {
            simd.fetch(place);
        }
        self.done += self.step;
    }
}

/// A tile's products.
#[repr(align(64))]
struct Products([f32; MAX_ROWS * MAX_COLUMNS]);

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
    ahead: &mut Ahead<'_, impl Sized>,
    write: impl FnMut(usize, &[f32]),
) {
    let n_vectors = width / S::LANES;
    match (n_vectors, S::HAS_MANY_REGISTERS) {
        (1, true) => tiles::<S, _, 8, 1>(simd, n_rows, row, panel, ahead, write),
        (2, true) => tiles::<S, _, 8, 2>(simd, n_rows, row, panel, ahead, write),
        (_, true) => tiles::<S, _, 8, 3>(simd, n_rows, row, panel, ahead, write),
        (1, false) => tiles::<S, _, 6, 1>(simd, n_rows, row, panel, ahead, write),
        (_, false) => tiles::<S, _, 6, 2>(simd, n_rows, row, panel, ahead, write),
    }
}

#[inline(always)]
fn tiles<'a, S: Simd, T, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    n_rows: usize,
    row: impl Fn(usize) -> &'a [f32],
    panel: &[f32],
    ahead: &mut Ahead<'_, T>,
    mut write: impl FnMut(usize, &[f32]),
) {
    let width = VECTORS * S::LANES;
    let mut products = Products([0.0; MAX_ROWS * MAX_COLUMNS]);
    for first in (0..n_rows).step_by(ROWS) {
        // Where rows are missing the last one is computed again, for nobody.
        let rows: [&[f32]; ROWS] = std::array::from_fn(|at| row((first + at).min(n_rows - 1)));
        tile::<S, _, ROWS, VECTORS>(simd, rows, panel, ahead, &mut products.0);
        let n_here = ROWS.min(n_rows - first);
        for (at, products) in products.0.chunks_exact(width).take(n_here).enumerate() {
            write(first + at, products);
        }
    }
}

#[inline(always)]
fn tile<S: Simd, T, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    rows: [&[f32]; ROWS],
    panel: &[f32],
    ahead: &mut Ahead<'_, T>,
    products: &mut [f32],
) {
    let width = VECTORS * S::LANES;
    let n_in = panel.len() / width;
    let rows = rows.map(|row| &row[..n_in]);
    let mut sums = [[simd.splat(0.0); VECTORS]; ROWS];
    for (at, columns) in panel.chunks_exact(width).enumerate() {
        if at % Ahead::<T>::EVERY == 0 {
            ahead.fetch(simd);
        }
        let mut vectors = [simd.splat(0.0); VECTORS];
        for (vector, columns) in vectors.iter_mut().zip(columns.chunks_exact(S::LANES)) {
            *vector = simd.load(columns);
        }
        for (sums, row) in sums.iter_mut().zip(rows) {
            let number = simd.splat(row[at]);
            for (sum, vector) in sums.iter_mut().zip(vectors) {
                *sum = simd.mul_add(number, vector, *sum);
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
    /// Rows that are read side by side, so that what is written lies side by side too.
    const ROWS: usize = 8;
    let n_whole = n_rows / ROWS * ROWS;
    let n_in = panel.len() / width;
    for first in (0..n_whole).step_by(ROWS) {
        let rows: [&[f32]; ROWS] = std::array::from_fn(|at| &row(first + at)[..n_in]);
        for (at, place) in panel.chunks_exact_mut(width).enumerate() {
            for (number, row) in place[first..first + ROWS].iter_mut().zip(rows) {
                *number = row[at];
            }
        }
    }
    for column in n_whole..width {
        let places = panel[column..].iter_mut().step_by(width);
        if column < n_rows {
            for (place, number) in places.zip(row(column)) {
                *place = *number;
            }
        } else {
            for place in places {
                *place = 0.0;
            }
        }
    }
}
