//! The part of a matrix that is seen.

use egui::{Pos2, Rect, Response, Ui, Vec2, pos2, vec2};

/// How far one zooms in: that few cells fill the width at most.
const LEAST_CELLS: f32 = 6.0;

/// The part of a matrix that is seen: all of it, or less after zooming in.
#[derive(Default)]
pub struct Window {
    /// 1 shows all; zero before the first frame.
    zoom: f32,
    /// The first row and column seen.
    row: f32,
    column: f32,
    n_rows: usize,
    n_columns: usize,
    revealed: Option<(usize, usize)>,
}

/// The part that is seen, in cells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shown {
    /// The first row.
    pub row: f32,
    /// The first column.
    pub column: f32,
    /// How many rows.
    pub n_rows: f32,
    /// How many columns.
    pub n_columns: f32,
}

impl Shown {
    /// The cell at a place, in points from the corner of the first cell seen.
    pub fn cell_at(&self, at: Vec2, cell: Vec2) -> (usize, usize) {
        let place = at / cell.max(Vec2::splat(1e-6)) + vec2(self.column, self.row);
        (place.y.max(0.0) as usize, place.x.max(0.0) as usize)
    }

    /// Where a cell is, in points, if the first one seen is at `corner`.
    pub fn rect_of(&self, (row, column): (usize, usize), corner: Pos2, cell: Vec2) -> Rect {
        let at = vec2(column as f32 - self.column, row as f32 - self.row) * cell;
        Rect::from_min_size(corner + at, cell)
    }
}

impl Window {
    /// Keeps to a matrix of this size; one that grows stays in view.
    pub fn fit(&mut self, n_rows: usize, n_columns: usize) {
        (self.n_rows, self.n_columns) = (n_rows, n_columns);
        self.zoom = self.zoom.clamp(1.0, self.max_zoom());
        if let Some((row, column)) = self.revealed.take() {
            let shown = self.shown();
            let into = |start: f32, count: f32, cell: usize| {
                let cell = cell as f32;
                start.clamp((cell + 1.0 - count).min(cell), cell)
            };
            self.row = into(self.row, shown.n_rows, row);
            self.column = into(self.column, shown.n_columns, column);
        }
        let shown = self.shown();
        self.row = self.row.clamp(0.0, n_rows as f32 - shown.n_rows);
        self.column = self.column.clamp(0.0, n_columns as f32 - shown.n_columns);
    }

    fn max_zoom(&self) -> f32 {
        (self.n_columns.max(self.n_rows) as f32 / LEAST_CELLS).max(1.0)
    }

    /// What is seen.
    pub fn shown(&self) -> Shown {
        let part = |n: usize| (n as f32 / self.zoom.max(1.0)).max(LEAST_CELLS.min(n as f32));
        Shown {
            row: self.row,
            column: self.column,
            n_rows: part(self.n_rows),
            n_columns: part(self.n_columns),
        }
    }

    /// Brings a cell into the part that is seen, in the next frame.
    pub fn reveal(&mut self, row: usize, column: usize) {
        self.revealed = Some((row, column));
    }

    /// Shows fewer cells, larger, or more; what is at `middle` (row, column) stays there.
    pub fn zoom_by(&mut self, factor: f32, middle: Option<(f32, f32)>) {
        if factor == 1.0 {
            return;
        }
        let before = self.shown();
        self.zoom = (self.zoom * factor).clamp(1.0, self.max_zoom());
        let after = self.shown();
        let (row, column) = middle.unwrap_or((
            before.row + before.n_rows / 2.0,
            before.column + before.n_columns / 2.0,
        ));
        self.row = row - (row - before.row) * after.n_rows / before.n_rows;
        self.column = column - (column - before.column) * after.n_columns / before.n_columns;
    }

    /// Zooms by pinching or by the wheel with Ctrl, and moves by dragging.
    pub fn handle_pointer(&mut self, ui: &Ui, response: &Response, rect: Rect, cell: Vec2) {
        if response.dragged() {
            let by = response.drag_delta() / cell.max(Vec2::splat(1e-6));
            self.row -= by.y;
            self.column -= by.x;
        }
        let Some(at) = response.hover_pos() else {
            return;
        };
        let factor = ui.input(egui::InputState::zoom_delta);
        let place = (at - rect.min) / cell.max(Vec2::splat(1e-6));
        let place = pos2(self.column, self.row) + place;
        self.zoom_by(factor, Some((place.y, place.x)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(n_rows: usize, n_columns: usize, zoom: f32) -> Window {
        let mut window = Window::default();
        window.fit(n_rows, n_columns);
        window.zoom_by(zoom, Some((0.0, 0.0)));
        window.fit(n_rows, n_columns);
        window
    }

    #[test]
    fn at_first_all_is_seen_and_zooming_never_leaves_the_matrix() {
        let all = window(24, 100, 1.0).shown();
        assert_eq!((all.n_rows, all.n_columns), (24.0, 100.0));

        let mut near = window(24, 100, 4.0);
        near.column = 1e6;
        near.row = -3.0;
        near.fit(24, 100);

        let shown = near.shown();
        assert_eq!((shown.n_rows, shown.n_columns), (6.0, 25.0));
        assert_eq!((shown.row, shown.column), (0.0, 75.0));
        near.zoom_by(1e-9, None);
        near.fit(24, 100);
        assert_eq!(near.shown(), all);
    }

    #[test]
    fn a_cell_that_is_revealed_is_among_those_seen() {
        let mut near = window(24, 100, 4.0);

        for (row, column) in [(23, 99), (0, 0), (11, 50)] {
            near.reveal(row, column);
            near.fit(24, 100);

            let shown = near.shown();
            let (row, column) = (row as f32, column as f32);
            assert!((shown.row..=shown.row + shown.n_rows - 1.0).contains(&row));
            assert!((shown.column..=shown.column + shown.n_columns - 1.0).contains(&column));
        }
    }

    #[test]
    fn zooming_keeps_the_cell_under_the_pointer() {
        let mut window = window(1024, 1024, 1.0);

        window.zoom_by(8.0, Some((700.5, 300.5)));
        window.fit(1024, 1024);

        let shown = window.shown();
        let share = |at: f32, start: f32, count: f32| (at - start) / count;
        assert!((share(700.5, shown.row, shown.n_rows) - 700.5 / 1024.0).abs() < 1e-4);
        assert!((share(300.5, shown.column, shown.n_columns) - 300.5 / 1024.0).abs() < 1e-4);
    }

    #[test]
    fn a_matrix_of_one_cell_is_seen_and_found() {
        let one = window(1, 1, 9.0).shown();

        assert_eq!((one.n_rows, one.n_columns), (1.0, 1.0));
        assert_eq!(one.cell_at(vec2(5.0, 5.0), vec2(10.0, 10.0)), (0, 0));
    }
}
