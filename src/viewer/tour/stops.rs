//! Where the tour stops, and what it says there.

mod attention;

use super::facts::number;
use super::guide::{Guide, grouped, stop, union};
use super::plan::Stop;
use crate::analysis::Candidate;
use crate::hook::{BlockSite, HookPoint};
use crate::layout::{CellId, GroundRect, ModelLayout};
use crate::trace::{Trace, Vocab};
use crate::viewer::viewpoint::{Screen, Viewpoint};

/// The most lanes that are looked at together.
const MAX_LANES: usize = 12;

/// Finds the stops, in the order of the pass.
pub(super) fn find(
    layout: &ModelLayout,
    trace: &Trace,
    vocab: &Vocab,
    lane: usize,
    screen: &Screen,
) -> Vec<Stop> {
    let guide = Guide::new(layout, trace, vocab, lane, screen);
    let mut stops = vec![guide.whole(), guide.tokens(), guide.embedding()];
    if trace.config().rotary.is_none() {
        stops.push(guide.position());
    }
    stops.extend([guide.stream(), guide.queries()]);
    if trace.config().rotary.is_some() {
        stops.push(guide.rotation());
    }
    stops.extend([
        guide.attention(),
        guide.attention_out(),
        guide.neurons(),
        guide.growth(),
        guide.prediction(),
        guide.again(),
    ]);
    stops[0].travel_secs = 0.0;
    stops
}

impl Guide<'_> {
    fn whole(&self) -> Stop {
        let config = self.trace.config();
        let shape = format!(
            "{} layers of {} heads and {} neurons",
            config.n_layers,
            config.n_heads,
            grouped(config.d_mlp)
        );
        let text = match self.facts.n_pos() {
            0 => format!(
                "Every tile is a tensor of this model: {shape}. Words enter in front; the next \
                 word is predicted at the far end. No weights are loaded, so there are no values."
            ),
            n => format!(
                "All of this was computed for a text of {n} tokens, by {shape}. Words enter in \
                 front; the next word is predicted at the far end."
            ),
        };
        stop(
            "A language model, laid out",
            text,
            Viewpoint::Overview.pose(self.layout, self.screen),
            Vec::new(),
            self.end(),
        )
    }

    fn tokens(&self) -> Stop {
        let text = match self.facts.n_pos() {
            0 => "A model reads tokens: words or pieces of words. Each token has a lane of its \
                  own, and all lanes are computed side by side."
                .to_owned(),
            n => format!(
                "A model reads tokens: words or pieces of words. This text has {n}, and the last \
                 one is {}. Each has a lane of its own.",
                self.word(n - 1)
            ),
        };
        let rect = union(
            self.tile(HookPoint::Embed, self.first_lane()),
            self.tile(self.after_attention(0), self.lane),
        );
        let rect = self.with_margin(rect, 0.35);
        stop(
            "The text in pieces",
            text,
            self.before(rect, 0.0, 0.62, 0.92),
            Vec::new(),
            0.0,
        )
    }

    /// The stream behind a layer's attention; what attention adds, where the MLP does so beside it.
    fn after_attention(&self, layer: usize) -> HookPoint {
        let mid = HookPoint::block(layer, BlockSite::ResidMid);
        if self.trace.config().has_hook(mid) {
            mid
        } else {
            HookPoint::block(layer, BlockSite::AttnOut)
        }
    }

    /// The first of the lanes that are looked at together with the tour's.
    fn first_lane(&self) -> usize {
        (self.lane + 1).saturating_sub(MAX_LANES)
    }

    fn embedding(&self) -> Stop {
        let hook = HookPoint::Embed;
        let rect = self.tile(hook, self.key);
        let width = self.trace.config().d_model;
        let text = match self.facts.norm(self.key, hook) {
            Some(norm) => format!(
                "{} became the {width} numbers of this tile: its norm is {}. Colour is a number's \
                 value, height its magnitude. The same word always begins with the same numbers.",
                self.word(self.key),
                number(norm)
            ),
            None => format!(
                "A token becomes the {width} numbers of this tile, its embedding. The same token \
                 always begins with the same numbers."
            ),
        };
        stop(
            "A word becomes numbers",
            text,
            self.before(self.with_word(rect), 0.22, 0.72, 0.95),
            vec![rect],
            self.order(hook),
        )
    }

    fn position(&self) -> Stop {
        let hook = HookPoint::PosEmbed;
        let rect = self.tile(hook, self.key);
        let text = match self.facts.norm(self.key, hook) {
            Some(norm) => format!(
                "Order matters, so a second tile says where {} stands: at position {}, counted \
                 from 0. Its norm is {}. The two tiles are added.",
                self.word(self.key),
                self.key,
                number(norm)
            ),
            None => "Order matters, so a second tile says where the token stands. The two tiles \
                     are added."
                .to_owned(),
        };
        stop(
            "Where it stands",
            text,
            self.before(self.with_word(rect), -0.22, 0.72, 0.95),
            vec![rect],
            self.order(hook),
        )
    }

    fn stream(&self) -> Stop {
        let hook = HookPoint::block(0, BlockSite::ResidPre);
        let rect = self.tile(hook, self.lane);
        let what = match self.trace.config().rotary {
            None => "The sum",
            Some(_) => "The embedding",
        };
        let text = match self.facts.norm(self.lane, hook) {
            Some(norm) => format!(
                "{what} enters layer 0. This framed tile is the stream of {}, with norm {}. \
                 Every layer reads it and adds to it.",
                self.word(self.lane),
                number(norm)
            ),
            None => format!(
                "{what} enters layer 0. This framed tile is the residual stream of a token: every \
                 layer reads it and adds to it."
            ),
        };
        stop(
            "The residual stream",
            text,
            self.before(self.with_margin(rect, 0.25), 0.22, 0.7, 0.8),
            vec![rect],
            self.order(hook),
        )
    }

    fn neurons(&self) -> Stop {
        let neuron = self.facts.neuron(self.attention_layer);
        let layer = neuron.map_or(self.attention_layer, |neuron| neuron.layer);
        let hook = HookPoint::block(layer, BlockSite::MlpPost);
        let rect = self.tile(hook, self.lane);
        let n_neurons = grouped(self.trace.config().d_mlp);
        let text = match neuron {
            Some(neuron) => format!(
                "In layer {layer}, {n_neurons} neurons read the stream of {}. The most active is \
                 number {} with {}; {:.0}\u{a0}% of them are above zero.",
                self.word(self.lane),
                neuron.index,
                number(neuron.value),
                100.0 * neuron.active_share
            ),
            None => format!(
                "Each layer has {n_neurons} neurons. Each one looks for something in the stream, \
                 and adds its own vector to it when it finds it."
            ),
        };
        let mark = neuron.and_then(|neuron| {
            self.layout.cell_rect(CellId {
                hook,
                pos: self.lane,
                head: 0,
                index: neuron.index,
            })
        });
        stop(
            "Neurons",
            text,
            self.before(self.with_margin(rect, 0.12), 0.2, 0.8, 0.88),
            vec![mark.unwrap_or(rect)],
            self.order(hook),
        )
    }

    fn growth(&self) -> Stop {
        let last_layer = self.trace.config().n_layers - 1;
        let (first, last) = (
            HookPoint::block(0, BlockSite::ResidPre),
            HookPoint::block(last_layer, BlockSite::ResidPost),
        );
        let (entering, leaving) = (self.tile(first, self.lane), self.tile(last, self.lane));
        let norms = (
            self.facts.norm(self.lane, first),
            self.facts.norm(self.lane, last),
        );
        let text = match norms {
            (Some(before), Some(after)) => format!(
                "Layer after layer adds to it: the stream of {} entered with norm {} and leaves \
                 the last layer with {}.",
                self.word(self.lane),
                number(before),
                number(after)
            ),
            _ => "Layer after layer adds to the stream. What leaves the last layer holds all \
                  that was found."
                .to_owned(),
        };
        // Of a deep model the last layers; else they would be too small to see.
        let deep = 60.0 * self.layout.tile_size.x;
        let mut seen = union(entering, leaving);
        let mut marks = vec![entering, leaving];
        if seen.size.y > deep {
            marks.remove(0);
            seen.near_left.y -= seen.size.y - deep;
            seen.size.y = deep;
        }
        stop(
            "The stream grows",
            text,
            self.before(self.with_margin(seen, 0.4), 0.85, 0.6, 0.9),
            marks,
            self.order(last),
        )
    }

    fn prediction(&self) -> Stop {
        let rect = self.tile(HookPoint::Logits, self.lane);
        let n_vocab = grouped(self.trace.config().d_vocab);
        let predictions = self.facts.predictions(3);
        let named = |candidate: &Candidate| {
            let percent = 100.0 * candidate.probability;
            format!("{} {percent:.0}\u{a0}%", self.facts.named(candidate))
        };
        let text = match predictions.split_first() {
            Some((best, others)) => {
                let others: Vec<String> = others
                    .iter()
                    .filter(|candidate| candidate.probability >= 0.01)
                    .map(named)
                    .collect();
                let others = if others.is_empty() {
                    "and nothing else as much as 1\u{a0}%".to_owned()
                } else {
                    format!("then {}", others.join(" and "))
                };
                format!(
                    "After a last norm, {n_vocab} scores: one for every token it knows. After {} \
                     the model gives {}, {others}.",
                    self.word(self.lane),
                    named(best)
                )
            }
            None => format!(
                "After a last norm, {n_vocab} scores: one for every token the model knows. \
                 Softmax makes them the probability of each to come next."
            ),
        };
        // The bars stand behind the logits, where there are bars.
        let bars = self.layout.skyline.as_ref().map(|skyline| {
            let last = skyline.bar(self.lane, skyline.n_ranks - 1);
            let behind = GroundRect {
                size: last.size + glam::Vec2::new(0.0, 9.0 * skyline.height),
                ..last
            };
            skyline.bar(self.lane, 0).union(&behind)
        });
        let seen = bars.map_or(rect, |bars| rect.union(&bars));
        stop(
            "The prediction",
            text,
            self.before(self.with_margin(seen, 0.1), 0.2, 0.5, 0.9),
            vec![rect],
            self.order(HookPoint::Logits),
        )
    }

    fn again(&self) -> Stop {
        let text = match self.facts.predictions(1).first() {
            Some(best) => format!(
                "The token that is chosen, such as {}, gets a lane of its own and all runs again \
                 for it. That is how a model writes: one token after the other.",
                self.facts.named(best)
            ),
            None => "The token that is chosen gets a lane of its own, and all runs again for it. \
                     That is how a model writes: one token after the other."
                .to_owned(),
        };
        stop(
            "And again",
            text,
            Viewpoint::Overview.pose(self.layout, self.screen),
            Vec::new(),
            self.end(),
        )
    }
}
