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
pub fn run(_args: &RecordArgs) -> Result<(), CliError> {
    Err(CliError::NoViewer("record"))
}
