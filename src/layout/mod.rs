//! Where every tensor and cell stands, from the model's shape alone.
//!
//! Tokens stand side by side along X, one lane each. The pass runs along -Z: the embedding at the
//! entrance (z = 0), the logits at the exit. Y is up and the ground is y = 0. One unit is the edge
//! of a residual-stream cell. Weights lie as fields left and right of the lanes, beside the stage
//! that uses them.

mod attention;
mod grid;
mod kind;
mod pick;
mod skyline;
mod survey;
#[cfg(test)]
mod tests;
mod weights;

use std::collections::BTreeSet;

use glam::{Vec2, Vec3};

pub use attention::AttentionBand;
pub use grid::CellGrid;
pub use kind::Kind;
pub use pick::{Hit, PICK_SHARE, Ray};
pub use skyline::Skyline;
pub use weights::{WeightCell, WeightField};

use crate::config::ModelConfig;
use crate::hook::HookPoint;
use crate::weight::WeightPoint;

/// Where everything stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelLayout {
    /// Token lanes.
    pub n_lanes: usize,
    /// Whether a layer's attention and MLP both read the stream that enters it.
    pub is_parallel: bool,
    /// Distance from one lane to the next, in units.
    pub lane_pitch: f32,
    /// Width and depth of a residual-stream tile, in units.
    pub tile_size: Vec2,
    /// Vector tensors, in the order a pass reaches them.
    pub blocks: Vec<TileBlock>,
    /// Attention scores and patterns, in the order a pass reaches them.
    pub bands: Vec<AttentionBand>,
    /// Weights, in the order a pass uses them.
    pub fields: Vec<WeightField>,
    /// The bars of the most probable next tokens; none where they are hidden.
    pub skyline: Option<Skyline>,
    /// The ground each layer covers along Z, near edge first.
    pub layers: Vec<LayerSpan>,
    /// Where the lanes end along Z (negative).
    pub exit_z: f32,
    /// The whole ground covered, fields included.
    pub ground: GroundRect,
}

/// A tensor with one vector a token: in every lane a tile of it lies on the ground.
#[derive(Clone, Debug, PartialEq)]
pub struct TileBlock {
    /// The tensor.
    pub hook: HookPoint,
    /// A word or two for people.
    pub title: &'static str,
    /// How many query heads read one of its heads; more than one where they share keys and values.
    pub n_sharing: usize,
    /// When a pass reaches it: its place among the model's hook points.
    pub order: usize,
    /// How its cells are folded.
    pub grid: CellGrid,
    /// Left edge within the lane, and the edge nearest the entrance.
    pub origin: Vec2,
    /// Edge of one cell, in units.
    pub cell_size: f32,
}

/// The ground a layer covers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerSpan {
    /// The edge nearest the entrance.
    pub near_z: f32,
    /// The edge nearest the exit; less than `near_z`.
    pub far_z: f32,
}

/// One number that stands in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cell {
    /// Computed by the pass.
    Value(CellId),
    /// Learned.
    Weight(WeightCell),
}

/// One computed number: one cell of one tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CellId {
    /// The tensor.
    pub hook: HookPoint,
    /// The token's position; for attention, the query's.
    pub pos: usize,
    /// The head, where the tensor has heads; else 0.
    pub head: usize,
    /// The index within the vector (within the head where there are heads); for attention, the
    /// key's position.
    pub index: usize,
}

/// The box in which a projection of tokens stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CloudRoom {
    /// Its middle.
    pub center: Vec3,
    /// Half the length of an edge, in units.
    pub half: f32,
}

/// A rectangle on the ground.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GroundRect {
    /// Its left edge (x) and the edge nearest the entrance (z).
    pub near_left: Vec2,
    /// Its extent along +X and along -Z.
    pub size: Vec2,
}

impl GroundRect {
    /// Its middle.
    pub fn center(&self) -> Vec3 {
        Vec3::new(
            self.near_left.x + self.size.x / 2.0,
            0.0,
            self.near_left.y - self.size.y / 2.0,
        )
    }

    /// Whether the ground point `(x, z)` lies within.
    pub fn contains(&self, x: f32, z: f32) -> bool {
        (self.near_left.x..self.near_left.x + self.size.x).contains(&x)
            && (self.near_left.y - self.size.y..self.near_left.y).contains(&z)
    }

    /// The least corner `(x, z)`.
    pub fn low(&self) -> Vec2 {
        Vec2::new(self.near_left.x, self.near_left.y - self.size.y)
    }

    /// The greatest corner `(x, z)`.
    pub fn high(&self) -> Vec2 {
        Vec2::new(self.near_left.x + self.size.x, self.near_left.y)
    }

    /// The smallest rectangle that holds both.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let low = self.low().min(other.low());
        let high = self.high().max(other.high());
        Self {
            near_left: Vec2::new(low.x, high.y),
            size: high - low,
        }
    }
}

impl TileBlock {
    /// Width and depth of a tile, in units.
    pub fn size(&self) -> Vec2 {
        Vec2::new(self.grid.cols() as f32, self.grid.rows() as f32) * self.cell_size
    }
}

impl ModelLayout {
    /// Lays out a model of this shape for `n_lanes` tokens.
    pub fn new(config: &ModelConfig, n_lanes: usize) -> Self {
        Self::without(config, n_lanes, &BTreeSet::new())
    }

    /// Lays it out without the kinds `hidden`: what lies behind them moves up.
    pub fn without(config: &ModelConfig, n_lanes: usize, hidden: &BTreeSet<Kind>) -> Self {
        survey::survey(config, n_lanes, hidden)
    }

    /// The block of a vector tensor; none for attention and for what the world does not show.
    pub fn block(&self, hook: HookPoint) -> Option<&TileBlock> {
        // Blocks stand in the order of their hook points.
        self.blocks
            .binary_search_by(|block| block.hook.cmp(&hook))
            .ok()
            .map(|index| &self.blocks[index])
    }

    /// The band of attention scores or patterns; none for vectors and for what the world does not
    /// show.
    pub fn band(&self, hook: HookPoint) -> Option<&AttentionBand> {
        self.bands
            .binary_search_by(|band| band.hook.cmp(&hook))
            .ok()
            .map(|index| &self.bands[index])
    }

    /// The fields of a weight: one, or several for a vocabulary too long for one.
    pub fn fields_of(&self, weight: WeightPoint) -> impl Iterator<Item = &WeightField> {
        self.fields
            .iter()
            .filter(move |field| field.weight == weight)
    }

    /// Left edge of a lane.
    pub fn lane_x(&self, pos: usize) -> f32 {
        pos as f32 * self.lane_pitch
    }

    /// Width of all lanes together.
    pub fn width(&self) -> f32 {
        self.lane_x(self.n_lanes.max(1) - 1) + self.tile_size.x
    }

    /// The ground that the lanes cover.
    pub fn bounds(&self) -> GroundRect {
        GroundRect {
            near_left: Vec2::ZERO,
            size: Vec2::new(self.width(), -self.exit_z),
        }
    }

    /// Where a projection of tokens stands: left of the entrance, above the weights there.
    pub fn cloud_room(&self) -> CloudRoom {
        let tile = self.tile_size.x;
        let half = 0.5 * self.width().clamp(4.0 * tile, 9.0 * tile);
        CloudRoom {
            center: Vec3::new(-1.4 * tile - half, 1.3 * half, -half),
            half,
        }
    }

    /// The ground of one tensor over all lanes.
    pub fn hook_rect(&self, hook: HookPoint) -> Option<GroundRect> {
        if let Some(band) = self.band(hook) {
            return Some(band.rect());
        }
        let block = self.block(hook)?;
        Some(GroundRect {
            near_left: block.origin,
            size: Vec2::new(
                self.lane_x(self.n_lanes.max(1) - 1) + block.size().x,
                block.size().y,
            ),
        })
    }

    /// The ground of one token's tile.
    pub fn tile_rect(&self, block: &TileBlock, pos: usize) -> GroundRect {
        GroundRect {
            near_left: block.origin + Vec2::new(self.lane_x(pos), 0.0),
            size: block.size(),
        }
    }

    /// The ground of one cell; none if it does not exist.
    pub fn cell_rect(&self, cell: CellId) -> Option<GroundRect> {
        if cell.pos >= self.n_lanes {
            return None;
        }
        if let Some(band) = self.band(cell.hook) {
            return band.cell_rect(cell, self.n_lanes);
        }
        let block = self.block(cell.hook)?;
        let (col, row) = block.grid.place(cell.head, cell.index)?;
        let corner = Vec2::new(col as f32, -(row as f32)) * block.cell_size;
        Some(GroundRect {
            near_left: self.tile_rect(block, cell.pos).near_left + corner,
            size: Vec2::splat(block.cell_size),
        })
    }

    /// The ground of a number; none if it does not exist.
    pub fn ground_of(&self, cell: Cell) -> Option<GroundRect> {
        match cell {
            Cell::Value(cell) => self.cell_rect(cell),
            Cell::Weight(cell) => self
                .fields_of(cell.weight)
                .find_map(|field| field.cell_rect(cell)),
        }
    }

    /// The computed number whose ground holds the point `(x, z)`.
    pub fn cell_at(&self, x: f32, z: f32) -> Option<CellId> {
        let band = self.bands.iter().find(|band| band.covers_z(z));
        if let Some(cell) = band.and_then(|band| band.cell_at(x, z, self.n_lanes)) {
            return Some(cell);
        }
        let pos = (x / self.lane_pitch).floor();
        if pos < 0.0 || pos >= self.n_lanes as f32 {
            return None;
        }
        let pos = pos as usize;
        let block = self
            .blocks
            .iter()
            .find(|block| self.tile_rect(block, pos).contains(x, z))?;
        self.tile_cell_at(block, pos, x, z)
    }

    /// The cell of one tile at a point within it.
    fn tile_cell_at(&self, block: &TileBlock, pos: usize, x: f32, z: f32) -> Option<CellId> {
        let corner = self.tile_rect(block, pos).near_left;
        let col = ((x - corner.x) / block.cell_size) as usize;
        let row = ((corner.y - z) / block.cell_size) as usize;
        let (head, index) = block.grid.cell_at(col, row)?;
        Some(CellId {
            hook: block.hook,
            pos,
            head,
            index,
        })
    }

    /// The number, computed or learned, whose ground holds the point `(x, z)`.
    pub fn number_at(&self, x: f32, z: f32) -> Option<Cell> {
        if let Some(cell) = self.cell_at(x, z) {
            return Some(Cell::Value(cell));
        }
        self.fields
            .iter()
            .find_map(|field| field.cell_at(x, z))
            .map(Cell::Weight)
    }
}
