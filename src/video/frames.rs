//! One PNG a frame, in a folder.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::{Film, FilmError, FilmSettings, FilmWriter};
use crate::figure::quick_png;
use crate::whole_file::write_whole;

/// A folder of frames in the making.
pub(super) struct FramesFilm {
    folder: PathBuf,
    settings: FilmSettings,
    n_frames: u64,
    n_bytes: u64,
}

impl FramesFilm {
    /// Makes the folder, and clears it of an earlier film's frames where it may.
    pub(super) fn begin(folder: &Path, settings: &FilmSettings) -> Result<Self, FilmError> {
        fs::create_dir_all(folder)
            .and_then(|()| remove_frames(folder))
            .map_err(|source| FilmError::of_write(folder, 0, source))?;
        Ok(Self {
            folder: folder.to_owned(),
            settings: settings.clone(),
            n_frames: 0,
            n_bytes: 0,
        })
    }

    fn write(&self, rgba: &[u8]) -> io::Result<u64> {
        let (width, height) = (self.settings.width, self.settings.height);
        let bytes = quick_png(width, height, rgba, &self.settings.metadata)?;
        let name = format!("frame-{:05}.png", self.n_frames);
        write_whole(&self.folder.join(name), &bytes)?;
        Ok(bytes.len() as u64)
    }
}

/// Removes an earlier film's frames, and nothing else.
fn remove_frames(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let number = name
            .strip_prefix("frame-")
            .and_then(|rest| rest.strip_suffix(".png"));
        if number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

impl FilmWriter for FramesFilm {
    fn push(&mut self, rgba: &[u8]) -> Result<(), FilmError> {
        super::check_frame(&self.settings, rgba)?;
        self.n_bytes += self
            .write(rgba)
            .map_err(|source| FilmError::of_write(&self.folder, self.n_frames, source))?;
        self.n_frames += 1;
        Ok(())
    }

    fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    fn finish(self: Box<Self>) -> Result<Film, FilmError> {
        Ok(Film {
            path: self.folder,
            n_frames: self.n_frames,
            n_bytes: self.n_bytes,
        })
    }
}
