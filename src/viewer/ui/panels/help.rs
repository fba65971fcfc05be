//! The keys, and what one sees.

use egui::{Align2, Context, Grid, RichText, Ui, Window};

use crate::color::Theme;
use crate::viewer::ui::theme;

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Play or pause; pause the tour while there is one.
    TogglePlay,
    /// One token on; the tour's next stop while there is one.
    StepForward,
    /// One token back; the tour's stop before while there is one.
    StepBack,
    /// Run the signal through the pass again.
    Replay,
    /// Show everything.
    FrameAll,
    /// Fly to the viewpoint of this number.
    GoToSlot(usize),
    /// Save the present view under this number.
    SaveSlot(usize),
    /// Free flight or orbit.
    ToggleFlight,
    /// Begin or end the tour.
    ToggleTour,
    /// Open or close the timeline of the camera's path.
    TogglePath,
    /// The tour's next stop.
    NextStop,
    /// The tour's stop before.
    LastStop,
    /// Dark or light.
    ToggleTheme,
    /// With or without panels.
    TogglePanels,
    /// With or without names in the world.
    ToggleLabels,
    /// Open the view of this number, bring it to the front, or close it.
    TogglePlot(usize),
    /// Make a window of the view of this number, or dock it again.
    TearPlot(usize),
    /// Set the pinned number's head, neuron or dimension to zero, or restore it.
    Ablate,
    /// Begin a film of the window, or end it.
    ToggleFilm,
    /// Pause the film, or go on with it.
    PauseFilm,
    /// Take a picture of the window.
    TakePicture,
    /// Open the dialog that opens a model, or close it.
    ToggleOpen,
    /// Open or close this sheet.
    ToggleHelp,
    /// Close this sheet, or end the tour.
    Close,
    /// Held down: the camera moves.
    Move,
    /// Moves the pinned cell, or copies its read-out.
    Select,
}

impl Command {
    /// Whether its keys type nothing, as F1 to F12.
    pub fn types_nothing(self) -> bool {
        matches!(
            self,
            Self::ToggleOpen
                | Self::TogglePlot(_)
                | Self::TearPlot(_)
                | Self::ToggleFilm
                | Self::PauseFilm
                | Self::TakePicture
                | Self::ToggleHelp
        )
    }

    /// What the key at `index` of a shortcut's keys does, where each has a slot of its own.
    pub fn nth(self, index: usize) -> Self {
        match self {
            Self::GoToSlot(first) => Self::GoToSlot(first + index),
            Self::SaveSlot(first) => Self::SaveSlot(first + index),
            Self::TogglePlot(first) => Self::TogglePlot(first + index),
            Self::TearPlot(first) => Self::TearPlot(first + index),
            other => other,
        }
    }
}

/// Keys and what they do.
pub struct Shortcut {
    /// The keys; any of them will do.
    pub keys: &'static [&'static str],
    /// How the sheet names them, where not one by one.
    pub label: Option<&'static str>,
    /// What they do.
    pub command: Command,
    /// The same in words.
    pub text: &'static str,
}

const fn shortcut(keys: &'static [&'static str], command: Command, text: &'static str) -> Shortcut {
    Shortcut {
        keys,
        label: None,
        command,
        text,
    }
}

const fn row(
    label: &'static str,
    keys: &'static [&'static str],
    command: Command,
    text: &'static str,
) -> Shortcut {
    Shortcut {
        label: Some(label),
        ..shortcut(keys, command, text)
    }
}

/// Every key: the first half is about the camera.
pub const SHORTCUTS: &[Shortcut] = &[
    shortcut(&["F", "Home"], Command::FrameAll, "Show everything"),
    row(
        "1 … 9",
        &["1", "2", "3", "4", "5", "6", "7", "8", "9"],
        Command::GoToSlot(1),
        "Fly to a viewpoint",
    ),
    row(
        "Ctrl+1 … 9",
        &[
            "Ctrl+1", "Ctrl+2", "Ctrl+3", "Ctrl+4", "Ctrl+5", "Ctrl+6", "Ctrl+7", "Ctrl+8",
            "Ctrl+9",
        ],
        Command::SaveSlot(1),
        "Save this view there",
    ),
    row(
        "W A S D Q E",
        &["W", "A", "S", "D", "Q", "E"],
        Command::Move,
        "Fly; Shift is faster",
    ),
    row("↑ ↓", &["↑", "↓"], Command::Move, "Come closer, go away"),
    row(
        "Shift+arrows",
        &["Shift+↑", "Shift+↓", "Shift+←", "Shift+→"],
        Command::Move,
        "Turn the camera",
    ),
    shortcut(
        &["V"],
        Command::ToggleFlight,
        "Mouse looks around, or orbits",
    ),
    shortcut(&["G"], Command::ToggleTour, "Guided tour"),
    shortcut(&["N", "PageDown"], Command::NextStop, "Tour: next stop"),
    shortcut(&["B", "PageUp"], Command::LastStop, "Tour: stop before"),
    shortcut(&["C"], Command::TogglePath, "The camera's path"),
    shortcut(&["Space"], Command::TogglePlay, "Play or pause"),
    shortcut(&["→"], Command::StepForward, "One token on"),
    shortcut(&["←"], Command::StepBack, "One token back"),
    shortcut(&["R"], Command::Replay, "Run the signal again"),
    shortcut(&["Ctrl+arrows"], Command::Select, "Pin the next cell"),
    shortcut(&[",", "."], Command::Select, "Pin it a layer on"),
    shortcut(
        &["Shift+,", "Shift+."],
        Command::Select,
        "Pin it a token on",
    ),
    shortcut(&["X"], Command::Ablate, "Set its part to zero, or restore"),
    shortcut(&["Ctrl+C"], Command::Select, "Copy the read-out"),
    shortcut(&["T"], Command::ToggleTheme, "Dark or light"),
    shortcut(&["H"], Command::TogglePanels, "With or without panels"),
    shortcut(&["L"], Command::ToggleLabels, "With or without labels"),
    row(
        "F2 … F8",
        &["F2", "F3", "F4", "F5", "F6", "F7", "F8"],
        Command::TogglePlot(0),
        "Open or close a panel",
    ),
    row(
        "Shift+F2 … F8",
        &[
            "Shift+F2", "Shift+F3", "Shift+F4", "Shift+F5", "Shift+F6", "Shift+F7", "Shift+F8",
        ],
        Command::TearPlot(0),
        "Tear it off, or dock it",
    ),
    row("Tab", &[], Command::Move, "From panel to panel"),
    shortcut(&["F9"], Command::ToggleFilm, "Record a film, or end it"),
    shortcut(&["F10"], Command::PauseFilm, "Pause the film, or go on"),
    shortcut(&["F12"], Command::TakePicture, "Save a picture"),
    shortcut(&["Ctrl+O"], Command::ToggleOpen, "Open a model"),
    shortcut(&["F1"], Command::ToggleHelp, "This sheet"),
    shortcut(&["Esc"], Command::Close, "Close this sheet, end the tour"),
];

/// What one sees, in a few lines.
const WHAT_ONE_SEES: [&str; 6] = [
    "Each token has a lane; the pass runs along it, from the embedding to the logits.",
    "Framed tiles are the residual stream; what lies between them reads it and adds to it.",
    "A cell is one number: colour is its value, height its magnitude.",
    "Squares across the lanes are heads: rows attend to columns. Arcs are their mean.",
    "Left and right lie the weights; at the exit bars stand for the next tokens.",
    "From afar a tile shows the root mean square of its cells.",
];

/// The keys, and what one sees.
#[derive(Default)]
pub struct HelpSheet {
    /// Whether it is there.
    pub is_open: bool,
}

impl HelpSheet {
    /// Draws the sheet if it is open.
    pub fn show(&mut self, context: &Context, theme: Theme) {
        Window::new("Help")
            .open(&mut self.is_open)
            .anchor(Align2::CENTER_CENTER, egui::vec2(0.0, 0.0))
            .collapsible(false)
            .resizable(false)
            .show(context, |ui| {
                ui.set_width(640.0);
                for line in WHAT_ONE_SEES {
                    ui.label(line);
                }
                ui.separator();
                let half = SHORTCUTS.len().div_ceil(2);
                ui.columns(2, |columns| {
                    for (index, keys) in SHORTCUTS.chunks(half).enumerate() {
                        column(&mut columns[index], index, keys);
                    }
                });
                ui.separator();
                ui.colored_label(
                    theme::weak_text(theme),
                    "Drag to orbit, drag with the right button to move, wheel to come closer. \
                     Click a cell to pin it, double click to fly there. \
                     In a tour Space waits, and the arrows go from stop to stop.",
                );
            });
    }
}

fn column(ui: &mut Ui, index: usize, shortcuts: &[Shortcut]) {
    Grid::new(("keys", index))
        .num_columns(2)
        .spacing([14.0, 4.0])
        .show(ui, |ui| {
            for shortcut in shortcuts {
                let label = match shortcut.label {
                    Some(label) => label.to_owned(),
                    None => shortcut.keys.join("  "),
                };
                ui.label(RichText::new(label).monospace().strong());
                ui.label(shortcut.text);
                ui.end_row();
            }
        });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sheet_fits_into_a_window_720_points_high() {
        let context = Context::default();
        let mut sheet = HelpSheet { is_open: true };
        let input = egui::RawInput {
            screen_rect: Some(egui::Rect::from_min_size(
                egui::Pos2::ZERO,
                egui::vec2(1024.0, 720.0),
            )),
            ..egui::RawInput::default()
        };
        theme::apply(&context, Theme::Dark);

        for _ in 0..3 {
            drop(context.run_ui(input.clone(), |ui| sheet.show(ui.ctx(), Theme::Dark)));
        }

        let rect = context.memory(|memory| memory.area_rect("Help"));
        let rect = rect.unwrap();
        assert!(rect.height() < 700.0 && rect.height() > 200.0, "{rect}");
        assert!(rect.width() < 1000.0, "{rect}");
    }
}
