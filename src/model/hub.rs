//! Fetching a repository's files from the Hugging Face Hub into the cache shared with Python.

use std::path::PathBuf;

use hf_hub::api::sync::ApiBuilder;
use hf_hub::{Cache, Repo, RepoType};

use super::error::ModelError;

/// The files of a repository that are needed; the last only if it is there.
const FILES: [&str; 3] = ["config.json", "model.safetensors", "tokenizer.json"];

/// The folder with the repository's files, fetched first unless `is_offline`.
pub(super) fn fetch(
    repo: &str,
    revision: Option<&str>,
    is_offline: bool,
) -> Result<PathBuf, ModelError> {
    let revision = revision.unwrap_or("main");
    let failed = |file: &str, reason: String| ModelError::Hub {
        repo: format!("{repo}@{revision}"),
        file: file.to_owned(),
        reason,
    };
    let hub_repo = Repo::with_revision(repo.to_owned(), RepoType::Model, revision.to_owned());
    if is_offline || std::env::var("HF_HUB_OFFLINE").is_ok_and(|value| value == "1") {
        let cached = Cache::from_env().repo(hub_repo).get(FILES[0]);
        return cached
            .and_then(|config| config.parent().map(PathBuf::from))
            .ok_or_else(|| {
                let reason = "it was never fetched, and the program is offline; run once online";
                failed(FILES[0], reason.to_owned())
            });
    }
    let api = ApiBuilder::from_env()
        .with_progress(false)
        .with_retries(2)
        .build()
        .map_err(|error| failed(FILES[0], error.to_string()))?
        .repo(hub_repo);
    let mut folder = None;
    for file in FILES {
        match api.get(file) {
            Ok(path) => folder = path.parent().map(PathBuf::from),
            // A model without tokenizer.json still runs, on token numbers.
            Err(error) if file == FILES[2] => {
                tracing::warn!("cannot fetch {file} of {repo}: {error}");
            }
            Err(error) => return Err(failed(file, error.to_string())),
        }
    }
    folder.ok_or_else(|| failed(FILES[0], "the cache has no folder for it".to_owned()))
}
