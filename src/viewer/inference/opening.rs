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

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::config::ModelConfig;
    use crate::viewer::inference::{EngineWish, InferencePlugin};

    fn app(trace: ActiveTrace) -> App {
        let mut app = App::new();
        app.add_plugins(InferencePlugin).insert_resource(trace);
        app
    }

    fn shape() -> ActiveTrace {
        ActiveTrace::of_shape("gpt2", ModelConfig::preset("gpt2").unwrap())
    }

    fn open(source: ModelSource) -> EngineWish {
        EngineWish::Open(Box::new(Opening {
            source,
            settings: LoadSettings::default(),
            prompt: "The cat".to_owned(),
            sampler: SamplerSettings::default(),
        }))
    }

    /// Lets frames pass until `is_last` accepts an event.
    #[track_caller]
    fn run_until(app: &mut App, is_last: impl Fn(&TraceEvent) -> bool) {
        let started = Instant::now();
        loop {
            app.update();
            let mut events = app.world_mut().resource_mut::<Messages<TraceEvent>>();
            if events.drain().any(|event| is_last(&event)) {
                return;
            }
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "it never comes"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn is_failure(event: &TraceEvent) -> bool {
        matches!(event, TraceEvent::LoadFailed(_))
    }

    fn name(app: &App) -> String {
        let trace = app.world().resource::<ActiveTrace>();
        trace.model().unwrap().name.clone()
    }

    #[test]
    fn a_model_opens_where_a_shape_was_shown_and_its_text_begins() {
        let mut app = app(shape());

        app.world_mut().write_message(open(ModelSource::Demo));
        app.update();
        assert_eq!(name(&app), "gpt2", "until the other is ready");
        run_until(&mut app, |event| matches!(event, TraceEvent::PassDone));

        let trace = app.world().resource::<ActiveTrace>();
        assert_eq!(name(&app), "demo");
        assert!(trace.n_pos() >= 2 && trace.n_lanes() == trace.n_pos());
        assert!(!app.world().resource::<Openings>().is_loading());
    }

    #[test]
    fn a_model_that_can_not_be_opened_leaves_the_one_on_show() {
        let mut app = app(shape());

        app.world_mut()
            .write_message(open(ModelSource::Folder("no/such/folder".into())));
        run_until(&mut app, is_failure);

        assert_eq!(name(&app), "gpt2");
        assert!(!app.world().contains_resource::<EngineLink>());

        app.world_mut().write_message(open(ModelSource::Demo));
        run_until(&mut app, |event| matches!(event, TraceEvent::PassDone));
        app.world_mut()
            .write_message(open(ModelSource::Folder("no/such/folder".into())));
        run_until(&mut app, is_failure);
        app.world_mut().write_message(EngineWish::Step);
        run_until(&mut app, |event| matches!(event, TraceEvent::PassDone));

        assert_eq!(name(&app), "demo");
    }
}
