//! Progress on standard error, of what takes long.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// What is done sooner shows nothing.
const PATIENCE: Duration = Duration::from_millis(400);

/// Progress that shows itself once it takes long.
pub(super) struct Patience {
    what: &'static str,
    started: Instant,
    bar: Option<ProgressBar>,
}

impl Patience {
    /// Begins now; `what` says what is done.
    pub fn new(what: &'static str) -> Self {
        Self {
            what,
            started: Instant::now(),
            bar: None,
        }
    }

    /// Shows how much is done.
    pub fn show(&mut self, n_done: usize, n_all: usize) {
        if self.started.elapsed() < PATIENCE {
            return;
        }
        let what = self.what;
        let bar = self.bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len}, {eta} left")
                .expect("the template's fields are indicatif's");
            ProgressBar::new(n_all as u64)
                .with_style(style)
                .with_message(what)
        });
        bar.set_position(n_done as u64);
    }

    /// Leaves nothing behind.
    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
