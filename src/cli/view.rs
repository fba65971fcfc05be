//! `view`: the window.

use clap::Args;

use super::error::CliError;
use super::options::RunArgs;

/// Options of `view`.
#[derive(Clone, Debug, Args)]
pub struct ViewArgs {
    /// The model and what it reads.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Opens the window and returns when it is closed.
///
/// # Errors
///
/// If the program was built without the viewer.
#[cfg(not(feature = "viewer"))]
pub fn run(_args: &ViewArgs) -> Result<(), CliError> {
    Err(CliError::NoViewer("view"))
}

/// Opens the window and returns when it is closed.
///
/// # Errors
///
/// If the model can't be used or there is no graphics adapter.
#[cfg(feature = "viewer")]
pub fn run(_args: &ViewArgs) -> Result<(), CliError> {
    Err(CliError::NoViewer("view"))
}
