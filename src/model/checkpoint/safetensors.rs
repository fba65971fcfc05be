//! The header of a safetensors file: where its tensors lie.

use std::collections::BTreeMap;

use candle_core::DType;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::{Checkpoint, Entry, Naming, Numbers, Part};
use crate::model::error::ModelError;

/// The header's own cap, that of the safetensors format.
const MAX_HEADER_BYTES: u64 = 100_000_000;

impl Checkpoint {
    /// The tensors of one safetensors file.
    pub(in crate::model) fn of_safetensors(part: Part) -> Result<Self, ModelError> {
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
    let file_bytes = part.byte_count();
    if file_bytes < 8 {
        return Err(part.damaged(format!("it has only {file_bytes} bytes")));
    }
    let mut length = [0; 8];
    part.read_at(0, &mut length)?;
    let header_bytes = u64::from_le_bytes(length);
    if header_bytes > MAX_HEADER_BYTES || header_bytes > file_bytes - 8 {
        return Err(part.damaged(format!(
            "its header claims {header_bytes} bytes, of {} in the file",
            file_bytes - 8
        )));
    }
    let json = part.bytes_at(8, header_bytes)?;
    // Parsing checks that the tensors fill the data without gap or overlap.
    let metadata: Metadata = serde_json::from_slice(&json)
        .map_err(|error| part.damaged(format!("its header cannot be read ({error})")))?;
    let data_start = 8 + header_bytes;
    let tensors: BTreeMap<String, &TensorInfo> = metadata.tensors().into_iter().collect();
    let ends = tensors.values().map(|info| info.data_offsets.1 as u64);
    let data_bytes = ends.max().unwrap_or(0);
    if data_start.checked_add(data_bytes) != Some(file_bytes) {
        return Err(part.damaged(format!(
            "its tensors need {data_bytes} bytes, but {} follow the header",
            file_bytes - data_start
        )));
    }
    let entry = |info: &TensorInfo| Entry {
        part: index,
        offset: data_start + info.data_offsets.0 as u64,
        shape: info.shape.clone(),
        numbers: numbers(info.dtype),
    };
    Ok(tensors
        .into_iter()
        .map(|(name, info)| (name, entry(info)))
        .collect())
}

fn numbers(dtype: Dtype) -> Numbers {
    Numbers::Plain(match dtype {
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        other => return Numbers::Unreadable(format!("{other:?}")),
    })
}
