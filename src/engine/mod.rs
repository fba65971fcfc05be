//! The seam: one named worker thread that owns the model, behind bounded channels.
//!
//! Requests go down, updates come up. When the reader is slow the worker waits: nothing is lost and
//! nothing piles up. What takes long and can wait, the logit lens and studies, is done in pieces while
//! no request waits. Dropping the [`EngineHandle`] ends the thread.

mod lens;
mod loading;
mod projector;
mod replay;
mod study;
mod worker;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use thiserror::Error;

pub use lens::read_lens;
pub use replay::replay;
pub use study::{Answer, GradientExtent, Question, Study};

use crate::ablation::Ablation;
use crate::config::ModelConfig;
use crate::hook::HookPoint;
use crate::model::{
    LoadProgress, LoadSettings, Model, ModelError, ModelSource, SamplerSettings, Weights,
    available_memory,
};
use crate::trace::{Activation, LensReading, Pass, SpillError, Vocab};

pub use projector::{METRICS, Projector, ProjectorError, ProjectorUpdate, VectorSource};

/// Updates the worker may be ahead of its reader.
const UPDATE_ROOM: usize = 64;
/// Requests the worker may be behind.
const REQUEST_ROOM: usize = 64;

/// The text to begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// Text, for the model's tokenizer.
    Text(String),
    /// Tokens, which need no tokenizer.
    Tokens(Vec<u32>),
}

/// What the worker is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub enum EngineRequest {
    /// Load a model. It takes the place of the one there is once it is ready, and of one that is
    /// still being loaded at once; until then the one there is answers, and without one every other
    /// request waits.
    Load {
        /// Where it is.
        source: ModelSource,
        /// How it is to be loaded.
        settings: LoadSettings,
    },
    /// Load no model any more; what was fetched for it is kept.
    CancelLoad,
    /// Begin a text: compute the prompt's positions.
    SetPrompt(Prompt),
    /// Choose how the next tokens are chosen; its random sequence begins anew.
    SetSampler(SamplerSettings),
    /// Keep the values of a text in so many bytes of memory, and what goes beyond in a temporary file;
    /// half of what is available at first. Holds from the next text on.
    SetTraceMemory(u64),
    /// Choose one token and compute its position.
    Step,
    /// Choose and compute up to this many tokens, one after the other.
    Play(usize),
    /// Stop playing, and the pass being computed.
    Stop,
    /// Read what passes computed through the logit lens, while nothing else is to be done; off at
    /// first.
    SetLens(bool),
    /// Set these parts to zero in every pass from now on, and compute the text anew from its
    /// beginning; none restores the model as it is.
    SetAblations(Vec<Ablation>),
    /// Answer a question about a text, piece by piece while nothing else is to be done.
    Study(Study),
    /// Forget the study of this id, if it is not answered yet.
    CancelStudy(u64),
}

/// What the worker has done.
#[derive(Clone, Debug)]
pub enum EngineUpdate {
    /// A model is being fetched or read.
    Loading(LoadProgress),
    /// A model is ready, and has taken the place of the one there was.
    Loaded(LoadedModel),
    /// A model is loaded no more, as was asked for; the one there was is still there.
    LoadCancelled,
    /// A model can't be loaded; the one there was is still there.
    LoadFailed(Arc<EngineError>),
    /// A pass has begun.
    PassStarted {
        /// The first position it computes.
        first_pos: usize,
        /// The tokens it computes.
        tokens: Vec<u32>,
    },
    /// The pass has reached the end of a layer, or of what lies before or after the layers: the
    /// values since the last of these updates.
    Computed {
        /// The first position of the pass.
        first_pos: usize,
        /// Values in the order the pass reached them.
        values: Vec<(HookPoint, Activation)>,
    },
    /// A pass is complete: everything it computed, sharing the numbers already sent.
    PassDone {
        /// The pass.
        pass: Arc<Pass>,
        /// The text of its tokens, where the model has a tokenizer.
        text: Option<String>,
    },
    /// Playing has ended.
    Paused(PauseReason),
    /// The end of a layer was read through the logit lens, at some positions of a complete pass.
    Lens {
        /// The layer.
        layer: usize,
        /// The first position.
        first_pos: usize,
        /// What each position from there on predicts after this layer.
        readings: Vec<LensReading>,
    },
    /// Every layer of every pass of the text so far was read through the logit lens.
    LensDone,
    /// Passes set these parts to zero from now on.
    Ablated(Vec<Ablation>),
    /// A study is under way.
    StudyProgress {
        /// Which.
        id: u64,
        /// Steps that are done.
        n_done: usize,
        /// Steps there are.
        n_all: usize,
    },
    /// A study is answered, or can't be.
    StudyDone {
        /// Which.
        id: u64,
        /// What it has found.
        answer: Result<Answer, Arc<EngineError>>,
    },
    /// A request failed; the worker goes on with the next.
    Failed(Arc<EngineError>),
}

/// A model that is ready.
#[derive(Clone, Debug)]
pub struct LoadedModel {
    /// What it was asked for as.
    pub name: String,
    /// Its shape.
    pub config: ModelConfig,
    /// The text of each token; empty without a tokenizer.
    pub vocab: Vocab,
    /// Its weights, to be looked at; none for a shape alone.
    pub weights: Option<Arc<Weights>>,
}

/// Why playing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseReason {
    /// As many tokens as were asked for.
    Done,
    /// It was asked to stop.
    Asked,
    /// The model chose the token that ends a text.
    EndOfText,
    /// The context is full.
    ContextFull,
    /// A saved trace has no more tokens.
    EndOfTrace,
}

/// Why a request failed.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The model can't be loaded or run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A request needs a model and none is loaded.
    #[error("no model is loaded yet")]
    NoModel,
    /// A request needs a text and none was begun.
    #[error("no text was begun; give a prompt first")]
    NoPrompt,
    /// A saved trace is shown, and a request needs the model.
    #[error("a saved trace has no weights to compute with; open its model for that")]
    NoWeights,
    /// The values of a text can't be kept.
    #[error(transparent)]
    Spill(#[from] SpillError),
    /// The system gives no thread to load a model on.
    #[error("cannot start the thread that loads models: {0}")]
    Thread(std::io::Error),
    /// The program has a fault.
    #[error("the model thread failed: {0}; this is a fault of the program, please report it")]
    Panicked(String),
}

/// The other side's end: sends requests, takes updates. Dropping it ends the worker.
pub struct EngineHandle {
    requests: Option<Sender<EngineRequest>>,
    updates: Option<Receiver<EngineUpdate>>,
    worker: Option<JoinHandle<()>>,
    can_load: bool,
}

/// The worker has ended and takes no more requests, or is too far behind to take one now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// It has ended.
    #[error("the model thread has ended")]
    Ended,
    /// It is too far behind.
    #[error("the model thread is busy; try again in a moment")]
    Busy,
}

impl EngineHandle {
    /// Starts the worker, without a model.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start() -> std::io::Result<Self> {
        Self::start_with(load_model)
    }

    /// Starts the worker with another way to load models.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start_with(load: LoadModel) -> std::io::Result<Self> {
        Self::spawn("llmscope-engine", true, move |requests, updates| {
            worker::run(load, &requests, &updates);
        })
    }

    /// Starts a worker that tells these updates, those of a saved trace, and has no model to answer
    /// requests with.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start_replay(updates: Vec<EngineUpdate>) -> std::io::Result<Self> {
        Self::spawn("llmscope-replay", false, move |requests, sender| {
            replay::run(updates, &requests, &sender);
        })
    }

    fn spawn(
        name: &str,
        can_load: bool,
        work: impl FnOnce(Receiver<EngineRequest>, Sender<EngineUpdate>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (request_sender, requests) = bounded(REQUEST_ROOM);
        let (updates, update_receiver) = bounded(UPDATE_ROOM);
        let worker = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work(requests, updates))?;
        Ok(Self {
            requests: Some(request_sender),
            updates: Some(update_receiver),
            worker: Some(worker),
            can_load,
        })
    }

    /// Whether it can load models: a saved trace's worker can't.
    pub fn can_load(&self) -> bool {
        self.can_load
    }

    /// Asks the worker, without waiting.
    ///
    /// # Errors
    ///
    /// If the worker has ended or is too far behind; the request is then lost.
    pub fn request(&self, request: EngineRequest) -> Result<(), SendError> {
        let Some(requests) = &self.requests else {
            return Err(SendError::Ended);
        };
        requests.try_send(request).map_err(|error| match error {
            TrySendError::Full(_) => SendError::Busy,
            TrySendError::Disconnected(_) => SendError::Ended,
        })
    }

    /// The next update, if there is one now.
    pub fn try_update(&self) -> Option<EngineUpdate> {
        self.updates.as_ref()?.try_recv().ok()
    }

    /// Waits for the next update; none once the worker has ended.
    pub fn wait_update(&self) -> Option<EngineUpdate> {
        self.updates.as_ref()?.recv().ok()
    }
}

impl Drop for EngineHandle {
    fn drop(&mut self) {
        // Both ends closed: a waiting worker wakes, a computing one stops at the next hook.
        self.requests = None;
        self.updates = None;
        if let Some(worker) = self.worker.take() {
            // A panic was already reported as an update.
            drop(worker.join());
        }
    }
}

/// Bytes for the values of a text, where nobody says otherwise: half of what is available, so that the
/// system never has to swap for them.
pub fn default_trace_memory() -> u64 {
    /// Where nobody knows how much there is.
    const MODEST: u64 = 2_000_000_000;
    available_memory().map_or(MODEST, |available| available / 2)
}

/// A way to load a model.
pub type LoadModel =
    fn(&ModelSource, &LoadSettings, &mut LoadWatch<'_>) -> Result<Model, ModelError>;

/// Is told how far loading has come, and says whether to go on.
pub type LoadWatch<'a> = dyn FnMut(LoadProgress) -> ControlFlow<()> + 'a;

fn load_model(
    source: &ModelSource,
    settings: &LoadSettings,
    watch: &mut LoadWatch<'_>,
) -> Result<Model, ModelError> {
    Model::load_watched(source, settings, watch)
}
