//! Queries and keys turned by their position, where the model does so normalised before.

use super::{Formula, Part, Place};
use crate::layout::{Cell, CellId, WeightCell};
use crate::viewer::readout::arithmetic::{deviation, in_sum};
use crate::viewer::readout::{digits, exact};

/// One of the two numbers that a turn mixes.
struct Turned {
    /// Its index within the head.
    index: usize,
    /// The number before the turn, normalised.
    value: f64,
    /// The cells it is made of.
    parts: Vec<Part>,
}

impl Place<'_> {
    /// A number of a query or key, `name`, turned with the other of its pair.
    pub(super) fn rotated(&self, name: &str) -> Option<Formula> {
        let rotary = self.numbers.config().rotary?;
        let n_pairs = rotary.n_pairs();
        let index = self.cell.index;
        let own = self.unturned(index)?;
        let normed = if self.weights().next().is_some() {
            " / rms × w"
        } else {
            ""
        };
        if index >= 2 * n_pairs {
            return Some(Formula {
                rule: format!("{name}[{index}]{normed}, not rotated"),
                numbers: Some(exact(own.value as f32)),
                result: Some(own.value as f32),
                parts: own.parts,
            });
        }
        let pair = index % n_pairs;
        let is_first = index < n_pairs;
        let other = self.unturned(if is_first { pair + n_pairs } else { pair })?;
        // As the model computes it: far positions lose digits.
        let angle = f64::from(self.cell.pos as f32 * rotary.inv_freqs()[pair]);
        let (sin, cos) = angle.sin_cos();
        let (sign, turned) = match is_first {
            true => ("−", own.value * cos - other.value * sin),
            false => ("+", own.value * cos + other.value * sin),
        };
        let rule = format!(
            "{name}[{}]{normed} · cos {sign} {name}[{}]{normed} · sin",
            own.index, other.index
        );
        let number = |number: f64| in_sum(number as f32);
        let numbers = format!(
            "{} × {} {sign} {} × {}, turned by {} rad",
            digits(own.value as f32),
            number(cos),
            number(other.value),
            number(sin),
            digits(angle as f32)
        );
        Some(Formula {
            rule,
            numbers: Some(numbers),
            result: Some(turned as f32),
            parts: own.parts.into_iter().chain(other.parts).collect(),
        })
    }

    /// A number of the cell's head before it is turned.
    fn unturned(&self, index: usize) -> Option<Turned> {
        let config = self.numbers.config();
        let hook = self.hooks().next()?;
        let from = CellId {
            hook,
            index,
            ..self.cell
        };
        let mut parts = vec![self.part(Cell::Value(from))];
        let mut value = f64::from(parts[0].value?);
        if let Some(weight) = self.weights().next() {
            let row = self.numbers.row(hook, self.cell.pos)?;
            let first = self.cell.head * config.d_head;
            let head = row.get(first..first + config.d_head)?;
            let scale = self.part(Cell::Weight(WeightCell {
                weight,
                row: 0,
                column: index,
            }));
            value *= f64::from(scale.value?) / deviation(head, 0.0, config.layer_norm_eps);
            parts.push(scale);
        }
        Some(Turned {
            index,
            value,
            parts,
        })
    }
}
