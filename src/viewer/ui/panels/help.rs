//! The keys, and what one sees.

use egui::{Align2, Context, Grid, RichText, Window};

use crate::color::Theme;
use crate::viewer::ui::theme;
use crate::viewer::viewpoint::Viewpoint;

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Play or pause.
    TogglePlay,
    /// One token on.
    StepForward,
    /// One token back.
    StepBack,
    /// Run the signal through the pass again.
    Replay,
    /// Show everything.
    FrameAll,
    /// Fly there.
    GoTo(Viewpoint),
    /// Free flight or orbit.
    ToggleFlight,
    /// Dark or light.
    ToggleTheme,
    /// With or without panels.
    TogglePanels,
    /// With or without names in the world.
    ToggleLabels,
    /// Open or close this sheet.
    ToggleHelp,
    /// Close this sheet.
    CloseHelp,
    /// Held down: the camera moves.
    Move,
    /// Moves the pinned cell, or copies its read-out.
    Select,
}

/// Keys and what they do.
pub struct Shortcut {
    /// The keys; any of them will do.
    pub keys: &'static [&'static str],
    /// What they do.
    pub command: Command,
    /// The same in words.
    pub text: &'static str,
}

const fn shortcut(keys: &'static [&'static str], command: Command, text: &'static str) -> Shortcut {
    Shortcut {
        keys,
        command,
        text,
    }
}

/// Every key.
pub const SHORTCUTS: &[Shortcut] = &[
    shortcut(&["Space"], Command::TogglePlay, "Play or pause"),
    shortcut(&["→"], Command::StepForward, "One token on"),
    shortcut(&["←"], Command::StepBack, "One token back"),
    shortcut(&["R"], Command::Replay, "Run the signal again"),
    shortcut(&["F", "Home"], Command::FrameAll, "Show everything"),
    shortcut(
        &["1"],
        Command::GoTo(Viewpoint::Overview),
        "Fly to the overview",
    ),
    shortcut(&["2"], Command::GoTo(Viewpoint::Layer), "Fly to a layer"),
    shortcut(
        &["3"],
        Command::GoTo(Viewpoint::Heads),
        "Fly to head patterns",
    ),
    shortcut(&["4"], Command::GoTo(Viewpoint::Neurons), "Fly to neurons"),
    shortcut(
        &["5"],
        Command::GoTo(Viewpoint::Street),
        "Stand in the street",
    ),
    shortcut(&["6"], Command::GoTo(Viewpoint::Map), "Look straight down"),
    shortcut(
        &["W", "A", "S", "D", "Q", "E"],
        Command::Move,
        "Fly; Shift is faster",
    ),
    shortcut(
        &["Tab"],
        Command::ToggleFlight,
        "Mouse looks around, or orbits again",
    ),
    shortcut(
        &["Ctrl+arrows"],
        Command::Select,
        "Pin the neighbouring cell",
    ),
    shortcut(
        &[",", "."],
        Command::Select,
        "Pin the same cell a layer before or after",
    ),
    shortcut(
        &["Shift+,", "Shift+."],
        Command::Select,
        "Pin the same cell a token before or after",
    ),
    shortcut(
        &["Ctrl+C"],
        Command::Select,
        "Copy what is read out of a cell",
    ),
    shortcut(&["T"], Command::ToggleTheme, "Dark or light"),
    shortcut(&["H"], Command::TogglePanels, "With or without panels"),
    shortcut(&["L"], Command::ToggleLabels, "With or without labels"),
    shortcut(&["F1"], Command::ToggleHelp, "This sheet"),
    shortcut(&["Esc"], Command::CloseHelp, "Close this sheet"),
];

/// What one sees, in a few lines.
const WHAT_ONE_SEES: [&str; 5] = [
    "Each token has a lane; the pass runs along it, from the embedding to the logits.",
    "Framed tiles are the residual stream; the smaller ones read from it and add to it.",
    "A cell is one number: colour is its value, height its magnitude.",
    "Squares across the lanes are heads: rows attend to columns. Arcs are their mean.",
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
                ui.set_width(430.0);
                for line in WHAT_ONE_SEES {
                    ui.label(line);
                }
                ui.separator();
                Grid::new("keys")
                    .num_columns(2)
                    .spacing([18.0, 4.0])
                    .show(ui, |ui| {
                        for shortcut in SHORTCUTS {
                            ui.label(RichText::new(shortcut.keys.join("  ")).monospace().strong());
                            ui.label(shortcut.text);
                            ui.end_row();
                        }
                    });
                ui.separator();
                ui.colored_label(
                    theme::weak_text(theme),
                    "Drag to orbit, drag with the right button to move, wheel to come closer; click a cell to pin it, double click to fly there",
                );
            });
    }
}
