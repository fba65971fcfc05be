//! The inmost loop of every product: a few rows times a panel of columns, all in registers.

use std::cell::RefCell;

use super::simd::{MAX_LANES, SIDE, Simd};

/// Vectors of columns in a panel, at most.
const MAX_VECTORS: usize = 3;
/// Rows that are computed together, at most.
pub(super) const MAX_ROWS: usize = 8;
/// Columns of a panel, at most.
pub(super) const MAX_COLUMNS: usize = MAX_VECTORS * MAX_LANES;

/// Room for numbers that begins with a cache line, so that no vector is read from two. It goes back to its
/// thread, which gives it out again.
pub(super) struct Room {
    numbers: Vec<f32>,
    first: usize,
}

/// Rooms of this many numbers, or fewer, are given out again: 4 MiB.
const MOST_KEPT: usize = 1 << 20;

thread_local! {
    static ROOMS: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Numbers of the longest cache line that is common.
const LINE: usize = 16;

impl Room {
    /// Room for so many numbers, which may be anything.
    pub(super) fn new(n: usize) -> Self {
        let kept = ROOMS.with_borrow_mut(Vec::pop);
        let mut numbers = kept.unwrap_or_default();
        if numbers.len() < n + LINE {
            numbers.resize(n + LINE, 0.0);
        }
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

impl Drop for Room {
    fn drop(&mut self) {
        let numbers = std::mem::take(&mut self.numbers);
        if (1..=MOST_KEPT).contains(&numbers.len()) {
            // A thread that ends has no use for it.
            let _is_over = ROOMS.try_with(|rooms| rooms.borrow_mut().push(numbers));
        }
    }
}

/// What is done bit by bit while tiles are computed, so that the processor does it while it waits for
/// nothing else.
pub(super) trait Meanwhile {
    /// The next bit. It comes once for every [`EVERY`] rows of a panel that a tile goes through.
    fn step<S: Simd>(&mut self, simd: S);
}

/// Rows of a panel between one bit of what is done meanwhile and the next.
const EVERY: usize = 4;

/// How many bits there are while `n_rows` rows go through a panel of `n_in`, about.
pub(super) fn n_steps<S: Simd>(n_rows: usize, n_in: usize) -> usize {
    n_rows.div_ceil(rows_at_once::<S>()) * (n_in / EVERY) + 1
}

/// Rows of a tile.
#[inline(always)]
fn rows_at_once<S: Simd>() -> usize {
    if S::HAS_MANY_REGISTERS { 8 } else { 6 }
}

impl Meanwhile for () {
    #[inline(always)]
    fn step<S: Simd>(&mut self, _simd: S) {}
}

/// What will be read next, brought near: so many numbers of some rows.
pub(super) struct Ahead<'a, T> {
    numbers: &'a [T],
    /// From a row to the next.
    stride: usize,
    /// Numbers of a row.
    width: usize,
    /// Rows done, in 2^-32.
    done: u64,
    /// Rows at a time, in 2^-32.
    step: u64,
}

impl<'a, T> Ahead<'a, T> {
    /// `n_rows` rows, `stride` apart, of `width` of the numbers, in so many steps.
    #[inline(always)]
    pub(super) fn new(
        numbers: &'a [T],
        n_rows: usize,
        (stride, width): (usize, usize),
        n_steps: usize,
    ) -> Self {
        Self {
            numbers,
            stride,
            width,
            done: 0,
            step: ((n_rows as u64) << 32) / n_steps as u64,
        }
    }
}

impl<T> Meanwhile for Ahead<'_, T> {
    #[inline(always)]
    fn step<S: Simd>(&mut self, simd: S) {
        let row = (self.done >> 32) as usize;
        let column = ((self.done & 0xffff_ffff) * self.width as u64) >> 32;
        let place = row * self.stride + column as usize;
        if let Some(place) = self.numbers.get(place) {
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
    meanwhile: &mut impl Meanwhile,
    mut write: impl FnMut(usize, &[f32]),
) {
    let mut products = Products([0.0; MAX_ROWS * MAX_COLUMNS]);
    for first in (0..n_rows).step_by(rows_at_once::<S>()) {
        let n_here = rows_at_once::<S>().min(n_rows - first);
        let row = |at: usize| row(first + at);
        multiply_into(simd, n_here, row, panel, width, meanwhile, &mut products.0);
        for (at, products) in products.0.chunks_exact(width).take(n_here).enumerate() {
            write(first + at, products);
        }
    }
}

/// As [`multiply`], with the products row after row in `products`, where there must be room for
/// [`MAX_ROWS`] rows more.
#[inline(always)]
pub(super) fn multiply_into<'a, S: Simd>(
    simd: S,
    n_rows: usize,
    row: impl Fn(usize) -> &'a [f32],
    panel: &[f32],
    width: usize,
    meanwhile: &mut impl Meanwhile,
    products: &mut [f32],
) {
    let n_vectors = width / S::LANES;
    match (n_vectors, S::HAS_MANY_REGISTERS) {
        (1, true) => tiles::<S, 8, 1>(simd, n_rows, row, panel, meanwhile, products),
        (2, true) => tiles::<S, 8, 2>(simd, n_rows, row, panel, meanwhile, products),
        (_, true) => tiles::<S, 8, 3>(simd, n_rows, row, panel, meanwhile, products),
        (1, false) => tiles::<S, 6, 1>(simd, n_rows, row, panel, meanwhile, products),
        (_, false) => tiles::<S, 6, 2>(simd, n_rows, row, panel, meanwhile, products),
    }
}

#[inline(always)]
fn tiles<'a, S: Simd, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    n_rows: usize,
    row: impl Fn(usize) -> &'a [f32],
    panel: &[f32],
    meanwhile: &mut impl Meanwhile,
    products: &mut [f32],
) {
    let width = VECTORS * S::LANES;
    for first in (0..n_rows).step_by(ROWS) {
        // Where rows are missing the last one is computed again, for nobody.
        let rows: [&[f32]; ROWS] = std::array::from_fn(|at| row((first + at).min(n_rows - 1)));
        let products = &mut products[first * width..][..ROWS * width];
        tile::<S, ROWS, VECTORS>(simd, rows, panel, meanwhile, products);
    }
}

#[inline(always)]
fn tile<S: Simd, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    rows: [&[f32]; ROWS],
    panel: &[f32],
    meanwhile: &mut impl Meanwhile,
    products: &mut [f32],
) {
    /// Numbers of a row that are gone through without looking whether there are more.
    const STEPS: usize = 8;
    let width = VECTORS * S::LANES;
    let n_in = panel.len() / width;
    let rows = rows.map(|row| row[..n_in].as_chunks::<STEPS>());
    let mut sums = [[simd.splat(0.0); VECTORS]; ROWS];
    let mut panels = panel.chunks_exact(STEPS * width);
    for (at, panel) in panels.by_ref().enumerate() {
        let numbers: [&[f32; STEPS]; ROWS] = std::array::from_fn(|row| &rows[row].0[at]);
        for step in 0..STEPS {
            if step % EVERY == 0 {
                meanwhile.step(simd);
            }
            add_products(simd, &mut sums, &panel[step * width..][..width], |row| {
                numbers[row][step]
            });
        }
    }
    for (at, columns) in panels.remainder().chunks_exact(width).enumerate() {
        add_products(simd, &mut sums, columns, |row| rows[row].1[at]);
    }
    let places = products.chunks_exact_mut(S::LANES);
    for (place, sum) in places.zip(sums.into_iter().flatten()) {
        simd.store(sum, place);
    }
}

/// Adds a row of a panel, times each row's number, to that row's sums.
#[inline(always)]
fn add_products<S: Simd, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    sums: &mut [[S::Vector; VECTORS]; ROWS],
    columns: &[f32],
    number: impl Fn(usize) -> f32,
) {
    let mut vectors = [simd.splat(0.0); VECTORS];
    for (vector, columns) in vectors.iter_mut().zip(columns.chunks_exact(S::LANES)) {
        *vector = simd.load(columns);
    }
    for (row, sums) in sums.iter_mut().enumerate() {
        let number = simd.splat(number(row));
        for (sum, vector) in sums.iter_mut().zip(vectors) {
            *sum = simd.mul_add(number, vector, *sum);
        }
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

/// Lays `n_rows` rows, which begin `stride` numbers apart, side by side as the columns of a panel,
/// `[in, width]`, the rest zero.
#[inline(always)]
pub(super) fn pack_turned<S: Simd>(
    simd: S,
    numbers: &[f32],
    stride: usize,
    n_rows: usize,
    width: usize,
    panel: &mut [f32],
) {
    let n_in = panel.len() / width;
    let (whole_rows, whole_in) = (n_rows / SIDE * SIDE, n_in / SIDE * SIDE);
    for row in (0..whole_rows).step_by(SIDE) {
        for at in (0..whole_in).step_by(SIDE) {
            let square = simd.turned(&numbers[row * stride + at..], stride);
            let lines = panel[at * width..].chunks_exact_mut(width);
            for (line, numbers) in lines.zip(&square) {
                line[row..row + SIDE].copy_from_slice(numbers);
            }
        }
    }
    for (at, line) in panel.chunks_exact_mut(width).enumerate() {
        let n_done = if at < whole_in { whole_rows } else { 0 };
        for (row, place) in line.iter_mut().enumerate().skip(n_done) {
            *place = if row < n_rows {
                numbers[row * stride + at]
            } else {
                0.0
            };
        }
    }
}
