//! A film on a thread of its own, behind a bounded channel.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::{Film, FilmError, FilmSettings, FilmWriter, begin};

/// Frames that may wait to be encoded: what a film takes of memory does not grow with its length.
const ROOM: usize = 4;

/// How far a recording has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecorderState {
    /// Frames in the film so far.
    pub n_frames: u64,
    /// Bytes on disk so far.
    pub n_bytes: u64,
    /// CRC-32 of the pixels of those frames, one frame after the other.
    pub crc32: u32,
    /// Frames that were offered while there was no room for them.
    pub n_skipped: u64,
    /// Whether the film goes no further: [`Recorder::finish`] says why.
    pub has_failed: bool,
}

/// Takes frames and has them encoded and written on a thread of its own.
///
/// Dropping it ends the film, as [`finish`](Self::finish) does.
pub struct Recorder {
    frames: Option<Sender<Vec<u8>>>,
    used: Receiver<Vec<u8>>,
    state: Arc<Mutex<RecorderState>>,
    worker: Option<JoinHandle<Result<Film, FilmError>>>,
}

impl Recorder {
    /// Begins a film at `path`.
    ///
    /// # Errors
    ///
    /// As [`begin`].
    pub fn start(path: &Path, settings: &FilmSettings) -> Result<Self, FilmError> {
        Self::start_with(begin(path, settings)?, path)
    }

    /// Begins with a writer made elsewhere.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start_with(film: Box<dyn FilmWriter>, path: &Path) -> Result<Self, FilmError> {
        let (frames, waiting) = bounded(ROOM);
        let (give_back, used) = bounded(ROOM);
        let state = Arc::new(Mutex::new(RecorderState::default()));
        let shared = Arc::clone(&state);
        let worker = thread::Builder::new()
            .name("llmscope-film".to_owned())
            .spawn(move || run(film, &waiting, &give_back, &shared))
            .map_err(|source| FilmError::of_write(path, 0, source))?;
        Ok(Self {
            frames: Some(frames),
            used,
            state,
            worker: Some(worker),
        })
    }

    /// A buffer to fill with the next frame, one that was used before where there is one.
    pub fn buffer(&self) -> Vec<u8> {
        let mut buffer = self.used.try_recv().unwrap_or_default();
        buffer.clear();
        buffer
    }

    /// Adds a frame, and waits until there is room for it. Says whether the film goes on: where not,
    /// [`finish`](Self::finish) says why.
    pub fn push(&self, frame: Vec<u8>) -> bool {
        let Some(frames) = &self.frames else {
            return false;
        };
        frames.send(frame).is_ok()
    }

    /// Adds a frame if there is room for it; counts it as skipped where not.
    pub fn offer(&self, frame: Vec<u8>) -> bool {
        let Some(frames) = &self.frames else {
            return false;
        };
        match frames.try_send(frame) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                lock(&self.state).n_skipped += 1;
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }

    /// How far it has come.
    pub fn state(&self) -> RecorderState {
        *lock(&self.state)
    }

    /// Ends the film when the frames that wait are in it.
    ///
    /// # Errors
    ///
    /// What ended the film before; what was whole then is whole now.
    pub fn finish(mut self) -> Result<(Film, RecorderState), FilmError> {
        let film = self
            .end()
            .unwrap_or_else(|| Err(FilmError::Panicked("it was ended twice".to_owned())))?;
        Ok((film, self.state()))
    }

    fn end(&mut self) -> Option<Result<Film, FilmError>> {
        self.frames = None;
        let worker = self.worker.take()?;
        Some(worker.join().unwrap_or_else(|panic| Err(panicked(&*panic))))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // Whoever wants to know how it ended calls `finish`.
        drop(self.end());
    }
}

fn lock(state: &Mutex<RecorderState>) -> std::sync::MutexGuard<'_, RecorderState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(
    film: Box<dyn FilmWriter>,
    frames: &Receiver<Vec<u8>>,
    give_back: &Sender<Vec<u8>>,
    state: &Mutex<RecorderState>,
) -> Result<Film, FilmError> {
    let result = catch_unwind(AssertUnwindSafe(|| write(film, frames, give_back, state)));
    let result = result.unwrap_or_else(|panic| Err(panicked(&*panic)));
    lock(state).has_failed = result.is_err();
    result
}

fn write(
    mut film: Box<dyn FilmWriter>,
    frames: &Receiver<Vec<u8>>,
    give_back: &Sender<Vec<u8>>,
    state: &Mutex<RecorderState>,
) -> Result<Film, FilmError> {
    let mut pixels = crc32fast::Hasher::new();
    for frame in frames {
        if let Err(error) = film.push(&frame) {
            // What is whole stays so; ending tells nothing new.
            drop(film.finish());
            return Err(error);
        }
        pixels.update(&frame);
        {
            let mut state = lock(state);
            state.n_frames += 1;
            state.n_bytes = film.n_bytes();
            state.crc32 = pixels.clone().finalize();
        }
        // Where there are buffers enough, this one goes.
        drop(give_back.try_send(frame));
    }
    film.finish()
}

fn panicked(panic: &(dyn Any + Send)) -> FilmError {
    let message = panic
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    FilmError::Panicked(message.unwrap_or_else(|| "no message".to_owned()))
}
