//! Stops at a layer's attention: what asks and answers, where it stands, and what is read.

use crate::hook::{BlockSite, HookPoint};
use crate::layout::CellId;
use crate::viewer::tour::facts::number;
use crate::viewer::tour::guide::{Guide, head_square, stop, union};
use crate::viewer::tour::plan::Stop;

impl Guide<'_> {
    pub(super) fn queries(&self) -> Stop {
        let layer = self.attention_layer;
        let query = self.tile(HookPoint::block(layer, BlockSite::Q), self.lane);
        let key = self.tile(HookPoint::block(layer, BlockSite::K), self.key);
        let config = self.trace.config();
        let shared = format!(
            "Its {} heads of queries share {} of keys and values.",
            config.n_heads, config.n_kv_heads
        );
        let shared = if config.has_shared_keys() {
            shared
        } else {
            "Where a query fits a key, information will flow.".to_owned()
        };
        let text = match self.look.and_then(|look| Some((look, look.score?))) {
            _ if config.rotary.is_some() => format!(
                "In layer {layer} every token asks with a query and answers with a key. {shared}"
            ),
            Some((look, score)) => format!(
                "In layer {layer} every token asks with a query and answers with a key. In head \
                 {}, the query of {} and the key of {} fit with a score of {}.",
                look.head,
                self.word(self.lane),
                self.word(self.key),
                number(score)
            ),
            None => "Every token asks with a query and answers with a key. Where a query fits a \
                     key, information will flow."
                .to_owned(),
        };
        let first = self.key.max(self.first_lane());
        let seen = union(
            self.tile(HookPoint::block(layer, BlockSite::Q), self.lane),
            self.tile(HookPoint::block(layer, BlockSite::K), first),
        );
        stop(
            "Queries and keys",
            text,
            self.before(self.with_margin(seen, 0.2), 0.12, 0.72, 0.85),
            vec![query, key],
            self.order(HookPoint::block(layer, BlockSite::V)),
        )
    }

    pub(super) fn rotation(&self) -> Stop {
        let layer = self.attention_layer;
        let [query_hook, key_hook] =
            [BlockSite::RotQ, BlockSite::RotK].map(|site| HookPoint::block(layer, site));
        let query = self.tile(query_hook, self.lane);
        let key = self.tile(key_hook, self.key);
        let how = "Order matters, so both are turned by their position: pairs of numbers, some fast, \
                   some slowly.";
        let text = match self.look.and_then(|look| Some((look, look.score?))) {
            Some((look, score)) => format!(
                "{how} In head {}, the query of {} and the key of {}, {} before it, fit with a score \
                 of {}.",
                look.head,
                self.word(self.lane),
                self.word(self.key),
                self.lane - self.key,
                number(score)
            ),
            None => format!("{how} How a query fits a key then depends on how far apart they are."),
        };
        let first = self.key.max(self.first_lane());
        let seen = union(query, self.tile(key_hook, first));
        stop(
            "Where they stand",
            text,
            self.before(self.with_margin(seen, 0.2), 0.12, 0.72, 0.85),
            vec![query, key],
            self.order(key_hook),
        )
    }

    pub(super) fn attention(&self) -> Stop {
        let layer = self.attention_layer;
        let hook = HookPoint::block(layer, BlockSite::Pattern);
        let head = self.look.map_or(0, |look| look.head);
        let how = "Rows are tokens that look, columns tokens looked at; each row sums to 1.";
        let text = match self.look {
            Some(look) => {
                let predicted = self.facts.predictions(1);
                let key = self.word(look.key);
                let is_predicted = predicted.first().map(|best| self.facts.named(best));
                let because = if is_predicted.as_ref() == Some(&key) {
                    " That is the word it will predict."
                } else {
                    ""
                };
                format!(
                    "In layer {layer}, head {head} attends from {} to {key} with weight {}.\
                     {because} {how}",
                    self.word(self.lane),
                    number(look.weight),
                )
            }
            None if self.facts.word(self.lane).is_some() => format!(
                "The first token has none before it, so every head attends to itself here. {how}"
            ),
            None => format!("A head says which earlier tokens each token looks at. {how}"),
        };
        let mark = self.layout.cell_rect(CellId {
            hook,
            pos: self.lane,
            head,
            index: self.key.min(self.lane),
        });
        let square = head_square(self.layout, layer, head);
        stop(
            "Attention",
            text,
            self.before(self.with_margin(square, 0.1), 0.1, 0.95, 0.95),
            mark.into_iter().collect(),
            self.order(hook),
        )
    }

    pub(super) fn attention_out(&self) -> Stop {
        let layer = self.attention_layer;
        let out = HookPoint::block(layer, BlockSite::AttnOut);
        let rect = self.tile(out, self.lane);
        let mid = self.after_attention(layer);
        let beside = if mid == out {
            " The MLP reads the same stream, and both are added at the layer's end."
        } else {
            ""
        };
        let norms = (
            self.facts.norm(self.lane, out),
            self.facts
                .norm(self.lane, HookPoint::block(layer, BlockSite::ResidPre)),
        );
        let text = match norms {
            (Some(added), Some(stream)) => format!(
                "What the heads of layer {layer} read is added to the stream of {}: a vector of \
                 norm {}, onto one of norm {}.{beside}",
                self.word(self.lane),
                number(added),
                number(stream)
            ),
            _ => format!("What the heads of a layer read is added to the token's stream.{beside}"),
        };
        let seen = union(rect, self.tile(mid, self.lane));
        stop(
            "What attention adds",
            text,
            self.before(self.with_margin(seen, 0.15), 0.25, 0.7, 0.85),
            vec![rect],
            self.order(mid),
        )
    }
}
