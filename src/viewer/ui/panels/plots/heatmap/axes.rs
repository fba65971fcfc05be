//! What stands along the sides of a heatmap.

use std::sync::Arc;

use egui::epaint::TextShape;
use egui::{Align2, Color32, FontId, Galley, Painter, Pos2, Rect, Stroke, Ui, Vec2, pos2, vec2};

use super::HeatmapView;
use super::window::Shown;
use crate::viewer::ui::theme;

/// What the rows or the columns of a heatmap are.
pub struct Labels<'a> {
    /// What each one is: `layer`, `token`.
    pub title: &'a str,
    /// The text of one of them.
    pub text: &'a dyn Fn(usize) -> String,
    /// Whether each one's number is said besides its text, as that of a token.
    pub is_numbered: bool,
}

impl<'a> Labels<'a> {
    /// Rows or columns that are called by their number.
    pub fn numbers(title: &'a str) -> Self {
        Self {
            title,
            text: &|index: usize| index.to_string(),
            is_numbered: false,
        }
    }

    /// Columns that are the tokens of a text, each called by its `text`.
    pub fn tokens(text: &'a dyn Fn(usize) -> String) -> Self {
        Self {
            title: "token",
            text,
            is_numbered: true,
        }
    }

    /// One of them in words.
    pub(super) fn spelled(&self, index: usize) -> String {
        let text = (self.text)(index);
        if self.is_numbered {
            format!("{} {index} “{text}”", self.title)
        } else {
            format!("{} {text}", self.title)
        }
    }
}

/// Room for labels beside the cells, in points.
pub struct Margins {
    pub left: f32,
    pub top: f32,
}

const FONT_SIZE: f32 = 11.0;
/// The least distance of two labels, in points.
const STEP: f32 = 13.0;
/// Between labels and cells, in points.
const GAP: f32 = 4.0;
/// As much as labels take at most, in points.
const MAX_LEFT: f32 = 96.0;
const MAX_TOP: f32 = 72.0;
/// Letters of a label.
const MAX_LETTERS: usize = 16;

fn clipped(text: String) -> String {
    if text.chars().count() <= MAX_LETTERS {
        return text;
    }
    let start: String = text.chars().take(MAX_LETTERS - 1).collect();
    start + "…"
}

fn galley(ui: &Ui, text: String, color: Color32) -> Arc<Galley> {
    let font = FontId::proportional(FONT_SIZE);
    ui.fonts_mut(|fonts| fonts.layout_no_wrap(clipped(text), font, color))
}

/// Those of `n` cells from `first` on that have a label, so that labels are `STEP` apart.
fn labelled(first: f32, n: f32, cell: f32, n_all: usize) -> impl Iterator<Item = usize> {
    let at_once = (STEP / cell.max(1e-3)).ceil().max(1.0) as usize;
    // The same cells have labels wherever one scrolls.
    let start = (first.ceil() as usize).div_ceil(at_once) * at_once;
    let end = ((first + n).floor() as usize).min(n_all);
    (start..end.max(start)).step_by(at_once)
}

/// How much room the labels take.
pub fn margins(ui: &Ui, view: &HeatmapView<'_>, shown: &Shown) -> Margins {
    let longest = |first: f32, n: f32, n_all: usize, text: &dyn Fn(usize) -> String| {
        // As many as may be labelled at once; which ones is known once the room is.
        let cell = (600.0 / n).min(super::MAX_CELL);
        let labels = labelled(first, n, cell, n_all);
        let widths = labels.map(|index| galley(ui, text(index), Color32::WHITE).size().x);
        widths.fold(0.0f32, f32::max)
    };
    let (n_rows, n_columns) = (view.matrix.n_rows(), view.matrix.n_columns());
    let left = longest(shown.row, shown.n_rows, n_rows, view.rows.text);
    let top = longest(shown.column, shown.n_columns, n_columns, view.columns.text);
    let title = galley(ui, title(view), Color32::WHITE).size().y;
    Margins {
        left: left.min(MAX_LEFT) + GAP + 2.0,
        top: top.min(MAX_TOP) + GAP + title + 2.0,
    }
}

fn title(view: &HeatmapView<'_>) -> String {
    format!("↓ {}  → {}", view.rows.title, view.columns.title)
}

/// Draws the title at `corner` and labels around `rect`, whose cells are `cell` large.
pub fn draw(ui: &Ui, view: &HeatmapView<'_>, shown: &Shown, corner: Pos2, rect: Rect, cell: Vec2) {
    let weak = theme::weak_text(view.theme);
    let strong = theme::color(view.theme.neutrals().text);
    let painter = ui.painter();
    let line = theme::color(view.theme.neutrals().road);
    painter.rect_stroke(
        rect.expand(0.5),
        0.0,
        Stroke::new(1.0, line),
        egui::StrokeKind::Outside,
    );
    let font = FontId::proportional(FONT_SIZE);
    painter.text(corner, Align2::LEFT_TOP, title(view), font, weak);
    let mut rows: Vec<usize> =
        labelled(shown.row, shown.n_rows, cell.y, view.matrix.n_rows()).collect();
    keep_current(&mut rows, view.current_row, cell.y);
    for row in rows {
        let at = shown.rect_of((row, 0), rect.min, cell);
        let color = if view.current_row == Some(row) {
            strong
        } else {
            weak
        };
        let text = galley(ui, (view.rows.text)(row), color);
        let corner = pos2(
            rect.left() - GAP - text.size().x.min(MAX_LEFT),
            at.center().y - text.size().y / 2.0,
        );
        if rect.y_range().contains(at.center().y) {
            painter.galley(corner, text, color);
        }
    }
    let mut columns: Vec<usize> = labelled(
        shown.column,
        shown.n_columns,
        cell.x,
        view.matrix.n_columns(),
    )
    .collect();
    keep_current(&mut columns, view.current_column, cell.x);
    let labels = columns.into_iter().map(|column| {
        let color = if view.current_column == Some(column) {
            strong
        } else {
            weak
        };
        (
            column,
            galley(ui, (view.columns.text)(column), color),
            color,
        )
    });
    for (column, text, color) in labels {
        let at = shown.rect_of((0, column), rect.min, cell);
        if rect.x_range().contains(at.center().x) {
            upright(painter, pos2(at.center().x, rect.top() - GAP), text, color);
        }
    }
}

/// Adds the current one, and takes out those that it would cover.
fn keep_current(labels: &mut Vec<usize>, current: Option<usize>, cell: f32) {
    if let Some(current) = current {
        labels.retain(|label| label.abs_diff(current) as f32 * cell >= STEP);
        labels.push(current);
    }
}

/// Text that reads upwards from a place, in the middle of its line.
fn upright(painter: &Painter, foot: Pos2, text: Arc<Galley>, color: Color32) {
    let corner = foot - vec2(text.size().y / 2.0, 0.0);
    let shape = TextShape::new(corner, text, color).with_angle(-std::f32::consts::FRAC_PI_2);
    painter.add(shape);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_thinned_to_be_apart_and_stay_with_their_cells() {
        let all: Vec<usize> = labelled(0.0, 4.0, 20.0, 4).collect();
        let few: Vec<usize> = labelled(0.0, 1024.0, 0.5, 1024).collect();
        let scrolled: Vec<usize> = labelled(100.5, 200.0, 0.5, 1024).collect();

        assert_eq!(all, [0, 1, 2, 3]);
        assert_eq!((few[1], few.len()), (26, 40));
        assert!(scrolled.iter().all(|index| few.contains(index)));
    }

    #[test]
    fn the_current_one_has_a_label_even_where_labels_are_thinned() {
        let mut labels: Vec<usize> = vec![0, 26, 52];

        keep_current(&mut labels, Some(30), 0.6);

        assert_eq!(labels, [0, 52, 30]);
    }

    #[test]
    fn long_texts_are_clipped() {
        assert_eq!(clipped("x".repeat(99)).chars().count(), MAX_LETTERS);
        assert_eq!(clipped("short".to_owned()), "short");
    }
}
