//! What the commands that show something share: the model behind its thread, and the picture.

use std::path::Path;
use std::sync::Arc;

use super::error::CliError;
use super::options::picture::PoolArg;
use super::options::{ColorByArg, PictureArgs, RunArgs, ThemeArg, check_ablations};
use super::prompt::Prompt as Asked;
use super::snapshot::SnapshotCamera;
use crate::ablation::Ablation;
use crate::color::Theme;
use crate::config::ModelConfig;
use crate::engine::{
    EngineError, EngineHandle, EngineRequest, EngineUpdate, PauseReason, Prompt, SendError, replay,
};
use crate::model::{SamplerSettings, available_memory};
use crate::trace::{OpenError, Pass, TraceFile};
use crate::viewer::app::{Subject, ViewerError, ViewerOptions};
use crate::viewer::capture::PngError;
use crate::viewer::scene::{ArcChoice, ColorBy, Pooling};
use crate::viewer::viewpoint::Viewpoint;

impl From<ViewerError> for CliError {
    fn from(error: ViewerError) -> Self {
        match error {
            ViewerError::NoAdapter | ViewerError::DeviceLost(_) => {
                Self::NoAdapter(error.to_string())
            }
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl From<PngError> for CliError {
    fn from(error: PngError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<SendError> for CliError {
    fn from(error: SendError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<Arc<EngineError>> for CliError {
    fn from(error: Arc<EngineError>) -> Self {
        match Arc::try_unwrap(error) {
            Ok(EngineError::Model(error)) => Self::Model(error),
            Ok(error) => Self::Failed(error.to_string()),
            Err(shared) => Self::Failed(shared.to_string()),
        }
    }
}

impl From<ThemeArg> for Theme {
    fn from(theme: ThemeArg) -> Self {
        match theme {
            ThemeArg::Dark => Self::Dark,
            ThemeArg::Light => Self::Light,
        }
    }
}

/// What colours and heights stand for, if there is something to work that out from.
pub(super) fn color_by(asked: ColorByArg, run: &RunArgs) -> Result<ColorBy, CliError> {
    match asked {
        ColorByArg::Value => return Ok(ColorBy::Value),
        ColorByArg::Gradient | ColorByArg::Direct => {}
    }
    run.model.require_weights("--color-by")?;
    Ok(match asked {
        ColorByArg::Direct => ColorBy::Direct,
        _ => ColorBy::Gradient,
    })
}

/// How a picture's world looks.
pub(super) fn picture_options(
    picture: &PictureArgs,
    config: &ModelConfig,
) -> Result<ViewerOptions, CliError> {
    picture.require_heads(config)?;
    Ok(ViewerOptions {
        theme: picture.theme.into(),
        hidden: picture.hidden(),
        arc_choice: ArcChoice {
            heads: picture.arc_heads.iter().copied().collect(),
            pooling: match picture.arc_pool {
                PoolArg::Mean => Pooling::Mean,
                PoolArg::Max => Pooling::Max,
            },
            layer: None,
        },
        ..ViewerOptions::default()
    })
}

impl From<SnapshotCamera> for Viewpoint {
    fn from(camera: SnapshotCamera) -> Self {
        match camera {
            SnapshotCamera::Overview | SnapshotCamera::Tour => Self::Overview,
            SnapshotCamera::Layer => Self::Layer,
            SnapshotCamera::Street => Self::Street,
            SnapshotCamera::Heads => Self::Heads,
            SnapshotCamera::Neurons => Self::Neurons,
            SnapshotCamera::Map => Self::Map,
        }
    }
}

/// A model's thread that was asked to load it, to choose tokens as `sampler` says, to set parts to
/// zero and to begin the text; and the text, for the prompt box.
pub(super) fn start_engine_with(
    args: &RunArgs,
    asked: &Asked,
    sampler: &SamplerSettings,
    ablate: &[Ablation],
) -> Result<(EngineHandle, String), CliError> {
    if !ablate.is_empty() {
        check_ablations(ablate, &args.model.config()?)?;
    }
    let engine = EngineHandle::start()
        .map_err(|error| CliError::Failed(format!("cannot start the model's thread: {error}")))?;
    if let Some(budget) = args.trace_memory {
        engine.request(EngineRequest::SetTraceMemory(budget.0))?;
    }
    engine.request(EngineRequest::Load {
        source: args.model.model.clone(),
        settings: args.load_settings(),
    })?;
    engine.request(EngineRequest::SetSampler(*sampler))?;
    engine.request(EngineRequest::SetLens(true))?;
    if !ablate.is_empty() {
        engine.request(EngineRequest::SetAblations(ablate.to_vec()))?;
    }
    let (prompt, text) = match asked.clone() {
        Asked::Default => (Prompt::Text(super::prompt::DEFAULT_TEXT.to_owned()), None),
        Asked::Text(text) => (Prompt::Text(text.clone()), Some(text)),
        Asked::Tokens(tokens) => (Prompt::Tokens(tokens), Some(String::new())),
    };
    engine.request(EngineRequest::SetPrompt(prompt))?;
    let text = text.unwrap_or_else(|| super::prompt::DEFAULT_TEXT.to_owned());
    Ok((engine, text))
}

/// The same with the most probable token each time.
pub(super) fn start_engine_without(
    args: &RunArgs,
    ablate: &[Ablation],
) -> Result<(EngineHandle, String), CliError> {
    let sampler = SamplerSettings {
        seed: args.seed,
        ..SamplerSettings::default()
    };
    start_engine_with(args, &args.prompt.read()?, &sampler, ablate)
}

/// What is to be seen, running in the window's own time.
pub(super) fn live_subject(args: &RunArgs) -> Result<Subject, CliError> {
    live_subject_without(args, &[])
}

/// The same with these parts set to zero.
pub(super) fn live_subject_without(
    args: &RunArgs,
    ablate: &[Ablation],
) -> Result<Subject, CliError> {
    if !ablate.is_empty() {
        args.model.require_weights("--ablate")?;
    }
    if let Some(config) = args.model.arch() {
        return Ok(Subject::Shape {
            name: args.model.name(),
            config,
        });
    }
    // What can be known to be wrong before the window opens is said in the terminal.
    args.model.config()?;
    let (engine, prompt) = start_engine_without(args, ablate)?;
    Ok(Subject::Model { engine, prompt })
}

/// Everything the model's thread, started by [`start_engine_with`], tells of the prompt and of up to
/// `n_new_tokens` after it: pass by pass, each followed by what the lens read of it. It ends early
/// where `is_over` says so.
pub(super) fn run_text(
    engine: &EngineHandle,
    n_new_tokens: usize,
    is_over: &dyn Fn() -> bool,
) -> Result<Vec<EngineUpdate>, CliError> {
    engine.request(EngineRequest::Play(n_new_tokens))?;
    let mut updates = Vec::new();
    let mut lens = Vec::new();
    let (mut is_paused, mut is_lens_awaited) = (false, false);
    while !is_paused || is_lens_awaited {
        if is_over() {
            return Err(CliError::Interrupted);
        }
        let Some(update) = engine.wait_update() else {
            break;
        };
        match update {
            EngineUpdate::Failed(error) | EngineUpdate::LoadFailed(error) => {
                return Err(error.into());
            }
            EngineUpdate::Paused(reason) => {
                if reason == PauseReason::ContextFull {
                    super::say("note: the context is full, so the text ends here");
                }
                is_paused = true;
            }
            EngineUpdate::Lens { .. } => lens.push(update),
            EngineUpdate::LensDone => is_lens_awaited = false,
            EngineUpdate::PassDone { ref pass, .. } => {
                is_lens_awaited = true;
                share_values(&mut updates, pass);
                updates.push(update);
            }
            other => updates.push(other),
        }
    }
    Ok(with_lens(updates, &lens))
}

/// Gives what was told of a pass while it was computed the values that are kept of it, which may lie
/// in a file: else they would be in memory all the same.
fn share_values(updates: &mut [EngineUpdate], pass: &Pass) {
    for update in updates.iter_mut().rev() {
        match update {
            EngineUpdate::Computed { values, .. } => {
                for (hook, value) in values {
                    if let Some(kept) = pass.cache.get(hook) {
                        value.clone_from(kept);
                    }
                }
            }
            _ => return,
        }
    }
}

/// Opens a saved trace, and checks what it says of itself.
pub(super) fn open_trace(path: &Path) -> Result<TraceFile, CliError> {
    Ok(TraceFile::open(path)?)
}

/// What a saved trace shows, and what its model told, in the order of [`run_text`]: like
/// [`start_engine`] and that, with nothing computed.
pub(super) fn replayed(file: TraceFile) -> Result<(Subject, Vec<EngineUpdate>), CliError> {
    let updates = saved_updates(file)?;
    let engine = start_replay(Vec::new())?;
    Ok((Subject::Replay { engine }, updates))
}

/// As [`replayed`], up to the pass that computed position `step`.
pub(super) fn replay_to(
    file: TraceFile,
    step: Option<usize>,
) -> Result<(Subject, Vec<EngineUpdate>), CliError> {
    let n_pos = file.n_pos();
    if let Some(step) = step.filter(|step| *step >= n_pos) {
        return Err(CliError::Usage(format!(
            "the trace ends before position {step}: it has {n_pos}, counted from 0"
        )));
    }
    let (subject, mut updates) = replayed(file)?;
    let is_beyond = |update: &EngineUpdate| {
        let first = match update {
            EngineUpdate::PassStarted { first_pos, .. } => *first_pos,
            _ => 0,
        };
        step.is_some_and(|step| first > step)
    };
    if let Some(end) = updates.iter().position(is_beyond) {
        updates.truncate(end);
    }
    Ok((subject, updates))
}

/// A saved trace that tells its values in the window's own time.
pub(super) fn live_replay(file: TraceFile) -> Result<Subject, CliError> {
    let engine = start_replay(saved_updates(file)?)?;
    Ok(Subject::Replay { engine })
}

fn start_replay(updates: Vec<EngineUpdate>) -> Result<EngineHandle, CliError> {
    EngineHandle::start_replay(updates)
        .map_err(|error| CliError::Failed(format!("cannot start the replay's thread: {error}")))
}

/// Reads all of the trace; tells which hook points it lacks.
fn saved_updates(file: TraceFile) -> Result<Vec<EngineUpdate>, CliError> {
    let missing = file.missing_hooks();
    if let Some(first) = missing.first() {
        let others = match missing.len() {
            1 => String::new(),
            n => format!(" and {} other hook points", n - 1),
        };
        super::say(&format!(
            "note: the trace was saved without {first}{others}; they are shown without values"
        ));
    }
    let path = file.path().to_owned();
    let saved = file.read(available_memory())?;
    replay(saved).map_err(|error| {
        let what = format!("what it says was set to zero is not in its model: {error}");
        CliError::Open(OpenError::Damaged { path, what })
    })
}

/// Puts what the lens read after the pass that it read.
fn with_lens(updates: Vec<EngineUpdate>, lens: &[EngineUpdate]) -> Vec<EngineUpdate> {
    let mut all = Vec::with_capacity(updates.len() + lens.len());
    for update in updates {
        let positions = match &update {
            EngineUpdate::PassDone { pass, .. } => pass.positions(),
            _ => 0..0,
        };
        all.push(update);
        let of_pass = lens.iter().filter(|read| {
            matches!(read, EngineUpdate::Lens { first_pos, .. } if positions.contains(first_pos))
        });
        all.extend(of_pass.cloned());
    }
    all
}
