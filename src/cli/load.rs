//! Loading a model, with a line that tells how far it has come where it takes long.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::error::CliError;
use super::options::RunArgs;
use super::say;
use crate::model::{LoadProgress, LoadStage, Model, Pace};

/// Loads that are done sooner show nothing.
const PATIENCE: Duration = Duration::from_millis(400);

/// Loads the model that `args` ask for.
pub(super) fn load(args: &RunArgs) -> Result<Model, CliError> {
    let mut teller = Teller::new();
    let model = Model::load(&args.model.model, &args.load_settings(), &mut |progress| {
        teller.tell(&progress);
    });
    teller.finish();
    Ok(model?)
}

/// Tells on standard error how far loading has come.
pub(super) struct Teller {
    started: Instant,
    pace: Pace,
    bar: Option<ProgressBar>,
    is_terminal: bool,
    /// What was said where there is no terminal, which is told each thing once.
    said: Option<&'static str>,
}

impl Teller {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            pace: Pace::default(),
            bar: None,
            is_terminal: io::stderr().is_terminal(),
            said: None,
        }
    }

    /// Takes in how far loading has come.
    pub(super) fn tell(&mut self, progress: &LoadProgress) {
        let elapsed = self.started.elapsed();
        let line = self.pace.tell(progress, elapsed.as_secs_f64());
        if elapsed < PATIENCE {
            return;
        }
        if self.is_terminal {
            let bar = self.bar.get_or_insert_with(new_bar);
            bar.set_length(progress.total_bytes.max(1));
            bar.set_position(progress.done_bytes);
            bar.set_message(line);
        } else if progress.total_bytes > 0
            && let Some(note) = note(&progress.stage)
            && self.said != Some(note)
        {
            self.said = Some(note);
            say(&format!("note: {line}"));
        }
    }

    /// Clears the line.
    pub(super) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// What is worth a line in a log.
fn note(stage: &LoadStage) -> Option<&'static str> {
    match stage {
        LoadStage::Fetching { .. } => Some("fetching"),
        LoadStage::Waiting { .. } => Some("waiting"),
        LoadStage::Reading => None,
    }
}

fn new_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:24} {wide_msg}")
        .expect("the template's fields are indicatif's");
    ProgressBar::new(1).with_style(style)
}
