//! Which of a model's files are in the cache, and fetching those that are not.

use std::fs;
use std::path::PathBuf;

use hf_hub::{Repo, RepoType};

use super::Extent;
use super::choose::{CONFIG, Weights, choose, shards};
use super::download::{Download, patiently};
use super::error::HubError;
use super::name::{HubName, is_commit};
use super::place::Place;
use super::store::{Store, make_folder_of};
use super::teller::Teller;
use super::web::{Listing, Remote, Web};

/// A file of text is never so long.
const MAX_TEXT_BYTES: u64 = 1 << 28;

/// A model's place in the cache.
pub(super) struct Shelf {
    name: HubName,
    pub(super) repo: Repo,
    store: Store,
}

impl Shelf {
    pub(super) fn new(name: &HubName, place: &Place) -> Self {
        let revision = name.revision_or_main().to_owned();
        let repo = Repo::with_revision(name.repo.clone(), RepoType::Model, revision);
        Self {
            name: name.clone(),
            store: Store::new(&place.cache, &repo),
            repo,
        }
    }

    /// What is wanted, if all of it is there.
    pub(super) fn find(&self, extent: Extent) -> Result<PathBuf, HubError> {
        let missing = |missing: Vec<String>| HubError::Offline {
            repo: format!("{}@{}", self.name.repo, self.name.revision_or_main()),
            missing,
            cache: self.store.folder().to_owned(),
        };
        let first = self.name.file.as_deref().unwrap_or(CONFIG);
        let commit = self.store.commit_of(self.name.revision_or_main());
        let commit = commit.ok_or_else(|| missing(vec![first.to_owned()]))?;
        let snapshot = self.store.snapshot(&commit);
        if !self.store.has(&commit, first, None) {
            return Err(missing(vec![first.to_owned()]));
        }
        if let Some(file) = &self.name.file {
            return Ok(snapshot.join(file));
        }
        if extent == Extent::Config {
            return Ok(snapshot);
        }
        let files = self.store.files(&commit);
        let Ok(needed) = choose(&self.name.repo, &files) else {
            return Err(missing(vec!["model.safetensors".to_owned()]));
        };
        let weights = self.weight_files(&commit, &needed.weights)?;
        let absent = weights
            .iter()
            .filter(|file| !self.store.has(&commit, file, None));
        let absent: Vec<String> = absent.cloned().collect();
        if absent.is_empty() {
            Ok(snapshot)
        } else {
            Err(missing(absent))
        }
    }

    /// Fetches what is missing of what is wanted.
    pub(super) fn fill(
        &self,
        extent: Extent,
        web: &Web,
        teller: &mut Teller,
    ) -> Result<PathBuf, HubError> {
        let revision = self.name.revision_or_main();
        if is_commit(revision)
            && let Ok(found) = self.find(extent)
        {
            return Ok(found); // Its files never change.
        }
        let listing = match patiently(teller, || web.list()) {
            Ok(listing) => listing,
            Err(error) if error.is_of_the_network() => {
                let Ok(found) = self.find(extent) else {
                    return Err(error);
                };
                tracing::warn!("{error}; going on with the files fetched before");
                return Ok(found);
            }
            Err(error) => return Err(error),
        };
        let commit = &listing.commit;
        match (&self.name.file, extent) {
            (Some(file), _) => {
                if !listing.files.contains_key(file) {
                    return Err(self.no_gguf(file, &listing));
                }
                self.bring(std::slice::from_ref(file), &listing, web, teller)?;
            }
            (None, Extent::Config) if listing.files.contains_key(CONFIG) => {
                self.bring(&[CONFIG.to_owned()], &listing, web, teller)?;
            }
            (None, _) => {
                let needed = choose(&self.name.repo, &listing.names())?;
                self.bring(&needed.small, &listing, web, teller)?;
                let weights = self.weight_files(commit, &needed.weights)?;
                self.bring(&weights, &listing, web, teller)?;
            }
        }
        // What runs offline is not given up for a newer shape alone.
        if extent == Extent::Everything || self.store.commit_of(revision).is_none() {
            let kept = self.store.keep_ref(revision, commit);
            kept.unwrap_or_else(|error| tracing::warn!("{error}"));
        }
        let snapshot = self.store.snapshot(commit);
        Ok(match &self.name.file {
            Some(file) => snapshot.join(file),
            None => snapshot,
        })
    }

    fn no_gguf(&self, file: &str, listing: &Listing) -> HubError {
        let names = listing.names().into_iter();
        HubError::NoFile {
            repo: self.name.repo.clone(),
            file: file.to_owned(),
            files: names.filter(|name| name.ends_with(".gguf")).collect(),
        }
    }

    fn weight_files(&self, commit: &str, weights: &Weights) -> Result<Vec<String>, HubError> {
        match weights {
            Weights::File(file) => Ok(vec![file.clone()]),
            Weights::Index(file) => {
                let path = self.store.snapshot(commit).join(file);
                let json = fs::read(&path).map_err(|source| HubError::BadIndex {
                    repo: self.name.repo.clone(),
                    file: file.clone(),
                    reason: source.to_string(),
                })?;
                shards(&self.name.repo, file, &json)
            }
        }
    }

    /// Fetches those of the files that are not there.
    fn bring(
        &self,
        files: &[String],
        listing: &Listing,
        web: &Web,
        teller: &mut Teller,
    ) -> Result<(), HubError> {
        let commit = &listing.commit;
        let is_there = |file: &str| {
            let size = listing.files.get(file).copied().flatten();
            self.store.has(commit, file, size)
        };
        let mut missing = Vec::new();
        for file in files.iter().filter(|file| !is_there(file)) {
            let remote = patiently(teller, || web.look_up(commit, file))?;
            let is_text = file.ends_with(".json") || file.ends_with(".txt");
            if let Some(size) = remote.size.filter(|size| is_text && *size > MAX_TEXT_BYTES) {
                return Err(web.nonsense(file, format!("it would have {size} bytes")));
            }
            missing.push((file, remote));
        }
        let sizes = missing.iter().map(|(_, remote)| remote.size.unwrap_or(0));
        teller.expect(sizes.sum());
        for (file, remote) in missing {
            self.bring_one(commit, file, &remote, web, teller)?;
            teller.arrived(remote.size.unwrap_or(0));
        }
        Ok(())
    }

    fn bring_one(
        &self,
        commit: &str,
        file: &str,
        remote: &Remote,
        web: &Web,
        teller: &mut Teller,
    ) -> Result<(), HubError> {
        let blob = self.store.blob(&remote.etag);
        let is_whole = || {
            let found = fs::metadata(&blob);
            found.is_ok_and(|found| remote.size.is_none_or(|size| size == found.len()))
        };
        if !is_whole() {
            let etag = &remote.etag;
            let lock = self.store.lock(etag, &mut || teller.waiting(file))?;
            // Perhaps another process has just fetched it.
            if !is_whole() {
                let unfinished = self.store.unfinished(etag);
                make_folder_of(&unfinished)?;
                let download = Download {
                    web,
                    repo: &self.name.repo,
                    commit,
                    file,
                    remote,
                    path: &unfinished,
                };
                download.run(teller)?;
                let moved = fs::rename(&unfinished, &blob);
                moved.map_err(|source| HubError::Write {
                    path: blob.clone(),
                    source,
                })?;
            }
            drop(lock);
        }
        self.store.link(commit, file, &remote.etag)
    }
}
