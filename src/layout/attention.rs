//! Attention scores and patterns: a square for each head, side by side across the lanes.

use glam::Vec2;

use super::{CellId, GroundRect};
use crate::hook::HookPoint;

/// The attention scores or patterns of one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct AttentionBand {
    /// The tensor.
    pub hook: HookPoint,
    /// The layer.
    pub layer: usize,
    /// When a pass reaches it: its place among the model's hook points.
    pub order: usize,
    /// Heads of the layer.
    pub n_heads: usize,
    /// How far back a query sees, itself included; all the way without one.
    pub window: Option<usize>,
    /// The edge nearest the entrance.
    pub z: f32,
    /// Edge of one head's square, in units.
    pub square_size: f32,
    /// Distance from one head's square to the next, in units.
    pub square_pitch: f32,
    /// Left edge of the first square.
    pub x: f32,
}

impl AttentionBand {
    /// The square of `head`: keys along +X, queries along -Z.
    pub fn square(&self, head: usize) -> GroundRect {
        GroundRect {
            near_left: Vec2::new(self.x + head as f32 * self.square_pitch, self.z),
            size: Vec2::splat(self.square_size),
        }
    }

    /// The square after the last head's: what the patterns of several heads come down to together;
    /// none for scores.
    pub fn pooled_square(&self) -> Option<GroundRect> {
        let is_pattern = self.hook.is_non_negative();
        is_pattern.then(|| self.square(self.n_heads))
    }

    /// The ground of all heads' squares.
    pub fn rect(&self) -> GroundRect {
        let used = (self.n_heads - 1) as f32 * self.square_pitch + self.square_size;
        GroundRect {
            near_left: Vec2::new(self.x, self.z),
            size: Vec2::new(used, self.square_size),
        }
    }

    /// Whether a query sees a key: it is not after it, nor before the sliding window.
    pub fn sees(&self, query: usize, key: usize) -> bool {
        key <= query && self.window.is_none_or(|reach| query - key < reach)
    }

    pub(super) fn covers_z(&self, z: f32) -> bool {
        (self.z - self.square_size..self.z).contains(&z)
    }

    pub(super) fn cell_rect(&self, cell: CellId, n_lanes: usize) -> Option<GroundRect> {
        if cell.head >= self.n_heads || !self.sees(cell.pos, cell.index) {
            return None;
        }
        let edge = self.square_size / n_lanes as f32;
        let corner = Vec2::new(cell.index as f32, -(cell.pos as f32)) * edge;
        Some(GroundRect {
            near_left: self.square(cell.head).near_left + corner,
            size: Vec2::splat(edge),
        })
    }

    pub(super) fn cell_at(&self, x: f32, z: f32, n_lanes: usize) -> Option<CellId> {
        let head = ((x - self.x) / self.square_pitch).floor();
        if head < 0.0 || head >= self.n_heads as f32 {
            return None;
        }
        let square = self.square(head as usize);
        if !square.contains(x, z) {
            return None;
        }
        let edge = self.square_size / n_lanes as f32;
        let key = ((x - square.near_left.x) / edge) as usize;
        let query = ((square.near_left.y - z) / edge) as usize;
        (query < n_lanes && self.sees(query, key)).then_some(CellId {
            hook: self.hook,
            pos: query,
            head: head as usize,
            index: key,
        })
    }
}
