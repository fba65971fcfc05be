//! `completions`: a shell's completions, on standard output.

use std::io::{self, Write as _};

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;
use super::error::CliError;

/// Options of `completions`.
#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> Result<(), CliError> {
    let mut script = Vec::new();
    // Into memory first: `generate` panics where a pipe is closed.
    clap_complete::generate(args.shell, &mut Cli::command(), "llmscope", &mut script);
    Ok(io::stdout().write_all(&script)?)
}
