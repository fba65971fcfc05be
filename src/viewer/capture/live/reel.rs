//! A film of the window in the making: pictures go in, and frames for as long as each was on show.

use std::path::{Path, PathBuf};

use bevy::math::UVec2;

use super::clock::FilmClock;
use super::copy::{Copied, Pixels};
use crate::video::{
    EncoderChoice, Film, FilmError, FilmSettings as Making, Quality, Recorder, Shot,
};
use crate::viewer::filming::{FilmPhase, FilmSettings, FilmState, free_name};
use crate::viewer::session::{Present, SessionLog, SessionWriter};

/// A film in the making.
pub(super) struct Reel {
    pub(super) clock: FilmClock,
    pub(super) phase: FilmPhase,
    recorder: Recorder,
    path: PathBuf,
    size: UVec2,
    /// The picture on show, and the first frame that shows it: what comes next says for how long.
    newest: Option<(u64, Pixels)>,
    /// Frames whose picture never came.
    n_lost: u64,
    /// Frames of the window since the film was asked to end.
    n_waited: usize,
    session: SessionWriter,
}

/// Sides that every player can show. H.264, level 5.1.
const MAX_SIZE: UVec2 = UVec2::new(3840, 2160);
/// How many frames of the window the last pictures are waited for.
const PATIENCE: usize = 60;

/// The size of a film of a window: even sides, no larger than players can show.
pub(super) fn film_size(window: UVec2) -> UVec2 {
    let scale = (MAX_SIZE.as_vec2() / window.as_vec2().max(bevy::math::Vec2::ONE)).min_element();
    let size = if scale < 1.0 {
        (window.as_vec2() * scale).as_uvec2()
    } else {
        window
    };
    (size / 2 * 2).max(UVec2::splat(16))
}

impl Reel {
    /// Begins a film of a window of this size, in the first folder that can be written.
    pub(super) fn begin(
        settings: &FilmSettings,
        window: UVec2,
        metadata: Vec<(String, String)>,
    ) -> Result<Self, FilmError> {
        let size = film_size(window);
        let making = Making {
            width: size.x,
            height: size.y,
            fps: settings.fps,
            quality: Quality::default(),
            encoder: EncoderChoice::default(),
            metadata,
            force: false,
        };
        let mut first_failure = None;
        for folder in &settings.folders {
            let path = free_name(folder, settings.ending);
            // The first folder may be there and closed; another may have to be made.
            drop(std::fs::create_dir_all(folder));
            match Recorder::start(&path, &making) {
                Ok(recorder) => return Ok(Self::with(recorder, &path, size, settings.fps)),
                Err(error @ FilmError::Write { .. }) => {
                    first_failure.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(first_failure.unwrap_or_else(|| FilmError::Encode {
            frame: 0,
            reason: "there is no folder to write to".to_owned(),
        }))
    }

    /// Begins with a recorder made elsewhere.
    pub(super) fn with(recorder: Recorder, path: &Path, size: UVec2, fps: u32) -> Self {
        Self {
            clock: FilmClock::new(fps),
            phase: FilmPhase::Recording,
            recorder,
            path: path.to_owned(),
            size,
            newest: None,
            n_lost: 0,
            n_waited: 0,
            session: SessionWriter::default(),
        }
    }

    /// Takes in a picture that has come; the one before was on show until then.
    pub(super) fn take_in(&mut self, copied: Copied) {
        match copied.picture {
            Some(picture) => {
                self.show_newest(copied.first_frame);
                self.newest = Some((copied.first_frame, picture));
            }
            None => self.n_lost += 1,
        }
    }

    /// Hands the picture on show on, for the frames before `end`.
    fn show_newest(&mut self, end: u64) {
        let Some((first_frame, picture)) = self.newest.take() else {
            return;
        };
        // Where it has failed there is nothing to add to: that is noticed by itself.
        self.recorder.show(Shot {
            width: picture.width,
            height: picture.height,
            order: picture.order,
            pixels: picture.bytes,
            film_size: self.size.into(),
            n_frames: u32::try_from(end.saturating_sub(first_frame)).unwrap_or(u32::MAX),
        });
    }

    /// Notes what is shown now.
    pub(super) fn note(&mut self, present: &Present<'_>) {
        self.session.note(self.clock.secs(), present);
    }

    /// What was noted, as the rest of `log`.
    pub(super) fn session(&mut self, log: SessionLog) -> SessionLog {
        let mut log = SessionLog {
            width: self.size.x,
            height: self.size.y,
            fps: self.clock.fps(),
            secs: self.clock.secs(),
            ..log
        };
        std::mem::take(&mut self.session).fill(&mut log);
        log
    }

    /// Buffers that the film needs no more.
    pub(super) fn used_buffer(&self) -> Vec<u8> {
        self.recorder.buffer()
    }

    /// Asks it to end.
    pub(super) fn ask_to_end(&mut self) {
        self.phase = FilmPhase::Ending;
    }

    /// Goes on with ending; says what came of the film once it has ended.
    pub(super) fn go_on_ending(&mut self, is_awaiting: bool) -> bool {
        self.n_waited += 1;
        if !is_awaiting || self.n_waited > PATIENCE {
            self.show_newest(self.clock.n_frames());
            self.recorder.close();
        }
        self.recorder.is_done()
    }

    /// Whether it goes no further by itself.
    pub(super) fn has_failed(&self) -> bool {
        self.recorder.state().has_failed
    }

    /// Ends it now, and waits for it.
    pub(super) fn finish(mut self) -> Result<Film, FilmError> {
        self.show_newest(self.clock.n_frames());
        self.recorder.finish().map(|(film, _)| film)
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How far it has come.
    pub(super) fn state(&self) -> FilmState {
        let state = self.recorder.state();
        FilmState {
            path: self.path.clone(),
            phase: self.phase,
            secs: self.clock.secs(),
            n_frames: state.n_frames,
            n_bytes: state.n_bytes,
            n_skipped: state.n_skipped + self.n_lost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_film_has_even_sides_that_players_can_show() {
        for (window, film) in [
            ((1440, 900), (1440, 900)),
            ((1441, 901), (1440, 900)),
            ((5120, 2880), (3840, 2160)),
            ((8000, 1000), (3840, 480)),
            ((3, 1), (16, 16)),
        ] {
            assert_eq!(film_size(window.into()), film.into(), "{window:?}");
        }
    }
}
