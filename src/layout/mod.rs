//! Where every tensor and cell stands, from the model's shape alone.
//!
//! Tokens stand side by side along X, one lane each. The pass runs along -Z: the embedding at the
//! entrance (z = 0), the logits at the exit. Y is up and the ground is y = 0. One unit is the edge
//! of a residual-stream cell.

mod grid;
mod survey;

use std::ops::Range;

use glam::{Vec2, Vec3};

pub use grid::CellGrid;

use crate::config::ModelConfig;
use crate::hook::{BlockSite, HookPoint};

/// Where everything stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelLayout {
    /// Token lanes.
    pub n_lanes: usize,
    /// Distance from one lane to the next, in units.
    pub lane_pitch: f32,
    /// Width and depth of a residual-stream tile, in units.
    pub tile_size: Vec2,
    /// Values of one lane: the sum of its blocks' cells.
    pub lane_stride: usize,
    /// Vector tensors, in the order a pass reaches them.
    pub blocks: Vec<TileBlock>,
    /// Attention patterns, one band a layer.
    pub bands: Vec<PatternBand>,
    /// The ground each layer covers along Z, near edge first.
    pub layers: Vec<LayerSpan>,
    /// Where the world ends along Z (negative).
    pub exit_z: f32,
}

/// A tensor with one vector a token: in every lane a tile of it lies on the ground.
#[derive(Clone, Debug, PartialEq)]
pub struct TileBlock {
    /// The tensor.
    pub hook: HookPoint,
    /// When a pass reaches it: its place among the model's hook points.
    pub order: usize,
    /// How its cells are folded.
    pub grid: CellGrid,
    /// Left edge within the lane, and the edge nearest the entrance.
    pub origin: Vec2,
    /// Edge of one cell, in units.
    pub cell_size: f32,
    /// Where its values begin within those of a lane.
    pub value_offset: usize,
}

/// The attention patterns of one layer: a square for each head, side by side across the lanes.
#[derive(Clone, Debug, PartialEq)]
pub struct PatternBand {
    /// The layer.
    pub layer: usize,
    /// When a pass reaches it: its place among the model's hook points.
    pub order: usize,
    /// Heads of the layer.
    pub n_heads: usize,
    /// The edge nearest the entrance.
    pub z: f32,
    /// Edge of one head's square, in units.
    pub square_size: f32,
    /// Distance from one head's square to the next, in units.
    pub square_pitch: f32,
    /// Left edge of the first square.
    pub x: f32,
}

/// The ground a layer covers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerSpan {
    /// The edge nearest the entrance.
    pub near_z: f32,
    /// The edge nearest the exit; less than `near_z`.
    pub far_z: f32,
}

/// One cell: one number of one tensor.
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

/// A rectangle on the ground.
#[derive(Clone, Copy, Debug, PartialEq)]
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
}

impl TileBlock {
    /// Width and depth of a tile, in units.
    pub fn size(&self) -> Vec2 {
        Vec2::new(self.grid.cols() as f32, self.grid.rows() as f32) * self.cell_size
    }
}

impl PatternBand {
    /// The square of `head`.
    pub fn square(&self, head: usize) -> GroundRect {
        GroundRect {
            near_left: Vec2::new(self.x + head as f32 * self.square_pitch, self.z),
            size: Vec2::splat(self.square_size),
        }
    }
}

impl ModelLayout {
    /// Lays out a model of this shape for `n_lanes` tokens.
    pub fn new(config: &ModelConfig, n_lanes: usize) -> Self {
        survey::survey(config, n_lanes)
    }

    /// The block of a vector tensor; none for attention and for what the world does not show.
    pub fn block(&self, hook: HookPoint) -> Option<&TileBlock> {
        // Blocks stand in the order of their hook points.
        self.blocks
            .binary_search_by(|block| block.hook.cmp(&hook))
            .ok()
            .map(|index| &self.blocks[index])
    }

    /// Left edge of a lane.
    pub fn lane_x(&self, pos: usize) -> f32 {
        pos as f32 * self.lane_pitch
    }

    /// Width of all lanes together.
    pub fn width(&self) -> f32 {
        self.lane_x(self.n_lanes.max(1) - 1) + self.tile_size.x
    }

    /// The whole ground covered.
    pub fn bounds(&self) -> GroundRect {
        GroundRect {
            near_left: Vec2::ZERO,
            size: Vec2::new(self.width(), -self.exit_z),
        }
    }

    /// The ground of one tensor over all lanes.
    pub fn hook_rect(&self, hook: HookPoint) -> Option<GroundRect> {
        if hook.site() == Some(BlockSite::Pattern) {
            let band = self.bands.get(hook.layer()?)?;
            let used = (band.n_heads - 1) as f32 * band.square_pitch + band.square_size;
            return Some(GroundRect {
                near_left: Vec2::new(band.x, band.z),
                size: Vec2::new(used, band.square_size),
            });
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
        if cell.hook.site() == Some(BlockSite::Pattern) {
            let band = self.bands.get(cell.hook.layer()?)?;
            if cell.head >= band.n_heads || cell.index > cell.pos {
                return None;
            }
            let edge = band.square_size / self.n_lanes as f32;
            let corner = Vec2::new(cell.index as f32, -(cell.pos as f32)) * edge;
            return Some(GroundRect {
                near_left: band.square(cell.head).near_left + corner,
                size: Vec2::splat(edge),
            });
        }
        let block = self.block(cell.hook)?;
        let (col, row) = block.grid.place(cell.head, cell.index)?;
        let corner = Vec2::new(col as f32, -(row as f32)) * block.cell_size;
        Some(GroundRect {
            near_left: self.tile_rect(block, cell.pos).near_left + corner,
            size: Vec2::splat(block.cell_size),
        })
    }

    /// The cell whose ground holds the point `(x, z)`.
    pub fn cell_at(&self, x: f32, z: f32) -> Option<CellId> {
        if let Some(cell) = self.pattern_cell_at(x, z) {
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

    fn pattern_cell_at(&self, x: f32, z: f32) -> Option<CellId> {
        let band = self
            .bands
            .iter()
            .find(|band| (band.z - band.square_size..band.z).contains(&z))?;
        let head = ((x - band.x) / band.square_pitch).floor();
        if head < 0.0 || head >= band.n_heads as f32 {
            return None;
        }
        let square = band.square(head as usize);
        if !square.contains(x, z) {
            return None;
        }
        let edge = band.square_size / self.n_lanes as f32;
        let key = ((x - square.near_left.x) / edge) as usize;
        let query = ((square.near_left.y - z) / edge) as usize;
        (key <= query && query < self.n_lanes).then_some(CellId {
            hook: HookPoint::block(band.layer, BlockSite::Pattern),
            pos: query,
            head: head as usize,
            index: key,
        })
    }

    /// Where the values of one cell's vector lie among those of its lane.
    pub fn value_range(&self, hook: HookPoint) -> Option<Range<usize>> {
        let block = self.block(hook)?;
        Some(block.value_offset..block.value_offset + block.grid.n_cells())
    }

    /// Where a query's row of a head begins among all pattern values, which are stored query by
    /// query, then layer, head and key, without the future: `[query][layer][head][key <= query]`.
    pub fn pattern_offset(n_layer_heads: usize, query: usize, layer_head: usize) -> usize {
        n_layer_heads * query * (query + 1) / 2 + layer_head * (query + 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn config(n_layers: usize, n_heads: usize, d_head: usize, d_mlp: usize) -> ModelConfig {
        ModelConfig {
            n_layers,
            n_heads,
            d_head,
            d_model: n_heads * d_head,
            d_mlp,
            d_vocab: 97,
            ..ModelConfig::preset("gpt2").unwrap()
        }
    }

    #[test]
    fn gpt2_medium_with_12_tokens_has_the_proportions_of_the_plan() {
        let config = ModelConfig::preset("gpt2-medium").unwrap();

        let layout = ModelLayout::new(&config, 12);

        assert_eq!(layout.tile_size, Vec2::splat(32.0));
        assert_eq!(layout.lane_pitch, 40.0);
        assert!(
            (440.0..520.0).contains(&layout.width()),
            "{}",
            layout.width()
        );
        assert!(
            (5000.0..8500.0).contains(&-layout.exit_z),
            "{}",
            layout.exit_z
        );
        assert_eq!(layout.layers.len(), 24);
        let n_heads: usize = layout.bands.iter().map(|band| band.n_heads).sum();
        assert_eq!(n_heads, 384);
        let n_neurons: usize = layout
            .blocks
            .iter()
            .filter(|block| block.hook.site() == Some(BlockSite::MlpPost))
            .map(|block| block.grid.n_cells())
            .sum();
        assert_eq!(n_neurons, 98_304);
    }

    #[test]
    fn neuron_tiles_are_as_large_as_stream_tiles_with_cells_of_half_the_size() {
        let layout = ModelLayout::new(&ModelConfig::preset("gpt2-medium").unwrap(), 2);

        let post = layout
            .block(HookPoint::block(3, BlockSite::MlpPost))
            .unwrap();

        assert_eq!(post.size(), layout.tile_size);
        assert_eq!(post.cell_size, 0.5);
    }

    #[test]
    fn a_dimension_is_at_the_same_place_of_every_stream_tile() {
        let layout = ModelLayout::new(&config(3, 4, 8, 64), 2);
        let place = |layer, site| {
            let hook = HookPoint::block(layer, site);
            let cell = CellId {
                hook,
                pos: 1,
                head: 0,
                index: 13,
            };
            let tile = layout.tile_rect(layout.block(hook).unwrap(), 1).near_left;
            layout.cell_rect(cell).unwrap().near_left - tile
        };

        let first = place(0, BlockSite::ResidPre);

        assert!(place(2, BlockSite::ResidPost).abs_diff_eq(first, 1e-3));
        assert!(place(1, BlockSite::ResidMid).abs_diff_eq(first, 1e-3));
    }

    #[test]
    fn nothing_overlaps() {
        let layout = ModelLayout::new(&config(2, 3, 10, 70), 3);
        let mut rects: Vec<GroundRect> = Vec::new();
        for block in &layout.blocks {
            rects.extend((0..3).map(|pos| layout.tile_rect(block, pos)));
        }
        for band in &layout.bands {
            rects.extend((0..band.n_heads).map(|head| band.square(head)));
        }

        for (index, a) in rects.iter().enumerate() {
            for b in &rects[index + 1..] {
                let is_apart = a.near_left.x + a.size.x <= b.near_left.x
                    || b.near_left.x + b.size.x <= a.near_left.x
                    || a.near_left.y - a.size.y >= b.near_left.y
                    || b.near_left.y - b.size.y >= a.near_left.y;
                assert!(is_apart, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn blocks_lie_further_along_the_later_a_pass_reaches_them() {
        let layout = ModelLayout::new(&ModelConfig::preset("gpt2").unwrap(), 4);

        assert!(layout.blocks.is_sorted_by(|a, b| a.order < b.order));
        assert!(layout.blocks.is_sorted_by(|a, b| a.origin.y >= b.origin.y));
        for band in &layout.bands {
            let z = layout
                .block(HookPoint::block(band.layer, BlockSite::Z))
                .unwrap();
            assert!(band.z - band.square_size > z.origin.y);
        }
    }

    #[test]
    fn pattern_values_fill_their_buffer_without_gap() {
        let mut expected = 0;
        for query in 0..5 {
            for layer_head in 0..6 {
                let offset = ModelLayout::pattern_offset(6, query, layer_head);
                assert_eq!(offset, expected);
                expected += query + 1;
            }
        }
    }

    proptest! {
        #[test]
        fn the_cell_at_a_cells_centre_is_that_cell(
            n_heads in 1usize..7, d_head in 1usize..20, d_mlp in 1usize..200,
            n_lanes in 1usize..9, seed in 0usize..1_000_000,
        ) {
            let layout = ModelLayout::new(&config(2, n_heads, d_head, d_mlp), n_lanes);
            let pos = seed % n_lanes;
            let mut cells: Vec<CellId> = layout
                .blocks
                .iter()
                .map(|block| {
                    let cell = seed % block.grid.n_cells();
                    let (head, index) = block.grid.head_and_index(cell);
                    CellId { hook: block.hook, pos, head, index }
                })
                .collect();
            cells.push(CellId {
                hook: HookPoint::block(1, BlockSite::Pattern),
                pos,
                head: seed % n_heads,
                index: seed % (pos + 1),
            });
            for cell in cells {
                let center = layout.cell_rect(cell).unwrap().center();
                prop_assert_eq!(layout.cell_at(center.x, center.z), Some(cell));
            }
        }
    }
}
