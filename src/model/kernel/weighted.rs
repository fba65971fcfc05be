//! Sums of rows, each times a number.

use std::ops::Range;

use super::simd::Simd;

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
