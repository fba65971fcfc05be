//! The header of a GGUF file: facts about the model by name, and where its tensors lie.
//!
//! Nothing is kept that takes more memory than a few times its place in the file.

use std::collections::BTreeMap;

use candle_core::DType;
use candle_core::quantized::GgmlDType;

use super::super::{Entry, Numbers, Part};
use crate::model::error::ModelError;

/// Bytes of the header read at once.
const BUFFER_BYTES: u64 = 64 << 10;
const DEFAULT_ALIGNMENT: u64 = 32;
const MAX_DIMENSIONS: u32 = 4;

/// A fact of the header.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fact {
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    Ints(Vec<i32>),
    Floats(Vec<f32>),
    Texts(Vec<String>),
    /// An array of something else, which no model needs.
    Other,
}

pub(super) struct Header {
    pub(super) facts: BTreeMap<String, Fact>,
    pub(super) tensors: BTreeMap<String, Entry>,
}

impl Header {
    pub(super) fn read(part: &Part) -> Result<Self, ModelError> {
        let mut reader = Reader {
            part,
            offset: 0,
            buffer: Vec::new(),
            used: 0,
        };
        if reader.bytes(4)? != b"GGUF" {
            return Err(part.damaged("it does not begin as GGUF files do"));
        }
        match reader.u32()? {
            2 | 3 => {}
            version if version.swap_bytes() <= 3 => {
                return Err(part.unsupported("it is in big-endian order; convert it anew"));
            }
            version => {
                return Err(part.unsupported(format!(
                    "it is GGUF version {version}, and 2 and 3 can be read; convert it anew"
                )));
            }
        }
        let (n_tensors, n_facts) = (reader.u64()?, reader.u64()?);
        let mut facts = BTreeMap::new();
        for _ in 0..n_facts {
            let name = reader.text()?;
            let kind = reader.u32()?;
            let fact = reader.fact(kind)?;
            facts.insert(name, fact);
        }
        let mut tensors = BTreeMap::new();
        for _ in 0..n_tensors {
            let name = reader.text()?;
            let entry = reader.entry()?;
            if tensors.insert(name.clone(), entry).is_some() {
                return Err(part.damaged(format!("it has tensor {name:?} twice")));
            }
        }
        let alignment = match facts.get("general.alignment") {
            None => DEFAULT_ALIGNMENT,
            Some(Fact::Int(alignment @ 1..=0x1_0000)) => alignment.unsigned_abs(),
            Some(other) => {
                return Err(part.damaged(format!("its general.alignment is {other:?}")));
            }
        };
        let data_start = reader.position().next_multiple_of(alignment);
        for entry in tensors.values_mut() {
            entry.offset = entry.offset.saturating_add(data_start);
        }
        Ok(Self { facts, tensors })
    }
}

/// Reads a file from the beginning on.
struct Reader<'a> {
    part: &'a Part,
    /// Where in the file what is buffered ends.
    offset: u64,
    buffer: Vec<u8>,
    /// How much of it is used.
    used: usize,
}

impl Reader<'_> {
    fn position(&self) -> u64 {
        self.offset - (self.buffer.len() - self.used) as u64
    }

    /// The next bytes, which the file must have.
    fn bytes(&mut self, n_bytes: u64) -> Result<&[u8], ModelError> {
        let buffered = (self.buffer.len() - self.used) as u64;
        if buffered < n_bytes {
            let left = self.part.byte_count() - self.position();
            if n_bytes > left {
                return Err(self.part.damaged(format!(
                    "its header needs {n_bytes} bytes from byte {} on, and {left} are left",
                    self.position()
                )));
            }
            let start = self.position();
            self.buffer = self
                .part
                .bytes_at(start, n_bytes.max(BUFFER_BYTES).min(left))?;
            self.offset = start + self.buffer.len() as u64;
            self.used = 0;
        }
        let start = self.used;
        self.used += n_bytes as usize;
        Ok(&self.buffer[start..self.used])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ModelError> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N as u64)?);
        Ok(array)
    }

    fn u32(&mut self) -> Result<u32, ModelError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, ModelError> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Result<String, ModelError> {
        let length = self.u64()?;
        let bytes = self.bytes(length)?;
        // Published files have texts that are no UTF-8, and some that end with a zero.
        let text = String::from_utf8_lossy(bytes);
        Ok(text.trim_end_matches('\0').to_owned())
    }

    fn fact(&mut self, kind: u32) -> Result<Fact, ModelError> {
        Ok(match kind {
            0 => Fact::Int(u8::from_le_bytes(self.array()?).into()),
            1 => Fact::Int(i8::from_le_bytes(self.array()?).into()),
            2 => Fact::Int(u16::from_le_bytes(self.array()?).into()),
            3 => Fact::Int(i16::from_le_bytes(self.array()?).into()),
            4 => Fact::Int(self.u32()?.into()),
            5 => Fact::Int(i32::from_le_bytes(self.array()?).into()),
            6 => Fact::Float(f32::from_le_bytes(self.array()?).into()),
            7 => Fact::Bool(self.array::<1>()? != [0]),
            8 => Fact::Text(self.text()?),
            9 => self.facts()?,
            10 => Fact::Int(i64::try_from(self.u64()?).unwrap_or(i64::MAX)),
            11 => Fact::Int(i64::from_le_bytes(self.array()?)),
            12 => Fact::Float(f64::from_le_bytes(self.array()?)),
            _ => return Err(self.unknown_kind(kind)),
        })
    }

    fn facts(&mut self) -> Result<Fact, ModelError> {
        let kind = self.u32()?;
        let count = self.u64()?;
        let width = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            10..=12 => 8,
            8 => {
                // Each text has at least its length, so a count that lies is found soon.
                let texts = (0..count).map(|_| self.text());
                return Ok(Fact::Texts(texts.collect::<Result<_, _>>()?));
            }
            9 => return Err(self.part.damaged("its header has arrays of arrays")),
            _ => return Err(self.unknown_kind(kind)),
        };
        let n_bytes = count.saturating_mul(width);
        let bytes = self.bytes(n_bytes)?;
        let words = bytes.as_chunks::<4>().0;
        Ok(match kind {
            4 | 5 => Fact::Ints(words.iter().map(|word| i32::from_le_bytes(*word)).collect()),
            6 => Fact::Floats(words.iter().map(|word| f32::from_le_bytes(*word)).collect()),
            _ => Fact::Other,
        })
    }

    fn unknown_kind(&self, kind: u32) -> ModelError {
        let reason = format!("its header has a value of unknown kind {kind}");
        self.part.damaged(reason)
    }

    /// A tensor; its offset counts from the data's beginning, which is not known yet.
    fn entry(&mut self) -> Result<Entry, ModelError> {
        let n_dimensions = self.u32()?;
        if n_dimensions > MAX_DIMENSIONS {
            let reason = format!("a tensor in it claims {n_dimensions} dimensions");
            return Err(self.part.damaged(reason));
        }
        // The innermost comes first.
        let mut shape = vec![0; n_dimensions as usize];
        for size in shape.iter_mut().rev() {
            *size = usize::try_from(self.u64()?).unwrap_or(usize::MAX);
        }
        Ok(Entry {
            part: 0,
            shape,
            numbers: numbers(self.u32()?),
            offset: self.u64()?,
        })
    }
}

/// The kinds of numbers, as `ggml.h` counts them.
fn numbers(kind: u32) -> Numbers {
    Numbers::Blocks(match kind {
        0 => return Numbers::Plain(DType::F32),
        1 => return Numbers::Plain(DType::F16),
        30 => return Numbers::Plain(DType::BF16),
        2 => GgmlDType::Q4_0,
        3 => GgmlDType::Q4_1,
        6 => GgmlDType::Q5_0,
        7 => GgmlDType::Q5_1,
        8 => GgmlDType::Q8_0,
        10 => GgmlDType::Q2K,
        11 => GgmlDType::Q3K,
        12 => GgmlDType::Q4K,
        13 => GgmlDType::Q5K,
        14 => GgmlDType::Q6K,
        _ => return Numbers::Unreadable(unreadable_name(kind)),
    })
}

fn unreadable_name(kind: u32) -> String {
    let name = match kind {
        9 => "Q8_1",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        _ => return format!("kind {kind}"),
    };
    name.to_owned()
}
