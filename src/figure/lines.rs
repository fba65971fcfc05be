//! Numbers along an axis as lines, each named where it ends.

use super::axis::Axis;
use super::canvas::{Area, Canvas};
use super::look::{LABEL_SIZE, SMALL_SIZE};
use super::marks::{Stroke, TextAnchor};
use super::number::{exact, tick, ticks};
use super::sheet::Chart;
use crate::color::{Colormap, Rgb};

/// Numbers at every place of the axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What they are.
    pub label: String,
    /// One for each place; what is not finite breaks the line.
    pub values: Vec<f32>,
}

/// Lines over one axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Lines {
    /// The lines; at most four are told apart.
    pub lines: Vec<Line>,
    /// What stands along the axis.
    pub axis: Axis,
    /// What all lines count, with its unit.
    pub unit: String,
    /// Whether the numbers' axis begins at zero.
    pub is_from_zero: bool,
}

const LEFT: f32 = 66.0;

impl Lines {
    fn range(&self) -> (f64, f64) {
        let values = self.lines.iter().flat_map(|line| &line.values);
        let finite = values.copied().filter(|value| value.is_finite());
        let start = if self.is_from_zero {
            (0.0, 0.0)
        } else {
            (f64::INFINITY, f64::NEG_INFINITY)
        };
        let (low, high) = finite.fold(start, |(low, high): (f64, f64), value| {
            (low.min(f64::from(value)), high.max(f64::from(value)))
        });
        if low < high {
            (low, high)
        } else if low.is_finite() {
            (low.min(0.0), high.max(low.min(0.0) + 1.0))
        } else {
            (0.0, 1.0)
        }
    }

    fn color(&self, canvas: &Canvas<'_>, index: usize) -> Rgb {
        // The ends of the signed map are as far apart as two colours can be, to all eyes.
        let place = [0.06, 0.94, 0.30, 0.72][index % 4];
        Colormap::Diverging.color(canvas.look().theme, place)
    }

    fn label_room(&self, canvas: &Canvas<'_>) -> f32 {
        let widths = self
            .lines
            .iter()
            .map(|line| canvas.width(&line.label, LABEL_SIZE));
        widths.fold(0.0, f32::max) + 16.0
    }

    fn draw_axes(&self, canvas: &mut Canvas<'_>, plot: Area, y_of: &dyn Fn(f64) -> f32) {
        let look = canvas.look();
        let (low, high) = self.range();
        let (all, step) = ticks(low, high, 4);
        for value in all {
            let y = y_of(value);
            canvas.drawing.line(
                &[(plot.x, y), (plot.right(), y)],
                Stroke::new(look.grid(), 0.75),
            );
            let at = (plot.x - 8.0, y + 0.35 * SMALL_SIZE);
            canvas.text(
                &tick(value, step),
                at,
                SMALL_SIZE,
                look.label(),
                TextAnchor::End,
            );
        }
        let at = (plot.x - 50.0, plot.y + 0.5 * plot.height);
        canvas.rotated(
            &self.unit,
            at,
            LABEL_SIZE,
            look.faint(),
            -90.0,
            TextAnchor::Middle,
        );
    }

    fn draw_line(
        &self,
        canvas: &mut Canvas<'_>,
        index: usize,
        place: &dyn Fn(usize, f32) -> (f32, f32),
    ) {
        let line = &self.lines[index];
        let color = self.color(canvas, index);
        let mut run: Vec<(f32, f32)> = Vec::new();
        for (at, value) in line.values.iter().enumerate() {
            if value.is_finite() {
                run.push(place(at, *value));
            } else {
                canvas.drawing.line(&run, Stroke::new(color, 2.0));
                run.clear();
            }
        }
        canvas.drawing.line(&run, Stroke::new(color, 2.0));
        for (at, value) in line.values.iter().enumerate() {
            if value.is_finite() && line.values.len() <= 60 {
                let name = self.axis.labels.get(at).cloned().unwrap_or_default();
                let told = format!("{} · {name} · {}", line.label, exact(*value));
                canvas.drawing.disc(place(at, *value), 3.0, color, &told);
            }
        }
    }
}

impl Chart for Lines {
    fn natural_size(&self, canvas: &Canvas<'_>) -> (f32, f32) {
        let n = self.axis.labels.len() as f32;
        let width = (n * 46.0).clamp(320.0, 640.0);
        (LEFT + width + self.label_room(canvas), 190.0)
    }

    fn draw(&self, canvas: &mut Canvas<'_>, area: Area) {
        let n = self.axis.labels.len().max(1) as f32;
        let right = self.label_room(canvas);
        let labels = self
            .axis
            .column_labels(canvas, (area.width - LEFT - right) / n);
        let below = labels.depth + self.axis.title_depth();
        let plot = area.inset(LEFT, 4.0, right, below);
        let look = canvas.look();
        canvas.drawing.rect(plot.rect(), look.plate(), 0.0, "");
        let (low, high) = self.range();
        let inner = plot.inset(0.0, 8.0, 0.0, 4.0);
        let y_of =
            |value: f64| inner.bottom() - ((value - low) / (high - low)) as f32 * inner.height;
        self.draw_axes(canvas, plot, &y_of);
        let place = |at: usize, value: f32| {
            let x = plot.x + (at as f32 + 0.5) / n * plot.width;
            (x, y_of(f64::from(value)))
        };
        let mut ends = Vec::new();
        for (index, line) in self.lines.iter().enumerate() {
            self.draw_line(canvas, index, &place);
            let last = line.values.iter().rposition(|value| value.is_finite());
            let y = last.map_or(plot.y, |at| place(at, line.values[at]).1);
            ends.push((y, index));
        }
        // Names stand beside the lines' ends, and apart from one another.
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut free = plot.y;
        let n_left = ends.len();
        for (rank, (y, index)) in ends.into_iter().enumerate() {
            let most = plot.bottom() - (n_left - rank - 1) as f32 * 15.0;
            let y = y.max(free).min(most);
            let color = self.color(canvas, index);
            let at = (plot.right() + 10.0, y + 0.35 * LABEL_SIZE);
            canvas.text(
                &self.lines[index].label,
                at,
                LABEL_SIZE,
                color,
                TextAnchor::Start,
            );
            free = y + 15.0;
        }
        self.axis.draw_columns(canvas, plot, labels);
    }
}
