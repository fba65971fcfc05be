//! What the guided tour says, on a card over the lower edge of the world.

use egui::{
    Align, Align2, Area, Button, Context, Frame, Id, Layout, Margin, Rect, RichText, Ui, vec2,
};

use super::Intent;
use crate::viewer::tour::{Run, TourWish};
use crate::viewer::ui::theme;
use crate::viewer::ui::view::UiView;

/// The card's height, the same at every stop so that the world keeps its place, in points.
const HEIGHT: f32 = 142.0;
/// Its greatest width, in points: a line is as long as is read with ease.
const MAX_WIDTH: f32 = 800.0;
/// Free ground around it, in points.
const MARGIN: f32 = 12.0;

/// What the guided tour says.
#[derive(Default)]
pub struct TourCard;

impl TourCard {
    /// Draws the card at the lower edge of what is `free`, if there is a tour; returns how much of
    /// the height it takes, in points. In a picture it needs no buttons.
    pub fn show(
        &mut self,
        context: &Context,
        view: &UiView<'_>,
        free: Rect,
        has_buttons: bool,
        intents: &mut Vec<Intent>,
    ) -> f32 {
        let Some(run) = view.tour else { return 0.0 };
        let width = (free.width() - 2.0 * MARGIN).clamp(160.0, MAX_WIDTH);
        let at = free.center_bottom() - vec2(0.0, MARGIN);
        Area::new(Id::new("tour"))
            .fixed_pos(at)
            .pivot(Align2::CENTER_BOTTOM)
            .fade_in(false)
            .show(context, |ui| {
                Frame::NONE
                    .fill(theme::panel_fill(view.theme))
                    .stroke(egui::Stroke::new(
                        1.0,
                        theme::color(view.theme.neutrals().road),
                    ))
                    .corner_radius(8)
                    .inner_margin(Margin::symmetric(18, 12))
                    .show(ui, |ui| {
                        ui.set_width(width - 36.0);
                        ui.set_min_height(HEIGHT - 24.0);
                        card(ui, view, run, has_buttons, intents);
                    });
            });
        HEIGHT + 2.0 * MARGIN
    }
}

fn card(ui: &mut Ui, view: &UiView<'_>, run: &Run, has_buttons: bool, intents: &mut Vec<Intent>) {
    let weak = theme::weak_text(view.theme);
    let Some((index, stop)) = run.stop() else {
        ui.colored_label(weak, "The tour begins when there is a model");
        return;
    };
    ui.horizontal(|ui| {
        ui.label(RichText::new(&stop.title).size(23.0).strong());
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if has_buttons {
                buttons(ui, run, index, intents);
            }
            let number = format!("{} / {}", index + 1, run.n_stops());
            ui.label(RichText::new(number).size(15.0).color(weak));
        });
    });
    ui.add_space(2.0);
    ui.label(RichText::new(&stop.text).size(18.0));
}

/// From right to left, as they are laid out.
fn buttons(ui: &mut Ui, run: &Run, index: usize, intents: &mut Vec<Intent>) {
    let pause = if run.is_paused() { "Go on" } else { "Wait" };
    for (title, hint, is_enabled, wish) in [
        ("End", "End the tour (Esc)", true, TourWish::End),
        (
            pause,
            "Wait here, or go on (Space)",
            true,
            TourWish::TogglePause,
        ),
        (
            "Next",
            "Next stop (N, →)",
            index + 1 < run.n_stops(),
            TourWish::Next,
        ),
        ("Back", "Stop before (B, ←)", index > 0, TourWish::Back),
    ] {
        if ui
            .add_enabled(is_enabled, Button::new(title))
            .on_hover_text(hint)
            .clicked()
        {
            intents.push(Intent::Tour(wish));
        }
    }
}
