//! Weights on disk: where each tensor of a model lies, whatever the format, checked against the
//! model's shape before a weight is read.
//!
//! Each format turns its files into a [`Checkpoint`]; what is read from there is the same for all.

mod gguf;
mod part;
mod pickle;
mod pytorch;
mod read;
mod safetensors;
mod shards;
mod tensor;
mod zip;

use std::collections::{BTreeMap, BTreeSet};

use candle_core::DType;
use candle_core::quantized::GgmlDType;

pub(super) use gguf::Gguf;
pub(super) use part::{Part, read_small};
pub(super) use read::{ReadPlan, kept_bytes, plain_bytes, read};

use super::error::ModelError;
use crate::config::{Family, ModelConfig, WeightSpec};

/// Files of weights, open, and what lies where in them.
pub(super) struct Checkpoint {
    parts: Vec<Part>,
    entries: BTreeMap<String, Entry>,
    naming: Naming,
}

/// A tensor in a file.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    /// Which of the files.
    part: usize,
    /// The first byte, counted from the file's beginning.
    offset: u64,
    /// Its dimensions as the file has them, outermost first.
    shape: Vec<usize>,
    numbers: Numbers,
}

/// How the numbers of a tensor are written.
#[derive(Clone, Debug, PartialEq)]
enum Numbers {
    Plain(DType),
    Blocks(GgmlDType),
    /// In a way that can't be read, by its name.
    Unreadable(String),
}

/// How a file orders what a model has in the order of Hugging Face's checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// As the model does.
    Same,
    /// A matrix whose rows are the model's columns.
    Transposed,
    /// Rows of queries or keys: within each of `n_heads` heads, the two halves of what rotates
    /// alternate.
    Alternating { n_heads: usize },
    /// Rows of queries, then keys, then values, where the model has the three of each head together.
    Thirds { n_heads: usize },
}

/// How a model's tensors are called in the files.
enum Naming {
    /// As the model does, with or without the family's prefix.
    HuggingFace,
    Gguf(gguf::GgufNaming),
}

/// Ends of the names of what is computed and not learned, which old checkpoints keep, and of what is
/// there twice: masks, frequencies, tied unembeddings.
const NOTHING_LEARNED: [&str; 10] = [
    ".attn.bias",
    ".attn.masked_bias",
    ".attention.bias",
    ".attention.masked_bias",
    ".rotary_emb.inv_freq",
    ".rotary_emb.cos_cached",
    ".rotary_emb.sin_cached",
    "lm_head.weight",
    "embed_out.weight",
    "rope_freqs.weight",
];

/// A tensor that a model needs, found.
#[derive(Clone)]
struct Wanted<'a> {
    spec: WeightSpec,
    entry: &'a Entry,
    part: &'a Part,
    order: Order,
}

impl Numbers {
    /// How many numbers stand together, and in how many bytes; none where they can't be read.
    fn block(&self) -> Option<(usize, usize)> {
        match self {
            Self::Plain(dtype) => Some((1, dtype.size_in_bytes())),
            Self::Blocks(dtype) => Some((dtype.block_size(), dtype.type_size())),
            Self::Unreadable(_) => None,
        }
    }
}

impl Order {
    /// The model's shape as a file in this order has it.
    fn file_shape(self, shape: &[usize]) -> Vec<usize> {
        let mut shape = shape.to_vec();
        if self == Self::Transposed {
            shape.reverse();
        }
        shape
    }

    /// Which of a file's `n_rows` rows is the model's row `row`.
    fn file_row(self, row: usize, n_rows: usize) -> usize {
        match self {
            Self::Same | Self::Transposed => row,
            Self::Alternating { n_heads } => {
                let d_head = n_rows / n_heads;
                let (head, dim) = (row / d_head, row % d_head);
                let n_pairs = (d_head / 2).max(1);
                let (half, pair) = (dim / n_pairs, dim % n_pairs);
                head * d_head + 2 * pair + half
            }
            Self::Thirds { n_heads } => {
                let d_head = n_rows / n_heads / 3;
                let (head, dim) = (row / (3 * d_head), row % (3 * d_head));
                let third = dim / d_head;
                third * n_heads * d_head + head * d_head + dim % d_head
            }
        }
    }
}

impl Wanted<'_> {
    /// Bytes of the tensor in its file.
    fn byte_count(&self) -> u64 {
        let (numbers, bytes) = self.entry.numbers.block().unwrap_or((1, 1));
        (self.spec.element_count() / numbers * bytes) as u64
    }
}

impl Checkpoint {
    /// The tensors of a model of this shape, each checked: that it is there, in the right shape, of numbers that
    /// can be read, and within its file.
    fn find(&self, config: &ModelConfig) -> Result<Vec<Wanted<'_>>, ModelError> {
        let specs = config.weights();
        let mut known = BTreeSet::new();
        let mut found = Vec::with_capacity(specs.len());
        for spec in specs {
            let (key, order) = self.key(config.family, &spec.name);
            let Some((key, entry)) = self.entries.get_key_value(&key) else {
                return Err(ModelError::MissingTensor {
                    path: self.path_for_errors(),
                    name: key,
                });
            };
            let wanted = Wanted {
                spec,
                entry,
                part: &self.parts[entry.part],
                order,
            };
            check(&wanted, key)?;
            known.insert(key.as_str());
            found.push(wanted);
        }
        self.warn_of_extras(&known);
        Ok(found)
    }

    /// What the files call the model's tensor `name`, and how they order it.
    fn key(&self, family: Family, name: &str) -> (String, Order) {
        match &self.naming {
            Naming::Gguf(naming) => naming.key(name),
            Naming::HuggingFace => {
                // A checkpoint of the model within its head has a prefix that one of the model alone
                // lacks.
                let prefix = family.prefix();
                let bare = name.strip_prefix(prefix).unwrap_or(name);
                let keys = [name.to_owned(), bare.to_owned(), format!("{prefix}{bare}")];
                let found = keys.iter().find(|key| self.entries.contains_key(*key));
                (found.unwrap_or(&keys[0]).clone(), Order::Same)
            }
        }
    }

    /// The file that a missing tensor is missing from: the first.
    fn path_for_errors(&self) -> std::path::PathBuf {
        let first = self.parts.first();
        first.map_or_else(Default::default, |part| part.path().to_owned())
    }

    fn warn_of_extras(&self, known: &BTreeSet<&str>) {
        for name in self.entries.keys() {
            let is_expected = NOTHING_LEARNED.iter().any(|end| name.ends_with(end));
            if !known.contains(name.as_str()) && !is_expected {
                tracing::warn!(
                    "the checkpoint's tensor {name:?} is not part of the model; ignored"
                );
            }
        }
    }
}

fn check(wanted: &Wanted<'_>, key: &str) -> Result<(), ModelError> {
    let Wanted {
        spec, entry, part, ..
    } = wanted;
    let expected = wanted.order.file_shape(&spec.shape);
    if entry.shape != expected {
        return Err(ModelError::WrongShape {
            path: part.path().to_owned(),
            name: key.to_owned(),
            got: entry.shape.clone(),
            expected,
        });
    }
    let row = expected.last().copied().unwrap_or(1);
    match &entry.numbers {
        Numbers::Unreadable(got) => {
            return Err(ModelError::WrongDtype {
                path: part.path().to_owned(),
                name: key.to_owned(),
                got: got.clone(),
            });
        }
        Numbers::Blocks(dtype) if !row.is_multiple_of(dtype.block_size()) => {
            let size = dtype.block_size();
            return Err(part.damaged(format!(
                "tensor {key:?} has rows of {row} numbers, but {dtype:?} has blocks of {size}"
            )));
        }
        Numbers::Plain(_) | Numbers::Blocks(_) => {}
    }
    let end = entry.offset.checked_add(wanted.byte_count());
    if end.is_none_or(|end| end > part.byte_count()) {
        return Err(part.damaged(format!(
            "tensor {key:?} needs {} bytes from byte {} on, but the file has {}",
            wanted.byte_count(),
            entry.offset,
            part.byte_count()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_halves_of_what_rotates_are_put_together() {
        // Two heads of four: the file has x0 y0 x1 y1, the model x0 x1 y0 y1.
        let order = Order::Alternating { n_heads: 2 };

        let rows: Vec<usize> = (0..8).map(|row| order.file_row(row, 8)).collect();

        assert_eq!(rows, [0, 2, 1, 3, 4, 6, 5, 7]);
    }

    #[test]
    fn queries_keys_and_values_are_dealt_to_their_heads() {
        // Two heads of two: the file has q0 q1 k0 k1 v0 v1, the model q0 k0 v0 q1 k1 v1.
        let order = Order::Thirds { n_heads: 2 };

        let rows: Vec<usize> = (0..12).map(|row| order.file_row(row, 12)).collect();

        assert_eq!(rows, [0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11]);
    }
}
