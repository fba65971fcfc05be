//! The text so far, and what may come next.

use egui::{Align2, FontId, RichText, Sense, Ui, vec2};

use super::{Intent, heading};
use crate::viewer::ui::theme;
use crate::viewer::ui::view::UiView;

/// The text so far, and what may come next.
#[derive(Default)]
pub struct TextPanel;

impl TextPanel {
    /// Draws the panel.
    pub fn ui(&mut self, ui: &mut Ui, view: &UiView<'_>, intents: &mut Vec<Intent>) {
        heading(ui, "Text");
        if view.model.is_none() {
            let text = if view.loading.is_some() {
                "The model is being read…"
            } else {
                "No model yet"
            };
            ui.colored_label(theme::weak_text(view.theme), text);
            return;
        }
        if view.tokens.is_empty() {
            ui.colored_label(theme::weak_text(view.theme), "No text yet");
        }
        tokens(ui, view, intents);
        ui.add_space(8.0);
        ui.separator();
        heading(ui, "Most probable next");
        if view.candidates.is_empty() {
            ui.colored_label(theme::weak_text(view.theme), "Nothing predicted yet");
        }
        for candidate in view.candidates {
            let label = quoted(&(view.token_text)(candidate.token));
            bar(ui, view, &label, candidate.probability).on_hover_text(format!(
                "token {} with probability {}",
                candidate.token, candidate.probability
            ));
        }
    }
}

/// A token's text in quotes that it rarely holds itself.
fn quoted(label: &str) -> String {
    format!("“{label}”")
}

/// The tokens as running text; a click shows the text up to there.
fn tokens(ui: &mut Ui, view: &UiView<'_>, intents: &mut Vec<Intent>) {
    egui::ScrollArea::vertical()
        .id_salt("tokens")
        .max_height(150.0)
        .stick_to_bottom(true)
        .show(ui, |ui| {
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing = vec2(1.0, 3.0);
                for (pos, token) in view.tokens.iter().enumerate() {
                    let mut text = RichText::new((view.token_text)(*token).replace('·', " "));
                    let is_shown = pos <= view.playhead.lane;
                    if !is_shown {
                        text = text.color(theme::weak_text(view.theme));
                    }
                    let is_current = pos == view.playhead.lane;
                    let label = ui
                        .selectable_label(is_current, text)
                        .on_hover_text(format!("position {pos}, token {token}"));
                    if label.clicked() {
                        intents.push(Intent::SeekLane(pos));
                    }
                }
            });
        });
}

/// A bar of probability with its text upon it.
fn bar(ui: &mut Ui, view: &UiView<'_>, label: &str, probability: f32) -> egui::Response {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 20.0), Sense::hover());
    let neutrals = view.theme.neutrals();
    let painter = ui.painter().with_clip_rect(rect);
    painter.rect_filled(rect, 3.0, theme::color(neutrals.road).gamma_multiply(0.6));
    let mut filled = rect;
    filled.set_width(rect.width() * probability.clamp(0.0, 1.0));
    painter.rect_filled(filled, 3.0, theme::accent(view.theme).gamma_multiply(0.55));
    let text_color = theme::color(neutrals.text);
    let font = FontId::proportional(13.0);
    painter.text(
        rect.left_center() + vec2(7.0, 0.0),
        Align2::LEFT_CENTER,
        label,
        font.clone(),
        text_color,
    );
    painter.text(
        rect.right_center() - vec2(7.0, 0.0),
        Align2::RIGHT_CENTER,
        format!("{:.1} %", 100.0 * probability),
        font,
        text_color,
    );
    response
}
