//! `snapshot`: one frame of the 3D world, with no display needed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::error::CliError;
use super::options::{PictureArgs, RunArgs};
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
    /// How the picture looks.
    #[command(flatten)]
    pub picture: PictureArgs,
    /// Where the camera stands
    #[arg(long, value_name = "VIEW", default_value = "overview")]
    pub camera: SnapshotCamera,
    /// The hook point to look at, such as blocks.3.attn.hook_pattern
    #[arg(long, value_name = "HOOK")]
    pub focus: Option<HookPoint>,
    /// The position in the text whose values are shown, from 0; the last without it
    #[arg(long, value_name = "N")]
    pub step: Option<usize>,
    /// Whether the panels beside the world are in the picture
    #[arg(long, value_name = "SWITCH", default_value = "off")]
    pub panels: Switch,
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
pub fn run(_args: &SnapshotArgs) -> Result<(), CliError> {
    Err(CliError::NoViewer("snapshot"))
}
