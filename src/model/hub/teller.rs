//! What the fetching thread tells while it works. That nobody listens any more is the sign to stop.

use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::{Duration, Instant};

use super::error::HubError;
use crate::model::{LoadProgress, LoadStage};

/// Whoever listens is told at most so often.
const INTERVAL: Duration = Duration::from_millis(50);

/// Tells how far fetching has come.
pub(super) struct Teller {
    listener: SyncSender<LoadProgress>,
    told: LoadProgress,
    told_at: Option<Instant>,
    /// Bytes of the files that came before this one.
    base_bytes: u64,
    total_bytes: u64,
}

impl Teller {
    pub(super) fn new(listener: SyncSender<LoadProgress>, beginning: LoadProgress) -> Self {
        Self {
            listener,
            told: beginning,
            told_at: None,
            base_bytes: 0,
            total_bytes: 0,
        }
    }

    /// Files of so many bytes are to come.
    pub(super) fn expect(&mut self, total_bytes: u64) {
        (self.base_bytes, self.total_bytes) = (0, total_bytes);
    }

    /// A file of so many bytes is there.
    pub(super) fn arrived(&mut self, bytes: u64) {
        self.base_bytes += bytes;
    }

    /// So many bytes of a file are there.
    pub(super) fn fetching(&mut self, file: &str, bytes: u64) -> Result<(), HubError> {
        let is_early = self.told_at.is_some_and(|at| at.elapsed() < INTERVAL);
        let is_same =
            matches!(&self.told.stage, LoadStage::Fetching { file: told } if told == file);
        if is_early && is_same {
            return Ok(());
        }
        let stage = LoadStage::Fetching {
            file: file.to_owned(),
        };
        self.tell(stage, self.base_bytes + bytes)
    }

    /// Another process fetches the file.
    pub(super) fn waiting(&mut self, file: &str) -> Result<(), HubError> {
        thread::sleep(INTERVAL);
        let stage = LoadStage::Waiting {
            file: file.to_owned(),
        };
        self.tell(stage, self.base_bytes)
    }

    /// Waits, unless it is to stop.
    pub(super) fn pause(&mut self, time: Duration) -> Result<(), HubError> {
        let started = Instant::now();
        while started.elapsed() < time {
            thread::sleep(INTERVAL.min(time));
            self.tell(self.told.stage.clone(), self.told.done_bytes)?;
        }
        Ok(())
    }

    fn tell(&mut self, stage: LoadStage, done_bytes: u64) -> Result<(), HubError> {
        self.told = LoadProgress {
            stage,
            done_bytes,
            total_bytes: self.total_bytes,
        };
        self.told_at = Some(Instant::now());
        let sent = self.listener.send(self.told.clone());
        sent.map_err(|_closed| HubError::Stopped)
    }
}
