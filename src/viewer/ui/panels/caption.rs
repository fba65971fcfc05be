//! What a film says of the moment, on a card over the lower edge of the world.

use egui::text::LayoutJob;
use egui::{Align2, Area, Context, FontId, Frame, Id, Margin, Rect, Stroke, TextFormat, Ui, vec2};

use crate::color::Theme;
use crate::viewer::film::Caption;
use crate::viewer::ui::theme;

/// The card's height, the same all along so that the world keeps its place, in points.
const HEIGHT: f32 = 82.0;
/// Its greatest width, in points.
const MAX_WIDTH: f32 = 860.0;
/// Free ground around it, in points.
const MARGIN: f32 = 12.0;
/// Ground between its edge and its words, in points.
const INSET: f32 = 18.0;
/// Letters of the text that are kept, its end.
const MAX_LETTERS: usize = 400;

/// Draws what a film says.
pub struct CaptionCard<'a>(pub &'a Caption);

impl CaptionCard<'_> {
    /// Draws the card at the lower edge of what is `free`; returns how much of the height it takes,
    /// in points.
    pub fn show(&self, context: &Context, free: Rect, theme: Theme) -> f32 {
        let width = (free.width() - 2.0 * MARGIN).clamp(160.0, MAX_WIDTH);
        Area::new(Id::new("caption"))
            .fixed_pos(free.center_bottom() - vec2(0.0, MARGIN))
            .pivot(Align2::CENTER_BOTTOM)
            .fade_in(false)
            .interactable(false)
            .show(context, |ui| {
                Frame::NONE
                    .fill(theme::panel_fill(theme))
                    .stroke(Stroke::new(1.0, theme::color(theme.neutrals().road)))
                    .corner_radius(8)
                    .inner_margin(Margin::symmetric(INSET as i8, 10))
                    .show(ui, |ui| {
                        ui.set_width(width - 2.0 * INSET);
                        ui.set_height(HEIGHT - 20.0);
                        self.ui(ui, theme);
                    });
            });
        HEIGHT + 2.0 * MARGIN
    }

    fn ui(&self, ui: &mut Ui, theme: Theme) {
        let width = ui.available_width();
        let text = ui.fonts_mut(|fonts| fonts.layout_job(self.job(width, theme)));
        ui.label(text);
        ui.add_space(4.0);
        ui.horizontal(|ui| {
            let weak = theme::weak_text(theme);
            ui.label(egui::RichText::new(&self.0.line).size(15.0).color(weak));
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                ui.label(egui::RichText::new(&self.0.place).size(15.0).color(weak));
            });
        });
    }

    /// The text on one line: of a long one its end, which is what happens now.
    fn job(&self, width: f32, theme: Theme) -> LayoutJob {
        let color = theme::color(theme.neutrals().text);
        let format = |color| TextFormat::simple(FontId::proportional(21.0), color);
        let text = flat(&self.0.text);
        let n_letters = text.chars().count();
        // About what a line holds; the rest is cut off at its start.
        let room = ((width / 10.5) as usize).min(MAX_LETTERS);
        let room = room.saturating_sub(self.0.newest.chars().count() + 1);
        let mut job = LayoutJob::default();
        if n_letters > room {
            let end: String = text.chars().skip(n_letters - room).collect();
            job.append("…", 0.0, format(theme::weak_text(theme)));
            job.append(&end, 0.0, format(color));
        } else {
            job.append(&text, 0.0, format(color));
        }
        job.append(&flat(&self.0.newest), 0.0, format(theme::accent(theme)));
        job.wrap.max_rows = 1;
        job.wrap.max_width = width;
        job.wrap.break_anywhere = true;
        job
    }
}

/// The text without line breaks, which would take room from what is below.
fn flat(text: &str) -> String {
    text.replace(['\n', '\r', '\t'], " ")
}

#[cfg(test)]
mod tests {
    use egui_kittest::Harness;
    use egui_kittest::kittest::Queryable as _;

    use super::*;

    #[test]
    fn a_long_text_keeps_its_end_and_the_newest_token_on_one_line() {
        let caption = Caption {
            text: "once upon a time ".repeat(40),
            newest: "dragon".to_owned(),
            line: "It is read".to_owned(),
            place: "layer 2 of 4".to_owned(),
        };
        let job = CaptionCard(&caption).job(600.0, Theme::Dark);
        assert!(job.text.starts_with('…') && job.text.ends_with("time dragon"));
        assert!(job.text.chars().count() < 60);

        let mut harness = Harness::builder().build_ui_state(
            |ui, taken: &mut f32| {
                let context = ui.ctx().clone();
                *taken = CaptionCard(&caption).show(&context, context.viewport_rect(), Theme::Dark);
            },
            0.0,
        );
        harness.run();

        harness.get_by_label("It is read");
        let place = harness.get_by_label("layer 2 of 4").rect();
        let screen = harness.ctx.viewport_rect();
        assert!(screen.contains_rect(place), "{place:?} in {screen:?}");
        assert_eq!(*harness.state(), HEIGHT + 2.0 * MARGIN);
    }
}
