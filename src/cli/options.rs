//! Options that several commands share.

pub(super) mod picture;

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};

pub use picture::{ColorByArg, PictureArgs, Size, ThemeArg};

use super::bytes::ByteSize;
use super::error::CliError;
use super::prompt::PromptArgs;
use crate::ablation::Ablation;
use crate::config::{Family, ModelConfig};
use crate::engine::default_trace_memory;
use crate::model::{
    ComputeDevice, LoadSettings, ModelSource, Precision, SamplerSettings, TensorBytes,
};

/// Which model.
#[derive(Clone, Debug, Args)]
pub struct ModelArgs {
    /// The model: `demo` (within the program), a folder, a file such as `model.gguf`, or a Hub name
    /// such as `openai-community/gpt2-medium`, with `@revision` for another than the main one, or
    /// `org/name/file.gguf` for one file
    #[arg(long, value_name = "MODEL", default_value_t, hide_default_value = true)]
    pub model: ModelSource,
    /// Instead of a model, the shape alone of a published one, such as `gpt2` or `llama-3-8b`; `--help`
    /// lists them
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with = "model",
        hide_possible_values = true,
        long_help = arch_help(),
        value_parser = PossibleValuesParser::new(ModelConfig::preset_names())
    )]
    pub arch: Option<String>,
    /// The precision of weights and arithmetic
    #[arg(long, value_name = "DTYPE", default_value = "auto")]
    pub dtype: DtypeArg,
    /// Use only files already fetched from the Hub
    #[arg(long)]
    pub offline: bool,
}

/// The names of shapes, a line for each family.
fn arch_help() -> String {
    let mut help = "Instead of a model, the shape alone of a published one:\n".to_owned();
    for family in Family::ALL {
        let names = ModelConfig::preset_names()
            .filter(|name| ModelConfig::preset(name).is_some_and(|config| config.family == family));
        let names: Vec<&str> = names.collect();
        write!(help, "\n{}: {}", family.name(), names.join(", ")).expect("a string takes all text");
    }
    help
}

/// Which model, and what it is to read.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Which model.
    #[command(flatten)]
    pub model: ModelArgs,
    /// What it is to read.
    #[command(flatten)]
    pub prompt: PromptArgs,
    /// What computes
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: DeviceArg,
    /// The same seed and settings choose the same tokens
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Memory for a text's values, such as 500MB or 2GB; what goes beyond is kept in a temporary file,
    /// and no bit of it is lost [default: half of what is available]
    #[arg(long, value_name = "SIZE")]
    pub trace_memory: Option<ByteSize>,
}

/// What is shown in place of a model.
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// In place of a model, a file that `trace` or the window has saved: it is shown again, with no
    /// weights and nothing computed
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = [
            "model", "arch", "dtype", "offline", "prompt", "prompt_file", "tokens", "device", "seed",
        ]
    )]
    pub trace: Option<PathBuf>,
}

/// How the next token is chosen.
#[derive(Clone, Debug, Args)]
pub struct SamplerArgs {
    /// Divides the logits; 0 takes the most probable token
    #[arg(
        long,
        value_name = "T",
        default_value_t = 0.0,
        allow_negative_numbers = true
    )]
    pub temperature: f64,
    /// Choose among the K most probable tokens
    #[arg(long, value_name = "K")]
    pub top_k: Option<usize>,
    /// Choose among the most probable tokens that together reach probability P
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub top_p: Option<f64>,
}

/// What computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeviceArg {
    /// The processor
    Cpu,
    /// An NVIDIA GPU
    Cuda,
    /// An Apple GPU
    Metal,
}

/// The precision of weights and arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DtypeArg {
    /// 32 bits, and quantised weights as their file has them
    Auto,
    /// 32 bits
    F32,
    /// 16 bits, IEEE
    F16,
    /// 16 bits, brain float
    Bf16,
    /// Matrices in 8 bits, or as their file has them quantised; all else in 32
    #[value(name = "q8_0")]
    Q8_0,
}

impl ModelArgs {
    /// The shape asked for in place of a model.
    pub fn arch(&self) -> Option<ModelConfig> {
        ModelConfig::preset(self.arch.as_deref()?)
    }

    /// The shape, from a preset or from the model's `config.json`.
    ///
    /// # Errors
    ///
    /// If there is no such model or its `config.json` can't be used.
    pub fn config(&self) -> Result<ModelConfig, CliError> {
        match self.arch() {
            Some(config) => Ok(config),
            None => Ok(self.model.read_config(self.offline)?),
        }
    }

    /// The shape, and what its tensors take in memory.
    ///
    /// # Errors
    ///
    /// If there is no such model or what describes it can't be used.
    pub fn sizes(&self) -> Result<(ModelConfig, TensorBytes), CliError> {
        let precision = Precision::from(self.dtype);
        match self.arch() {
            Some(config) => {
                let bytes = precision.tensor_bytes(&config);
                Ok((config, bytes))
            }
            None => Ok(self.model.read_sizes(self.offline, precision)?),
        }
    }

    /// The precision of the weights; `stored` where tensors differ in it.
    pub fn dtype_name(&self, sizes: &TensorBytes) -> &'static str {
        match self.dtype {
            DtypeArg::Auto if sizes.has_stored_blocks() => "stored",
            dtype => dtype.name(),
        }
    }

    /// The name asked for, of a model or of a shape.
    pub fn name(&self) -> String {
        self.arch.clone().unwrap_or_else(|| self.model.to_string())
    }

    /// Refuses a shape without weights where `command` has to compute.
    ///
    /// # Errors
    ///
    /// If `--arch` was given.
    pub fn require_weights(&self, command: &str) -> Result<(), CliError> {
        match &self.arch {
            None => Ok(()),
            Some(arch) => Err(CliError::Usage(format!(
                "--arch {arch} is a shape without weights, so {command} has nothing to compute; \
                 give --model instead"
            ))),
        }
    }
}

/// Refuses parts that a model of this shape does not have.
pub(super) fn check_ablations(parts: &[Ablation], config: &ModelConfig) -> Result<(), CliError> {
    for part in parts {
        let checked = part.check(config);
        checked.map_err(|error| CliError::Usage(format!("--ablate {part}: {error}")))?;
    }
    Ok(())
}

impl RunArgs {
    /// Bytes for the values of a text.
    pub fn trace_memory_budget(&self) -> u64 {
        self.trace_memory
            .map_or_else(default_trace_memory, |size| size.0)
    }

    /// Where and how the model is to be loaded.
    pub fn load_settings(&self) -> LoadSettings {
        LoadSettings {
            device: self.device.into(),
            precision: self.model.dtype.into(),
            is_offline: self.model.offline,
        }
    }
}

impl SamplerArgs {
    /// The sampler's settings, with the seed of [`RunArgs`].
    pub fn settings(&self, seed: u64) -> SamplerSettings {
        SamplerSettings {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            seed,
        }
    }
}

impl DtypeArg {
    /// The name as given.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto | Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Q8_0 => "q8_0",
        }
    }
}

impl From<DtypeArg> for Precision {
    fn from(dtype: DtypeArg) -> Self {
        match dtype {
            DtypeArg::Auto => Self::Auto,
            DtypeArg::F32 => Self::F32,
            DtypeArg::F16 => Self::F16,
            DtypeArg::Bf16 => Self::Bf16,
            DtypeArg::Q8_0 => Self::Q8_0,
        }
    }
}

impl From<DeviceArg> for ComputeDevice {
    fn from(device: DeviceArg) -> Self {
        match device {
            DeviceArg::Cpu => Self::Cpu,
            DeviceArg::Cuda => Self::Cuda,
            DeviceArg::Metal => Self::Metal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_lists_every_shape_once_under_its_family() {
        let help = arch_help();

        let lines: Vec<&str> = help.lines().skip(2).collect();
        assert_eq!(lines.len(), Family::ALL.len());
        assert!(lines[0].starts_with("gpt2: distilgpt2, gpt2,"), "{help}");
        let n_named: usize = lines.iter().map(|line| line.split(", ").count()).sum();
        assert_eq!(n_named, ModelConfig::preset_names().count());
    }
}
