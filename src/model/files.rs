//! The files of a model: which of them are there, and what each is for.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::Watch;
use super::checkpoint::{self, Checkpoint, Gguf, Part, ReadPlan, read_small};
use super::error::ModelError;
use super::sizes::TensorBytes;
use super::tensors::Stored;
use super::tokenizer::{AddedToken, Tokenizer, WordSplit, byte_level, merge_of_line};
use crate::config::ModelConfig;

/// The embedded model's files, so that the program runs from any directory.
const DEMO_CONFIG: &[u8] = include_bytes!("../../assets/demo/config.json");
const DEMO_WEIGHTS: &[u8] = include_bytes!("../../assets/demo/model.safetensors");
const DEMO_TOKENIZER: &[u8] = include_bytes!("../../assets/demo/tokenizer.json");

/// The names that weights have, the best first.
const WEIGHTS: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];
/// A configuration has a few kilobytes.
const MAX_CONFIG_BYTES: u64 = 4 << 20;
/// The largest published tokenizers have some thirty megabytes.
const MAX_TOKENIZER_BYTES: u64 = 64 << 20;

/// The files of a model, found.
pub(super) enum ModelFiles {
    Demo,
    /// `config.json` and weights, as Hugging Face publishes them.
    Folder {
        folder: PathBuf,
        /// The weights, where they were asked for by name.
        weights: Option<PathBuf>,
    },
    Gguf(Box<Gguf>),
}

impl ModelFiles {
    /// The files of a folder. A lone `.gguf` file is the model where there are no other weights.
    pub(super) fn of_folder(folder: &Path) -> Result<Self, ModelError> {
        let has_weights = WEIGHTS.iter().any(|name| folder.join(name).exists());
        let gguf_files = if has_weights {
            Vec::new()
        } else {
            gguf_files(folder)
        };
        match gguf_files.as_slice() {
            [] => Ok(Self::Folder {
                folder: folder.to_owned(),
                weights: None,
            }),
            [file] => Self::of_file(file),
            [first, ..] => Err(ModelError::Unsupported {
                path: folder.to_owned(),
                reason: format!(
                    "it has {} .gguf files; name the one you want, such as {}",
                    gguf_files.len(),
                    first.display()
                ),
            }),
        }
    }

    /// The model that a file belongs to.
    pub(super) fn of_file(path: &Path) -> Result<Self, ModelError> {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        match extension.to_ascii_lowercase().as_str() {
            "gguf" => Ok(Self::Gguf(Box::new(Gguf::open(path)?))),
            "safetensors" | "bin" | "pt" | "pth" => Ok(Self::Folder {
                weights: Some(whole_of(path, &folder)),
                folder,
            }),
            // The configuration or index of a folder stands for the folder.
            "json" => Ok(Self::Folder {
                folder,
                weights: None,
            }),
            _ => Err(ModelError::Unsupported {
                path: path.to_owned(),
                reason: "it is no weights file; .safetensors, .bin and .gguf can be read"
                    .to_owned(),
            }),
        }
    }

    /// A file that must be there.
    fn needed(folder: &Path, file: &str) -> Result<PathBuf, ModelError> {
        let path = folder.join(file);
        match path.try_exists() {
            Ok(true) => Ok(path),
            Ok(false) => Err(ModelError::NoFile {
                folder: folder.to_owned(),
                file: file.to_owned(),
            }),
            Err(source) => Err(ModelError::Read { path, source }),
        }
    }

    /// The model's shape.
    pub(super) fn config(&self) -> Result<ModelConfig, ModelError> {
        let (path, bytes): (PathBuf, Cow<'_, [u8]>) = match self {
            Self::Demo => (embedded("config.json"), DEMO_CONFIG.into()),
            Self::Folder { folder, .. } => {
                let path = Self::needed(folder, "config.json")?;
                let bytes = read_small(&path, MAX_CONFIG_BYTES)?;
                (path, bytes.into())
            }
            Self::Gguf(gguf) => return gguf.config(),
        };
        let text = match str::from_utf8(&bytes) {
            Ok(text) => text,
            Err(error) => {
                let source = io::Error::new(io::ErrorKind::InvalidData, error);
                return Err(ModelError::Read { path, source });
            }
        };
        ModelConfig::from_json(text).map_err(|source| ModelError::Config { path, source })
    }

    /// The weights, all of them.
    pub(super) fn read_weights(
        self,
        config: &ModelConfig,
        plan: ReadPlan<'_>,
        watch: &mut Watch,
    ) -> Result<HashMap<String, Stored>, ModelError> {
        let checkpoint = match self {
            Self::Demo => {
                let part = Part::embedded(embedded("model.safetensors"), DEMO_WEIGHTS);
                Checkpoint::of_safetensors(part)?
            }
            Self::Folder { folder, weights } => open_weights(&folder, weights)?,
            Self::Gguf(gguf) => gguf.into_checkpoint(config),
        };
        checkpoint::read(&checkpoint, config, plan, watch)
    }

    /// What each tensor will take in memory.
    pub(super) fn kept_bytes(
        self,
        config: &ModelConfig,
        plan: ReadPlan<'_>,
    ) -> Result<TensorBytes, ModelError> {
        match self {
            Self::Gguf(gguf) => checkpoint::kept_bytes(&gguf.into_checkpoint(config), config, plan),
            Self::Demo | Self::Folder { .. } => Ok(checkpoint::plain_bytes(config, plan)),
        }
    }

    /// The tokenizer, or none where there is none.
    pub(super) fn tokenizer(&self) -> Result<Option<Tokenizer>, ModelError> {
        let folder = match self {
            Self::Demo => {
                let path = embedded("tokenizer.json");
                return parse_tokenizer(path, DEMO_TOKENIZER).map(Some);
            }
            Self::Gguf(gguf) => return gguf.tokenizer(),
            Self::Folder { folder, .. } => folder,
        };
        let path = folder.join("tokenizer.json");
        if !path.exists() {
            return vocab_and_merges(folder);
        }
        let read =
            read_small(&path, MAX_TOKENIZER_BYTES).and_then(|bytes| parse_tokenizer(path, &bytes));
        match read {
            Ok(tokenizer) => Ok(Some(tokenizer)),
            Err(error) => match vocab_and_merges(folder) {
                Ok(Some(tokenizer)) => {
                    tracing::warn!("{error}; vocab.json and merges.txt beside it are used instead");
                    Ok(Some(tokenizer))
                }
                _ => Err(error),
            },
        }
    }
}

fn embedded(file: &str) -> PathBuf {
    Path::new("the embedded model").join(file)
}

/// All the weights that a file is of: a shard's index, or the file itself.
fn whole_of(path: &Path, folder: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let index = match name.rsplit_once("-of-") {
        Some((_, end)) if end.ends_with(".safetensors") => folder.join(WEIGHTS[1]),
        Some((_, end)) if end.ends_with(".bin") => folder.join(WEIGHTS[3]),
        _ => return path.to_owned(),
    };
    if index.exists() {
        index
    } else {
        path.to_owned()
    }
}

fn open_weights(folder: &Path, asked: Option<PathBuf>) -> Result<Checkpoint, ModelError> {
    let found = || {
        let paths = WEIGHTS.iter().map(|name| folder.join(name));
        paths.into_iter().find(|path| path.exists())
    };
    let path = match asked.or_else(found) {
        Some(path) => path,
        // It is not there, and that is what this says.
        None => ModelFiles::needed(folder, WEIGHTS[0])?,
    };
    match path.extension().unwrap_or_default().to_str() {
        Some("json") => Checkpoint::of_index(&path),
        Some("safetensors") => Checkpoint::of_safetensors(Part::open(&path)?),
        _ => Checkpoint::of_pytorch(Part::open(&path)?),
    }
}

fn gguf_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(files) = folder.read_dir() else {
        return Vec::new(); // What is missing is told where it is needed.
    };
    let is_gguf = |path: &PathBuf| {
        let extension = path.extension().unwrap_or_default();
        extension.eq_ignore_ascii_case("gguf") && path.is_file()
    };
    let paths = files.filter_map(Result::ok).map(|file| file.path());
    let mut found: Vec<PathBuf> = paths.filter(is_gguf).collect();
    found.sort();
    found
}

fn parse_tokenizer(path: PathBuf, bytes: &[u8]) -> Result<Tokenizer, ModelError> {
    Tokenizer::from_json(bytes).map_err(|reason| ModelError::BadTokenizer { path, reason })
}

/// The tokenizer of a folder from before `tokenizer.json`: tokens and merges in files of their own.
fn vocab_and_merges(folder: &Path) -> Result<Option<Tokenizer>, ModelError> {
    let (vocab_path, merges_path) = (folder.join("vocab.json"), folder.join("merges.txt"));
    if !vocab_path.exists() || !merges_path.exists() {
        return Ok(None);
    }
    let mut vocab = token_map(&vocab_path)?;
    let mut added: Vec<AddedToken> = Vec::new();
    let added_path = folder.join("added_tokens.json");
    let added_map = if added_path.exists() {
        token_map(&added_path)?
    } else {
        Map::new()
    };
    let marks = vocab
        .iter()
        .filter(|(text, _)| text.starts_with("<|") && text.ends_with("|>"));
    for (text, id) in marks.chain(&added_map) {
        let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
        added.extend(id.map(|id| AddedToken {
            id,
            text: text.clone(),
            is_special: true,
        }));
    }
    let merges = read_small(&merges_path, MAX_TOKENIZER_BYTES)?;
    let merges = String::from_utf8_lossy(&merges);
    let lines = merges
        .lines()
        .filter(|line| !line.starts_with("#version") && !line.is_empty());
    let merges = lines
        .map(|line| merge_of_line(line).ok_or(format!("{line:?} is no merge")))
        .collect::<Result<_, _>>()
        .map_err(|reason| ModelError::BadTokenizer {
            path: merges_path.clone(),
            reason,
        })?;
    vocab.extend(added_map);
    // Qwen's words differ from GPT-2's, and this mark is only theirs.
    let split = match vocab.contains_key("<|im_start|>") {
        true => WordSplit::Qwen2,
        false => WordSplit::Gpt2,
    };
    let json = byte_level(vocab, merges, split, &added).to_string();
    parse_tokenizer(vocab_path, json.as_bytes()).map(Some)
}

fn token_map(path: &Path) -> Result<Map<String, Value>, ModelError> {
    let bytes = read_small(path, MAX_TOKENIZER_BYTES)?;
    serde_json::from_slice(&bytes).map_err(|error| ModelError::BadTokenizer {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}
