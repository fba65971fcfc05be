//! Scores of queries and keys, their shares, and what they take of the values.

use super::{Formula, Part, Place, short_name};
use crate::hook::HookPoint;
use crate::layout::{Cell, CellId};
use crate::viewer::readout::arithmetic::{N_SHARES, dot, greatest, in_sum};
use crate::viewer::readout::{digits, exact};

impl Place<'_> {
    /// A query times a key, scaled.
    pub(super) fn score(&self, layer: usize) -> Option<Formula> {
        let CellId {
            pos, head, index, ..
        } = self.cell;
        let config = self.numbers.config();
        if let Some(reach) = config.window_of(layer)
            && pos - index >= reach
        {
            return Some(Formula {
                rule: format!("masked: a query sees {reach} positions, its own included"),
                numbers: None,
                result: Some(f32::NEG_INFINITY),
                parts: Vec::new(),
            });
        }
        let mut hooks = self.hooks();
        let sides = [
            (hooks.next()?, pos, head),
            (hooks.next()?, index, config.kv_head_of(head)),
        ];
        let d_head = config.d_head;
        let vector = |(hook, pos, head): (HookPoint, usize, usize)| {
            let row = self.numbers.row(hook, pos)?;
            row.get(head * d_head..(head + 1) * d_head)
        };
        let (query, key) = (vector(sides[0])?, vector(sides[1])?);
        let dot = dot(query, key);
        let scale = config.attn_scale(layer);
        let mut parts = Vec::new();
        // Each is two cells.
        for dim in greatest(query, key).into_iter().take(N_SHARES - 1) {
            for (hook, pos, head) in sides {
                let cell = Cell::Value(CellId {
                    hook,
                    pos,
                    head,
                    index: dim,
                });
                parts.push(Part {
                    share: Some((f64::from(query[dim] * key[dim]) * scale) as f32),
                    ..self.part(cell)
                });
            }
        }
        let names = sides.map(|(hook, ..)| short_name(hook));
        Some(Formula {
            rule: format!("{} × scale", names.join(" · ")),
            numbers: Some(format!("{} × {}", digits(dot as f32), exact(scale as f32))),
            result: Some((dot * scale) as f32),
            parts,
        })
    }

    /// A score's share of all scores of its query.
    pub(super) fn softmax(&self) -> Option<Formula> {
        let hook = self.hooks().next()?;
        let scores = self
            .numbers
            .attention_row(hook, self.cell.head, self.cell.pos)?;
        let score = *scores.get(self.cell.index)?;
        let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = scores
            .iter()
            .map(|score| f64::from(score - max).exp())
            .sum();
        Some(Formula {
            rule: "exp(score − max) / sum over keys".to_owned(),
            numbers: Some(format!(
                "exp({} − {}) / {}",
                digits(score),
                in_sum(max),
                digits(sum as f32)
            )),
            result: Some((f64::from(score - max).exp() / sum) as f32),
            parts: vec![self.part(Cell::Value(CellId { hook, ..self.cell }))],
        })
    }

    /// The values of every key, weighted by the pattern.
    pub(super) fn mixture(&self) -> Option<Formula> {
        let CellId {
            pos, head, index, ..
        } = self.cell;
        let mut hooks = self.hooks();
        let (pattern, value) = (hooks.next()?, hooks.next()?);
        let weights = self.numbers.attention_row(pattern, head, pos)?;
        let value_head = self.numbers.config().kv_head_of(head);
        let cell_of = |key: usize| CellId {
            hook: value,
            pos: key,
            head: value_head,
            index,
        };
        let values: Vec<f32> = (0..=pos)
            .map(|key| self.numbers.value(cell_of(key)))
            .collect::<Option<_>>()?;
        // Keys beyond a sliding window are none of them.
        let reach = value
            .layer()
            .and_then(|layer| self.numbers.config().window_of(layer));
        let n_seen = weights.len().min(reach.unwrap_or(usize::MAX));
        let order = greatest(weights, &values);
        let key = *order.first()?;
        let token = self.numbers.token_text(key);
        let token = token.map_or_else(String::new, |token| format!(" “{token}”"));
        let parts = order.into_iter().take(N_SHARES - 1).flat_map(|key| {
            let share = Some(weights[key] * values[key]);
            let attention = CellId {
                hook: pattern,
                index: key,
                ..self.cell
            };
            [attention, cell_of(key)].map(|cell| Part {
                share,
                ..self.part(Cell::Value(cell))
            })
        });
        Some(Formula {
            rule: "pattern · v over keys".to_owned(),
            numbers: Some(format!(
                "{n_seen} keys; the most from {key}{token}: {} × {}",
                digits(weights[key]),
                in_sum(values[key])
            )),
            result: Some(dot(weights, &values) as f32),
            parts: parts.collect(),
        })
    }
}
