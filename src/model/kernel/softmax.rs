//! Softmax over rows.

use super::fresh::rows;
use super::math::{exp, fold};
use super::simd::{Simd, Work, run};

/// The softmax of every row of `scores`, `[n, width]`.
pub(super) fn softmax(scores: &[f32], width: usize) -> Vec<f32> {
    rows(scores.len(), width, |first, out| {
        let scores = &scores[first * width..][..out.len()];
        run(Softmax { scores, width, out });
    })
}

struct Softmax<'a> {
    scores: &'a [f32],
    width: usize,
    out: &'a mut [f32],
}

impl Work for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let rows = self.scores.chunks_exact(self.width);
        for (out, scores) in self.out.chunks_exact_mut(self.width).zip(rows) {
            // What is masked at the end comes to zero.
            let n = unmasked(scores, f32::NEG_INFINITY);
            let (out, masked) = out.split_at_mut(n);
            let scores = &scores[..n];
            let larger = |a: f32, b: f32| if b > a { b } else { a };
            let most = fold(scores, f32::NEG_INFINITY, larger, larger);
            for (out, score) in out.iter_mut().zip(scores) {
                *out = exp(simd, score - most);
            }
            let total = fold(out, 0.0, |sum, x| sum + x, |a, b| a + b);
            let scale = 1.0 / total;
            for out in out {
                *out *= scale;
            }
            // Of a row of nothing but masked scores, or with a NaN, nothing is a number.
            masked.fill(0.0 / total);
        }
    }
}

/// How many numbers of a row come before all that are `masked` at its end, rounded up to whole steps.
#[inline(always)]
pub(super) fn unmasked(row: &[f32], masked: f32) -> usize {
    const STEP: usize = 16;
    let mut n = row.len();
    while n > 0 {
        let first = (n - 1) / STEP * STEP;
        let mut is_masked = true;
        for number in &row[first..n] {
            is_masked &= *number == masked;
        }
        if !is_masked {
            break;
        }
        n = first;
    }
    n
}
