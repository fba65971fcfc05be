//! The worker's loop: take a request, do it, tell what was done.

use std::any::Any;
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TryRecvError, never, select};

use super::lens::LensQueue;
use super::loading::Loading;
use super::study::StudyQueue;
use super::{
    EngineError, EngineRequest, EngineUpdate, LoadModel, LoadedModel, PauseReason, Prompt,
    default_trace_memory,
};
use crate::ablation::Ablation;
use crate::hook::HookPoint;
use crate::model::{
    LoadSettings, Model, ModelError, ModelSource, Sampler, SamplerSettings, Session,
};
use crate::trace::{Activation, ActivationCache, Pass, SpillError, TraceMemory, TraceUsage};

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

/// The text in progress.
struct Text {
    session: Session,
    /// The token at every position.
    tokens: Vec<u32>,
    /// The last position's logits.
    logits: Vec<f32>,
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

    fn set_ablations(&mut self, parts: Vec<Ablation>) -> Result<(), Ended> {
        let model = self.model.as_ref().ok_or(EngineError::NoModel)?;
        let session = model.session_without(&parts)?;
        self.ablations.clone_from(&parts);
        self.tell(EngineUpdate::Ablated(parts))?;
        let Some(text) = self.text.take() else {
            return Ok(());
        };
        self.lens.clear();
        // If the pass is stopped, the text is still there to be computed.
        self.text = Some(Text {
            session: session.clone(),
            tokens: text.tokens.clone(),
            logits: Vec::new(),
        });
        self.compute(session, text.tokens)
    }

    /// Computes what a stopped pass has left of the text; says whether nothing is left now.
    fn catch_up(&mut self) -> Result<bool, Ended> {
        let left = |text: &Text| text.session.n_pos() < text.tokens.len();
        let text = self.text.as_ref().ok_or(EngineError::NoPrompt)?;
        if left(text) {
            let (session, tokens) = (text.session.clone(), text.tokens.clone());
            self.compute(session, tokens)?;
        }
        Ok(!self.text.as_ref().is_some_and(left))
    }

    fn play(&mut self, n_tokens: usize) -> Result<PauseReason, Ended> {
        for _ in 0..n_tokens {
            if self.is_interrupted() {
                return Ok(PauseReason::Asked);
            }
            if let ControlFlow::Break(reason) = self.step()? {
                return Ok(reason);
            }
        }
        Ok(PauseReason::Done)
    }

    /// Chooses one token and computes its position, unless the text has come to its end.
    fn step(&mut self) -> Result<ControlFlow<PauseReason>, Ended> {
        if self.model.is_some() && !self.catch_up()? {
            return Ok(ControlFlow::Break(PauseReason::Asked));
        }
        let model = self.model.as_ref().ok_or(EngineError::NoModel)?;
        let text = self.text.as_ref().ok_or(EngineError::NoPrompt)?;
        if text.session.n_pos() >= model.config().n_ctx {
            return Ok(ControlFlow::Break(PauseReason::ContextFull));
        }
        let sampler = match &mut self.sampler {
            Some(sampler) => sampler,
            none => none.insert(Sampler::new(&self.sampler_settings)?),
        };
        let token = sampler.choose(&text.logits)?;
        let is_last = model.config().eos_token_ids.contains(&token);
        let session = text.session.clone();
        self.compute(session, vec![token])?;
        Ok(if is_last {
            ControlFlow::Break(PauseReason::EndOfText)
        } else {
            ControlFlow::Continue(())
        })
    }

    /// Computes `tokens`, telling the values layer by layer, and makes them the end of the text.
    fn compute(&mut self, mut session: Session, tokens: Vec<u32>) -> Result<(), Ended> {
        let first_pos = session.n_pos();
        self.tell(EngineUpdate::PassStarted {
            first_pos,
            tokens: tokens.clone(),
        })?;
        let mut cache = ActivationCache::new();
        let mut since_last: Vec<(HookPoint, Activation)> = Vec::new();
        let mut is_gone = false;
        // Taken out so that the loop below may look at the requests that come meanwhile.
        let model = self.model.take().ok_or(EngineError::NoModel)?;
        let result = model.run(&mut session, &tokens, &mut |hook, activation| {
            if self.is_interrupted() {
                return ControlFlow::Break(());
            }
            let begins_another = since_last
                .last()
                .is_some_and(|(last, _)| last.layer() != hook.layer());
            if begins_another {
                let values = std::mem::take(&mut since_last);
                is_gone |= self
                    .tell(EngineUpdate::Computed { first_pos, values })
                    .is_err();
            }
            since_last.push((hook, activation.clone()));
            cache.insert(hook, activation);
            if is_gone {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        let text = model
            .tokenizer()
            .and_then(|tokenizer| tokenizer.decode(&tokens).ok());
        self.model = Some(model);
        if is_gone {
            return Err(Gone.into());
        }
        let logits = match result {
            Err(ModelError::Stopped) => {
                return Ok(self.tell(EngineUpdate::Paused(PauseReason::Asked))?);
            }
            other => other?,
        };
        // Before the text goes on: if it fails, the text is as it was.
        let pass = self.keep(Pass {
            first_pos,
            tokens: tokens.clone(),
            cache,
        })?;
        let mut text_tokens = match self.text.take() {
            Some(text) if first_pos > 0 => text.tokens,
            _ => Vec::new(),
        };
        text_tokens.extend(tokens);
        self.text = Some(Text {
            session,
            tokens: text_tokens,
            logits,
        });
        self.tell(EngineUpdate::Computed {
            first_pos,
            values: since_last,
        })?;
        let pass = Arc::new(pass);
        if self.has_lens {
            self.lens.push(Arc::clone(&pass));
        }
        Ok(self.tell(EngineUpdate::PassDone { pass, text })?)
    }
}

impl Worker<'_> {
    /// The pass, with its values where there is room for them.
    fn keep(&mut self, pass: Pass) -> Result<Pass, SpillError> {
        if pass.first_pos == 0 {
            self.memory.begin_text();
            self.is_spilling = false;
        }
        let pass = self.memory.keep(pass)?;
        if !self.is_spilling && TraceUsage::of_pass(&pass).on_disk > 0 {
            self.is_spilling = true;
            tracing::warn!(
                "the text's values take more than --trace-memory allows: from position {} on they are \
                 kept in a temporary file in {}",
                pass.first_pos,
                self.memory.folder().display()
            );
        }
        Ok(pass)
    }
}

pub(super) fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
