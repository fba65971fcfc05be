//! Reductions against the values they come from.

use super::*;

/// A value for each query and key, of either sign.
fn value(square: usize, query: usize, key: usize) -> f32 {
    let mixed = (query * 31 + key * 17 + square * 7) % 97;
    mixed as f32 / 48.0 - 1.0
}

fn filled(n_squares: usize, n: usize) -> AttentionOverview {
    let mut overview = AttentionOverview::new(n_squares, usize::MAX);
    for query in 0..n {
        for square in 0..n_squares {
            let row: Vec<f32> = (0..=query).map(|key| value(square, query, key)).collect();
            overview.write(square, query, &row);
        }
    }
    overview
}

/// Max and mean magnitude over a block of a square, straight from the values.
fn expected(square: usize, n: usize, row: usize, column: usize, edge: usize) -> (f32, f32) {
    let mut values = Vec::new();
    for query in row * edge..((row + 1) * edge).min(n) {
        for key in column * edge..((column + 1) * edge).min(query + 1) {
            values.push(value(square, query, key).abs());
        }
    }
    let max = values.iter().copied().fold(0.0, f32::max);
    // Blocks that the text has not filled are divided by what a full one holds.
    let count = causal_count(row * edge, column * edge, edge).max(1);
    (max, values.iter().sum::<f32>() / count as f32)
}

#[test]
fn every_level_is_exact_however_long_the_text_has_grown() {
    for n in [1, 3, 64, 65, 150, 300] {
        let overview = filled(3, n);
        let block = overview.block();
        assert_eq!(block, n.div_ceil(64).next_power_of_two());
        let max = overview.values(0..overview.n_values(), Reduction::Max);
        let mean = overview.values(0..overview.n_values(), Reduction::Mean);
        let mut level = 0;
        while overview.grid() >> level > 0 {
            let edge = block << level;
            for row in 0..overview.grid() >> level {
                for column in 0..overview.grid() >> level {
                    let at = overview.index(level, row, 1, column);
                    let (top, average) = expected(1, n, row, column, edge);
                    assert!(
                        (max[at].abs() - top).abs() < 1e-6,
                        "{n} {level} {row} {column}"
                    );
                    if edge > 1 {
                        assert!(
                            (mean[at] - average).abs() < 1e-5,
                            "{n} {level} {row} {column}"
                        );
                    }
                }
            }
            level += 1;
        }
    }
}

#[test]
fn single_numbers_keep_their_sign() {
    let overview = filled(2, 9);

    let at = overview.index(0, 7, 1, 4);

    assert_eq!(overview.max[at], value(1, 7, 4));
}

#[test]
fn a_small_limit_makes_coarser_cells_that_are_as_exact() {
    let mut overview = AttentionOverview::new(2, 200);
    for query in 0..40 {
        let row: Vec<f32> = (0..=query).map(|key| value(0, query, key)).collect();
        overview.write(0, query, &row);
    }

    assert!(overview.n_values() <= 200);
    assert_eq!((overview.grid(), overview.block()), (8, 8));
    let (top, _) = expected(0, 40, 3, 1, 8);
    assert_eq!(overview.max[overview.index(0, 3, 0, 1)], top);
}

#[test]
fn a_step_changes_its_own_rows_only() {
    let mut overview = filled(4, 20);
    overview.take_changes();
    let row: Vec<f32> = (0..=20).map(|key| value(0, 20, key)).collect();

    for square in 0..4 {
        overview.write(square, 20, &row);
    }

    let changes = overview.take_changes();
    assert!(changes.len() <= 6, "one run a level: {changes:?}");
    let n_changed: usize = changes.iter().map(Range::len).sum();
    assert_eq!(n_changed, 4 * (32 + 16 + 8 + 4 + 2 + 1));
}

#[test]
fn a_square_seen_nearer_is_reduced_as_exactly() {
    let n = 37;
    let rows: Vec<Vec<f32>> = (0..n)
        .map(|query| (0..=query).map(|key| value(2, query, key)).collect())
        .collect();
    for level in 0..3 {
        let edge = 1 << level;
        let cells = reduce_square(
            |query| rows.get(query).map(Vec::as_slice),
            n,
            level,
            0,
            64,
            Reduction::Max,
            None,
        );
        for row in 0..n.div_ceil(edge) {
            for column in 0..=row {
                let seen = cells[row * 64 + column].abs();
                let (top, _) = expected(2, n, row, column, edge);
                assert!((seen - top).abs() < 1e-6, "{level} {row} {column}");
            }
        }
    }
}

#[test]
fn what_lies_before_the_window_is_in_no_reduction() {
    // Masked with minus infinity, as scores are.
    let rows: Vec<Vec<f32>> = (0..8usize)
        .map(|query| {
            let masked = |key| {
                if query - key < 3 {
                    1.5
                } else {
                    f32::NEG_INFINITY
                }
            };
            (0..=query).map(masked).collect()
        })
        .collect();
    let row_of = |query: usize| rows.get(query).map(Vec::as_slice);

    let exact = reduce_square(row_of, 8, 0, 0, 8, Reduction::Max, Some(3));
    let reduced = reduce_square(row_of, 8, 1, 0, 4, Reduction::Max, Some(3));

    assert_eq!(exact[7 * 8..], [0.0, 0.0, 0.0, 0.0, 0.0, 1.5, 1.5, 1.5]);
    assert_eq!(reduced[3 * 4..], [0.0, 0.0, 1.5, 1.5]);
}
