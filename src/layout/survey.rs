//! Laying the world out, tile after tile, from the entrance to the exit.

mod fields;

use std::collections::BTreeSet;

use glam::Vec2;

use super::weights::WeightYard;
use super::{
    AttentionBand, CellGrid, GroundRect, Kind, LayerSpan, ModelLayout, Skyline, TileBlock,
};
use crate::config::ModelConfig;
use crate::hook::{BlockSite, HookPoint};

/// Free ground between tiles of one layer, as a share of a tile's width.
const TILE_GAP: f32 = 0.08;
/// Free ground before and after a band of attention, as a share of a tile's width.
const BAND_GAP: f32 = 0.16;
/// Depth of a band of attention, as a share of a tile's width.
const BAND_DEPTH: f32 = 1.05;
/// The avenue between layers, as a share of a tile's width.
const AVENUE: f32 = 0.8;
/// Free ground between the lanes and the weights, as a share of a tile's width.
const VERGE: f32 = 0.9;
/// Bars of the most probable next tokens, in each lane.
const N_RANKS: usize = 5;

/// Lays out a model of this shape for `n_lanes` tokens, without the kinds `hidden`.
pub(super) fn survey(config: &ModelConfig, n_lanes: usize, hidden: &BTreeSet<Kind>) -> ModelLayout {
    let stream = CellGrid::of(config.d_model);
    let tile_size = Vec2::new(stream.cols() as f32, stream.rows() as f32);
    let mut surveyor = Surveyor {
        config,
        hidden,
        hooks: config.hook_points(),
        tile_size,
        lane_pitch: 1.25 * tile_size.x,
        n_lanes,
        z: 0.0,
        blocks: Vec::new(),
        bands: Vec::new(),
        yard: WeightYard::new(config, tile_size),
    };
    surveyor.weights_of_entrance();
    surveyor.halves([Some(HookPoint::Embed), Some(HookPoint::PosEmbed)]);
    surveyor.z -= 0.5 * tile_size.x;
    let layers = (0..config.n_layers)
        .map(|layer| surveyor.layer(layer))
        .collect();
    surveyor.weights_of_exit();
    surveyor.full(HookPoint::FinalNormalized);
    surveyor.full(HookPoint::Logits);
    let skyline = surveyor.skyline();
    let exit_z = surveyor.z + surveyor.tile_gap();
    let lanes = GroundRect {
        near_left: Vec2::ZERO,
        size: Vec2::new(surveyor.width(), -exit_z),
    };
    let fields = surveyor.yard.into_fields();
    ModelLayout {
        n_lanes,
        is_parallel: config.is_parallel,
        lane_pitch: surveyor.lane_pitch,
        tile_size,
        exit_z,
        ground: fields
            .iter()
            .fold(lanes, |ground, field| ground.union(&field.rect)),
        blocks: surveyor.blocks,
        bands: surveyor.bands,
        fields,
        skyline,
        layers,
    }
}

/// Lays tiles and bands down one after the other, from the entrance to the exit.
struct Surveyor<'a> {
    config: &'a ModelConfig,
    hidden: &'a BTreeSet<Kind>,
    hooks: Vec<HookPoint>,
    tile_size: Vec2,
    lane_pitch: f32,
    n_lanes: usize,
    z: f32,
    blocks: Vec<TileBlock>,
    bands: Vec<AttentionBand>,
    yard: WeightYard<'a>,
}

impl Surveyor<'_> {
    fn tile_gap(&self) -> f32 {
        TILE_GAP * self.tile_size.x
    }

    /// Width of all lanes together.
    fn width(&self) -> f32 {
        self.n_lanes.max(1) as f32 * self.lane_pitch - (self.lane_pitch - self.tile_size.x)
    }

    /// Where the weights at the right begin; those at the left begin at minus the verge.
    fn right_verge(&self) -> f32 {
        self.width() + self.verge()
    }

    fn verge(&self) -> f32 {
        VERGE * self.tile_size.x
    }

    fn order(&self, hook: HookPoint) -> usize {
        self.hooks.partition_point(|known| *known < hook)
    }

    fn is_shown(&self, hook: HookPoint) -> bool {
        self.config.has_hook(hook) && !self.hidden.contains(&Kind::of(hook))
    }

    fn has_weights(&self) -> bool {
        !self.hidden.contains(&Kind::Weights)
    }

    fn grid(&self, hook: HookPoint) -> CellGrid {
        match hook.site() {
            Some(site) if site.is_by_head() => {
                let queries = CellGrid::of_heads(self.config.n_heads, self.config.d_head);
                CellGrid::shared_by(&queries, self.config.n_heads_at(hook))
            }
            _ => CellGrid::of(self.config.width(hook)),
        }
    }

    /// How many query heads read one head of `hook`.
    fn n_sharing(&self, hook: HookPoint) -> usize {
        match hook.site() {
            Some(site) if site.is_by_head() => self.config.n_heads / self.config.n_heads_at(hook),
            _ => 1,
        }
    }

    /// Lays a tile into every lane: its left edge at `x`, and `width` wide. Returns its depth.
    fn tile(&mut self, hook: HookPoint, x: f32, width: f32) -> f32 {
        let grid = self.grid(hook);
        let block = TileBlock {
            hook,
            title: self.config.title(hook),
            n_sharing: self.n_sharing(hook),
            order: self.order(hook),
            origin: Vec2::new(x, self.z),
            cell_size: width / grid.cols() as f32,
            grid,
        };
        let depth = block.size().y;
        self.blocks.push(block);
        depth
    }

    /// A row with one tile as wide as the lane's road.
    fn full(&mut self, hook: HookPoint) {
        if self.is_shown(hook) {
            let depth = self.tile(hook, 0.0, self.tile_size.x);
            self.z -= depth + self.tile_gap();
        }
    }

    /// A row of tiles side by side, each with its place, left edge and width.
    fn row(&mut self, tiles: impl IntoIterator<Item = (HookPoint, f32, f32)>) {
        let mut row_depth: f32 = 0.0;
        for (hook, x, width) in tiles {
            if self.is_shown(hook) {
                row_depth = row_depth.max(self.tile(hook, x, width));
            }
        }
        if row_depth > 0.0 {
            self.z -= row_depth + self.tile_gap();
        }
    }

    /// A row of two tiles at half the size; a `None` leaves its half free.
    fn halves(&mut self, hooks: [Option<HookPoint>; 2]) {
        let gap = self.tile_gap();
        let width = (self.tile_size.x - gap) / 2.0;
        let columns = hooks.into_iter().enumerate();
        let tiles = columns.filter_map(|(column, hook)| {
            let x = column as f32 * (width + gap);
            hook.map(|hook| (hook, x, width))
        });
        self.row(tiles);
    }

    /// Queries, keys and values side by side with cells of one size, so that keys and values of fewer
    /// heads are smaller; behind the queries and the keys what they are when rotated.
    fn rotated_heads(&mut self, layer: usize) {
        let at = |site| HookPoint::block(layer, site);
        let gap = self.tile_gap();
        let cols = [BlockSite::Q, BlockSite::K, BlockSite::V]
            .map(|site| self.grid(at(site)).cols() as f32);
        let cell_size = (self.tile_size.x - 2.0 * gap) / cols.iter().sum::<f32>();
        let [q, k, v] = cols.map(|cols| cols * cell_size);
        let (key_x, value_x) = (q + gap, q + k + 2.0 * gap);
        self.row([
            (at(BlockSite::Q), 0.0, q),
            (at(BlockSite::K), key_x, k),
            (at(BlockSite::V), value_x, v),
        ]);
        self.row([
            (at(BlockSite::RotQ), 0.0, q),
            (at(BlockSite::RotK), key_x, k),
        ]);
    }

    /// What attention reads the stream with.
    fn attention_input(&mut self, layer: usize) {
        let at = |site| HookPoint::block(layer, site);
        let norm = Some(at(BlockSite::Ln1Normalized));
        if self.config.rotary.is_some() {
            self.halves([norm, None]);
            self.rotated_heads(layer);
        } else {
            self.halves([norm, Some(at(BlockSite::Q))]);
            self.halves([Some(at(BlockSite::K)), Some(at(BlockSite::V))]);
        }
    }

    /// From what the MLP reads to its neurons; a gate beside what it is multiplied with.
    fn neurons(&mut self, layer: usize) {
        let at = |site| HookPoint::block(layer, site);
        let norm = Some(at(BlockSite::Ln2Normalized));
        if self.config.is_gated() {
            self.halves([norm, None]);
            self.halves([
                Some(at(BlockSite::MlpPre)),
                Some(at(BlockSite::MlpPreLinear)),
            ]);
        } else {
            self.halves([norm, Some(at(BlockSite::MlpPre))]);
        }
        self.full(at(BlockSite::MlpPost));
    }

    fn band(&mut self, hook: HookPoint, layer: usize) {
        if !self.is_shown(hook) {
            return;
        }
        let n_heads = self.config.n_heads;
        // As deep whatever the tokens, so that nothing moves along the flight when one more comes.
        let max_depth = BAND_DEPTH * self.tile_size.x;
        let width = self.width();
        // One place more: what the heads come down to together.
        let n_places = n_heads + 1;
        let square_pitch = (width / n_places as f32).min(1.6 * max_depth);
        let square_size = (0.9 * square_pitch).min(max_depth);
        let used = (n_places - 1) as f32 * square_pitch + square_size;
        let band_gap = BAND_GAP * self.tile_size.x;
        self.z -= band_gap - self.tile_gap();
        self.bands.push(AttentionBand {
            hook,
            layer,
            order: self.order(hook),
            n_heads,
            window: self.config.window_of(layer),
            z: self.z,
            square_size,
            square_pitch,
            x: (width - used) / 2.0,
        });
        self.z -= max_depth + band_gap;
    }

    fn layer(&mut self, layer: usize) -> LayerSpan {
        let near_z = self.z;
        let at = |site| HookPoint::block(layer, site);
        self.full(at(BlockSite::ResidPre));
        let attention_z = self.z;
        self.attention_input(layer);
        self.band(at(BlockSite::AttnScores), layer);
        self.band(at(BlockSite::Pattern), layer);
        let output_z = self.z;
        self.halves([Some(at(BlockSite::Z)), Some(at(BlockSite::AttnOut))]);
        self.full(at(BlockSite::ResidMid));
        let mlp_z = self.z;
        self.neurons(layer);
        self.halves([None, Some(at(BlockSite::MlpOut))]);
        self.full(at(BlockSite::ResidPost));
        let mut far_z = self.z + self.tile_gap();
        if self.has_weights() {
            far_z = far_z.min(self.weights_of_layer(layer, attention_z, output_z, mlp_z));
        }
        // A layer of which nothing is shown keeps its place.
        far_z = far_z.min(near_z - self.tile_gap());
        self.z = far_z - AVENUE * self.tile_size.x;
        LayerSpan { near_z, far_z }
    }

    fn skyline(&mut self) -> Option<Skyline> {
        if self.hidden.contains(&Kind::Skyline) {
            return None;
        }
        let width = self.tile_size.x;
        self.z -= 0.2 * width;
        let skyline = Skyline {
            n_ranks: N_RANKS,
            origin: Vec2::new(0.01 * width, self.z),
            bar_size: Vec2::splat(0.17 * width),
            pitch: 0.2 * width,
            lane_pitch: self.lane_pitch,
            height: 0.9 * width,
        };
        self.z -= skyline.depth() + self.tile_gap();
        Some(skyline)
    }
}
