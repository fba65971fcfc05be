//! A saved trace in the place of a model: it tells what the model told, and computes nothing.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

use super::{EngineError, EngineRequest, EngineUpdate, LoadedModel, PauseReason};
use crate::ablation::{Ablation, AblationError};
use crate::hook::HookPoint;
use crate::model::LoadProgress;
use crate::trace::{Activation, LensReading, Pass, SavedTrace, Vocab};

/// What a model's thread tells of a text, of a saved one: the model without its weights, what was set
/// to zero, and pass by pass the values layer by layer and what the lens read.
///
/// # Errors
///
/// If the trace names a part that its model does not have.
pub fn replay(saved: SavedTrace) -> Result<Vec<EngineUpdate>, AblationError> {
    let config = saved.about.config;
    let parts = saved.about.ablate.iter().map(|part| {
        let part: Ablation = part.parse()?;
        part.check(&config)?;
        Ok(part)
    });
    let parts: Vec<Ablation> = parts.collect::<Result<_, AblationError>>()?;
    // A model is read before it is there. Letters lie in the order in which they were first drawn, so
    // that pictures are the same only if nothing is left out.
    let reading = |done_bytes| EngineUpdate::Loading(LoadProgress::reading(done_bytes, 1));
    let mut updates = vec![
        reading(0),
        reading(1),
        EngineUpdate::Loaded(LoadedModel {
            name: saved.about.model,
            config,
            vocab: saved.vocab.clone(),
            weights: None,
        }),
    ];
    if !parts.is_empty() {
        updates.push(EngineUpdate::Ablated(parts));
    }
    for pass in saved.trace.passes() {
        tell_pass(pass, &saved.vocab, &mut updates);
        tell_lens(pass, &saved.lens, &mut updates);
    }
    let is_read = saved.lens.iter().flatten().all(Option::is_some);
    if is_read && !saved.lens.is_empty() {
        updates.push(EngineUpdate::LensDone);
    }
    Ok(updates)
}

fn tell_pass(pass: &Arc<Pass>, vocab: &Vocab, updates: &mut Vec<EngineUpdate>) {
    let first_pos = pass.first_pos;
    updates.push(EngineUpdate::PassStarted {
        first_pos,
        tokens: pass.tokens.clone(),
    });
    let all: Vec<(HookPoint, Activation)> = pass
        .cache
        .iter()
        .map(|(hook, activation)| (*hook, activation.clone()))
        .collect();
    let stages = all.chunk_by(|(before, _), (after, _)| before.layer() == after.layer());
    updates.extend(stages.map(|stage| EngineUpdate::Computed {
        first_pos,
        values: stage.to_vec(),
    }));
    let texts = pass.tokens.iter().map(|token| vocab.text(*token));
    updates.push(EngineUpdate::PassDone {
        pass: Arc::clone(pass),
        text: (!vocab.is_empty()).then(|| texts.collect()),
    });
}

fn tell_lens(pass: &Pass, lens: &[Vec<Option<LensReading>>], updates: &mut Vec<EngineUpdate>) {
    for (layer, readings) in lens.iter().enumerate() {
        let readings = readings.get(pass.positions()).unwrap_or_default();
        // A window may have been closed before all was read.
        for (pos, run) in runs(readings) {
            updates.push(EngineUpdate::Lens {
                layer,
                first_pos: pass.first_pos + pos,
                readings: run,
            });
        }
    }
}

/// Readings that follow one another without a gap, and where each such run begins.
fn runs(readings: &[Option<LensReading>]) -> Vec<(usize, Vec<LensReading>)> {
    let mut first = 0;
    let mut runs = Vec::new();
    for run in readings.chunk_by(|before, after| before.is_some() == after.is_some()) {
        let known: Vec<LensReading> = run.iter().flatten().cloned().collect();
        if !known.is_empty() {
            runs.push((first, known));
        }
        first += run.len();
    }
    runs
}

/// Tells `updates`, then answers requests: what needs the model can't be done.
pub(super) fn run(
    updates: Vec<EngineUpdate>,
    requests: &Receiver<EngineRequest>,
    sender: &Sender<EngineUpdate>,
) {
    for update in updates {
        if sender.send(update).is_err() {
            return; // The other side is gone.
        }
    }
    for request in requests {
        let no_weights = || Arc::new(EngineError::NoWeights);
        let update = match request {
            EngineRequest::Step | EngineRequest::Play(_) => {
                EngineUpdate::Paused(PauseReason::EndOfTrace)
            }
            EngineRequest::Study(study) => EngineUpdate::StudyDone {
                id: study.id,
                answer: Err(no_weights()),
            },
            EngineRequest::Load { .. } => EngineUpdate::LoadFailed(no_weights()),
            EngineRequest::SetPrompt(_) | EngineRequest::SetAblations(_) => {
                EngineUpdate::Failed(no_weights())
            }
            EngineRequest::SetSampler(_)
            | EngineRequest::SetTraceMemory(_)
            | EngineRequest::Stop
            | EngineRequest::CancelLoad
            | EngineRequest::SetLens(_)
            | EngineRequest::CancelStudy(_) => continue,
        };
        if sender.send(update).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{EngineHandle, Prompt};

    #[test]
    fn readings_without_a_gap_are_told_at_once_and_gaps_are_left_out() {
        let reading = |kl| {
            Some(LensReading {
                kl,
                ..LensReading::default()
            })
        };

        let found = runs(&[None, reading(1.0), reading(2.0), None, reading(4.0)]);

        let shape: Vec<(usize, usize)> = found.iter().map(|(at, run)| (*at, run.len())).collect();
        assert_eq!(shape, [(1, 2), (4, 1)]);
        assert_eq!(found[1].1[0].kl, 4.0);
    }

    #[test]
    fn a_replay_tells_what_it_has_then_ends_calmly_and_computes_nothing() {
        let engine = EngineHandle::start_replay(vec![EngineUpdate::LensDone]).unwrap();
        engine.request(EngineRequest::Step).unwrap();
        let text = Prompt::Text("more".to_owned());
        engine.request(EngineRequest::SetPrompt(text)).unwrap();

        assert!(matches!(engine.wait_update(), Some(EngineUpdate::LensDone)));
        assert!(matches!(
            engine.wait_update(),
            Some(EngineUpdate::Paused(PauseReason::EndOfTrace))
        ));
        let Some(EngineUpdate::Failed(error)) = engine.wait_update() else {
            panic!("a prompt can't be computed");
        };
        assert!(error.to_string().contains("no weights"));
    }
}
