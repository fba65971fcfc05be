//! `snapshot`: one frame of the 3D world, with no display needed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::error::CliError;
use super::options::{ColorByArg, PictureArgs, ReplayArgs, RunArgs};
use crate::ablation::Ablation;
use crate::hook::HookPoint;

/// Options of `snapshot`.
#[derive(Clone, Debug, Args)]
pub struct SnapshotArgs {
    /// The PNG to write
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// The model and what it reads.
    #[command(flatten)]
    pub run: RunArgs,
    /// What is shown in its place.
    #[command(flatten)]
    pub replay: ReplayArgs,
    /// How the picture looks.
    #[command(flatten)]
    pub picture: PictureArgs,
    /// Where the camera stands
    #[arg(long, value_name = "VIEW", default_value = "overview")]
    pub camera: SnapshotCamera,
    /// The stop of the guided tour to stand at, from 1; the first without it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub stop: Option<u32>,
    /// The hook point to look at, such as `blocks.3.attn.hook_pattern`
    #[arg(long, value_name = "HOOK")]
    pub focus: Option<HookPoint>,
    /// The position in the text whose values are shown, from 0; the last without it
    #[arg(long, value_name = "N")]
    pub step: Option<usize>,
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
    /// Whether the panels beside the world are in the picture
    #[arg(long, value_name = "SWITCH", default_value = "off")]
    pub panels: Switch,
    /// Views open beside the world, which brings the panels into the picture
    #[arg(long, value_name = "VIEW,...", value_delimiter = ',')]
    pub open: Vec<PlotArg>,
    /// Leave out ground and sky: what is behind the world stays transparent
    #[arg(long)]
    pub transparent: bool,
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
}

/// Where the camera stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SnapshotCamera {
    /// The whole model
    Overview,
    /// One layer
    Layer,
    /// Down the residual stream
    Street,
    /// A layer's attention heads
    Heads,
    /// A layer's neurons
    Neurons,
    /// From straight above
    Map,
    /// At a stop of the guided tour, with what is said there
    Tour,
}

/// A view beside the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlotArg {
    /// Layers, shapes, parameters and memory
    Summary,
    /// How large values are, by layer and token
    Activations,
    /// Who attends to whom
    Attention,
    /// Tokens as points
    Embeddings,
    /// Which tokens a prediction hangs on
    Saliency,
    /// What each layer would predict, and which part adds what
    Lens,
    /// What a prediction loses without some parts
    Ablation,
}

#[cfg(feature = "viewer")]
impl From<PlotArg> for crate::viewer::ui::panels::Plot {
    fn from(arg: PlotArg) -> Self {
        match arg {
            PlotArg::Summary => Self::Summary,
            PlotArg::Activations => Self::Activations,
            PlotArg::Attention => Self::Attention,
            PlotArg::Embeddings => Self::Embeddings,
            PlotArg::Saliency => Self::Saliency,
            PlotArg::Lens => Self::Lens,
            PlotArg::Ablation => Self::Ablation,
        }
    }
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Shown
    On,
    /// Not shown
    Off,
}

/// Renders one frame and writes it.
///
/// # Errors
///
/// If the program was built without the viewer.
#[cfg(not(feature = "viewer"))]
pub fn run(_args: &SnapshotArgs) -> Result<(), CliError> {
    Err(CliError::NoViewer("snapshot"))
}

/// Renders one frame and writes it.
///
/// # Errors
///
/// If the model can't be used, there is no graphics adapter, or the file can't be written.
#[cfg(feature = "viewer")]
pub fn run(args: &SnapshotArgs) -> Result<(), CliError> {
    use super::stage;
    use crate::viewer::app::{Subject, ViewerOptions};
    use crate::viewer::capture::{Offscreen, PngError, save_png};
    use crate::viewer::viewpoint::Viewpoint;

    // Nothing is computed for a picture that could not be kept.
    if !args.force && args.output.exists() {
        return Err(PngError::Exists(args.output.clone()).into());
    }
    let saved = args.replay.trace.as_deref();
    let saved = saved.map(stage::open_trace).transpose()?;
    let (config, name) = match &saved {
        Some(file) => (file.about().config.clone(), file.about().model.clone()),
        None => (args.run.model.config()?, args.run.model.name()),
    };
    if let Some(hook) = args.focus
        && crate::layout::ModelLayout::without(&config, 1, &args.picture.hidden())
            .hook_rect(hook)
            .is_none()
    {
        return Err(CliError::Usage(format!(
            "the world of this model has no {hook} to look at"
        )));
    }
    let tour_stop = (args.camera == SnapshotCamera::Tour)
        .then(|| args.stop.map_or(0, |stop| stop as usize - 1));
    if tour_stop.is_none() && args.stop.is_some() {
        return Err(CliError::Usage(
            "--stop is of the guided tour; add --camera tour".to_owned(),
        ));
    }
    let viewpoint: Viewpoint = args.camera.into();
    let options = ViewerOptions {
        viewpoint,
        has_panels: args.panels == Switch::On || !args.open.is_empty(),
        plots: args.open.iter().copied().map(Into::into).collect(),
        color_by: stage::color_by(args.color_by, &args.run)?,
        has_backdrop: !args.transparent,
        ..stage::picture_options(&args.picture, &config)?
    };
    let (subject, updates) = if let Some(file) = saved {
        stage::replay_to(file, args.step)?
    } else if args.run.model.arch.is_some() {
        (
            stage::live_subject_without(&args.run, &args.ablate)?,
            Vec::new(),
        )
    } else {
        let (engine, prompt) = stage::start_engine_without(&args.run, &args.ablate)?;
        let updates = run_to_step(&engine, args.step)?;
        (Subject::Model { engine, prompt }, updates)
    };
    let size = args.picture.size;
    let mut offscreen = Offscreen::new(subject, &options, size.width, size.height)?;
    for update in updates {
        offscreen.feed(update);
    }
    if let Some(step) = args.step {
        offscreen.seek(step);
    }
    offscreen.draw(); // Where the panels are, the camera knows from here on.
    match (args.focus, tour_stop) {
        (Some(hook), _) => offscreen.look_at_hook(hook),
        (None, Some(stop)) => offscreen.show_stop(stop).map_err(CliError::Usage)?,
        (None, None) => offscreen.look_from(|layout, screen| viewpoint.pose(layout, screen)),
    }
    offscreen.wait_for_studies();
    let texts = [
        (
            "Software".to_owned(),
            format!("llmscope {}", env!("CARGO_PKG_VERSION")),
        ),
        ("Model".to_owned(), name),
    ];
    save_png(&offscreen.picture()?, &texts, &args.output, args.force)?;
    super::say(&format!("wrote {}", args.output.display()));
    Ok(())
}

/// Runs the prompt, and as many tokens after it as it takes for position `step` to exist.
#[cfg(feature = "viewer")]
fn run_to_step(
    engine: &crate::engine::EngineHandle,
    step: Option<usize>,
) -> Result<Vec<crate::engine::EngineUpdate>, CliError> {
    use crate::engine::EngineUpdate;

    let mut updates = super::stage::run_text(engine, 0, &|| false)?;
    let n_pos = updates
        .iter()
        .filter_map(|update| match update {
            EngineUpdate::PassDone { pass, .. } => Some(pass.positions().end),
            _ => None,
        })
        .max()
        .unwrap_or(0);
    let missing = step.map_or(0, |step| (step + 1).saturating_sub(n_pos));
    if missing > 0 {
        let more = super::stage::run_text(engine, missing, &|| false)?;
        let n_more = more
            .iter()
            .filter(|update| matches!(update, EngineUpdate::PassDone { .. }));
        if n_more.count() < missing {
            return Err(CliError::Usage(format!(
                "the text ends before position {}; choose a smaller --step",
                step.unwrap_or(0)
            )));
        }
        updates.extend(more);
    }
    Ok(updates)
}
