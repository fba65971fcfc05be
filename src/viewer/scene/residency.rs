//! Brings the values that are seen in detail into the pool, the nearest first.

use bevy::prelude::*;

use super::attention::reduce_square;
use super::eye::Eye;
use super::gpu::Field;
use super::near::{FieldOf, GroundField, fields_in_view, tiles_in_view};
use super::overlay::Overlay;
use super::pool::{PoolKey, ValuePool};
use super::values::{ValueTable, finite_or_stand_in};
use super::weights::{WeightStore, Window};
use super::{DrawList, SceneLayout, SceneSettings};
use crate::hook::HookPoint;
use crate::layout::{ModelLayout, WeightField};
use crate::trace::TokenTrace;
use crate::viewer::inference::ActiveTrace;

/// Cells narrower than this on screen, in pixels, are seen only as what they come down to.
const DETAIL_PIXELS: f32 = 0.55;
/// Rows and columns of a window of weights.
const WINDOW_EDGE: usize = 1024;
/// Windows begin at multiples of this, so that not every move of the camera reads another.
const WINDOW_STEP: usize = 256;
/// Numbers of a row of a square's window are a multiple of this, so that a new token's row finds
/// room beside what is there.
const SQUARE_STEP: usize = 64;

/// What is to be seen in detail.
enum Want {
    Tile(HookPoint, usize),
    Square {
        index: usize,
        band: usize,
        head: usize,
        level: u32,
    },
    Window {
        index: usize,
        field: usize,
        window: Window,
    },
}

pub(super) fn stream_values(
    layout: Res<SceneLayout>,
    trace: Res<ActiveTrace>,
    settings: Res<SceneSettings>,
    overlay: Res<Overlay>,
    eye: Res<Eye>,
    mut table: ResMut<ValueTable>,
    mut pool: ResMut<ValuePool>,
    mut weights: ResMut<WeightStore>,
    mut list: ResMut<DrawList>,
) {
    let Some(layout) = &layout.0 else {
        return;
    };
    let table = table.bypass_change_detection();
    let pool = &mut *pool;
    let shown = |pos: usize| overlay.token(&trace, pos);
    pool.begin_frame();
    let (has_overviews, windows) = weights.bypass_change_detection().receive();
    if has_overviews {
        weights.set_changed();
    }
    for (window, values) in windows {
        if let Some(slot) = pool.take(PoolKey::Window(window), values.len()) {
            pool.set_done(&PoolKey::Window(window), window.n_rows);
            pool.upload(slot.offset, values);
        }
    }
    let wants = wants(layout, &eye, &trace, table, &weights);
    let mut fields = list.bypass_change_detection().fields.clone();
    for field in &mut fields {
        field.slot = 0;
    }
    let mut n_left = settings.upload_budget;
    for (_, want) in wants {
        match want {
            Want::Tile(hook, pos) => show_tile(&shown, table, pool, &mut n_left, hook, pos),
            Want::Square {
                index,
                band,
                head,
                level,
            } => {
                let band = &layout.bands[band];
                let square = SquareWindow {
                    hook: band.hook,
                    window: band.window,
                    head,
                    level,
                    n: layout.n_lanes.min(trace.n_pos()),
                    is_final: table.has_parts(),
                };
                show_square(
                    &shown,
                    &settings,
                    pool,
                    &mut n_left,
                    &square,
                    &mut fields[index],
                );
            }
            Want::Window {
                index,
                field,
                window,
            } => {
                let key = PoolKey::Window(window);
                match pool.find(&key) {
                    Some(slot) => set_window(&mut fields[index], &window, slot.offset),
                    None => {
                        let field_key = window.field;
                        let source = &layout.fields[field];
                        weights.bypass_change_detection().ask(source, window);
                        // The last window stays until the next has come.
                        if let Some((old, offset)) = pool.window_of(field_key) {
                            set_window(&mut fields[index], &old, offset);
                        }
                    }
                }
            }
        }
    }
    for key in pool.take_evicted() {
        if let PoolKey::Tile { hook, pos } = key
            && let Some(order) = table.order(hook)
        {
            table.set_slot(pos, order, 0);
        }
    }
    pool.is_behind = n_left == 0;
    if list.fields != fields {
        list.fields = fields;
    }
}

/// Everything in view whose cells can be told apart, the nearest first.
fn wants(
    layout: &ModelLayout,
    eye: &Eye,
    trace: &ActiveTrace,
    table: &ValueTable,
    weights: &WeightStore,
) -> Vec<(f32, Want)> {
    let mut wants: Vec<(f32, Want)> = Vec::new();
    let n_pos = trace.n_pos();
    if n_pos > 0 {
        tiles_in_view(layout, eye, DETAIL_PIXELS, |block, lane, pixels| {
            if lane < n_pos {
                wants.push((pixels, Want::Tile(layout.blocks[block].hook, lane)));
            }
        });
    }
    let block = table.attention().block();
    // Any field might be large enough: what one pixel spans decides.
    fields_in_view(layout, eye, 0.0, |field, pixels| {
        let want = match field.what {
            FieldOf::Square(band, head) if block > 1 && n_pos > 0 => {
                let level = level_for(pixels);
                ((1usize << level) < block).then_some(Want::Square {
                    index: field.index,
                    band,
                    head,
                    level,
                })
            }
            FieldOf::Weight(index) if weights.has_weights() => {
                window_for(field, &layout.fields[index], eye, pixels).map(|window| Want::Window {
                    index: field.index,
                    field: index,
                    window,
                })
            }
            _ => None,
        };
        if let Some(want) = want {
            wants.push((pixels, want));
        }
    });
    wants.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    wants
}

/// How often numbers `pixels` wide are to be halved until each has a pixel.
fn level_for(pixels: f32) -> u32 {
    (0.9 / pixels.max(1e-6)).log2().ceil().max(0.0) as u32
}

fn window_for(field: &GroundField, source: &WeightField, eye: &Eye, pixels: f32) -> Option<Window> {
    let level = level_for(pixels);
    let block = 1usize << level.min(30);
    // What the reductions at hand show as well needs no window.
    let is_needed = field.n_rows.max(field.n_cols) > 64 * block || level == 0;
    if !is_needed {
        return None;
    }
    let point = eye.focus_on(&field.rect);
    let along = |share: f32, n: usize| {
        let n_cells = n.div_ceil(block);
        let len = n_cells.min(WINDOW_EDGE);
        let middle = (share.clamp(0.0, 1.0) * n_cells as f32) as usize;
        let first = middle.saturating_sub(len / 2) / WINDOW_STEP * WINDOW_STEP;
        let first = first.min(n_cells.saturating_sub(len).next_multiple_of(WINDOW_STEP));
        (first, len.min(n_cells - first))
    };
    let (first_row, n_rows) = along(
        (field.rect.near_left.y - point.y) / field.rect.size.y,
        field.n_rows,
    );
    let (first_col, n_cols) = along(
        (point.x - field.rect.near_left.x) / field.rect.size.x,
        field.n_cols,
    );
    Some(Window {
        field: (source.weight, source.columns.start),
        level,
        first_row,
        first_col,
        n_rows,
        n_cols,
    })
}

fn show_tile<'a>(
    shown: &impl Fn(usize) -> Option<TokenTrace<'a>>,
    table: &mut ValueTable,
    pool: &mut ValuePool,
    n_left: &mut usize,
    hook: HookPoint,
    pos: usize,
) {
    let key = PoolKey::Tile { hook, pos };
    if pool.find(&key).is_some() {
        return;
    }
    let Some(row) = shown(pos).and_then(|token| token.row(hook)) else {
        return; // Not computed yet.
    };
    if *n_left < row.len() {
        *n_left = 0;
        return;
    }
    let (Some(order), Some(slot)) = (table.order(hook), pool.take(key, row.len())) else {
        return;
    };
    *n_left -= row.len();
    pool.set_done(&key, 1);
    let values = row.iter().copied().map(finite_or_stand_in).collect();
    pool.upload(slot.offset, values);
    table.set_slot(pos, order, slot.offset as u32 + 1);
}

struct SquareWindow {
    hook: HookPoint,
    /// How far back a query sees; all the way without one.
    window: Option<usize>,
    head: usize,
    level: u32,
    /// Positions there are.
    n: usize,
    /// Whether rows that are not there never will be.
    is_final: bool,
}

fn show_square<'a>(
    shown: &impl Fn(usize) -> Option<TokenTrace<'a>>,
    settings: &SceneSettings,
    pool: &mut ValuePool,
    n_left: &mut usize,
    square: &SquareWindow,
    field: &mut Field,
) {
    let block = 1usize << square.level;
    let n_rows = square.n.div_ceil(block);
    let edge = n_rows.next_multiple_of(SQUARE_STEP);
    let key = PoolKey::Square {
        hook: square.hook,
        head: square.head,
        level: square.level,
        edge,
    };
    let Some(slot) = pool
        .find(&key)
        .or_else(|| (*n_left > 0).then(|| pool.take(key, edge * edge)).flatten())
    else {
        return;
    };
    // A row that was not whole yet is written again.
    let first_row = slot.n_done / block;
    if slot.n_done < square.n {
        let n_cells = (n_rows - first_row) * edge;
        if n_cells > *n_left {
            *n_left = 0;
            return;
        }
        *n_left -= n_cells;
        let row_of = |query: usize| {
            let token = shown(query)?;
            token.attention_row(square.hook, square.head)
        };
        let cells = reduce_square(
            row_of,
            square.n,
            square.level,
            first_row,
            edge,
            settings.reduction,
            square.window,
        );
        pool.upload(slot.offset + first_row * edge, cells);
        let is_computed = square.is_final || square.n == 0 || row_of(square.n - 1).is_some();
        pool.set_done(&key, if is_computed { square.n } else { 0 });
    }
    field.slot = slot.offset as u32 + 1;
    field.stride = edge as u32;
    field.level = square.level;
    (field.first_row, field.first_col) = (0, 0);
    (field.window_rows, field.window_cols) = (n_rows as u32, n_rows as u32);
}

fn set_window(field: &mut Field, window: &Window, offset: usize) {
    field.slot = offset as u32 + 1;
    field.stride = window.n_cols as u32;
    field.level = window.level;
    field.first_row = window.first_row as u32;
    field.first_col = window.first_col as u32;
    field.window_rows = window.n_rows as u32;
    field.window_cols = window.n_cols as u32;
}
