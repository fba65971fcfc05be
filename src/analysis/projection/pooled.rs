//! The same tokens at several places of a pass, in one picture.

use super::Projection;
use crate::hook::HookPoint;
use crate::trace::TokenTrace;

/// The vectors of the same tokens at several places of a pass, one place after the other.
///
/// Projected together they share one set of axes: where a point moves from place to place, its vector
/// has changed, and not the view of it.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerPath {
    /// The places, in the order of the pass.
    pub hooks: Vec<HookPoint>,
    /// How many tokens.
    pub n_tokens: usize,
    /// How many numbers a vector has.
    pub n_columns: usize,
    /// The vectors, `[place, token, n_columns]`.
    pub values: Vec<f32>,
}

/// The vectors of `positions` at each of `hooks`; none where one is not recorded or they differ in
/// their length.
pub fn pooled_layers(positions: &[TokenTrace<'_>], hooks: &[HookPoint]) -> Option<LayerPath> {
    let first = positions.first()?.row(*hooks.first()?)?;
    let n_columns = first.len();
    let mut values = Vec::with_capacity(hooks.len() * positions.len() * n_columns);
    for hook in hooks {
        for token in positions {
            let row = token.row(*hook)?;
            if row.len() != n_columns {
                return None;
            }
            values.extend_from_slice(row);
        }
    }
    Some(LayerPath {
        hooks: hooks.to_vec(),
        n_tokens: positions.len(),
        n_columns,
        values,
    })
}

impl LayerPath {
    /// The tokens' points at a place, `[n_tokens, n_dims]`: at whole numbers as projected, between
    /// them on the straight line from one to the next.
    pub fn points_at(&self, projection: &Projection, place: f32) -> Vec<f32> {
        let last = self.hooks.len().saturating_sub(1);
        let place = place.clamp(0.0, last as f32);
        let before = place.floor() as usize;
        let share = place - before as f32;
        let n = self.n_tokens * projection.n_dims;
        let at = |place: usize| &projection.points[place * n..][..n];
        let pairs = at(before).iter().zip(at((before + 1).min(last)));
        pairs
            .map(|(before, after)| before + share * (after - before))
            .collect()
    }
}
