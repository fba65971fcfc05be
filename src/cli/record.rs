//! `record`: a flight through the 3D world, with no display needed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::error::CliError;
use super::options::{PictureArgs, RunArgs};

/// Options of `record`.
#[derive(Clone, Debug, Args)]
pub struct RecordArgs {
    /// The video to write, or a folder for one PNG a frame
    #[arg(short, long, value_name = "PATH")]
    pub output: PathBuf,
    /// The model and what it reads.
    #[command(flatten)]
    pub run: RunArgs,
    /// How the picture looks.
    #[command(flatten)]
    pub picture: PictureArgs,
    /// The camera's path
    #[arg(long, value_name = "PATH", default_value = "tour")]
    pub camera: RecordCamera,
    /// Frames of one second
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=240))]
    pub fps: u32,
    /// Length in seconds; the path's own without it
    #[arg(long, value_name = "N", value_parser = seconds, allow_negative_numbers = true)]
    pub seconds: Option<f64>,
    /// Replace what exists
    #[arg(long)]
    pub force: bool,
}

/// The camera's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RecordCamera {
    /// From the first token through every layer to the logits
    Tour,
    /// Once round the model
    Orbit,
}

/// The longest recording, a day.
const MAX_SECONDS: f64 = 86_400.0;

fn seconds(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|seconds| *seconds > 0.0 && *seconds <= MAX_SECONDS)
        .ok_or_else(|| format!("it must be a number above 0 and at most {MAX_SECONDS}"))
}

/// Renders the flight frame by frame and writes it.
///
/// # Errors
///
/// If the program was built without the viewer.
#[cfg(not(feature = "viewer"))]
pub fn run(_args: &RecordArgs) -> Result<(), CliError> {
    Err(CliError::NoViewer("record"))
}

/// Renders the flight frame by frame and writes it.
///
/// # Errors
///
/// If the model can't be used, there is no graphics adapter, or the recording can't be written.
#[cfg(feature = "viewer")]
pub fn run(args: &RecordArgs) -> Result<(), CliError> {
    flight::run(args)
}

#[cfg(feature = "viewer")]
mod flight {
    //! The flight itself.

    use std::collections::VecDeque;
    use std::f32::consts::TAU;
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    use indicatif::{ProgressBar, ProgressStyle};

    use super::{RecordArgs, RecordCamera};
    use crate::cli::error::CliError;
    use crate::cli::{say, stage};
    use crate::engine::{EngineHandle, EngineUpdate};
    use crate::layout::ModelLayout;
    use crate::viewer::app::{Subject, ViewerOptions};
    use crate::viewer::capture::{Offscreen, PngError, save_png};
    use crate::viewer::viewpoint::{Pose, Screen, Viewpoint};

    /// Length where none is asked for, in seconds.
    const DEFAULT_SECONDS: f64 = 12.0;
    /// Tokens generated after the prompt.
    const NEW_TOKENS: usize = 12;
    /// How long a complete pass stands still before the next token, in seconds.
    const REST_SECS: f32 = 0.5;

    pub(super) fn run(args: &RecordArgs) -> Result<(), CliError> {
        let config = args.run.model.config()?;
        args.picture.require_heads(&config)?;
        prepare_folder(args)?;
        let seconds = args.seconds.unwrap_or(DEFAULT_SECONDS);
        let n_frames = (seconds * f64::from(args.fps)).round().max(1.0) as usize;
        let (subject, mut passes) = subject(args)?;
        let options = ViewerOptions {
            has_panels: false,
            ..stage::picture_options(&args.picture, &config)?
        };
        let size = args.picture.size;
        let mut offscreen = Offscreen::new(subject, &options, size.width, size.height)?;
        offscreen.settle();
        offscreen.set_frame_time(Duration::from_secs_f64(1.0 / f64::from(args.fps)));
        let bar = progress_bar(n_frames as u64);
        let n_layers = config.n_layers;
        let mut is_prompt = true;
        let mut rested_secs = REST_SECS;
        for frame in 0..n_frames {
            if offscreen.is_pass_shown() {
                rested_secs += 1.0 / args.fps as f32;
            }
            if rested_secs >= REST_SECS
                && let Some(pass) = passes.pop_front()
            {
                // The prompt's signal takes a third of the film, those after it less.
                let share = if is_prompt { 3.0 } else { 9.0 };
                offscreen.set_layers_per_sec(n_layers as f32 * share / seconds as f32);
                for update in pass {
                    offscreen.feed(update);
                }
                is_prompt = false;
                rested_secs = 0.0;
            }
            let share = frame as f32 / (n_frames - 1).max(1) as f32;
            offscreen.look_from(|layout, screen| pose(args.camera, layout, screen, share));
            offscreen.draw();
            let path = args.output.join(format!("frame-{frame:05}.png"));
            save_png(&offscreen.read_back()?, &[], &path, args.force)
                .map_err(|error| CliError::Recording(error.to_string()))?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        say(&format!(
            "wrote {n_frames} frames of {size} to {}; to make a video of them: ffmpeg -framerate {} \
             -i {}/frame-%05d.png -pix_fmt yuv420p video.mp4",
            args.output.display(),
            args.fps,
            args.output.display(),
        ));
        Ok(())
    }

    /// Makes the folder, unless it holds something that was not to be replaced.
    fn prepare_folder(args: &RecordArgs) -> Result<(), CliError> {
        let folder = &args.output;
        let is_video = folder.extension().is_some_and(|extension| {
            ["mp4", "mkv", "webm", "mov", "avi", "gif", "png"]
                .iter()
                .any(|video| extension.eq_ignore_ascii_case(video))
        });
        if is_video {
            return Err(CliError::Usage(format!(
                "record writes a folder of PNG frames, and {} is named like a file; \
                 give a folder's name",
                folder.display()
            )));
        }
        let failed = |error: &dyn std::fmt::Display| {
            CliError::Recording(format!("cannot write to {}: {error}", folder.display()))
        };
        if folder.exists() {
            let is_used = fs::read_dir(folder)
                .map_err(|error| failed(&error))?
                .next()
                .is_some();
            if is_used && !args.force {
                let error = PngError::Exists(folder.clone());
                return Err(CliError::Recording(error.to_string()));
            }
            remove_frames(folder).map_err(|error| failed(&error))?;
        }
        fs::create_dir_all(folder).map_err(|error| failed(&error))
    }

    /// Removes an earlier recording's frames, and nothing else.
    fn remove_frames(folder: &Path) -> std::io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or("");
            if name.starts_with("frame-") && name.ends_with(".png") {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// What is to be seen, and the updates of each pass, one list a pass.
    fn subject(args: &RecordArgs) -> Result<(Subject, VecDeque<Vec<EngineUpdate>>), CliError> {
        if args.run.model.arch.is_some() {
            return Ok((stage::live_subject(&args.run)?, VecDeque::new()));
        }
        let (engine, prompt) = stage::start_engine(&args.run)?;
        let mut passes = VecDeque::new();
        let mut pass = Vec::new();
        for update in stage::run_text(&engine, NEW_TOKENS)? {
            // What comes before the first pass, the model, is part of it.
            if matches!(update, EngineUpdate::PassStarted { first_pos: 1.., .. }) {
                passes.push_back(std::mem::take(&mut pass));
            }
            pass.push(update);
        }
        passes.push_back(pass);
        let engine = EngineHandle::start().map_err(|error| CliError::Failed(error.to_string()))?;
        Ok((Subject::Model { engine, prompt }, passes))
    }

    /// Where the camera is, `share` of the way through the film.
    fn pose(camera: RecordCamera, layout: &ModelLayout, screen: &Screen, share: f32) -> Pose {
        let overview = Viewpoint::Overview.pose(layout, screen);
        match camera {
            RecordCamera::Orbit => Pose {
                yaw: overview.yaw + TAU * share,
                ..overview
            },
            RecordCamera::Tour => {
                let stops = [
                    Viewpoint::Overview,
                    Viewpoint::Layer,
                    Viewpoint::Heads,
                    Viewpoint::Neurons,
                    Viewpoint::Overview,
                ];
                let leg = share * (stops.len() - 1) as f32;
                let index = (leg as usize).min(stops.len() - 2);
                let along = leg - index as f32;
                let eased = along * along * (3.0 - 2.0 * along);
                let from = stops[index].pose(layout, screen);
                from.towards(&stops[index + 1].pose(layout, screen), eased)
            }
        }
    }

    fn progress_bar(n_frames: u64) -> ProgressBar {
        let style = ProgressStyle::with_template(
            "recording {bar:30} {pos}/{len} frames, {per_sec}, {eta} left",
        )
        .expect("the template's fields are indicatif's");
        ProgressBar::new(n_frames).with_style(style)
    }
}
