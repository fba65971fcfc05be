//! Why a model can't be loaded or run.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::hub::HubError;
use super::memory::in_words;
use crate::ablation::AblationError;
use crate::attribution::TargetError;
use crate::config::ConfigError;
use crate::hook::HookPoint;

/// Why a model can't be loaded or run. Each message names the file, the field or tensor, the cause
/// and, where there is one, the remedy.
#[derive(Debug, Error)]
pub enum ModelError {
    /// A file can't be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder has no file of a name that is needed.
    #[error(
        "{} has no {file}; a model is a folder with config.json and weights (model.safetensors, its \
         shards and index, or pytorch_model.bin), or one .gguf file",
        folder.display()
    )]
    NoFile {
        /// The folder.
        folder: PathBuf,
        /// The file it lacks.
        file: String,
    },
    /// What describes the model can't be used: `config.json`, or a GGUF file's header.
    #[error("cannot use {}: {source}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The field and the fault.
        source: ConfigError,
    },
    /// A weights file is damaged or not what its name says.
    #[error("{} is not a whole weights file: {reason}; it may be cut short, fetch it again", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file asks for something that is not implemented.
    #[error("cannot use {}: {reason}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it asks for, and what to do.
        reason: String,
    },
    /// A tensor that the model's shape calls for is absent.
    #[error("{} has no tensor {name:?}, which the model's config calls for", path.display())]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
    },
    /// A tensor's shape is not what the model's shape calls for.
    #[error("tensor {name:?} in {} has shape {got:?}, but the model's config calls for {expected:?}", path.display())]
    WrongShape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its shape.
        got: Vec<usize>,
        /// The shape it should have.
        expected: Vec<usize>,
    },
    /// A tensor's numbers are of a kind that can't be computed with.
    #[error(
        "tensor {name:?} in {} holds {got}; F32, F16 and BF16 can be read, and in GGUF files Q4_0 to \
         Q8_0 and Q2_K to Q6_K",
        path.display()
    )]
    WrongDtype {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its number format.
        got: String,
    },
    /// The model needs more memory than there is.
    #[error(
        "the model needs {} of memory ({} of it weights) and {} are available; \
         close other programs, choose a smaller model, or try --dtype bf16 or q8_0",
        in_words(*needed), in_words(*weights), in_words(*available)
    )]
    TooLarge {
        /// Bytes it needs: weights, what reading them takes beside, and a short text.
        needed: u64,
        /// Bytes of its weights.
        weights: u64,
        /// Bytes that are available.
        available: u64,
    },
    /// A part can't be set to zero.
    #[error(transparent)]
    Ablation(#[from] AblationError),
    /// There is no such target.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A way of no steps leads nowhere.
    #[error("integrated gradients need at least one step")]
    NoSteps,
    /// A pass did not record what is asked of it.
    #[error("the pass recorded no {hook} at position {pos}, which the attribution needs")]
    NotRecorded {
        /// What is missing.
        hook: HookPoint,
        /// Where.
        pos: usize,
    },
    /// `tokenizer.json` can't be used.
    #[error("cannot use {}: {reason}", path.display())]
    BadTokenizer {
        /// The file.
        path: PathBuf,
        /// What the tokenizer said.
        reason: String,
    },
    /// Text was given to a model without a tokenizer.
    #[error("the model has no tokenizer.json, so text means nothing to it; give --tokens instead")]
    NoTokenizer,
    /// The tokenizer failed on a text.
    #[error("the tokenizer failed: {0}")]
    Tokenize(String),
    /// The prompt has no tokens.
    #[error("the prompt is empty and the model has no token that begins a text; give it some text")]
    EmptyPrompt,
    /// A token is not of the vocabulary.
    #[error("token {token} is unknown; the model's tokens go from 0 to {}", d_vocab - 1)]
    UnknownToken {
        /// The token.
        token: u32,
        /// How many tokens there are.
        d_vocab: usize,
    },
    /// The text is longer than the model can read.
    #[error("the text has {n_tokens} tokens, but the model reads at most {n_ctx}; shorten it")]
    ContextFull {
        /// Tokens of the text.
        n_tokens: usize,
        /// Tokens the model can read.
        n_ctx: usize,
    },
    /// No next token can be chosen.
    #[error(
        "{count} of the {d_vocab} logits are not numbers, so no next token can be chosen; \
         the weights are probably damaged (trace and view still show where)"
    )]
    NotFinite {
        /// How many logits are NaN or plus infinity.
        count: usize,
        /// How many logits there are.
        d_vocab: usize,
    },
    /// The sampler's settings make no sense.
    #[error("{0}")]
    BadSampler(String),
    /// The model was asked for by a name that is neither a folder or file nor a Hub name.
    #[error(
        "no model {0:?}: it is no folder or file here, nor a Hub name such as openai-community/gpt2 (or \
         org/name/file.gguf for one of several GGUF files)"
    )]
    NoSuchModel(String),
    /// A file could not be had from the Hub.
    #[error(transparent)]
    Hub(HubError),
    /// The device can't be used.
    #[error("cannot compute on {device}: {reason}; try --device cpu")]
    Device {
        /// The device asked for.
        device: String,
        /// What is wrong.
        reason: String,
    },
    /// The pass was stopped on request.
    #[error("stopped")]
    Stopped,
    /// Arithmetic failed.
    #[error("the computation failed: {0}")]
    Compute(#[from] candle_core::Error),
}

impl From<HubError> for ModelError {
    fn from(error: HubError) -> Self {
        match error {
            HubError::Stopped => Self::Stopped,
            error => Self::Hub(error),
        }
    }
}

impl ModelError {
    /// Whether the fault lies with the model's files rather than with what was asked of it.
    pub fn is_unusable_model(&self) -> bool {
        matches!(
            self,
            Self::Read { .. }
                | Self::NoFile { .. }
                | Self::Config { .. }
                | Self::Checkpoint { .. }
                | Self::Unsupported { .. }
                | Self::MissingTensor { .. }
                | Self::WrongShape { .. }
                | Self::WrongDtype { .. }
                | Self::TooLarge { .. }
                | Self::BadTokenizer { .. }
                | Self::NotFinite { .. }
                | Self::NoSuchModel(_)
                | Self::Hub(_)
        )
    }
}
