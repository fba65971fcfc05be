//! Rows with a bar to either side of zero.

use egui::{Align2, FontId, Rect, Response, Sense, Stroke, StrokeKind, Ui, WidgetInfo, WidgetType};
use egui::{pos2, vec2};

use crate::color::{Colormap, Theme};
use crate::viewer::readout::{digits, exact};
use crate::viewer::ui::theme;

/// Height of a row, in points.
pub const ROW: f32 = 19.0;

/// A row of a label, a bar from zero to a number, and the number; it can be clicked.
pub struct SignedRow<'a> {
    /// What it is.
    pub label: &'a str,
    /// The number.
    pub value: f32,
    /// The magnitude that fills half the width.
    pub limit: f32,
    /// Whether it is the one chosen.
    pub is_chosen: bool,
    /// The label's share of the width.
    pub label_share: f32,
}

impl SignedRow<'_> {
    /// Draws it as wide as there is room.
    pub fn ui(&self, ui: &mut Ui, theme: Theme) -> Response {
        let size = vec2(ui.available_width(), ROW);
        let (rect, response) = ui.allocate_exact_size(size, Sense::click());
        response.widget_info(|| {
            let text = format!("{} {}", self.label, exact(self.value));
            WidgetInfo::selected(WidgetType::Button, true, self.is_chosen, text)
        });
        if ui.is_rect_visible(rect) {
            self.paint(ui, theme, rect, &response);
        }
        response
    }

    fn paint(&self, ui: &Ui, theme: Theme, rect: Rect, response: &Response) {
        let painter = ui.painter();
        if response.hovered() || response.has_focus() || self.is_chosen {
            painter.rect_filled(rect, 3.0, theme::color(theme.neutrals().road));
        }
        let font = FontId::proportional(12.5);
        let text = theme::color(theme.neutrals().text);
        let split = rect.left() + self.label_share * rect.width();
        let label = painter.with_clip_rect(Rect::from_min_max(rect.min, pos2(split, rect.max.y)));
        let at = rect.left_center() + vec2(5.0, 0.0);
        label.text(at, Align2::LEFT_CENTER, self.label, font.clone(), text);
        let right = rect.right_center() - vec2(5.0, 0.0);
        let number = digits(self.value).replace('-', "−");
        painter.text(right, Align2::RIGHT_CENTER, number, font, text);
        let zone = Rect::from_min_max(
            pos2(split + 4.0, rect.top() + 3.0),
            pos2(rect.right() - 76.0, rect.bottom() - 3.0),
        );
        signed_bar(ui, theme, zone, self.value, self.limit);
        if response.has_focus() {
            let stroke = Stroke::new(1.0, theme::accent(theme));
            painter.rect_stroke(rect, 3.0, stroke, StrokeKind::Inside);
        }
    }
}

/// A bar from the middle of `zone` to the left or the right, and the line of zero.
pub fn signed_bar(ui: &Ui, theme: Theme, zone: Rect, value: f32, limit: f32) {
    if !zone.is_positive() {
        return;
    }
    let zero = zone.center().x;
    let share = if limit > 0.0 && value.is_finite() {
        (value / limit).clamp(-1.0, 1.0)
    } else {
        0.0
    };
    let end = zero + 0.5 * zone.width() * share;
    let bar = Rect::from_x_y_ranges(zero.min(end)..=zero.max(end), zone.y_range());
    ui.painter().rect_filled(bar, 1.0, bar_color(theme, value));
    let line = Stroke::new(1.0, theme::color(theme.neutrals().line));
    ui.painter().vline(zero, zone.expand(3.0).y_range(), line);
}

/// The colour of a bar: that of a number near the end of its range.
pub fn bar_color(theme: Theme, value: f32) -> egui::Color32 {
    let place = if value < 0.0 { 0.12 } else { 0.88 };
    theme::color(Colormap::Diverging.color(theme, place))
}

/// The greatest magnitude among the finite ones; 0 where there is none.
pub fn limit(values: impl IntoIterator<Item = f32>) -> f32 {
    let finite = values.into_iter().filter(|value| value.is_finite());
    finite.fold(0.0, |limit, value| limit.max(value.abs()))
}
