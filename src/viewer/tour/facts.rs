//! What is worth telling of a recorded text, found among its values.

use crate::analysis::{Candidate, top_candidates};
use crate::hook::{BlockSite, HookPoint};
use crate::trace::{Trace, Vocab};

/// A head's look from the token of the tour at an earlier one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Look {
    pub(super) layer: usize,
    pub(super) head: usize,
    /// The position looked at.
    pub(super) key: usize,
    /// The pattern's value, 0 to 1.
    pub(super) weight: f32,
    /// The score before softmax, if it is recorded.
    pub(super) score: Option<f32>,
}

/// A layer's most active neuron.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Neuron {
    pub(super) layer: usize,
    pub(super) index: usize,
    pub(super) value: f32,
    /// The share of the layer's neurons whose value is above zero, 0 to 1.
    pub(super) active_share: f32,
}

/// A weight on the token that will be predicted is worth telling from here on.
const TELLING_WEIGHT: f32 = 0.25;

/// What is recorded of one token.
pub(super) struct Facts<'a> {
    trace: &'a Trace,
    vocab: &'a Vocab,
    lane: usize,
}

impl<'a> Facts<'a> {
    pub(super) fn new(trace: &'a Trace, vocab: &'a Vocab, lane: usize) -> Self {
        Self { trace, vocab, lane }
    }

    /// How many tokens the text has.
    pub(super) fn n_pos(&self) -> usize {
        self.trace.len()
    }

    /// A token of the text in quotes; none if it is not recorded.
    pub(super) fn word(&self, pos: usize) -> Option<String> {
        let token = self.trace.token(pos)?.token;
        Some(quoted(self.vocab, token))
    }

    /// The length of a vector at `pos`, the root of its squares' sum.
    pub(super) fn norm(&self, pos: usize, hook: HookPoint) -> Option<f32> {
        let row = self.trace.token(pos)?.row(hook)?;
        let sum: f64 = row.iter().map(|value| f64::from(*value).powi(2)).sum();
        let norm = sum.sqrt() as f32;
        norm.is_finite().then_some(norm)
    }

    /// The most probable next tokens.
    pub(super) fn predictions(&self, n: usize) -> Vec<Candidate> {
        let row = self.trace.token(self.lane);
        row.and_then(|token| token.row(HookPoint::Logits))
            .map(|logits| top_candidates(logits, n))
            .unwrap_or_default()
    }

    /// The same with their names in quotes.
    pub(super) fn named(&self, candidate: &Candidate) -> String {
        quoted(self.vocab, candidate.token)
    }

    /// The look worth telling: at the token that will be predicted if a head clearly looks there,
    /// else the strongest that is neither at the first token, where heads rest, nor at itself.
    pub(super) fn look(&self) -> Option<Look> {
        let mut looks = self.looks(1);
        if looks.is_empty() {
            looks = self.looks(0);
        }
        let predicted = self.predictions(1).first().map(|best| best.token);
        let is_predicted = |look: &&Look| {
            let token = self.trace.token(look.key).map(|token| token.token);
            token == predicted && look.weight >= TELLING_WEIGHT
        };
        strongest(looks.iter().filter(is_predicted)).or_else(|| strongest(looks.iter()))
    }

    fn looks(&self, first_key: usize) -> Vec<Look> {
        let Some(token) = self.trace.token(self.lane) else {
            return Vec::new();
        };
        let config = self.trace.config();
        let mut looks = Vec::new();
        for layer in 0..config.n_layers {
            for head in 0..config.n_heads {
                let row = |site| token.attention_row(HookPoint::block(layer, site), head);
                let Some(pattern) = row(BlockSite::Pattern) else {
                    continue;
                };
                let scores = row(BlockSite::AttnScores);
                for key in first_key..self.lane {
                    looks.push(Look {
                        layer,
                        head,
                        key,
                        weight: pattern[key],
                        score: scores.map(|scores| scores[key]),
                    });
                }
            }
        }
        looks.retain(|look| look.weight.is_finite());
        looks
    }

    /// The most active neuron of the layers from `first_layer` on.
    pub(super) fn neuron(&self, first_layer: usize) -> Option<Neuron> {
        let token = self.trace.token(self.lane)?;
        let mut best: Option<Neuron> = None;
        for layer in first_layer..self.trace.config().n_layers {
            let Some(row) = token.row(HookPoint::block(layer, BlockSite::MlpPost)) else {
                continue;
            };
            let n_active = row.iter().filter(|value| **value > 0.0).count();
            for (index, value) in row.iter().copied().enumerate() {
                if value.is_finite() && best.is_none_or(|best| value > best.value) {
                    best = Some(Neuron {
                        layer,
                        index,
                        value,
                        active_share: n_active as f32 / row.len() as f32,
                    });
                }
            }
        }
        best
    }
}

/// The first of the looks with the greatest weight.
fn strongest<'a>(looks: impl Iterator<Item = &'a Look>) -> Option<Look> {
    looks.fold(None, |best: Option<Look>, look| match best {
        Some(best) if best.weight >= look.weight => Some(best),
        _ => Some(*look),
    })
}

/// A token's text in quotes, without the blank that most begin with.
fn quoted(vocab: &Vocab, token: u32) -> String {
    let text = vocab.text(token);
    let word = text.trim();
    if word.is_empty() || word.chars().any(char::is_control) {
        format!("“{}”", vocab.label(token))
    } else {
        format!("“{word}”")
    }
}

/// A number as it is read out: three digits where it has them.
pub(super) fn number(value: f32) -> String {
    match value.abs() {
        size if size >= 1e5 || (size > 0.0 && size < 0.005) => format!("{value:.1e}"),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
