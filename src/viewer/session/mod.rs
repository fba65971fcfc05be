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
use super::inference::{EngineWish, Opening, TraceEvent};
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
    /// The model that is being opened.
    opening: Option<Opening>,
}

impl SessionFacts {
    /// The model that was to be opened is there.
    fn take_opening(&mut self) {
        let Some(opening) = self.opening.take() else {
            return;
        };
        replace_model(&mut self.arguments, &opening.source.to_string());
        self.prompt = opening.prompt;
        self.sampler = opening.sampler;
        self.is_begun = true;
    }
}

/// Makes the command line's options those of another model.
fn replace_model(arguments: &mut Vec<String>, model: &str) {
    let is_named = |argument: &str, name: &str| {
        let rest = argument.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    };
    let mut kept = Vec::with_capacity(arguments.len() + 2);
    let mut given = arguments.drain(..);
    while let Some(argument) = given.next() {
        let named = ["--model", "--arch", "--trace"]
            .into_iter()
            .find(|name| is_named(&argument, name));
        match named {
            Some(name) if argument == name => drop(given.next()), // Its value.
            Some(_) => {}
            None => kept.push(argument),
        }
    }
    drop(given);
    kept.extend(["--model".to_owned(), model.to_owned()]);
    *arguments = kept;
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
            opening: None,
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
            EngineWish::Open(opening) => facts.opening = Some((**opening).clone()),
            EngineWish::CancelLoad
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
        match event {
            TraceEvent::ModelLoaded => facts.take_opening(),
            TraceEvent::LoadFailed(_) | TraceEvent::LoadCancelled => facts.opening = None,
            _ => {}
        }
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
    fn another_model_takes_the_place_of_the_one_on_the_command_line() {
        let replaced = |given: &[&str]| {
            let mut arguments: Vec<String> = given.iter().map(|&a| a.to_owned()).collect();
            replace_model(&mut arguments, "org/name");
            arguments
        };

        assert_eq!(
            replaced(&["--prompt", "Once", "--model", "demo", "--seed", "3"]),
            ["--prompt", "Once", "--seed", "3", "--model", "org/name"]
        );
        assert_eq!(
            replaced(&["--model=x", "--models", "--arch", "gpt2", "--trace=y"]),
            ["--models", "--model", "org/name"]
        );
    }

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
