//! `view`: the window.

use std::ffi::OsString;

use clap::Args;

use super::error::CliError;
use super::options::{ColorByArg, ReplayArgs, RunArgs, ThemeArg};
use crate::ablation::Ablation;

/// Options of `view`.
#[derive(Clone, Debug, Args)]
pub struct ViewArgs {
    /// The model and what it reads.
    #[command(flatten)]
    pub run: RunArgs,
    /// What is shown in its place.
    #[command(flatten)]
    pub replay: ReplayArgs,
    /// The colours of background and text
    #[arg(long, value_name = "THEME", default_value = "dark")]
    pub theme: ThemeArg,
    /// Parts set to zero at every position, such as
    /// `blocks.1.attn.hook_z:3,blocks.1.mlp.hook_post:33`
    #[arg(
        long,
        value_name = "HOOK:INDEX,...",
        value_delimiter = ',',
        conflicts_with = "trace"
    )]
    pub ablate: Vec<Ablation>,
    /// What colours and heights stand for
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "value",
        conflicts_with = "trace"
    )]
    pub color_by: ColorByArg,
}

/// Opens the window and returns when it is closed; `given` is the command line, the program's name
/// first.
///
/// # Errors
///
/// If the program was built without the viewer.
#[cfg(not(feature = "viewer"))]
pub fn run(_args: &ViewArgs, _given: &[OsString]) -> Result<(), CliError> {
    Err(CliError::NoViewer("view"))
}

/// Opens the window and returns when it is closed; `given` is the command line, the program's name
/// first.
///
/// # Errors
///
/// If the model can't be used or there is no graphics adapter.
#[cfg(feature = "viewer")]
pub fn run(args: &ViewArgs, given: &[OsString]) -> Result<(), CliError> {
    use super::stage;
    use crate::model::{SamplerSettings, leave_a_core};
    use crate::viewer::app::{ViewerOptions, run_window};
    use crate::viewer::settings_file;

    let asks_for_calm = std::env::var_os("LLMSCOPE_REDUCED_MOTION");
    let options = ViewerOptions {
        theme: args.theme.into(),
        color_by: stage::color_by(args.color_by, &args.run)?,
        has_reduced_motion: asks_for_calm.is_some_and(|value| value == "1"),
        settings_folder: settings_file::folder(),
        load: args.run.load_settings(),
        sampler: SamplerSettings {
            seed: args.run.seed,
            ..SamplerSettings::default()
        },
        arguments: super::given_options(given, "view"),
        ..ViewerOptions::default()
    };
    let subject = match &args.replay.trace {
        Some(path) => stage::live_replay(stage::open_trace(path)?)?,
        None => stage::live_subject_without(&args.run, &args.ablate)?,
    };
    leave_a_core();
    run_window(subject, &options)?;
    Ok(())
}
