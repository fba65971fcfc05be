//! The `llmscope` program.

use std::process::ExitCode;

use llmscope::cli;

fn main() -> ExitCode {
    cli::run(std::env::args_os()).into()
}
