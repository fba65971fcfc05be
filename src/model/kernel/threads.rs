//! Work shared among the processor's cores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Threads that compute at once, at most.
static MOST: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Has no more than `n_threads` compute from now on, in all of this process: so a core can be left for
/// drawing.
pub(in crate::model) fn limit(n_threads: usize) {
    MOST.store(n_threads.max(1), Ordering::Relaxed);
}

/// How many threads compute at once.
fn n_threads() -> usize {
    let allowed = MOST.load(Ordering::Relaxed);
    allowed.min(rayon::current_num_threads())
}

/// Helpers there are at least; tests want several on any machine.
const FEWEST_HELPERS: usize = if cfg!(test) { 4 } else { 1 };

/// The threads that help whoever shares work out: with it as many as there are cores.
///
/// They are not rayon's own, which would be one more.
fn helpers() -> Option<&'static ThreadPool> {
    static HELPERS: OnceLock<Option<ThreadPool>> = OnceLock::new();
    let helpers = HELPERS.get_or_init(|| {
        let n_cores = thread::available_parallelism().map_or(1, usize::from);
        let n_helpers = (n_cores.max(rayon::current_num_threads()) - 1).max(FEWEST_HELPERS);
        let helpers = ThreadPoolBuilder::new()
            .num_threads(n_helpers)
            .thread_name(|index| format!("kernel {index}"))
            .build();
        helpers
            .inspect_err(|error| tracing::warn!("no threads help to compute: {error}"))
            .ok()
    });
    helpers.as_ref()
}

/// How long a helper stays awake for more work: longer than what lies between two kernels of a pass.
const AWAKE: Duration = Duration::from_micros(200);

/// How many times work has been shared out.
static N_SHARED: AtomicUsize = AtomicUsize::new(0);

/// Keeps a helper awake until more work is shared out, or for a while: to wake one takes longer than
/// many a kernel.
fn stay_awake(n_shared: usize) {
    let start = Instant::now();
    while N_SHARED.load(Ordering::Relaxed) == n_shared && start.elapsed() < AWAKE {
        for _ in 0..32 {
            std::hint::spin_loop();
        }
    }
}

/// Does `work` on every job, on as many threads at most as rayon has and [`limit`] allows; the caller's
/// is one of them.
///
/// Jobs are taken in order by whoever is free, so that a core that is busy with something else has fewer
/// of them. What comes of a job must not depend on who does it.
pub(super) fn share<T: Send>(jobs: Vec<T>, work: impl Fn(T) + Sync) {
    let n_helpers = n_threads().min(jobs.len()).saturating_sub(1);
    let jobs = Mutex::new(jobs.into_iter());
    let work_off = || {
        while let Some(job) = {
            let mut jobs = jobs.lock().unwrap_or_else(PoisonError::into_inner);
            jobs.next()
        } {
            work(job);
        }
    };
    let Some(helpers) = helpers().filter(|_| n_helpers > 0) else {
        return work_off();
    };
    let n_shared = N_SHARED.fetch_add(1, Ordering::Relaxed) + 1;
    helpers.in_place_scope(|scope| {
        for _ in 0..n_helpers {
            #[cfg(test)]
            let work_off = super::simd::limit::handed_over(work_off);
            scope.spawn(|_| work_off());
        }
        work_off();
    });
    for _ in 0..n_helpers {
        helpers.spawn(move || stay_awake(n_shared));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn under_a_limit_of_one_the_caller_works_alone() {
        let before = MOST.load(Ordering::Relaxed);
        limit(0);
        let workers = Mutex::new(Vec::new());

        share((0..200).collect(), |_: usize| {
            workers.lock().unwrap().push(thread::current().id());
        });

        limit(before);
        let workers = workers.into_inner().unwrap();
        assert_eq!(workers, [thread::current().id(); 200]);
    }
}
