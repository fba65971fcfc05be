//! Opens another model while one is on show, which stays until the other is ready.

use bevy::prelude::*;

use super::{ActiveTrace, EngineLink, TraceEvent};
use crate::engine::{EngineHandle, EngineRequest, EngineUpdate, Prompt, SendError};
use crate::model::{LoadSettings, ModelSource, SamplerSettings};

/// A model to be opened, and the text that it begins with.
#[derive(Clone, Debug, PartialEq)]
pub struct Opening {
    /// Where it is.
    pub source: ModelSource,
    /// How it is to be loaded.
    pub settings: LoadSettings,
    /// What it reads first.
    pub prompt: String,
    /// How it chooses tokens.
    pub sampler: SamplerSettings,
}

/// What is being opened.
#[derive(Resource, Default)]
pub struct Openings {
    /// What it begins with once it is ready.
    pub(super) opening: Option<Opening>,
    /// A worker for it, where what is on show has none.
    next: Option<EngineHandle>,
    /// Whether a model is being loaded, this one or the first.
    is_loading: bool,
}

impl Openings {
    /// Whether a model is being loaded.
    pub fn is_loading(&self) -> bool {
        self.is_loading
    }

    /// Asks for a model; what was asked for before is wanted no more.
    pub(super) fn open(
        &mut self,
        opening: Opening,
        link: Option<&EngineHandle>,
    ) -> Result<(), String> {
        let request = EngineRequest::Load {
            source: opening.source.clone(),
            settings: opening.settings.clone(),
        };
        let asked = match link.filter(|engine| engine.can_load()) {
            Some(engine) => engine.request(request),
            None => {
                let engine = match self.next.take() {
                    Some(engine) => engine,
                    None => EngineHandle::start()
                        .map_err(|error| format!("Cannot start the model's thread: {error}"))?,
                };
                let asked = engine.request(request);
                self.next = Some(engine);
                asked
            }
        };
        asked.map_err(|error| error.to_string())?;
        self.opening = Some(opening);
        Ok(())
    }

    /// Asks for it no more.
    pub(super) fn cancel(&mut self, link: Option<&EngineHandle>) -> Result<(), SendError> {
        let engine = self.next.as_ref().or(link);
        engine.map_or(Ok(()), |engine| engine.request(EngineRequest::CancelLoad))
    }

    /// Takes in what is told of loading; begins the text of a model that is ready.
    pub(super) fn note(&mut self, update: &EngineUpdate, engine: &EngineHandle) {
        match update {
            EngineUpdate::Loading(_) => self.is_loading = true,
            EngineUpdate::LoadFailed(_) | EngineUpdate::LoadCancelled => {
                self.is_loading = false;
                self.opening = None;
            }
            EngineUpdate::Loaded(model) => {
                self.is_loading = false;
                let Some(opening) = self.opening.take() else {
                    return;
                };
                let prompt = if model.vocab.is_empty() {
                    // Text means nothing to it.
                    Prompt::Tokens(vec![model.config.bos_token_id.unwrap_or(0)])
                } else {
                    Prompt::Text(opening.prompt)
                };
                for request in [
                    EngineRequest::SetSampler(opening.sampler),
                    EngineRequest::SetLens(true),
                    EngineRequest::SetPrompt(prompt),
                ] {
                    if let Err(error) = engine.request(request) {
                        tracing::warn!("the model's text can't be begun: {error}");
                    }
                }
            }
            _ => {}
        }
    }
}

/// Takes in what the worker of a model that is still to come tells; once it is there, the worker takes
/// the place of the one there was.
pub(super) fn receive_next(
    mut openings: ResMut<Openings>,
    mut trace: ResMut<ActiveTrace>,
    mut events: MessageWriter<TraceEvent>,
    mut commands: Commands,
) {
    let Some(engine) = openings.bypass_change_detection().next.take() else {
        return;
    };
    while let Some(update) = engine.try_update() {
        openings.note(&update, &engine);
        let is_there = matches!(update, EngineUpdate::Loaded(_));
        let is_over = matches!(
            update,
            EngineUpdate::LoadFailed(_) | EngineUpdate::LoadCancelled
        );
        events.write(trace.apply(update));
        if is_there {
            commands.insert_resource(EngineLink(engine));
            return;
        }
        if is_over {
            return;
        }
    }
    openings.bypass_change_detection().next = Some(engine);
}
