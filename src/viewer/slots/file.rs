//! The file that keeps the slots: read once, and replaced as a whole at every change.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{AnchoredPose, MAX_NAME, N_SLOTS, Place, Slot, Slots};
use crate::viewer::settings_file::{self, LoadedFile, SaveError};
use crate::viewer::viewpoint::Viewpoint;

/// What is kept from one run to the next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// The saved viewpoints.
    pub slots: Slots,
    /// Whether the camera cuts instead of flying.
    pub has_reduced_motion: bool,
}

/// What the file keeps, as messages call it.
const WHAT: &str = "viewpoints";
/// What this program writes and reads.
const VERSION: u32 = 1;

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

/// Reads the file. One that is not there is a first run's; a damaged one is put aside, and said so.
pub fn load(path: &Path) -> LoadedFile<Kept> {
    settings_file::load(path, WHAT, parse)
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

/// Writes the file: all of it or nothing, and its folder if that is missing.
///
/// # Errors
///
/// If the folder or the file cannot be written; what was there before is then still there.
pub fn save(path: &Path, kept: &Kept) -> Result<(), SaveError> {
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
    settings_file::save(path, WHAT, &file)
}

#[cfg(test)]
mod tests {
    use std::fs;

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
}
