//! Why a film can't be made.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a film can't be made, or goes no further.
#[derive(Debug, Error)]
pub enum FilmError {
    /// The ending names no kind of film.
    #[error(
        "{} has an ending that no film is made for; .mp4, .webm, .mkv, .gif and .png are, and a name \
         without an ending becomes a folder with one PNG a frame", .0.display()
    )]
    UnknownKind(PathBuf),
    /// The sides are odd.
    #[error(
        "{width}x{height} has an odd side, and the film's colours come in blocks of two by two; \
         {even_width}x{even_height} fits"
    )]
    OddSize {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// The nearest width that fits.
        even_width: u32,
        /// The nearest height that fits.
        even_height: u32,
    },
    /// The sides are longer than the encoder takes.
    #[error(
        "{width}x{height} is larger than the encoder within takes, {}x{}; choose a smaller size, \
         or --encoder ffmpeg", greatest.0, greatest.1
    )]
    TooLarge {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// The longer and the shorter side that there can be.
        greatest: (u32, u32),
    },
    /// More frames a second than the kind can tell.
    #[error(
        "a GIF shows at most {greatest} frames a second, and {fps} were asked for; lower --fps"
    )]
    TooFast {
        /// Frames a second.
        fps: u32,
        /// The most that there can be.
        greatest: u32,
    },
    /// The file is there.
    #[error("{} exists; choose another name or pass --force to replace it", .0.display())]
    Exists(PathBuf),
    /// The disk is full, or the file may grow no further.
    #[error(
        "there is no more room for {}; its first {n_frames} frames are there and play", path.display()
    )]
    Full {
        /// The file.
        path: PathBuf,
        /// Frames that are whole.
        n_frames: u64,
    },
    /// The file can't be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The encoder failed.
    #[error("the encoder failed at frame {frame}: {reason}")]
    Encode {
        /// The frame, counted from 0.
        frame: u64,
        /// What it said.
        reason: String,
    },
    /// A frame has another size than the film.
    #[error("a frame has {got} bytes, and one of {width}x{height} has {expected}")]
    WrongFrame {
        /// Bytes it has.
        got: usize,
        /// Bytes it should have.
        expected: usize,
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// The program was built without H.264.
    #[error(
        "this program was built without H.264; pass --encoder ffmpeg, or name the film .gif or .png"
    )]
    NoH264,
    /// There is no ffmpeg.
    #[error(
        "ffmpeg was not found on the path; install it, or leave --encoder out: .mp4, .gif and .png need \
         nothing"
    )]
    NoFfmpeg,
    /// ffmpeg ended before the film did.
    #[error("ffmpeg ended by itself ({status}){}", it_said(.said))]
    FfmpegEnded {
        /// How.
        status: String,
        /// The last lines it printed.
        said: String,
    },
    /// ffmpeg takes no more frames.
    #[error("ffmpeg took no frame for {seconds} s and was ended{}", it_said(.said))]
    FfmpegHangs {
        /// How long it was waited for.
        seconds: u64,
        /// The last lines it printed.
        said: String,
    },
    /// The thread that writes has a fault.
    #[error("the film's thread failed: {0}; this is a fault of the program, please report it")]
    Panicked(String),
}

fn it_said(lines: &str) -> String {
    if lines.is_empty() {
        String::new()
    } else {
        format!("; it said: {lines}")
    }
}

impl FilmError {
    /// What a failure to write `path` means, where `n_frames` are whole.
    pub(super) fn of_write(path: &Path, n_frames: u64, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::Full { path, n_frames },
            _ => Self::Write { path, source },
        }
    }
}
