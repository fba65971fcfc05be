//! Pictures as PNG files.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::Picture;

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
    let mut partial = OsString::from(path.as_os_str());
    partial.push(".part");
    let partial = PathBuf::from(partial);
    write(picture, texts, &partial)
        .and_then(|()| fs::rename(&partial, path))
        .map_err(|source| {
            // Nothing more can be done about a leftover on a full or read-only disk.
            drop(fs::remove_file(&partial));
            PngError::Write {
                path: path.to_owned(),
                source,
            }
        })
}

fn write(picture: &Picture, texts: &[(String, String)], path: &Path) -> io::Result<()> {
    let mut encoder = png::Encoder::new(
        BufWriter::new(File::create(path)?),
        picture.width,
        picture.height,
    );
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
    for (keyword, text) in texts {
        encoder.add_itxt_chunk(keyword.clone(), text.clone())?;
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&picture.rgba)?;
    Ok(writer.finish()?)
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

        let file = io::BufReader::new(File::open(&path).unwrap());
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!(pixels, picture.rgba);
        let text = &reader.info().utf8_text[0];
        assert_eq!(text.get_text().unwrap(), "naïve 東京");
        let again = save_png(&picture, &[], &path, false);
        assert!(matches!(again, Err(PngError::Exists(_))));
    }
}
