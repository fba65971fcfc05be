//! The file that keeps the slots: read once, and replaced as a whole at every change.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{AnchoredPose, MAX_NAME, N_SLOTS, Place, Slot, Slots};
use crate::viewer::viewpoint::Viewpoint;

/// What is kept from one run to the next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// The saved viewpoints.
    pub slots: Slots,
    /// Whether the camera cuts instead of flying.
    pub has_reduced_motion: bool,
}

/// What reading the file gave.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedFile {
    /// What it holds, or how a first run begins.
    pub kept: Kept,
    /// What was wrong with it, for the user.
    pub message: Option<String>,
    /// Whether a change may be written there: not over what could be neither read nor put aside.
    pub may_be_replaced: bool,
}

/// The file could not be written.
#[derive(Debug, Error)]
#[error("the viewpoints cannot be saved to {path}: {source}", path = path.display())]
pub struct SaveError {
    path: PathBuf,
    source: io::Error,
}

/// A file is longer only if something else wrote it.
const MAX_BYTES: u64 = 1 << 20;
/// What this program writes and reads.
const VERSION: u32 = 1;
/// How many damaged files are put aside under names of their own.
const MAX_PUT_ASIDE: usize = 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    version: u32,
    reduced_motion: bool,
    viewpoints: BTreeMap<usize, SlotText>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SlotText {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    standard: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pose: Option<AnchoredPose>,
}

/// Where the file is on this machine: in `LLMSCOPE_CONFIG_DIR`, or in the folder that the system
/// has for a user's settings; none if neither is known.
pub fn default_path() -> Option<PathBuf> {
    path_from(&|name| env::var_os(name))
}

fn path_from(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| variable(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let own = folder("LLMSCOPE_CONFIG_DIR").or_else(|| {
        let all = if cfg!(windows) {
            folder("APPDATA")
        } else if cfg!(target_os = "macos") {
            folder("HOME").map(|home| home.join("Library/Application Support"))
        } else {
            // The XDG specification has relative paths ignored.
            folder("XDG_CONFIG_HOME")
                .filter(|path| path.is_absolute())
                .or_else(|| folder("HOME").map(|home| home.join(".config")))
        };
        all.map(|all| all.join("llmscope"))
    });
    own.map(|own| own.join("viewpoints.json"))
}

/// Reads the file. One that is not there is a first run's; a damaged one is put aside, and said so.
pub fn load(path: &Path) -> LoadedFile {
    let first_run = |message, may_be_replaced| LoadedFile {
        kept: Kept::default(),
        message,
        may_be_replaced,
    };
    let reason = match read(path) {
        Ok(kept) => {
            return LoadedFile {
                kept,
                message: None,
                may_be_replaced: true,
            };
        }
        Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
            return first_run(None, true);
        }
        Err(ReadError::Io(error)) => {
            let message = format!(
                "The viewpoints in {} cannot be read ({error}), so none will be kept",
                path.display()
            );
            return first_run(Some(message), false);
        }
        Err(ReadError::Damaged(reason)) => reason,
    };
    match put_aside(path) {
        Ok(aside) => {
            let message = format!(
                "The saved viewpoints were damaged ({reason}); the file is now {}",
                aside.display()
            );
            first_run(Some(message), true)
        }
        Err(error) => {
            let message = format!(
                "The saved viewpoints in {} are damaged ({reason}) and cannot be put aside \
                 ({error}), so none will be kept",
                path.display()
            );
            first_run(Some(message), false)
        }
    }
}

enum ReadError {
    Io(io::Error),
    Damaged(String),
}

fn read(path: &Path) -> Result<Kept, ReadError> {
    let length = fs::metadata(path).map_err(ReadError::Io)?.len();
    if length > MAX_BYTES {
        return Err(ReadError::Damaged(format!("it has {length} bytes")));
    }
    let bytes = fs::read(path).map_err(ReadError::Io)?;
    parse(&bytes).map_err(ReadError::Damaged)
}

fn parse(bytes: &[u8]) -> Result<Kept, String> {
    let file: FileText = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if file.version != VERSION {
        return Err(format!("version {} is not known here", file.version));
    }
    let mut slots = BTreeMap::new();
    for (number, text) in file.viewpoints {
        if !(1..=N_SLOTS).contains(&number) {
            return Err(format!("there is no viewpoint {number}"));
        }
        let place = match (text.standard, text.pose) {
            (Some(title), None) => standard(&title)
                .map(Place::Standard)
                .ok_or_else(|| format!("{title:?} is no standard viewpoint"))?,
            (None, Some(pose)) if pose.is_sound() => Place::Saved(pose),
            (None, Some(_)) => return Err(format!("viewpoint {number} lies nowhere")),
            _ => return Err(format!("viewpoint {number} leads nowhere")),
        };
        let name = text.name.chars().take(MAX_NAME).collect();
        slots.insert(number, Slot { name, place });
    }
    Ok(Kept {
        slots: Slots(slots),
        has_reduced_motion: file.reduced_motion,
    })
}

fn standard(title: &str) -> Option<Viewpoint> {
    Viewpoint::ALL
        .into_iter()
        .find(|viewpoint| viewpoint.title() == title)
}

/// Renames a damaged file to a name that is free, and says which.
fn put_aside(path: &Path) -> io::Result<PathBuf> {
    for number in 1..=MAX_PUT_ASIDE {
        let ending = match number {
            1 => "json.bad".to_owned(),
            _ => format!("json.{number}.bad"),
        };
        let aside = path.with_extension(ending);
        if !aside.try_exists()? {
            fs::rename(path, &aside)?;
            return Ok(aside);
        }
    }
    Err(io::Error::other(format!(
        "{MAX_PUT_ASIDE} were put aside before; remove them"
    )))
}

/// Writes the file: all of it or nothing, and its folder if that is missing.
///
/// # Errors
///
/// If the folder or the file cannot be written; what was there before is then still there.
pub fn save(path: &Path, kept: &Kept) -> Result<(), SaveError> {
    let failed = |source| SaveError {
        path: path.to_owned(),
        source,
    };
    let viewpoints = kept.slots.iter().map(|(number, slot)| {
        let (standard, pose) = match &slot.place {
            Place::Standard(viewpoint) => (Some(viewpoint.title().to_owned()), None),
            Place::Saved(pose) => (None, Some(*pose)),
        };
        let name = slot.name.clone();
        (
            number,
            SlotText {
                name,
                standard,
                pose,
            },
        )
    });
    let file = FileText {
        version: VERSION,
        reduced_motion: kept.has_reduced_motion,
        viewpoints: viewpoints.collect(),
    };
    let text = serde_json::to_vec_pretty(&file).map_err(|error| failed(error.into()))?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    // Beside it, so that the rename stays within one file system.
    let unfinished = path.with_extension(format!("json.{}.new", std::process::id()));
    let written = fs::File::create(&unfinished)
        .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&unfinished, path));
    written.map_err(|error| {
        // What failed is told; that the rest of it may stay behind changes nothing.
        drop(fs::remove_file(&unfinished));
        failed(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ModelConfig;
    use crate::layout::ModelLayout;
    use crate::viewer::viewpoint::Screen;

    fn kept() -> Kept {
        let layout = ModelLayout::new(&ModelConfig::preset("gpt2").unwrap(), 4);
        let pose = Viewpoint::Street.pose(&layout, &Screen::default());
        let mut kept = Kept {
            has_reduced_motion: true,
            ..Kept::default()
        };
        kept.slots.save(7, AnchoredPose::new(&pose, &layout));
        kept.slots.rename(7, "Größer “als”");
        kept
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_saved_is_read_back_and_nothing_else_is_left_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/folder/viewpoints.json");
        save(&path, &Kept::default()).unwrap();

        save(&path, &kept()).unwrap();

        let loaded = load(&path);
        assert_eq!(loaded.kept, kept());
        assert_eq!(loaded.message, None);
        assert!(loaded.may_be_replaced);
        assert_eq!(names(path.parent().unwrap()), ["viewpoints.json"]);
    }

    #[test]
    fn a_first_run_has_the_standard_viewpoints_and_no_message() {
        let folder = tempfile::tempdir().unwrap();

        let loaded = load(&folder.path().join("viewpoints.json"));

        assert_eq!(loaded.kept, Kept::default());
        assert_eq!(loaded.message, None);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn damaged_files_are_put_aside_unchanged_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("viewpoints.json");
        let sound = serde_json::json!({
            "anchor": "hook_embed", "lane": 0.0, "along": 0.0, "height": 0.0,
            "yaw": 0.0, "pitch": 0.0, "distance": -1.0,
        });
        let nowhere = serde_json::json!({
            "version": 1, "reduced_motion": false,
            "viewpoints": {"7": {"name": "x", "pose": sound}},
        });
        let damaged = [
            "{\"version\": 1,".to_owned(),
            "[]".to_owned(),
            "\u{0}\u{1}".to_owned(),
            r#"{"version": 2, "reduced_motion": false, "viewpoints": {}}"#.to_owned(),
            r#"{"version": 1, "reduced_motion": false, "viewpoints": {"0": {"name": "x", "standard": "Map"}}}"#.to_owned(),
            r#"{"version": 1, "reduced_motion": false, "viewpoints": {"1": {"name": "x", "standard": "Moon"}}}"#.to_owned(),
            r#"{"version": 1, "reduced_motion": false, "viewpoints": {"1": {"name": "x"}}}"#.to_owned(),
            nowhere.to_string(),
        ];
        for text in &damaged {
            fs::write(&path, text).unwrap();

            let loaded = load(&path);

            assert_eq!(loaded.kept, Kept::default(), "{text}");
            assert!(
                loaded
                    .message
                    .is_some_and(|message| message.contains(".bad")),
                "{text}"
            );
            assert!(loaded.may_be_replaced && !path.exists(), "{text}");
        }
        let mut aside: Vec<String> = names(folder.path())
            .iter()
            .map(|name| fs::read_to_string(folder.path().join(name)).unwrap())
            .collect();
        aside.sort();
        let mut expected = damaged.to_vec();
        expected.sort();
        assert_eq!(aside, expected);
    }

    #[test]
    fn what_can_not_be_read_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("viewpoints.json");
        fs::create_dir(&path).unwrap();

        let loaded = load(&path);

        assert!(!loaded.may_be_replaced);
        let message = loaded.message.unwrap();
        assert!(message.contains("viewpoints.json"), "{message}");
        assert!(save(&path, &kept()).is_err());
        assert_eq!(names(folder.path()), ["viewpoints.json"]);
    }

    #[test]
    fn the_folder_is_the_one_asked_for_or_the_systems_own() {
        let find = |variables: &[(&str, &str)]| {
            path_from(&|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            })
        };

        assert_eq!(find(&[]), None);
        assert_eq!(
            find(&[("LLMSCOPE_CONFIG_DIR", "here"), ("HOME", "/h")]),
            Some(Path::new("here").join("viewpoints.json"))
        );
        if cfg!(target_os = "linux") {
            let of = |path: &str| Some(PathBuf::from(path));
            assert_eq!(
                find(&[("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")]),
                of("/x/llmscope/viewpoints.json")
            );
            assert_eq!(
                find(&[("XDG_CONFIG_HOME", "x"), ("HOME", "/h")]),
                of("/h/.config/llmscope/viewpoints.json")
            );
            assert_eq!(find(&[("LLMSCOPE_CONFIG_DIR", ""), ("HOME", "")]), None);
        }
    }
}
