//! Which tiles are near enough for boxes.

mod fields;

use bevy::prelude::*;

use super::eye::Eye;
use super::gpu::{FIELD_BIT, MAX_NEAR_CELLS, MAX_NEAR_TILES, NearTile};
use super::{DrawList, SceneLayout, SceneSettings};
use crate::layout::{GroundRect, ModelLayout, TileBlock};

pub(super) use fields::{FieldOf, GroundField, fields_in_view};

/// Cells narrower than this on screen, in pixels, stay flat.
const FLAT_PIXELS: f32 = 1.6;
/// Cells at least this wide on screen, in pixels, rise to their full height.
const RISEN_PIXELS: f32 = 3.5;
/// Rows and columns of a field that can be boxes at once.
const FIELD_EDGE: usize = 160;

/// What is near enough for boxes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NearTiles {
    /// The tiles and parts of fields, nearest first.
    pub tiles: Vec<NearTile>,
    /// How many cells each of them has.
    pub n_cells: Vec<u32>,
    /// Cells narrower than this on screen, in pixels, are flat.
    pub flat_pixels: f32,
    /// Cells at least this wide on screen, in pixels, have their full height.
    pub risen_pixels: f32,
}

/// The tiles and parts of fields that are near enough for boxes, nearest first, as many as `budget`
/// cells allow. Those that don't fit stay flat: where the budget ends, boxes sink into their tiles.
pub fn near_tiles(layout: &ModelLayout, eye: &Eye, budget: usize) -> NearTiles {
    let mut candidates: Vec<(f32, NearTile, usize)> = Vec::new();
    tiles_in_view(layout, eye, FLAT_PIXELS, |block_index, lane, pixels| {
        let block = &layout.blocks[block_index];
        let n_cells = block.grid.n_cells();
        let tile = NearTile {
            block: block_index as u32,
            lane: lane as u32,
            ..NearTile::default()
        };
        if n_cells <= MAX_NEAR_CELLS {
            candidates.push((pixels, tile, n_cells));
            return;
        }
        // A long vocabulary rises row by row.
        for part in parts_of(layout, block, lane) {
            let near = eye.cell_pixels(part.rect, block.cell_size);
            if let Some(pixels) = near.filter(|pixels| *pixels > FLAT_PIXELS) {
                let tile = NearTile {
                    first_row: part.first_cell as u32,
                    ..tile
                };
                candidates.push((pixels, tile, part.n_cells));
            }
        }
    });
    fields_in_view(layout, eye, FLAT_PIXELS, |field, pixels| {
        let Some(part) = field.part_near(eye, FIELD_EDGE) else {
            return;
        };
        let tile = NearTile {
            block: field.index as u32 | FIELD_BIT,
            lane: 0,
            first_row: part.first_row as u32,
            first_col: part.first_col as u32,
            n_cols: part.n_cols as u32,
            unused: 0,
        };
        candidates.push((pixels, tile, part.n_rows * part.n_cols));
    });
    candidates.sort_by(|(a, ..), (b, ..)| b.total_cmp(a));
    let mut n_left = budget;
    let mut near = NearTiles {
        flat_pixels: FLAT_PIXELS,
        ..NearTiles::default()
    };
    for (pixels, tile, n_cells) in candidates {
        if n_cells > n_left || near.tiles.len() == MAX_NEAR_TILES {
            near.flat_pixels = pixels;
            break;
        }
        n_left -= n_cells;
        near.tiles.push(tile);
        near.n_cells.push(n_cells as u32);
    }
    near.risen_pixels = near.flat_pixels * RISEN_PIXELS / FLAT_PIXELS;
    near
}

/// Some rows of a tile without heads.
struct TilePart {
    rect: GroundRect,
    first_cell: usize,
    n_cells: usize,
}

/// A tile in parts of a few rows, so that what is near of it rises by itself.
fn parts_of(
    layout: &ModelLayout,
    block: &TileBlock,
    lane: usize,
) -> impl Iterator<Item = TilePart> {
    let (grid, rect) = (block.grid, layout.tile_rect(block, lane));
    let cell_size = block.cell_size;
    let n_rows_each = (MAX_NEAR_CELLS / 8 / grid.cols()).max(1);
    (0..grid.rows()).step_by(n_rows_each).map(move |first_row| {
        let n_rows = n_rows_each.min(grid.rows() - first_row);
        let first_cell = first_row * grid.cols();
        TilePart {
            rect: GroundRect {
                near_left: rect.near_left - Vec2::new(0.0, first_row as f32 * cell_size),
                size: Vec2::new(rect.size.x, n_rows as f32 * cell_size),
            },
            first_cell,
            n_cells: (n_rows * grid.cols()).min(grid.n_cells() - first_cell),
        }
    })
}

/// Calls `visit` with every tile in view whose cells are more than `min_pixels` wide at their
/// nearest: the block's index, the lane, and how wide they are.
pub(super) fn tiles_in_view(
    layout: &ModelLayout,
    eye: &Eye,
    min_pixels: f32,
    mut visit: impl FnMut(usize, usize, f32),
) {
    for (index, block) in layout.blocks.iter().enumerate() {
        let is_near = layout
            .hook_rect(block.hook)
            .and_then(|rect| eye.cell_pixels(rect, block.cell_size))
            .is_some_and(|pixels| pixels > min_pixels);
        if !is_near {
            continue;
        }
        let lanes = eye.lanes(
            block.cell_size,
            min_pixels,
            layout.lane_pitch,
            layout.n_lanes,
        );
        for lane in lanes {
            let rect = layout.tile_rect(block, lane);
            if let Some(pixels) = eye.cell_pixels(rect, block.cell_size)
                && pixels > min_pixels
            {
                visit(index, lane, pixels);
            }
        }
    }
}

pub(super) fn choose_near_tiles(
    layout: Res<SceneLayout>,
    settings: Res<SceneSettings>,
    eye: Res<Eye>,
    mut list: ResMut<DrawList>,
) {
    let Some(layout) = &layout.0 else {
        return;
    };
    let near = near_tiles(layout, &eye, settings.box_budget);
    if list.near != near {
        list.uniform.flat_pixels = near.flat_pixels;
        list.uniform.risen_pixels = near.risen_pixels;
        list.near = near;
    }
    if list.uniform.pixels_per_unit != eye.pixels_per_unit {
        list.uniform.pixels_per_unit = eye.pixels_per_unit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ModelConfig;
    use crate::hook::{BlockSite, HookPoint};

    fn eye_at(position: Vec3, target: Vec3) -> Eye {
        Eye {
            position,
            forward: (target - position).normalize(),
            cone_cos: 0.8,
            pixels_per_unit: 800.0,
        }
    }

    /// The tensors drawn near.
    fn hooks_of(layout: &ModelLayout, near: &NearTiles) -> Vec<HookPoint> {
        near.tiles
            .iter()
            .filter(|tile| tile.block & FIELD_BIT == 0)
            .map(|tile| layout.blocks[tile.block as usize].hook)
            .collect()
    }

    fn layout(n_lanes: usize) -> ModelLayout {
        ModelLayout::new(&ModelConfig::preset("gpt2").unwrap(), n_lanes)
    }

    fn before_head(layout: &ModelLayout) -> Eye {
        let band = layout
            .band(HookPoint::block(2, BlockSite::Pattern))
            .unwrap();
        let here = band.square(3).center();
        eye_at(here + Vec3::new(0.0, 20.0, 30.0), here)
    }

    #[test]
    fn from_far_above_everything_is_flat() {
        let layout = layout(8);
        let center = layout.bounds().center();
        let eye = eye_at(center + Vec3::Y * 20_000.0, center);

        assert!(near_tiles(&layout, &eye, 1_000_000).tiles.is_empty());
    }

    #[test]
    fn what_one_stands_before_rises_and_what_is_behind_does_not() {
        let layout = layout(8);
        let here = layout
            .hook_rect(HookPoint::block(5, BlockSite::ResidPre))
            .unwrap()
            .center();
        let eye = eye_at(here + Vec3::new(0.0, 20.0, 30.0), here);

        let near = near_tiles(&layout, &eye, 1_000_000);

        let hooks = hooks_of(&layout, &near);
        assert!(hooks.contains(&HookPoint::block(5, BlockSite::ResidPre)));
        assert!(!hooks.contains(&HookPoint::block(3, BlockSite::ResidPre)));
        assert_eq!(near.flat_pixels, FLAT_PIXELS);
    }

    #[test]
    fn of_a_long_vocabulary_the_rows_before_the_camera_rise() {
        let config = ModelConfig::preset("llama-3-8b").unwrap();
        let layout = ModelLayout::new(&config, 2);
        let block = layout.block(HookPoint::Logits).unwrap();
        let target = layout.tile_rect(block, 0).center();
        let eye = eye_at(target + Vec3::new(0.0, 3.0, 4.0), target);

        let near = near_tiles(&layout, &eye, 100_000);

        let parts = near.tiles.iter().zip(&near.n_cells).filter(|(tile, _)| {
            tile.block & FIELD_BIT == 0
                && layout.blocks[tile.block as usize].hook == HookPoint::Logits
        });
        let cells: Vec<(usize, usize)> = parts
            .map(|(tile, n)| (tile.first_row as usize, *n as usize))
            .collect();
        let middle = config.d_vocab / 2;
        let has_middle = |(first, n): &(usize, usize)| (*first..first + n).contains(&middle);
        assert!(cells.iter().any(has_middle), "{cells:?}");
        let (first, n) = *cells.iter().max().unwrap();
        assert!(first + n <= config.d_vocab && n <= MAX_NEAR_CELLS);
    }

    #[test]
    fn the_budget_keeps_the_nearest_and_lets_the_last_sink_in() {
        let layout = layout(8);
        let eye = before_head(&layout);
        let all = near_tiles(&layout, &eye, usize::MAX);
        let budget = 20_000;

        let some = near_tiles(&layout, &eye, budget);

        let n_cells: u32 = some.n_cells.iter().sum();
        assert!(n_cells as usize <= budget);
        assert!(some.tiles.len() < all.tiles.len());
        assert_eq!(some.tiles[..], all.tiles[..some.tiles.len()]);
        assert!(
            some.flat_pixels > FLAT_PIXELS,
            "where the budget ends, boxes are flat"
        );
    }

    #[test]
    fn of_a_thousand_tokens_the_heads_part_before_the_camera_rises() {
        let layout = layout(1024);
        let band = layout
            .band(HookPoint::block(2, BlockSite::Pattern))
            .unwrap();
        let target = band.square(7).center();
        let eye = eye_at(target + Vec3::new(0.0, 3.0, 4.0), target);

        let near = near_tiles(&layout, &eye, 200_000);

        let part = near
            .tiles
            .iter()
            .find(|tile| tile.block & FIELD_BIT != 0)
            .unwrap();
        assert!(part.n_cols < 1024);
        // It holds the number in the middle of the picture.
        assert!((part.first_row..part.first_row + part.n_cols).contains(&512));
        assert!((part.first_col..part.first_col + part.n_cols).contains(&512));
    }

    #[test]
    fn weights_rise_when_one_stands_before_them() {
        let layout = layout(4);
        let (index, field) = layout
            .fields
            .iter()
            .enumerate()
            .find(|(_, field)| field.n_rows == 768 && field.n_cols() == 3072)
            .unwrap();
        let target = field.rect.center();
        let eye = eye_at(target + Vec3::new(0.0, 2.0, 2.0), target);
        let n_squares: usize = layout.bands.iter().map(|band| band.n_heads).sum();

        let near = near_tiles(&layout, &eye, 200_000);

        let block = (n_squares + index) as u32 | FIELD_BIT;
        assert!(near.tiles.iter().any(|tile| tile.block == block));
    }
}
