//! The same film again, from what stands beside it.

use std::env;
use std::path::{Path, PathBuf};

use clap::Parser as _;

use super::RecordArgs;
use super::sidecar::Sidecar;
use crate::cli::error::CliError;
use crate::cli::{Cli, Command, refusal};
use crate::viewer::session::SessionLog;

/// A film to be made again.
pub(super) struct Again {
    pub(super) args: RecordArgs,
    /// The options, as if they had been given.
    pub(super) given: Vec<String>,
    pub(super) made_of: MadeOf,
}

/// What a film was made of.
pub(super) enum MadeOf {
    /// Options.
    Film(Sidecar),
    /// What was done in a window.
    Session(SessionLog),
}

impl Again {
    /// Reads `from`; of `given`, the options of this call, what is said twice is said last.
    pub(super) fn read(from: &Path, given: &[String]) -> Result<Self, CliError> {
        let made_of = MadeOf::load(from)?;
        let (mut options, film, folder) = match &made_of {
            MadeOf::Film(sidecar) => (
                sidecar.arguments.clone(),
                from.with_file_name(&sidecar.film),
                sidecar.folder.clone(),
            ),
            MadeOf::Session(log) => (session_options(log), beside(from), PathBuf::new()),
        };
        // What this call names lies where it was called, all else where the film was made.
        options.extend(with_absolute_paths(&without(given, &["--from"])));
        let mut line = vec!["llmscope".to_owned(), "record".to_owned()];
        line.extend(options.iter().cloned());
        if !names_output(&options) {
            line.extend(["-o".to_owned(), film.display().to_string()]);
        }
        let parsed = Cli::try_parse_from(&line)
            .map_err(|error| CliError::Usage(format!("{}: {}", from.display(), refusal(&error))))?;
        let Some(Command::Record(args)) = parsed.command else {
            let message = format!("{} names no film", from.display());
            return Err(CliError::Usage(message));
        };
        if args.from.is_some() {
            return Err(CliError::Usage(format!(
                "{} refers to another film; give the .json beside that one",
                from.display()
            )));
        }
        if folder.is_dir() {
            env::set_current_dir(&folder).map_err(|error| {
                CliError::Usage(format!("cannot enter {}: {error}", folder.display()))
            })?;
        }
        Ok(Self {
            args: *args,
            given: options,
            made_of,
        })
    }
}

impl MadeOf {
    fn load(from: &Path) -> Result<Self, CliError> {
        if SessionLog::is_at(from) {
            let log = SessionLog::load(from);
            return log
                .map(Self::Session)
                .map_err(|error| CliError::Usage(error.to_string()));
        }
        Sidecar::load(from).map(Self::Film)
    }

    /// What was done in a window, if that is what is filmed.
    pub(super) fn session(&self) -> Result<Option<SessionLog>, CliError> {
        match self {
            Self::Session(log) => Ok(Some(log.clone())),
            Self::Film(sidecar) => {
                let log = sidecar.session.as_ref();
                let log = log.map(|log| SessionLog::parse(log.to_string().as_bytes()));
                log.transpose()
                    .map_err(|reason| CliError::Usage(format!("the session: {reason}")))
            }
        }
    }

    /// The text that it showed.
    pub(super) fn tokens(&self) -> &[u32] {
        match self {
            Self::Film(sidecar) => &sidecar.tokens,
            Self::Session(log) => &log.tokens,
        }
    }
}

/// Where a session's film goes: beside the one that was made in the window.
fn beside(from: &Path) -> PathBuf {
    let film = from.with_extension("");
    let stem = film.file_stem().unwrap_or_default().to_string_lossy();
    let ending = film.extension().unwrap_or_default().to_string_lossy();
    film.with_file_name(format!("{stem}-again.{ending}"))
}

/// The options that show what a session showed.
fn session_options(log: &SessionLog) -> Vec<String> {
    let options = lasting(&log.arguments);
    let shown = [
        "--prompt",
        "--prompt-file",
        "--tokens",
        "--ablate",
        "--theme",
        "--color-by",
    ];
    let mut options = without(&options, &shown);
    let is_replay = names(&options, "--trace");
    let list = |parts: Vec<String>| parts.join(",");
    let mut add = |name: &str, value: String| options.extend([name.to_owned(), value]);
    if !is_replay {
        add(
            "--tokens",
            list(log.tokens.iter().map(u32::to_string).collect()),
        );
        add("--max-new-tokens", "0".to_owned());
        if !log.ablations.is_empty() {
            let parts = log.ablations.iter().map(ToString::to_string);
            add("--ablate", list(parts.collect()));
        }
    }
    let even = |side: u32| side.next_multiple_of(2);
    add(
        "--size",
        format!("{}x{}", even(log.width), even(log.height)),
    );
    add("--fps", log.fps.to_string());
    add("--captions", "off".to_owned());
    options
}

/// Whether an option is among them, by its long name.
pub(super) fn names(options: &[String], name: &str) -> bool {
    let with_value = format!("{name}=");
    options
        .iter()
        .any(|option| option == name || option.starts_with(&with_value))
}

fn names_output(options: &[String]) -> bool {
    let is_output = |option: &String| {
        option == "--output" || option.starts_with("--output=") || is_short_output(option)
    };
    options.iter().any(is_output)
}

fn is_short_output(option: &str) -> bool {
    option.starts_with("-o") && !option.starts_with("--")
}

/// Options whose value may be a path.
const PATHS: &[&str] = &[
    "-o",
    "--output",
    "--model",
    "--prompt-file",
    "--camera",
    "--trace",
];
/// Those whose value is one even where nothing is there yet.
const NEW_PATHS: &[&str] = &["-o", "--output"];

/// The options with paths that begin at the root.
fn with_absolute_paths(options: &[String]) -> Vec<String> {
    let mut name = String::new();
    let mut all = Vec::with_capacity(options.len());
    for option in options {
        let (own_name, value) = match option.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (Some(name), value),
            _ => (None, option.as_str()),
        };
        let of = own_name.unwrap_or(&name);
        let is_path = NEW_PATHS.contains(&of) || (PATHS.contains(&of) && Path::new(value).exists());
        let absolute = std::path::absolute(value).ok().filter(|_| is_path);
        all.push(match (absolute, own_name) {
            (Some(path), Some(name)) => format!("{name}={}", path.display()),
            (Some(path), None) => path.display().to_string(),
            (None, _) => option.clone(),
        });
        name.clone_from(option);
    }
    all
}

/// The options without these and their values.
pub(super) fn without(options: &[String], names: &[&str]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut is_value = false;
    for option in options {
        if std::mem::take(&mut is_value) {
            continue;
        }
        if names.contains(&option.as_str()) {
            is_value = true;
        } else if !names
            .iter()
            .any(|name| option.starts_with(&format!("{name}=")))
        {
            kept.push(option.clone());
        }
    }
    kept
}

/// The options that make a film what it is: without where it goes and how that is told.
pub(super) fn lasting(options: &[String]) -> Vec<String> {
    let options = without(options, &["-o", "--output", "--from"]);
    let passing =
        |option: &String| option != "--force" && option != "--json" && !is_short_output(option);
    options.into_iter().filter(passing).collect()
}

/// The folder that relative paths start from.
pub(super) fn folder() -> PathBuf {
    // Without one every path is from the root.
    env::current_dir().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn where_a_film_goes_is_no_part_of_what_it_is() {
        let given =
            options("-o a.mp4 --fps 60 --force --prompt --json --output=b.mp4 -oc.mp4 --seed 7");

        assert_eq!(
            lasting(&given),
            options("--fps 60 --prompt --seed 7"),
            "options are told apart by name alone"
        );
        assert!(names_output(&given));
        assert!(!names_output(&lasting(&given)));
    }

    #[test]
    fn paths_begin_at_the_root_and_words_stay() {
        let root = env::current_dir().unwrap();
        let root = root.display();
        let given = options("-o new.mp4 --temperature 0.7 --camera tour --prompt-file Cargo.toml");

        let all = with_absolute_paths(&given);

        let expected = format!(
            "-o {root}/new.mp4 --temperature 0.7 --camera tour --prompt-file {root}/Cargo.toml"
        );
        assert_eq!(all, options(&expected));
        assert_eq!(
            with_absolute_paths(&options("--output=a/b.mp4 --model=demo")),
            options(&format!("--output={root}/a/b.mp4 --model=demo"))
        );
    }
}
