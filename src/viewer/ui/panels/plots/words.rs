//! A text whose tokens have the colours of numbers, with each number below its token.

use egui::{FontId, Rect, Sense, Stroke, StrokeKind, Ui, WidgetInfo, WidgetType, vec2};

use super::PlotView;
use super::heatmap::Scale;
use super::parts::token_text;
use crate::analysis::{Matrix, MatrixRange};
use crate::color::{NOT_FINITE, Rgb};
use crate::viewer::readout::{digits, exact};
use crate::viewer::ui::theme;

/// A number for each token of the text.
pub struct Words<'a> {
    /// By position.
    pub values: &'a [f32],
    /// Which colour a number has.
    pub scale: Scale,
    /// What the numbers are, with their unit.
    pub value: &'a str,
    /// The position that is framed.
    pub marked: Option<usize>,
}

/// Height of a token, and of the number below it, in points.
const TOKEN: f32 = 21.0;
const NUMBER: f32 = 13.0;
const LEAST_WIDTH: f32 = 20.0;

impl Words<'_> {
    /// Draws the text as wide as there is room; the position that was clicked.
    pub fn ui(&self, ui: &mut Ui, view: &PlotView<'_>) -> Option<usize> {
        let mut clicked = None;
        let colors = self.scale.map.table(view.theme);
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(2.0, 5.0);
            for (pos, value) in self.values.iter().enumerate() {
                let rgb = match self.scale.place(*value) {
                    Some(place) => colors[place],
                    None => NOT_FINITE,
                };
                if self.word(ui, view, pos, *value, rgb) {
                    clicked = Some(pos);
                }
            }
        });
        clicked
    }

    /// One token; whether it was clicked.
    fn word(&self, ui: &mut Ui, view: &PlotView<'_>, pos: usize, value: f32, rgb: Rgb) -> bool {
        let ink = theme::ink_on(rgb);
        let weak = theme::weak_text(view.theme);
        let lay_out = |text: String, size: f32, color| {
            let font = FontId::proportional(size);
            ui.fonts_mut(|fonts| fonts.layout_no_wrap(text, font, color))
        };
        let word = lay_out(token_text(view, pos), 13.5, ink);
        let number = lay_out(short(value), 10.0, weak);
        let width = (word.size().x.max(number.size().x) + 8.0).max(LEAST_WIDTH);
        let (rect, response) = ui.allocate_exact_size(vec2(width, TOKEN + NUMBER), Sense::click());
        let name = format!("{pos} “{}”", token_text(view, pos));
        response.widget_info(|| {
            let is_marked = self.marked == Some(pos);
            let text = format!("{name} {}", exact(value));
            WidgetInfo::selected(WidgetType::Button, true, is_marked, text)
        });
        if ui.is_rect_visible(rect) {
            let tile = Rect::from_min_size(rect.min, vec2(width, TOKEN));
            let painter = ui.painter();
            painter.rect_filled(tile, 3.0, theme::color(rgb));
            painter.galley(tile.center() - 0.5 * word.size(), word, ink);
            let below = tile.center_bottom() + vec2(-0.5 * number.size().x, 0.0);
            painter.galley(below, number, weak);
            let outline = if response.has_focus() || response.hovered() {
                Some(theme::color(view.theme.neutrals().text))
            } else {
                (self.marked == Some(pos)).then(|| theme::accent(view.theme))
            };
            if let Some(color) = outline {
                let stroke = Stroke::new(1.5, color);
                painter.rect_stroke(tile, 3.0, stroke, StrokeKind::Inside);
            }
        }
        response
            .on_hover_ui(|ui| {
                ui.strong(&name);
                ui.label(format!("{} {}", self.value, exact(value)));
                ui.weak("Click shows it in the world");
            })
            .clicked()
    }
}

/// A number that fits below a word.
fn short(value: f32) -> String {
    let magnitude = value.abs();
    let text = if value == 0.0 {
        "0".to_owned()
    } else if (0.001..1000.0).contains(&magnitude) {
        let n_digits = (1 - magnitude.log10().floor() as i32).clamp(0, 4) as usize;
        format!("{value:.n_digits$}")
    } else if value.is_finite() {
        format!("{value:.0e}")
    } else {
        digits(value)
    };
    text.replace('-', "−")
}

/// The ends of some numbers.
pub fn range(values: &[f32]) -> MatrixRange {
    let mut matrix = Matrix::new(values.len());
    matrix.push_row(values);
    matrix.range()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_below_words_are_short_and_keep_their_sign() {
        let texts = [0.0, 0.5, -0.0123, 12.3, -456.7, 1e-6, f32::NAN].map(short);

        assert_eq!(texts, ["0", "0.50", "−0.012", "12", "−457", "1e−6", "NaN"]);
    }
}
