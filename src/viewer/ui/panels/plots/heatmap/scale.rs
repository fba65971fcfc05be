//! Which colour a number has, and the bar that says so.

use egui::{Align2, FontId, Mesh, Pos2, Rect, Sense, Ui, pos2, vec2};

use crate::analysis::MatrixRange;
use crate::color::{Colormap, LUT_SIZE, NOT_FINITE, Theme};
use crate::viewer::readout::digits;
use crate::viewer::ui::theme;

/// Which colour a number has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The colours.
    pub map: Colormap,
    /// The number at the low end.
    pub low: f32,
    /// The number at the high end.
    pub high: f32,
    /// Numbers that are NaN or infinite.
    pub n_not_finite: usize,
}

impl Scale {
    /// From zero to the greatest where there is nothing below zero; else evenly to both sides of zero.
    pub fn of(range: MatrixRange) -> Self {
        let (map, low, high) = if range.low >= 0.0 {
            (Colormap::Sequential, 0.0, range.high)
        } else {
            let limit = range.high.abs().max(range.low.abs());
            (Colormap::Diverging, -limit, limit)
        };
        Self {
            map,
            low,
            high,
            n_not_finite: range.n_not_finite,
        }
    }

    /// From zero to one, as weights are.
    pub fn of_weights(range: MatrixRange) -> Self {
        Self {
            map: Colormap::Sequential,
            low: 0.0,
            high: 1.0,
            n_not_finite: range.n_not_finite,
        }
    }

    /// A number's place in the table of colours; none if it is NaN or infinite.
    pub fn place(&self, value: f32) -> Option<usize> {
        if !value.is_finite() {
            return None;
        }
        let span = self.high - self.low;
        let share = if span > 0.0 {
            ((value - self.low) / span).clamp(0.0, 1.0)
        } else if self.map == Colormap::Diverging {
            0.5
        } else {
            0.0
        };
        Some((share * (LUT_SIZE - 1) as f32).round() as usize)
    }

    /// The colours as egui has them.
    pub fn table(&self, theme: Theme) -> [egui::Color32; LUT_SIZE] {
        self.map.table(theme).map(theme::color)
    }
}

/// Colours in the bar.
const N_STEPS: usize = 48;

/// Widest the bar gets, in points.
const MAX_WIDTH: f32 = 260.0;

/// Height of the bar, in points.
const HEIGHT: f32 = 8.0;

/// What the colours of numbers mean; `value` says what the numbers are.
pub fn legend(ui: &mut Ui, theme: Theme, scale: &Scale, value: &str) {
    bar(ui, theme, scale, value, 1);
}

/// The colours from low to high with their numbers, and what else there is to say about them.
pub(super) fn bar(ui: &mut Ui, theme: Theme, scale: &Scale, value: &str, block: usize) {
    let middle = 0.5 * (scale.low + scale.high);
    let ends = [scale.low, middle, scale.high].map(short);
    let at = strip(ui, theme, scale, &ends, value, HEIGHT);
    let weak = theme::weak_text(theme);
    let font = FontId::proportional(10.5);
    let painter = ui.painter();
    if scale.n_not_finite > 0 {
        let swatch = Rect::from_min_size(at + vec2(0.0, 3.0), vec2(8.0, 8.0));
        painter.rect_filled(swatch, 0.0, theme::color(NOT_FINITE));
        let text = format!("{} NaN or infinite", scale.n_not_finite);
        painter.text(at + vec2(12.0, 0.0), Align2::LEFT_TOP, text, font, weak);
    } else if block > 1 {
        let text = format!("a pixel: greatest of {block}");
        painter.text(at, Align2::LEFT_TOP, text, font, weak);
    }
}

/// The colours from low to high with what stands at both ends and in the middle, and what they mean;
/// says where there is room for another line about them.
pub fn strip(
    ui: &mut Ui,
    theme: Theme,
    scale: &Scale,
    ends: &[String; 3],
    value: &str,
    height: f32,
) -> Pos2 {
    let width = (0.55 * ui.available_width()).min(MAX_WIDTH);
    let (line, _) =
        ui.allocate_exact_size(vec2(ui.available_width(), 14.0 + height), Sense::hover());
    let bar = Rect::from_min_size(line.min, vec2(width, height));
    let mut mesh = Mesh::default();
    for step in 0..=N_STEPS {
        let share = step as f32 / N_STEPS as f32;
        let color = theme::color(scale.map.color(theme, share));
        let x = bar.left() + share * bar.width();
        mesh.colored_vertex(pos2(x, bar.top()), color);
        mesh.colored_vertex(pos2(x, bar.bottom()), color);
        let at = 2 * step as u32;
        if step < N_STEPS {
            mesh.add_triangle(at, at + 1, at + 2);
            mesh.add_triangle(at + 1, at + 2, at + 3);
        }
    }
    let clip = line.expand(2.0).intersect(ui.clip_rect());
    let painter = ui.painter().with_clip_rect(clip);
    painter.add(mesh);
    let font = FontId::proportional(10.5);
    let weak = theme::weak_text(theme);
    let places = [
        (bar.left_bottom(), Align2::LEFT_TOP),
        (bar.center_bottom(), Align2::CENTER_TOP),
        (bar.right_bottom(), Align2::RIGHT_TOP),
    ];
    for (text, (at, align)) in ends.iter().zip(places) {
        painter.text(at + vec2(0.0, 1.0), align, text, font.clone(), weak);
    }
    let at = bar.right_top() + vec2(10.0, -2.0);
    painter.text(at, Align2::LEFT_TOP, value, font, weak);
    at + vec2(0.0, 11.0)
}

/// A number for the bar: no digits that say nothing.
fn short(value: f32) -> String {
    let text = digits(value);
    if text.contains('.') && !text.contains('e') {
        let text = text.trim_end_matches('0').trim_end_matches('.');
        return text.replace('-', "−");
    }
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(low: f32, high: f32) -> MatrixRange {
        MatrixRange {
            low,
            high,
            ..MatrixRange::default()
        }
    }

    #[test]
    fn signed_numbers_have_zero_in_the_middle_and_others_at_the_low_end() {
        let signed = Scale::of(range(-1.0, 4.0));
        assert_eq!(
            (signed.map, signed.low, signed.high),
            (Colormap::Diverging, -4.0, 4.0)
        );
        assert_eq!(signed.place(0.0), Some(128));

        let positive = Scale::of(range(2.0, 4.0));
        assert_eq!((positive.map, positive.low), (Colormap::Sequential, 0.0));
        assert_eq!(positive.place(4.0), Some(255));
        assert_eq!(positive.place(9.0), Some(255));
    }

    #[test]
    fn nothing_but_zeros_and_nan_have_a_place_or_none() {
        let empty = Scale::of(range(0.0, 0.0));

        assert_eq!(empty.place(0.0), Some(0));
        assert_eq!(empty.place(f32::NAN), None);
        assert_eq!(empty.place(f32::INFINITY), None);
    }

    #[test]
    fn numbers_of_the_bar_are_short() {
        let texts = [0.0, 1.0, 0.5, -12.25, 1e9].map(short);

        assert_eq!(texts, ["0", "1", "0.5", "−12.25", "1.0000e9"]);
    }
}
