//! Fetches what a model needs from the Hugging Face Hub into the cache shared with Python: only the
//! files that are needed, gone on with after a break, and checked.

mod choose;
mod download;
mod error;
mod name;
mod place;
mod store;
mod teller;
mod web;

use std::fs;
use std::panic;
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use hf_hub::{Repo, RepoType};

pub use error::HubError;
pub use name::HubName;

use super::error::ModelError;
use super::{LoadProgress, LoadStage, Watch};
use choose::{CONFIG, Weights, choose, shards};
use download::{Download, patiently};
use place::Place;
use store::{Store, make_folder_of};
use teller::Teller;
use web::{Listing, Remote, Web};

/// Progress that may wait for the listener.
const ROOM: usize = 16;
/// The listener is asked whether to go on at least so often.
const TICK: Duration = Duration::from_millis(100);
/// A file of text is never so long.
const MAX_TEXT_BYTES: u64 = 1 << 28;

/// How much of a model is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Its shape alone.
    Config,
    /// All that it takes to run it.
    Everything,
}

/// The folder with the model's files, or the one file that was named, fetched first where it is not
/// there. With `is_offline`, and where the environment says so, no connection is made.
///
/// `watch` is called from time to time, bytes or none, and ends it with an error of its own. What has
/// come until then is kept, and the next fetch goes on with it.
pub(super) fn fetch(
    name: &HubName,
    extent: Extent,
    is_offline: bool,
    watch: &mut Watch,
) -> Result<PathBuf, ModelError> {
    fetch_from(Place::from_env(is_offline)?, name, extent, watch)
}

fn fetch_from(
    place: Place,
    name: &HubName,
    extent: Extent,
    watch: &mut Watch,
) -> Result<PathBuf, ModelError> {
    let shelf = Shelf::new(name, &place);
    if place.is_offline {
        return Ok(shelf.find(extent)?);
    }
    let web = Web::new(place, shelf.repo.clone(), &name.repo);
    let agent = web.agent.clone();
    let (listener, progress) = sync_channel(ROOM);
    let mut last = LoadProgress {
        stage: LoadStage::Fetching {
            file: name.to_string(),
        },
        done_bytes: 0,
        total_bytes: 0,
    };
    let mut teller = Teller::new(listener, last.clone());
    let fetching = thread::Builder::new()
        .name("llmscope-fetch".to_owned())
        .spawn(move || shelf.fill(extent, &web, &mut teller))
        .map_err(HubError::Thread)?;
    loop {
        match progress.recv_timeout(TICK) {
            Ok(progress) => last = progress,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if let Err(stopped) = watch(last.clone()) {
            // Breaks off what it reads; the closed channel tells it to end.
            agent.shutdown();
            return Err(stopped);
        }
    }
    match fetching.join() {
        Ok(folder) => Ok(folder?),
        Err(panicked) => panic::resume_unwind(panicked),
    }
}

/// A model's place in the cache.
struct Shelf {
    name: HubName,
    repo: Repo,
    store: Store,
}

impl Shelf {
    fn new(name: &HubName, place: &Place) -> Self {
        let revision = name.revision_or_main().to_owned();
        let repo = Repo::with_revision(name.repo.clone(), RepoType::Model, revision);
        Self {
            name: name.clone(),
            store: Store::new(&place.cache, &repo),
            repo,
        }
    }

    /// What is wanted, if all of it is there.
    fn find(&self, extent: Extent) -> Result<PathBuf, HubError> {
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
    fn fill(&self, extent: Extent, web: &Web, teller: &mut Teller) -> Result<PathBuf, HubError> {
        let revision = self.name.revision_or_main();
        if name::is_commit(revision)
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_fetch_ends_soon_after_it_is_told_to_though_the_hub_is_silent() {
        // It takes connections, and never answers.
        let hub = TcpListener::bind("127.0.0.1:0").unwrap();
        let cache = tempfile::tempdir().unwrap();
        let place = Place {
            endpoint: format!("http://{}", hub.local_addr().unwrap()),
            cache: cache.path().to_owned(),
            token: None,
            is_offline: false,
            patience: Duration::from_secs(60),
        };
        let name = HubName::parse("org/name").unwrap();
        let mut n_asked = 0;
        let started = Instant::now();

        let stopped = fetch_from(place, &name, Extent::Everything, &mut |progress| {
            assert_eq!(progress.total_bytes, 0);
            n_asked += 1;
            if n_asked < 3 {
                Ok(())
            } else {
                Err(ModelError::Stopped)
            }
        });

        assert!(matches!(stopped, Err(ModelError::Stopped)));
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}
