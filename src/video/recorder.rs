//! A film on a thread of its own, behind a bounded channel.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::{Film, FilmError, FilmSettings, FilmWriter, Shot, begin};

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
    frames: Option<Sender<Message>>,
    used: Receiver<Vec<u8>>,
    state: Arc<Mutex<RecorderState>>,
    worker: Option<JoinHandle<Result<Film, FilmError>>>,
    /// The time, in frames, of shots that there was no room for.
    n_owed: u32,
}

/// What the film's thread is given.
struct Message {
    picture: Picture,
    /// How much longer the picture before is shown, in frames.
    n_owed: u32,
}

enum Picture {
    /// A frame as the film has it.
    Frame(Vec<u8>),
    /// A picture that has yet to become one.
    Shot(Shot),
}

impl Message {
    fn frame(frame: Vec<u8>) -> Self {
        Self {
            picture: Picture::Frame(frame),
            n_owed: 0,
        }
    }
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
            n_owed: 0,
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
        frames.send(Message::frame(frame)).is_ok()
    }

    /// Adds a frame if there is room for it; counts it as skipped where not.
    pub fn offer(&self, frame: Vec<u8>) -> bool {
        let Some(frames) = &self.frames else {
            return false;
        };
        match frames.try_send(Message::frame(frame)) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                lock(&self.state).n_skipped += 1;
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }

    /// Shows a picture if there is room for it. Where not, its frames count as skipped, and the picture
    /// before stays for as long, so that the film goes on in the time of what it shows.
    pub fn show(&mut self, shot: Shot) -> bool {
        let Some(frames) = &self.frames else {
            return false;
        };
        let n_frames = shot.n_frames;
        let message = Message {
            picture: Picture::Shot(shot),
            n_owed: self.n_owed,
        };
        match frames.try_send(message) {
            Ok(()) => {
                self.n_owed = 0;
                true
            }
            Err(TrySendError::Full(_)) => {
                self.n_owed = self.n_owed.saturating_add(n_frames);
                lock(&self.state).n_skipped += u64::from(n_frames);
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }

    /// Takes no more frames: the film ends when those that wait are in it.
    pub fn close(&mut self) {
        self.frames = None;
    }

    /// Whether the film has ended, so that [`finish`](Self::finish) does not wait.
    pub fn is_done(&self) -> bool {
        self.worker.as_ref().is_none_or(JoinHandle::is_finished)
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
    messages: &Receiver<Message>,
    give_back: &Sender<Vec<u8>>,
    state: &Mutex<RecorderState>,
) -> Result<Film, FilmError> {
    let result = catch_unwind(AssertUnwindSafe(|| write(film, messages, give_back, state)));
    let result = result.unwrap_or_else(|panic| Err(panicked(&*panic)));
    lock(state).has_failed = result.is_err();
    result
}

fn write(
    film: Box<dyn FilmWriter>,
    messages: &Receiver<Message>,
    give_back: &Sender<Vec<u8>>,
    state: &Mutex<RecorderState>,
) -> Result<Film, FilmError> {
    let mut worker = Worker {
        film,
        messages,
        state,
        newest: Vec::new(),
        pixels: crc32fast::Hasher::new(),
    };
    for message in messages {
        let used = match worker.take_in(message) {
            Ok(used) => used,
            Err(error) => {
                // What is whole stays so; ending tells nothing new.
                drop(worker.film.finish());
                return Err(error);
            }
        };
        // Where there are buffers enough, this one goes.
        drop(give_back.try_send(used));
    }
    worker.film.finish()
}

/// The film's thread.
struct Worker<'a> {
    film: Box<dyn FilmWriter>,
    messages: &'a Receiver<Message>,
    state: &'a Mutex<RecorderState>,
    /// The frame on show; empty before the first.
    newest: Vec<u8>,
    /// The CRC of all frames so far.
    pixels: crc32fast::Hasher,
}

impl Worker<'_> {
    /// Adds what a message brings, and hands back a buffer that it needs no more.
    fn take_in(&mut self, message: Message) -> Result<Vec<u8>, FilmError> {
        if message.n_owed > 0 && !self.newest.is_empty() {
            self.film.hold(&self.newest, message.n_owed)?;
        }
        let shot = match message.picture {
            Picture::Frame(frame) => {
                let used = std::mem::replace(&mut self.newest, frame);
                self.push_newest()?;
                return Ok(used);
            }
            Picture::Shot(shot) => shot,
        };
        shot.write_frame(&mut self.newest);
        for n_shown in 0..shot.n_frames {
            // Where others wait there is no time to encode what is seen already.
            if n_shown > 0 && !self.messages.is_empty() {
                self.film.hold(&self.newest, shot.n_frames - n_shown)?;
                break;
            }
            self.push_newest()?;
        }
        Ok(shot.pixels)
    }

    fn push_newest(&mut self) -> Result<(), FilmError> {
        self.film.push(&self.newest)?;
        self.pixels.update(&self.newest);
        let mut state = lock(self.state);
        state.n_frames += 1;
        state.n_bytes = self.film.n_bytes();
        state.crc32 = self.pixels.clone().finalize();
        Ok(())
    }
}

fn panicked(panic: &(dyn Any + Send)) -> FilmError {
    let message = panic
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    FilmError::Panicked(message.unwrap_or_else(|| "no message".to_owned()))
}
