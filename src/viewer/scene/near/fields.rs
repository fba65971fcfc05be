//! Matrices on the ground, and which of them are near.

use bevy::prelude::*;

use crate::layout::{GroundRect, ModelLayout};
use crate::viewer::scene::eye::Eye;
use crate::viewer::scene::gpu::MAX_NEAR_CELLS;

/// A matrix on the ground: one head's attention, or a weight field.
pub(in crate::viewer::scene) struct GroundField {
    /// Its place among all: squares of attention first, then weights.
    pub(in crate::viewer::scene) index: usize,
    /// The head's band and number, or the weight field's index.
    pub(in crate::viewer::scene) what: FieldOf,
    /// Its ground.
    pub(in crate::viewer::scene) rect: GroundRect,
    /// Cells along -Z.
    pub(in crate::viewer::scene) n_rows: usize,
    /// Cells along X.
    pub(in crate::viewer::scene) n_cols: usize,
}

/// Which matrix it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::viewer::scene) enum FieldOf {
    /// Band and head.
    Square(usize, usize),
    /// Index among the layout's weight fields.
    Weight(usize),
}

/// Rows and columns of a field.
pub(super) struct Part {
    pub(super) first_row: usize,
    pub(super) first_col: usize,
    pub(super) n_rows: usize,
    pub(super) n_cols: usize,
}

impl GroundField {
    /// The shorter edge of a cell, in units.
    pub(in crate::viewer::scene) fn cell_size(&self) -> f32 {
        let size = self.rect.size / Vec2::new(self.n_cols as f32, self.n_rows as f32);
        size.min_element()
    }

    /// The cells around where the camera looks, at most `edge` along each side.
    pub(super) fn part_near(&self, eye: &Eye, edge: usize) -> Option<Part> {
        let point = eye.focus_on(&self.rect);
        let place = |share: f32, n: usize| (share.clamp(0.0, 1.0) * n as f32) as usize;
        let row = place(
            (self.rect.near_left.y - point.y) / self.rect.size.y,
            self.n_rows,
        );
        let col = place(
            (point.x - self.rect.near_left.x) / self.rect.size.x,
            self.n_cols,
        );
        let part = |at: usize, n: usize, edge: usize| {
            let len = n.min(edge);
            // Steps of a sixteenth, so that not every move of the camera changes the part.
            let step = (edge / 16).max(1);
            let first = at.saturating_sub(len / 2) / step * step;
            (first.min(n - len), len)
        };
        // A strip may be longer than it is wide.
        let cols_edge = (edge * edge / self.n_rows.min(edge)).min(4096);
        let rows_edge = (edge * edge / self.n_cols.min(edge)).min(4096);
        let (first_row, n_rows) = part(row, self.n_rows, rows_edge);
        let (first_col, n_cols) = part(col, self.n_cols, cols_edge);
        (n_rows * n_cols > 0 && n_rows * n_cols <= MAX_NEAR_CELLS).then_some(Part {
            first_row,
            first_col,
            n_rows,
            n_cols,
        })
    }
}

/// Calls `visit` with every field in view whose cells are more than `min_pixels` wide at their
/// nearest, and how wide they are.
pub(in crate::viewer::scene) fn fields_in_view(
    layout: &ModelLayout,
    eye: &Eye,
    min_pixels: f32,
    mut visit: impl FnMut(&GroundField, f32),
) {
    let mut index = 0;
    let mut consider = |field: &GroundField| {
        if let Some(pixels) = eye.cell_pixels(field.rect, field.cell_size())
            && pixels > min_pixels
        {
            visit(field, pixels);
        }
    };
    for (band_index, band) in layout.bands.iter().enumerate() {
        let cell_size = band.square_size / layout.n_lanes as f32;
        let is_near = eye
            .cell_pixels(band.rect(), cell_size)
            .is_some_and(|pixels| pixels > min_pixels);
        if is_near {
            for head in 0..band.n_heads {
                consider(&GroundField {
                    index: index + head,
                    what: FieldOf::Square(band_index, head),
                    rect: band.square(head),
                    n_rows: layout.n_lanes,
                    n_cols: layout.n_lanes,
                });
            }
        }
        index += band.n_heads;
    }
    for (field_index, field) in layout.fields.iter().enumerate() {
        consider(&GroundField {
            index: index + field_index,
            what: FieldOf::Weight(field_index),
            rect: field.rect,
            n_rows: field.n_rows,
            n_cols: field.n_cols(),
        });
    }
}
