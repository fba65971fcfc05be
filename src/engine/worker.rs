//! The worker's loop: take a request, do it, tell what was done.

mod text;

use std::any::Any;
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TryRecvError, never, select};

use self::text::Text;
use super::lens::LensQueue;
use super::loading::Loading;
use super::study::StudyQueue;
use super::{
    EngineError, EngineRequest, EngineUpdate, LoadModel, LoadedModel, Prompt, default_trace_memory,
};
use crate::ablation::Ablation;
use crate::model::{LoadSettings, Model, ModelSource, Sampler, SamplerSettings};
use crate::trace::TraceMemory;

/// The other side is gone: the worker ends.
struct Gone;

pub(super) fn run(
    load: LoadModel,
    requests: &Receiver<EngineRequest>,
    updates: &Sender<EngineUpdate>,
) {
    let mut worker = Worker {
        load,
        requests,
        updates,
        postponed: VecDeque::new(),
        loading: None,
        model: None,
        text: None,
        sampler_settings: SamplerSettings::default(),
        sampler: None,
        has_lens: false,
        lens: LensQueue::default(),
        ablations: Vec::new(),
        studies: StudyQueue::default(),
        memory: TraceMemory::with_budget(default_trace_memory()),
        is_spilling: false,
    };
    while let Some(work) = worker.next_work() {
        let outcome = catch_unwind(AssertUnwindSafe(|| match work {
            Work::Answer(request) => worker.answer(request),
            Work::TakeModel(outcome) => worker.take_model(*outcome),
            Work::Study => worker.study(),
            Work::ReadLens => worker.read_lens(),
        }));
        let sent = match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Ended::Gone(Gone))) => Err(Gone),
            Ok(Err(Ended::Failed(error))) => worker.tell(EngineUpdate::Failed(Arc::new(error))),
            Err(panic) => {
                // What the panic left half done is not to be trusted.
                worker.text = None;
                worker.lens.clear();
                worker.studies.clear();
                let error = EngineError::Panicked(panic_message(&*panic));
                worker.tell(EngineUpdate::Failed(Arc::new(error)))
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

/// What the worker does next.
enum Work {
    Answer(EngineRequest),
    TakeModel(Box<Result<Model, EngineError>>),
    Study,
    ReadLens,
}

/// Why a request was not done.
enum Ended {
    Gone(Gone),
    Failed(EngineError),
}

impl From<Gone> for Ended {
    fn from(gone: Gone) -> Self {
        Self::Gone(gone)
    }
}

impl<E: Into<EngineError>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

struct Worker<'a> {
    load: LoadModel,
    requests: &'a Receiver<EngineRequest>,
    updates: &'a Sender<EngineUpdate>,
    /// Requests that came while a pass was computed.
    postponed: VecDeque<EngineRequest>,
    /// The model that is to come.
    loading: Option<Loading>,
    model: Option<Model>,
    text: Option<Text>,
    sampler_settings: SamplerSettings,
    sampler: Option<Sampler>,
    has_lens: bool,
    /// What is left to read while no request waits.
    lens: LensQueue,
    /// What is set to zero in every pass.
    ablations: Vec<Ablation>,
    /// Questions that are answered while no request waits.
    studies: StudyQueue,
    /// Where the values of the text are kept.
    memory: TraceMemory,
    /// Whether some of them are in a file.
    is_spilling: bool,
}

impl Worker<'_> {
    /// The next request, or a model that is ready; while there is none, a piece of a study, then of the
    /// lens.
    fn next_work(&mut self) -> Option<Work> {
        if !self.awaits_model()
            && let Some(request) = self.postponed.pop_front()
        {
            return Some(Work::Answer(request));
        }
        let outcome = self.loading.as_ref().map(Loading::outcome);
        let outcome = outcome.cloned().unwrap_or_else(never);
        let is_idle = self.lens.is_empty() && self.studies.is_empty();
        if is_idle || self.model.is_none() {
            return select! {
                recv(self.requests) -> request => request.ok().map(Work::Answer),
                recv(outcome) -> outcome => outcome.ok().map(Box::new).map(Work::TakeModel),
            };
        }
        if let Ok(outcome) = outcome.try_recv() {
            return Some(Work::TakeModel(Box::new(outcome)));
        }
        match self.requests.try_recv() {
            Ok(request) => Some(Work::Answer(request)),
            Err(TryRecvError::Empty) if self.studies.is_empty() => Some(Work::ReadLens),
            Err(TryRecvError::Empty) => Some(Work::Study),
            Err(TryRecvError::Disconnected) => None,
        }
    }

    /// Whether the first model is still to come, so that nothing can be answered.
    fn awaits_model(&self) -> bool {
        self.model.is_none() && self.loading.is_some()
    }

    fn study(&mut self) -> Result<(), Ended> {
        let model = self.model.as_ref().ok_or(EngineError::NoModel)?;
        match self.studies.work_on(model) {
            Some(update) => Ok(self.tell(update)?),
            None => Ok(()),
        }
    }

    fn read_lens(&mut self) -> Result<(), Ended> {
        let model = self.model.as_ref().ok_or(EngineError::NoModel)?;
        match self.lens.read_on(model) {
            Ok(Some(update)) => self.tell(update)?,
            Ok(None) => {}
            Err(error) => {
                // What failed once would fail again.
                self.lens.clear();
                return Err(error.into());
            }
        }
        if self.lens.is_empty() {
            self.tell(EngineUpdate::LensDone)?;
        }
        Ok(())
    }

    /// Whether a request or a model is waiting that ends what is being done. What concerns loading is
    /// done meanwhile, and ends nothing.
    fn is_interrupted(&mut self) -> bool {
        let requests = self.requests;
        for request in requests.try_iter() {
            match request {
                EngineRequest::Load { .. } | EngineRequest::CancelLoad => {
                    // If the other side is gone, the next send ends the worker.
                    drop(self.answer(request));
                }
                other => self.postponed.push_back(other),
            }
        }
        let is_ready = |loading: &Loading| !loading.outcome().is_empty();
        self.loading.as_ref().is_some_and(is_ready)
            || self.postponed.iter().any(|request| {
                matches!(
                    request,
                    EngineRequest::Stop
                        | EngineRequest::SetPrompt(_)
                        | EngineRequest::SetAblations(_)
                )
            })
    }

    fn tell(&self, update: EngineUpdate) -> Result<(), Gone> {
        self.updates.send(update).map_err(|_closed| Gone)
    }

    fn load(&mut self, source: ModelSource, settings: LoadSettings) -> Result<(), Ended> {
        self.loading = None; // Whatever it was, it is wanted no more.
        let updates = self.updates.clone();
        match Loading::start(self.load, source, settings, updates) {
            Ok(loading) => self.loading = Some(loading),
            Err(error) => self.take_model(Err(EngineError::Thread(error)))?,
        }
        Ok(())
    }

    /// Puts the model that has come in the place of the one there is, or tells why none has.
    fn take_model(&mut self, outcome: Result<Model, EngineError>) -> Result<(), Ended> {
        self.loading = None;
        let model = match outcome {
            Ok(model) => model,
            Err(error) => {
                if self.model.is_none() {
                    // What waited for the model has failed with it, and is told once.
                    self.postponed.retain(|request| {
                        matches!(
                            request,
                            EngineRequest::SetSampler(_) | EngineRequest::SetLens(_)
                        )
                    });
                }
                return Ok(self.tell(EngineUpdate::LoadFailed(Arc::new(error)))?);
            }
        };
        self.text = None;
        self.lens.clear();
        self.studies.clear();
        // They name parts of the model that was.
        self.ablations.clear();
        self.tell(EngineUpdate::Loaded(LoadedModel {
            name: model.name().to_owned(),
            config: model.config().clone(),
            vocab: model.vocab().clone(),
            weights: model.weights().cloned(),
        }))?;
        self.model = Some(model);
        Ok(())
    }

    fn answer(&mut self, request: EngineRequest) -> Result<(), Ended> {
        match request {
            EngineRequest::Load { source, settings } => self.load(source, settings)?,
            EngineRequest::CancelLoad => {
                if self.loading.take().is_some() {
                    self.tell(EngineUpdate::LoadCancelled)?;
                }
            }
            other if self.awaits_model() => self.postponed.push_back(other),
            EngineRequest::SetPrompt(prompt) => {
                let model = self.model.as_ref().ok_or(EngineError::NoModel)?;
                let tokens = match prompt {
                    Prompt::Text(text) => model.encode_prompt(&text)?,
                    Prompt::Tokens(tokens) => tokens,
                };
                let session = model.session_without(&self.ablations)?;
                self.text = None;
                self.lens.clear();
                self.sampler = None;
                self.compute(session, tokens)?;
            }
            EngineRequest::SetSampler(settings) => {
                Sampler::new(&settings)?;
                self.sampler_settings = settings;
                self.sampler = None;
            }
            EngineRequest::SetTraceMemory(budget) => {
                self.memory = TraceMemory::with_budget(budget);
            }
            EngineRequest::Step => {
                if let ControlFlow::Break(reason) = self.step()? {
                    self.tell(EngineUpdate::Paused(reason))?;
                }
            }
            EngineRequest::Play(n_tokens) => {
                let reason = self.play(n_tokens)?;
                self.tell(EngineUpdate::Paused(reason))?;
            }
            // What was to be stopped has ended by now.
            EngineRequest::Stop => {}
            EngineRequest::SetAblations(parts) => self.set_ablations(parts)?,
            EngineRequest::Study(study) => {
                if self.model.is_none() {
                    return Err(EngineError::NoModel.into());
                }
                self.studies.push(study);
            }
            EngineRequest::CancelStudy(id) => self.studies.cancel(id),
            EngineRequest::SetLens(has_lens) => {
                self.has_lens = has_lens;
                if !has_lens {
                    self.lens.clear();
                }
            }
        }
        Ok(())
    }
}

pub(super) fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
