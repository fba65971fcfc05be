//! How far a film has come: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::say;

/// The least time between two lines where there is no bar.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// The most lines.
const MAX_LINES: u64 = 40;

/// How far a film has come.
pub(super) struct Progress {
    n_frames: u64,
    n_done: u64,
    started: Instant,
    shown: Instant,
    n_shown: u64,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn new(n_frames: u64) -> Self {
        let now = Instant::now();
        Self {
            n_frames,
            n_done: 0,
            started: now,
            shown: now,
            n_shown: 0,
            bar: std::io::stderr().is_terminal().then(|| bar(n_frames)),
        }
    }

    /// Another frame is done.
    pub(super) fn advance(&mut self) {
        self.n_done += 1;
        if let Some(bar) = &self.bar {
            bar.set_position(self.n_done);
            return;
        }
        let is_far = (self.n_done - self.n_shown) * MAX_LINES >= self.n_frames;
        if is_far && self.shown.elapsed() >= LINE_EVERY && self.n_done < self.n_frames {
            self.shown = Instant::now();
            self.n_shown = self.n_done;
            say(&line(self.n_done, self.n_frames, self.started.elapsed()));
        }
    }

    /// No more frames.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(n_frames: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "recording {bar:30} {pos}/{len} frames, {per_sec}, {eta} left",
    )
    .expect("the template's fields are indicatif's");
    ProgressBar::new(n_frames).with_style(style)
}

fn line(n_done: u64, n_frames: u64, elapsed: Duration) -> String {
    let per_sec = n_done as f64 / elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
    let left_secs = (n_frames - n_done) as f64 / per_sec;
    format!(
        "recording: {n_done} of {n_frames} frames, {per_sec:.1} a second, {left_secs:.0} s left"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_frames_rate_and_time_left() {
        assert_eq!(
            line(30, 120, Duration::from_secs(4)),
            "recording: 30 of 120 frames, 7.5 a second, 12 s left"
        );
    }
}
