//! Films of the window: begin, pause, end.

use egui::{Button, RichText, Ui};

use super::Intent;
use crate::color::RECORDING;
use crate::viewer::filming::{FilmPhase, FilmWish, Filming};
use crate::viewer::ui::theme;

/// Films of the window: begin, pause, end.
#[derive(Default)]
pub struct RecordButtons;

impl RecordButtons {
    /// Draws the buttons.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        filming: &Filming,
        can_make_again: bool,
        intents: &mut Vec<Intent>,
    ) {
        let phase = filming.phase();
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
        let again = sized(RichText::new("Again").size(13.0));
        let hint = "Make the last film again offline: every frame, in the best quality";
        if can_make_again && phase.is_none() && ui.add(again).on_hover_text(hint).clicked() {
            intents.push(Intent::Film(FilmWish::MakeAgain));
        }
    }
}

/// A button as large as those of the playhead.
fn sized(symbol: RichText) -> Button<'static> {
    Button::new(symbol).min_size(egui::vec2(32.0, 26.0))
}

#[cfg(test)]
mod tests {
    use egui_kittest::Harness;
    use egui_kittest::kittest::Queryable as _;

    use super::*;
    use crate::viewer::filming::FilmState;

    fn filming(phase: FilmPhase) -> Filming {
        Filming(Some(FilmState {
            path: "film.mp4".into(),
            phase,
            secs: 1.0,
            n_frames: 30,
            n_bytes: 1_000,
            n_skipped: 0,
        }))
    }

    /// What is wished for when these buttons are pressed one after the other.
    fn wishes(filming: Filming, buttons: &[&str]) -> Vec<Intent> {
        let mut harness = Harness::builder().build_ui_state(
            move |ui, intents: &mut Vec<Intent>| RecordButtons.ui(ui, &filming, true, intents),
            Vec::new(),
        );
        for button in buttons {
            harness.get_by_label(button).click();
            harness.run();
        }
        harness.state().clone()
    }

    #[test]
    fn a_film_is_begun_paused_and_ended_by_buttons() {
        let toggle = || Intent::Film(FilmWish::Toggle);
        let pause = Intent::Film(FilmWish::TogglePause);

        assert_eq!(wishes(Filming(None), &["⏺"]), [toggle()]);
        let again = Intent::Film(FilmWish::MakeAgain);
        assert_eq!(wishes(Filming(None), &["Again"]), [again]);
        let recording = filming(FilmPhase::Recording);
        assert_eq!(wishes(recording, &["⏸", "⏹"]), [pause, toggle()]);
        assert_eq!(
            wishes(filming(FilmPhase::Ending), &["⏹"]),
            [],
            "it ends already"
        );
    }
}
