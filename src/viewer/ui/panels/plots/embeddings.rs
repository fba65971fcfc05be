//! Tokens as points.

use egui::Ui;

use super::{PlotView, nothing_yet};
use crate::viewer::ui::panels::Intent;

/// Tokens as points.
#[derive(Default)]
pub struct EmbeddingsPlot;

impl EmbeddingsPlot {
    /// Draws the view.
    pub fn ui(&mut self, ui: &mut Ui, view: &PlotView<'_>, _intents: &mut Vec<Intent>) {
        nothing_yet(ui, view, "Tokens as points");
    }
}
