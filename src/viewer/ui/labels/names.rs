//! Names of tokens, layers, stages, tensors and heads.

use egui::Rect;
use glam::Vec3;

use super::eye::{Eye, fade};
use super::{LabelScene, Labels, Spot, Style, Tone};
use crate::hook::{BlockSite, HookPoint};
use crate::layout::{GroundRect, LayerSpan, TileBlock};

const CURRENT_TOKEN: Style = style(0, 15.0, Tone::Name);
const LAYER: Style = style(2, 13.5, Tone::Name);
const TOKEN: Style = style(3, 13.5, Tone::Name);
const TOKEN_AT_LAYER: Style = style(7, 12.5, Tone::Name);
const STAGE: Style = style(5, 12.5, Tone::Aside);
const HEAD: Style = style(6, 12.0, Tone::Aside);
const TENSOR: Style = style(8, 12.0, Tone::Aside);
const VECTOR: Style = style(9, 11.0, Tone::Aside);
const HEAD_OF_TILE: Style = style(9, 10.5, Tone::Aside);

pub(super) const fn style(tier: u8, font_size: f32, tone: Tone) -> Style {
    Style {
        tier,
        font_size,
        tone,
    }
}

pub(super) fn add(labels: &mut Labels<'_, '_>) {
    let scene = labels.scene;
    add_tokens(labels, 0.3 * scene.layout.tile_size.x, None);
    add_margin(labels);
    // Before layer 0 the entrance's stand.
    for (layer, span) in scene.layout.layers.iter().enumerate() {
        let ground = layer_ground(scene, span);
        // Nothing of it is large enough to be named.
        if tile_points(scene, ground) < 24.0 || !scene.eye.sees(ground, 0.0) {
            continue;
        }
        let z = span.near_z + 0.2 * scene.layout.tile_size.x;
        if layer > 0 {
            add_tokens(labels, z, Some(layer));
        }
        add_stages(labels, layer);
    }
    add_bands(labels);
    add_fields(labels);
    for (index, block) in scene.layout.blocks.iter().enumerate() {
        add_tensor(labels, index, block);
    }
}

/// A layer's ground, with the avenue before it.
pub(super) fn layer_ground(scene: &LabelScene<'_>, span: &LayerSpan) -> GroundRect {
    let avenue = 0.5 * scene.layout.tile_size.x;
    GroundRect {
        near_left: glam::Vec2::new(0.0, span.near_z + avenue),
        size: glam::Vec2::new(
            scene.layout.width(),
            span.near_z - span.far_z + 2.0 * avenue,
        ),
    }
}

/// How wide a stream tile appears at most on this ground, in points.
pub(super) fn tile_points(scene: &LabelScene<'_>, ground: GroundRect) -> f32 {
    scene.eye.nearest_points_per_unit(ground) * scene.layout.tile_size.x
}

/// How much of number `index` is named where neighbours appear `pitch` points apart: as on a ruler,
/// all where there is room, then every second, every fourth.
fn ruler_share(index: usize, pitch: f32, least: f32) -> f32 {
    let level = (index as u32).trailing_zeros().min(16);
    fade(least, 1.2 * least, pitch * 2f32.powi(level as i32))
}

/// Ruler ticks of more weight first; `n` of them at most.
fn ruler_rank(index: usize) -> u32 {
    let level = (index as u32).trailing_zeros().min(16);
    ((16 - level) << 20) | index as u32
}

/// The tokens in a row before what stands at `z`: the entrance, or a layer.
fn add_tokens(labels: &mut Labels<'_, '_>, z: f32, layer: Option<usize>) {
    let scene = labels.scene;
    let tile = scene.layout.tile_size.x;
    for (lane, token) in scene.tokens.iter().enumerate() {
        let at = Vec3::new(scene.lane_middle(lane), 0.0, z);
        let pitch = scene.eye.length(at, at + Vec3::X * scene.layout.lane_pitch);
        let is_current = lane == scene.playhead.lane;
        let (style, presence) = match layer {
            None if is_current => (CURRENT_TOKEN, 1.0),
            None => (TOKEN, ruler_share(lane, pitch, 15.0)),
            Some(_) => (TOKEN_AT_LAYER, fade(60.0, 70.0, pitch)),
        };
        let is_shown = lane <= scene.playhead.lane;
        let style = Style {
            tone: if is_shown { Tone::Name } else { Tone::Aside },
            ..style
        };
        let rank = ruler_rank(lane) + ((layer.unwrap_or(0) as u32) << 25);
        let spot = Spot {
            // A long word may lie over the first tiles.
            until: layer.is_none().then_some(at - Vec3::Z * 1.5 * tile),
            ..Spot::beside(at, at + Vec3::Z * 0.5 * tile)
        };
        labels.add(style, rank, spot, presence, 1.0, || {
            (scene.token_text)(*token)
        });
    }
}

/// Layers and ends, left of the lanes.
fn add_margin(labels: &mut Labels<'_, '_>) {
    let scene = labels.scene;
    let layout = scene.layout;
    let tile = layout.tile_size.x;
    let n_layers = layout.layers.len() as u32;
    let mut name = |z: f32, rank: u32, presence: f32, text: &dyn Fn() -> String| {
        let at = Vec3::new(-0.25 * tile, 0.0, z);
        let spot = Spot {
            until: Some(at + Vec3::X * layout.width()),
            ..Spot::beside(at, at - Vec3::X * 0.5 * tile)
        };
        labels.add(LAYER, rank, spot, presence, 1.0, text);
    };
    for (layer, span) in layout.layers.iter().enumerate() {
        let z = 0.5 * (span.near_z + span.far_z);
        let at = Vec3::new(0.0, 0.0, z);
        // Measured over a short way: a whole layer may reach behind the eye.
        let per_unit = scene.eye.length(at + 0.5 * Vec3::Z, at - 0.5 * Vec3::Z);
        let pitch = per_unit * (span.near_z - span.far_z);
        // The first and the last say how many there are.
        let is_end = layer == 0 || layer + 1 == layout.layers.len();
        let (rank, share) = if is_end {
            (layer as u32, 1.0)
        } else {
            (
                n_layers + 2 + ruler_rank(layer),
                ruler_share(layer, pitch, 15.0),
            )
        };
        name(z, rank, share, &|| format!("Layer {layer}"));
    }
    let ends = [
        (HookPoint::Embed, "Embedding"),
        (HookPoint::Logits, "Logits"),
    ];
    for (index, (hook, title)) in (0u32..).zip(ends) {
        if let Some(rect) = layout.hook_rect(hook) {
            let rank = n_layers + index;
            name(rect.center().z, rank, 1.0, &|| title.to_owned());
        }
    }
}

/// The two halves of a layer, left of the lanes.
fn add_stages(labels: &mut Labels<'_, '_>, layer: usize) {
    let scene = labels.scene;
    let layout = scene.layout;
    let tile = layout.tile_size.x;
    let depth_of = |site: BlockSite| {
        let rect = layout.hook_rect(HookPoint::block(layer, site))?;
        Some(rect.center().z)
    };
    let mlp = if layout.is_parallel {
        "MLP beside attention"
    } else {
        "MLP"
    };
    let halves = [
        ("Attention", BlockSite::Q, BlockSite::AttnOut),
        (mlp, BlockSite::MlpPre, BlockSite::MlpOut),
    ];
    for (index, (title, first, last)) in halves.into_iter().enumerate() {
        let (Some(near), Some(far)) = (depth_of(first), depth_of(last)) else {
            continue;
        };
        let middle = Vec3::new(-0.25 * tile, 0.0, 0.5 * (near + far));
        let depth = scene
            .eye
            .length(Vec3::new(0.0, 0.0, near), Vec3::new(0.0, 0.0, far));
        let spot = Spot::beside(middle, middle - Vec3::X * 0.5 * tile);
        let rank = (2 * layer + index) as u32;
        let presence = fade(38.0, 46.0, depth);
        labels.add(STAGE, rank, spot, presence, 1.0, || title.to_owned());
    }
}

/// The heads' squares.
fn add_bands(labels: &mut Labels<'_, '_>) {
    let scene = labels.scene;
    for (index, band) in scene.layout.bands.iter().enumerate() {
        let last_head = band.square(band.n_heads.max(1) - 1);
        let last = band.pooled_square().unwrap_or(last_head);
        // With the names before them.
        let room = 0.5 * band.square_size;
        let ground = GroundRect {
            near_left: band.square(0).near_left + glam::Vec2::new(0.0, room),
            size: glam::Vec2::new(
                last.near_left.x + last.size.x - band.x,
                band.square_size + room,
            ),
        };
        let nearest = scene.eye.nearest_points_per_unit(ground) * band.square_size;
        if nearest < 30.0 || !scene.eye.sees(ground, 0.0) {
            continue;
        }
        if let Some(square) = band.pooled_square() {
            let at = square.center() + Vec3::Z * 0.52 * square.size.y;
            let spot = Spot::beside(at, at + Vec3::Z * 0.2 * square.size.y);
            let presence = fade(40.0, 48.0, scene.eye.extent(square).max_element());
            let rank = (1 << 24) | index as u32;
            labels.add(HEAD, rank, spot, presence, 1.0, || scene.pooled.to_owned());
        }
        for head in 0..band.n_heads {
            let square = band.square(head);
            let extent = scene.eye.extent(square);
            let center = square.center();
            let at = center + Vec3::Z * 0.52 * square.size.y;
            let spot = Spot::beside(at, at + Vec3::Z * 0.2 * square.size.y);
            let rank = (index * band.n_heads + head) as u32;
            let presence = fade(40.0, 48.0, extent.max_element());
            labels.add(HEAD, rank, spot, presence, 1.0, || {
                if band.hook.site() == Some(BlockSite::AttnScores) {
                    format!("scores {head}")
                } else {
                    format!("head {head}{}", scene.zeroed(band.hook, head, false))
                }
            });
        }
    }
}

/// The weights' fields, at the edge nearest the entrance.
fn add_fields(labels: &mut Labels<'_, '_>) {
    let scene = labels.scene;
    for (index, field) in scene.layout.fields.iter().enumerate() {
        let rect = field.rect;
        let nearest = scene.eye.nearest_points_per_unit(rect) * rect.size.max_element();
        if nearest < 26.0 || !scene.eye.sees(rect, 0.0) {
            continue;
        }
        let extent = scene.eye.extent(rect);
        let at = rect.center() + Vec3::Z * 0.5 * rect.size.y;
        let spot = Spot::beside(at, at + Vec3::Z * 0.2 * rect.size.min_element());
        // A vector is a strip: its length counts.
        let presence = fade(30.0, 38.0, extent.max_element());
        let is_vector = rect.size.min_element() < 0.1 * rect.size.max_element();
        let style = if is_vector { VECTOR } else { TENSOR };
        labels.add(style, index as u32, spot, presence, 1.0, || {
            let n_fields = scene.layout.fields_of(field.weight).count();
            if n_fields > 1 {
                let last = field.columns.end - 1;
                format!("{} {} to {last}", field.weight.title(), field.columns.start)
            } else {
                field.weight.title().to_owned()
            }
        });
    }
}

/// How much a lane carries the names of a row: the lane in the middle of the picture does, and
/// where the middle passes from one to the next they share it.
fn lane_share(lane: usize, middle_lane: f32) -> f32 {
    1.0 - fade(0.44, 0.56, (lane as f32 - middle_lane).abs())
}

/// One tensor's name, on the lane in the middle of the picture, and its heads' numbers.
fn add_tensor(labels: &mut Labels<'_, '_>, index: usize, block: &TileBlock) {
    let scene = labels.scene;
    let layout = scene.layout;
    let Some(row) = layout.hook_rect(block.hook) else {
        return;
    };
    let size = block.size();
    let nearest = scene.eye.nearest_points_per_unit(row) * size.max_element();
    if nearest < 36.0 || !scene.eye.sees(row, 0.0) {
        return;
    }
    let middle_lane = middle_lane(&scene.eye, scene.room.free, row, layout.lane_pitch);
    let middle_lane = middle_lane.clamp(0.0, layout.n_lanes.max(1) as f32 - 1.0);
    for lane in [middle_lane.floor(), middle_lane.ceil()].map(|lane| lane as usize) {
        let share = lane_share(lane, middle_lane);
        if share <= 0.0 || lane >= layout.n_lanes {
            continue;
        }
        let rect = layout.tile_rect(block, lane);
        let extent = scene.eye.extent(rect);
        let at = rect.center() + Vec3::Z * 0.5 * size.y;
        let spot = Spot::at(at);
        let presence = share * fade(44.0, 52.0, extent.x) * fade(20.0, 24.0, extent.y);
        let rank = (2 * index + lane % 2) as u32;
        labels.add(TENSOR, rank, spot, presence, 1.0, || block.title.to_owned());
        add_heads_of_tile(labels, index, block, rect, share);
        if middle_lane.fract() == 0.0 {
            break; // Both are one.
        }
    }
}

/// Where the middle of the picture crosses a row, as a lane.
fn middle_lane(eye: &Eye, free: Rect, row: GroundRect, lane_pitch: f32) -> f32 {
    let x = eye.middle_of_row(row.center().z, free);
    (x - row.near_left.x) / lane_pitch - 0.5
}

/// The heads' numbers in a tile that has heads.
fn add_heads_of_tile(
    labels: &mut Labels<'_, '_>,
    index: usize,
    block: &TileBlock,
    rect: GroundRect,
    share: f32,
) {
    let grid = &block.grid;
    if grid.n_heads() < 2 {
        return;
    }
    let head_size =
        glam::Vec2::new(grid.cell_cols() as f32, grid.cell_rows() as f32) * block.cell_size;
    if labels.scene.eye.nearest_points_per_unit(rect) * head_size.max_element() < 40.0 {
        return;
    }
    for head in 0..grid.n_heads() {
        let Some((col, row)) = grid.place(head, 0) else {
            continue;
        };
        let corner = glam::Vec2::new(col as f32, -(row as f32)) * block.cell_size;
        let of_head = GroundRect {
            near_left: rect.near_left + corner,
            size: head_size,
        };
        let extent = labels.scene.eye.extent(of_head);
        let presence = share * fade(50.0, 58.0, extent.x) * fade(22.0, 26.0, extent.y);
        let spot = Spot::at(of_head.center() + Vec3::Z * 0.35 * head_size.y);
        let rank = ((index as u32) << 8) | head as u32;
        let zeroed = labels.scene.zeroed(block.hook, head, block.n_sharing > 1);
        // One of a few heads that several queries read, or of as many as there are patterns.
        let what = if block.n_sharing > 1 {
            "kv head"
        } else {
            "head"
        };
        labels.add(HEAD_OF_TILE, rank, spot, presence, 0.9, || {
            format!("{what} {head}{zeroed}")
        });
    }
}
