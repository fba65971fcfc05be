//! What each layer would predict.

use egui::Ui;

use super::{PlotView, nothing_yet};
use crate::viewer::ui::panels::Intent;

/// What each layer would predict.
#[derive(Default)]
pub struct LensPlot;

impl LensPlot {
    /// Draws the view.
    pub fn ui(&mut self, ui: &mut Ui, view: &PlotView<'_>, _intents: &mut Vec<Intent>) {
        nothing_yet(ui, view, "What each layer would predict");
    }
}
