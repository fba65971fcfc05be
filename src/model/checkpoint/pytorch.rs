//! Where the tensors of a `pytorch_model.bin` lie: in a zip archive since PyTorch 1.6, in a row of
//! pickles before.

use std::collections::BTreeMap;

use candle_core::DType;

use super::pickle::{self, Pickle};
use super::{Checkpoint, Entry, Naming, Numbers, Part, zip};
use crate::model::error::ModelError;

/// A pickle has some two hundred bytes a tensor.
const MAX_PICKLE_BYTES: u64 = 4 << 20;
/// The pickle that a checkpoint older than PyTorch 1.6 begins with: a number of ten bytes.
const OLD_BEGINNING: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e";

impl Checkpoint {
    /// The tensors of one file that `torch.save` has written.
    pub(in crate::model) fn of_pytorch(part: Part) -> Result<Self, ModelError> {
        let entries = entries(&part, 0)?;
        Ok(Self {
            parts: vec![part],
            entries,
            naming: Naming::HuggingFace,
        })
    }
}

/// The tensors of a file that is number `index` of its checkpoint.
pub(super) fn entries(part: &Part, index: usize) -> Result<BTreeMap<String, Entry>, ModelError> {
    if zip::is_zip(part) {
        return in_archive(part, index);
    }
    let is_old = part
        .bytes_at(0, OLD_BEGINNING.len() as u64)
        .is_ok_and(|bytes| bytes == OLD_BEGINNING);
    if is_old {
        return in_row_of_pickles(part, index);
    }
    Err(part.damaged("it is not what torch.save writes"))
}

/// `NAME/data.pkl` names the tensors, `NAME/data/KEY` holds the numbers of a storage.
fn in_archive(part: &Part, index: usize) -> Result<BTreeMap<String, Entry>, ModelError> {
    let files = zip::directory(part)?;
    let pickle = files
        .iter()
        .find_map(|(name, bytes)| Some((name.strip_suffix("data.pkl")?, bytes)));
    let Some((folder, place)) = pickle else {
        return Err(part.damaged("it is a zip archive without data.pkl"));
    };
    if let Some(order) = files.get(&format!("{folder}byteorder")) {
        let order = part.bytes_at(order.start, (order.end - order.start).min(16))?;
        if order != b"little" {
            return Err(part.unsupported(
                "its numbers are in big-endian order; save it again on another machine",
            ));
        }
    }
    let bytes = read_pickle(part, place.start, place.end)?;
    let pickle = pickle::read(&bytes).map_err(|reason| part.damaged(reason))?;
    let storage = |key: &str| files.get(&format!("{folder}data/{key}")).cloned();
    collect(part, index, &pickle, &storage)
}

/// A number, a version, facts of the machine, the tensors, the storages' names; then the storages.
fn in_row_of_pickles(part: &Part, index: usize) -> Result<BTreeMap<String, Entry>, ModelError> {
    let bytes = read_pickle(part, 0, part.byte_count().min(MAX_PICKLE_BYTES))?;
    let read = |bytes| pickle::read(bytes).map_err(|reason| part.damaged(reason));
    let mut rest = bytes.as_slice();
    for _ in 0..3 {
        rest = read(rest)?.rest;
    }
    let tensors = read(rest)?;
    let keys = read(tensors.rest)?;
    let names = keys
        .texts()
        .ok_or_else(|| part.damaged("it has no list of its storages"))?;
    let classes: BTreeMap<&str, &str> = tensors
        .tensors()
        .into_iter()
        .map(|(_, tensor)| (tensor.storage.key, tensor.storage.class))
        .collect();
    let mut start = (bytes.len() - keys.rest.len()) as u64;
    let mut storages = BTreeMap::new();
    for name in names {
        // Where nothing says how wide its numbers are, nothing says where the next storage begins.
        let Some(width) = classes.get(name).and_then(|class| width(class)) else {
            break;
        };
        let mut count = [0; 8];
        part.read_at(start, &mut count)?;
        let byte_count = u64::from_le_bytes(count).checked_mul(width);
        let end = byte_count.and_then(|byte_count| start.checked_add(8)?.checked_add(byte_count));
        let Some(end) = end.filter(|end| *end <= part.byte_count()) else {
            return Err(part.damaged(format!("storage {name:?} in it is longer than the file")));
        };
        storages.insert(name, start + 8..end);
        start = end;
    }
    collect(part, index, &tensors, &|key| storages.get(key).cloned())
}

fn read_pickle(part: &Part, start: u64, end: u64) -> Result<Vec<u8>, ModelError> {
    let byte_count = end - start;
    if byte_count > MAX_PICKLE_BYTES {
        return Err(part.damaged(format!("its pickle claims {byte_count} bytes")));
    }
    part.bytes_at(start, byte_count)
}

fn collect(
    part: &Part,
    index: usize,
    pickle: &Pickle<'_>,
    storage: &dyn Fn(&str) -> Option<std::ops::Range<u64>>,
) -> Result<BTreeMap<String, Entry>, ModelError> {
    let mut entries = BTreeMap::new();
    for (name, tensor) in pickle.tensors() {
        let Some(place) = storage(tensor.storage.key) else {
            let key = tensor.storage.key;
            return Err(part.damaged(format!(
                "tensor {name:?} is in storage {key:?}, which it lacks"
            )));
        };
        let (shape, stride) = pickle
            .layout(&tensor)
            .ok_or_else(|| part.damaged(format!("tensor {name:?} has a shape of no numbers")))?;
        let mut numbers = numbers(tensor.storage.class);
        if !is_in_order(&shape, &stride) {
            numbers =
                Numbers::Unreadable("numbers out of order (a view that was saved)".to_owned());
        }
        let width = width(tensor.storage.class).unwrap_or(1);
        let first = tensor.offset.checked_mul(width);
        let n_numbers = shape
            .iter()
            .try_fold(1, |product: u64, size| product.checked_mul(*size as u64));
        let end = first.and_then(|first| first.checked_add(n_numbers?.checked_mul(width)?));
        if end.is_none_or(|end| end > place.end - place.start) {
            return Err(part.damaged(format!("tensor {name:?} is longer than its storage")));
        }
        let entry = Entry {
            part: index,
            offset: place.start + first.unwrap_or(0),
            shape,
            numbers,
        };
        entries.insert(name.to_owned(), entry);
    }
    match entries.is_empty() {
        true => Err(part.damaged("it has no tensors by name")),
        false => Ok(entries),
    }
}

/// Whether numbers follow one another as a row-major tensor's do; a dimension of one may have any
/// stride.
fn is_in_order(shape: &[usize], stride: &[usize]) -> bool {
    let mut expected = Some(1_usize);
    shape.len() == stride.len()
        && shape.iter().zip(stride).rev().all(|(size, stride)| {
            let is_expected = *size == 1 || Some(*stride) == expected;
            expected = expected.and_then(|expected| expected.checked_mul(*size));
            is_expected
        })
}

fn numbers(class: &str) -> Numbers {
    Numbers::Plain(match class {
        "FloatStorage" => DType::F32,
        "HalfStorage" => DType::F16,
        "BFloat16Storage" => DType::BF16,
        other => return Numbers::Unreadable(other.trim_end_matches("Storage").to_owned()),
    })
}

/// Bytes of one number of a storage.
fn width(class: &str) -> Option<u64> {
    Some(match class {
        "FloatStorage" | "IntStorage" => 4,
        "HalfStorage" | "BFloat16Storage" | "ShortStorage" => 2,
        "DoubleStorage" | "LongStorage" => 8,
        "ByteStorage" | "CharStorage" | "BoolStorage" => 1,
        _ => return None,
    })
}
