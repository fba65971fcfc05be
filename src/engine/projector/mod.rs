//! Two named worker threads that make pictures of vectors: one projects, the other seeks neighbours
//! and answers while the first is busy.
//!
//! Requests go down, updates come up, both through bounded channels. A new projection takes the place
//! of the one under way. Dropping the [`Projector`] ends both threads.

mod source;
#[cfg(test)]
mod tests;
mod work;

use std::ops::Range;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use thiserror::Error;

use super::SendError;
use crate::analysis::projection::{
    Metric, Neighbor, Projection, ProjectionError, ProjectionSettings, Stage,
};

pub use source::VectorSource;
use work::{Job, JobRequest, Question, answer, work};

/// Requests a worker may be behind.
const REQUEST_ROOM: usize = 16;
/// Updates the workers may be ahead of their reader.
const UPDATE_ROOM: usize = 16;
/// What the workers have done.
#[derive(Clone, Debug)]
pub enum ProjectorUpdate {
    /// A projection is under way.
    Progress {
        /// Which one.
        id: u64,
        /// What is being done.
        stage: Stage,
        /// How much of it is done, 0 to 1.
        share: f32,
        /// The points as they are now, `[n, n_dims]`; none before there are any.
        points: Option<Arc<[f32]>>,
    },
    /// A projection is done.
    Done {
        /// Which one.
        id: u64,
        /// It.
        projection: Arc<Projection>,
    },
    /// A projection was stopped.
    Stopped {
        /// Which one.
        id: u64,
    },
    /// Neighbours were found.
    Neighbors {
        /// Whose question it was.
        id: u64,
        /// The vector.
        index: usize,
        /// The nearest, by each of [`METRICS`].
        near: [Vec<Neighbor>; 2],
    },
    /// A request failed; its worker goes on with the next.
    Failed {
        /// Which one.
        id: u64,
        /// Why.
        error: ProjectorError,
    },
}

/// The metrics by which neighbours are sought, in the order they are told of.
pub const METRICS: [Metric; 2] = [Metric::Cosine, Metric::Euclidean];

/// Why a request failed.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum ProjectorError {
    /// The vectors have no projection.
    #[error(transparent)]
    Projection(#[from] ProjectionError),
    /// The weights can't be read.
    #[error("the weights that hold these vectors can't be read; load the model again")]
    Unread,
    /// There is no such vector.
    #[error("there is no vector {index} among {n}")]
    NoVector {
        /// The one asked for.
        index: usize,
        /// How many there are.
        n: usize,
    },
    /// The program has a fault.
    #[error("the projection failed: {0}; this is a fault of the program, please report it")]
    Panicked(String),
}

/// The other side's end: sends requests, takes updates.
pub struct Projector {
    jobs: Option<Sender<JobRequest>>,
    questions: Option<Sender<Question>>,
    updates: Option<Receiver<ProjectorUpdate>>,
    workers: Vec<JoinHandle<()>>,
}

impl Projector {
    /// Starts the workers.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start() -> std::io::Result<Self> {
        let (job_sender, jobs) = bounded(REQUEST_ROOM);
        let (question_sender, questions) = bounded(REQUEST_ROOM);
        let (update_sender, updates) = bounded(UPDATE_ROOM);
        let to_reader = update_sender.clone();
        let mut projector = Self {
            jobs: Some(job_sender),
            questions: Some(question_sender),
            updates: Some(updates),
            workers: Vec::new(),
        };
        let worker = thread::Builder::new().name("llmscope-project".to_owned());
        projector
            .workers
            .push(worker.spawn(move || work(&jobs, &to_reader))?);
        let worker = thread::Builder::new().name("llmscope-neighbor".to_owned());
        projector
            .workers
            .push(worker.spawn(move || answer(&questions, &update_sender))?);
        Ok(projector)
    }

    /// Asks for a projection in place of the one under way, without waiting.
    ///
    /// # Errors
    ///
    /// If the worker has ended or is too far behind.
    pub fn project(
        &self,
        id: u64,
        source: Arc<VectorSource>,
        settings: ProjectionSettings,
    ) -> Result<(), SendError> {
        let job = Job {
            id,
            source,
            settings,
        };
        send(self.jobs.as_ref(), JobRequest::Project(job))
    }

    /// Stops the projection under way, without waiting.
    ///
    /// # Errors
    ///
    /// If the worker has ended or is too far behind.
    pub fn stop(&self) -> Result<(), SendError> {
        send(self.jobs.as_ref(), JobRequest::Stop)
    }

    /// Asks for the `n_near` vectors nearest to vector `index` of those `among`, without waiting; both
    /// it and they are counted from the first of those. Of questions that wait, only the last is
    /// answered.
    ///
    /// # Errors
    ///
    /// If the worker has ended or is too far behind.
    pub fn neighbors(
        &self,
        id: u64,
        source: Arc<VectorSource>,
        among: Range<usize>,
        index: usize,
        n_near: usize,
    ) -> Result<(), SendError> {
        let question = Question {
            id,
            source,
            among,
            index,
            n_near,
        };
        send(self.questions.as_ref(), question)
    }

    /// The next update, if there is one now.
    pub fn try_update(&self) -> Option<ProjectorUpdate> {
        self.updates.as_ref()?.try_recv().ok()
    }

    /// Waits for the next update; none once the workers have ended.
    pub fn wait_update(&self) -> Option<ProjectorUpdate> {
        self.updates.as_ref()?.recv().ok()
    }
}

fn send<T>(sender: Option<&Sender<T>>, request: T) -> Result<(), SendError> {
    let sender = sender.ok_or(SendError::Ended)?;
    sender.try_send(request).map_err(|error| match error {
        TrySendError::Full(_) => SendError::Busy,
        TrySendError::Disconnected(_) => SendError::Ended,
    })
}

impl Drop for Projector {
    fn drop(&mut self) {
        // All ends closed: a waiting worker wakes, a projecting one stops at its next step.
        self.jobs = None;
        self.questions = None;
        self.updates = None;
        for worker in self.workers.drain(..) {
            // A panic was already reported as an update.
            drop(worker.join());
        }
    }
}
