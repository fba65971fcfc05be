//! How large values are: a map over layers and tokens, the neurons and tokens that stand out, how
//! numbers are spread, and how the residual stream grows.

mod fill;
mod map;
mod neurons;
mod spread;
mod table;
#[cfg(test)]
mod tests;

use egui::{ScrollArea, Ui};

use super::parts::{cell_of, pages};
use super::{PlotView, nothing_yet};
use crate::config::ModelConfig;
use crate::hook::BlockSite;
use crate::layout::{Cell, CellId};
use crate::viewer::ui::panels::Intent;
use map::MapPage;
use neurons::NeuronsPage;
use spread::{NormsPage, SpreadPage};
use table::TablePage;

/// How large values are.
#[derive(Default)]
pub struct ActivationsPlot {
    page: Page,
    map: MapPage,
    neurons: NeuronsPage,
    table: TablePage,
    spread: SpreadPage,
    norms: NormsPage,
    /// What was chosen in the world when it was last looked at.
    seen: Option<Cell>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Page {
    #[default]
    Map,
    Neurons,
    Table,
    Spread,
    Norms,
}

const PAGES: [(Page, &str); 5] = [
    (Page::Map, "Map"),
    (Page::Neurons, "Most active"),
    (Page::Table, "Neuron table"),
    (Page::Spread, "Distribution"),
    (Page::Norms, "Residual norms"),
];

impl ActivationsPlot {
    /// Draws the view.
    pub fn ui(&mut self, ui: &mut Ui, view: &PlotView<'_>, intents: &mut Vec<Intent>) {
        let (Some(model), Some(_)) = (view.model, view.lane()) else {
            nothing_yet(ui, view, "How large values are, by layer and token");
            return;
        };
        let config = &model.config;
        if self.seen != view.pinned {
            self.seen = view.pinned;
            self.follow(view, config);
        }
        pages(ui, &mut self.page, &PAGES);
        // The table scrolls by itself, so that only what is seen of it is drawn.
        if self.page == Page::Table {
            self.table.ui(ui, view, config, &mut self.neurons, intents);
            return;
        }
        let height = ui.available_height();
        ScrollArea::vertical()
            .auto_shrink([false, false])
            .show(ui, |ui| match self.page {
                Page::Map => self.map.ui(ui, view, config, height, intents),
                Page::Neurons => self.neurons.ui(ui, view, config, intents),
                Page::Table => {}
                Page::Spread => self.spread.ui(ui, view, config, height),
                Page::Norms => self.norms.ui(ui, view, config, height),
            });
    }
}

impl ActivationsPlot {
    /// Turns to what was chosen in the world.
    fn follow(&mut self, view: &PlotView<'_>, config: &ModelConfig) {
        let Some(Cell::Value(cell)) = view.pinned else {
            return;
        };
        self.map.follow(cell, config);
        self.spread.follow(cell.hook, config);
        if let (Some(layer), Some(site)) = (cell.hook.layer(), cell.hook.site())
            && matches!(
                site,
                BlockSite::MlpPre | BlockSite::MlpPreLinear | BlockSite::MlpPost
            )
        {
            self.neurons.choose(layer, cell.index);
            self.table.reveal(layer, cell.index);
        }
    }
}

/// The index of a number in its token's whole vector, heads one after the other.
fn index_of(config: &ModelConfig, cell: CellId) -> usize {
    cell.head * config.d_head + cell.index
}
