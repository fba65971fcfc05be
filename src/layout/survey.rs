//! Laying the world out, tile after tile, from the entrance to the exit.

use glam::Vec2;

use super::{CellGrid, LayerSpan, ModelLayout, PatternBand, TileBlock};
use crate::config::ModelConfig;
use crate::hook::{BlockSite, HookPoint};

/// Free ground between tiles of one layer, as a share of a tile's width.
const TILE_GAP: f32 = 0.08;
/// Free ground before and after a band of patterns, as a share of a tile's width.
const BAND_GAP: f32 = 0.16;
/// The avenue between layers, as a share of a tile's width.
const AVENUE: f32 = 0.8;

/// Lays out a model of this shape for `n_lanes` tokens.
pub(super) fn survey(config: &ModelConfig, n_lanes: usize) -> ModelLayout {
    let stream = CellGrid::of(config.d_model);
    let tile_size = Vec2::new(stream.cols() as f32, stream.rows() as f32);
    let mut surveyor = Surveyor {
        config,
        hooks: config.hook_points(),
        tile_size,
        lane_pitch: 1.25 * tile_size.x,
        n_lanes,
        z: 0.0,
        lane_stride: 0,
        blocks: Vec::new(),
        bands: Vec::new(),
    };
    surveyor.halves([Some(HookPoint::Embed), Some(HookPoint::PosEmbed)]);
    surveyor.z -= 0.5 * tile_size.x;
    let layers = (0..config.n_layers)
        .map(|layer| surveyor.layer(layer))
        .collect();
    surveyor.full(HookPoint::FinalNormalized);
    surveyor.full(HookPoint::Logits);
    ModelLayout {
        n_lanes,
        lane_pitch: surveyor.lane_pitch,
        tile_size,
        lane_stride: surveyor.lane_stride,
        exit_z: surveyor.z + surveyor.tile_gap(),
        blocks: surveyor.blocks,
        bands: surveyor.bands,
        layers,
    }
}

/// Lays tiles and bands down one after the other, from the entrance to the exit.
struct Surveyor<'a> {
    config: &'a ModelConfig,
    hooks: Vec<HookPoint>,
    tile_size: Vec2,
    lane_pitch: f32,
    n_lanes: usize,
    z: f32,
    lane_stride: usize,
    blocks: Vec<TileBlock>,
    bands: Vec<PatternBand>,
}

impl Surveyor<'_> {
    fn tile_gap(&self) -> f32 {
        TILE_GAP * self.tile_size.x
    }

    fn order(&self, hook: HookPoint) -> usize {
        self.hooks.partition_point(|known| *known < hook)
    }

    fn grid(&self, hook: HookPoint) -> CellGrid {
        match hook.site() {
            Some(BlockSite::Q | BlockSite::K | BlockSite::V | BlockSite::Z) => {
                CellGrid::of_heads(self.config.n_heads, self.config.d_head)
            }
            _ => CellGrid::of(self.config.width(hook)),
        }
    }

    /// Lays a tile into every lane: its left edge at `x`, and `width` wide. Returns its depth.
    fn tile(&mut self, hook: HookPoint, x: f32, width: f32) -> f32 {
        let grid = self.grid(hook);
        let block = TileBlock {
            hook,
            order: self.order(hook),
            origin: Vec2::new(x, self.z),
            cell_size: width / grid.cols() as f32,
            value_offset: self.lane_stride,
            grid,
        };
        self.lane_stride += grid.n_cells();
        let depth = block.size().y;
        self.blocks.push(block);
        depth
    }

    /// A row with one tile as wide as the lane's road.
    fn full(&mut self, hook: HookPoint) {
        let depth = self.tile(hook, 0.0, self.tile_size.x);
        self.z -= depth + self.tile_gap();
    }

    /// A row of two tiles at half the size; a `None` leaves its half free.
    fn halves(&mut self, hooks: [Option<HookPoint>; 2]) {
        let gap = self.tile_gap();
        let width = (self.tile_size.x - gap) / 2.0;
        let mut row_depth: f32 = 0.0;
        for (column, hook) in hooks.into_iter().enumerate() {
            if let Some(hook) = hook {
                let x = column as f32 * (width + gap);
                row_depth = row_depth.max(self.tile(hook, x, width));
            }
        }
        self.z -= row_depth + gap;
    }

    fn band(&mut self, layer: usize) {
        let n_heads = self.config.n_heads;
        let depth = 1.25 * self.tile_size.x;
        let width =
            self.n_lanes.max(1) as f32 * self.lane_pitch - (self.lane_pitch - self.tile_size.x);
        let square_pitch = (width / n_heads as f32).min(1.6 * depth);
        let square_size = (0.9 * square_pitch).min(depth);
        let used = (n_heads - 1) as f32 * square_pitch + square_size;
        let band_gap = BAND_GAP * self.tile_size.x;
        self.z -= band_gap - self.tile_gap();
        self.bands.push(PatternBand {
            layer,
            order: self.order(HookPoint::block(layer, BlockSite::Pattern)),
            n_heads,
            z: self.z,
            square_size,
            square_pitch,
            x: (width - used) / 2.0,
        });
        self.z -= depth + band_gap;
    }

    fn layer(&mut self, layer: usize) -> LayerSpan {
        let near_z = self.z;
        let at = |site| HookPoint::block(layer, site);
        self.full(at(BlockSite::ResidPre));
        self.halves([Some(at(BlockSite::Ln1Normalized)), Some(at(BlockSite::Q))]);
        self.halves([Some(at(BlockSite::K)), Some(at(BlockSite::V))]);
        self.band(layer);
        self.halves([Some(at(BlockSite::Z)), Some(at(BlockSite::AttnOut))]);
        self.full(at(BlockSite::ResidMid));
        self.halves([
            Some(at(BlockSite::Ln2Normalized)),
            Some(at(BlockSite::MlpPre)),
        ]);
        self.full(at(BlockSite::MlpPost));
        self.halves([None, Some(at(BlockSite::MlpOut))]);
        self.full(at(BlockSite::ResidPost));
        let far_z = self.z + self.tile_gap();
        self.z = far_z - AVENUE * self.tile_size.x;
        LayerSpan { near_z, far_z }
    }
}
