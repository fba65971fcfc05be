//! Names of repositories, and of files in them, as they are written on the command line.

use std::fmt;
use std::path::{Component, Path};

/// A repository of the Hub, or one GGUF file of it; prints as it is written on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubName {
    /// `organisation/name`.
    pub repo: String,
    /// The one file that is meant, such as `model-q8_0.gguf`; none for a repository of safetensors.
    pub file: Option<String>,
    /// A branch, tag or commit; the main branch if absent.
    pub revision: Option<String>,
}

impl HubName {
    /// Reads `organisation/name[/file.gguf][@revision]`; none where it is no such name.
    pub fn parse(text: &str) -> Option<Self> {
        let (path, revision) = match text.split_once('@') {
            Some((path, revision)) => (path, Some(revision.to_owned())),
            None => (text, None),
        };
        if !revision.as_deref().is_none_or(is_plain_path) {
            return None;
        }
        let mut words = path.splitn(3, '/');
        let (organisation, name, file) = (words.next()?, words.next()?, words.next());
        let is_known_kind = |file: &str| file.ends_with(".gguf") && is_plain_path(file);
        let is_sound = is_word(organisation) && is_word(name) && file.is_none_or(is_known_kind);
        is_sound.then(|| Self {
            repo: format!("{organisation}/{name}"),
            file: file.map(str::to_owned),
            revision,
        })
    }

    /// The branch, tag or commit that is meant.
    pub fn revision_or_main(&self) -> &str {
        self.revision.as_deref().unwrap_or("main")
    }
}

impl fmt::Display for HubName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repo)?;
        if let Some(file) = &self.file {
            write!(f, "/{file}")?;
        }
        match &self.revision {
            Some(revision) => write!(f, "@{revision}"),
            None => Ok(()),
        }
    }
}

fn is_word(word: &str) -> bool {
    !word.is_empty()
        && !word.starts_with('.')
        && word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// Whether a name leads to a file below the folder it is taken in, on every system: no way up, no
/// root, no drive, and nothing that a URL gives a meaning to.
pub(super) fn is_plain_path(name: &str) -> bool {
    let has_plain_letters = !name
        .chars()
        .any(|c| c.is_control() || c.is_whitespace() || "\\:?#%*\"<>|".contains(c));
    let has_plain_parts = name.split('/').all(|part| !matches!(part, "" | "." | ".."));
    let is_below = Path::new(name)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    has_plain_letters && has_plain_parts && is_below && name.len() < 256
}

/// Whether a revision is a commit, whose files never change.
pub(super) fn is_commit(revision: &str) -> bool {
    revision.len() == 40
        && revision
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_repository_file_and_revision_and_prints_as_it_was_written() {
        for (text, repo, file, revision) in [
            ("org/name", "org/name", None, None),
            ("a/b.c_d@v1", "a/b.c_d", None, Some("v1")),
            ("a/b@refs/pr/3", "a/b", None, Some("refs/pr/3")),
            ("a/b/c-q8.gguf", "a/b", Some("c-q8.gguf"), None),
            ("a/b/c/d.gguf@v1", "a/b", Some("c/d.gguf"), Some("v1")),
        ] {
            let name = HubName::parse(text).unwrap();

            assert_eq!(name.repo, repo);
            assert_eq!(name.file.as_deref(), file);
            assert_eq!(name.revision.as_deref(), revision);
            assert_eq!(name.to_string(), text);
        }
    }

    #[test]
    fn nothing_that_leads_out_of_the_cache_or_means_something_else_in_a_url_is_a_name() {
        for text in [
            "",
            "name",
            "a//b",
            "a/b/c",
            "a/.b",
            "../b",
            "a/b@",
            "a/b@../../x",
            "a/b@/etc",
            "a/b@x?y",
            "a/b@x#y",
            "a/b@%2e%2e",
            "a/b/../c.gguf",
            "a/b/c\\d.gguf",
            "a/b/C:d.gguf",
            "a/b/c d.gguf",
        ] {
            assert_eq!(HubName::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_commit_is_told_from_a_branch() {
        assert!(is_commit("11c5a3d5811f50298f278a704980280950aedb10"));
        assert!(!is_commit("main"));
        assert!(!is_commit("11C5A3D5811F50298F278A704980280950AEDB10"));
    }
}
