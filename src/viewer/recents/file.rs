//! The file that keeps which models were opened last.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::MAX_RECENTS;
use crate::viewer::settings_file::{self, LoadedFile, SaveError};

/// What the file keeps, as messages call it.
const WHAT: &str = "recent models";
/// What this program writes and reads.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    version: u32,
    models: Vec<String>,
}

pub(super) fn load(path: &Path) -> LoadedFile<Vec<String>> {
    settings_file::load(path, WHAT, parse)
}

fn parse(bytes: &[u8]) -> Result<Vec<String>, String> {
    let file: FileText = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if file.version != VERSION {
        return Err(format!("version {} is not known here", file.version));
    }
    let mut models = file.models;
    models.truncate(MAX_RECENTS);
    Ok(models)
}

pub(super) fn save(path: &Path, models: &[String]) -> Result<(), SaveError> {
    let file = FileText {
        version: VERSION,
        models: models.to_vec(),
    };
    settings_file::save(path, WHAT, &file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_a_damaged_file_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recent.json");
        let models = ["org/name".to_owned(), "/größer/als".to_owned()];

        save(&path, &models).unwrap();

        assert_eq!(load(&path).kept, models);
        std::fs::write(&path, "{\"version\": 1, \"models\": [3]}").unwrap();
        let damaged = load(&path);
        assert_eq!(damaged.kept, [""; 0]);
        let message = damaged.message.unwrap();
        assert!(message.contains("recent models"), "{message}");
        assert!(message.contains("recent.json.bad"), "{message}");
    }
}
