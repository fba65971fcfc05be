//! The labels along an edge of a map: all of them where there is room, else every so many.

use super::canvas::{Area, Canvas};
use super::look::{LABEL_SIZE, SMALL_SIZE};
use super::marks::TextAnchor;

/// What the rows or columns of a map are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axis {
    /// What is counted along it.
    pub title: String,
    /// One for each row or column.
    pub labels: Vec<String>,
}

/// How the labels of columns are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ColumnLabels {
    /// Every so many columns have one.
    every: usize,
    is_slanted: bool,
    /// How much room they take below, without the title.
    pub depth: f32,
    /// How far the first one reaches to the left of its column's middle.
    pub overhang: f32,
}

/// Longer labels are cut.
const MAX_LABEL: f32 = 120.0;
const SLANT_DEGREES: f32 = -48.0;

impl Axis {
    /// An axis of these labels.
    pub fn new(title: impl Into<String>, labels: Vec<String>) -> Self {
        Self {
            title: title.into(),
            labels,
        }
    }

    /// An axis of numbers from zero.
    pub fn counted(title: impl Into<String>, n: usize) -> Self {
        Self::new(title, (0..n).map(|index| index.to_string()).collect())
    }

    /// How much room the labels of rows take to the left, title included.
    pub(super) fn row_room(&self, canvas: &Canvas<'_>) -> f32 {
        let widest = self.widest(canvas);
        let title = if self.title.is_empty() { 0.0 } else { 24.0 };
        widest + 10.0 + title
    }

    fn widest(&self, canvas: &Canvas<'_>) -> f32 {
        let widths = self
            .labels
            .iter()
            .map(|label| canvas.width(label, LABEL_SIZE));
        widths.fold(0.0, f32::max).min(MAX_LABEL)
    }

    /// Draws the labels of rows to the left of `cells`.
    pub(super) fn draw_rows(&self, canvas: &mut Canvas<'_>, cells: Area) {
        let look = canvas.look();
        let n = self.labels.len().max(1);
        let step = cells.height / n as f32;
        let every = thinning(step, LABEL_SIZE + 2.5);
        let size = LABEL_SIZE.min((step * every as f32 * 0.95).max(SMALL_SIZE));
        for (index, label) in self.labels.iter().enumerate().step_by(every) {
            let label = canvas.fit(label, size, MAX_LABEL);
            let y = cells.y + (index as f32 + 0.5) * step + 0.35 * size;
            canvas.text(
                &label,
                (cells.x - 8.0, y),
                size,
                look.label(),
                TextAnchor::End,
            );
        }
        if !self.title.is_empty() {
            let x = cells.x - self.widest(canvas) - 20.0;
            let at = (x, cells.y + 0.5 * cells.height);
            canvas.side_title(&self.title, at, cells.height.max(90.0));
        }
    }

    /// How the labels of columns fit where each column is `step` wide.
    pub(super) fn column_labels(&self, canvas: &Canvas<'_>, step: f32) -> ColumnLabels {
        let widest = self.widest(canvas);
        if widest + 6.0 <= step {
            return ColumnLabels {
                every: 1,
                is_slanted: false,
                depth: LABEL_SIZE + 6.0,
                overhang: 0.5 * widest,
            };
        }
        let longest_number = self
            .labels
            .iter()
            .all(|label| label.parse::<usize>().is_ok());
        if longest_number {
            return ColumnLabels {
                every: thinning(step, widest + 8.0),
                is_slanted: false,
                depth: LABEL_SIZE + 6.0,
                overhang: 0.5 * widest,
            };
        }
        let (sin, cos) = SLANT_DEGREES.abs().to_radians().sin_cos();
        ColumnLabels {
            every: thinning(step, (LABEL_SIZE + 2.0) / sin),
            is_slanted: true,
            depth: widest * sin + LABEL_SIZE * cos + 6.0,
            overhang: widest * cos + 6.0,
        }
    }

    /// Draws the labels of columns below `cells`.
    pub(super) fn draw_columns(&self, canvas: &mut Canvas<'_>, cells: Area, how: ColumnLabels) {
        let look = canvas.look();
        let step = cells.width / self.labels.len().max(1) as f32;
        for (index, label) in self.labels.iter().enumerate().step_by(how.every) {
            let label = canvas.fit(label, LABEL_SIZE, MAX_LABEL);
            let x = cells.x + (index as f32 + 0.5) * step;
            if how.is_slanted {
                let at = (x + 0.32 * LABEL_SIZE, cells.bottom() + 10.0);
                canvas.rotated(
                    &label,
                    at,
                    LABEL_SIZE,
                    look.label(),
                    SLANT_DEGREES,
                    TextAnchor::End,
                );
            } else {
                let at = (x, cells.bottom() + LABEL_SIZE + 4.0);
                canvas.text(&label, at, LABEL_SIZE, look.label(), TextAnchor::Middle);
            }
        }
        if !self.title.is_empty() {
            let y = cells.bottom() + how.depth + LABEL_SIZE + 6.0;
            let at = (cells.x + 0.5 * cells.width, y);
            let title = canvas.fit(&self.title, LABEL_SIZE, cells.width.max(160.0));
            canvas.text(&title, at, LABEL_SIZE, look.faint(), TextAnchor::Middle);
        }
    }

    /// How much room the title takes below the labels.
    pub(super) fn title_depth(&self) -> f32 {
        if self.title.is_empty() {
            0.0
        } else {
            LABEL_SIZE + 10.0
        }
    }
}

/// Every how many of things `step` apart, so that labels `room` apart fit: a round number.
fn thinning(step: f32, room: f32) -> usize {
    let least = (room / step.max(1e-3)).ceil().max(1.0) as usize;
    let mut decade = 1;
    loop {
        for factor in [1, 2, 5] {
            if factor * decade >= least {
                return factor * decade;
            }
        }
        decade *= 10;
    }
}
