//! Fetches what a model needs from the Hugging Face Hub into the cache shared with Python: only the
//! files that are needed, gone on with after a break, and checked.

mod choose;
mod download;
mod error;
mod name;
mod place;
mod refusal;
mod shelf;
mod store;
mod teller;
mod web;
mod words;

use std::panic;
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

pub use error::HubError;
pub use name::HubName;

use super::error::ModelError;
use super::{LoadProgress, LoadStage, Watch};
use place::Place;
use shelf::Shelf;
use teller::Teller;
use web::Web;

/// Progress that may wait for the listener.
const ROOM: usize = 16;
/// The listener is asked whether to go on at least so often.
const TICK: Duration = Duration::from_millis(100);

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
