//! What every stop is made with: the ground to look at, the words for it, and the time it takes.

use super::facts::{Facts, Look};
use super::plan::Stop;
use crate::hook::{BlockSite, HookPoint};
use crate::layout::{CellId, GroundRect, ModelLayout};
use crate::trace::{Trace, Vocab};
use crate::viewer::viewpoint::{Pose, Screen};

/// How long the way from one stop to the next takes, in seconds.
const TRAVEL_SECS: f32 = 2.4;
/// What it takes to look around at a stop, in seconds.
const LOOK_SECS: f32 = 2.5;
/// Letters that are read in a second.
const LETTERS_PER_SEC: f32 = 17.0;
/// What boxes hide behind them, as a share of the depth of their tile.
const HEADROOM: f32 = 0.3;

/// What the stops of one tour have in common.
pub(super) struct Guide<'a> {
    pub(super) layout: &'a ModelLayout,
    pub(super) trace: &'a Trace,
    pub(super) facts: Facts<'a>,
    pub(super) screen: &'a Screen,
    pub(super) lane: usize,
    /// The token that the tour's token looks at.
    pub(super) key: usize,
    pub(super) look: Option<Look>,
    pub(super) attention_layer: usize,
}

impl<'a> Guide<'a> {
    pub(super) fn new(
        layout: &'a ModelLayout,
        trace: &'a Trace,
        vocab: &'a Vocab,
        lane: usize,
        screen: &'a Screen,
    ) -> Self {
        let lane = lane.min(layout.n_lanes.saturating_sub(1));
        let facts = Facts::new(trace, vocab, lane);
        let look = facts.look();
        let middle_layer = trace.config().n_layers / 2;
        Self {
            layout,
            trace,
            screen,
            lane,
            key: look.map_or(lane.saturating_sub(1), |look| look.key),
            attention_layer: look.map_or(middle_layer, |look| look.layer),
            look,
            facts,
        }
    }

    /// How far the signal is when `hook` is computed.
    pub(super) fn order(&self, hook: HookPoint) -> f32 {
        let hooks = self.trace.config().hook_points();
        hooks.partition_point(|known| *known <= hook) as f32
    }

    pub(super) fn end(&self) -> f32 {
        self.trace.config().hook_points().len() as f32
    }

    /// The ground of one token's tile; the whole world where there is no such tile.
    pub(super) fn tile(&self, hook: HookPoint, pos: usize) -> GroundRect {
        match self.layout.block(hook) {
            Some(block) => self.layout.tile_rect(block, pos),
            None => self.layout.bounds(),
        }
    }

    /// A rectangle with `margin` of a tile's width more on all sides; and at the far one room for the
    /// boxes that rise from it.
    pub(super) fn with_margin(&self, rect: GroundRect, margin: f32) -> GroundRect {
        let tile = self.layout.tile_size.x;
        let headroom = HEADROOM * tile.min(rect.size.y);
        let margin = glam::Vec2::splat(margin * tile);
        GroundRect {
            near_left: rect.near_left + glam::Vec2::new(-margin.x, margin.y),
            size: rect.size + 2.0 * margin + glam::Vec2::new(0.0, headroom),
        }
    }

    /// A tile at the entrance together with the word before it.
    pub(super) fn with_word(&self, rect: GroundRect) -> GroundRect {
        let room = 0.14 * self.layout.tile_size.x;
        let rect = self.with_margin(rect, 0.12);
        GroundRect {
            near_left: rect.near_left + glam::Vec2::new(0.0, room),
            size: rect.size + glam::Vec2::new(0.0, room),
        }
    }

    pub(super) fn before(&self, rect: GroundRect, yaw: f32, pitch: f32, share: f32) -> Pose {
        Pose::framing(rect, yaw, pitch, self.screen, share)
    }

    /// “the”, or what to say where no text is recorded.
    pub(super) fn word(&self, pos: usize) -> String {
        self.facts.word(pos).unwrap_or_else(|| "a token".to_owned())
    }
}

pub(super) fn stop(
    title: &str,
    text: String,
    pose: Pose,
    marks: Vec<GroundRect>,
    order: f32,
) -> Stop {
    let n_letters = title.chars().count() + text.chars().count();
    Stop {
        title: title.to_owned(),
        pose,
        marks,
        order,
        travel_secs: TRAVEL_SECS,
        dwell_secs: LOOK_SECS + n_letters as f32 / LETTERS_PER_SEC,
        text,
    }
}

/// The square of one head's pattern; the whole world where the layout has none.
///
/// Its cells say where it is, however the bands are arranged.
pub(super) fn head_square(layout: &ModelLayout, layer: usize, head: usize) -> GroundRect {
    let first = layout.cell_rect(CellId {
        hook: HookPoint::block(layer, BlockSite::Pattern),
        pos: 0,
        head,
        index: 0,
    });
    match first {
        Some(cell) => GroundRect {
            size: cell.size * layout.n_lanes as f32,
            ..cell
        },
        None => layout.bounds(),
    }
}

/// The smallest rectangle that holds both.
pub(super) fn union(a: GroundRect, b: GroundRect) -> GroundRect {
    let left = a.near_left.x.min(b.near_left.x);
    let right = (a.near_left.x + a.size.x).max(b.near_left.x + b.size.x);
    let near = a.near_left.y.max(b.near_left.y);
    let far = (a.near_left.y - a.size.y).min(b.near_left.y - b.size.y);
    GroundRect {
        near_left: glam::Vec2::new(left, near),
        size: glam::Vec2::new(right - left, near - far),
    }
}

/// A whole number in groups of three digits.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
