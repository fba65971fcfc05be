//! Files that keep settings from one run to the next: read once, and replaced as a whole at every
//! change. A damaged one is put aside, never written over.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use thiserror::Error;

/// What reading a file gave.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedFile<T> {
    /// What it holds, or how a first run begins.
    pub kept: T,
    /// What was wrong with it, for the user.
    pub message: Option<String>,
    /// Whether a change may be written there: not over what could be neither read nor put aside.
    pub may_be_replaced: bool,
}

/// A file could not be written.
#[derive(Debug, Error)]
#[error("the {what} cannot be saved to {path}: {source}", path = path.display())]
pub struct SaveError {
    what: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// A file is longer only if something else wrote it.
const MAX_BYTES: u64 = 1 << 20;
/// How many damaged files are put aside under names of their own.
const MAX_PUT_ASIDE: usize = 20;

/// The folder of this program's settings on this machine: `LLMSCOPE_CONFIG_DIR`, or one in the
/// folder that the system has for a user's settings; none if neither is known.
pub fn folder() -> Option<PathBuf> {
    folder_from(&|name| env::var_os(name))
}

fn folder_from(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| variable(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    folder("LLMSCOPE_CONFIG_DIR").or_else(|| {
        let all = if cfg!(windows) {
            folder("APPDATA")
        } else if cfg!(target_os = "macos") {
            folder("HOME").map(|home| home.join("Library/Application Support"))
        } else {
            // The XDG specification has relative paths ignored.
            folder("XDG_CONFIG_HOME")
                .filter(|path| path.is_absolute())
                .or_else(|| folder("HOME").map(|home| home.join(".config")))
        };
        all.map(|all| all.join("llmscope"))
    })
}

/// Reads the `what` that `path` keeps. A file that is not there is a first run's; a damaged one is
/// put aside, and said so.
pub fn load<T: Default>(
    path: &Path,
    what: &'static str,
    parse: impl FnOnce(&[u8]) -> Result<T, String>,
) -> LoadedFile<T> {
    let first_run = |message, may_be_replaced| LoadedFile {
        kept: T::default(),
        message,
        may_be_replaced,
    };
    let reason = match read(path, parse) {
        Ok(kept) => {
            return LoadedFile {
                kept,
                message: None,
                may_be_replaced: true,
            };
        }
        Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
            return first_run(None, true);
        }
        Err(ReadError::Io(error)) => {
            let message = format!(
                "The {what} in {} cannot be read ({error}), so none will be kept",
                path.display()
            );
            return first_run(Some(message), false);
        }
        Err(ReadError::Damaged(reason)) => reason,
    };
    match put_aside(path) {
        Ok(aside) => {
            let message = format!(
                "The saved {what} were damaged ({reason}); the file is now {}",
                aside.display()
            );
            first_run(Some(message), true)
        }
        Err(error) => {
            let message = format!(
                "The saved {what} in {} are damaged ({reason}) and cannot be put aside \
                 ({error}), so none will be kept",
                path.display()
            );
            first_run(Some(message), false)
        }
    }
}

enum ReadError {
    Io(io::Error),
    Damaged(String),
}

fn read<T>(path: &Path, parse: impl FnOnce(&[u8]) -> Result<T, String>) -> Result<T, ReadError> {
    let length = fs::metadata(path).map_err(ReadError::Io)?.len();
    if length > MAX_BYTES {
        return Err(ReadError::Damaged(format!("it has {length} bytes")));
    }
    let bytes = fs::read(path).map_err(ReadError::Io)?;
    parse(&bytes).map_err(ReadError::Damaged)
}

/// Renames a damaged file to a name that is free, and says which.
fn put_aside(path: &Path) -> io::Result<PathBuf> {
    for number in 1..=MAX_PUT_ASIDE {
        let ending = match number {
            1 => "json.bad".to_owned(),
            _ => format!("json.{number}.bad"),
        };
        let aside = path.with_extension(ending);
        if !aside.try_exists()? {
            fs::rename(path, &aside)?;
            return Ok(aside);
        }
    }
    Err(io::Error::other(format!(
        "{MAX_PUT_ASIDE} were put aside before; remove them"
    )))
}

/// Writes the file: all of it or nothing, and its folder if that is missing.
///
/// # Errors
///
/// If the folder or the file cannot be written; what was there before is then still there.
pub fn save(path: &Path, what: &'static str, kept: &impl Serialize) -> Result<(), SaveError> {
    let failed = |source| SaveError {
        what,
        path: path.to_owned(),
        source,
    };
    let text = serde_json::to_vec_pretty(kept).map_err(|error| failed(error.into()))?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    // Beside it, so that the rename stays within one file system.
    let unfinished = path.with_extension(format!("json.{}.new", std::process::id()));
    let written = fs::File::create(&unfinished)
        .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&unfinished, path));
    written.map_err(|error| {
        // What failed is told; that the rest of it may stay behind changes nothing.
        drop(fs::remove_file(&unfinished));
        failed(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_the_one_asked_for_or_the_systems_own() {
        let find = |variables: &[(&str, &str)]| {
            folder_from(&|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            })
        };

        assert_eq!(find(&[]), None);
        assert_eq!(
            find(&[("LLMSCOPE_CONFIG_DIR", "here"), ("HOME", "/h")]),
            Some(PathBuf::from("here"))
        );
        if cfg!(target_os = "linux") {
            let of = |path: &str| Some(PathBuf::from(path));
            assert_eq!(
                find(&[("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")]),
                of("/x/llmscope")
            );
            assert_eq!(
                find(&[("XDG_CONFIG_HOME", "x"), ("HOME", "/h")]),
                of("/h/.config/llmscope")
            );
            assert_eq!(find(&[("LLMSCOPE_CONFIG_DIR", ""), ("HOME", "")]), None);
        }
    }
}
