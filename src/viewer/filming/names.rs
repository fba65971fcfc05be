//! Names of files that nobody was asked for.

use std::fs;
use std::path::{Path, PathBuf};

/// The name `llmscope-001.ending` in `folder`, with a number above all that are there: what was made
/// later is named later, whatever was deleted.
pub fn free_name(folder: &Path, ending: &str) -> PathBuf {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| number(&entry.file_name().to_string_lossy()));
    let next = numbers.max().unwrap_or(0).saturating_add(1);
    folder.join(format!("llmscope-{next:03}.{ending}"))
}

/// The number in a name such as `llmscope-012.mp4` or `llmscope-012.mp4.json`.
fn number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("llmscope-")?.split('.').next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_number_that_no_file_has_or_had_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let name = |ending| {
            let path = free_name(folder.path(), ending);
            path.file_name().unwrap().to_string_lossy().into_owned()
        };
        assert_eq!(name("mp4"), "llmscope-001.mp4");

        for other in [
            "llmscope-002.png",
            "llmscope-009.mp4.json",
            "llmscope-x.mp4",
            "scope-77.mp4",
        ] {
            fs::write(folder.path().join(other), "").unwrap();
        }

        assert_eq!(name("mp4"), "llmscope-010.mp4");
        assert_eq!(
            free_name(Path::new("/no/such"), "png"),
            Path::new("/no/such/llmscope-001.png")
        );
    }
}
