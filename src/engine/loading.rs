//! A model that is being loaded, on a thread of its own: the one there is goes on answering.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::worker::panic_message;
use super::{EngineError, EngineUpdate, LoadModel};
use crate::model::{LoadProgress, LoadSettings, LoadStage, Model, ModelSource};

/// How often it is told how far a fetch has come.
const INTERVAL: Duration = Duration::from_millis(100);

/// A model that is being loaded. Dropping it ends that soon, and nothing more is told of it.
pub(super) struct Loading {
    outcome: Receiver<Result<Model, EngineError>>,
    is_given_up: Arc<AtomicBool>,
}

impl Loading {
    /// Begins to load; tells `updates` how far it has come.
    pub(super) fn start(
        load: LoadModel,
        source: ModelSource,
        settings: LoadSettings,
        updates: Sender<EngineUpdate>,
    ) -> std::io::Result<Self> {
        let (sender, outcome) = bounded(1);
        let is_given_up = Arc::new(AtomicBool::new(false));
        let mut teller = Teller {
            updates,
            is_given_up: Arc::clone(&is_given_up),
            last: None,
        };
        thread::Builder::new()
            .name("llmscope-loader".to_owned())
            .spawn(move || {
                let loaded = catch_unwind(AssertUnwindSafe(|| {
                    load(&source, &settings, &mut |progress| teller.tell(progress))
                }));
                let outcome = match loaded {
                    Ok(loaded) => loaded.map_err(EngineError::from),
                    Err(panic) => Err(EngineError::Panicked(panic_message(&*panic))),
                };
                // Nobody may wait for it any more.
                drop(sender.send(outcome));
            })?;
        Ok(Self {
            outcome,
            is_given_up,
        })
    }

    /// Where the model, or why there is none, comes once.
    pub(super) fn outcome(&self) -> &Receiver<Result<Model, EngineError>> {
        &self.outcome
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        self.is_given_up.store(true, Ordering::Relaxed);
    }
}

/// Tells how far loading has come: often enough, and no oftener.
struct Teller {
    updates: Sender<EngineUpdate>,
    is_given_up: Arc<AtomicBool>,
    last: Option<(Instant, LoadProgress)>,
}

impl Teller {
    fn tell(&mut self, progress: LoadProgress) -> ControlFlow<()> {
        if self.is_given_up.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        let percent = |progress: &LoadProgress| (100.0 * progress.share()) as u64;
        let is_reading = progress.stage == LoadStage::Reading;
        let is_news = self.last.as_ref().is_none_or(|(at, last)| {
            let is_other_stage = last.stage != progress.stage;
            is_other_stage
                || if is_reading {
                    percent(last) != percent(&progress)
                } else {
                    at.elapsed() >= INTERVAL
                }
        });
        if !is_news {
            return ControlFlow::Continue(());
        }
        self.last = Some((Instant::now(), progress.clone()));
        let update = EngineUpdate::Loading(progress);
        // A window that is hidden reads nothing: a fetch goes on all the same.
        let is_gone = if is_reading {
            self.updates.send(update).is_err()
        } else {
            let sent = self.updates.try_send(update);
            sent.is_err_and(|error| error.is_disconnected())
        };
        if is_gone {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}
