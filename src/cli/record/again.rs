//! The same film again, from what stands beside it.

use std::env;
use std::path::{Path, PathBuf};

use clap::Parser as _;

use super::RecordArgs;
use super::sidecar::Sidecar;
use crate::cli::error::CliError;
use crate::cli::{Cli, Command, refusal};

/// A film to be made again.
pub(super) struct Again {
    pub(super) args: RecordArgs,
    /// The options, as if they had been given.
    pub(super) given: Vec<String>,
    pub(super) sidecar: Sidecar,
}

impl Again {
    /// Reads `from`; of `given`, the options of this call, what is said twice is said last.
    pub(super) fn read(from: &Path, given: &[String]) -> Result<Self, CliError> {
        let sidecar = Sidecar::load(from)?;
        let mut options = sidecar.arguments.clone();
        // What this call names lies where it was called, all else where the film was made.
        options.extend(with_absolute_paths(&without(given, &["--from"])));
        let mut line = vec!["llmscope".to_owned(), "record".to_owned()];
        line.extend(options.iter().cloned());
        if !names_output(&options) {
            let film = from.with_file_name(&sidecar.film);
            line.extend(["-o".to_owned(), film.display().to_string()]);
        }
        let parsed = Cli::try_parse_from(&line)
            .map_err(|error| CliError::Usage(format!("{}: {}", from.display(), refusal(&error))))?;
        let Some(Command::Record(args)) = parsed.command else {
            return Err(CliError::Usage(format!("{} names no film", from.display())));
        };
        if args.from.is_some() {
            return Err(CliError::Usage(format!(
                "{} refers to another film; give the .json beside that one",
                from.display()
            )));
        }
        if sidecar.folder.is_dir() {
            env::set_current_dir(&sidecar.folder).map_err(|error| {
                CliError::Usage(format!(
                    "cannot enter {}: {error}",
                    sidecar.folder.display()
                ))
            })?;
        }
        Ok(Self {
            args: *args,
            given: options,
            sidecar,
        })
    }
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
const PATHS: &[&str] = &["-o", "--output", "--model", "--prompt-file", "--camera"];
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
