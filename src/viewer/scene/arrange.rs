//! From the layout, the values' ranges and the playhead to the shaders' numbers.

use std::collections::BTreeMap;

use bevy::prelude::*;

use super::attention::Reduction;
use super::gpu::{Block, FIELD_PATTERN, FIELD_SCORES, FIELD_WEIGHT, FLAG_STREAM, Field};
use super::values::ValueTable;
use super::weights::WeightStore;
use super::{DrawList, SceneLayout, SceneSettings};
use crate::color::{NOT_FINITE, RangeEnd, RangeMode, RangeSettings, Rgb, Scaling, ValueRange};
use crate::hook::{BlockSite, HookPoint};
use crate::layout::ModelLayout;
use crate::viewer::inference::ActiveTrace;
use crate::viewer::playback::Playhead;

/// Height of a value at the end of its range, as a share of a tile's width.
pub const HEIGHT_SHARE: f32 = 0.14;

/// The range of a tensor's values, and the root mean square at the end of the far map.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TensorRange {
    /// The values' range.
    pub range: ValueRange,
    /// The greatest root mean square of a tile among the tensors that share the far map.
    pub max_rms: f32,
}

/// The ranges in use, by hook point.
///
/// Far tiles are compared along the flight, so tensors of one name share the end of their map
/// whatever the settings.
pub fn tensor_ranges(
    hooks: &[HookPoint],
    values: &ValueTable,
    settings: RangeSettings,
) -> BTreeMap<HookPoint, TensorRange> {
    let kind = |hook: HookPoint| match hook {
        // The stream is one thing, in three places of each layer.
        HookPoint::Block {
            site: BlockSite::ResidMid | BlockSite::ResidPost,
            ..
        } => HookPoint::block(0, BlockSite::ResidPre),
        HookPoint::Block { site, .. } => HookPoint::block(0, site),
        other => other,
    };
    // Tensors that share a range have one of these in common.
    let sharers = |hook: HookPoint| match settings.mode {
        RangeMode::PerTensor => hook,
        RangeMode::PerName => kind(hook),
        RangeMode::PerLayer => match hook.layer() {
            Some(layer) => HookPoint::block(layer, BlockSite::ResidPre),
            None => hook,
        },
        RangeMode::WholeModel => HookPoint::Embed,
    };
    let mut limits: BTreeMap<HookPoint, f32> = BTreeMap::new();
    let mut max_rms: BTreeMap<HookPoint, f32> = BTreeMap::new();
    for hook in hooks {
        let own = values.stats(*hook).copied().unwrap_or_default();
        let end = match settings.end {
            RangeEnd::Quantile => own.range.limit,
            RangeEnd::Max => own.max_abs,
        };
        let limit = limits.entry(sharers(*hook)).or_default();
        *limit = limit.max(end);
        let rms = max_rms.entry(kind(*hook)).or_default();
        *rms = rms.max(own.max_rms);
    }
    hooks
        .iter()
        .map(|hook| {
            let range = TensorRange {
                range: ValueRange {
                    limit: limits[&sharers(*hook)],
                },
                max_rms: max_rms[&kind(*hook)],
            };
            (*hook, range)
        })
        .collect()
}

/// Every hook point that stands in the world.
pub fn shown_hooks(layout: &ModelLayout) -> Vec<HookPoint> {
    let blocks = layout.blocks.iter().map(|block| block.hook);
    let bands = layout.bands.iter().map(|band| band.hook);
    blocks.chain(bands).collect()
}

/// The far scale of a square without numbers.
const NO_FIELD: f32 = -1.0;

fn inverse(value: f32) -> f32 {
    if value > 0.0 { 1.0 / value } else { 0.0 }
}

pub(super) fn arrange_blocks(
    layout: Res<SceneLayout>,
    values: Res<ValueTable>,
    weights: Res<WeightStore>,
    settings: Res<SceneSettings>,
    trace: Res<ActiveTrace>,
    mut list: ResMut<DrawList>,
) {
    let Some(layout) = &layout.0 else {
        return;
    };
    let ranges = tensor_ranges(&shown_hooks(layout), &values, settings.ranges);
    list.blocks = layout
        .blocks
        .iter()
        .map(|block| {
            let TensorRange { range, max_rms } = ranges[&block.hook];
            let is_stream = block.hook.site().is_some_and(BlockSite::is_stream);
            Block {
                x: block.origin.x,
                z: block.origin.y,
                cell_size: block.cell_size,
                value_scale: range.scale(),
                rms_scale: inverse(max_rms),
                order: block.order as u32,
                n_cells: block.grid.n_cells() as u32,
                n_per_head: block.grid.n_per_head() as u32,
                head_cols: block.grid.head_cols() as u32,
                cell_cols: block.grid.cell_cols() as u32,
                cell_rows: block.grid.cell_rows() as u32,
                cols: block.grid.cols() as u32,
                rows: block.grid.rows() as u32,
                flags: if is_stream { FLAG_STREAM } else { 0 },
                unused: [0; 2],
            }
        })
        .collect();
    list.fields = squares(layout, &values, &ranges);
    list.fields
        .extend(weight_fields(layout, &weights, settings.ranges.end));
    list.fields.extend(pooled_squares(layout, &values, &ranges));
    arrange_world(layout, &values, &settings, &mut list);
    if trace.is_shape() {
        list.uniform.no_value = linear(settings.theme.neutrals().shape);
    }
}

fn squares(
    layout: &ModelLayout,
    values: &ValueTable,
    ranges: &BTreeMap<HookPoint, TensorRange>,
) -> Vec<Field> {
    let mut fields = Vec::new();
    for band in &layout.bands {
        let is_pattern = values.is_weights(band.hook);
        let is_there = values.has_attention(band.hook);
        let scale = ranges[&band.hook].range.scale();
        for head in 0..band.n_heads {
            let rect = band.square(head);
            fields.push(Field {
                x: rect.near_left.x,
                z: rect.near_left.y,
                width: rect.size.x,
                depth: rect.size.y,
                n_rows: layout.n_lanes as u32,
                n_cols: layout.n_lanes as u32,
                order: band.order as u32,
                kind: if is_pattern {
                    FIELD_PATTERN
                } else {
                    FIELD_SCORES
                },
                value_scale: scale,
                far_scale: match is_pattern {
                    _ if !is_there => NO_FIELD,
                    true => 1.0,
                    false => scale,
                },
                overview: values.square(band.hook, head).unwrap_or(0) as u32,
                grid_rows: band.window.unwrap_or(0) as u32,
                ..Field::default()
            });
        }
    }
    fields
}

/// What each layer's patterns come down to together, beside its heads.
fn pooled_squares(
    layout: &ModelLayout,
    values: &ValueTable,
    ranges: &BTreeMap<HookPoint, TensorRange>,
) -> Vec<Field> {
    let places = layout
        .bands
        .iter()
        .filter_map(|band| Some((band, band.pooled_square()?)));
    places
        .map(|(band, rect)| Field {
            x: rect.near_left.x,
            z: rect.near_left.y,
            width: rect.size.x,
            depth: rect.size.y,
            n_rows: layout.n_lanes as u32,
            n_cols: layout.n_lanes as u32,
            order: band.order as u32,
            kind: if values.is_weights(band.hook) {
                FIELD_PATTERN
            } else {
                FIELD_SCORES
            },
            value_scale: ranges[&band.hook].range.scale(),
            far_scale: match values.is_weights(band.hook) {
                _ if !values.has_attention(band.hook) => NO_FIELD,
                true => 1.0,
                false => ranges[&band.hook].range.scale(),
            },
            overview: values.pooled_square(band.layer) as u32,
            grid_rows: band.window.unwrap_or(0) as u32,
            ..Field::default()
        })
        .collect()
}

fn weight_fields(layout: &ModelLayout, weights: &WeightStore, end: RangeEnd) -> Vec<Field> {
    // Weights of one name share the end of their far map, so that layers compare.
    let mut max_rms: BTreeMap<&str, f32> = BTreeMap::new();
    let key = |field: &crate::layout::WeightField| (field.weight, field.columns.start);
    for field in &layout.fields {
        if let Some(overview) = weights.overview(key(field)) {
            let max = max_rms.entry(field.weight.title()).or_default();
            let n_finest = overview.grid_rows * overview.grid_cols;
            let finest = overview.values[..n_finest].iter().copied();
            *max = finest.fold(*max, f32::max);
        }
    }
    layout
        .fields
        .iter()
        .map(|field| {
            let overview = weights.overview(key(field));
            Field {
                x: field.rect.near_left.x,
                z: field.rect.near_left.y,
                width: field.rect.size.x,
                depth: field.rect.size.y,
                n_rows: field.n_rows as u32,
                n_cols: field.n_cols() as u32,
                kind: FIELD_WEIGHT,
                value_scale: overview.map_or(0.0, |overview| match end {
                    RangeEnd::Quantile => overview.range.scale(),
                    RangeEnd::Max => inverse(overview.stats.max_abs),
                }),
                far_scale: max_rms
                    .get(field.weight.title())
                    .map_or(0.0, |max| inverse(*max)),
                overview: weights
                    .offset(key(field))
                    .map_or(0, |offset| offset as u32 + 1),
                grid_rows: overview.map_or(0, |overview| overview.grid_rows as u32),
                grid_cols: overview.map_or(0, |overview| overview.grid_cols as u32),
                ..Field::default()
            }
        })
        .collect()
}

fn arrange_world(
    layout: &ModelLayout,
    values: &ValueTable,
    settings: &SceneSettings,
    list: &mut DrawList,
) {
    let neutrals = settings.theme.neutrals();
    list.theme = settings.theme;
    list.is_groundless = !settings.has_backdrop;
    let uniform = &mut list.uniform;
    uniform.background = linear(neutrals.background);
    uniform.ground = linear(neutrals.ground);
    uniform.road = linear(neutrals.road);
    uniform.no_value = linear(neutrals.no_value);
    uniform.line = linear(neutrals.line);
    uniform.not_finite = linear(NOT_FINITE);
    let (low, high) = (layout.ground.low(), layout.ground.high());
    uniform.extent = [low.x, low.y, high.x, high.y];
    uniform.lane_pitch = layout.lane_pitch;
    uniform.tile_width = layout.tile_size.x;
    uniform.width = layout.width();
    uniform.exit_z = layout.exit_z;
    uniform.n_lanes = layout.n_lanes as u32;
    uniform.n_blocks = layout.blocks.len() as u32;
    uniform.n_orders = values.n_orders() as u32;
    uniform.n_squares = values.attention().n_squares() as u32;
    uniform.attention_grid = values.attention().grid() as u32;
    uniform.attention_block = values.attention().block() as u32;
    uniform.reduction = match settings.reduction {
        Reduction::Max => 0,
        Reduction::Mean => 1,
    };
    uniform.scaling = match settings.ranges.scaling {
        Scaling::Linear => 0,
        Scaling::SymLog => 1,
    };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ModelConfig;
    use crate::trace::Activation;
    use crate::viewer::scene::ArcChoice;

    /// A table with one tensor of each layer and the embedding, of the magnitudes 1, 2 and 4.
    fn table() -> (Vec<HookPoint>, ValueTable) {
        let config = ModelConfig {
            n_layers: 2,
            n_heads: 1,
            d_head: 4,
            d_model: 4,
            ..ModelConfig::preset("gpt2").unwrap()
        };
        let hooks = vec![
            HookPoint::Embed,
            HookPoint::block(0, BlockSite::AttnOut),
            HookPoint::block(1, BlockSite::AttnOut),
            HookPoint::block(1, BlockSite::MlpOut),
        ];
        let mut table = ValueTable::default();
        table.reset(&config, 1 << 20);
        table.set_lanes(1);
        for (hook, size) in hooks.iter().zip([8.0, 1.0, 2.0, 4.0]) {
            let values = Activation::new(vec![1, 4], vec![size; 4]);
            table.write(*hook, 0, &values, &ArcChoice::default());
        }
        (hooks, table)
    }

    #[test]
    fn tensors_share_the_range_that_the_settings_say() {
        let (hooks, table) = table();
        let limits = |mode| -> Vec<f32> {
            let settings = RangeSettings {
                mode,
                ..RangeSettings::default()
            };
            let ranges = tensor_ranges(&hooks, &table, settings);
            hooks.iter().map(|hook| ranges[hook].range.limit).collect()
        };

        assert_eq!(limits(RangeMode::PerTensor), [8.0, 1.0, 2.0, 4.0]);
        assert_eq!(limits(RangeMode::PerName), [8.0, 2.0, 2.0, 4.0]);
        assert_eq!(limits(RangeMode::PerLayer), [8.0, 1.0, 4.0, 4.0]);
        assert_eq!(limits(RangeMode::WholeModel), [8.0; 4]);
    }

    #[test]
    fn far_tiles_of_one_name_are_compared_along_the_flight_whatever_the_settings() {
        let (hooks, table) = table();

        let ranges = tensor_ranges(&hooks, &table, RangeSettings::default());

        assert_eq!(ranges[&hooks[1]].max_rms, 2.0);
        assert_eq!(ranges[&hooks[2]].max_rms, 2.0);
    }
}
