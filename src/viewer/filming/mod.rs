//! What is asked of films and pictures of the window, and how far they have come: between those who
//! ask, those who show it, and those who make them.

mod again;
mod names;
mod picture;

use std::path::PathBuf;

use bevy::prelude::*;

pub use again::FilmAgain;
pub use names::free_name;
pub use picture::{MAX_SIDE, MIN_SIDE, PictureLayout, PictureMode, PictureSize, PictureWish};

/// Holds what is said between those rooms.
pub struct FilmingPlugin;

impl Plugin for FilmingPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Filming>()
            .init_resource::<FilmSettings>()
            .init_resource::<PictureMode>()
            .add_message::<PictureWish>()
            .add_message::<FilmWish>()
            .add_message::<FilmNews>()
            .init_resource::<FilmAgain>()
            .add_systems(Update, (again::begin_again, again::hear_of_it).chain());
    }
}

/// What the user wants of a film of the window.
#[derive(Message, Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilmWish {
    /// Begin a film, or end the one under way.
    Toggle,
    /// Leave out what comes, or go on.
    TogglePause,
    /// Make the last film again offline, every frame of it and as good as it gets.
    MakeAgain,
}

/// What there is to tell of films and pictures.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
pub enum FilmNews {
    /// Something was done.
    Note(String),
    /// Something failed: what, and what is there all the same.
    Failed(String),
}

/// The film under way; none while nothing is recorded.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub struct Filming(pub Option<FilmState>);

/// How far a film has come.
#[derive(Clone, Debug, PartialEq)]
pub struct FilmState {
    /// The file.
    pub path: PathBuf,
    /// What is done to it.
    pub phase: FilmPhase,
    /// How long it is, in seconds.
    pub secs: f64,
    /// Frames in it.
    pub n_frames: u64,
    /// Bytes on disk.
    pub n_bytes: u64,
    /// Frames that there was no time for.
    pub n_skipped: u64,
}

/// What is done to a film.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilmPhase {
    /// What the window shows goes into it.
    Recording,
    /// What the window shows is left out.
    Paused,
    /// Its last frames are being written.
    Ending,
}

impl Filming {
    /// Whether pictures are wanted as they come.
    pub fn is_recording(&self) -> bool {
        self.phase() == Some(FilmPhase::Recording)
    }

    /// What is done to the film under way.
    pub fn phase(&self) -> Option<FilmPhase> {
        self.0.as_ref().map(|film| film.phase)
    }
}

/// How films of the window are made, and where they and pictures go.
#[derive(Resource, Clone, Debug, PartialEq, Eq)]
pub struct FilmSettings {
    /// Frames a second.
    pub fps: u32,
    /// Folders to write to: the first that can be written.
    pub folders: Vec<PathBuf>,
    /// The film's ending, which says what kind it is.
    pub ending: &'static str,
}

impl Default for FilmSettings {
    fn default() -> Self {
        Self {
            fps: 30,
            folders: vec![PathBuf::from(".")],
            ending: "mp4",
        }
    }
}
