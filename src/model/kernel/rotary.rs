//! Heads turned by their positions.

use super::fresh::rows;

/// The angles at a run of positions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Angles<'a> {
    /// Their cosines, `[pos, pair]`.
    pub cos: &'a [f32],
    /// Their sines, `[pos, pair]`.
    pub sin: &'a [f32],
    /// Pairs of numbers that are turned; numbers after them stay.
    pub n_pairs: usize,
}

/// Heads, `[batch, pos, head, d_head]`, each turned by its position: number `i` with number
/// `i + n_pairs`.
pub(super) fn turn(heads: &[f32], [n_heads, d_head]: [usize; 2], angles: Angles<'_>) -> Vec<f32> {
    let n_pairs = angles.n_pairs;
    let n_pos = angles.cos.len() / n_pairs;
    let width = n_heads * d_head;
    rows(heads.len(), width, |first, out| {
        let positions = (first..).zip(out.chunks_exact_mut(width));
        for (row, position) in positions {
            position.copy_from_slice(&heads[row * width..][..width]);
            let cos = &angles.cos[row % n_pos * n_pairs..][..n_pairs];
            let sin = &angles.sin[row % n_pos * n_pairs..][..n_pairs];
            for head in position.chunks_exact_mut(d_head) {
                let (first, rest) = head.split_at_mut(n_pairs);
                let pairs = first.iter_mut().zip(rest).zip(cos.iter().zip(sin));
                for ((a, b), (cos, sin)) in pairs {
                    (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
                }
            }
        }
    })
}
