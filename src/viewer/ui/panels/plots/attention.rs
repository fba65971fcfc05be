//! Who attends to whom.

use egui::Ui;

use super::{PlotView, nothing_yet};
use crate::viewer::ui::panels::Intent;

/// Who attends to whom.
#[derive(Default)]
pub struct AttentionPlot;

impl AttentionPlot {
    /// Draws the view.
    pub fn ui(&mut self, ui: &mut Ui, view: &PlotView<'_>, _intents: &mut Vec<Intent>) {
        nothing_yet(ui, view, "Who attends to whom");
    }
}
