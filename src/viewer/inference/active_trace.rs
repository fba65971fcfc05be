//! The model and the text on show, as far as the engine has told of them.

use std::sync::Arc;

use bevy::prelude::*;

use super::TraceEvent;
use crate::ablation::Ablation;
use crate::analysis::{Candidate, LensReading};
use crate::config::ModelConfig;
use crate::engine::{EngineError, EngineUpdate, LoadedModel};
use crate::trace::{ActivationCache, Pass, TokenTrace, Trace, TraceUsage, Vocab};

/// The model and the text on show.
#[derive(Resource, Default)]
pub struct ActiveTrace {
    model: Option<LoadedModel>,
    trace: Option<Trace>,
    /// The pass being computed, as far as it has come.
    live: Option<Pass>,
    /// What each layer's end predicts, `[layer][pos]`, where that is known.
    lens: Vec<Vec<Option<LensReading>>>,
    /// What passes set to zero.
    ablations: Vec<Ablation>,
    /// What the recorded values take.
    usage: TraceUsage,
    /// Whether this is a shape alone.
    is_shape: bool,
}

/// Lanes of a model that is shown as a shape alone.
const SHAPE_LANES: usize = 12;

impl ActiveTrace {
    /// Shows the shape of a model without weights.
    pub fn of_shape(name: &str, config: ModelConfig) -> Self {
        Self {
            trace: Some(Trace::new(config.clone())),
            model: Some(LoadedModel {
                name: name.to_owned(),
                config,
                vocab: Vocab::default(),
                weights: None,
            }),
            live: None,
            lens: Vec::new(),
            ablations: Vec::new(),
            usage: TraceUsage::default(),
            is_shape: true,
        }
    }

    /// Whether a text is shown whose model is not there: a saved one, perhaps of some hook points only.
    pub fn is_saved(&self) -> bool {
        let has_weights = |model: &LoadedModel| model.weights.is_some();
        !self.model.as_ref().is_some_and(has_weights) && self.n_pos() > 0
    }

    /// Whether this is the shape of a model without weights.
    pub fn is_shape(&self) -> bool {
        self.is_shape
    }

    /// How many lanes there are to show.
    pub fn n_lanes(&self) -> usize {
        if self.is_shape {
            SHAPE_LANES
        } else {
            self.n_pos().max(1)
        }
    }

    /// The model, once it is loaded.
    pub fn model(&self) -> Option<&LoadedModel> {
        self.model.as_ref()
    }

    /// What is recorded, without the pass being computed.
    pub fn trace(&self) -> Option<&Trace> {
        self.trace.as_ref()
    }

    /// The token at every position, the pass being computed included.
    pub fn tokens(&self) -> Vec<u32> {
        let recorded = self.trace.iter().flat_map(Trace::tokens);
        let live = self.live.iter().flat_map(|live| live.tokens.iter());
        recorded.chain(live.copied()).collect()
    }

    /// Every pass, in order, the one being computed as far as it has come.
    pub fn passes(&self) -> impl Iterator<Item = &Pass> {
        let recorded = self.trace.iter().flat_map(Trace::passes);
        recorded.map(Arc::as_ref).chain(&self.live)
    }

    /// How many positions there are, the pass being computed included.
    pub fn n_pos(&self) -> usize {
        self.trace.as_ref().map_or(0, Trace::len)
            + self.live.as_ref().map_or(0, |live| live.tokens.len())
    }

    /// Whether a pass is being computed.
    pub fn is_computing(&self) -> bool {
        self.live.is_some()
    }

    /// The first position of the pass that computed, or is computing, `pos`.
    pub fn pass_start(&self, pos: usize) -> usize {
        if let Some(live) = &self.live
            && pos >= live.first_pos
        {
            return live.first_pos;
        }
        let passes = self.trace.as_ref().map_or(&[][..], Trace::passes);
        passes
            .iter()
            .find(|pass| pass.positions().contains(&pos))
            .map_or(0, |pass| pass.first_pos)
    }

    /// What is known of the position `pos`: recorded, or computed so far.
    pub fn token(&self, pos: usize) -> Option<TokenTrace<'_>> {
        match &self.live {
            Some(live) if pos >= live.first_pos => live.token(pos),
            _ => self.trace.as_ref()?.token(pos),
        }
    }

    /// What the residual stream at the end of `layer` predicts to follow `pos`, read through the
    /// final norm and the unembedding, most probable first; none where that is not known.
    pub fn lens(&self, layer: usize, pos: usize) -> Option<&[Candidate]> {
        let top = self.lens_reading(layer, pos)?.top.as_slice();
        (!top.is_empty()).then_some(top)
    }

    /// As [`lens`](Self::lens), with the prediction's entropy and its divergence from the pass's own.
    pub fn lens_reading(&self, layer: usize, pos: usize) -> Option<&LensReading> {
        self.lens.get(layer)?.get(pos)?.as_ref()
    }

    /// All that the lens has read, `[layer][pos]`; what lies beyond the end was not read either.
    pub fn lens_readings(&self) -> &[Vec<Option<LensReading>>] {
        &self.lens
    }

    /// The bytes that the recorded values take.
    pub fn usage(&self) -> TraceUsage {
        self.usage
    }

    /// What passes set to zero.
    pub fn ablations(&self) -> &[Ablation] {
        &self.ablations
    }

    fn keep_lens(&mut self, layer: usize, first_pos: usize, readings: Vec<LensReading>) {
        if self.lens.len() <= layer {
            self.lens.resize(layer + 1, Vec::new());
        }
        let kept = &mut self.lens[layer];
        kept.resize(kept.len().max(first_pos + readings.len()), None);
        for (place, reading) in kept[first_pos..].iter_mut().zip(readings) {
            *place = Some(reading);
        }
    }

    /// Takes in an update, and says what it means.
    pub fn apply(&mut self, update: EngineUpdate) -> TraceEvent {
        match update {
            EngineUpdate::Loading(progress) => TraceEvent::Loading(progress),
            EngineUpdate::Loaded(model) => {
                self.trace = Some(Trace::new(model.config.clone()));
                self.model = Some(model);
                self.usage = TraceUsage::default();
                self.live = None;
                self.lens.clear();
                self.ablations.clear();
                self.is_shape = false;
                TraceEvent::ModelLoaded
            }
            EngineUpdate::LoadCancelled => TraceEvent::LoadCancelled,
            EngineUpdate::LoadFailed(error) => TraceEvent::LoadFailed(describe(&error)),
            EngineUpdate::PassStarted { first_pos, tokens } => {
                if first_pos == 0
                    && let Some(model) = &self.model
                {
                    self.trace = Some(Trace::new(model.config.clone()));
                    self.usage = TraceUsage::default();
                    self.lens.clear();
                }
                let n_pos = tokens.len();
                self.live = Some(Pass {
                    first_pos,
                    tokens,
                    cache: ActivationCache::new(),
                });
                TraceEvent::PassStarted { first_pos, n_pos }
            }
            EngineUpdate::Computed { first_pos, values } => {
                if let Some(live) = &mut self.live {
                    live.cache.extend(values.iter().cloned());
                }
                TraceEvent::Computed { first_pos, values }
            }
            EngineUpdate::PassDone { pass, .. } => {
                self.live = None;
                if let Some(trace) = &mut self.trace {
                    self.usage += TraceUsage::of_pass(&pass);
                    trace.push(pass);
                }
                TraceEvent::PassDone
            }
            EngineUpdate::Lens {
                layer,
                first_pos,
                readings,
            } => {
                let n_pos = readings.len();
                self.keep_lens(layer, first_pos, readings);
                TraceEvent::LensRead {
                    layer,
                    first_pos,
                    n_pos,
                }
            }
            EngineUpdate::LensDone => TraceEvent::LensDone,
            EngineUpdate::Ablated(parts) => {
                self.ablations = parts;
                TraceEvent::Ablated
            }
            EngineUpdate::StudyProgress { id, n_done, n_all } => {
                TraceEvent::StudyProgress { id, n_done, n_all }
            }
            EngineUpdate::StudyDone { id, answer } => TraceEvent::StudyDone {
                id,
                answer: answer.map_err(|error| describe(&error)),
            },
            EngineUpdate::Paused(reason) => {
                self.live = None;
                TraceEvent::Paused(reason)
            }
            EngineUpdate::Failed(error) => {
                self.live = None;
                TraceEvent::Failed(describe(&error))
            }
        }
    }
}

fn describe(error: &Arc<EngineError>) -> String {
    let message = error.to_string();
    let mut letters = message.chars();
    // Sentence case, as every word of the interface.
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lens(layer: usize, first_pos: usize, tokens: &[u32]) -> EngineUpdate {
        let candidate = |token: &u32| Candidate {
            token: *token,
            probability: 0.5,
        };
        let reading = |token: &u32| LensReading {
            top: vec![candidate(token)],
            entropy: 1.0,
            kl: 0.5,
        };
        EngineUpdate::Lens {
            layer,
            first_pos,
            readings: tokens.iter().map(reading).collect(),
        }
    }

    #[test]
    fn what_the_lens_read_is_kept_by_layer_and_position_until_another_text_begins() {
        let mut trace = ActiveTrace::of_shape("gpt2", ModelConfig::preset("gpt2").unwrap());
        trace.apply(lens(2, 3, &[7, 8]));
        trace.apply(lens(2, 0, &[5]));
        let token = |trace: &ActiveTrace, layer, pos| Some(trace.lens(layer, pos)?[0].token);

        assert_eq!(token(&trace, 2, 0), Some(5));
        assert_eq!(token(&trace, 2, 1), None, "not read yet");
        assert_eq!(token(&trace, 2, 4), Some(8));
        assert_eq!(token(&trace, 1, 0), None);
        assert_eq!(token(&trace, 2, 5), None);
        assert_eq!(
            trace.lens_reading(2, 4).map(|reading| reading.kl),
            Some(0.5)
        );

        trace.apply(EngineUpdate::PassStarted {
            first_pos: 0,
            tokens: vec![1],
        });
        assert_eq!(token(&trace, 2, 0), None);
    }
}
