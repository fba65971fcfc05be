//! What is drawn over the points of a scatter: grid, rings, names, and what the colours mean.

use egui::{Align2, Color32, FontId, Painter, Pos2, Rect, RichText, Sense, Stroke, Ui, pos2, vec2};

use super::dots::{color_of, radius};
use super::frame::Frame;
use super::scatter::ScatterView;
use crate::analysis::round_numbers;
use crate::color::Theme;
use crate::figure::tick;
use crate::viewer::readout::digits;
use crate::viewer::ui::theme;

/// Height of a line of small type, in points.
const LINE: f32 = 14.0;
/// Names that are tried at most.
const N_NAMES: usize = 160;
/// Where no more points than this are seen, all have names.
const FEW: usize = 140;

/// What is drawn over the points.
pub struct Look<'a> {
    /// What is shown.
    pub view: &'a ScatterView<'a>,
    /// Which part is seen.
    pub frame: Frame,
    /// Where.
    pub rect: Rect,
    /// Draws within it.
    pub painter: Painter,
}

impl Look<'_> {
    fn place(&self, index: usize) -> Pos2 {
        let scattered = &self.view.scattered;
        let point = &scattered.points[index * scattered.n_dims..];
        self.frame.place(self.rect, vec2(point[0], point[1]))
    }

    fn is_seen(&self, index: usize) -> bool {
        self.rect.contains(self.place(index))
    }

    /// Faint lines at round numbers, with the numbers.
    pub fn grid(&self) {
        let (low, high) = (self.rect.left_bottom(), self.rect.right_top());
        let (low, high) = (
            self.frame.at(self.rect, low),
            self.frame.at(self.rect, high),
        );
        let line = theme::color(self.view.theme.neutrals().line).gamma_multiply(0.22);
        let weak = theme::weak_text(self.view.theme);
        let font = FontId::proportional(10.0);
        for (x, number) in ticks(low.x, high.x) {
            let at = self.frame.place(self.rect, vec2(x, 0.0)).x;
            self.painter
                .vline(at, self.rect.y_range(), Stroke::new(1.0, line));
            let at = pos2(at + 2.0, self.rect.bottom() - 1.0);
            self.painter
                .text(at, Align2::LEFT_BOTTOM, number, font.clone(), weak);
        }
        for (y, number) in ticks(low.y, high.y) {
            let at = self.frame.place(self.rect, vec2(0.0, y)).y;
            self.painter
                .hline(self.rect.x_range(), at, Stroke::new(1.0, line));
            // The corners are the axes' names'.
            let is_free = at < self.rect.bottom() - 2.0 * LINE && at > self.rect.top() + 2.0 * LINE;
            if is_free {
                let at = pos2(self.rect.left() + 3.0, at);
                self.painter
                    .text(at, Align2::LEFT_BOTTOM, number, font.clone(), weak);
            }
        }
    }

    /// What runs along the axes, where each ends.
    pub fn axis_names(&self) {
        let mut x = self.view.axes.first().cloned().unwrap_or_default();
        if let Some(depth) = self.view.axes.get(2) {
            x = format!("{depth} into the depth     {x}");
        }
        let y = self.view.axes.get(1).cloned().unwrap_or_default();
        let corner = self.rect.right_bottom() - vec2(6.0, LINE);
        let ends = [
            (
                self.rect.left_top() + vec2(6.0, 4.0),
                Align2::LEFT_TOP,
                format!("↑ {y}"),
            ),
            (corner, Align2::RIGHT_BOTTOM, format!("{x} →")),
        ];
        let text = theme::weak_text(self.view.theme);
        for (at, align, name) in ends {
            let font = FontId::proportional(11.5);
            let galley = self.painter.layout_no_wrap(name, font, text);
            let rect = align.anchor_size(at, galley.size());
            let behind = theme::panel_fill(self.view.theme).gamma_multiply(0.85);
            self.painter.rect_filled(rect.expand(2.0), 2.0, behind);
            self.painter.galley(rect.min, galley, text);
        }
    }

    /// Rings around what stands out.
    pub fn marks(&self, highlighted: Option<usize>) {
        let scattered = &self.view.scattered;
        let radius = radius(scattered.points.len() / scattered.n_dims);
        let text = theme::color(self.view.theme.neutrals().text);
        let ring = |index: usize, radius: f32, width: f32, color: Color32| {
            let value = scattered.values.get(index).copied().unwrap_or(0.0);
            let fill = color_of(value, scattered.greatest, self.view.theme);
            let at = self.place(index);
            self.painter.circle_filled(at, radius, fill);
            let shadow = theme::panel_fill(self.view.theme);
            self.painter
                .circle_stroke(at, radius + width, Stroke::new(width + 1.0, shadow));
            self.painter
                .circle_stroke(at, radius, Stroke::new(width, color));
        };
        for index in self.view.marked {
            ring(*index, radius.max(3.0), 1.0, text.gamma_multiply(0.7));
        }
        for index in self.view.near {
            ring(*index, radius.max(3.0), 1.0, theme::accent(self.view.theme));
        }
        if let Some(index) = self.view.chosen {
            ring(
                index,
                radius.max(3.0) + 2.0,
                2.0,
                theme::accent(self.view.theme),
            );
        }
        if let Some(index) = highlighted {
            ring(index, radius.max(3.0) + 1.0, 1.5, text);
        }
    }

    /// Names beside points, the most telling first, as far as there is room.
    pub fn names(&self, highlighted: Option<usize>, drawn: &mut Vec<usize>) {
        let view = self.view;
        let n = view.scattered.points.len() / view.scattered.n_dims;
        let first = highlighted.into_iter().chain(view.chosen);
        let mut wanted: Vec<usize> = first
            .chain(view.near.iter().copied())
            .chain(view.marked.iter().copied())
            .filter(|index| *index < n && self.is_seen(*index))
            .take(N_NAMES)
            .collect();
        let n_telling = wanted.len();
        let seen: Vec<usize> = (0..n)
            .filter(|index| self.is_seen(*index))
            .take(FEW + 1)
            .collect();
        if seen.len() <= FEW {
            wanted.extend(seen);
        }
        let mut taken: Vec<Rect> = Vec::new();
        let mut named = std::collections::BTreeSet::new();
        for (rank, index) in wanted.into_iter().enumerate() {
            if !named.insert(index) {
                continue;
            }
            let is_first = Some(index) == highlighted || Some(index) == view.chosen;
            let color = if is_first || rank < n_telling {
                theme::color(view.theme.neutrals().text)
            } else {
                theme::weak_text(view.theme)
            };
            let text = clipped((view.label)(index));
            let font = FontId::proportional(if is_first { 12.5 } else { 11.0 });
            let galley = self.painter.layout_no_wrap(text, font, color);
            let place = self.place(index);
            let gap = 7.0;
            let beside = [
                place + vec2(gap, -0.5 * galley.size().y),
                place + vec2(-gap - galley.size().x, -0.5 * galley.size().y),
                place + vec2(-0.5 * galley.size().x, -gap - galley.size().y),
                place + vec2(-0.5 * galley.size().x, gap),
            ];
            let free = beside.into_iter().find(|corner| {
                let area = Rect::from_min_size(*corner, galley.size());
                self.rect.contains_rect(area) && !taken.iter().any(|other| other.intersects(area))
            });
            let Some(corner) = free.or(is_first.then_some(beside[0])) else {
                continue;
            };
            let area = Rect::from_min_size(corner, galley.size());
            taken.push(area.expand(1.0));
            let ground = theme::color(view.theme.neutrals().ground).gamma_multiply(0.75);
            self.painter.rect_filled(area.expand(1.0), 2.0, ground);
            self.painter.galley(corner, galley, color);
            drawn.push(index);
        }
    }
}

/// Round numbers along an axis, about five, and how they are written.
fn ticks(low: f32, high: f32) -> impl Iterator<Item = (f32, String)> {
    let (numbers, step) = round_numbers(f64::from(low), f64::from(high), 5);
    let written = move |number| (number as f32, tick(number, step));
    numbers.into_iter().map(written)
}

/// Letters of a name.
const MAX_LETTERS: usize = 18;

fn clipped(text: String) -> String {
    if text.chars().count() <= MAX_LETTERS {
        return text;
    }
    let start: String = text.chars().take(MAX_LETTERS - 1).collect();
    start + "…"
}

/// What the colours mean: a bar from zero to the greatest.
pub fn color_bar(ui: &mut Ui, theme: Theme, value: &str, greatest: f32) {
    let weak = theme::weak_text(theme);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 5.0;
        let small = |text: String| RichText::new(text).size(10.5).color(weak);
        ui.label(small(format!("{value}  0")));
        let (rect, _) = ui.allocate_exact_size(vec2(90.0, 8.0), Sense::hover());
        let mut mesh = egui::Mesh::default();
        let n_steps = 24;
        for step in 0..=n_steps {
            let share = step as f32 / n_steps as f32;
            let color = color_of(share, 1.0, theme);
            let x = rect.left() + share * rect.width();
            mesh.colored_vertex(pos2(x, rect.top()), color);
            mesh.colored_vertex(pos2(x, rect.bottom()), color);
            if step < n_steps {
                let at = 2 * step;
                mesh.add_triangle(at, at + 1, at + 2);
                mesh.add_triangle(at + 1, at + 2, at + 3);
            }
        }
        ui.painter().add(mesh);
        ui.label(small(digits(greatest)));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_on_an_axis_have_the_digits_of_their_step() {
        let written = |low, high| ticks(low, high).map(|(_, text)| text).collect::<Vec<_>>();

        let quarters = ["−0.50", "−0.25", "0.00", "0.25", "0.50"];
        assert_eq!(written(-0.6, 0.55), quarters);
        assert_eq!(written(3.5, 7.2), ["4", "5", "6", "7"]);
        assert!(written(1.0, 1.0).is_empty());
    }
}
