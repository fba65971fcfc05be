//! A film's own time: it stands still while the film is paused.

/// Which frame of a film is due. Frame `n` shows the newest picture at `n / fps` seconds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FilmClock {
    fps: u32,
    secs: f64,
    /// The last frame that a picture was wanted for.
    last_due: Option<u64>,
}

impl FilmClock {
    pub(super) fn new(fps: u32) -> Self {
        Self {
            fps,
            secs: 0.0,
            last_due: None,
        }
    }

    /// Frames a second.
    pub(super) fn fps(&self) -> u32 {
        self.fps
    }

    /// How long the film is, in seconds.
    pub(super) fn secs(&self) -> f64 {
        self.secs
    }

    /// Lets time pass. What was before the first picture is not the film's.
    pub(super) fn advance(&mut self, secs: f64) {
        if self.last_due.is_some() {
            self.secs += secs;
        }
    }

    /// The first frame that the picture of this moment is for; none if the picture before is for the
    /// same one.
    pub(super) fn due(&mut self) -> Option<u64> {
        let next = self.next_frame();
        if self.last_due.is_some_and(|last| next <= last) {
            return None;
        }
        self.last_due = Some(next);
        Some(next)
    }

    /// How many frames the film has if it ends now.
    pub(super) fn n_frames(&self) -> u64 {
        let shown = self.last_due.map_or(0, |last| last + 1);
        self.next_frame().max(shown)
    }

    /// The first frame that is not before this moment.
    fn next_frame(&self) -> u64 {
        // Sums of a frame's time are a little off.
        (self.secs * f64::from(self.fps) - 1e-6).ceil().max(0.0) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(window_fps: u32, n: usize) -> Vec<Option<u64>> {
        let mut clock = FilmClock::new(30);
        let mut due = Vec::new();
        for _ in 0..n {
            due.push(clock.due());
            clock.advance(1.0 / f64::from(window_fps));
        }
        due
    }

    #[test]
    fn a_quick_window_gives_each_frame_one_picture_and_a_slow_one_leaves_gaps() {
        assert_eq!(
            due(60, 6),
            [Some(0), Some(1), None, Some(2), None, Some(3)],
            "the newest at the frame's time"
        );
        assert_eq!(due(30, 3), [Some(0), Some(1), Some(2)]);
        assert_eq!(due(10, 3), [Some(0), Some(3), Some(6)]);
    }

    #[test]
    fn a_film_has_as_many_frames_as_its_time_and_at_least_those_with_a_picture() {
        let mut clock = FilmClock::new(30);
        assert_eq!(clock.n_frames(), 0);
        clock.due();
        assert_eq!(clock.n_frames(), 1);

        for _ in 0..100 {
            clock.advance(0.02);
            clock.due();
        }

        assert!((clock.secs() - 2.0).abs() < 1e-9);
        assert_eq!(clock.n_frames(), 61, "frame 60 has a picture");
    }
}
