//! Weights as fields on the ground, every number a cell.

use std::ops::Range;

use glam::Vec2;

use super::GroundRect;
use crate::config::ModelConfig;
use crate::weight::WeightPoint;

/// Tokens of the vocabulary in one field; a longer vocabulary has several.
pub(super) const FIELD_TOKENS: usize = 4096;

/// A learned matrix or vector, or a part of one, on the ground.
///
/// Its rows lie along -Z and its columns along +X, as the weight has them or transposed.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightField {
    /// The weight.
    pub weight: WeightPoint,
    /// Whether the field's rows are the weight's columns.
    pub is_transposed: bool,
    /// Which of the weight's entries along the field's columns it shows.
    pub columns: Range<usize>,
    /// Cells along -Z.
    pub n_rows: usize,
    /// Its ground.
    pub rect: GroundRect,
}

/// One learned number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WeightCell {
    /// The weight.
    pub weight: WeightPoint,
    /// The row; 0 for a vector.
    pub row: usize,
    /// The column.
    pub column: usize,
}

impl WeightField {
    /// Cells along +X.
    pub fn n_cols(&self) -> usize {
        self.columns.len()
    }

    /// Width and depth of a cell, in units.
    pub fn cell_size(&self) -> Vec2 {
        self.rect.size / Vec2::new(self.n_cols() as f32, self.n_rows as f32)
    }

    /// The number at a row and column of the field.
    pub fn cell(&self, row: usize, col: usize) -> Option<WeightCell> {
        if row >= self.n_rows || col >= self.n_cols() {
            return None;
        }
        let along = self.columns.start + col;
        let (row, column) = if self.is_transposed {
            (along, row)
        } else {
            (row, along)
        };
        Some(WeightCell {
            weight: self.weight,
            row,
            column,
        })
    }

    /// Row and column within the field; none if the number is not part of it.
    pub fn place(&self, cell: WeightCell) -> Option<(usize, usize)> {
        let (row, along) = if self.is_transposed {
            (cell.column, cell.row)
        } else {
            (cell.row, cell.column)
        };
        let is_here = cell.weight == self.weight && row < self.n_rows;
        (is_here && self.columns.contains(&along)).then(|| (row, along - self.columns.start))
    }

    /// The ground of a number; none if it is not part of this field.
    pub fn cell_rect(&self, cell: WeightCell) -> Option<GroundRect> {
        let (row, col) = self.place(cell)?;
        let size = self.cell_size();
        Some(GroundRect {
            near_left: self.rect.near_left + Vec2::new(col as f32, -(row as f32)) * size,
            size,
        })
    }

    /// The number whose ground holds the point `(x, z)`.
    pub fn cell_at(&self, x: f32, z: f32) -> Option<WeightCell> {
        if !self.rect.contains(x, z) {
            return None;
        }
        let size = self.cell_size();
        let col = ((x - self.rect.near_left.x) / size.x) as usize;
        let row = ((self.rect.near_left.y - z) / size.y) as usize;
        self.cell(row.min(self.n_rows - 1), col.min(self.n_cols() - 1))
    }
}

/// Lays weights down beside the lanes.
pub(super) struct WeightYard<'a> {
    config: &'a ModelConfig,
    /// Edge of a weight's cell, in units.
    cell: f32,
    /// Width of a strip that shows a vector, in units.
    strip: f32,
    /// Free ground between fields, in units.
    gap: f32,
    fields: Vec<WeightField>,
}

impl<'a> WeightYard<'a> {
    /// A yard whose matrices with `d_model` rows are as deep as a tile.
    pub(super) fn new(config: &'a ModelConfig, tile_size: Vec2) -> Self {
        Self {
            config,
            cell: tile_size.y / config.d_model as f32,
            strip: 0.035 * tile_size.x,
            gap: 0.08 * tile_size.x,
            fields: Vec::new(),
        }
    }

    pub(super) fn into_fields(mut self) -> Vec<WeightField> {
        self.fields
            .sort_by_key(|field| (field.weight, field.columns.start));
        self.fields
    }

    /// Depth of a matrix with `d_model` rows, in units.
    pub(super) fn depth(&self) -> f32 {
        self.cell * self.config.d_model as f32
    }

    /// Free ground between fields, in units.
    pub(super) fn gap(&self) -> f32 {
        self.gap
    }

    /// What a bias beside a matrix takes, in units.
    pub(super) fn bias_room(&self) -> f32 {
        1.6 * self.strip
    }

    /// Lays a weight on its ground, if the model has it.
    fn lay(&mut self, weight: WeightPoint, is_transposed: bool, rect: GroundRect) {
        if !self.config.has_weight(weight) {
            return;
        }
        let (n_rows, n_cols) = self.config.weight_slice(weight).shape();
        let (n_rows, n_cols) = if is_transposed {
            (n_cols, n_rows)
        } else {
            (n_rows, n_cols)
        };
        self.fields.push(WeightField {
            weight,
            is_transposed,
            columns: 0..n_cols,
            n_rows,
            rect,
        });
    }

    /// A norm's scale and its shift, if it has one, as strips, one entry of the stream behind the
    /// other; returns the width they take. `x` is the edge nearest the lanes and `side` the way from
    /// there.
    pub(super) fn norm(&mut self, weights: [WeightPoint; 2], x: f32, z: f32, side: f32) -> f32 {
        let pitch = self.bias_room();
        let n_before = self.fields.len();
        for (index, weight) in weights.into_iter().enumerate() {
            let near = x + side * index as f32 * pitch;
            let left = if side < 0.0 { near - self.strip } else { near };
            let rect = GroundRect {
                near_left: Vec2::new(left, z),
                size: Vec2::new(self.strip, self.depth()),
            };
            self.lay(weight, true, rect);
        }
        let n_strips = self.fields.len() - n_before;
        (n_strips.max(1) - 1) as f32 * pitch + self.strip + self.gap
    }

    /// A matrix that reads the stream, its inputs along -Z, and vectors of what comes out of it at the
    /// far ends of its columns; returns the width they take, nothing if the model has no such matrix.
    pub(super) fn matrix(
        &mut self,
        matrix: WeightPoint,
        vectors: impl IntoIterator<Item = WeightPoint>,
        x: f32,
        z: f32,
        side: f32,
    ) -> f32 {
        if !self.config.has_weight(matrix) {
            return 0.0;
        }
        let (_, n_cols) = self.config.weight_slice(matrix).shape();
        let width = n_cols as f32 * self.cell;
        let left = if side < 0.0 { x - width } else { x };
        let rect = GroundRect {
            near_left: Vec2::new(left, z),
            size: Vec2::new(width, self.depth()),
        };
        self.lay(matrix, false, rect);
        let there = vectors
            .into_iter()
            .filter(|vector| self.config.has_weight(*vector));
        for (index, vector) in there.collect::<Vec<_>>().into_iter().enumerate() {
            // One of a head is laid down once, though it serves them all.
            let (_, n_cols) = self.config.weight_slice(vector).shape();
            let aside = 0.6 * self.strip + index as f32 * self.bias_room();
            let rect = GroundRect {
                near_left: Vec2::new(left, z - self.depth() - aside),
                size: Vec2::new(n_cols as f32 * self.cell, self.strip),
            };
            self.lay(vector, false, rect);
        }
        width + self.gap
    }

    /// A matrix that writes to the stream, its inputs along X and its outputs along -Z, and its bias
    /// beside the ends of its rows.
    pub(super) fn writer(&mut self, weights: [WeightPoint; 2], x: f32, z: f32, side: f32) {
        let (n_inputs, _) = self.config.weight_slice(weights[0]).shape();
        let width = n_inputs as f32 * self.cell;
        let bias_near = x;
        let near = x + side * self.bias_room();
        let left_of = |near: f32, width: f32| if side < 0.0 { near - width } else { near };
        let rect = |left: f32, width: f32, depth: f32| GroundRect {
            near_left: Vec2::new(left, z),
            size: Vec2::new(width, depth),
        };
        let depth = self.depth();
        self.lay(weights[0], true, rect(left_of(near, width), width, depth));
        let strip = self.strip;
        self.lay(
            weights[1],
            true,
            rect(left_of(bias_near, strip), strip, depth),
        );
    }

    /// Rows of the vocabulary or of the positions, side by side along X, folded into a block that
    /// begins at `x` and goes to `side`, row upon row from `z` on along `forth` (-1 towards the
    /// exit). Returns the block's width.
    pub(super) fn tokens(
        &mut self,
        weight: WeightPoint,
        [x, z]: [f32; 2],
        side: f32,
        forth: f32,
    ) -> f32 {
        let slice = self.config.weight_slice(weight);
        let n_tokens = slice.rows.len;
        let is_transposed = !slice.is_transposed;
        let n_fields = n_tokens.div_ceil(FIELD_TOKENS);
        let n_across = (n_fields as f32).sqrt().floor().max(1.0) as usize;
        let width = self.cell * n_tokens.min(FIELD_TOKENS) as f32;
        let depth = self.depth();
        for index in 0..n_fields {
            let columns = index * FIELD_TOKENS..((index + 1) * FIELD_TOKENS).min(n_tokens);
            let (across, along) = (index % n_across, index / n_across);
            let own_width = self.cell * columns.len() as f32;
            let near = x + side * across as f32 * (width + self.gap);
            let left = if side < 0.0 { near - width } else { near };
            let step = forth * along as f32 * (depth + self.gap);
            let near_z = if forth < 0.0 {
                z + step
            } else {
                z + step + depth
            };
            self.fields.push(WeightField {
                weight,
                is_transposed,
                columns,
                n_rows: self.config.d_model,
                rect: GroundRect {
                    near_left: Vec2::new(left, near_z),
                    size: Vec2::new(own_width, depth),
                },
            });
        }
        n_across as f32 * (width + self.gap)
    }
}
