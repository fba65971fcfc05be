//! From a number to its colour, and the bar that says how.

use super::canvas::{Area, Canvas};
use super::look::{LABEL_SIZE, SMALL_SIZE};
use super::marks::{Pixels, Stroke, TextAnchor};
use super::number::{tick, ticks};
use crate::analysis::{Matrix, MatrixRange, grouped};
use crate::color::{Colormap, Rgb, Theme};

/// How numbers are coloured.
#[derive(Clone, Debug, PartialEq)]
pub struct ColorScale {
    /// The colours.
    pub map: Colormap,
    /// The number at their low end.
    pub low: f32,
    /// The number at their high end.
    pub high: f32,
    /// What the numbers are, with their unit.
    pub title: String,
    /// Numbers that are NaN or infinite.
    pub n_not_finite: usize,
}

impl ColorScale {
    /// For numbers of any sign: zero in the middle.
    pub fn diverging(range: MatrixRange, title: impl Into<String>) -> Self {
        let limit = range.low.abs().max(range.high.abs());
        let limit = if limit > 0.0 { limit } else { 1.0 };
        Self {
            map: Colormap::Diverging,
            low: -limit,
            high: limit,
            title: title.into(),
            n_not_finite: range.n_not_finite,
        }
    }

    /// For numbers that are never below zero.
    pub fn from_zero(range: MatrixRange, title: impl Into<String>) -> Self {
        Self {
            map: Colormap::Sequential,
            low: 0.0,
            high: if range.high > 0.0 { range.high } else { 1.0 },
            title: title.into(),
            n_not_finite: range.n_not_finite,
        }
    }

    /// For numbers between two that are known beforehand.
    pub fn between(low: f32, high: f32, n_not_finite: usize, title: impl Into<String>) -> Self {
        Self {
            map: Colormap::Sequential,
            low,
            high,
            title: title.into(),
            n_not_finite,
        }
    }

    /// The colour of a number.
    pub fn color(&self, theme: Theme, value: f32) -> Rgb {
        if !value.is_finite() {
            return crate::color::NOT_FINITE;
        }
        let place = (value - self.low) / (self.high - self.low);
        self.map.color(theme, place)
    }

    /// One pixel a cell of a matrix; cells without a number stay clear.
    pub(super) fn pixels(&self, theme: Theme, matrix: &Matrix) -> Pixels {
        let (n_rows, n_columns) = (matrix.n_rows(), matrix.n_columns());
        let mut rgba = Vec::with_capacity(4 * n_rows * n_columns);
        for row in 0..n_rows {
            for value in matrix.row(row) {
                let [r, g, b] = self.color(theme, *value);
                rgba.extend([r, g, b, 255]);
            }
            rgba.resize(4 * (row + 1) * n_columns, 0);
        }
        Pixels {
            width: n_columns as u32,
            height: n_rows as u32,
            rgba,
        }
    }

    /// How much room its bar takes to the right of what it explains.
    pub(super) fn bar_width(&self, canvas: &Canvas<'_>) -> f32 {
        let (all, step) = self.ticks();
        let widest = all
            .iter()
            .map(|value| canvas.width(&tick(*value, step), SMALL_SIZE))
            .fold(0.0, f32::max);
        BAR_GAP + BAR_WIDTH + 8.0 + widest + 22.0
    }

    /// Draws the bar from left to right, below what it explains.
    pub(super) fn draw_across(&self, canvas: &mut Canvas<'_>, (x, y): (f32, f32)) {
        let look = canvas.look();
        let (width, height) = (ACROSS_WIDTH, 0.75 * BAR_WIDTH);
        let n_steps = (width / 2.0) as usize;
        for step in 0..n_steps {
            let share = (step as f32 + 0.5) / n_steps as f32;
            let left = step as f32 / n_steps as f32 * width;
            // Overlaps the next, so that no ground shines through between them.
            let wide = (width / n_steps as f32 + 0.6).min(width - left);
            let color = self.map.color(look.theme, share);
            canvas
                .drawing
                .rect([x + left, y, wide, height], color, 0.0, "");
        }
        let bar = [x, y, width, height];
        canvas
            .drawing
            .frame(bar, Stroke::new(look.line(), 0.75), 0.0);
        let (all, step) = self.ticks();
        for value in all {
            let at = x + (value as f32 - self.low) / (self.high - self.low) * width;
            let (top, bottom) = (y + height, y + height + 4.0);
            canvas
                .drawing
                .line(&[(at, top), (at, bottom)], Stroke::new(look.line(), 0.75));
            let text = tick(value, step);
            let place = (at, bottom + SMALL_SIZE);
            canvas.text(&text, place, SMALL_SIZE, look.label(), TextAnchor::Middle);
        }
        let right = x + width + 14.0;
        let mut said = self.title.clone();
        if self.n_not_finite > 0 {
            let swatch = [right, y, height, height];
            canvas.drawing.rect(swatch, look.not_finite(), 2.0, "");
            said = format!("{} not finite · {said}", grouped(self.n_not_finite as u64));
        }
        let right = right
            + if self.n_not_finite > 0 {
                height + 6.0
            } else {
                0.0
            };
        let place = (right, y + 0.5 * height + 0.35 * LABEL_SIZE);
        canvas.text(&said, place, LABEL_SIZE, look.faint(), TextAnchor::Start);
    }

    /// The colour of a bar that is as long as its number: by its sign where there are two, and never
    /// so faint that the bar is not seen.
    pub(super) fn bar_color(&self, theme: Theme, value: f32) -> Rgb {
        if !value.is_finite() {
            return crate::color::NOT_FINITE;
        }
        let place = match self.map {
            Colormap::Diverging if value < 0.0 => 0.14,
            Colormap::Diverging => 0.86,
            _ => ((value - self.low) / (self.high - self.low)).max(0.35),
        };
        self.map.color(theme, place)
    }

    fn ticks(&self) -> (Vec<f64>, f64) {
        ticks(f64::from(self.low), f64::from(self.high), 5)
    }

    /// Draws the bar into the right part of `area`, whose height it takes.
    pub(super) fn draw(&self, canvas: &mut Canvas<'_>, area: Area) {
        let look = canvas.look();
        let has_note = self.n_not_finite > 0;
        let note_height = if has_note { 38.0 } else { 0.0 };
        let height = (area.height - note_height).clamp(40.0, 460.0);
        let bar = Area {
            x: area.x + BAR_GAP,
            y: area.y,
            width: BAR_WIDTH,
            height,
        };
        let n_steps = (height / 2.0).ceil() as usize;
        for step in 0..n_steps {
            let share = (step as f32 + 0.5) / n_steps as f32;
            let color = self.map.color(look.theme, 1.0 - share);
            let top = bar.y + step as f32 / n_steps as f32 * height;
            // Overlaps the next, so that no ground shines through between them.
            let tall = (height / n_steps as f32 + 0.6).min(bar.bottom() - top);
            let rect = [bar.x, top, bar.width, tall];
            canvas.drawing.rect(rect, color, 0.0, "");
        }
        canvas
            .drawing
            .frame(bar.rect(), Stroke::new(look.line(), 0.75), 0.0);
        let (all, step) = self.ticks();
        let mut widest: f32 = 0.0;
        for value in all {
            let share = (value as f32 - self.low) / (self.high - self.low);
            let y = bar.bottom() - share * height;
            let right = bar.right();
            canvas.drawing.line(
                &[(right, y), (right + 4.0, y)],
                Stroke::new(look.line(), 0.75),
            );
            let text = tick(value, step);
            widest = widest.max(canvas.width(&text, SMALL_SIZE));
            let at = (right + 8.0, y + 0.35 * SMALL_SIZE);
            canvas.text(&text, at, SMALL_SIZE, look.label(), TextAnchor::Start);
        }
        let x = bar.right() + 8.0 + widest + 8.0 + 0.7 * LABEL_SIZE;
        canvas.side_title(&self.title, (x, bar.y + 0.5 * height), height.max(60.0));
        if has_note {
            let y = bar.bottom() + 14.0;
            canvas
                .drawing
                .rect([bar.x, y, BAR_WIDTH, BAR_WIDTH], look.not_finite(), 2.0, "");
            let text = grouped(self.n_not_finite as u64);
            let at = (bar.right() + 8.0, y + 0.4 * BAR_WIDTH);
            canvas.text(&text, at, SMALL_SIZE, look.label(), TextAnchor::Start);
            let at = (bar.right() + 8.0, y + 0.4 * BAR_WIDTH + 12.0);
            canvas.text(
                "not finite",
                at,
                SMALL_SIZE,
                look.faint(),
                TextAnchor::Start,
            );
        }
    }
}

/// How tall [`ColorScale::draw_across`] is, in units.
pub(super) const ACROSS_HEIGHT: f32 = 46.0;
const ACROSS_WIDTH: f32 = 260.0;

const BAR_GAP: f32 = 22.0;
const BAR_WIDTH: f32 = 13.0;
