//! Signed amounts as bars from one line, each with its name and its number.

use super::axis::Axis;
use super::canvas::{Area, Canvas};
use super::look::{LABEL_SIZE, SMALL_SIZE};
use super::marks::{Stroke, TextAnchor};
use super::number::{exact, short, tick, ticks};
use super::scale::ColorScale;
use super::sheet::Chart;

/// One amount.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// What it is of.
    pub label: String,
    /// How much.
    pub value: f32,
}

/// Amounts below one another.
#[derive(Clone, Debug, PartialEq)]
pub struct Bars {
    /// The amounts, the first on top.
    pub bars: Vec<Bar>,
    /// What is counted, with its unit.
    pub unit: String,
    /// What the bars are of.
    pub of: String,
    /// How they are coloured.
    pub scale: ColorScale,
}

const WIDTH: f32 = 560.0;
const AXIS_HEIGHT: f32 = 44.0;

impl Bars {
    fn step(&self) -> f32 {
        let n = self.bars.len().max(1) as f32;
        (900.0 / n).clamp(3.0, 22.0)
    }

    fn axis(&self) -> Axis {
        let labels = self.bars.iter().map(|bar| bar.label.clone());
        Axis::new(self.of.clone(), labels.collect())
    }

    /// The ends of the finite amounts and zero.
    fn range(&self) -> (f64, f64) {
        let finite = self.bars.iter().map(|bar| f64::from(bar.value));
        let finite = finite.filter(|value| value.is_finite());
        let (low, high) = finite.fold((0.0f64, 0.0f64), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low == high { (0.0, 1.0) } else { (low, high) }
    }

    fn draw_axis(&self, canvas: &mut Canvas<'_>, plot: Area, x_of: &dyn Fn(f64) -> f32) {
        let look = canvas.look();
        let (low, high) = self.range();
        let (all, step) = ticks(low, high, 6);
        for value in all {
            let x = x_of(value);
            let stroke = if value.abs() < 1e-9 * step {
                Stroke::new(look.line(), 1.0)
            } else {
                Stroke::new(look.grid(), 0.75)
            };
            canvas
                .drawing
                .line(&[(x, plot.y - 2.0), (x, plot.bottom() + 4.0)], stroke);
            let at = (x, plot.bottom() + 6.0 + SMALL_SIZE);
            canvas.text(
                &tick(value, step),
                at,
                SMALL_SIZE,
                look.label(),
                TextAnchor::Middle,
            );
        }
        let at = (plot.x + 0.5 * plot.width, plot.bottom() + AXIS_HEIGHT - 8.0);
        canvas.text(&self.unit, at, LABEL_SIZE, look.faint(), TextAnchor::Middle);
    }
}

impl Chart for Bars {
    fn natural_size(&self, canvas: &Canvas<'_>) -> (f32, f32) {
        let left = self.axis().row_room(canvas);
        let height = self.step() * self.bars.len() as f32;
        (left + WIDTH, height.max(30.0) + AXIS_HEIGHT)
    }

    fn draw(&self, canvas: &mut Canvas<'_>, area: Area) {
        let look = canvas.look();
        let axis = self.axis();
        let left = axis.row_room(canvas);
        let written: Vec<String> = self.bars.iter().map(|bar| short(bar.value)).collect();
        let widest = written
            .iter()
            .map(|text| canvas.width(text, SMALL_SIZE))
            .fold(0.0, f32::max);
        let (low, high) = self.range();
        let room = widest + 8.0;
        let (before, after) = (
            if low < 0.0 { room } else { 4.0 },
            if high > 0.0 { room } else { 4.0 },
        );
        let plot = area.inset(left, 0.0, 0.0, AXIS_HEIGHT);
        let inner = plot.inset(before, 0.0, after, 0.0);
        let x_of = |value: f64| inner.x + ((value - low) / (high - low)) as f32 * inner.width;
        canvas.drawing.rect(plot.rect(), look.plate(), 0.0, "");
        self.draw_axis(canvas, plot, &x_of);
        let step = plot.height / self.bars.len().max(1) as f32;
        let thick = if step > 5.0 { 0.72 * step } else { step };
        let size = SMALL_SIZE.min(0.8 * step);
        for (index, (bar, text)) in self.bars.iter().zip(&written).enumerate() {
            let y = plot.y + (index as f32 + 0.5) * step;
            let zero = x_of(0.0);
            let told = format!("{} · {}", bar.label, exact(bar.value));
            let color = self.scale.bar_color(look.theme, bar.value);
            let end = if bar.value.is_finite() {
                x_of(f64::from(bar.value))
            } else {
                zero
            };
            let (x, w) = (zero.min(end), (end - zero).abs());
            // Not even a bar of nothing is unseen.
            let w = w.max(if bar.value.is_finite() { 0.75 } else { 6.0 });
            canvas.drawing.rect(
                [x, y - 0.5 * thick, w, thick],
                color,
                1.5f32.min(0.2 * thick),
                &told,
            );
            if step >= 9.0 {
                let (at, anchor) = if bar.value < 0.0 {
                    (x - 5.0, TextAnchor::End)
                } else {
                    (x + w + 5.0, TextAnchor::Start)
                };
                canvas.text(text, (at, y + 0.35 * size), size, look.label(), anchor);
            }
        }
        axis.draw_rows(canvas, plot);
    }
}
