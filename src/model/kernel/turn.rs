//! Matrices with rows for columns.

/// Numbers of a block's row, a cache line, and rows of it.
const SIDE: usize = 16;
/// Blocks side by side that are turned one after the other: so few pages are written at once.
const BLOCKS: usize = 4;

/// The rows of `width` numbers as columns.
pub(super) fn turned(numbers: &[f32], width: usize) -> Vec<f32> {
    let mut out = vec![0.0; numbers.len()];
    let height = numbers.len() / width.max(1);
    for left in (0..width).step_by(BLOCKS * SIDE) {
        let right = (left + BLOCKS * SIDE).min(width);
        for top in (0..height).step_by(SIDE) {
            for left in (left..right).step_by(SIDE) {
                let (n_rows, n_columns) = (SIDE.min(height - top), SIDE.min(right - left));
                if (n_rows, n_columns) == (SIDE, SIDE) {
                    turn(numbers, &mut out, [top, left], [SIDE; 2], [width, height]);
                } else {
                    let size = [n_rows, n_columns];
                    turn(numbers, &mut out, [top, left], size, [width, height]);
                }
            }
        }
    }
    out
}

/// Turns one block, of so many rows and columns.
#[inline(always)]
fn turn(
    numbers: &[f32],
    out: &mut [f32],
    [top, left]: [usize; 2],
    [n_rows, n_columns]: [usize; 2],
    [width, height]: [usize; 2],
) {
    for column in 0..n_columns {
        let place = &mut out[(left + column) * height + top..][..n_rows];
        for (row, place) in place.iter_mut().enumerate() {
            *place = numbers[(top + row) * width + left + column];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_changes_its_row_for_its_column() {
        for [height, width] in [[1, 1], [16, 64], [50, 130], [3, 200], [200, 3]] {
            let numbers: Vec<f32> = (0..height * width).map(|at| at as f32).collect();
            let turned = turned(&numbers, width);
            for row in 0..height {
                for column in 0..width {
                    assert_eq!(turned[column * height + row], numbers[row * width + column]);
                }
            }
        }
    }
}
