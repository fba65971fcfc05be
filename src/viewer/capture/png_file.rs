//! Pictures as PNG files.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::Picture;
use crate::figure::png;
use crate::whole_file::write_whole;

/// Why a picture could not be saved.
#[derive(Debug, Error)]
pub enum PngError {
    /// The file exists and was not to be replaced.
    #[error("{} exists; choose another name or pass --force to replace it", .0.display())]
    Exists(PathBuf),
    /// Writing failed.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Writes `picture` to `path` with `texts` (keyword and text) beside the pixels.
///
/// The file appears whole or not at all. An existing file is replaced only with `force`.
///
/// # Errors
///
/// If the file exists or can't be written.
pub fn save_png(
    picture: &Picture,
    texts: &[(String, String)],
    path: &Path,
    force: bool,
) -> Result<(), PngError> {
    if !force && path.exists() {
        return Err(PngError::Exists(path.to_owned()));
    }
    png(picture.width, picture.height, &picture.rgba, texts)
        .and_then(|bytes| write_whole(path, &bytes))
        .map_err(|source| PngError::Write {
            path: path.to_owned(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_picture_reads_back_with_its_texts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture.png");
        let picture = Picture {
            width: 2,
            height: 1,
            rgba: vec![1, 2, 3, 255, 4, 5, 6, 255],
        };
        let texts = [("Title".to_owned(), "naïve 東京".to_owned())];

        save_png(&picture, &texts, &path, false).unwrap();

        let file = io::BufReader::new(std::fs::File::open(&path).unwrap());
        let mut reader = ::png::Decoder::new(file).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!(pixels, picture.rgba);
        let text = &reader.info().utf8_text[0];
        assert_eq!(text.get_text().unwrap(), "naïve 東京");
        let again = save_png(&picture, &[], &path, false);
        assert!(matches!(again, Err(PngError::Exists(_))));
    }
}
