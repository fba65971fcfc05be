//! What a film was made of, beside it as JSON: enough to make it again.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cli::error::CliError;
use crate::whole_file::write_whole;

/// What a film was made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Sidecar {
    /// The program's version.
    pub(super) llmscope: String,
    /// The film's file name.
    pub(super) film: String,
    /// The options that it was made with.
    pub(super) arguments: Vec<String>,
    /// The folder that paths among them start from.
    pub(super) folder: PathBuf,
    /// The model as it was asked for.
    pub(super) model: String,
    /// The prompt's text; none where it was given as numbers.
    pub(super) prompt: Option<String>,
    /// Every token of the text, the prompt's first.
    pub(super) tokens: Vec<u32>,
    /// How many of them were given.
    pub(super) n_prompt_tokens: usize,
    pub(super) seed: u64,
    pub(super) temperature: f64,
    pub(super) top_k: Option<usize>,
    pub(super) top_p: Option<f64>,
    /// What the camera does.
    pub(super) camera: String,
    /// The camera's path, as it was saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) camera_path: Option<serde_json::Value>,
    /// What was done in a window, where that is what it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) session: Option<serde_json::Value>,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) fps: u32,
    /// Frames that the film should have.
    pub(super) n_frames: u64,
    /// Frames that it has: fewer where it was cut short.
    pub(super) n_frames_written: u64,
    /// CRC-32 of all frames' pixels, one after the other.
    pub(super) frames_crc32: String,
}

/// A file is longer only if something else wrote it.
const MAX_BYTES: u64 = 64 << 20;

impl Sidecar {
    pub(super) fn save(&self, path: &Path) -> Result<(), CliError> {
        let text = serde_json::to_vec_pretty(self).map_err(std::io::Error::from);
        text.and_then(|text| write_whole(path, &text))
            .map_err(|error| {
                CliError::Recording(format!("cannot write {}: {error}", path.display()))
            })
    }

    pub(super) fn load(path: &Path) -> Result<Self, CliError> {
        let name = path.display();
        let cannot_read =
            |error: std::io::Error| CliError::Usage(format!("cannot read {name}: {error}"));
        let n_bytes = fs::metadata(path).map_err(cannot_read)?.len();
        if n_bytes > MAX_BYTES {
            return Err(CliError::Usage(format!(
                "{name} has {n_bytes} bytes, and what stands beside a film is far smaller"
            )));
        }
        let bytes = fs::read(path).map_err(cannot_read)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            CliError::Usage(format!(
                "{name} does not say how a film was made: {error}; give the .json beside a film"
            ))
        })
    }
}
