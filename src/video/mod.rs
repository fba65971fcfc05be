//! Films: frames go in one after the other, files that any player opens come out.
//!
//! A [`FilmWriter`] takes frames as they are drawn (`rgba`), turns them into what its file holds and
//! writes as it goes: whenever it is stopped, by whatever, the file holds all but the last second.
//! [`Recorder`] puts one behind a bounded channel on a thread of its own.

mod animation;
#[cfg(feature = "h264")]
mod boxes;
mod error;
mod ffmpeg;
mod frames;
#[cfg(feature = "h264")]
mod h264;
#[cfg(feature = "h264")]
mod mp4;
mod recorder;
mod shot;
#[cfg(feature = "h264")]
mod yuv;

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

pub use error::FilmError;
pub use ffmpeg::FfmpegSettings;
pub use recorder::{Recorder, RecorderState};
pub use shot::{ChannelOrder, Shot};
#[cfg(feature = "h264")]
pub use yuv::{Yuv420, rgb_of};

/// What a film is made with.
#[derive(Clone, Debug, PartialEq)]
pub struct FilmSettings {
    /// Pixels across; even for H.264.
    pub width: u32,
    /// Pixels down; even for H.264.
    pub height: u32,
    /// Frames a second.
    pub fps: u32,
    /// How good the picture is.
    pub quality: Quality,
    /// What makes the file.
    pub encoder: EncoderChoice,
    /// What the file says of itself: keys and texts.
    pub metadata: Vec<(String, String)>,
    /// Whether a file that exists is replaced.
    pub force: bool,
}

/// How good the picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quality {
    /// The quantizer: 0 is the best, 51 the smallest.
    Quantizer(u8),
    /// Bits a second, on average.
    BitRate(u32),
}

impl Default for Quality {
    fn default() -> Self {
        Self::Quantizer(23)
    }
}

/// What makes the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EncoderChoice {
    /// What the program has within it.
    #[default]
    BuiltIn,
    /// The `ffmpeg` found on the path.
    Ffmpeg,
}

/// What kind of file a name asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilmKind {
    /// H.264 in fragmented MP4.
    Mp4,
    /// VP9 in WebM, by ffmpeg.
    WebM,
    /// Matroska, by ffmpeg.
    Mkv,
    /// An animated GIF.
    Gif,
    /// An animated PNG.
    Apng,
    /// A folder with one PNG a frame.
    Frames,
}

impl FilmKind {
    /// The kind that `path` asks for by its ending; a folder of frames without one.
    ///
    /// # Errors
    ///
    /// If the ending is none of those known.
    pub fn of(path: &Path) -> Result<Self, FilmError> {
        let ending = path
            .extension()
            .map(|ending| ending.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            None => Ok(Self::Frames),
            Some("mp4" | "m4v") => Ok(Self::Mp4),
            Some("webm") => Ok(Self::WebM),
            Some("mkv") => Ok(Self::Mkv),
            Some("gif") => Ok(Self::Gif),
            Some("png" | "apng") => Ok(Self::Apng),
            Some(_) => Err(FilmError::UnknownKind(path.to_owned())),
        }
    }

    /// Whether its colours are halved in number both ways, so that its sides must be even.
    pub fn needs_even_sides(self) -> bool {
        matches!(self, Self::Mp4 | Self::WebM | Self::Mkv)
    }
}

/// What came of a film.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Film {
    /// Where it is.
    pub path: PathBuf,
    /// Frames that are in it.
    pub n_frames: u64,
    /// Bytes on disk.
    pub n_bytes: u64,
}

/// Takes frames and writes a film.
pub trait FilmWriter: Send {
    /// Adds a frame, `4 * width * height` bytes of sRGB, from the top left.
    ///
    /// # Errors
    ///
    /// If it can't be encoded or written; what was written before stays whole.
    fn push(&mut self, rgba: &[u8]) -> Result<(), FilmError>;

    /// Leaves the last frame, `rgba` again, on show for the time of `n_frames` more.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    fn hold(&mut self, rgba: &[u8], n_frames: u32) -> Result<(), FilmError> {
        for _ in 0..n_frames {
            self.push(rgba)?;
        }
        Ok(())
    }

    /// How many bytes are on disk so far.
    fn n_bytes(&self) -> u64;

    /// Ends the film.
    ///
    /// # Errors
    ///
    /// If its end can't be written.
    fn finish(self: Box<Self>) -> Result<Film, FilmError>;
}

/// The longer and the shorter side that the encoder within takes at most, in pixels.
const MAX_H264: (u32, u32) = (3840, 2160);

/// Says whether a film of these settings can be made at `path`, as far as that is known before.
///
/// # Errors
///
/// If the kind is not known, the sides or the rate do not fit it, the file is there and must stay, or
/// the program has no such encoder.
pub fn check(path: &Path, settings: &FilmSettings) -> Result<FilmKind, FilmError> {
    let kind = FilmKind::of(path)?;
    let (width, height) = (settings.width, settings.height);
    if kind.needs_even_sides() && (width % 2 == 1 || height % 2 == 1) {
        return Err(FilmError::OddSize {
            width,
            height,
            even_width: even(width),
            even_height: even(height),
        });
    }
    if kind == FilmKind::Mp4 && settings.encoder == EncoderChoice::BuiltIn {
        let (long, short) = (width.max(height), width.min(height));
        if long > MAX_H264.0 || short > MAX_H264.1 {
            return Err(FilmError::TooLarge {
                width,
                height,
                greatest: MAX_H264,
            });
        }
    }
    if kind == FilmKind::Gif && settings.fps > animation::MAX_GIF_FPS {
        return Err(FilmError::TooFast {
            fps: settings.fps,
            greatest: animation::MAX_GIF_FPS,
        });
    }
    if kind == FilmKind::Mp4
        && settings.encoder == EncoderChoice::BuiltIn
        && !cfg!(feature = "h264")
    {
        return Err(FilmError::NoH264);
    }
    let is_taken = match kind {
        FilmKind::Frames => {
            path.is_file() || path.read_dir().is_ok_and(|mut all| all.next().is_some())
        }
        _ => path.exists(),
    };
    if is_taken && !settings.force {
        return Err(FilmError::Exists(path.to_owned()));
    }
    Ok(kind)
}

/// Begins a film at `path`, of the kind its ending asks for.
///
/// # Errors
///
/// As [`check`], or if it can't be written.
pub fn begin(path: &Path, settings: &FilmSettings) -> Result<Box<dyn FilmWriter>, FilmError> {
    let kind = check(path, settings)?;
    Ok(match (kind, settings.encoder) {
        #[cfg(feature = "h264")]
        (FilmKind::Mp4, EncoderChoice::BuiltIn) => Box::new(h264::H264Film::begin(path, settings)?),
        #[cfg(not(feature = "h264"))]
        (FilmKind::Mp4, EncoderChoice::BuiltIn) => return Err(FilmError::NoH264),
        (FilmKind::Mp4 | FilmKind::WebM | FilmKind::Mkv, _) => {
            begin_with_ffmpeg(path, kind, settings, FfmpegSettings::default())?
        }
        (FilmKind::Gif, _) => Box::new(animation::GifFilm::begin(path, settings)?),
        (FilmKind::Apng, _) => Box::new(animation::ApngFilm::begin(path, settings)?),
        (FilmKind::Frames, _) => Box::new(frames::FramesFilm::begin(path, settings)?),
    })
}

/// Begins a film that ffmpeg makes, found and waited for as `ffmpeg` says.
///
/// # Errors
///
/// If ffmpeg can't be started.
pub fn begin_with_ffmpeg(
    path: &Path,
    kind: FilmKind,
    settings: &FilmSettings,
    ffmpeg: FfmpegSettings,
) -> Result<Box<dyn FilmWriter>, FilmError> {
    let film = ffmpeg::FfmpegFilm::begin_with(path, kind, settings, ffmpeg)?;
    Ok(Box::new(film))
}

/// Opens a file for a new film.
fn create(path: &Path, force: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    options.open(path)
}

/// The nearest even number of pixels that is not larger, and not zero.
fn even(side: u32) -> u32 {
    (side & !1).max(2)
}

/// Refuses a frame of another size than the film's.
fn check_frame(settings: &FilmSettings, rgba: &[u8]) -> Result<(), FilmError> {
    let (width, height) = (settings.width, settings.height);
    let expected = 4 * width as usize * height as usize;
    if rgba.len() == expected {
        return Ok(());
    }
    Err(FilmError::WrongFrame {
        got: rgba.len(),
        expected,
        width,
        height,
    })
}
