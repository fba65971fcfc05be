//! Which tiles are near enough for boxes.

use bevy::prelude::*;

use super::gpu::{BAND_BIT, MAX_NEAR_CELLS, MAX_NEAR_TILES, NearTile};
use super::{DrawList, SceneLayout, SceneSettings};
use crate::hook::BlockSite;
use crate::layout::{GroundRect, ModelLayout};

/// Cells narrower than this on screen, in pixels, stay flat.
const FLAT_PIXELS: f32 = 1.6;
/// Cells at least this wide on screen, in pixels, rise to their full height.
const RISEN_PIXELS: f32 = 3.5;

/// A camera, as far as choosing tiles needs it.
pub struct Eye {
    /// Where it is.
    pub position: Vec3,
    /// Which way it looks.
    pub forward: Vec3,
    /// Cosine of the half angle of a cone that holds the whole picture.
    pub cone_cos: f32,
    /// How many pixels one unit spans at distance one.
    pub pixels_per_unit: f32,
}

impl Eye {
    /// How wide a cell of `cell_size` on `rect` is at its nearest, in pixels; none out of view.
    fn cell_pixels(&self, rect: GroundRect, cell_size: f32) -> Option<f32> {
        let low = Vec2::new(rect.near_left.x, rect.near_left.y - rect.size.y);
        let high = Vec2::new(rect.near_left.x + rect.size.x, rect.near_left.y);
        let ground = Vec2::new(self.position.x, self.position.z).clamp(low, high);
        let nearest = Vec3::new(ground.x, 0.0, ground.y);
        let distance = nearest.distance(self.position).max(0.1);
        let radius = rect.size.length();
        let to_center = rect.center() - self.position;
        let reach = to_center.length();
        if reach > radius {
            // Seen under `asin(radius / reach)`; in view where the cones overlap.
            let sin = radius / reach;
            let cos = (1.0 - sin * sin).sqrt();
            let cone_sin = (1.0 - self.cone_cos * self.cone_cos).sqrt();
            let overlap_cos = self.cone_cos * cos - cone_sin * sin;
            if to_center.dot(self.forward) / reach < overlap_cos {
                return None;
            }
        }
        Some(self.pixels_per_unit * cell_size / distance)
    }
}

/// The tiles and heads that are near enough for boxes, nearest first, as many as `budget` cells
/// allow, each with how many cells it has. Those that don't fit stay flat: where the budget ends,
/// boxes sink into their tiles.
pub fn near_tiles(
    layout: &ModelLayout,
    eye: &Eye,
    is_hidden: impl Fn(BlockSite) -> bool,
    budget: usize,
) -> Vec<(NearTile, u32)> {
    let mut candidates: Vec<(f32, NearTile, usize)> = Vec::new();
    for (index, block) in layout.blocks.iter().enumerate() {
        let n_cells = block.grid.n_cells();
        let is_left_out = block.hook.site().is_some_and(&is_hidden);
        if n_cells > MAX_NEAR_CELLS || is_left_out {
            continue;
        }
        let over_lanes = layout.hook_rect(block.hook).map(|rect| GroundRect {
            size: rect.size.max(Vec2::splat(f32::EPSILON)),
            ..rect
        });
        let is_near = over_lanes
            .and_then(|rect| eye.cell_pixels(rect, block.cell_size))
            .is_some_and(|pixels| pixels > FLAT_PIXELS);
        if !is_near {
            continue;
        }
        for lane in 0..layout.n_lanes {
            let rect = layout.tile_rect(block, lane);
            if let Some(pixels) = eye.cell_pixels(rect, block.cell_size) {
                candidates.push((pixels, tile(index as u32, lane), n_cells));
            }
        }
    }
    let n_pattern_cells = layout.n_lanes * layout.n_lanes;
    if n_pattern_cells <= MAX_NEAR_CELLS && !is_hidden(BlockSite::Pattern) {
        for (index, band) in layout.bands.iter().enumerate() {
            for head in 0..band.n_heads {
                let cell_size = band.square_size / layout.n_lanes as f32;
                if let Some(pixels) = eye.cell_pixels(band.square(head), cell_size) {
                    let tile = tile(index as u32 | BAND_BIT, head);
                    candidates.push((pixels, tile, n_pattern_cells));
                }
            }
        }
    }
    candidates.retain(|(pixels, ..)| *pixels > FLAT_PIXELS);
    candidates.sort_by(|(a, ..), (b, ..)| b.total_cmp(a));
    let mut n_left = budget;
    let mut chosen: Vec<(f32, NearTile, u32)> = Vec::new();
    let mut floor_pixels = FLAT_PIXELS;
    for (pixels, tile, n_cells) in candidates {
        if n_cells > n_left || chosen.len() == MAX_NEAR_TILES {
            floor_pixels = pixels;
            break;
        }
        n_left -= n_cells;
        chosen.push((pixels, tile, n_cells as u32));
    }
    let full_pixels = floor_pixels * RISEN_PIXELS / FLAT_PIXELS;
    chosen
        .into_iter()
        .map(|(pixels, tile, n_cells)| {
            let share = ((pixels - floor_pixels) / (full_pixels - floor_pixels)).clamp(0.0, 1.0);
            let rise = share * share * (3.0 - 2.0 * share);
            (NearTile { rise, ..tile }, n_cells)
        })
        .collect()
}

fn tile(block: u32, lane: usize) -> NearTile {
    NearTile {
        block,
        lane: lane as u32,
        ..NearTile::default()
    }
}

pub(super) fn choose_near_tiles(
    layout: Res<SceneLayout>,
    settings: Res<SceneSettings>,
    camera: Query<(&Camera, &GlobalTransform), With<Camera3d>>,
    mut list: ResMut<DrawList>,
) {
    let (Some(layout), Some((camera, transform))) = (&layout.0, camera.iter().next()) else {
        return;
    };
    let Some(size) = camera.physical_viewport_size() else {
        return;
    };
    let scale = Vec2::new(
        camera.clip_from_view().x_axis.x,
        camera.clip_from_view().y_axis.y,
    );
    let corner = Vec3::new(1.0 / scale.x, 1.0 / scale.y, 1.0);
    let eye = Eye {
        position: transform.translation(),
        forward: *transform.forward(),
        cone_cos: 1.0 / corner.length(),
        pixels_per_unit: 0.5 * size.y as f32 * scale.y,
    };
    let near = near_tiles(
        layout,
        &eye,
        |site| settings.hidden.contains(&site),
        settings.box_budget,
    );
    let (tiles, cells): (Vec<NearTile>, Vec<u32>) = near.into_iter().unzip();
    if list.near_tiles != tiles || list.near_cells != cells {
        list.near_tiles = tiles;
        list.near_cells = cells;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ModelConfig;
    use crate::hook::HookPoint;

    fn eye_at(position: Vec3, target: Vec3) -> Eye {
        Eye {
            position,
            forward: (target - position).normalize(),
            cone_cos: 0.8,
            pixels_per_unit: 800.0,
        }
    }

    /// The tensors drawn near.
    fn hooks_of(layout: &ModelLayout, tiles: &[(NearTile, u32)]) -> Vec<HookPoint> {
        tiles
            .iter()
            .map(|(tile, _)| {
                if tile.block & BAND_BIT == 0 {
                    layout.blocks[tile.block as usize].hook
                } else {
                    let band = &layout.bands[(tile.block & !BAND_BIT) as usize];
                    HookPoint::block(band.layer, BlockSite::Pattern)
                }
            })
            .collect()
    }

    fn layout() -> ModelLayout {
        ModelLayout::new(&ModelConfig::preset("gpt2").unwrap(), 8)
    }

    #[test]
    fn from_far_above_everything_is_flat() {
        let layout = layout();
        let center = layout.bounds().center();
        let eye = eye_at(center + Vec3::Y * 20_000.0, center);

        assert!(near_tiles(&layout, &eye, |_| false, 1_000_000).is_empty());
    }

    #[test]
    fn what_one_stands_before_rises_to_its_full_height_and_what_is_behind_does_not() {
        let layout = layout();
        let here = layout
            .hook_rect(HookPoint::block(5, BlockSite::ResidPre))
            .unwrap()
            .center();
        let eye = eye_at(here + Vec3::new(0.0, 20.0, 30.0), here);

        let near = near_tiles(&layout, &eye, |_| false, 1_000_000);

        assert_eq!(near[0].0.rise, 1.0);
        let hooks = hooks_of(&layout, &near);
        assert!(hooks.contains(&HookPoint::block(5, BlockSite::ResidPre)));
        assert!(!hooks.contains(&HookPoint::block(3, BlockSite::ResidPre)));
        assert!(near.iter().any(|(tile, _)| tile.rise < 0.5));
    }

    #[test]
    fn the_budget_keeps_the_nearest_and_lets_the_last_sink_in() {
        let layout = layout();
        let here = layout.bands[2].square(3).center();
        let eye = eye_at(here + Vec3::new(0.0, 20.0, 30.0), here);
        let all = near_tiles(&layout, &eye, |_| false, usize::MAX);
        let budget = 20_000;

        let some = near_tiles(&layout, &eye, |_| false, budget);

        let n_cells: u32 = some.iter().map(|(_, n_cells)| n_cells).sum();
        assert!(n_cells as usize <= budget);
        assert!(some.len() < all.len());
        let key = |(tile, _): &(NearTile, u32)| (tile.block, tile.lane);
        assert!(
            some.iter()
                .map(key)
                .eq(all.iter().take(some.len()).map(key))
        );
        assert!(some.last().unwrap().0.rise < 0.2);
    }

    #[test]
    fn hidden_kinds_have_no_boxes() {
        let layout = layout();
        let here = layout.bands[2].square(3).center();
        let eye = eye_at(here + Vec3::new(0.0, 20.0, 30.0), here);

        let near = near_tiles(&layout, &eye, |site| site == BlockSite::Pattern, 1_000_000);

        assert!(
            hooks_of(&layout, &near)
                .iter()
                .all(|hook| hook.site() != Some(BlockSite::Pattern))
        );
    }
}
