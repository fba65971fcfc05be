//! Saving a trace while it is computed: pass by pass to a file beside the one that was asked for,
//! which is made of it in the end, whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::Pass;
use super::about::Contents;
use super::assemble::assemble;
use super::error::{OpenError, SaveError};
use super::part::{LensAt, check_pass, find_passes, write_head, write_pass};
use super::record::Place;

/// Saves passes as they come.
///
/// Dropped before [`finish`](Self::finish), it leaves the passes so far where [`recover`] finds them.
pub struct TraceWriter {
    contents: Contents,
    path: PathBuf,
    part: PathBuf,
    file: File,
    places: Vec<Place>,
    /// Where the next pass goes.
    end: u64,
}

/// What was saved of a trace that was cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Tokens that are in the file now.
    pub n_pos: usize,
    /// Bytes of a pass that was not whole, which are lost.
    pub torn_bytes: u64,
}

/// Where passes to `path` are kept until all are there.
pub fn part_of(path: &Path) -> PathBuf {
    beside(path, ".part")
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(suffix);
    PathBuf::from(name)
}

/// Refuses what [`TraceWriter::create`] would, before anything is computed.
///
/// # Errors
///
/// If the file is there or can't be, or what is left of an earlier trace to it.
pub fn check_target(path: &Path, force: bool) -> Result<(), SaveError> {
    if path.exists() && !force {
        return Err(SaveError::Exists(path.to_owned()));
    }
    let part = part_of(path);
    if part.exists() && !force {
        let path = path.to_owned();
        return Err(SaveError::Unfinished { part, path });
    }
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let what = match folder {
        Some(folder) if !folder.is_dir() => "its folder does not exist",
        _ if path.is_dir() => "it is a folder",
        _ => return Ok(()),
    };
    Err(SaveError::Write {
        path: path.to_owned(),
        source: io::Error::new(io::ErrorKind::NotFound, what),
    })
}

impl TraceWriter {
    /// Begins a trace that is to become the file `path`. With `force` an existing one is replaced in
    /// the end, and what is left of an earlier one is thrown away.
    ///
    /// # Errors
    ///
    /// As [`check_target`], or if nothing can be written beside it.
    pub fn create(path: &Path, contents: Contents, force: bool) -> Result<Self, SaveError> {
        check_target(path, force)?;
        let part = part_of(path);
        if force && part.exists() {
            fs::remove_file(&part).map_err(cannot_write(&part))?;
        }
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&part)
            .map_err(cannot_write(&part))?;
        let mut writer = Self {
            contents,
            path: path.to_owned(),
            part,
            file,
            places: Vec::new(),
            end: 0,
        };
        writer.end =
            write_head(&writer.file, &writer.contents).map_err(cannot_write(&writer.part))?;
        Ok(writer)
    }

    /// How many tokens are safe.
    pub fn n_pos(&self) -> usize {
        let last = self.places.last();
        last.map_or(0, |place| place.first_pos + place.n_pos)
    }

    /// Adds the next pass, and what the lens reads of it where that is kept.
    ///
    /// # Errors
    ///
    /// If it lacks something, or can't be written; the passes before stay safe.
    pub fn append(&mut self, pass: &Pass, lens: LensAt<'_, '_>) -> Result<(), SaveError> {
        let place = Place {
            offset: self.end,
            first_pos: self.n_pos(),
            n_pos: pass.tokens.len(),
        };
        check_pass(pass, place, &self.contents)?;
        let written = write_pass(&self.file, pass, &self.contents, lens);
        written.map_err(|source| self.failed(self.part.clone(), source))?;
        self.end = place.end(&self.contents);
        self.places.push(place);
        Ok(())
    }

    /// Makes the file of everything that was added.
    ///
    /// # Errors
    ///
    /// If it can't be written: the passes stay where [`recover`] finds them.
    pub fn finish(self) -> Result<(), SaveError> {
        let written = write_beside(&self.file, &self.places, &self.contents, &self.path);
        written.map_err(|source| self.failed(self.path.clone(), source))?;
        // The trace is there: a leftover that can't be removed is no failure.
        drop(fs::remove_file(&self.part));
        Ok(())
    }

    fn failed(&self, failed: PathBuf, source: io::Error) -> SaveError {
        match self.n_pos() {
            0 => SaveError::Write {
                path: failed,
                source,
            },
            n_pos => SaveError::CutShort {
                failed,
                part: self.part.clone(),
                path: self.path.clone(),
                n_pos,
                source,
            },
        }
    }
}

impl Drop for TraceWriter {
    fn drop(&mut self) {
        if self.places.is_empty() {
            // Nothing is lost with it.
            drop(fs::remove_file(&self.part));
        }
    }
}

fn cannot_write(path: &Path) -> impl Fn(io::Error) -> SaveError {
    let path = path.to_owned();
    move |source| SaveError::Write {
        path: path.clone(),
        source,
    }
}

/// Writes beside `path` and renames, so that half a file never bears the name.
fn write_beside(part: &File, places: &[Place], contents: &Contents, path: &Path) -> io::Result<()> {
    let beside = beside(path, ".assembling");
    let written = File::create(&beside)
        .and_then(|to| {
            assemble(part, places, contents, &to)?;
            to.sync_all()
        })
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // Nothing more can be done about a leftover on a full or read-only disk.
        drop(fs::remove_file(&beside));
    }
    written
}

/// Makes the file `path` of the whole passes that a trace has left at `part`, which is removed then.
///
/// # Errors
///
/// If `part` is no such file or holds no whole pass, or `path` is there or can't be written; `part`
/// stays then.
pub fn recover(part: &Path, path: &Path, force: bool) -> Result<Recovered, SaveError> {
    if path.exists() && !force {
        return Err(SaveError::Exists(path.to_owned()));
    }
    let is_file = fs::metadata(part).map(|metadata| metadata.is_file());
    let file = match is_file {
        Ok(true) => File::open(part),
        Ok(false) => Err(io::Error::other("it is not a file")),
        Err(error) => Err(error),
    };
    let file = file.map_err(|source| OpenError::Read {
        path: part.to_owned(),
        source,
    })?;
    let found = find_passes(&file, part)?;
    let Some(last) = found.places.last() else {
        return Err(SaveError::Open(OpenError::NotAPart {
            path: part.to_owned(),
            what: "it holds no whole pass".to_owned(),
        }));
    };
    let recovered = Recovered {
        n_pos: last.first_pos + last.n_pos,
        torn_bytes: found.torn_bytes,
    };
    write_beside(&file, &found.places, &found.contents, path).map_err(cannot_write(path))?;
    drop(fs::remove_file(part));
    Ok(recovered)
}
