//! The cache, as Python's `huggingface_hub` lays it out: contents in `blobs`, each under its ETag, names
//! that lead there in `snapshots/<commit>`, and the commit of each branch in `refs`.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use hf_hub::{Cache, CacheRepo, Repo};

use super::error::HubError;
use super::name::is_commit;

/// A repository's folder in the cache.
pub(super) struct Store {
    repo: CacheRepo,
    /// `models--organisation--name`.
    folder: PathBuf,
    /// The locks of this repository, where Python has them.
    locks: PathBuf,
}

impl Store {
    pub(super) fn new(cache: &Path, repo: &Repo) -> Self {
        let name = repo.folder_name();
        Self {
            repo: Cache::new(cache.to_owned()).repo(repo.clone()),
            folder: cache.join(&name),
            locks: cache.join(".locks").join(name),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder with the files of `commit`.
    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.repo.pointer_path(commit)
    }

    /// The content of this ETag, where all of it is there.
    pub(super) fn blob(&self, etag: &str) -> PathBuf {
        self.repo.blob_path(etag)
    }

    /// The content of this ETag as far as it has come.
    pub(super) fn unfinished(&self, etag: &str) -> PathBuf {
        self.folder.join("blobs").join(format!("{etag}.incomplete"))
    }

    /// The commit that `revision` was when it was last fetched.
    pub(super) fn commit_of(&self, revision: &str) -> Option<String> {
        if is_commit(revision) {
            return Some(revision.to_owned());
        }
        let commit = fs::read_to_string(self.ref_path(revision)).ok()?;
        let commit = commit.trim();
        is_commit(commit).then(|| commit.to_owned())
    }

    fn ref_path(&self, revision: &str) -> PathBuf {
        self.folder.join("refs").join(revision)
    }

    /// Remembers which commit `revision` is. Written whole or not at all.
    pub(super) fn keep_ref(&self, revision: &str, commit: &str) -> Result<(), HubError> {
        if self.commit_of(revision).as_deref() == Some(commit) {
            return Ok(());
        }
        let path = self.ref_path(revision);
        make_folder_of(&path)?;
        let unfinished = path.with_extension(format!("{}.new", std::process::id()));
        fs::write(&unfinished, commit)
            .and_then(|()| fs::rename(&unfinished, &path))
            .map_err(|source| HubError::Write { path, source })
    }

    /// Whether the file is there, with as many bytes as it should have.
    pub(super) fn has(&self, commit: &str, file: &str, size: Option<u64>) -> bool {
        let found = fs::metadata(self.snapshot(commit).join(file));
        found.is_ok_and(|found| found.is_file() && size.is_none_or(|size| size == found.len()))
    }

    /// The names of the files of `commit` that are there.
    pub(super) fn files(&self, commit: &str) -> BTreeSet<String> {
        let entries = fs::read_dir(self.snapshot(commit));
        let entries = entries.into_iter().flatten().flatten();
        entries
            .filter(|entry| entry.path().is_file())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect()
    }

    /// Gives the content of `etag` its name among the files of `commit`.
    pub(super) fn link(&self, commit: &str, file: &str, etag: &str) -> Result<(), HubError> {
        let pointer = self.snapshot(commit).join(file);
        make_folder_of(&pointer)?;
        let ups = file.matches('/').count() + 2;
        let target = format!("{}blobs/{etag}", "../".repeat(ups));
        let made = match fs::remove_file(&pointer) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => self.point(&target, &pointer, etag),
        };
        match made {
            // Somebody else has just made it.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            made => made.map_err(|source| HubError::Write {
                path: pointer,
                source,
            }),
        }
    }

    #[cfg(unix)]
    fn point(&self, target: &str, pointer: &Path, _etag: &str) -> io::Result<()> {
        std::os::unix::fs::symlink(target, pointer)
    }

    /// Without the right to make links the content itself takes the name, as in Python.
    #[cfg(not(unix))]
    fn point(&self, _target: &str, pointer: &Path, etag: &str) -> io::Result<()> {
        fs::rename(self.blob(etag), pointer)
    }

    /// Keeps every other process, Python's too, from fetching the content of `etag`; waits while
    /// another one does, calling `wait` each time before it looks again.
    pub(super) fn lock(
        &self,
        etag: &str,
        wait: &mut dyn FnMut() -> Result<(), HubError>,
    ) -> Result<File, HubError> {
        let path = self.locks.join(format!("{etag}.lock"));
        make_folder_of(&path)?;
        let failed = |source| HubError::Write {
            path: path.clone(),
            source,
        };
        let open = || File::options().create(true).append(true).open(&path);
        let file = open().map_err(failed)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => wait()?,
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
    }
}

pub(super) fn make_folder_of(path: &Path) -> Result<(), HubError> {
    let Some(folder) = path.parent() else {
        return Ok(());
    };
    fs::create_dir_all(folder).map_err(|source| HubError::Write {
        path: folder.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use hf_hub::RepoType;

    use super::*;

    const COMMIT: &str = "11c5a3d5811f50298f278a704980280950aedb10";

    fn store(cache: &Path) -> Store {
        let repo = Repo::with_revision("a/b".to_owned(), RepoType::Model, "main".to_owned());
        Store::new(cache, &repo)
    }

    #[test]
    fn a_linked_file_lies_where_python_looks_for_it() {
        let cache = tempfile::tempdir().unwrap();
        let store = store(cache.path());
        fs::create_dir_all(store.folder().join("blobs")).unwrap();
        fs::write(store.blob("e1"), "text").unwrap();

        store.link(COMMIT, "config.json", "e1").unwrap();
        store.link(COMMIT, "deep/er/x.gguf", "e1").unwrap();
        store.keep_ref("refs/pr/1", COMMIT).unwrap();

        let root = cache.path().join("models--a--b");
        let snapshot = root.join("snapshots").join(COMMIT);
        for file in ["config.json", "deep/er/x.gguf"] {
            assert_eq!(fs::read(snapshot.join(file)).unwrap(), b"text");
        }
        assert!(store.has(COMMIT, "config.json", Some(4)));
        assert!(!store.has(COMMIT, "config.json", Some(5)), "cut short");
        assert!(!store.has(COMMIT, "other.json", None));
        assert_eq!(
            fs::read_to_string(root.join("refs/refs/pr/1")).unwrap(),
            COMMIT
        );
        assert_eq!(store.commit_of("refs/pr/1").as_deref(), Some(COMMIT));
        assert_eq!(store.commit_of("main"), None);
        assert_eq!(store.files(COMMIT), BTreeSet::from(["config.json".into()]));
    }

    #[test]
    fn a_ref_that_is_no_commit_leads_nowhere() {
        let cache = tempfile::tempdir().unwrap();
        let store = store(cache.path());
        fs::create_dir_all(store.folder().join("refs")).unwrap();

        fs::write(store.folder().join("refs/main"), "../../../etc").unwrap();

        assert_eq!(store.commit_of("main"), None);
    }

    #[test]
    fn one_content_is_fetched_by_one_at_a_time() {
        let cache = tempfile::tempdir().unwrap();
        let store = store(cache.path());
        let first = store.lock("e1", &mut || Ok(())).unwrap();
        let mut n_waits = 0;

        let stopped = store.lock("e1", &mut || {
            n_waits += 1;
            if n_waits == 3 {
                Err(HubError::Stopped)
            } else {
                Ok(())
            }
        });

        assert!(matches!(stopped, Err(HubError::Stopped)));
        assert_eq!(n_waits, 3);
        drop(first);
        assert!(store.lock("e1", &mut || Err(HubError::Stopped)).is_ok());
    }
}
