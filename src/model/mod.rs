//! Reads weights and tokens, runs the forward pass, and hands every value at a
//! [`HookPoint`] to a [`Recorder`].
//!
//! The only room that knows candle and tokenizers.

mod ablated;
mod checkpoint;
mod direct;
mod error;
mod files;
mod gradients;
mod heap;
mod hub;
mod integration;
mod kernel;
mod lens;
mod memory;
mod net;
mod numbers;
mod progress;
mod recorder;
mod sampler;
mod sizes;
mod source;
mod tensors;
mod tokenizer;
mod weights;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use ablated::Ablated;
pub use error::ModelError;
use hub::Extent;
pub use hub::{HubError, HubName};
pub use integration::Integration;
pub use memory::{MEMORY_VARIABLE, available_memory};
pub use net::{KvCaches, Net};
pub use progress::{LoadProgress, LoadStage, Pace};
use recorder::Capture;
pub use recorder::Recorder;
pub use sampler::{Sampler, SamplerSettings};
pub use sizes::TensorBytes;
pub use source::{ComputeDevice, ModelSource, Precision};
pub use tensors::Stored;
use tensors::{by_columns, is_in_out};
pub use tokenizer::{TextStream, Tokenizer};
pub use weights::Weights;

use crate::ablation::Ablation;
use crate::config::ModelConfig;
use crate::hook::HookPoint;
use crate::trace::{Activation, Vocab};

/// Is told how far loading has come, and ends it with an error of its own.
type Watch<'a> = dyn FnMut(LoadProgress) -> Result<(), ModelError> + 'a;

/// Where and how a model is to be loaded.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LoadSettings {
    /// What computes.
    pub device: ComputeDevice,
    /// The precision of weights and arithmetic.
    pub precision: Precision,
    /// Whether the Hub may be asked; when `true` only files already fetched are used.
    pub is_offline: bool,
}

/// Leaves one of the processor's cores to others, from now on and for every model, where it has several:
/// so frames are drawn while a model computes.
///
/// Only what kernels compute keeps to it: f32 and Q8_0 on the processor, which is nearly all.
pub fn leave_a_core() {
    let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
    kernel::limit_threads(n_cores - 1);
}

/// A checkpoint in memory, ready to run.
pub struct Model {
    name: String,
    config: ModelConfig,
    net: Net,
    tokenizer: Option<Tokenizer>,
    vocab: Vocab,
    weights: Option<Arc<Weights>>,
    device: Device,
}

/// A text in progress: the keys and values of the positions already computed.
#[derive(Clone, Debug)]
pub struct Session {
    caches: KvCaches,
    n_pos: usize,
    /// What is set to zero in every pass.
    ablations: Arc<[Ablation]>,
}

impl Session {
    /// How many positions have been computed.
    pub fn n_pos(&self) -> usize {
        self.n_pos
    }

    /// What is set to zero in every pass.
    pub fn ablations(&self) -> &[Ablation] {
        &self.ablations
    }
}

impl Model {
    /// Reads the checkpoint at `source`, telling `progress` from time to time.
    ///
    /// Everything is checked against the tensor headers, and what it takes against the memory there
    /// is, before a weight is read.
    ///
    /// # Errors
    ///
    /// Says which file and which field or tensor can't be used, and why.
    pub fn load(
        source: &ModelSource,
        settings: &LoadSettings,
        progress: &mut dyn FnMut(LoadProgress),
    ) -> Result<Self, ModelError> {
        Self::load_watched(source, settings, &mut |so_far| {
            progress(so_far);
            ControlFlow::Continue(())
        })
    }

    /// As [`load`](Self::load), and stops where `watch` says so. It is asked from time to time,
    /// whether bytes have come or not; what was fetched from the Hub is kept.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load); [`ModelError::Stopped`] if it was stopped.
    pub fn load_watched(
        source: &ModelSource,
        settings: &LoadSettings,
        watch: &mut dyn FnMut(LoadProgress) -> ControlFlow<()>,
    ) -> Result<Self, ModelError> {
        let progress: &mut Watch = &mut |progress| match watch(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(ModelError::Stopped),
        };
        let device = settings.device.open()?;
        let files = source.open(settings.is_offline, Extent::Everything, progress)?;
        let config = files.config()?;
        let tokenizer = files.tokenizer()?;
        if let Some(tokenizer) = &tokenizer
            && tokenizer.n_ids() > config.d_vocab
        {
            tracing::warn!(
                "the tokenizer has tokens up to {}, but the model's end at {}; text with the others \
                 cannot be read",
                tokenizer.n_ids() - 1,
                config.d_vocab - 1
            );
        }
        let plan = settings.precision.plan(&device);
        let weights = files.read_weights(&config, plan, progress)?;
        heap::keep_freed();
        let net = Net::load(&config, &weights)?;
        let vocab = tokenizer
            .as_ref()
            .map_or_else(Vocab::default, |tokenizer| tokenizer.vocab(config.d_vocab));
        Ok(Self {
            name: source.to_string(),
            net,
            tokenizer,
            vocab,
            weights: Some(Arc::new(Weights::new(&config, weights))),
            config,
            device,
        })
    }

    /// A model of weights made elsewhere, such as random ones: the tensors of
    /// [`ModelConfig::weights`] by their names. It has no tokenizer.
    ///
    /// # Errors
    ///
    /// If a tensor is missing or has another shape.
    pub fn from_tensors(
        name: &str,
        config: ModelConfig,
        tensors: HashMap<String, Tensor>,
        device: Device,
    ) -> Result<Self, ModelError> {
        let tensors = tensors.into_iter().map(|(name, tensor)| {
            let is_in_out = tensor.rank() == 2 && is_in_out(config.family, &name);
            let tensor = match is_in_out {
                true => by_columns(tensor)?,
                false => tensor,
            };
            Ok((name, tensor.into()))
        });
        let tensors = tensors.collect::<candle_core::Result<HashMap<_, _>>>()?;
        let net = Net::load(&config, &tensors)?;
        Ok(Self {
            weights: Some(Arc::new(Weights::new(&config, tensors))),
            ..Self::from_net(name, config, net, device)
        })
    }

    /// Wraps a net made elsewhere, such as one in training; it has no tokenizer, and its weights
    /// can't be looked at.
    pub fn from_net(name: &str, config: ModelConfig, net: Net, device: Device) -> Self {
        Self {
            name: name.to_owned(),
            config,
            net,
            tokenizer: None,
            vocab: Vocab::default(),
            weights: None,
            device,
        }
    }

    /// What it was asked for as: `demo`, a folder, or a name on the Hub.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its shape.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The text of each token; empty without a tokenizer.
    pub fn vocab(&self) -> &Vocab {
        &self.vocab
    }

    /// Turns text into tokens and back, if the checkpoint came with a tokenizer.
    pub fn tokenizer(&self) -> Option<&Tokenizer> {
        self.tokenizer.as_ref()
    }

    /// Its weights, to be looked at; none for a net made elsewhere.
    pub fn weights(&self) -> Option<&Arc<Weights>> {
        self.weights.as_ref()
    }

    /// The tokens of a prompt. An empty prompt is the token that begins a text.
    ///
    /// # Errors
    ///
    /// If there is no tokenizer, or the prompt is empty and the model knows no first token, or it
    /// does not fit the context.
    pub fn encode_prompt(&self, prompt: &str) -> Result<Vec<u32>, ModelError> {
        let tokenizer = self.tokenizer.as_ref().ok_or(ModelError::NoTokenizer)?;
        let mut tokens = tokenizer.encode(prompt)?;
        if tokens.is_empty() {
            tokens.push(self.config.bos_token_id.ok_or(ModelError::EmptyPrompt)?);
        }
        self.check_tokens(&tokens, 0)?;
        Ok(tokens)
    }

    /// Begins a text.
    pub fn session(&self) -> Session {
        Session {
            caches: KvCaches::new(&self.config),
            n_pos: 0,
            ablations: Arc::new([]),
        }
    }

    /// Begins a text in whose passes these parts are set to zero.
    ///
    /// # Errors
    ///
    /// If the model has no such part.
    pub fn session_without(&self, ablations: &[Ablation]) -> Result<Session, ModelError> {
        for ablation in ablations {
            ablation.check(&self.config)?;
        }
        Ok(Session {
            ablations: ablations.into(),
            ..self.session()
        })
    }

    /// Computes the next positions, `tokens`, telling `on_value` each value as the pass reaches it
    /// (`ControlFlow::Break` stops the pass), and returns the last position's logits.
    ///
    /// When it fails or is stopped the session is as it was before.
    ///
    /// # Errors
    ///
    /// If a token is not of the vocabulary, the context is full, or the pass was stopped.
    pub fn run(
        &self,
        session: &mut Session,
        tokens: &[u32],
        on_value: &mut dyn FnMut(HookPoint, Activation) -> ControlFlow<()>,
    ) -> Result<Vec<f32>, ModelError> {
        self.run_some(session, tokens, &|_| true, on_value)
    }

    /// As [`run`](Self::run), telling the values at some hook points alone. Logits that are not wanted
    /// are not computed, but for the last position's.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_some(
        &self,
        session: &mut Session,
        tokens: &[u32],
        is_wanted: &dyn Fn(HookPoint) -> bool,
        on_value: &mut dyn FnMut(HookPoint, Activation) -> ControlFlow<()>,
    ) -> Result<Vec<f32>, ModelError> {
        let mut capture = Capture {
            is_wanted,
            on_value,
            is_stopped: false,
        };
        match self.run_recorded(session, tokens, &mut capture) {
            Err(_) if capture.is_stopped => Err(ModelError::Stopped),
            result => result,
        }
    }

    /// As [`run`](Self::run), with any recorder; `()` records nothing.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_recorded(
        &self,
        session: &mut Session,
        tokens: &[u32],
        recorder: &mut impl Recorder,
    ) -> Result<Vec<f32>, ModelError> {
        self.check_tokens(tokens, session.n_pos)?;
        let input = Tensor::new(tokens, &self.device)?.unsqueeze(0)?; // [1, pos]
        // The clone shares its numbers: appending to it never changes what the session has read.
        let mut caches = session.caches.clone();
        let mut recorder = Ablated {
            ablations: &session.ablations,
            inner: recorder,
        };
        let logits = self.net.forward(&input, &mut caches, &mut recorder)?; // [1, pos, d_vocab]
        let last = logits
            .get(0)?
            .get(logits.dim(1)? - 1)?
            .to_dtype(DType::F32)?
            .to_vec1()?; // [d_vocab]
        session.caches = caches;
        session.n_pos += tokens.len();
        Ok(last)
    }

    fn check_tokens(&self, tokens: &[u32], n_before: usize) -> Result<(), ModelError> {
        if tokens.is_empty() {
            return Err(ModelError::EmptyPrompt);
        }
        if let Some(&token) = tokens
            .iter()
            .find(|token| **token as usize >= self.config.d_vocab)
        {
            return Err(ModelError::UnknownToken {
                token,
                d_vocab: self.config.d_vocab,
            });
        }
        let n_tokens = n_before + tokens.len();
        if n_tokens > self.config.n_ctx {
            return Err(ModelError::ContextFull {
                n_tokens,
                n_ctx: self.config.n_ctx,
            });
        }
        Ok(())
    }
}
