//! Checkpoints in several files, with an index that says which tensor is in which.

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use serde_json::{Map, Value};

use super::{Checkpoint, Entry, Naming, Part, pytorch, read_small, safetensors};
use crate::model::error::ModelError;

/// The indices of the largest models have a few megabytes.
const MAX_INDEX_BYTES: u64 = 16 << 20;

impl Checkpoint {
    /// The tensors of the files that `index`, such as `model.safetensors.index.json`, names.
    ///
    /// # Errors
    ///
    /// If the index can't be used, or a file that it names is missing, lies outside of the index's
    /// folder, or has other tensors than the index says.
    pub(in crate::model) fn of_index(index: &Path) -> Result<Self, ModelError> {
        let json = read_small(index, MAX_INDEX_BYTES)?;
        let weight_map = weight_map(&json).map_err(|reason| ModelError::Unsupported {
            path: index.to_owned(),
            reason,
        })?;
        let files: BTreeSet<&str> = weight_map.values().map(String::as_str).collect();
        let folder = index.parent().unwrap_or(Path::new(""));
        let mut parts = Vec::with_capacity(files.len());
        let mut entries = BTreeMap::new();
        for file in files {
            let path = folder.join(file);
            if matches!(path.try_exists(), Ok(false)) {
                return Err(ModelError::NoFile {
                    folder: folder.to_owned(),
                    file: format!("{file}, which {} names", file_name(index)),
                });
            }
            let part = Part::open(&path)?;
            let found = if file.ends_with(".safetensors") {
                safetensors::entries(&part, parts.len())?
            } else {
                pytorch::entries(&part, parts.len())?
            };
            merge(&mut entries, found, &part, &parts)?;
            parts.push(part);
        }
        for (name, file) in &weight_map {
            let is_there = entries
                .get(name)
                .is_some_and(|entry: &Entry| parts[entry.part].path().ends_with(file));
            if !is_there {
                return Err(ModelError::MissingTensor {
                    path: folder.join(file),
                    name: name.clone(),
                });
            }
        }
        Ok(Self {
            parts,
            entries,
            naming: Naming::HuggingFace,
        })
    }
}

fn merge(
    entries: &mut BTreeMap<String, Entry>,
    found: BTreeMap<String, Entry>,
    part: &Part,
    earlier: &[Part],
) -> Result<(), ModelError> {
    for (name, entry) in found {
        match entries.entry(name) {
            Slot::Vacant(slot) => {
                slot.insert(entry);
            }
            Slot::Occupied(slot) => {
                let other = file_name(earlier[slot.get().part].path());
                return Err(part.damaged(format!("{other} has tensor {:?} too", slot.key())));
            }
        }
    }
    Ok(())
}

/// Which file each tensor is in. A file's name is a path within the folder and nothing else: an index
/// from the net must not make the program read elsewhere.
fn weight_map(json: &[u8]) -> Result<BTreeMap<String, String>, String> {
    let index: Map<String, Value> = serde_json::from_slice(json)
        .map_err(|error| format!("it is not a JSON object: {error}"))?;
    let Some(Value::Object(weight_map)) = index.get("weight_map") else {
        return Err("it lacks \"weight_map\", the files by tensor; fetch it again".to_owned());
    };
    let mut files = BTreeMap::new();
    for (name, file) in weight_map {
        let Some(file) = file.as_str().filter(|file| is_within(file)) else {
            return Err(format!(
                "it has tensor {name:?} in {file}, which is no file of this folder; refused"
            ));
        };
        files.insert(name.clone(), file.to_owned());
    }
    match files.is_empty() {
        true => Err("its \"weight_map\" names no file; fetch it again".to_owned()),
        false => Ok(files),
    }
}

fn is_within(file: &str) -> bool {
    let is_plain = |component| matches!(component, Component::Normal(_));
    // A colon or backslash means another place on Windows, wherever the index is read.
    !file.is_empty() && !file.contains([':', '\\']) && Path::new(file).components().all(is_plain)
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_within_the_folder_may_be_named() {
        for file in ["model-00001-of-00002.safetensors", "parts/a.safetensors"] {
            assert!(is_within(file), "{file}");
        }
        for file in [
            "",
            "../x",
            "a/../../x",
            "/etc/passwd",
            "C:\\x",
            "a\\..\\x",
            "./x",
            ".",
        ] {
            assert!(!is_within(file), "{file}");
        }
    }

    #[test]
    fn an_index_without_files_is_refused() {
        for json in [
            "",
            "[]",
            "{}",
            r#"{"weight_map": {}}"#,
            r#"{"weight_map": {"a": 1}}"#,
        ] {
            assert!(weight_map(json.as_bytes()).is_err(), "{json}");
        }
    }
}
