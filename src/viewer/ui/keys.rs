//! Keyboard shortcuts; the help sheet lists them from the same table.

use bevy::prelude::*;

use super::panels::help::{Command, SHORTCUTS};
use super::{UiSettings, UiState};
use crate::color::Theme;
use crate::viewer::playback::PlaybackWish;
use crate::viewer::scene::SceneSettings;
use crate::viewer::viewpoint::{CameraWish, Viewpoint};

/// The key that a shortcut's name stands for.
fn key_code(name: &str) -> Option<KeyCode> {
    Some(match name {
        "Space" => KeyCode::Space,
        "→" => KeyCode::ArrowRight,
        "←" => KeyCode::ArrowLeft,
        "R" => KeyCode::KeyR,
        "F" => KeyCode::KeyF,
        "Home" => KeyCode::Home,
        "Tab" => KeyCode::Tab,
        "T" => KeyCode::KeyT,
        "H" => KeyCode::KeyH,
        "L" => KeyCode::KeyL,
        "F1" => KeyCode::F1,
        "Esc" => KeyCode::Escape,
        "1" => KeyCode::Digit1,
        "2" => KeyCode::Digit2,
        "3" => KeyCode::Digit3,
        "4" => KeyCode::Digit4,
        "5" => KeyCode::Digit5,
        "6" => KeyCode::Digit6,
        _ => return None,
    })
}

pub(super) fn obey_keys(
    keys: Res<ButtonInput<KeyCode>>,
    mut state: ResMut<UiState>,
    mut ui_settings: ResMut<UiSettings>,
    mut scene_settings: ResMut<SceneSettings>,
    mut playback: MessageWriter<PlaybackWish>,
    mut camera: MessageWriter<CameraWish>,
) {
    // With Ctrl the arrows move what is pinned.
    let ctrl = [KeyCode::ControlLeft, KeyCode::ControlRight];
    if keys.any_pressed(ctrl) || keys.any_just_pressed(ctrl) {
        return;
    }
    let pressed = SHORTCUTS
        .iter()
        .flat_map(|shortcut| {
            shortcut
                .keys
                .iter()
                .map(move |key| (*key, shortcut.command))
        })
        .filter(|(key, _)| key_code(key).is_some_and(|code| keys.just_pressed(code)));
    for (_, command) in pressed {
        match command {
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
            Command::GoTo(viewpoint) => {
                camera.write(CameraWish::GoTo(viewpoint));
            }
            Command::ToggleFlight => {
                camera.write(CameraWish::ToggleFlight);
            }
            Command::ToggleTheme => {
                scene_settings.theme = match scene_settings.theme {
                    Theme::Dark => Theme::Light,
                    Theme::Light => Theme::Dark,
                };
            }
            Command::TogglePanels => ui_settings.has_panels = !ui_settings.has_panels,
            Command::ToggleLabels => ui_settings.has_labels = !ui_settings.has_labels,
            Command::ToggleHelp => state.panels.help.is_open = !state.panels.help.is_open,
            Command::CloseHelp => state.panels.help.is_open = false,
            Command::Move | Command::Select => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shortcut_of_the_help_sheet_has_a_key() {
        for shortcut in SHORTCUTS {
            let is_handled_elsewhere = matches!(shortcut.command, Command::Move | Command::Select);
            for key in shortcut.keys {
                assert!(is_handled_elsewhere || key_code(key).is_some(), "{key}");
            }
        }
    }
}
