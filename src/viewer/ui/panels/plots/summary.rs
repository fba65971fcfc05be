//! Layers, shapes, parameters and memory.

use egui::Ui;

use super::{PlotView, nothing_yet};
use crate::viewer::ui::panels::Intent;

/// Layers, shapes, parameters and memory.
#[derive(Default)]
pub struct SummaryPlot;

impl SummaryPlot {
    /// Draws the view.
    pub fn ui(&mut self, ui: &mut Ui, view: &PlotView<'_>, _intents: &mut Vec<Intent>) {
        nothing_yet(ui, view, "Layers, shapes, parameters and memory");
    }
}
