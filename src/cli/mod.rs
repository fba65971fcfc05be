//! The command line: what can be asked for, one file per command. The only room that prints.
//!
//! Standard output carries data; standard error carries progress and messages.

mod bytes;
mod completions;
mod error;
mod files;
mod generate;
mod globs;
#[cfg(feature = "viewer")]
mod interrupt;
mod load;
mod man;
mod options;
mod plot;
mod prompt;
mod record;
mod recording;
mod snapshot;
#[cfg(feature = "viewer")]
mod stage;
mod summary;
mod trace;
mod view;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use serde::Serialize;
use tracing_subscriber::EnvFilter;

pub use completions::CompletionsArgs;
pub use error::CliError;
pub use generate::GenerateArgs;
pub use options::{
    DeviceArg, DtypeArg, ModelArgs, PictureArgs, ReplayArgs, RunArgs, SamplerArgs, Size, ThemeArg,
};
pub use plot::{PlotArgs, PlotKind};
pub use prompt::{Prompt, PromptArgs};
pub use record::{EncoderArg, RecordArgs, RecordCamera};
pub use snapshot::{SnapshotArgs, SnapshotCamera, Switch};
pub use summary::SummaryArgs;
pub use trace::TraceArgs;
pub use view::ViewArgs;

const AFTER_HELP: &str = "\
Without a command the window opens, as with `view`. Standard output carries data, standard error \
carries messages and progress.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no usable graphics adapter, 4 unusable model or \
trace file, 5 recording failed, 130 interrupted.

Environment: LLMSCOPE_MEMORY_BYTES says how much memory a model may take, in place of what the \
system says is available.";

/// Fly through a language model while it computes: every value it makes, live, in 3D
#[derive(Debug, Parser)]
#[command(
    name = "llmscope",
    version,
    after_help = AFTER_HELP,
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    view: ViewArgs,
}

/// The commands.
#[derive(Debug, Subcommand)]
enum Command {
    /// Open the window: fly, step, inspect, record
    View(ViewArgs),
    /// List the model's layers, shapes, parameters and memory
    Summary(SummaryArgs),
    /// Continue a prompt, printing the text as it comes
    Generate(GenerateArgs),
    /// Save every value of a text, under its hook point's name, as safetensors; `view --trace` shows it
    /// again
    Trace(TraceArgs),
    /// Draw one view of a model, or write its numbers: PNG, SVG, JSON or CSV
    Plot(PlotArgs),
    /// Render one frame of the 3D world as a PNG; needs no display
    Snapshot(SnapshotArgs),
    /// Render a film of the 3D world at work; needs no display
    #[command(args_override_self = true)]
    Record(Box<RecordArgs>),
    /// Print a shell's completions
    Completions(CompletionsArgs),
    /// Print the manual page
    Man,
}

/// Does what `args` ask for, the program's name first, and returns the exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let given: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&given) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    start_log();
    let result = match cli.command.unwrap_or(Command::View(cli.view)) {
        Command::View(args) => view::run(&args, &given),
        Command::Summary(args) => summary::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Trace(args) => trace::run(&args),
        Command::Plot(args) => plot::run(&args),
        Command::Snapshot(args) => snapshot::run(&args),
        Command::Record(args) => record::run(&args, &given),
        Command::Completions(args) => completions::run(&args),
        Command::Man => man::run(),
    };
    let Err(error) = result else { return 0 };
    if !error.is_closed_output() {
        say(&one_line(&format!("error: {error}")));
    }
    error.exit_code()
}

/// The options that were given to `command`, without its name and the program's.
#[cfg(feature = "viewer")]
fn given_options(given: &[OsString], command: &str) -> Vec<String> {
    let options = given.iter().skip(1);
    let options = options.map(|option| option.to_string_lossy().into_owned());
    options.skip_while(|option| option == command).collect()
}

/// Prints a message for people. If standard error is gone nobody is left to tell.
fn say(message: &str) {
    drop(writeln!(io::stderr(), "{message}"));
}

/// Prints `data` as JSON on standard output.
fn print_json(data: &impl Serialize) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    let json = serde_json::to_string_pretty(data).map_err(io::Error::from)?;
    Ok(writeln!(out, "{json}")?)
}

/// Prints help and version as clap would, and what is wrong with the arguments in two lines.
fn refuse(error: &clap::Error) -> u8 {
    if !error.use_stderr() {
        // Whoever closed standard output wants no more of it.
        drop(error.print());
        return 0;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        drop(error.print());
        return 2;
    }
    let text = error.render().to_string();
    let (what, remedy) = match text.rsplit_once("\n\nFor more information") {
        Some((what, more)) => (what, format!("For more information{more}")),
        None => (text.as_str(), "For more information, try '--help'.".into()),
    };
    let what = what.split("\n\nUsage:").next().unwrap_or(what);
    say(&one_line(what));
    if what.starts_with("error: the subcommand") {
        say("Options go after the command.");
    } else {
        say(&one_line(&remedy));
    }
    2
}

/// What is wrong with the arguments, in a line.
#[cfg(feature = "viewer")]
fn refusal(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let what = text.split("\n\n").next().unwrap_or_default();
    one_line(what.trim_start_matches("error: "))
}

/// One line without control characters: file contents that reach a message must not steer the
/// terminal.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut line = String::new();
    for character in words.join(" ").chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// What is logged without `RUST_LOG`. What the renderer logs of a failed device is told as an error.
const DEFAULT_LOG: &str = "error,llmscope=warn,bevy_render::error_handler=off";

/// Sends warnings to standard error; `RUST_LOG` asks for more or less.
fn start_log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_LOG));
    let has_colors = io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(has_colors)
        .with_target(false)
        .without_time()
        .try_init();
    if let Err(error) = started {
        say(&format!("warning: no log: {error}"));
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_message_is_one_line_that_cannot_steer_the_terminal() {
        assert_eq!(one_line("a\n  b\x1b[31mc\r\n"), "a b\\u{1b}[31mc");
    }
}
