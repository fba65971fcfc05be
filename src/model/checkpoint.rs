//! Reading safetensors: every header is checked against the model's shape before a weight is read,
//! and no more is allocated than the file's own length accounts for.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::error::ModelError;
use super::tensors::Stored;
use super::{LoadProgress, Watch};
use crate::config::{Family, WeightSpec};

/// The header's own cap, that of the safetensors format.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// Reads the tensors named by `specs`, whether the file has the family's prefix before them or not.
///
/// Files are read, never mapped: a file cut short while it is open is an error and not a signal.
/// `fits` is asked before, with the bytes of the largest tensor, whether there is memory for all.
pub(super) fn read(
    mut file: impl Read + Seek,
    path: &Path,
    family: Family,
    specs: &[WeightSpec],
    fits: &dyn Fn(u64) -> Result<(), ModelError>,
    dtype: DType,
    device: &Device,
    progress: &mut Watch,
) -> Result<HashMap<String, Stored>, ModelError> {
    let header = read_header(&mut file, path)?;
    let wanted = check(&header, family, specs, path)?;
    let largest = wanted.values().map(|tensor| tensor.byte_count()).max();
    fits(largest.unwrap_or(0))?;
    let total_bytes = wanted.values().map(|tensor| tensor.byte_count()).sum();
    let mut done_bytes = 0;
    let mut weights = HashMap::with_capacity(wanted.len());
    progress(LoadProgress::reading(done_bytes, total_bytes))?;
    for (&offset, tensor) in &wanted {
        let read_failed = |source| ModelError::Read {
            path: path.to_owned(),
            source,
        };
        file.seek(SeekFrom::Start(header.data_start + offset))
            .map_err(read_failed)?;
        let mut bytes = vec![0; tensor.byte_count() as usize];
        file.read_exact(&mut bytes).map_err(read_failed)?;
        let weight =
            Tensor::from_raw_buffer(&bytes, tensor.dtype, &tensor.info.shape, &Device::Cpu)?;
        // Cast where the bytes are, so that only the wanted precision travels to the device.
        let weight = weight.to_dtype(dtype)?.to_device(device)?;
        weights.insert(tensor.name.to_owned(), Stored::Plain(weight));
        done_bytes += tensor.byte_count();
        progress(LoadProgress::reading(done_bytes, total_bytes))?;
    }
    Ok(weights)
}

struct Header {
    tensors: BTreeMap<String, TensorInfo>,
    data_start: u64,
}

struct WantedTensor<'a> {
    name: &'a str,
    info: &'a TensorInfo,
    dtype: DType,
}

impl WantedTensor<'_> {
    fn byte_count(&self) -> u64 {
        (self.info.data_offsets.1 - self.info.data_offsets.0) as u64
    }
}

fn read_header(file: &mut (impl Read + Seek), path: &Path) -> Result<Header, ModelError> {
    let damaged = |reason: String| ModelError::Checkpoint {
        path: path.to_owned(),
        reason,
    };
    let read_failed = |source| ModelError::Read {
        path: path.to_owned(),
        source,
    };
    let file_bytes = file.seek(SeekFrom::End(0)).map_err(read_failed)?;
    if file_bytes < 8 {
        return Err(damaged(format!("it has only {file_bytes} bytes")));
    }
    file.rewind().map_err(read_failed)?;
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(read_failed)?;
    let header_bytes = u64::from_le_bytes(length);
    if header_bytes > MAX_HEADER_BYTES || header_bytes > file_bytes - 8 {
        return Err(damaged(format!(
            "its header claims {header_bytes} bytes, of {} in the file",
            file_bytes - 8
        )));
    }
    let mut json = vec![0; header_bytes as usize];
    file.read_exact(&mut json).map_err(read_failed)?;
    // Parsing checks that the tensors fill the data without gap or overlap.
    let metadata: Metadata = serde_json::from_slice(&json)
        .map_err(|error| damaged(format!("its header cannot be read ({error})")))?;
    let tensors: BTreeMap<String, TensorInfo> = metadata
        .tensors()
        .into_iter()
        .map(|(name, info)| (name, info.clone()))
        .collect();
    let data_start = 8 + header_bytes;
    let data_bytes = tensors
        .values()
        .map(|info| info.data_offsets.1)
        .max()
        .unwrap_or(0) as u64;
    if data_start.checked_add(data_bytes) != Some(file_bytes) {
        return Err(damaged(format!(
            "its tensors need {data_bytes} bytes, but {} follow the header",
            file_bytes - data_start
        )));
    }
    Ok(Header {
        tensors,
        data_start,
    })
}

/// Finds every tensor of `specs` in the header, sorted by where it lies in the file.
fn check<'a>(
    header: &'a Header,
    family: Family,
    specs: &'a [WeightSpec],
    path: &Path,
) -> Result<BTreeMap<u64, WantedTensor<'a>>, ModelError> {
    // A checkpoint of the model within its head has a prefix that one of the model alone lacks.
    let prefix = family.prefix();
    let key = |name: &str| {
        let has = |name: &str| header.tensors.contains_key(name);
        let bare = name.strip_prefix(prefix).unwrap_or(name);
        let prefixed = format!("{prefix}{bare}");
        match (has(name), has(bare), has(&prefixed)) {
            (false, true, _) => bare.to_owned(),
            (false, false, true) => prefixed,
            _ => name.to_owned(),
        }
    };
    let mut wanted = BTreeMap::new();
    for WeightSpec { name, shape } in specs {
        let info = header
            .tensors
            .get(&key(name))
            .ok_or_else(|| ModelError::MissingTensor {
                path: path.to_owned(),
                name: key(name),
            })?;
        if &info.shape != shape {
            return Err(ModelError::WrongShape {
                path: path.to_owned(),
                name: key(name),
                got: info.shape.clone(),
                expected: shape.clone(),
            });
        }
        let dtype = match info.dtype {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            other => {
                return Err(ModelError::WrongDtype {
                    path: path.to_owned(),
                    name: key(name),
                    got: format!("{other:?}"),
                });
            }
        };
        wanted.insert(
            info.data_offsets.0 as u64,
            WantedTensor { name, info, dtype },
        );
    }
    warn_of_extras(header, specs.iter().map(|spec| key(&spec.name)).collect());
    Ok(wanted)
}

fn warn_of_extras(header: &Header, known: BTreeSet<String>) {
    for name in header.tensors.keys() {
        if !known.contains(name) && !is_computed(name) && name != "lm_head.weight" {
            tracing::warn!("the checkpoint's tensor {name:?} is not part of the model; ignored");
        }
    }
}

/// Whether a tensor holds nothing learned, such as a mask, which old checkpoints keep.
fn is_computed(name: &str) -> bool {
    const ENDINGS: [&str; 6] = [
        ".attn.bias",
        ".attn.masked_bias",
        ".attention.bias",
        ".attention.masked_bias",
        ".rotary_emb.inv_freq",
        ".rotary_emb.cos_cached",
    ];
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}
