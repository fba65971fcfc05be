//! Where a model comes from, and what computes it.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use candle_core::quantized::GgmlDType;
use candle_core::{DType, Device};

use super::checkpoint::{self, ReadPlan};
use super::error::ModelError;
use super::files::ModelFiles;
use super::hub::{Extent, HubName};
use super::sizes::TensorBytes;
use super::{Watch, hub};
use crate::config::ModelConfig;

/// Endings that make a name a file's, whether it is there or not.
const FILE_ENDINGS: [&str; 2] = [".gguf", ".safetensors"];

/// Where a model comes from; prints as it is written on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum ModelSource {
    /// The small model within the program.
    #[default]
    Demo,
    /// A folder with `config.json`, weights and, for text, `tokenizer.json`; or with one `.gguf` file.
    Folder(PathBuf),
    /// A file of weights: `.gguf`, or another with its `config.json` beside it.
    File(PathBuf),
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
    /// 32 bits, and quantised weights as their file has them.
    #[default]
    Auto,
    /// 32 bits.
    F32,
    /// 16 bits, IEEE.
    F16,
    /// 16 bits, brain float.
    Bf16,
    /// Matrices in 8 bits a number, in blocks of 32 with one scale each, or as their file has them
    /// quantised; all else in 32 bits.
    Q8_0,
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
        if let Some(hub_name) = HubName::parse(name).filter(|hub_name| hub_name.file.is_some())
            && !path.exists()
        {
            return Ok(Self::Hub(hub_name));
        }
        let lower = name.to_ascii_lowercase();
        if FILE_ENDINGS.iter().any(|ending| lower.ends_with(ending)) && !path.is_dir()
            || path.is_file()
        {
            return Ok(Self::File(path.to_owned()));
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
            Self::Folder(path) | Self::File(path) => write!(f, "{}", path.display()),
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
    /// What was asked for.
    fn asked(self) -> Option<DType> {
        match self {
            Self::Auto | Self::Q8_0 => None,
            Self::F32 => Some(DType::F32),
            Self::F16 => Some(DType::F16),
            Self::Bf16 => Some(DType::BF16),
        }
    }

    /// What each tensor takes in memory, of a model of this shape that is stored as plain numbers.
    pub fn tensor_bytes(self, config: &ModelConfig) -> TensorBytes {
        checkpoint::plain_bytes(config, self.plan(&Device::Cpu))
    }

    /// How weights are to be kept on a device.
    pub(super) fn plan(self, device: &Device) -> ReadPlan<'_> {
        ReadPlan {
            dtype: self.asked(),
            quantized: self.quantized(),
            device,
        }
    }

    /// What matrices of plain numbers are to become.
    fn quantized(self) -> Option<GgmlDType> {
        (self == Self::Q8_0).then_some(GgmlDType::Q8_0)
    }
}

impl ModelSource {
    /// The revision asked for, of a model on the Hub.
    pub fn revision(&self) -> Option<&str> {
        match self {
            Self::Hub(name) => name.revision.as_deref(),
            Self::Demo | Self::Folder(_) | Self::File(_) | Self::Unknown(_) => None,
        }
    }

    /// Reads the model's shape, without its weights.
    ///
    /// # Errors
    ///
    /// If there is no such model or what describes it can't be used.
    pub fn read_config(&self, is_offline: bool) -> Result<ModelConfig, ModelError> {
        self.open(is_offline, Extent::Config, &mut |_| Ok(()))?
            .config()
    }

    /// Reads the model's shape, and what each tensor will take in memory.
    ///
    /// # Errors
    ///
    /// If there is no such model or what describes it can't be used.
    pub fn read_sizes(
        &self,
        is_offline: bool,
        precision: Precision,
    ) -> Result<(ModelConfig, TensorBytes), ModelError> {
        let files = self.open(is_offline, Extent::Config, &mut |_| Ok(()))?;
        let config = files.config()?;
        let bytes = files.kept_bytes(&config, precision.plan(&Device::Cpu))?;
        Ok((config, bytes))
    }

    pub(super) fn open(
        &self,
        is_offline: bool,
        extent: Extent,
        watch: &mut Watch,
    ) -> Result<ModelFiles, ModelError> {
        match self {
            Self::Demo => Ok(ModelFiles::Demo),
            Self::Folder(folder) => ModelFiles::of_folder(folder),
            Self::File(path) => ModelFiles::of_file(path),
            Self::Hub(name) => {
                let fetched = hub::fetch(name, extent, is_offline, watch)?;
                if fetched.is_file() {
                    ModelFiles::of_file(&fetched)
                } else {
                    ModelFiles::of_folder(&fetched)
                }
            }
            Self::Unknown(name) => Err(ModelError::NoSuchModel(name.clone())),
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
        for file in [
            "models/a.gguf",
            "x.Q8_0.GGUF",
            "/m/model.safetensors",
            "Cargo.toml",
        ] {
            assert_eq!(source(file), ModelSource::File(file.into()));
        }
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
            "models/a.gguf",
            "org/name/file.gguf@rev",
            "nonsense",
        ] {
            assert_eq!(name.parse::<ModelSource>().unwrap().to_string(), name);
        }
    }
}
