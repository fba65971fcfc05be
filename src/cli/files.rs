//! The files that commands write.

use std::io;
use std::path::Path;

use crate::trace::SaveError;
use crate::whole_file::write_whole;

/// Refuses a file that is there, or a folder that is not.
pub(super) fn check_file(path: &Path, force: bool) -> Result<(), SaveError> {
    if path.exists() && !force {
        return Err(SaveError::Exists(path.to_owned()));
    }
    let cannot_write = |what: &str| SaveError::Write {
        path: path.to_owned(),
        source: io::Error::new(io::ErrorKind::NotFound, what.to_owned()),
    };
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    if folder.is_some_and(|folder| !folder.is_dir()) {
        return Err(cannot_write("its folder does not exist"));
    }
    if path.is_dir() {
        return Err(cannot_write("it is a folder"));
    }
    Ok(())
}

/// Writes a file, whole or not at all.
pub(super) fn save(path: &Path, bytes: &[u8], force: bool) -> Result<(), SaveError> {
    check_file(path, force)?;
    write_whole(path, bytes).map_err(|source| SaveError::Write {
        path: path.to_owned(),
        source,
    })
}
