//! A camera path as JSON.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{CameraPath, Ease, Keyframe, MAX_SECS, MIN_GAP_SECS};
use crate::hook::HookPoint;
use crate::viewer::slots::AnchoredPose;
use crate::whole_file::write_whole;

/// Why a path can't be read or written.
#[derive(Debug, Error)]
pub enum PathError {
    /// The file can't be read.
    #[error("cannot read the camera path {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no camera path.
    #[error("{} is no camera path: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file can't be written.
    #[error("cannot write the camera path {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What this program writes and reads.
const VERSION: u32 = 1;
/// A file is longer only if something else wrote it.
const MAX_BYTES: u64 = 16 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PathText {
    version: u32,
    keyframes: Vec<KeyframeText>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyframeText {
    at_secs: f64,
    #[serde(default)]
    ease: EaseText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    look_at: Option<HookPoint>,
    pose: AnchoredPose,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum EaseText {
    #[default]
    Rest,
    Through,
    Cut,
}

impl CameraPath {
    /// Reads a path.
    ///
    /// # Errors
    ///
    /// If the file can't be read, or is no camera path: then what is wrong with it.
    pub fn load(path: &Path) -> Result<Self, PathError> {
        let failed = |source| PathError::Read {
            path: path.to_owned(),
            source,
        };
        let damaged = |reason| PathError::Damaged {
            path: path.to_owned(),
            reason,
        };
        let n_bytes = fs::metadata(path).map_err(failed)?.len();
        if n_bytes > MAX_BYTES {
            return Err(damaged(format!("it has {n_bytes} bytes")));
        }
        let bytes = fs::read(path).map_err(failed)?;
        Self::parse(&bytes).map_err(damaged)
    }

    /// Reads a path from JSON.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text: PathText = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if text.version != VERSION {
            return Err(format!("version {} is not known here", text.version));
        }
        if text.keyframes.is_empty() {
            return Err("it has no keyframe".to_owned());
        }
        let mut keyframes: Vec<Keyframe> = Vec::with_capacity(text.keyframes.len());
        for (number, text) in (1..).zip(text.keyframes) {
            let first_secs = keyframes.last().map_or(0.0, |last| last.at_secs);
            let gap_secs = if keyframes.is_empty() {
                0.0
            } else {
                MIN_GAP_SECS
            };
            // Written so that it holds of NaN, too.
            if !(text.at_secs >= first_secs + 0.999 * gap_secs && text.at_secs <= MAX_SECS) {
                return Err(format!(
                    "keyframe {number} is at {} s, which is not after the one before",
                    text.at_secs
                ));
            }
            if !text.pose.is_sound() {
                return Err(format!("keyframe {number} lies nowhere"));
            }
            keyframes.push(Keyframe {
                at_secs: text.at_secs,
                pose: text.pose,
                ease: text.ease.into(),
                look_at: text.look_at,
            });
        }
        Ok(Self { keyframes })
    }

    /// The path as JSON.
    pub fn text(&self) -> String {
        let keyframes = self.keyframes.iter().map(|keyframe| KeyframeText {
            at_secs: keyframe.at_secs,
            ease: keyframe.ease.into(),
            look_at: keyframe.look_at,
            pose: keyframe.pose,
        });
        let text = PathText {
            version: VERSION,
            keyframes: keyframes.collect(),
        };
        serde_json::to_string_pretty(&text).expect("numbers and names are JSON")
    }

    /// Writes the path, whole or not at all, in place of what is there.
    ///
    /// # Errors
    ///
    /// If the file can't be written.
    pub fn save(&self, path: &Path) -> Result<(), PathError> {
        write_whole(path, self.text().as_bytes()).map_err(|source| PathError::Write {
            path: path.to_owned(),
            source,
        })
    }
}

impl From<EaseText> for Ease {
    fn from(text: EaseText) -> Self {
        match text {
            EaseText::Rest => Self::Rest,
            EaseText::Through => Self::Through,
            EaseText::Cut => Self::Cut,
        }
    }
}

impl From<Ease> for EaseText {
    fn from(ease: Ease) -> Self {
        match ease {
            Ease::Rest => Self::Rest,
            Ease::Through => Self::Through,
            Ease::Cut => Self::Cut,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ModelConfig;
    use crate::layout::ModelLayout;
    use crate::viewer::viewpoint::{Screen, Viewpoint};

    fn path() -> CameraPath {
        let layout = ModelLayout::new(&ModelConfig::preset("gpt2").unwrap(), 4);
        let mut path = CameraPath::default();
        for (at_secs, viewpoint) in (0..).zip(Viewpoint::ALL) {
            path.add(Keyframe {
                at_secs: 0.5 * f64::from(at_secs),
                pose: AnchoredPose::new(&viewpoint.pose(&layout, &Screen::default()), &layout),
                ease: Ease::ALL[at_secs as usize % 3],
                look_at: (at_secs == 2).then_some(HookPoint::Logits),
            });
        }
        path
    }

    #[test]
    fn a_saved_path_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("path.json");

        path().save(&file).unwrap();

        assert_eq!(CameraPath::load(&file).unwrap(), path());
        let missing = CameraPath::load(&folder.path().join("none.json")).unwrap_err();
        assert!(missing.to_string().contains("none.json"), "{missing}");
        let unwritable = path().save(&folder.path().join("no/path.json"));
        assert!(matches!(unwritable, Err(PathError::Write { .. })));
    }

    #[test]
    fn what_is_no_path_is_refused_with_the_reason() {
        let sound: serde_json::Value = serde_json::from_str(&path().text()).unwrap();
        let with = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut text = sound.clone();
            change(&mut text);
            CameraPath::parse(text.to_string().as_bytes()).unwrap_err()
        };

        let refusals = [
            (with(&|text| text["version"] = 2.into()), "version 2"),
            (
                with(&|text| text["keyframes"] = serde_json::json!([])),
                "no keyframe",
            ),
            (
                with(&|text| text["keyframes"][2]["at_secs"] = 0.1.into()),
                "keyframe 3",
            ),
            (
                with(&|text| text["keyframes"][0]["at_secs"] = (-1.0).into()),
                "keyframe 1",
            ),
            (
                with(&|text| text["keyframes"][1]["pose"]["distance"] = 0.0.into()),
                "keyframe 2 lies nowhere",
            ),
            (
                with(&|text| text["keyframes"][1]["ease"] = "slow".into()),
                "slow",
            ),
            (
                with(&|text| text["keyframes"][1]["look_at"] = "nothing".into()),
                "nothing",
            ),
            (with(&|text| text["keyframe"] = 1.into()), "unknown field"),
        ];

        for (refusal, words) in refusals {
            assert!(refusal.contains(words), "{refusal}");
        }
        assert!(CameraPath::parse(b"\0").is_err());
    }
}
