//! Points in a plane or in space, named where there is room.

use super::canvas::{Area, Canvas};
use super::crowd::Crowd;
use super::look::{LABEL_SIZE, SMALL_SIZE, mix};
use super::marks::{Paint, Stroke, TextAnchor};
use super::number::{tick, ticks};
use super::sheet::Chart;
use crate::color::{Colormap, Rgb};

/// A point.
#[derive(Clone, Debug, PartialEq)]
pub struct ScatterPoint {
    /// Its place; the third number is the depth, and zero in a plane.
    pub place: [f32; 3],
    /// Its name; unnamed if empty.
    pub label: String,
    /// Whether it is named before others and drawn larger.
    pub is_marked: bool,
}

/// Points in a plane or in space.
#[derive(Clone, Debug, PartialEq)]
pub struct Scatter {
    /// The points.
    pub points: Vec<ScatterPoint>,
    /// What each axis is; a third makes it space.
    pub axes: Vec<String>,
    /// Lines between points, by index, as from one to the next of a text.
    pub is_joined: bool,
}

const SIDE: f32 = 620.0;
/// Where space is looked at from: turned and tilted, in radians.
const TURN: f32 = -0.62;
const TILT: f32 = 0.42;

impl Scatter {
    fn is_space(&self) -> bool {
        self.axes.len() > 2
    }

    /// Middle and half extent of the finite points, the same for all axes.
    fn extent(&self) -> ([f32; 3], f32) {
        let mut low = [f32::INFINITY; 3];
        let mut high = [f32::NEG_INFINITY; 3];
        for point in self.finite() {
            for axis in 0..3 {
                low[axis] = low[axis].min(point.place[axis]);
                high[axis] = high[axis].max(point.place[axis]);
            }
        }
        if low[0] > high[0] {
            return ([0.0; 3], 1.0);
        }
        let middle = std::array::from_fn(|axis| 0.5 * (low[axis] + high[axis]));
        let half = (0..3)
            .map(|axis| 0.5 * (high[axis] - low[axis]))
            .fold(0.0, f32::max);
        (middle, if half > 0.0 { half * 1.04 } else { 1.0 })
    }

    fn finite(&self) -> impl Iterator<Item = &ScatterPoint> {
        let is_finite = |point: &&ScatterPoint| point.place.iter().all(|x| x.is_finite());
        self.points.iter().filter(is_finite)
    }

    /// Of a place within the unit cube: its place on the page, -1 to 1 each, and its nearness, 0 to 1.
    fn project(&self, [x, y, z]: [f32; 3]) -> (f32, f32, f32) {
        if !self.is_space() {
            return (x, y, 0.5);
        }
        let (sin, cos) = TURN.sin_cos();
        let (across, depth) = (cos * x + sin * z, cos * z - sin * x);
        let (sin, cos) = TILT.sin_cos();
        let (up, depth) = (cos * y - sin * depth, cos * depth + sin * y);
        let shrink = 0.62;
        (
            shrink * across,
            shrink * up,
            (0.5 + 0.29 * depth).clamp(0.0, 1.0),
        )
    }

    /// The cube's edges that are behind the points, and its ground.
    fn draw_space(&self, canvas: &mut Canvas<'_>, on_page: &dyn Fn([f32; 3]) -> (f32, f32)) {
        let look = canvas.look();
        for step in 0..=4 {
            let at = -1.0 + 0.5 * step as f32;
            let stroke = Stroke::new(look.grid(), 0.75);
            for line in [
                [[at, -1.0, -1.0], [at, -1.0, 1.0]],
                [[-1.0, -1.0, at], [1.0, -1.0, at]],
                [[at, -1.0, -1.0], [at, 1.0, -1.0]],
                [[-1.0, at, -1.0], [1.0, at, -1.0]],
                [[-1.0, at, -1.0], [-1.0, at, 1.0]],
                [[-1.0, -1.0, at], [-1.0, 1.0, at]],
            ] {
                canvas.drawing.line(&line.map(on_page), stroke);
            }
        }
        let [across, up, deep] =
            [[0.0, -1.0, 1.0], [-1.0, 0.0, 1.0], [1.0, -1.0, 0.0]].map(on_page);
        let mut say = |axis: usize, at: (f32, f32), degrees: f32, anchor: TextAnchor| {
            if let Some(title) = self.axes.get(axis) {
                canvas.rotated(title, at, LABEL_SIZE, look.faint(), degrees, anchor);
            }
        };
        say(0, (across.0 - 14.0, across.1 + 24.0), 0.0, TextAnchor::End);
        say(1, (up.0 - 12.0, up.1), -90.0, TextAnchor::Middle);
        say(2, (deep.0 + 14.0, deep.1 + 24.0), 0.0, TextAnchor::Start);
    }

    fn draw_plane(&self, canvas: &mut Canvas<'_>, plot: Area, middle: [f32; 3], half: f32) {
        let look = canvas.look();
        for (axis, center) in middle.into_iter().enumerate().take(2) {
            let low = f64::from(center - half);
            let (all, step) = ticks(low, low + 2.0 * f64::from(half), 6);
            for value in all {
                let share = ((value - low) / (2.0 * f64::from(half))) as f32;
                let text = tick(value, step);
                let (line, at, anchor) = if axis == 0 {
                    let x = plot.x + share * plot.width;
                    let at = (x, plot.bottom() + SMALL_SIZE + 6.0);
                    ([(x, plot.y), (x, plot.bottom())], at, TextAnchor::Middle)
                } else {
                    let y = plot.bottom() - share * plot.height;
                    let at = (plot.x - 7.0, y + 0.35 * SMALL_SIZE);
                    ([(plot.x, y), (plot.right(), y)], at, TextAnchor::End)
                };
                canvas.drawing.line(&line, Stroke::new(look.grid(), 0.75));
                canvas.text(&text, at, SMALL_SIZE, look.label(), anchor);
            }
        }
        let at = (plot.x + 0.5 * plot.width, plot.bottom() + 36.0);
        canvas.text(
            &self.axes[0],
            at,
            LABEL_SIZE,
            look.faint(),
            TextAnchor::Middle,
        );
        let at = (plot.x - 44.0, plot.y + 0.5 * plot.height);
        canvas.rotated(
            &self.axes[1],
            at,
            LABEL_SIZE,
            look.faint(),
            -90.0,
            TextAnchor::Middle,
        );
    }

    fn color(canvas: &Canvas<'_>, nearness: f32, is_marked: bool) -> Rgb {
        let look = canvas.look();
        let place = if is_marked { 0.94 } else { 0.08 };
        let color = Colormap::Diverging.color(look.theme, place);
        mix(look.plate(), color, 0.45 + 0.55 * nearness)
    }

    /// Names points where that hides no other name: marked ones first, then the nearest.
    fn draw_names(
        &self,
        canvas: &mut Canvas<'_>,
        plot: Area,
        placed: &[((f32, f32), f32, &ScatterPoint)],
    ) {
        let look = canvas.look();
        let mut taken: Vec<Area> = Vec::new();
        let crowd = Crowd::of(placed.iter().map(|(at, ..)| *at));
        let mut order: Vec<usize> = (0..placed.len()).collect();
        order.sort_by(|a, b| {
            let key = |index: &usize| (placed[*index].2.is_marked, placed[*index].1);
            let ((a_marked, a_near), (b_marked, b_near)) = (key(a), key(b));
            b_marked.cmp(&a_marked).then(b_near.total_cmp(&a_near))
        });
        for index in order {
            let ((x, y), nearness, point) = placed[index];
            if point.label.is_empty() || taken.len() >= MAX_NAMES {
                continue;
            }
            let size = if point.is_marked {
                LABEL_SIZE
            } else {
                SMALL_SIZE
            };
            let label = canvas.fit(&point.label, size, 110.0);
            let width = canvas.width(&label, size);
            for (left, top) in [
                (x + 5.0, y - 0.5 * size),
                (x - 5.0 - width, y - 0.5 * size),
                (x - 0.5 * width, y - size - 5.0),
                (x - 0.5 * width, y + 5.0),
            ] {
                let area = Area {
                    x: left,
                    y: top,
                    width,
                    height: size,
                };
                let is_inside = left > plot.x
                    && area.right() < plot.right()
                    && top > plot.y
                    && area.bottom() < plot.bottom();
                if !is_inside || taken.iter().any(|other| area.overlaps(other)) {
                    continue;
                }
                // Only what is asked for may hide points.
                if !point.is_marked && crowd.covers(&area) {
                    continue;
                }
                let share = if point.is_marked {
                    1.0
                } else {
                    0.5 + 0.4 * nearness
                };
                let color = mix(look.plate(), look.text(), share);
                let at = (left, top + 0.82 * size);
                canvas.text(&label, at, size, color, TextAnchor::Start);
                taken.push(area);
                break;
            }
        }
    }
}

/// A line to the ground says where each point stands, unless there are more.
const MAX_DROPS: usize = 120;
/// More names than this are a wall of text.
const MAX_NAMES: usize = 260;

impl Chart for Scatter {
    fn natural_size(&self, _canvas: &Canvas<'_>) -> (f32, f32) {
        if self.is_space() {
            (SIDE + 60.0, SIDE)
        } else {
            (SIDE + 60.0, SIDE + 44.0)
        }
    }

    fn draw(&self, canvas: &mut Canvas<'_>, area: Area) {
        let look = canvas.look();
        let plot = if self.is_space() {
            area
        } else {
            area.inset(60.0, 0.0, 0.0, 44.0)
        };
        let side = plot.width.min(plot.height);
        let plot = if self.is_space() {
            plot
        } else {
            // Both axes in the same units.
            Area {
                width: side,
                height: side,
                ..plot
            }
        };
        let (middle, half) = self.extent();
        canvas.drawing.rect(plot.rect(), look.plate(), 0.0, "");
        let center = (plot.x + 0.5 * plot.width, plot.y + 0.5 * plot.height);
        let on_page = |place: [f32; 3]| {
            let (x, y, _) = self.project(place);
            (center.0 + 0.5 * side * x, center.1 - 0.5 * side * y)
        };
        if self.is_space() {
            self.draw_space(canvas, &on_page);
        } else {
            self.draw_plane(canvas, plot, middle, half);
        }
        let unit = |point: &ScatterPoint| -> [f32; 3] {
            std::array::from_fn(|axis| (point.place[axis] - middle[axis]) / half)
        };
        let mut placed: Vec<((f32, f32), f32, &ScatterPoint)> = self
            .finite()
            .map(|point| (on_page(unit(point)), self.project(unit(point)).2, point))
            .collect();
        if self.is_joined {
            let way: Vec<(f32, f32)> = placed.iter().map(|(at, ..)| *at).collect();
            canvas.drawing.line(&way, Stroke::new(look.line(), 1.0));
        }
        // The farthest first, so that the nearer cover them; marked ones on top.
        placed.sort_by(|a, b| a.2.is_marked.cmp(&b.2.is_marked).then(a.1.total_cmp(&b.1)));
        let n = placed.len().max(1) as f32;
        let radius = (60.0 / n.sqrt()).clamp(0.9, 4.5);
        let opacity = if n > 2000.0 { 0.55 } else { 1.0 };
        if self.is_space() && placed.len() <= MAX_DROPS {
            for (at, _, point) in &placed {
                let [x, _, z] = unit(point);
                let foot = on_page([x, -1.0, z]);
                canvas
                    .drawing
                    .line(&[*at, foot], Stroke::new(look.grid(), 0.75));
                canvas.drawing.disc(foot, 1.4, look.line(), "");
            }
        }
        for (at, nearness, point) in &placed {
            let grown = if point.is_marked {
                (1.5 * radius).max(3.2)
            } else {
                radius
            };
            let grown = grown
                * if self.is_space() {
                    0.6 + 0.6 * nearness
                } else {
                    1.0
                };
            let color = Self::color(canvas, *nearness, point.is_marked);
            let paint = Paint::new(color, if point.is_marked { 1.0 } else { opacity });
            let told = if n > 6000.0 { "" } else { point.label.as_str() };
            canvas.drawing.disc(*at, grown, paint, told);
        }
        self.draw_names(canvas, plot, &placed);
    }
}
