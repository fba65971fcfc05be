//! The file that passes are written to as they come: a head that says what is in it, then one record
//! a pass. Nothing in it is ever changed, so that whatever stops the program leaves every pass before.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use serde_json::{Map, Value};

use super::about::{About, Contents, FORMAT, list};
use super::error::{OpenError, SaveError};
use super::lens::LensReading;
use super::record::{Checksum, HEAD_BYTES, MARK, Place, Summed, reading_bytes, write_f32s};
use super::{Pass, Vocab};

/// What the file begins with.
const MAGIC: [u8; 16] = *b"llmscope-trace-1";
/// The longest head that is believed.
const MAX_HEAD_BYTES: u64 = 256 << 20;

/// What the lens reads at a layer and a position, if it has.
pub type LensAt<'f, 'a> = &'f dyn Fn(usize, usize) -> Option<&'a LensReading>;

/// Writes the head of a new file, and says where the first record goes.
pub(super) fn write_head(file: &File, contents: &Contents) -> io::Result<u64> {
    let mut json = contents.about.to_json();
    let names: Vec<String> = contents.hooks.iter().map(ToString::to_string).collect();
    json.insert("hooks".to_owned(), names.into());
    json.insert("lens".to_owned(), contents.has_lens.into());
    json.insert("vocab".to_owned(), contents.vocab.texts().into());
    let json = Value::Object(json).to_string();
    let mut to = BufWriter::new(file);
    to.write_all(&MAGIC)?;
    to.write_all(&(json.len() as u64).to_le_bytes())?;
    to.write_all(json.as_bytes())?;
    to.flush()?;
    Ok(MAGIC.len() as u64 + 8 + json.len() as u64)
}

/// Checks that the pass has everything that the file is to hold.
pub(super) fn check_pass(pass: &Pass, place: Place, contents: &Contents) -> Result<(), SaveError> {
    let config = &contents.about.config;
    let has_all = |hook: &&_| {
        let activation = pass.cache.get(*hook);
        activation.is_some_and(|activation| {
            activation.values().len() as u64 == place.count(config, **hook)
        })
    };
    match contents.hooks.iter().find(|hook| !has_all(hook)) {
        None => Ok(()),
        Some(hook) => Err(SaveError::NotRecorded(*hook)),
    }
}

/// Writes a pass at the end of the file.
pub(super) fn write_pass(
    file: &File,
    pass: &Pass,
    contents: &Contents,
    lens: LensAt<'_, '_>,
) -> io::Result<()> {
    let mut to = Summed {
        inner: BufWriter::with_capacity(1 << 16, file),
        sum: Checksum::new(),
    };
    to.write_all(&MARK)?;
    to.write_all(&(pass.first_pos as u64).to_le_bytes())?;
    to.write_all(&(pass.tokens.len() as u64).to_le_bytes())?;
    for token in &pass.tokens {
        to.write_all(&token.to_le_bytes())?;
    }
    for hook in &contents.hooks {
        if let Some(activation) = pass.cache.get(hook) {
            write_f32s(&mut to, activation.values())?;
        }
    }
    if contents.has_lens {
        for layer in 0..contents.about.config.n_layers {
            for pos in pass.positions() {
                to.write_all(&reading_bytes(lens(layer, pos)))?;
            }
        }
    }
    let sum = to.sum.value();
    to.inner.write_all(&sum.to_le_bytes())?;
    to.inner.flush()
}

/// What is whole in a file that was cut short.
pub(super) struct Found {
    pub contents: Contents,
    pub places: Vec<Place>,
    /// Bytes after the last whole pass.
    pub torn_bytes: u64,
}

/// Finds every whole pass of the file.
pub(super) fn find_passes(file: &File, path: &Path) -> Result<Found, OpenError> {
    let cannot_read = |source| OpenError::Read {
        path: path.to_owned(),
        source,
    };
    let file_bytes = file.metadata().map_err(cannot_read)?.len();
    let mut from = BufReader::with_capacity(1 << 16, file);
    let (contents, mut offset) = read_head(&mut from, file_bytes, path)?;
    let mut places: Vec<Place> = Vec::new();
    loop {
        let first_pos = places
            .last()
            .map_or(0, |place| place.first_pos + place.n_pos);
        let place = read_place(&mut from, offset, first_pos, file_bytes, &contents);
        let Some(place) = place.map_err(cannot_read)? else {
            break;
        };
        offset = place.end(&contents);
        places.push(place);
    }
    Ok(Found {
        contents,
        places,
        torn_bytes: file_bytes - offset,
    })
}

fn read_head(
    from: &mut impl Read,
    file_bytes: u64,
    path: &Path,
) -> Result<(Contents, u64), OpenError> {
    let wrong = |what: String| OpenError::NotAPart {
        path: path.to_owned(),
        what,
    };
    let start = MAGIC.len() as u64 + 8;
    let mut magic = [0; MAGIC.len()];
    let mut length = [0; 8];
    from.read_exact(&mut magic)
        .and_then(|()| from.read_exact(&mut length))
        .map_err(|error| wrong(error.to_string()))?;
    if magic != MAGIC {
        return Err(wrong("it begins otherwise".to_owned()));
    }
    let length = u64::from_le_bytes(length);
    if length > MAX_HEAD_BYTES || length > file_bytes.saturating_sub(start) {
        return Err(wrong(format!("its head claims {length} bytes")));
    }
    let mut json = vec![0; length as usize];
    from.read_exact(&mut json)
        .map_err(|error| wrong(error.to_string()))?;
    let json = serde_json::from_slice(&json).map_err(|error| wrong(error.to_string()))?;
    let contents = contents_from_json(&json).map_err(wrong)?;
    Ok((contents, start + length))
}

fn contents_from_json(json: &Map<String, Value>) -> Result<Contents, String> {
    if json.get("format").and_then(Value::as_u64) != Some(FORMAT) {
        return Err(format!("its format is not {FORMAT}"));
    }
    let about = About::from_json(json)?;
    let hooks = list(json, "hooks", &|name| {
        let hook = name.as_str()?.parse().ok()?;
        about.config.has_hook(hook).then_some(hook)
    })?;
    let vocab = list(json, "vocab", &|text| text.as_str().map(str::to_owned))?;
    Ok(Contents {
        hooks,
        has_lens: json.get("lens") == Some(&Value::Bool(true)),
        vocab: Vocab::new(vocab),
        about,
    })
}

/// The record at `offset`, if it is whole and goes on where the last one ended.
fn read_place(
    from: &mut BufReader<&File>,
    offset: u64,
    first_pos: usize,
    file_bytes: u64,
    contents: &Contents,
) -> io::Result<Option<Place>> {
    if file_bytes.saturating_sub(offset) < HEAD_BYTES {
        return Ok(None);
    }
    let mut head = [0; HEAD_BYTES as usize];
    from.seek(SeekFrom::Start(offset))?;
    from.read_exact(&mut head)?;
    let (mark, numbers) = head.split_at(MARK.len());
    let [first, count] = [&numbers[..8], &numbers[8..]].map(|bytes| {
        let mut word = [0; 8];
        word.copy_from_slice(bytes);
        u64::from_le_bytes(word)
    });
    let n_left = contents.about.config.n_ctx.saturating_sub(first_pos) as u64;
    if mark != MARK || first != first_pos as u64 || !(1..=n_left).contains(&count) {
        return Ok(None);
    }
    let place = Place {
        offset,
        first_pos,
        n_pos: count as usize,
    };
    if place.end(contents) > file_bytes {
        return Ok(None);
    }
    let mut sum = Checksum::new();
    sum.add(&head);
    let mut n_left = place.end(contents) - offset - HEAD_BYTES - 8;
    let mut chunk = vec![0; 1 << 16];
    while n_left > 0 {
        let bytes = &mut chunk[..n_left.min(1 << 16) as usize];
        from.read_exact(bytes)?;
        sum.add(bytes);
        n_left -= bytes.len() as u64;
    }
    let mut expected = [0; 8];
    from.read_exact(&mut expected)?;
    Ok((u64::from_le_bytes(expected) == sum.value()).then_some(place))
}
