//! Why a trace can't be saved or opened.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::about::FORMAT;
use crate::hook::HookPoint;

/// Why a trace could not be saved.
#[derive(Debug, Error)]
pub enum SaveError {
    /// The file exists and was not to be replaced.
    #[error("{} exists; choose another name or pass --force to replace it", .0.display())]
    Exists(PathBuf),
    /// What an earlier trace to this file left when it was cut short is still there.
    #[error(
        "{} is left of a trace that was cut short; `llmscope trace --recover {} -o {}` saves what is \
         whole in it, --force throws it away",
        part.display(), part.display(), path.display()
    )]
    Unfinished {
        /// What is left.
        part: PathBuf,
        /// The file that was to be written.
        path: PathBuf,
    },
    /// Writing failed.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Writing failed after some tokens were safe.
    #[error(
        "cannot write {}: {source}; {n_pos} tokens are safe in {}: when there is room, \
         `llmscope trace --recover {} -o {}` saves them",
        failed.display(), part.display(), part.display(), path.display()
    )]
    CutShort {
        /// The file that could not be written.
        failed: PathBuf,
        /// What holds the tokens that are safe.
        part: PathBuf,
        /// The file that was to be written.
        path: PathBuf,
        /// How many tokens are safe.
        n_pos: usize,
        /// What the system said.
        source: io::Error,
    },
    /// A hook point was asked for that a pass lacks.
    #[error("{0} was not recorded at every position")]
    NotRecorded(HookPoint),
    /// What a trace left can't be read.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Why a saved trace can't be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The file can't be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not safetensors.
    #[error("{} is no safetensors file: {reason}; `llmscope trace` makes one", path.display())]
    NotSafetensors {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file ends before its header says so.
    #[error(
        "{} is cut short: it has {got} of {expected} bytes; copy it again, or trace again",
        path.display()
    )]
    CutShort {
        /// The file.
        path: PathBuf,
        /// Bytes that it should have.
        expected: u64,
        /// Bytes that it has.
        got: u64,
    },
    /// The file holds something else than a trace.
    #[error("{} is safetensors, but no trace; `llmscope trace` makes one", .0.display())]
    Foreign(PathBuf),
    /// The trace is written in a way that this program does not read.
    #[error(
        "{} is a trace in {found}, and this program reads format {FORMAT}; trace again with this \
         program, or open it with the one that made it",
        path.display()
    )]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// Its format, in words.
        found: String,
    },
    /// The file contradicts itself.
    #[error("{} is damaged: {what}; copy it again, or trace again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The trace needs more memory than there is.
    #[error(
        "{} needs {} MB of memory and {} MB are available; close other programs, or trace fewer \
         tokens or --hooks",
        path.display(), needed.div_ceil(1_000_000), available / 1_000_000
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Bytes it needs.
        needed: u64,
        /// Bytes that are available.
        available: u64,
    },
    /// The file is not what a trace leaves when it is cut short.
    #[error("{} is not what is left of a trace: {what}", path.display())]
    NotAPart {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}
