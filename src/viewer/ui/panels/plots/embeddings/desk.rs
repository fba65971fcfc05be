//! The desk where pictures are ordered: what was asked of the workers, how far it is, and the last
//! picture that came back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::subject::{Origin, Subject};
use crate::analysis::projection::{Method, Neighbor, Projection, ProjectionSettings, Stage};
use crate::engine::{Projector, ProjectorUpdate, SendError};

/// How a picture that was ordered is doing.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Work {
    /// Nothing was ordered.
    #[default]
    Idle,
    /// It is being made.
    Running {
        /// What is being done.
        stage: Stage,
        /// How much of it is done, 0 to 1.
        share: f32,
    },
    /// It is done.
    Done,
    /// It was stopped.
    Stopped,
    /// It failed.
    Failed(String),
}

/// A picture that came back, perhaps unfinished.
#[derive(Debug)]
pub struct Picture {
    /// What it shows.
    pub subject: Arc<Subject>,
    /// How it was ordered.
    pub settings: ProjectionSettings,
    /// It; without explained variance while it is unfinished.
    pub projection: Arc<Projection>,
    /// Whether it is finished.
    pub is_done: bool,
}

/// The nearest vectors of one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Nearest {
    /// What they were read from, and the place and the point they are nearest to.
    pub of: Option<(Origin, usize, usize)>,
    /// By each metric; none while they are sought.
    pub near: Option<[Vec<Neighbor>; 2]>,
    /// Why there are none.
    pub failure: Option<String>,
}

/// Neighbours that are asked for.
const N_NEAR: usize = 20;

/// What was asked of the workers, and what came back.
#[derive(Default)]
pub struct Desk {
    /// Started when it is first needed.
    projector: Option<Projector>,
    n_asked: u64,
    ordered: Option<(u64, Arc<Subject>, ProjectionSettings, Instant)>,
    /// How what was ordered is doing.
    pub work: Work,
    /// The last picture.
    pub picture: Option<Picture>,
    /// Counts up with every picture.
    pub version: u64,
    /// How long the finished one took.
    pub took: Option<Duration>,
    asked_near: u64,
    /// The nearest vectors of the chosen one.
    pub nearest: Nearest,
}

impl Desk {
    /// Whether this is what was ordered last.
    pub fn has_ordered(&self, origin: Origin, settings: &ProjectionSettings) -> bool {
        let ordered = self.ordered.as_ref();
        ordered.is_some_and(|(_, subject, made, _)| subject.origin == origin && made == settings)
    }

    /// The subject of this origin, if it was ordered last: its vectors are read already.
    pub fn subject(&self, origin: Origin) -> Option<Arc<Subject>> {
        let (_, subject, ..) = self.ordered.as_ref()?;
        (subject.origin == origin).then(|| Arc::clone(subject))
    }

    /// Orders a picture in place of the one being made.
    pub fn order(&mut self, subject: Arc<Subject>, settings: ProjectionSettings) {
        self.n_asked += 1;
        let id = self.n_asked;
        let source = Arc::clone(&subject.source);
        self.ordered = Some((id, subject, settings, Instant::now()));
        self.took = None;
        self.work = Work::Running {
            stage: Stage::Components,
            share: 0.0,
        };
        self.send(|projector| projector.project(id, source, settings));
    }

    /// Stops the picture being made.
    pub fn stop(&mut self) {
        self.send(Projector::stop);
    }

    /// Asks for the vectors nearest to a point's at a place, of all of that place, unless they are there
    /// or being sought.
    pub fn seek(&mut self, subject: &Subject, point: usize, place: usize) {
        let of = Some((subject.origin, place, point));
        if self.nearest.of == of {
            return;
        }
        self.nearest = Nearest {
            of,
            ..Nearest::default()
        };
        self.n_asked += 1;
        self.asked_near = self.n_asked;
        let id = self.n_asked;
        let source = Arc::clone(&subject.source);
        let n = subject.tokens.len();
        let among = place * n..(place + 1) * n;
        let asked = self.ask(|projector| projector.neighbors(id, source, among, point, N_NEAR));
        self.nearest.failure = asked.err();
    }

    fn send(&mut self, request: impl FnOnce(&Projector) -> Result<(), SendError>) {
        if let Err(failure) = self.ask(request) {
            self.work = Work::Failed(failure);
        }
    }

    fn ask(
        &mut self,
        request: impl FnOnce(&Projector) -> Result<(), SendError>,
    ) -> Result<(), String> {
        if self.projector.is_none() {
            let started = Projector::start();
            let started = started.map_err(|error| format!("No thread for projections: {error}"))?;
            self.projector = Some(started);
        }
        let Some(projector) = &self.projector else {
            return Ok(());
        };
        request(projector).map_err(|error| error.to_string())
    }

    /// Takes in what the workers have done; whether more is to come.
    pub fn advance(&mut self) -> bool {
        while let Some(update) = self.projector.as_ref().and_then(Projector::try_update) {
            self.take(update);
        }
        let is_seeking = self.nearest.of.is_some()
            && self.nearest.near.is_none()
            && self.nearest.failure.is_none();
        matches!(self.work, Work::Running { .. }) || is_seeking
    }

    fn take(&mut self, update: ProjectorUpdate) {
        let current = self.ordered.as_ref().map(|(id, ..)| *id);
        match update {
            ProjectorUpdate::Neighbors { id, near, .. } if id == self.asked_near => {
                self.nearest.near = Some(near);
            }
            ProjectorUpdate::Failed { id, error } if id == self.asked_near => {
                self.nearest.failure = Some(error.to_string());
            }
            ProjectorUpdate::Progress {
                id,
                stage,
                share,
                points,
            } if Some(id) == current => {
                self.work = Work::Running { stage, share };
                if let Some(points) = points {
                    self.show_unfinished(points.to_vec());
                }
            }
            ProjectorUpdate::Done { id, projection } if Some(id) == current => {
                self.work = Work::Done;
                self.took = self.ordered.as_ref().map(|(.., since)| since.elapsed());
                self.show(projection, true);
            }
            ProjectorUpdate::Stopped { id } if Some(id) == current => self.work = Work::Stopped,
            ProjectorUpdate::Failed { id, error } if Some(id) == current => {
                self.work = Work::Failed(error.to_string());
                self.picture = None;
                self.version += 1;
            }
            // Of what was ordered before.
            _ => {}
        }
    }

    fn show_unfinished(&mut self, points: Vec<f32>) {
        let Some((_, _, settings, _)) = &self.ordered else {
            return;
        };
        let projection = Projection {
            n_dims: settings.n_dims,
            points,
            explained: Vec::new(),
            method: match (settings.method, &self.work) {
                // Where points begin.
                (_, Work::Running { stage, .. }) if *stage != Stage::Points => Method::Pca,
                (method, _) => method,
            },
        };
        self.show(Arc::new(projection), false);
    }

    fn show(&mut self, projection: Arc<Projection>, is_done: bool) {
        let Some((_, subject, settings, _)) = &self.ordered else {
            return;
        };
        self.version += 1;
        self.picture = Some(Picture {
            subject: Arc::clone(subject),
            settings: *settings,
            projection,
            is_done,
        });
    }
}
