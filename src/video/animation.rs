//! Animated pictures: GIF and PNG.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::{Film, FilmError, FilmSettings, FilmWriter, create};
use crate::figure::quick_png;

/// Hundredths of a second that a GIF counts in.
const GIF_TICKS: u64 = 100;
/// The most frames a second that players show.
pub(super) const MAX_GIF_FPS: u32 = 50;
/// How thoroughly each frame's palette is chosen: 1 is the best, 30 the fastest.
const GIF_SPEED: i32 = 10;

/// An animated GIF in the making.
pub(super) struct GifFilm {
    path: PathBuf,
    settings: FilmSettings,
    encoder: gif::Encoder<File>,
    /// A frame's pixels, which the palette's choice overwrites.
    pixels: Vec<u8>,
    /// The frame before; empty before the second.
    before: Vec<u8>,
    n_frames: u64,
    n_bytes: u64,
}

impl GifFilm {
    pub(super) fn begin(path: &Path, settings: &FilmSettings) -> Result<Self, FilmError> {
        let sides = (
            u16::try_from(settings.width),
            u16::try_from(settings.height),
        );
        let (Ok(width), Ok(height)) = sides else {
            return Err(FilmError::Encode {
                frame: 0,
                reason: "a GIF has at most 65535 pixels a side".to_owned(),
            });
        };
        let failed = |source| FilmError::of_write(path, 0, source);
        let file = create(path, settings.force).map_err(failed)?;
        let begun = gif::Encoder::new(file, width, height, &[]).and_then(|mut encoder| {
            encoder.set_repeat(gif::Repeat::Infinite)?;
            let about: Vec<String> = settings
                .metadata
                .iter()
                .map(|(key, text)| format!("{key}: {text}"))
                .collect();
            for text in &about {
                // Comments come in pieces of at most 255 bytes.
                let pieces: Vec<&[u8]> = text.as_bytes().chunks(255).collect();
                encoder.write_raw_extension(
                    gif::AnyExtension::from(gif::Extension::Comment),
                    &pieces,
                )?;
            }
            Ok(encoder)
        });
        Ok(Self {
            path: path.to_owned(),
            settings: settings.clone(),
            encoder: begun.map_err(|error| gif_error(path, 0, error))?,
            pixels: Vec::new(),
            before: Vec::new(),
            n_frames: 0,
            n_bytes: 0,
        })
    }

    /// When a frame ends, in the GIF's ticks.
    fn ticks(&self, n_frames: u64) -> u64 {
        let fps = u64::from(self.settings.fps);
        (n_frames * GIF_TICKS + fps / 2) / fps
    }
}

/// Makes the pixels that are as in the frame before transparent, so that they show through and take
/// next to no room.
fn leave_out_unchanged(pixels: &mut [u8], before: &[u8]) {
    for (pixel, before) in pixels.chunks_exact_mut(4).zip(before.chunks_exact(4)) {
        if *pixel == *before {
            pixel.fill(0);
        }
    }
}

fn gif_error(path: &Path, n_frames: u64, error: gif::EncodingError) -> FilmError {
    match error {
        gif::EncodingError::Io(source) => FilmError::of_write(path, n_frames, source),
        other => FilmError::Encode {
            frame: n_frames,
            reason: other.to_string(),
        },
    }
}

impl FilmWriter for GifFilm {
    fn push(&mut self, rgba: &[u8]) -> Result<(), FilmError> {
        super::check_frame(&self.settings, rgba)?;
        self.pixels.clear();
        self.pixels.extend_from_slice(rgba);
        leave_out_unchanged(&mut self.pixels, &self.before);
        self.before.clear();
        self.before.extend_from_slice(rgba);
        let (width, height) = (self.settings.width as u16, self.settings.height as u16);
        let mut frame = gif::Frame::from_rgba_speed(width, height, &mut self.pixels, GIF_SPEED);
        // What rounding takes from one frame it gives to another.
        let ticks = self.ticks(self.n_frames + 1) - self.ticks(self.n_frames);
        frame.delay = ticks as u16;
        frame.dispose = gif::DisposalMethod::Keep;
        self.encoder
            .write_frame(&frame)
            .map_err(|error| gif_error(&self.path, self.n_frames, error))?;
        self.n_frames += 1;
        self.n_bytes = self
            .encoder
            .get_ref()
            .metadata()
            .map_or(0, |file| file.len());
        Ok(())
    }

    fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    fn finish(self: Box<Self>) -> Result<Film, FilmError> {
        let (path, n_frames) = (self.path, self.n_frames);
        let failed = |source| FilmError::of_write(&path, n_frames, source);
        let file = self
            .encoder
            .into_inner()
            .map_err(|error| gif_error(&path, n_frames, error))?;
        file.sync_data().map_err(failed)?;
        let n_bytes = file.metadata().map_err(failed)?.len();
        Ok(Film {
            path: path.clone(),
            n_frames,
            n_bytes,
        })
    }
}

/// An animated PNG in the making: a whole PNG after every frame.
///
/// W3C, "Portable Network Graphics (PNG) Specification (Third Edition)", 11.3.6.
pub(super) struct ApngFilm {
    path: PathBuf,
    settings: FilmSettings,
    file: File,
    /// Where the chunk with the number of frames lies.
    control_at: u64,
    /// Where the end chunk lies, which the next frame overwrites.
    end_at: u64,
    n_frames: u32,
    /// Numbers the chunks of the animation.
    sequence: u32,
}

const PNG_SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a];
/// Bytes of a chunk besides its data: length, name, checksum.
const CHUNK_BYTES: usize = 12;

impl ApngFilm {
    pub(super) fn begin(path: &Path, settings: &FilmSettings) -> Result<Self, FilmError> {
        let failed = |source| FilmError::of_write(path, 0, source);
        let file = create(path, settings.force).map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            settings: settings.clone(),
            file,
            control_at: 0,
            end_at: 0,
            n_frames: 0,
            sequence: 0,
        })
    }

    fn write(&mut self, rgba: &[u8]) -> io::Result<()> {
        let still = self.still(rgba)?;
        let chunks = chunks_of(&still);
        let mut bytes = Vec::with_capacity(still.len() + 256);
        let is_first = self.n_frames == 0;
        let mut control_at = self.control_at;
        if is_first {
            bytes.extend_from_slice(&PNG_SIGNATURE);
            for (name, data) in &chunks {
                if !matches!(&name[..], b"IDAT" | b"IEND") {
                    put_chunk(&mut bytes, name, data);
                }
            }
            control_at = bytes.len() as u64;
            put_chunk(&mut bytes, b"acTL", &control(1));
        }
        let mut sequence = self.sequence;
        put_chunk(&mut bytes, b"fcTL", &self.frame_control(sequence));
        sequence += 1;
        for (name, data) in &chunks {
            if &name[..] != b"IDAT" {
                continue;
            }
            if is_first {
                put_chunk(&mut bytes, b"IDAT", data);
            } else {
                let mut numbered = sequence.to_be_bytes().to_vec();
                numbered.extend_from_slice(data);
                put_chunk(&mut bytes, b"fdAT", &numbered);
                sequence += 1;
            }
        }
        let end_at = self.end_at + bytes.len() as u64;
        put_chunk(&mut bytes, b"IEND", &[]);
        self.file.seek(SeekFrom::Start(self.end_at))?;
        if let Err(error) = self.file.write_all(&bytes) {
            self.take_back();
            return Err(error);
        }
        if !is_first {
            let mut bytes = Vec::new();
            put_chunk(&mut bytes, b"acTL", &control(self.n_frames + 1));
            self.file.seek(SeekFrom::Start(control_at))?;
            self.file.write_all(&bytes)?;
        }
        self.control_at = control_at;
        self.end_at = end_at;
        self.sequence = sequence;
        self.n_frames += 1;
        Ok(())
    }

    /// Ends the file where it ended before a frame that could not be written.
    fn take_back(&mut self) {
        let mut end = Vec::new();
        put_chunk(&mut end, b"IEND", &[]);
        let whole = if self.n_frames == 0 { 0 } else { self.end_at };
        // The failure that led here is the one to tell of.
        let back = self
            .file
            .set_len(whole)
            .and_then(|()| self.file.seek(SeekFrom::Start(whole)))
            .and_then(|_| self.file.write_all(if whole == 0 { &[] } else { &end }));
        drop(back);
    }

    /// A frame as a PNG of its own.
    fn still(&self, rgba: &[u8]) -> io::Result<Vec<u8>> {
        let texts = match self.n_frames {
            0 => &self.settings.metadata[..],
            _ => &[],
        };
        quick_png(self.settings.width, self.settings.height, rgba, texts)
    }

    fn frame_control(&self, sequence: u32) -> Vec<u8> {
        let mut data = Vec::with_capacity(26);
        for number in [sequence, self.settings.width, self.settings.height, 0, 0] {
            data.extend_from_slice(&number.to_be_bytes());
        }
        data.extend_from_slice(&1u16.to_be_bytes());
        data.extend_from_slice(&(self.settings.fps as u16).to_be_bytes());
        // Left standing, and replaced by the next.
        data.extend_from_slice(&[0, 0]);
        data
    }
}

/// How many frames there are, played without end.
fn control(n_frames: u32) -> [u8; 8] {
    let mut data = [0; 8];
    data[..4].copy_from_slice(&n_frames.to_be_bytes());
    data
}

/// Names and data of a PNG's chunks.
fn chunks_of(png: &[u8]) -> Vec<([u8; 4], &[u8])> {
    let mut chunks = Vec::new();
    let mut rest = &png[PNG_SIGNATURE.len()..];
    while let Some((head, _)) = rest.split_first_chunk::<8>() {
        let [a, b, c, d, name @ ..] = *head;
        let n_bytes = u32::from_be_bytes([a, b, c, d]) as usize;
        chunks.push((name, &rest[8..8 + n_bytes]));
        rest = &rest[CHUNK_BYTES + n_bytes..];
    }
    chunks
}

fn put_chunk(bytes: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) {
    bytes.extend_from_slice(&(data.len() as u32).to_be_bytes());
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(data);
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(name);
    checksum.update(data);
    bytes.extend_from_slice(&checksum.finalize().to_be_bytes());
}

impl FilmWriter for ApngFilm {
    fn push(&mut self, rgba: &[u8]) -> Result<(), FilmError> {
        super::check_frame(&self.settings, rgba)?;
        let n_frames = u64::from(self.n_frames);
        self.write(rgba)
            .map_err(|source| FilmError::of_write(&self.path, n_frames, source))
    }

    fn n_bytes(&self) -> u64 {
        if self.n_frames == 0 {
            0
        } else {
            self.end_at + CHUNK_BYTES as u64
        }
    }

    fn finish(self: Box<Self>) -> Result<Film, FilmError> {
        let n_frames = u64::from(self.n_frames);
        self.file
            .sync_data()
            .map_err(|source| FilmError::of_write(&self.path, n_frames, source))?;
        Ok(Film {
            n_frames,
            n_bytes: self.n_bytes(),
            path: self.path,
        })
    }
}
