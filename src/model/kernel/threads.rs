//! Work shared among the processor's cores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Threads that compute at once, at most.
static MOST: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Has no more than `n_threads` compute from now on, in all of this process: so a core can be left for
/// drawing.
pub(in crate::model) fn limit(n_threads: usize) {
    MOST.store(n_threads.max(1), Ordering::Relaxed);
}

/// How many threads compute at once.
pub(super) fn n_threads() -> usize {
    let allowed = MOST.load(Ordering::Relaxed);
    allowed.min(rayon::current_num_threads())
}

/// Does `work` on every job, on as many threads as rayon has and [`limit`] allows; the caller's is one
/// of them.
///
/// Jobs are taken in order by whoever is free, so that a core that is busy with something else holds
/// nobody up. What comes of a job must not depend on who does it.
pub(super) fn share<T: Send>(jobs: Vec<T>, work: impl Fn(T) + Sync) {
    let allowed = MOST
        .load(Ordering::Relaxed)
        .min(rayon::current_num_threads());
    let n_threads = allowed.min(jobs.len());
    let jobs = Mutex::new(jobs.into_iter());
    let work_off = || {
        while let Some(job) = {
            let mut jobs = jobs.lock().unwrap_or_else(PoisonError::into_inner);
            jobs.next()
        } {
            work(job);
        }
    };
    if n_threads < 2 {
        return work_off();
    }
    rayon::in_place_scope(|scope| {
        for _ in 1..n_threads {
            scope.spawn(|_| work_off());
        }
        work_off();
    });
}

/// How many numbers a thread should have to compute with, at least, for it to be worth waking one.
const WORTH_WAKING: usize = 1 << 15;

/// Does `work` on rows of `width` numbers, some at a time: it is given the first one's index and them.
pub(super) fn share_rows(out: &mut [f32], width: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    let n_rows = out.len() / width.max(1);
    let n_pieces = (out.len() / WORTH_WAKING).clamp(1, 16);
    let rows_each = n_rows.div_ceil(n_pieces).max(1);
    let jobs = out.chunks_mut(rows_each * width.max(1));
    share(jobs.enumerate().collect(), |(piece, rows)| {
        work(piece * rows_each, rows);
    });
}

/// A copy of many numbers. The memory that they go to is asked for by those who write to it, at once.
pub(super) fn copied(numbers: &[f32]) -> Vec<f32> {
    if numbers.len() < 2 * WORTH_WAKING {
        return numbers.to_vec();
    }
    let mut out = vec![0.0; numbers.len()];
    share_rows(&mut out, 1, |first, out| {
        out.copy_from_slice(&numbers[first..][..out.len()]);
    });
    out
}
