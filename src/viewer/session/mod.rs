//! What a session was, so that the same can be shown again: which text, by which model, and what the
//! window showed of it when.
//!
//! `log` is that as plain data, `text` and `look` keep it as JSON beside a film, `writer` notes it while
//! the film is made. This file knows what no other place keeps: how the text was begun.

mod log;
mod look;
mod text;
mod writer;

use bevy::prelude::*;

pub use log::{SessionFrame, SessionLog, SessionLook, Showing};
pub use text::{SessionError, log_path};
pub use writer::{Present, SessionWriter};

use super::ViewerSystems;
use super::inference::{EngineWish, TraceEvent};
use crate::model::SamplerSettings;

/// Keeps [`SessionFacts`] up to date.
pub struct SessionPlugin;

impl Plugin for SessionPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<SessionFacts>().add_systems(
            Update,
            (note_wishes, note_events)
                .chain()
                .after(ViewerSystems::Receive),
        );
    }
}

/// How the text on show was begun, and what of the window is shown.
#[derive(Resource, Clone, Debug, PartialEq)]
pub struct SessionFacts {
    /// The command line's options.
    pub arguments: Vec<String>,
    /// The prompt that was begun last.
    pub prompt: String,
    /// How many of the text's tokens were given.
    pub n_prompt: usize,
    /// How tokens are chosen.
    pub sampler: SamplerSettings,
    /// Whether the panels are there.
    pub has_panels: bool,
    /// Whether names stand in the world.
    pub has_labels: bool,
    /// Whether the next pass from the start is that of a prompt.
    is_begun: bool,
}

impl Default for SessionFacts {
    fn default() -> Self {
        Self {
            arguments: Vec::new(),
            prompt: String::new(),
            n_prompt: 0,
            sampler: SamplerSettings::default(),
            has_panels: true,
            has_labels: true,
            is_begun: true,
        }
    }
}

fn note_wishes(mut wishes: MessageReader<EngineWish>, mut facts: ResMut<SessionFacts>) {
    for wish in wishes.read() {
        match wish {
            EngineWish::Begin(prompt) => {
                facts.prompt.clone_from(prompt);
                facts.is_begun = true;
            }
            EngineWish::Sample(sampler) => facts.sampler = *sampler,
            EngineWish::Load(..)
            | EngineWish::Step
            | EngineWish::Stop
            | EngineWish::SetAblations(_)
            | EngineWish::Study(_)
            | EngineWish::CancelStudy(_) => {}
        }
    }
}

fn note_events(mut events: MessageReader<TraceEvent>, mut facts: ResMut<SessionFacts>) {
    for event in events.read() {
        // Where parts are set to zero, the text is computed anew, what was chosen included.
        if let TraceEvent::PassStarted {
            first_pos: 0,
            n_pos,
        } = event
            && facts.is_begun
        {
            facts.n_prompt = *n_pos;
            facts.is_begun = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prompt_is_what_was_begun_last_however_often_it_is_computed() {
        let mut app = App::new();
        app.init_resource::<SessionFacts>()
            .add_message::<EngineWish>()
            .add_message::<TraceEvent>()
            .add_systems(Update, (note_wishes, note_events).chain());
        let mut pass = |n_pos, wishes: Vec<EngineWish>| {
            app.world_mut().write_message_batch(wishes);
            let first_pos = 0;
            app.world_mut()
                .write_message(TraceEvent::PassStarted { first_pos, n_pos });
            app.update();
            app.world().resource::<SessionFacts>().clone()
        };
        let sampler = SamplerSettings {
            seed: 7,
            ..SamplerSettings::default()
        };

        assert_eq!(pass(4, Vec::new()).n_prompt, 4);
        assert_eq!(
            pass(9, vec![EngineWish::SetAblations(Vec::new())]).n_prompt,
            4
        );
        let facts = pass(
            6,
            vec![
                EngineWish::Begin("Once".to_owned()),
                EngineWish::Sample(sampler),
            ],
        );

        assert_eq!((facts.n_prompt, facts.prompt.as_str()), (6, "Once"));
        assert_eq!(facts.sampler, sampler);
    }
}
