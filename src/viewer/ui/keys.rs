//! Keyboard shortcuts; the help sheet lists them from the same table.

use bevy::prelude::*;
use bevy_egui::input::EguiWantsInput;

use super::panels::Plot;
use super::panels::help::{Command, SHORTCUTS};
use super::panels::plots::ablation::{part_of, toggled};
use super::{UiSettings, UiState};
use crate::ablation::Ablation;
use crate::color::Theme;
use crate::layout::Cell;
use crate::viewer::filming::{FilmWish, PictureWish};
use crate::viewer::inference::{ActiveTrace, EngineWish};
use crate::viewer::playback::PlaybackWish;
use crate::viewer::recents::RecentWish;
use crate::viewer::scene::{Highlight, SceneSettings};
use crate::viewer::slots::SlotWish;
use crate::viewer::tour::{ActiveTour, TourWish};
use crate::viewer::viewpoint::{CameraWish, Viewpoint};

/// A key and what is held with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Chord {
    code: KeyCode,
    has_ctrl: bool,
    has_shift: bool,
}

/// The chord that a shortcut's name stands for, such as `Ctrl+1`.
fn chord(name: &str) -> Option<Chord> {
    let (rest, has_ctrl) = match name.strip_prefix("Ctrl+") {
        Some(rest) => (rest, true),
        None => (name, false),
    };
    let (key, has_shift) = match rest.strip_prefix("Shift+") {
        Some(key) => (key, true),
        None => (rest, false),
    };
    Some(Chord {
        code: key_code(key)?,
        has_ctrl,
        has_shift,
    })
}

fn key_code(name: &str) -> Option<KeyCode> {
    Some(match name {
        "Space" => KeyCode::Space,
        "→" => KeyCode::ArrowRight,
        "←" => KeyCode::ArrowLeft,
        "PageDown" => KeyCode::PageDown,
        "PageUp" => KeyCode::PageUp,
        "Home" => KeyCode::Home,
        "F1" => KeyCode::F1,
        "F2" => KeyCode::F2,
        "F3" => KeyCode::F3,
        "F4" => KeyCode::F4,
        "F5" => KeyCode::F5,
        "F6" => KeyCode::F6,
        "F7" => KeyCode::F7,
        "F8" => KeyCode::F8,
        "F9" => KeyCode::F9,
        "F10" => KeyCode::F10,
        "F12" => KeyCode::F12,
        "Esc" => KeyCode::Escape,
        "B" => KeyCode::KeyB,
        "C" => KeyCode::KeyC,
        "F" => KeyCode::KeyF,
        "G" => KeyCode::KeyG,
        "H" => KeyCode::KeyH,
        "L" => KeyCode::KeyL,
        "N" => KeyCode::KeyN,
        "O" => KeyCode::KeyO,
        "R" => KeyCode::KeyR,
        "T" => KeyCode::KeyT,
        "V" => KeyCode::KeyV,
        "X" => KeyCode::KeyX,
        "1" => KeyCode::Digit1,
        "2" => KeyCode::Digit2,
        "3" => KeyCode::Digit3,
        "4" => KeyCode::Digit4,
        "5" => KeyCode::Digit5,
        "6" => KeyCode::Digit6,
        "7" => KeyCode::Digit7,
        "8" => KeyCode::Digit8,
        "9" => KeyCode::Digit9,
        _ => return None,
    })
}

/// Every chord of the table, and what it does: of several keys for several slots, each its own.
fn chords() -> impl Iterator<Item = (Chord, Command)> {
    SHORTCUTS
        .iter()
        .filter(|shortcut| !matches!(shortcut.command, Command::Move | Command::Select))
        .flat_map(|shortcut| {
            let keys = shortcut.keys.iter().enumerate();
            keys.filter_map(|(index, key)| Some((chord(key)?, shortcut.command.nth(index))))
        })
}

/// What the keys that went down just now ask for. Shift makes another chord of a key only where
/// there is one: a flight with Shift held leaves the others as they are.
fn commands(keys: &ButtonInput<KeyCode>) -> Vec<Command> {
    // On a slow frame all of a chord is up again before it is seen.
    let held = |codes: [KeyCode; 2]| keys.any_pressed(codes) || keys.any_just_released(codes);
    let has_shift = held([KeyCode::ShiftLeft, KeyCode::ShiftRight]);
    let has_ctrl = held([KeyCode::ControlLeft, KeyCode::ControlRight])
        || held([KeyCode::SuperLeft, KeyCode::SuperRight]);
    if held([KeyCode::AltLeft, KeyCode::AltRight]) {
        return Vec::new(); // Those are the window manager's.
    }
    chords()
        .filter(|(chord, _)| {
            // Held with Shift, the arrows turn the camera.
            let is_arrow = matches!(chord.code, KeyCode::ArrowLeft | KeyCode::ArrowRight);
            keys.just_pressed(chord.code)
                && chord.has_ctrl == has_ctrl
                && (chord.has_shift == has_shift || !(chord.has_shift || is_arrow))
        })
        .map(|(_, command)| command)
        .collect()
}

pub(super) fn obey_keys(
    keys: Res<ButtonInput<KeyCode>>,
    egui: Res<EguiWantsInput>,
    active_tour: Res<ActiveTour>,
    highlight: Res<Highlight>,
    trace: Res<ActiveTrace>,
    mut engine: MessageWriter<EngineWish>,
    mut state: ResMut<UiState>,
    mut ui_settings: ResMut<UiSettings>,
    mut scene_settings: ResMut<SceneSettings>,
    mut playback: MessageWriter<PlaybackWish>,
    mut camera: MessageWriter<CameraWish>,
    mut slots: MessageWriter<SlotWish>,
    mut tour: MessageWriter<TourWish>,
    mut films: MessageWriter<FilmWish>,
    mut pictures: MessageWriter<PictureWish>,
    mut recents: MessageWriter<RecentWish>,
) {
    // Nothing to obey leaves every resource as unchanged as it is.
    let mut commands = commands(&keys);
    if egui.wants_any_keyboard_input() {
        // Whoever types means the letters, but the keys that type nothing still work.
        commands.retain(|command| command.types_nothing());
    }
    let has_tour = active_tour.run().is_some();
    for command in commands {
        match command {
            // While a tour runs, these keys are its own.
            Command::TogglePlay if has_tour => {
                tour.write(TourWish::TogglePause);
            }
            Command::StepForward if has_tour => {
                tour.write(TourWish::Next);
            }
            Command::StepBack if has_tour => {
                tour.write(TourWish::Back);
            }
            Command::Close if has_tour && !state.panels.help.is_open => {
                tour.write(TourWish::End);
            }
            Command::TogglePlay => {
                playback.write(PlaybackWish::Toggle);
            }
            Command::StepForward => {
                playback.write(PlaybackWish::StepForward);
            }
            Command::StepBack => {
                playback.write(PlaybackWish::StepBack);
            }
            Command::Replay => {
                playback.write(PlaybackWish::Replay);
            }
            Command::FrameAll => {
                camera.write(CameraWish::GoTo(Viewpoint::Overview));
            }
            Command::GoToSlot(number) => {
                slots.write(SlotWish::GoTo(number));
            }
            Command::SaveSlot(number) => {
                slots.write(SlotWish::Save(number));
            }
            Command::ToggleFlight => {
                camera.write(CameraWish::ToggleFlight);
            }
            Command::ToggleTour => {
                tour.write(TourWish::Toggle);
            }
            Command::TogglePath => {
                state.panels.path.is_open = !state.panels.path.is_open;
                ui_settings.has_panels = true;
            }
            Command::NextStop => {
                tour.write(TourWish::Next);
            }
            Command::LastStop => {
                tour.write(TourWish::Back);
            }
            Command::ToggleTheme => {
                scene_settings.theme = match scene_settings.theme {
                    Theme::Dark => Theme::Light,
                    Theme::Light => Theme::Dark,
                };
            }
            Command::TogglePanels => ui_settings.has_panels = !ui_settings.has_panels,
            Command::ToggleLabels => ui_settings.has_labels = !ui_settings.has_labels,
            Command::TogglePlot(index) => {
                if let Some(plot) = Plot::ALL.get(index) {
                    state.panels.plots.dock.toggle(*plot);
                    ui_settings.has_panels = true;
                }
            }
            Command::TearPlot(index) => {
                if let Some(plot) = Plot::ALL.get(index) {
                    state.panels.plots.dock.tear(*plot);
                    ui_settings.has_panels = true;
                }
            }
            Command::Ablate => match pinned_part(&highlight, &trace) {
                Ok(part) => {
                    let parts = state.ablations.as_deref().unwrap_or(trace.ablations());
                    let parts = toggled(parts, part);
                    state.ablations = Some(parts.clone());
                    engine.write(EngineWish::SetAblations(parts));
                }
                Err(why) => state.failure = Some(why),
            },
            Command::ToggleFilm => {
                films.write(FilmWish::Toggle);
            }
            Command::PauseFilm => {
                films.write(FilmWish::TogglePause);
            }
            Command::TakePicture => {
                pictures.write(state.panels.transport.pictures.wish);
            }
            Command::ToggleOpen => {
                state.panels.open.toggle();
                ui_settings.has_panels = true;
                recents.write(RecentWish::Check);
            }
            Command::ToggleHelp => state.panels.help.is_open = !state.panels.help.is_open,
            Command::Close => state.panels.help.is_open = false,
            Command::Move | Command::Select => {}
        }
    }
}

/// The part that the pinned number belongs to, or why it can't be set to zero.
fn pinned_part(highlight: &Highlight, trace: &ActiveTrace) -> Result<Ablation, String> {
    let config = match trace.model() {
        Some(model) if model.weights.is_some() => &model.config,
        Some(_) => return Err("Nothing can be computed anew without weights".to_owned()),
        None => return Err("No model is loaded yet".to_owned()),
    };
    let part = match highlight.pinned {
        Some(Cell::Value(cell)) => part_of(cell, config),
        Some(Cell::Weight(_)) => {
            let why = "X sets what a pass computes to zero, not weights; pin a head or a neuron";
            return Err(why.to_owned());
        }
        None => {
            let why = "Click a head, a neuron or a dimension first; then X sets it to zero";
            return Err(why.to_owned());
        }
    };
    match part.check(config) {
        Ok(()) => Ok(part),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressing(held: &[KeyCode], pressed: KeyCode) -> Vec<Command> {
        let mut keys = ButtonInput::default();
        for key in held {
            keys.press(*key);
        }
        keys.clear();
        keys.press(pressed);
        commands(&keys)
    }

    #[test]
    fn every_shortcut_of_the_help_sheet_has_a_key_of_its_own() {
        let mut seen = Vec::new();
        for shortcut in SHORTCUTS {
            if matches!(shortcut.command, Command::Move | Command::Select) {
                continue;
            }
            for key in shortcut.keys {
                let chord = chord(key);
                assert!(chord.is_some(), "{key}");
                assert!(!seen.contains(&chord), "{key} does two things");
                seen.push(chord);
            }
        }
    }

    #[test]
    fn digits_go_to_slots_and_save_them_with_ctrl() {
        let go = pressing(&[], KeyCode::Digit7);
        let save = pressing(&[KeyCode::ControlRight], KeyCode::Digit9);

        assert_eq!(go, [Command::GoToSlot(7)]);
        assert_eq!(save, [Command::SaveSlot(9)]);
        assert_eq!(pressing(&[KeyCode::AltLeft], KeyCode::Digit7), []);

        let mut keys = ButtonInput::default();
        keys.press(KeyCode::ControlLeft);
        keys.press(KeyCode::Digit7);
        keys.release(KeyCode::Digit7);
        keys.release(KeyCode::ControlLeft);
        assert_eq!(commands(&keys), [Command::SaveSlot(7)], "within one frame");
    }

    #[test]
    fn shift_leaves_a_key_as_it_is_but_makes_the_arrows_the_cameras() {
        let shift = [KeyCode::ShiftLeft];

        assert_eq!(pressing(&shift, KeyCode::KeyT), [Command::ToggleTheme]);
        assert_eq!(pressing(&shift, KeyCode::ArrowRight), []);
        assert_eq!(pressing(&[], KeyCode::ArrowRight), [Command::StepForward]);
        assert_eq!(pressing(&[KeyCode::ControlLeft], KeyCode::KeyT), []);
    }
}
