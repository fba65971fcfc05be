//! How large values are.

use egui::Ui;

use super::{PlotView, nothing_yet};
use crate::viewer::ui::panels::Intent;

/// How large values are.
#[derive(Default)]
pub struct ActivationsPlot;

impl ActivationsPlot {
    /// Draws the view.
    pub fn ui(&mut self, ui: &mut Ui, view: &PlotView<'_>, _intents: &mut Vec<Intent>) {
        nothing_yet(ui, view, "How large values are");
    }
}
