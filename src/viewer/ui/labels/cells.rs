//! Values on the cells before which one stands.

use glam::{Vec2, Vec3};

use super::eye::fade;
use super::names::style;
use super::{LabelScene, Labels, Spot, Tone};
use crate::color::Rgb;
use crate::layout::{CellId, GroundRect};

/// Cells that may carry their value at once.
const MAX_CELLS: usize = 200;
/// From this width on, in points, a cell carries its value.
const VALUE_POINTS: f32 = 46.0;
/// From this width on, in points, its index as well.
const INDEX_POINTS: f32 = 90.0;
/// Size of the digits, in points, and how wide one is at most.
const FONT_SIZE: f32 = 11.0;
const DIGIT_POINTS: f32 = 0.55 * FONT_SIZE;
/// Depth at which a face holds digits, in points.
const FACE_POINTS: [f32; 2] = [11.0, 15.0];
/// How far towards the eye something may hide a cell, in steps of half a cell.
const MAX_STEPS: usize = 48;

/// A cell's value and how it is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CellLook {
    /// The exact value.
    pub value: f32,
    /// How high its box stands, in units.
    pub height: f32,
    /// Its colour.
    pub color: Rgb,
}

/// A rectangle of cells on the ground near the eye.
struct Patch {
    rect: GroundRect,
    cell_size: f32,
    /// The cell at a column and a row.
    cell_at: Box<dyn Fn(usize, usize) -> Option<CellId>>,
}

impl Patch {
    fn cell_rect(&self, col: usize, row: usize) -> GroundRect {
        let corner = Vec2::new(col as f32, -(row as f32)) * self.cell_size;
        GroundRect {
            near_left: self.rect.near_left + corner,
            size: Vec2::splat(self.cell_size),
        }
    }

    /// The cell on the ground point `(x, z)`.
    fn cell_on(&self, x: f32, z: f32) -> Option<CellId> {
        if !self.rect.contains(x, z) {
            return None;
        }
        let col = ((x - self.rect.near_left.x) / self.cell_size) as usize;
        let row = ((self.rect.near_left.y - z) / self.cell_size) as usize;
        (self.cell_at)(col, row)
    }
}

/// A cell large enough for its value.
struct Large {
    cell: CellId,
    rect: GroundRect,
    look: CellLook,
    points: f32,
}

pub(super) fn add(labels: &mut Labels<'_, '_>) {
    let scene = labels.scene;
    let patches = patches(scene);
    let mut large = large_cells(scene, &patches);
    large.sort_by(|a, b| b.points.total_cmp(&a.points).then(a.cell.cmp(&b.cell)));
    // Those that are left out fade first.
    let least = large.get(MAX_CELLS).map_or(0.0, |cell| cell.points);
    large.truncate(MAX_CELLS);
    for (rank, cell) in large.iter().enumerate() {
        let share = if least > 0.0 {
            fade(least, 1.15 * least, cell.points)
        } else {
            1.0
        };
        add_value(labels, &patches, cell, rank as u32, share);
    }
}

/// The tiles and squares near enough that a cell of them may be large.
fn patches(scene: &LabelScene<'_>) -> Vec<Patch> {
    let layout = scene.layout;
    let mut patches = Vec::new();
    let is_near = |rect: GroundRect, cell_size: f32| {
        scene.eye.nearest_points_per_unit(rect) * cell_size > VALUE_POINTS
            && scene.eye.sees(rect, cell_size)
    };
    let n_lanes = scene.tokens.len().min(layout.n_lanes);
    for block in &layout.blocks {
        let Some(row) = layout.hook_rect(block.hook) else {
            continue;
        };
        if !is_near(row, block.cell_size) {
            continue;
        }
        for lane in 0..n_lanes {
            let rect = layout.tile_rect(block, lane);
            if scene.lit(lane, block.order as f32) < 1.0 || !is_near(rect, block.cell_size) {
                continue;
            }
            let (grid, hook) = (block.grid, block.hook);
            patches.push(Patch {
                rect,
                cell_size: block.cell_size,
                cell_at: Box::new(move |col, row| {
                    let (head, index) = grid.cell_at(col, row)?;
                    Some(CellId {
                        hook,
                        pos: lane,
                        head,
                        index,
                    })
                }),
            });
        }
    }
    for band in &layout.bands {
        let cell_size = band.square_size / layout.n_lanes.max(1) as f32;
        let (hook, window) = (band.hook, band.window);
        for head in 0..band.n_heads {
            let rect = band.square(head);
            if !is_near(rect, cell_size) {
                continue;
            }
            patches.push(Patch {
                rect,
                cell_size,
                cell_at: Box::new(move |key, query| {
                    let reach = window.unwrap_or(usize::MAX);
                    (key <= query && query - key < reach).then_some(CellId {
                        hook,
                        pos: query,
                        head,
                        index: key,
                    })
                }),
            });
        }
    }
    patches
}

fn large_cells(scene: &LabelScene<'_>, patches: &[Patch]) -> Vec<Large> {
    let mut large = Vec::new();
    for patch in patches {
        let cols = (patch.rect.size.x / patch.cell_size).round() as usize;
        let rows = (patch.rect.size.y / patch.cell_size).round() as usize;
        for row in 0..rows {
            let strip = GroundRect {
                near_left: patch.rect.near_left - Vec2::Y * (row as f32 * patch.cell_size),
                size: Vec2::new(patch.rect.size.x, patch.cell_size),
            };
            if scene.eye.nearest_points_per_unit(strip) * patch.cell_size < VALUE_POINTS {
                continue;
            }
            for col in 0..cols {
                let rect = patch.cell_rect(col, row);
                let points = scene.eye.extent(rect).x;
                if points < VALUE_POINTS || !scene.eye.sees(rect, patch.cell_size) {
                    continue;
                }
                let Some(cell) = (patch.cell_at)(col, row) else {
                    continue;
                };
                if let Some(look) = (scene.cell)(cell) {
                    large.push(Large {
                        cell,
                        rect,
                        look,
                        points,
                    });
                }
            }
        }
    }
    large
}

/// A cell's value: on its top, or on its front where the top is seen at too flat an angle.
fn add_value(labels: &mut Labels<'_, '_>, patches: &[Patch], cell: &Large, rank: u32, share: f32) {
    let scene = labels.scene;
    let size = cell.rect.size.x;
    let top = cell.rect.center() + Vec3::Y * cell.look.height;
    let left = top - Vec3::X * 0.45 * size;
    let right = top + Vec3::X * 0.45 * size;
    let width = scene.eye.length(left, right);
    let deep = scene
        .eye
        .length(top - Vec3::Z * 0.4 * size, top + Vec3::Z * 0.4 * size);
    let front = cell.rect.center() + Vec3::new(0.0, 0.5 * cell.look.height, 0.46 * size);
    let high = scene.eye.length(
        front - Vec3::Y * 0.5 * cell.look.height,
        front + Vec3::Y * 0.5 * cell.look.height,
    );
    let [low_face, full_face] = FACE_POINTS;
    let on_top = fade(low_face, full_face, deep);
    let on_front = (1.0 - on_top) * fade(low_face, full_face, high);
    let is_wide = share * fade(VALUE_POINTS, 1.2 * VALUE_POINTS, cell.points);
    let side = cell.look.color.map(|part| (0.74 * f32::from(part)) as u8);
    let faces = [(top, on_top, cell.look.color), (front, on_front, side)];
    for (face, (at, presence, color)) in faces.into_iter().enumerate() {
        let presence = presence * is_wide;
        if presence <= 0.0 || is_hidden(scene, patches, cell.cell, at, size) {
            continue;
        }
        let style = style(10, FONT_SIZE, Tone::OnCell(color));
        let spot = Spot::at(at);
        labels.add(style, 2 * rank + face as u32, spot, presence, 1.0, || {
            text(cell, width)
        });
    }
}

/// The value as exactly as it fits, and the index where there is room for both.
fn text(cell: &Large, width: f32) -> String {
    let n_chars = (width / DIGIT_POINTS) as usize;
    if width >= INDEX_POINTS {
        let index = format!("[{}] ", cell.cell.index);
        if let Some(number) = fit_number(cell.look.value, n_chars.saturating_sub(index.len())) {
            return index + &number;
        }
    }
    fit_number(cell.look.value, n_chars).unwrap_or_default()
}

/// A number with as many digits as fit into `n_chars`, at most those that tell it from every other
/// f32; none where not even one digit fits.
pub(super) fn fit_number(value: f32, n_chars: usize) -> Option<String> {
    let exact = value.to_string();
    if exact.len() <= n_chars {
        return Some(exact);
    }
    let scientific = |digits: usize| format!("{value:.digits$e}");
    let plain = |digits: usize| format!("{value:.digits$}");
    let magnitude = value.abs();
    let is_plain = (1e-2..1e6).contains(&magnitude);
    (0..9)
        .rev()
        .map(|digits| {
            if is_plain {
                plain(digits)
            } else {
                scientific(digits)
            }
        })
        .find(|text| {
            let says_something = !is_plain || text.parse::<f32>().is_ok_and(|read| read != 0.0);
            text.len() <= n_chars && says_something
        })
}

/// Whether another cell's box stands between the eye and a point on `own`'s.
fn is_hidden(
    scene: &LabelScene<'_>,
    patches: &[Patch],
    own: CellId,
    point: Vec3,
    cell_size: f32,
) -> bool {
    let towards = scene.eye.position - point;
    let flat = Vec2::new(towards.x, towards.z).length();
    if flat < 1e-3 {
        return false;
    }
    let step = towards * (0.5 * cell_size / flat);
    let n_steps = ((flat / (0.5 * cell_size)) as usize).min(MAX_STEPS);
    (1..=n_steps).any(|index| {
        let on_way = point + step * index as f32;
        patches
            .iter()
            .filter_map(|patch| patch.cell_on(on_way.x, on_way.z))
            .filter(|cell| *cell != own)
            .filter_map(|cell| (scene.cell)(cell))
            .any(|look| look.height > on_way.y)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_as_many_digits_as_fit_and_no_more_than_it_has() {
        for (value, n_chars, expected) in [
            (0.012_345_679, 20, Some("0.012345679")),
            (0.012_345_679, 6, Some("0.0123")),
            (-0.012_345_679, 6, Some("-0.012")),
            (-12.5, 6, Some("-12.5")),
            (123.456, 4, Some("123")),
            (0.5, 3, Some("0.5")),
            (1.0, 6, Some("1")),
            (0.0, 6, Some("0")),
            (1.234e-7, 7, Some("1.23e-7")),
            (1.234e9, 6, Some("1.23e9")),
            (0.012, 2, None),
            (123_456.0, 3, None),
        ] {
            assert_eq!(
                fit_number(value, n_chars).as_deref(),
                expected,
                "{value} in {n_chars}"
            );
        }
    }
}
