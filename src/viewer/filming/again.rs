//! The last film of the window, made again offline: every frame, as good as it gets, by a process of
//! its own.

use std::env;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;

use bevy::prelude::*;
use crossbeam_channel::{Receiver, Sender, bounded};

use super::{FilmNews, FilmWish};
use crate::viewer::session::log_path;

/// The last film, and the process that makes it again.
#[derive(Resource, Default)]
pub struct FilmAgain {
    /// The last film that was recorded whole, with its session beside it.
    pub last: Option<PathBuf>,
    making: Option<Making>,
}

impl FilmAgain {
    /// Whether there is a film to make again, and none is being made.
    pub fn is_ready(&self) -> bool {
        self.last.is_some() && self.making.is_none()
    }
}

/// A film being made again.
struct Making {
    film: PathBuf,
    child: Child,
    /// What it prints, line by line.
    lines: Receiver<String>,
    last_line: String,
}

/// The quantizer of a film that is made again: better than can be seen.
const QUALITY: &str = "16";
/// Lines that may wait for a frame to take them in.
const ROOM: usize = 64;

impl Making {
    /// Has `program` make the film again.
    fn begin(program: &Path, film: &Path) -> std::io::Result<Self> {
        let again = free_name_beside(film);
        let mut child = Command::new(program)
            .args(["record", "--quality", QUALITY, "--from"])
            .arg(log_path(film))
            .arg("-o")
            .arg(&again)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let (sender, lines) = bounded(ROOM);
        let stderr = child.stderr.take();
        let making = Self {
            film: again,
            child,
            lines,
            last_line: String::new(),
        };
        thread::Builder::new()
            .name("llmscope-film-again".to_owned())
            .spawn(move || tell_lines(stderr, &sender))?;
        Ok(making)
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        // What has ended can't be killed, and was waited for: both are as they should be.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn tell_lines(stderr: Option<ChildStderr>, lines: &Sender<String>) {
    let Some(stderr) = stderr else { return };
    for line in BufReader::new(stderr).lines() {
        let Ok(line) = line else { return };
        if lines.send(line).is_err() {
            return; // The window closed.
        }
    }
}

/// `film-again.mp4` beside `film.mp4`, with a number if that is there.
fn free_name_beside(film: &Path) -> PathBuf {
    let stem = film.file_stem().unwrap_or_default().to_string_lossy();
    let ending = film.extension().unwrap_or_default().to_string_lossy();
    let mut number = 1;
    loop {
        let name = match number {
            1 => format!("{stem}-again.{ending}"),
            _ => format!("{stem}-again-{number}.{ending}"),
        };
        let path = film.with_file_name(name);
        if !path.exists() && !log_path(&path).exists() {
            return path;
        }
        number += 1;
    }
}

/// Begins to make the last film again.
pub(super) fn begin_again(
    mut wishes: MessageReader<FilmWish>,
    mut again: ResMut<FilmAgain>,
    mut news: MessageWriter<FilmNews>,
) {
    if !wishes.read().any(|wish| *wish == FilmWish::MakeAgain) || again.making.is_some() {
        return;
    }
    let Some(film) = &again.last else {
        news.write(FilmNews::Note(
            "There is no film to make again; F9 records one".to_owned(),
        ));
        return;
    };
    let begun = env::current_exe().and_then(|program| Making::begin(&program, film));
    news.write(match &begun {
        Ok(making) => FilmNews::Note(format!("Making {} …", making.film.display())),
        Err(error) => FilmNews::Failed(format!("The film can't be made again: {error}")),
    });
    again.making = begun.ok();
}

/// Tells how far it has come, and what came of it.
pub(super) fn hear_of_it(mut again: ResMut<FilmAgain>, mut news: MessageWriter<FilmNews>) {
    let Some(making) = &mut again.bypass_change_detection().making else {
        return;
    };
    let status = making.child.try_wait();
    for line in making.lines.try_iter() {
        making.last_line = line;
        news.write(FilmNews::Note(making.last_line.clone()));
    }
    let told = match status {
        Ok(None) => return,
        // Its last words may still be on their way.
        Ok(Some(status)) if status.success() => {
            FilmNews::Note(format!("Made again: {}", making.film.display()))
        }
        Ok(Some(_)) => {
            making.last_line = making
                .lines
                .iter()
                .last()
                .unwrap_or(making.last_line.clone());
            FilmNews::Failed(format!(
                "The film can't be made again: {}",
                making.last_line
            ))
        }
        Err(error) => FilmNews::Failed(format!("The film can't be made again: {error}")),
    };
    again.making = None;
    news.write(told);
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn heard(making: Making) -> Vec<FilmNews> {
        let mut app = App::new();
        app.add_message::<FilmNews>()
            .insert_resource(FilmAgain {
                last: Some("film.mp4".into()),
                making: Some(making),
            })
            .add_systems(Update, hear_of_it);
        let mut told = Vec::new();
        while app.world().resource::<FilmAgain>().making.is_some() {
            app.update();
            let mut news = app.world_mut().resource_mut::<Messages<FilmNews>>();
            told.extend(news.drain());
            thread::yield_now();
        }
        told
    }

    #[cfg(unix)]
    fn program(folder: &Path, script: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;

        let program = folder.join("program");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        program
    }

    #[cfg(unix)]
    #[test]
    fn what_comes_of_it_is_told_and_nothing_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let film = folder.path().join("film.mp4");
        fs::write(folder.path().join("film-again.mp4"), "mine").unwrap();
        let copies = program(folder.path(), r#"echo "$@" > "$7"; echo wrote it >&2"#);

        let told = heard(Making::begin(&copies, &film).unwrap());

        let again = folder.path().join("film-again-2.mp4");
        let expected = FilmNews::Note(format!("Made again: {}", again.display()));
        assert_eq!(told.last(), Some(&expected), "{told:?}");
        let arguments = fs::read_to_string(&again).unwrap();
        assert!(arguments.contains("--from") && arguments.contains("film.mp4.json"));
        let fails = program(folder.path(), "echo 'error: no adapter' >&2; exit 3");
        let told = heard(Making::begin(&fails, &film).unwrap());
        assert!(
            matches!(told.last(), Some(FilmNews::Failed(why)) if why.contains("no adapter")),
            "{told:?}"
        );
        assert!(Making::begin(Path::new("/no/program"), &film).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_film_being_made_ends_with_the_window() {
        let folder = tempfile::tempdir().unwrap();
        let sleeps = program(folder.path(), "exec sleep 60");
        let making = Making::begin(&sleeps, &folder.path().join("film.mp4")).unwrap();
        let process = PathBuf::from(format!("/proc/{}", making.child.id()));
        assert!(process.exists());

        drop(making);

        assert!(!process.exists());
    }
}
