//! Brings the engine's updates into the world, and the user's requests out to it.

mod active_trace;
mod opening;
mod studies;

use bevy::prelude::*;

pub use active_trace::ActiveTrace;
pub use opening::{Opening, Openings};
pub use studies::{Asked, Studies, StudyState, Topic};

use super::ViewerSystems;
use crate::ablation::Ablation;
use crate::engine::{Answer, EngineHandle, EngineRequest, PauseReason, Prompt, SendError, Study};
use crate::hook::HookPoint;
use crate::model::{LoadProgress, SamplerSettings};
use crate::trace::Activation;

/// Keeps [`ActiveTrace`] up to date with the engine behind [`EngineLink`].
pub struct InferencePlugin;

impl Plugin for InferencePlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<ActiveTrace>()
            .init_resource::<Studies>()
            .init_resource::<Openings>()
            .add_message::<TraceEvent>()
            .add_message::<EngineWish>()
            .add_systems(
                Update,
                (
                    receive_updates.run_if(resource_exists::<EngineLink>),
                    opening::receive_next,
                    send_wishes,
                )
                    .chain()
                    .in_set(ViewerSystems::Receive),
            );
    }
}

/// The viewer's end of the channels to the engine.
#[derive(Resource, Deref)]
pub struct EngineLink(pub EngineHandle);

/// What is to be asked of the engine.
#[derive(Message, Clone, Debug)]
pub enum EngineWish {
    /// Open another model in place of the one on show, once it is ready.
    Open(Box<Opening>),
    /// Load no model any more.
    CancelLoad,
    /// Begin a text.
    Begin(String),
    /// Choose and compute a token.
    Step,
    /// Stop what is being computed.
    Stop,
    /// Choose tokens so from now on.
    Sample(SamplerSettings),
    /// Set these parts to zero from now on, and compute the text anew.
    SetAblations(Vec<Ablation>),
    /// Answer a question about a text.
    Study(Study),
    /// Forget the study of this id.
    CancelStudy(u64),
}

/// What the engine has told, after [`ActiveTrace`] has taken it in.
#[derive(Message, Clone, Debug)]
pub enum TraceEvent {
    /// A model is being fetched or read.
    Loading(LoadProgress),
    /// Another model is ready.
    ModelLoaded,
    /// A model is loaded no more, as was asked for.
    LoadCancelled,
    /// A model can't be loaded: the message for the user. What was on show still is.
    LoadFailed(String),
    /// A pass has begun, over these positions.
    PassStarted {
        /// The first position.
        first_pos: usize,
        /// How many.
        n_pos: usize,
    },
    /// Values have come, in the order the pass reached them.
    Computed {
        /// The first position of the pass.
        first_pos: usize,
        /// The values.
        values: Vec<(HookPoint, Activation)>,
    },
    /// The pass is complete.
    PassDone,
    /// The end of a layer was read through the logit lens, at these positions.
    LensRead {
        /// The layer.
        layer: usize,
        /// The first position.
        first_pos: usize,
        /// How many.
        n_pos: usize,
    },
    /// The logit lens has read every layer of the text so far.
    LensDone,
    /// Passes set other parts to zero from now on: those of [`ActiveTrace::ablations`].
    Ablated,
    /// A study is under way.
    StudyProgress {
        /// Which.
        id: u64,
        /// Steps that are done.
        n_done: usize,
        /// Steps there are.
        n_all: usize,
    },
    /// A study is answered, or can't be: then the message for the user.
    StudyDone {
        /// Which.
        id: u64,
        /// What it has found.
        answer: Result<Answer, String>,
    },
    /// Computing has ended.
    Paused(PauseReason),
    /// A request failed: the message for the user.
    Failed(String),
}

fn receive_updates(
    engine: Res<EngineLink>,
    mut trace: ResMut<ActiveTrace>,
    mut studies: ResMut<Studies>,
    mut openings: ResMut<Openings>,
    mut events: MessageWriter<TraceEvent>,
) {
    while let Some(update) = engine.try_update() {
        openings.bypass_change_detection().note(&update, &engine);
        let event = trace.apply(update);
        if studies::concerns(&event) {
            studies.note(&event);
        }
        events.write(event);
    }
}

fn send_wishes(
    engine: Option<Res<EngineLink>>,
    mut openings: ResMut<Openings>,
    mut wishes: MessageReader<EngineWish>,
    mut events: MessageWriter<TraceEvent>,
) {
    let engine = engine.as_ref().map(|link| &link.0);
    for wish in wishes.read() {
        let request = match wish.clone() {
            EngineWish::Open(opening) => {
                if let Err(why) = openings.open(*opening, engine) {
                    events.write(TraceEvent::LoadFailed(why));
                }
                continue;
            }
            EngineWish::CancelLoad => {
                if let Err(error) = openings.cancel(engine) {
                    events.write(TraceEvent::Failed(error.to_string()));
                }
                continue;
            }
            EngineWish::Begin(text) => EngineRequest::SetPrompt(Prompt::Text(text)),
            EngineWish::Step => EngineRequest::Step,
            EngineWish::Stop => EngineRequest::Stop,
            EngineWish::Sample(settings) => EngineRequest::SetSampler(settings),
            EngineWish::SetAblations(parts) => EngineRequest::SetAblations(parts),
            EngineWish::Study(study) => EngineRequest::Study(study),
            EngineWish::CancelStudy(id) => EngineRequest::CancelStudy(id),
        };
        let Some(engine) = engine else { continue };
        match engine.request(request) {
            Ok(()) => {}
            Err(error @ (SendError::Busy | SendError::Ended)) => {
                events.write(TraceEvent::Failed(error.to_string()));
            }
        }
    }
}
