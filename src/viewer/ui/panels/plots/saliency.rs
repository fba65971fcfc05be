//! Which tokens a prediction hangs on.

use egui::Ui;

use super::{PlotView, nothing_yet};
use crate::viewer::ui::panels::Intent;

/// Which tokens a prediction hangs on.
#[derive(Default)]
pub struct SaliencyPlot;

impl SaliencyPlot {
    /// Draws the view.
    pub fn ui(&mut self, ui: &mut Ui, view: &PlotView<'_>, _intents: &mut Vec<Intent>) {
        nothing_yet(ui, view, "Which tokens a prediction hangs on");
    }
}
