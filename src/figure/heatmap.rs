//! A map: numbers in rows and columns, as colours.

use super::axis::Axis;
use super::canvas::{Area, Canvas};
use super::look::SMALL_SIZE;
use super::marks::{Stroke, TextAnchor};
use super::number::{exact, short};
use super::scale::ColorScale;
use super::sheet::Chart;
use crate::analysis::Matrix;

/// Numbers in rows and columns, as colours.
#[derive(Clone, Debug, PartialEq)]
pub struct Heatmap {
    /// The numbers.
    pub matrix: Matrix,
    /// What its rows are.
    pub rows: Axis,
    /// What its columns are.
    pub columns: Axis,
    /// How they are coloured.
    pub scale: ColorScale,
    /// What is written in the cells in place of the numbers, `[row][column]`; nothing if empty.
    pub texts: Vec<Vec<String>>,
    /// The width of a cell that it looks best at.
    pub cell: Option<(f32, f32)>,
}

/// Maps of more cells are drawn as one picture instead of one mark a cell.
const MAX_MARKS: usize = 6000;
/// Numbers are written in cells at least this large.
const MIN_TEXT_CELL: (f32, f32) = (28.0, 14.0);

impl Heatmap {
    fn n_cells(&self) -> usize {
        self.matrix.n_rows() * self.matrix.n_columns()
    }

    fn natural_cell(&self) -> (f32, f32) {
        if let Some(cell) = self.cell {
            return cell;
        }
        let n_columns = self.matrix.n_columns().max(1) as f32;
        let n_rows = self.matrix.n_rows().max(1) as f32;
        // Whole pixels, so that all cells are alike.
        let side = |n: f32, room: f32, most: f32| {
            let side = (room / n).min(most);
            if side > 4.0 {
                side.floor()
            } else {
                (2.0 * side).floor().max(1.0) / 2.0
            }
        };
        (side(n_columns, 860.0, 46.0), side(n_rows, 640.0, 32.0))
    }

    fn draw_cells(&self, canvas: &mut Canvas<'_>, cells: Area) {
        if self.n_cells() > MAX_MARKS {
            return self.draw_picture(canvas, cells);
        }
        let look = canvas.look();
        let n_columns = self.matrix.n_columns().max(1);
        let (w, h) = (
            cells.width / n_columns as f32,
            cells.height / self.matrix.n_rows().max(1) as f32,
        );
        let gap = if w.min(h) >= 8.0 { 1.0 } else { 0.0 };
        let text_size = SMALL_SIZE.min(0.62 * h);
        for row in 0..self.matrix.n_rows() {
            for (column, value) in self.matrix.row(row).iter().enumerate() {
                let (x, y) = (cells.x + column as f32 * w, cells.y + row as f32 * h);
                let color = self.scale.color(look.theme, *value);
                let radius = if gap > 0.0 { 1.5 } else { 0.0 };
                let told = self.told(row, column, *value);
                canvas
                    .drawing
                    .rect([x, y, w - gap, h - gap], color, radius, &told);
                let Some(text) = self.cell_text(canvas, row, column, (w, h), text_size) else {
                    continue;
                };
                let at = (x + 0.5 * (w - gap), y + 0.5 * (h - gap) + 0.35 * text_size);
                canvas.text(
                    &text,
                    at,
                    text_size,
                    look.text_on(color),
                    TextAnchor::Middle,
                );
            }
        }
    }

    /// What is written in a cell, if it is large enough.
    fn cell_text(
        &self,
        canvas: &Canvas<'_>,
        row: usize,
        column: usize,
        (w, h): (f32, f32),
        size: f32,
    ) -> Option<String> {
        if let Some(text) = self.texts.get(row).and_then(|texts| texts.get(column)) {
            return (w >= 12.0 && h >= 11.0).then(|| canvas.fit(text, size, w - 5.0));
        }
        if w < MIN_TEXT_CELL.0 || h < MIN_TEXT_CELL.1 {
            return None;
        }
        let text = short(self.matrix.get(row, column)?);
        (canvas.width(&text, size) <= w - 3.0).then_some(text)
    }

    /// What a reader is told who points at a cell.
    fn told(&self, row: usize, column: usize, value: f32) -> String {
        let label = |axis: &Axis, index: usize| {
            let label = axis.labels.get(index).cloned().unwrap_or_default();
            format!("{} {label}", axis.title).trim().to_owned()
        };
        let text = self.texts.get(row).and_then(|texts| texts.get(column));
        let text = text.map(|text| format!("{text} · ")).unwrap_or_default();
        format!(
            "{} · {} · {text}{}",
            label(&self.rows, row),
            label(&self.columns, column),
            exact(value)
        )
    }

    /// One pixel a cell; cells without a number stay clear.
    fn draw_picture(&self, canvas: &mut Canvas<'_>, cells: Area) {
        let pixels = self.scale.pixels(canvas.look().theme, &self.matrix);
        canvas.drawing.picture(cells.rect(), pixels, true);
    }
}

impl Chart for Heatmap {
    fn natural_size(&self, canvas: &Canvas<'_>) -> (f32, f32) {
        let (w, h) = self.natural_cell();
        let labels = self.columns.column_labels(canvas, w);
        let left = self.rows.row_room(canvas).max(labels.overhang - 0.5 * w);
        let width = w * self.matrix.n_columns() as f32;
        let height = h * self.matrix.n_rows() as f32;
        let bar = self.scale.bar_width(canvas);
        let below = labels.depth + self.columns.title_depth();
        // The colour bar needs some height to be read.
        (left + width + bar, (height + below).max(150.0))
    }

    fn draw(&self, canvas: &mut Canvas<'_>, area: Area) {
        let n_columns = self.matrix.n_columns().max(1) as f32;
        let n_rows = self.matrix.n_rows().max(1) as f32;
        let bar = self.scale.bar_width(canvas);
        let left = self.rows.row_room(canvas);
        let width = area.width - left - bar;
        let labels = self.columns.column_labels(canvas, width / n_columns);
        let left = left.max(labels.overhang - 0.5 * width / n_columns);
        let below = labels.depth + self.columns.title_depth();
        let room = area.inset(left, 0.0, bar, below);
        // No wider than reads well: few cells are not stretched across the page. Small ones have
        // whole half units, so that all are alike.
        let (w, h) = self.natural_cell();
        let snapped = |side: f32| {
            if self.n_cells() > MAX_MARKS && side > 0.5 {
                (2.0 * side).floor() / 2.0
            } else {
                side
            }
        };
        let mut cell = (
            (room.width / n_columns).min(1.6 * w),
            (room.height / n_rows).min(1.6 * h),
        );
        if self.cell.is_some_and(|(w, h)| w == h) {
            // What was square stays so.
            cell = (cell.0.min(cell.1), cell.0.min(cell.1));
        }
        let cells = Area {
            width: n_columns * snapped(cell.0),
            height: n_rows * snapped(cell.1),
            ..room
        };
        let look = canvas.look();
        canvas.drawing.rect(cells.rect(), look.plate(), 0.0, "");
        self.draw_cells(canvas, cells);
        canvas
            .drawing
            .frame(cells.rect(), Stroke::new(look.grid(), 0.75), 0.0);
        self.rows.draw_rows(canvas, cells);
        let labels = self.columns.column_labels(canvas, cells.width / n_columns);
        self.columns.draw_columns(canvas, cells, labels);
        let beside = Area {
            x: cells.right(),
            width: bar,
            height: cells.height.max(110.0),
            ..cells
        };
        self.scale.draw(canvas, beside);
    }
}
