//! What the two threads do.

use std::ops::{ControlFlow, Range};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError};

use super::{METRICS, ProjectorError, ProjectorUpdate, VectorSource};
use crate::analysis::projection::{
    Neighbor, Progress, Projection, ProjectionError, ProjectionSettings, Vectors, nearest_to,
    project,
};
use crate::engine::worker::panic_message;

/// How often an unfinished picture is told of.
const PICTURE_EVERY: Duration = Duration::from_millis(60);

pub(super) struct Job {
    pub id: u64,
    pub source: Arc<VectorSource>,
    pub settings: ProjectionSettings,
}

pub(super) enum JobRequest {
    Project(Job),
    Stop,
}

pub(super) struct Question {
    pub id: u64,
    pub source: Arc<VectorSource>,
    pub among: Range<usize>,
    pub index: usize,
    pub n_near: usize,
}

/// Does work; what it said if it panicked.
fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| panic_message(&*panic))
}

pub(super) fn work(jobs: &Receiver<JobRequest>, updates: &Sender<ProjectorUpdate>) {
    let mut next = jobs.recv().ok();
    while let Some(request) = next {
        let mut newer = None;
        if let JobRequest::Project(job) = request {
            let id = job.id;
            let outcome = caught(|| run(&job, jobs, &mut newer, updates));
            let update = match outcome {
                Ok(Ok(projection)) => ProjectorUpdate::Done {
                    id,
                    projection: Arc::new(projection),
                },
                Ok(Err(ProjectorError::Projection(ProjectionError::Stopped))) => {
                    ProjectorUpdate::Stopped { id }
                }
                Ok(Err(error)) => ProjectorUpdate::Failed { id, error },
                Err(panic) => ProjectorUpdate::Failed {
                    id,
                    error: ProjectorError::Panicked(panic),
                },
            };
            if updates.send(update).is_err() {
                return; // The viewer closed.
            }
        }
        next = newer.or_else(|| jobs.recv().ok());
    }
}

/// Does a job until it is done or another request comes, which is left in `newer`.
fn run(
    job: &Job,
    jobs: &Receiver<JobRequest>,
    newer: &mut Option<JobRequest>,
    updates: &Sender<ProjectorUpdate>,
) -> Result<Projection, ProjectorError> {
    let mut last_picture = Instant::now();
    let mut last_stage = None;
    let mut tell = |progress: Progress<'_>| {
        // Of requests that wait, only the last counts.
        if let Some(request) = jobs.try_iter().last() {
            *newer = Some(request);
            return ControlFlow::Break(());
        }
        if last_stage == Some(progress.stage) && last_picture.elapsed() < PICTURE_EVERY {
            return ControlFlow::Continue(());
        }
        let update = ProjectorUpdate::Progress {
            id: job.id,
            stage: progress.stage,
            share: progress.share,
            points: (!progress.points.is_empty()).then(|| progress.points.into()),
        };
        // A reader that lags misses a picture, not the last one.
        match updates.try_send(update) {
            Ok(()) => {
                last_picture = Instant::now();
                last_stage = Some(progress.stage);
                ControlFlow::Continue(())
            }
            Err(TrySendError::Full(_)) => ControlFlow::Continue(()),
            Err(TrySendError::Disconnected(_)) => ControlFlow::Break(()),
        }
    };
    Ok(project(job.source.vectors()?, &job.settings, &mut tell)?)
}

pub(super) fn answer(questions: &Receiver<Question>, updates: &Sender<ProjectorUpdate>) {
    while let Ok(question) = questions.recv() {
        let question = questions.try_iter().last().unwrap_or(question);
        let id = question.id;
        let outcome = caught(|| near(&question));
        let update = match outcome {
            Ok(Ok(near)) => ProjectorUpdate::Neighbors {
                id,
                index: question.index,
                near,
            },
            Ok(Err(error)) => ProjectorUpdate::Failed { id, error },
            Err(panic) => ProjectorUpdate::Failed {
                id,
                error: ProjectorError::Panicked(panic),
            },
        };
        if updates.send(update).is_err() {
            return; // The viewer closed.
        }
    }
}

fn near(question: &Question) -> Result<[Vec<Neighbor>; 2], ProjectorError> {
    let vectors = question.source.vectors()?;
    let (index, among) = (question.index, &question.among);
    if among.end > vectors.n_rows() || index >= among.len() {
        let n = among.len().min(vectors.n_rows());
        return Err(ProjectorError::NoVector { index, n });
    }
    let d = vectors.n_columns();
    let vectors = Vectors::new(&vectors.values()[among.start * d..among.end * d], d)?;
    Ok(METRICS.map(|metric| nearest_to(vectors, index, question.n_near, metric)))
}
