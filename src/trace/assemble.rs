//! Passes, one after the other, become tensors over all positions: safetensors, written piece by
//! piece, so that no more than a pass is ever held.

use std::fs::File;
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write};

use safetensors::Dtype;
use serde_json::{Map, Value, json};

use super::about::Contents;
use super::lens::LENS_TOP;
use super::record::{HEAD_BYTES, NO_TOKEN, Place, READING_BYTES, UNREAD, is_square};
use crate::hook::{BlockSite, HookPoint};

/// The key of the metadata: one, because the order of several would change from run to run.
pub(super) const METADATA: &str = "llmscope";
/// What tensors that are no activations begin with.
pub(super) const OWN: &str = "llmscope.";
/// The tokens, `[pos]`.
pub(super) const TOKENS: &str = "tokens";
/// Tokens that layers predict, `[layer, pos, rank]`, most probable first.
pub(super) const LENS_TOKENS: &str = "llmscope.lens.tokens";
/// Their probabilities, `[layer, pos, rank]`.
pub(super) const LENS_PROBABILITIES: &str = "llmscope.lens.probabilities";
/// Each prediction's entropy in nats, `[layer, pos]`.
pub(super) const LENS_ENTROPY: &str = "llmscope.lens.entropy";
/// Its divergence from the pass's own in nats, `[layer, pos]`.
pub(super) const LENS_KL: &str = "llmscope.lens.kl";
/// Where each token's text ends in [`VOCAB_TEXT`], `[d_vocab]`.
pub(super) const VOCAB_ENDS: &str = "llmscope.vocab.ends";
/// All tokens' texts, one after the other, as UTF-8.
pub(super) const VOCAB_TEXT: &str = "llmscope.vocab.text";

/// Bytes that are copied at once.
const AT_ONCE: usize = 1 << 18;

/// What a tensor is made of.
enum Source {
    Tokens,
    VocabEnds,
    VocabText,
    Hook(HookPoint),
    LensTokens,
    /// Consecutive numbers of each reading: where they begin, and how many.
    Lens(usize, usize),
}

/// A tensor of the file.
struct Entry {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    source: Source,
}

/// Writes the passes that lie at `places` of `part` to `to`, as safetensors.
pub(super) fn assemble(
    part: &File,
    places: &[Place],
    contents: &Contents,
    to: &File,
) -> io::Result<()> {
    let n_pos = places
        .last()
        .map_or(0, |place| place.first_pos + place.n_pos);
    let entries = entries(contents, n_pos);
    let mut assembly = Assembly {
        part,
        places,
        contents,
        values_at: places.iter().map(Place::values_at).collect(),
        n_pos,
        to: BufWriter::with_capacity(AT_ONCE, to),
    };
    assembly.write_header(&entries)?;
    for entry in &entries {
        match entry.source {
            Source::Tokens => assembly.write_tokens()?,
            Source::VocabEnds => assembly.write_vocab_ends()?,
            Source::VocabText => {
                for text in contents.vocab.texts() {
                    assembly.to.write_all(text.as_bytes())?;
                }
            }
            Source::Hook(hook) => assembly.write_hook(hook)?,
            Source::LensTokens => assembly.write_lens(&|reading, to| {
                for word in words(&reading[..4 * LENS_TOP]) {
                    to.write_all(&lens_token(word).to_le_bytes())?;
                }
                Ok(())
            })?,
            Source::Lens(first, count) => assembly.write_lens(&|reading, to| {
                to.write_all(&reading[4 * first..4 * (first + count)])
            })?,
        }
    }
    assembly.to.flush()
}

/// Every tensor, those of wider numbers first, so that each lies at a multiple of its numbers' size.
fn entries(contents: &Contents, n_pos: usize) -> Vec<Entry> {
    let config = &contents.about.config;
    let entry = |name: &str, dtype, shape: &[usize], source| Entry {
        name: name.to_owned(),
        dtype,
        shape: shape.to_vec(),
        source,
    };
    let mut entries = vec![entry(TOKENS, Dtype::I64, &[n_pos], Source::Tokens)];
    let lens = [config.n_layers, n_pos, LENS_TOP];
    if contents.has_lens {
        entries.push(entry(LENS_TOKENS, Dtype::I64, &lens, Source::LensTokens));
    }
    let texts = contents.vocab.texts();
    if !texts.is_empty() {
        let shape = [texts.len()];
        entries.push(entry(VOCAB_ENDS, Dtype::I64, &shape, Source::VocabEnds));
    }
    entries.extend(contents.hooks.iter().map(|hook| {
        let shape = config.shape(*hook, n_pos);
        entry(&hook.to_string(), Dtype::F32, &shape, Source::Hook(*hook))
    }));
    if contents.has_lens {
        for (name, shape, first, count) in [
            (LENS_PROBABILITIES, &lens[..], LENS_TOP, LENS_TOP),
            (LENS_ENTROPY, &lens[..2], 2 * LENS_TOP, 1),
            (LENS_KL, &lens[..2], 2 * LENS_TOP + 1, 1),
        ] {
            let source = Source::Lens(first, count);
            entries.push(entry(name, Dtype::F32, shape, source));
        }
    }
    if !texts.is_empty() {
        let shape = [texts.iter().map(String::len).sum()];
        entries.push(entry(VOCAB_TEXT, Dtype::U8, &shape, Source::VocabText));
    }
    entries
}

struct Assembly<'a> {
    part: &'a File,
    places: &'a [Place],
    contents: &'a Contents,
    /// Where each pass's values at the next hook point lie.
    values_at: Vec<u64>,
    n_pos: usize,
    to: BufWriter<&'a File>,
}

impl Assembly<'_> {
    fn write_header(&mut self, entries: &[Entry]) -> io::Result<()> {
        let mut about = self.contents.about.to_json();
        let passes = self
            .places
            .iter()
            .map(|place| json!([place.first_pos, place.n_pos]));
        about.insert("passes".to_owned(), passes.collect());
        let about = Value::Object(about).to_string();
        let mut header = Map::new();
        header.insert("__metadata__".to_owned(), json!({ METADATA: about }));
        let mut start = 0;
        for entry in entries {
            let count: u64 = entry.shape.iter().map(|size| *size as u64).product();
            let end = start + count * entry.dtype.bitsize() as u64 / 8;
            let info = json!({
                "dtype": entry.dtype,
                "shape": entry.shape,
                "data_offsets": [start, end],
            });
            header.insert(entry.name.clone(), info);
            start = end;
        }
        let mut header = Value::Object(header).to_string();
        // The numbers begin at a multiple of eight.
        while !header.len().is_multiple_of(8) {
            header.push(' ');
        }
        self.to.write_all(&(header.len() as u64).to_le_bytes())?;
        self.to.write_all(header.as_bytes())
    }

    fn write_tokens(&mut self) -> io::Result<()> {
        for place in self.places {
            let mut bytes = vec![0; 4 * place.n_pos];
            read_at(self.part, place.offset + HEAD_BYTES, &mut bytes)?;
            for token in words(&bytes) {
                self.to.write_all(&i64::from(token).to_le_bytes())?;
            }
        }
        Ok(())
    }

    fn write_vocab_ends(&mut self) -> io::Result<()> {
        let mut end = 0;
        for text in self.contents.vocab.texts() {
            end += text.len() as i64;
            self.to.write_all(&end.to_le_bytes())?;
        }
        Ok(())
    }

    /// Hook points come in the order in which the records have them.
    fn write_hook(&mut self, hook: HookPoint) -> io::Result<()> {
        let config = &self.contents.about.config;
        if is_square(hook) {
            self.write_square(hook)?;
        } else {
            for (place, at) in self.places.iter().zip(&self.values_at) {
                copy(self.part, *at, place.byte_count(config, hook), &mut self.to)?;
            }
        }
        for (place, at) in self.places.iter().zip(&mut self.values_at) {
            *at += place.byte_count(config, hook);
        }
        Ok(())
    }

    /// What steps never computed, attention to later positions, is what masking makes of it.
    fn write_square(&mut self, hook: HookPoint) -> io::Result<()> {
        let masked: f32 = match hook.site() {
            Some(BlockSite::AttnScores) => f32::NEG_INFINITY,
            _ => 0.0,
        };
        let mut row = vec![0; 4 * self.n_pos];
        for head in 0..self.contents.about.config.n_heads {
            for (place, at) in self.places.iter().zip(&self.values_at) {
                let end = place.first_pos + place.n_pos;
                for query in 0..place.n_pos {
                    let row_index = (head * place.n_pos + query) as u64;
                    let (known, later) = row.split_at_mut(4 * (place.first_pos + query + 1));
                    read_at(self.part, at + 4 * row_index * end as u64, known)?;
                    for number in later.as_chunks_mut().0 {
                        *number = masked.to_le_bytes();
                    }
                    self.to.write_all(&row)?;
                }
            }
        }
        Ok(())
    }

    /// Writes what `part` takes of each reading, by layer and position.
    fn write_lens(
        &mut self,
        part: &dyn Fn(&[u8], &mut BufWriter<&File>) -> io::Result<()>,
    ) -> io::Result<()> {
        for layer in 0..self.contents.about.config.n_layers {
            for place in self.places {
                let mut bytes = vec![0; READING_BYTES * place.n_pos];
                let at = place.lens_at(self.contents) + (layer * bytes.len()) as u64;
                read_at(self.part, at, &mut bytes)?;
                for reading in bytes.chunks_exact(READING_BYTES) {
                    part(reading, &mut self.to)?;
                }
            }
        }
        Ok(())
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    let words = bytes.as_chunks().0.iter();
    words.map(|word| u32::from_le_bytes(*word))
}

/// As the file has it: -1 where there is no further token, -2 where the lens has not read.
fn lens_token(token: u32) -> i64 {
    match token {
        NO_TOKEN => -1,
        UNREAD => -2,
        token => token.into(),
    }
}

fn read_at(mut from: &File, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
    from.seek(SeekFrom::Start(offset))?;
    from.read_exact(bytes)
}

fn copy(mut from: &File, offset: u64, n_bytes: u64, to: &mut impl Write) -> io::Result<()> {
    from.seek(SeekFrom::Start(offset))?;
    let mut chunk = vec![0; n_bytes.min(AT_ONCE as u64) as usize];
    let mut n_left = n_bytes;
    while n_left > 0 {
        let bytes = &mut chunk[..n_left.min(AT_ONCE as u64) as usize];
        from.read_exact(bytes)?;
        to.write_all(bytes)?;
        n_left -= bytes.len() as u64;
    }
    Ok(())
}
