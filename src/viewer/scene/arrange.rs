//! From the layout, the values' ranges and the playhead to the shaders' numbers.

use std::collections::BTreeMap;

use bevy::prelude::*;

use super::gpu::{Band, Block, FLAG_HIDDEN, FLAG_STREAM};
use super::{DrawList, SceneLayout, SceneSettings, ValueBuffer};
use crate::color::{NOT_FINITE, RangeMode, Rgb, ValueRange};
use crate::hook::{BlockSite, HookPoint};
use crate::layout::ModelLayout;
use crate::viewer::playback::Playhead;

/// Height of a value at the end of its range, as a share of a tile's width.
const HEIGHT_SHARE: f32 = 0.14;

/// The range of every block, and the root mean square that stands for the end of the far map.
///
/// Far tiles are compared along the flight, so tensors of one name share the end of their map
/// whatever the mode.
pub fn ranges(
    layout: &ModelLayout,
    values: &ValueBuffer,
    mode: RangeMode,
) -> Vec<(ValueRange, f32)> {
    let kind = |hook: HookPoint| match hook.site() {
        // The stream is one thing, in three places of each layer.
        Some(BlockSite::ResidMid | BlockSite::ResidPost) => "hook_resid_pre".to_owned(),
        Some(site) => site.name().to_owned(),
        None => hook.to_string(),
    };
    let mut by_kind: BTreeMap<String, (ValueRange, f32)> = BTreeMap::new();
    for (block, stats) in layout.blocks.iter().zip(values.stats()) {
        let (range, max_rms) = by_kind.entry(kind(block.hook)).or_default();
        *range = range.union(stats.range);
        *max_rms = max_rms.max(stats.max_rms);
    }
    layout
        .blocks
        .iter()
        .zip(values.stats())
        .map(|(block, stats)| {
            let (range, max_rms) = by_kind[&kind(block.hook)];
            match mode {
                RangeMode::PerTensor => (stats.range, max_rms),
                RangeMode::PerName => (range, max_rms),
            }
        })
        .collect()
}

pub(super) fn arrange_blocks(
    layout: Res<SceneLayout>,
    values: Res<ValueBuffer>,
    settings: Res<SceneSettings>,
    mut list: ResMut<DrawList>,
) {
    let Some(layout) = &layout.0 else {
        return;
    };
    let hidden_flag = |hook: HookPoint| match hook.site() {
        Some(site) if settings.hidden.contains(&site) => FLAG_HIDDEN,
        _ => 0,
    };
    list.blocks = layout
        .blocks
        .iter()
        .zip(ranges(layout, &values, settings.range_mode))
        .map(|(block, (range, max_rms))| {
            let is_stream = block.hook.site().is_some_and(BlockSite::is_stream);
            Block {
                x: block.origin.x,
                z: block.origin.y,
                cell_size: block.cell_size,
                value_scale: range.scale(),
                rms_scale: if max_rms > 0.0 { 1.0 / max_rms } else { 0.0 },
                order: block.order as f32,
                value_offset: block.value_offset as u32,
                n_cells: block.grid.n_cells() as u32,
                n_per_head: block.grid.n_per_head() as u32,
                head_cols: block.grid.head_cols() as u32,
                cell_cols: block.grid.cell_cols() as u32,
                cell_rows: block.grid.cell_rows() as u32,
                cols: block.grid.cols() as u32,
                rows: block.grid.rows() as u32,
                flags: hidden_flag(block.hook) | if is_stream { FLAG_STREAM } else { 0 },
                unused: 0,
            }
        })
        .collect();
    list.bands = layout
        .bands
        .iter()
        .map(|band| Band {
            x: band.x,
            z: band.z,
            square_size: band.square_size,
            square_pitch: band.square_pitch,
            order: band.order as f32,
            n_heads: band.n_heads as u32,
            first_layer_head: (band.layer * band.n_heads) as u32,
            flags: hidden_flag(HookPoint::block(band.layer, BlockSite::Pattern)),
        })
        .collect();
    let neutrals = settings.theme.neutrals();
    list.theme = settings.theme;
    let uniform = &mut list.uniform;
    uniform.background = linear(neutrals.background);
    uniform.ground = linear(neutrals.ground);
    uniform.road = linear(neutrals.road);
    uniform.no_value = linear(neutrals.no_value);
    uniform.line = linear(neutrals.line);
    uniform.not_finite = linear(NOT_FINITE);
    uniform.lane_pitch = layout.lane_pitch;
    uniform.tile_width = layout.tile_size.x;
    uniform.width = layout.width();
    uniform.exit_z = layout.exit_z;
    uniform.n_lanes = layout.n_lanes as u32;
    uniform.n_blocks = layout.blocks.len() as u32;
    uniform.lane_stride = layout.lane_stride as u32;
    uniform.n_layer_heads = layout.bands.iter().map(|band| band.n_heads as u32).sum();
    uniform.n_bands = layout.bands.len() as u32;
    uniform.height_unit = HEIGHT_SHARE * layout.tile_size.x;
    uniform.fog_distance = 1.6 * layout.bounds().size.length();
    uniform.fog_strength = 0.6;
}

pub(super) fn place_playhead(playhead: Res<Playhead>, mut list: ResMut<DrawList>) {
    let (first_lane, lane) = (playhead.first_lane as u32, playhead.lane as u32);
    let now = (
        list.uniform.first_lane,
        list.uniform.playhead_lane,
        list.uniform.playhead_order,
    );
    if now != (first_lane, lane, playhead.order) {
        list.uniform.first_lane = first_lane;
        list.uniform.playhead_lane = lane;
        list.uniform.playhead_order = playhead.order;
    }
}

fn linear(color: Rgb) -> [f32; 4] {
    let [r, g, b] = color;
    Color::srgb_u8(r, g, b).to_linear().to_f32_array()
}
