//! Where a model comes from, and what computes it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::fs::{self, File};
use std::io::{BufReader, Cursor};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use candle_core::{DType, Device};

use super::checkpoint;
use super::error::ModelError;
use super::hub::{Extent, HubName};
use super::memory::Need;
use super::tensors::Stored;
use super::tokenizer::Tokenizer;
use super::{Watch, hub};
use crate::config::ModelConfig;

/// The embedded model's files, so that the program runs from any directory.
const DEMO_CONFIG: &str = include_str!("../../assets/demo/config.json");
const DEMO_WEIGHTS: &[u8] = include_bytes!("../../assets/demo/model.safetensors");
const DEMO_TOKENIZER: &[u8] = include_bytes!("../../assets/demo/tokenizer.json");

/// Where a model comes from; prints as it is written on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum ModelSource {
    /// The small model within the program.
    #[default]
    Demo,
    /// A folder with `config.json`, `model.safetensors` and, for text, `tokenizer.json`.
    Folder(PathBuf),
    /// A repository of the Hugging Face Hub, or a GGUF file of one.
    Hub(HubName),
    /// A name that is neither.
    Unknown(String),
}

/// What computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ComputeDevice {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA GPU; needs the cargo feature `cuda`.
    Cuda,
    /// An Apple GPU; needs the cargo feature `metal`.
    Metal,
}

/// The precision of weights and arithmetic; recorded values are always f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits, IEEE.
    F16,
    /// 16 bits, brain float.
    Bf16,
}

impl FromStr for ModelSource {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Infallible> {
        let path = Path::new(name);
        let looks_like_path =
            path.is_absolute() || name.starts_with('.') || name.ends_with(['/', '\\']);
        if name == "demo" {
            return Ok(Self::Demo);
        }
        if looks_like_path || path.exists() {
            return Ok(Self::Folder(path.to_owned()));
        }
        Ok(HubName::parse(name).map_or_else(|| Self::Unknown(name.to_owned()), Self::Hub))
    }
}

impl fmt::Display for ModelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Demo => f.write_str("demo"),
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::Hub(name) => name.fmt(f),
            Self::Unknown(name) => f.write_str(name),
        }
    }
}

impl ComputeDevice {
    pub(super) fn open(self) -> Result<Device, ModelError> {
        let (name, opened) = match self {
            Self::Cpu => return Ok(Device::Cpu),
            Self::Cuda => ("cuda", Device::new_cuda(0)),
            Self::Metal => ("metal", Device::new_metal(0)),
        };
        opened.map_err(|error| ModelError::Device {
            device: name.to_owned(),
            reason: error.to_string().lines().next().unwrap_or("").to_owned(),
        })
    }
}

impl Precision {
    pub(super) fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::F16 => DType::F16,
            Self::Bf16 => DType::BF16,
        }
    }
}

/// The files of a model, found.
pub(super) enum ModelFiles {
    Demo,
    Folder(PathBuf),
}

impl ModelSource {
    /// The revision asked for, of a model on the Hub.
    pub fn revision(&self) -> Option<&str> {
        match self {
            Self::Hub(name) => name.revision.as_deref(),
            Self::Demo | Self::Folder(_) | Self::Unknown(_) => None,
        }
    }

    /// Reads the model's shape, without its weights.
    ///
    /// # Errors
    ///
    /// If there is no such model or its `config.json` can't be used.
    pub fn read_config(&self, is_offline: bool) -> Result<ModelConfig, ModelError> {
        self.open(is_offline, Extent::Config, &mut |_| Ok(()))?
            .config()
    }

    pub(super) fn open(
        &self,
        is_offline: bool,
        extent: Extent,
        watch: &mut Watch,
    ) -> Result<ModelFiles, ModelError> {
        match self {
            Self::Demo => Ok(ModelFiles::Demo),
            Self::Folder(folder) => Ok(ModelFiles::Folder(folder.clone())),
            Self::Hub(name) => {
                let fetched = hub::fetch(name, extent, is_offline, watch)?;
                Self::Folder(fetched).open(is_offline, extent, watch)
            }
            Self::Unknown(name) => Err(ModelError::NoSuchModel(name.clone())),
        }
    }
}

impl ModelFiles {
    fn path(&self, file: &str) -> PathBuf {
        match self {
            Self::Demo => Path::new("the embedded model").join(file),
            Self::Folder(folder) => folder.join(file),
        }
    }

    /// Opens a file that must be there.
    fn needed(&self, file: &'static str) -> Result<PathBuf, ModelError> {
        let path = self.path(file);
        match (self, path.try_exists()) {
            (Self::Folder(folder), Ok(false)) => Err(ModelError::NoFile {
                folder: folder.clone(),
                file,
            }),
            (_, Err(source)) => Err(ModelError::Read { path, source }),
            _ => Ok(path),
        }
    }

    pub(super) fn config(&self) -> Result<ModelConfig, ModelError> {
        let text: Cow<'_, str> = match self {
            Self::Demo => DEMO_CONFIG.into(),
            Self::Folder(_) => {
                let path = self.needed("config.json")?;
                fs::read_to_string(&path)
                    .map_err(|source| ModelError::Read { path, source })?
                    .into()
            }
        };
        ModelConfig::from_json(&text).map_err(|source| ModelError::Config {
            path: self.path("config.json"),
            source,
        })
    }

    pub(super) fn read_weights(
        &self,
        config: &ModelConfig,
        dtype: DType,
        device: &Device,
        progress: &mut Watch,
    ) -> Result<HashMap<String, Stored>, ModelError> {
        let specs = config.weights();
        let family = config.family;
        // Weights on a GPU take no memory of the processor's.
        let fits = |largest_tensor: u64| match device {
            Device::Cpu => Need::of(config, dtype).check(largest_tensor),
            _ => Ok(()),
        };
        match self {
            Self::Demo => {
                let path = self.path("model.safetensors");
                let file = Cursor::new(DEMO_WEIGHTS);
                checkpoint::read(file, &path, family, &specs, &fits, dtype, device, progress)
            }
            Self::Folder(_) => {
                let path = self.needed("model.safetensors")?;
                match File::open(&path) {
                    Ok(file) => {
                        let file = BufReader::with_capacity(1 << 16, file);
                        checkpoint::read(
                            file, &path, family, &specs, &fits, dtype, device, progress,
                        )
                    }
                    Err(source) => Err(ModelError::Read { path, source }),
                }
            }
        }
    }

    /// The tokenizer, or none where the folder has no `tokenizer.json`.
    pub(super) fn tokenizer(&self) -> Result<Option<Tokenizer>, ModelError> {
        let path = self.path("tokenizer.json");
        let bytes: Cow<'_, [u8]> = match self {
            Self::Demo => DEMO_TOKENIZER.into(),
            Self::Folder(_) if !path.exists() => return Ok(None),
            Self::Folder(_) => match fs::read(&path) {
                Ok(bytes) => bytes.into(),
                Err(source) => return Err(ModelError::Read { path, source }),
            },
        };
        match Tokenizer::from_json(&bytes) {
            Ok(tokenizer) => Ok(Some(tokenizer)),
            Err(reason) => Err(ModelError::BadTokenizer { path, reason }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_name_says_where_the_model_is() {
        let source = |name: &str| name.parse::<ModelSource>().unwrap();
        let hub = |name: &str| ModelSource::Hub(HubName::parse(name).unwrap());

        assert_eq!(source("demo"), ModelSource::Demo);
        assert_eq!(source("./demo"), ModelSource::Folder("./demo".into()));
        assert_eq!(source("src"), ModelSource::Folder("src".into()));
        for name in ["openai-community/gpt2", "a/b.c_d@v1", "a/b/c.gguf"] {
            assert_eq!(source(name), hub(name));
        }
        for name in [
            "",
            "nonsense",
            "a/b/c",
            "a//b",
            "../..x/y z",
            "a/b@",
            "a/.b",
        ] {
            let parsed = source(name);
            assert!(!matches!(parsed, ModelSource::Hub(_)), "{parsed:?}");
        }
    }

    #[test]
    fn a_source_prints_as_it_was_written() {
        for name in [
            "demo",
            "./some folder",
            "org/name",
            "org/name@rev",
            "org/name/file.gguf@rev",
            "nonsense",
        ] {
            assert_eq!(name.parse::<ModelSource>().unwrap().to_string(), name);
        }
    }
}
