//! The header of a saved trace, checked against itself and against the file's length: no more is
//! allocated than that accounts for.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::Metadata;
use serde_json::{Map, Value};

use super::about::{FORMAT, list};
use super::assemble::{
    LENS_ENTROPY, LENS_KL, LENS_PROBABILITIES, LENS_TOKENS, METADATA, OWN, TOKENS, VOCAB_ENDS,
    VOCAB_TEXT,
};
use super::error::OpenError;
use super::lens::LENS_TOP;
use super::record::Place;
use crate::config::ModelConfig;
use crate::hook::HookPoint;

/// The longest header that is believed, that of the safetensors format.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// Where a tensor lies.
#[derive(Clone, Debug)]
pub(super) struct Tensor {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub start: u64,
    pub n_bytes: u64,
}

/// The tensors by name, and the metadata.
pub(super) type Header = (BTreeMap<String, Tensor>, Option<HashMap<String, String>>);

/// Reads the header and checks it against the file's length.
pub(super) fn read_header(
    file: &mut impl Read,
    file_bytes: u64,
    path: &Path,
) -> Result<Header, OpenError> {
    let wrong = |reason: String| OpenError::NotSafetensors {
        path: path.to_owned(),
        reason,
    };
    let cannot_read = |source| OpenError::Read {
        path: path.to_owned(),
        source,
    };
    if file_bytes < 8 {
        return Err(wrong(format!("it has only {file_bytes} bytes")));
    }
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(cannot_read)?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER_BYTES {
        return Err(wrong(format!("its header claims {length} bytes")));
    }
    let data_start = 8 + length;
    if data_start > file_bytes {
        return Err(OpenError::CutShort {
            path: path.to_owned(),
            expected: data_start,
            got: file_bytes,
        });
    }
    let mut json = vec![0; length as usize];
    file.read_exact(&mut json).map_err(cannot_read)?;
    // Parsing checks that the tensors fill the data without gap or overlap.
    let metadata: Metadata = serde_json::from_slice(&json)
        .map_err(|error| wrong(format!("its header can't be read ({error})")))?;
    let tensors: BTreeMap<String, Tensor> = metadata
        .tensors()
        .into_iter()
        .map(|(name, info)| {
            let (start, end) = info.data_offsets;
            let tensor = Tensor {
                dtype: info.dtype,
                shape: info.shape.clone(),
                start: data_start + start as u64,
                n_bytes: (end - start) as u64,
            };
            (name, tensor)
        })
        .collect();
    let ends = tensors.values().map(|tensor| tensor.start + tensor.n_bytes);
    let expected = ends.max().unwrap_or(data_start);
    if expected > file_bytes {
        return Err(OpenError::CutShort {
            path: path.to_owned(),
            expected,
            got: file_bytes,
        });
    }
    if expected < file_bytes {
        return Err(wrong(format!(
            "{} bytes follow its data",
            file_bytes - expected
        )));
    }
    Ok((tensors, metadata.metadata().clone()))
}

/// What the file says of itself, if it is a trace of this format.
pub(super) fn about_json(
    metadata: Option<&HashMap<String, String>>,
    path: &Path,
) -> Result<Map<String, Value>, OpenError> {
    let about = metadata.and_then(|metadata| metadata.get(METADATA));
    let about = about.ok_or_else(|| OpenError::Foreign(path.to_owned()))?;
    let json: Map<String, Value> =
        serde_json::from_str(about).map_err(|error| OpenError::Damaged {
            path: path.to_owned(),
            what: format!("its metadata can't be read ({error})"),
        })?;
    let found = match json.get("format") {
        Some(format) if *format == FORMAT => return Ok(json),
        Some(format) => format!("format {format}"),
        None => "a format that can't be shown again".to_owned(),
    };
    Err(OpenError::OtherFormat {
        path: path.to_owned(),
        found,
    })
}

/// What of the text each pass computed: one after the other, and no more than the model can read.
pub(super) fn passes(
    json: &Map<String, Value>,
    config: &ModelConfig,
) -> Result<Vec<Place>, String> {
    let pairs = list(json, "passes", &|pair| {
        let [first, count] = pair.as_array()?.as_slice() else {
            return None;
        };
        Some((first.as_u64()? as usize, count.as_u64()? as usize))
    })?;
    let mut passes = Vec::new();
    let mut next = 0;
    for (first_pos, n_pos) in pairs {
        if first_pos != next || n_pos == 0 || n_pos > config.n_ctx - next {
            return Err(format!(
                "a pass of {n_pos} tokens from {first_pos} can't follow {next} tokens"
            ));
        }
        passes.push(Place {
            offset: 0,
            first_pos,
            n_pos,
        });
        next += n_pos;
    }
    if passes.is_empty() {
        return Err("it has no passes".to_owned());
    }
    Ok(passes)
}

/// Every tensor is one that a trace has, and has its shape.
pub(super) fn check_tensors(
    tensors: &BTreeMap<String, Tensor>,
    config: &ModelConfig,
    n_pos: usize,
) -> Result<(), String> {
    let n_texts = tensors
        .get(VOCAB_ENDS)
        .map_or(0, |ends| ends.shape.iter().product());
    let lens = [config.n_layers, n_pos, LENS_TOP];
    for (name, tensor) in tensors {
        let (dtype, shape) = match name.as_str() {
            TOKENS => (Dtype::I64, vec![n_pos]),
            LENS_TOKENS => (Dtype::I64, lens.to_vec()),
            LENS_PROBABILITIES => (Dtype::F32, lens.to_vec()),
            LENS_ENTROPY | LENS_KL => (Dtype::F32, lens[..2].to_vec()),
            VOCAB_ENDS if n_texts <= config.d_vocab => (Dtype::I64, vec![n_texts]),
            VOCAB_TEXT => (Dtype::U8, vec![tensor.n_bytes as usize]),
            name if name.starts_with(OWN) => continue,
            name => match name.parse::<HookPoint>() {
                Ok(hook) if config.has_hook(hook) => (Dtype::F32, config.shape(hook, n_pos)),
                _ => return Err(format!("{name:?} is no hook point of its model")),
            },
        };
        if (tensor.dtype, &tensor.shape) != (dtype, &shape) {
            return Err(format!(
                "tensor {name:?} is {:?} {:?} where {dtype:?} {shape:?} is due",
                tensor.dtype, tensor.shape
            ));
        }
    }
    let lens = [LENS_TOKENS, LENS_PROBABILITIES, LENS_ENTROPY, LENS_KL];
    let vocab = [VOCAB_ENDS, VOCAB_TEXT];
    for group in [&[TOKENS][..], &lens, &vocab] {
        let n_found = group
            .iter()
            .filter(|name| tensors.contains_key(**name))
            .count();
        if n_found < group.len() && (group == [TOKENS] || n_found > 0) {
            return Err(format!("it lacks one of {group:?}"));
        }
    }
    Ok(())
}
