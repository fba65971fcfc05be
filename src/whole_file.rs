//! Files that appear whole or not at all.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Writes `bytes` to `path`, in place of what is there: beside it first, so that half a file never
/// bears the name.
///
/// # Errors
///
/// If it can't be written; what was there before is then still there.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut partial = OsString::from(path.as_os_str());
    partial.push(".part");
    let partial = PathBuf::from(partial);
    let written = fs::write(&partial, bytes).and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        // Nothing more can be done about a leftover on a full or read-only disk.
        drop(fs::remove_file(&partial));
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_a_failure_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "before").unwrap();
        let taken = folder.path().join("taken");
        fs::create_dir_all(taken.join("full")).unwrap();

        write_whole(&path, b"after").unwrap();
        let failed = write_whole(&taken, b"never");

        assert_eq!(fs::read(&path).unwrap(), b"after");
        assert!(failed.is_err() && taken.is_dir());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
