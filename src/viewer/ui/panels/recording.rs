//! Films of the window: begin, pause, end.

use egui::{Button, RichText, Ui};

use super::Intent;
use crate::color::RECORDING;
use crate::viewer::filming::{FilmPhase, FilmWish};
use crate::viewer::ui::theme;
use crate::viewer::ui::view::UiView;

/// Films of the window: begin, pause, end.
#[derive(Default)]
pub struct RecordButtons;

impl RecordButtons {
    /// Draws the buttons.
    pub fn ui(&mut self, ui: &mut Ui, view: &UiView<'_>, intents: &mut Vec<Intent>) {
        let phase = view.filming.phase();
        let (symbol, hint) = match phase {
            None => ("⏺", "Record a film of this window (F9)"),
            Some(_) => ("⏹", "End the film (F9)"),
        };
        let symbol = RichText::new(symbol).size(16.0);
        let record = sized(symbol.color(theme::color(RECORDING)));
        let can_press = phase != Some(FilmPhase::Ending);
        if ui
            .add_enabled(can_press, record)
            .on_hover_text(hint)
            .clicked()
        {
            intents.push(Intent::Film(FilmWish::Toggle));
        }
        let is_paused = phase == Some(FilmPhase::Paused);
        let hint = if is_paused {
            "Go on with the film (F10)"
        } else {
            "Leave out what comes (F10)"
        };
        let pause = sized(RichText::new("⏸").size(16.0)).selected(is_paused);
        let can_pause = phase.is_some() && can_press;
        if can_pause && ui.add(pause).on_hover_text(hint).clicked() {
            intents.push(Intent::Film(FilmWish::TogglePause));
        }
    }
}

/// A button as large as those of the playhead.
fn sized(symbol: RichText) -> Button<'static> {
    Button::new(symbol).min_size(egui::vec2(32.0, 26.0))
}
