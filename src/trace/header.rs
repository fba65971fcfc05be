//! The header of a saved trace, checked against itself and against the file's length: no more is
//! allocated than that accounts for.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::Metadata;
use serde_json::{Map, Value};

use super::about::{FORMAT, list};
use super::assemble::METADATA;
use super::error::OpenError;
use super::record::Place;
use crate::config::ModelConfig;

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
