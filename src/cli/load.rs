//! Loading a model, with a progress bar where it takes long.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::error::CliError;
use super::options::RunArgs;
use crate::model::{LoadProgress, Model};

/// Loads that are done sooner show nothing.
const PATIENCE: Duration = Duration::from_millis(400);

/// Loads the model that `args` ask for.
pub(super) fn load(args: &RunArgs) -> Result<Model, CliError> {
    let started = Instant::now();
    let mut bar = None;
    let mut show = |progress: LoadProgress| {
        if started.elapsed() < PATIENCE {
            return;
        }
        bar.get_or_insert_with(|| new_bar(progress.total_bytes))
            .set_position(progress.done_bytes);
    };
    let model = Model::load(&args.model.model, &args.load_settings(), &mut show);
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    Ok(model?)
}

/// A bar on standard error, which hides itself where that is no terminal.
fn new_bar(total_bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "loading {bar:30} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left",
    )
    .expect("the template's fields are indicatif's");
    ProgressBar::new(total_bytes).with_style(style)
}
