//! What each layer would predict, and which part adds what to a prediction.

mod attribution;
#[cfg(test)]
mod attribution_tests;
mod contributions;
mod curves;
mod grid;
#[cfg(test)]
mod tests;

use egui::{Button, RichText, ScrollArea, Ui};

use super::heatmap::{Scale, strip};
use super::target::TargetChooser;
use super::token_finder::TokenFinder;
use super::{PlotView, nothing_yet};
use crate::analysis::MatrixRange;
use crate::hook::{BlockSite, HookPoint};
use crate::layout::{Cell, CellId};
use crate::viewer::ui::panels::Intent;
use crate::viewer::ui::theme;
use attribution::AttributionFace;
use curves::Curves;
use grid::{LensGrid, Place};

/// What each layer would predict, and which part adds what to a prediction.
#[derive(Default)]
pub struct LensPlot {
    face: Face,
    grid: LensGrid,
    curves: Curves,
    attribution: AttributionFace,
    finder: TokenFinder,
}

/// Which of the two is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Face {
    /// The logit lens.
    #[default]
    Lens,
    /// Direct logit attribution.
    Attribution,
}

impl LensPlot {
    /// Brings a page to the front, counted from 0: the lens, then those of attribution.
    pub fn turn_to(&mut self, page: usize) {
        match page.checked_sub(1) {
            None => self.face = Face::Lens,
            Some(page) => {
                self.face = Face::Attribution;
                self.attribution.turn_to(page);
            }
        }
    }

    /// Draws the view.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        chooser: &mut TargetChooser,
        intents: &mut Vec<Intent>,
    ) {
        ui.horizontal(|ui| {
            for (face, title) in [
                (Face::Lens, "Logit lens"),
                (Face::Attribution, "Attribution"),
            ] {
                let button = Button::selectable(self.face == face, title);
                if ui.add(button.frame_when_inactive(true)).clicked() {
                    self.face = face;
                }
            }
        });
        match self.face {
            Face::Lens if view.positions.is_empty() => {
                nothing_yet(ui, view, "What each layer's end would predict");
            }
            Face::Lens => self.lens(ui, view, intents),
            Face::Attribution => self.attribution.ui(ui, view, chooser, intents),
        }
    }

    fn lens(&mut self, ui: &mut Ui, view: &PlotView<'_>, intents: &mut Vec<Intent>) {
        let Some(model) = view.model else { return };
        let weak = theme::weak_text(view.theme);
        ui.label(
            RichText::new("The most probable next token if the pass ended at that layer")
                .size(11.5)
                .color(weak),
        );
        let scale = Scale::of_weights(MatrixRange::default());
        let ends = ["0 %", "50 %", "100 %"].map(str::to_owned);
        strip(
            ui,
            view.theme,
            &scale,
            &ends,
            "probability of that token",
            8.0,
        );
        let found = ui.horizontal(|ui| self.finder.ui(ui, view)).inner;
        if let Some(pos) = found {
            self.grid.reveal(pos, model.config.n_layers);
        }
        let n_layers = model.config.n_layers;
        let height = (0.5 * ui.available_height()).max(120.0);
        let events = self.grid.ui(ui, view, n_layers, height);
        if let Some(place) = events.hovered {
            egui::Tooltip::always_open(
                ui.ctx().clone(),
                ui.layer_id(),
                ui.id().with("lens tip"),
                egui::PopupAnchor::Pointer,
            )
            .gap(12.0)
            .show(|ui| tooltip(ui, view, place));
        }
        ui.separator();
        let chosen = ScrollArea::vertical()
            .id_salt("lens curves")
            .auto_shrink([false, false])
            .show(ui, |ui| self.curves.ui(ui, view, n_layers))
            .inner;
        if let Some(place) = events.chosen.or(chosen) {
            intents.push(Intent::SeekLane(place.pos));
            intents.push(Intent::Pin(Cell::Value(CellId {
                hook: HookPoint::block(place.layer, BlockSite::ResidPost),
                pos: place.pos,
                head: 0,
                index: 0,
            })));
        }
    }
}

fn tooltip(ui: &mut Ui, view: &PlotView<'_>, place: Place) {
    let token = view.positions.get(place.pos).map(|token| token.token);
    let after = token.map_or_else(String::new, |token| (view.token_text)(token));
    ui.strong(format!(
        "Layer {}, after “{after}” ({})",
        place.layer, place.pos
    ));
    let Some(candidates) = (view.lens)(place.layer, place.pos) else {
        ui.label("not read yet");
        return;
    };
    egui::Grid::new("lens candidates")
        .num_columns(2)
        .show(ui, |ui| {
            for candidate in candidates {
                ui.label((view.token_text)(candidate.token));
                ui.monospace(format!("{:.3} %", 100.0 * candidate.probability));
                ui.end_row();
            }
        });
}
