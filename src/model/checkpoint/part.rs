//! A file of weights, open: it is read at any place by several threads at once, and never mapped, so
//! that a file cut short while it is open is an error and not a signal.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use crate::model::error::ModelError;

/// A file of weights, or one within the program.
pub(in crate::model) struct Part {
    path: PathBuf,
    bytes: Bytes,
    byte_count: u64,
}

enum Bytes {
    File(File),
    Embedded(&'static [u8]),
}

impl Part {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// If it can't be opened or is no regular file: a pipe, say, has no end to wait for.
    pub(in crate::model) fn open(path: &Path) -> Result<Self, ModelError> {
        let opened = open_regular(path);
        let (file, byte_count) = opened.map_err(|source| read_failed(path, source))?;
        Ok(Self {
            path: path.to_owned(),
            bytes: Bytes::File(file),
            byte_count,
        })
    }

    /// A file within the program, which `path` stands for in messages.
    pub(in crate::model) fn embedded(path: PathBuf, bytes: &'static [u8]) -> Self {
        Self {
            path,
            bytes: Bytes::Embedded(bytes),
            byte_count: bytes.len() as u64,
        }
    }

    pub(in crate::model) fn path(&self) -> &Path {
        &self.path
    }

    /// Its length when it was opened.
    pub(super) fn byte_count(&self) -> u64 {
        self.byte_count
    }

    /// Fills `buffer` from `offset` on.
    pub(super) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ModelError> {
        let read = match &self.bytes {
            Bytes::File(file) => read_exact_at(file, offset, buffer),
            Bytes::Embedded(bytes) => copy_at(bytes, offset, buffer),
        };
        read.map_err(|source| read_failed(&self.path, source))
    }

    /// `byte_count` bytes from `offset` on, which the file must have: no more is allocated than it
    /// accounts for.
    pub(super) fn bytes_at(&self, offset: u64, byte_count: u64) -> Result<Vec<u8>, ModelError> {
        if offset
            .checked_add(byte_count)
            .is_none_or(|end| end > self.byte_count)
        {
            return Err(read_failed(&self.path, ErrorKind::UnexpectedEof.into()));
        }
        let mut bytes = vec![0; byte_count as usize];
        self.read_at(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// The file is not what its name says, or not whole.
    pub(super) fn damaged(&self, reason: impl Into<String>) -> ModelError {
        ModelError::Checkpoint {
            path: self.path.clone(),
            reason: reason.into(),
        }
    }

    /// The file asks for something that is not implemented; `reason` ends with the remedy.
    pub(super) fn unsupported(&self, reason: impl Into<String>) -> ModelError {
        ModelError::Unsupported {
            path: self.path.clone(),
            reason: reason.into(),
        }
    }
}

/// Reads a small file whole.
///
/// # Errors
///
/// If it can't be read, is no regular file, or has more than `most` bytes.
pub(in crate::model) fn read_small(path: &Path, most: u64) -> Result<Vec<u8>, ModelError> {
    let read = open_regular(path).and_then(|(file, byte_count)| {
        if byte_count > most {
            let reason = format!("it has {byte_count} bytes, and at most {most} make sense");
            return Err(io::Error::new(ErrorKind::InvalidData, reason));
        }
        let mut bytes = Vec::with_capacity(byte_count as usize);
        // The file may grow while it is read.
        file.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    read.map_err(|source| read_failed(path, source))
}

fn open_regular(path: &Path) -> io::Result<(File, u64)> {
    // Asked before: opening a pipe waits for somebody to write.
    let is_regular = |metadata: &std::fs::Metadata| match metadata.is_file() {
        true => Ok(metadata.len()),
        false => Err(io::Error::new(
            ErrorKind::InvalidInput,
            "it is no regular file",
        )),
    };
    is_regular(&path.metadata()?)?;
    let file = File::open(path)?;
    let byte_count = is_regular(&file.metadata()?)?;
    Ok((file, byte_count))
}

fn read_failed(path: &Path, source: io::Error) -> ModelError {
    ModelError::Read {
        path: path.to_owned(),
        source,
    }
}

fn copy_at(bytes: &[u8], offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let end = start.saturating_add(buffer.len());
    let part = bytes.get(start..end).ok_or(ErrorKind::UnexpectedEof)?;
    buffer.copy_from_slice(part);
    Ok(())
}

#[cfg(unix)]
fn read_exact_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
    use std::os::windows::fs::FileExt as _;

    while !buffer.is_empty() {
        match file.seek_read(buffer, offset) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(n_read) => {
                buffer = &mut buffer[n_read..];
                offset += n_read as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
