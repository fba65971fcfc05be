//! Which files of a repository a model needs.

use std::collections::BTreeSet;

use super::error::HubError;
use super::name::is_plain_path;

/// A model's shape.
pub(super) const CONFIG: &str = "config.json";
/// Weights in one file, and lists of the files that weights are spread over: the first that is there
/// is taken.
const WEIGHTS: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];
/// Tokenizers, each with the files it is made of: the first that is there is taken.
const TOKENIZERS: [&[&str]; 2] = [&["tokenizer.json"], &["vocab.json", "merges.txt"]];
/// Shards that weights may be spread over.
const MAX_SHARDS: usize = 4096;

/// The files that a model needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Needed {
    /// Shape, tokenizer, and the list of shards if there is one.
    pub(super) small: Vec<String>,
    pub(super) weights: Weights,
}

/// Where a model's weights are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Weights {
    /// In this file.
    File(String),
    /// In the files that this list names.
    Index(String),
}

/// What of a repository with these files is needed.
pub(super) fn choose(repo: &str, files: &BTreeSet<String>) -> Result<Needed, HubError> {
    let ggufs: Vec<String> = files
        .iter()
        .filter(|file| file.ends_with(".gguf"))
        .cloned()
        .collect();
    let weights = WEIGHTS.iter().find(|file| files.contains(**file));
    let Some(weights) = weights else {
        let repo = repo.to_owned();
        return Err(if ggufs.is_empty() {
            let files = files.iter().cloned().collect();
            HubError::NoWeights { repo, files }
        } else {
            HubError::OnlyGguf { repo, files: ggufs }
        });
    };
    if !files.contains(CONFIG) {
        return Err(HubError::NoFile {
            repo: repo.to_owned(),
            file: CONFIG.to_owned(),
            files: files.iter().cloned().collect(),
        });
    }
    let tokenizer = TOKENIZERS
        .iter()
        .find(|parts| parts.iter().all(|part| files.contains(*part)));
    if tokenizer.is_none() {
        tracing::warn!("{repo} has no tokenizer.json; its model reads token numbers only");
    }
    let tokenizer = tokenizer.copied().unwrap_or_default();
    let mut small: Vec<String> = [CONFIG]
        .iter()
        .chain(tokenizer)
        .map(|file| (*file).to_owned())
        .collect();
    let weights = (*weights).to_owned();
    Ok(if weights.ends_with(".index.json") {
        small.push(weights.clone());
        Needed {
            small,
            weights: Weights::Index(weights),
        }
    } else {
        Needed {
            small,
            weights: Weights::File(weights),
        }
    })
}

/// The files that a list of shards names, each once.
pub(super) fn shards(repo: &str, file: &str, json: &[u8]) -> Result<Vec<String>, HubError> {
    let bad = |reason: String| HubError::BadIndex {
        repo: repo.to_owned(),
        file: file.to_owned(),
        reason,
    };
    let index: serde_json::Value =
        serde_json::from_slice(json).map_err(|error| bad(error.to_string()))?;
    let map = index.get("weight_map").and_then(|map| map.as_object());
    let map = map.ok_or_else(|| bad("it has no \"weight_map\"".to_owned()))?;
    let mut shards = BTreeSet::new();
    for (tensor, shard) in map {
        let shard = shard.as_str();
        let shard = shard.ok_or_else(|| bad(format!("tensor {tensor:?} has no file name")))?;
        if !is_plain_path(shard) {
            return Err(bad(format!(
                "it names the file {shard:?}, which would lie outside of the repository"
            )));
        }
        shards.insert(shard.to_owned());
    }
    match shards.len() {
        0 => Err(bad("it names no file".to_owned())),
        1..=MAX_SHARDS => Ok(shards.into_iter().collect()),
        n => Err(bad(format!("it names {n} files"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_best_weights_and_the_best_tokenizer_are_taken_and_nothing_else() {
        let all = files(&[
            "README.md",
            "config.json",
            "flax_model.msgpack",
            "merges.txt",
            "model.safetensors",
            "onnx/model.onnx",
            "pytorch_model.bin",
            "tokenizer.json",
            "vocab.json",
        ]);

        let needed = choose("a/b", &all).unwrap();

        assert_eq!(needed.small, ["config.json", "tokenizer.json"]);
        assert_eq!(
            needed.weights,
            Weights::File("model.safetensors".to_owned())
        );
    }

    #[test]
    fn shards_come_before_pickles_and_a_vocabulary_stands_in_for_a_tokenizer() {
        let sharded = files(&[
            "config.json",
            "merges.txt",
            "model-00001-of-00002.safetensors",
            "model.safetensors.index.json",
            "pytorch_model.bin",
            "vocab.json",
        ]);

        let needed = choose("a/b", &sharded).unwrap();

        assert_eq!(
            needed.small,
            [
                "config.json",
                "vocab.json",
                "merges.txt",
                "model.safetensors.index.json"
            ]
        );
        let index = "model.safetensors.index.json".to_owned();
        assert_eq!(needed.weights, Weights::Index(index));
    }

    #[test]
    fn a_repository_of_gguf_files_is_told_how_to_be_named() {
        let ggufs = files(&["README.md", "m-q4_k.gguf", "m-q8_0.gguf"]);

        let error = choose("a/b", &ggufs).unwrap_err().to_string();

        assert!(
            error.ends_with("name one of them: a/b/m-q4_k.gguf, a/b/m-q8_0.gguf"),
            "{error}"
        );
        let none = choose("a/b", &files(&["tf_model.h5"])).unwrap_err();
        assert!(none.to_string().contains("it has tf_model.h5"), "{none}");
    }

    #[test]
    fn shards_are_listed_once_each_and_none_lies_outside() {
        let index = |shard: &str| {
            let json = serde_json::json!({
                "metadata": {"total_size": 3},
                "weight_map": {"a": "x-1.safetensors", "b": shard, "c": "x-1.safetensors"},
            });
            shards(
                "a/b",
                "model.safetensors.index.json",
                json.to_string().as_bytes(),
            )
        };

        assert_eq!(
            index("x-2.safetensors").unwrap(),
            ["x-1.safetensors", "x-2.safetensors"]
        );
        for outside in ["../x", "/etc/passwd", "a/../../x", "C:\\x", ""] {
            let error = index(outside).unwrap_err().to_string();
            assert!(error.contains("outside of the repository"), "{error}");
        }
        for damaged in [
            "{}",
            "[]",
            "{\"weight_map\": {}}",
            "{\"weight_map\": {\"a\": 1}}",
            "{",
        ] {
            let result = shards("a/b", "index", damaged.as_bytes());
            assert!(
                matches!(result, Err(HubError::BadIndex { .. })),
                "{damaged}"
            );
        }
    }
}
