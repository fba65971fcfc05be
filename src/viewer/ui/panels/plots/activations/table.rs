//! The neurons of a layer in a table, sorted by a statistic and filtered.

use egui::{Button, DragValue, RichText, Ui};
use egui_extras::{Column, TableBuilder};

use super::cell_of;
use super::fill::VALUES_A_FRAME;
use super::neurons::NeuronsPage;
use crate::analysis::{NeuronQuery, NeuronStatistic, NeuronStatistics};
use crate::config::ModelConfig;
use crate::hook::{BlockSite, HookPoint};
use crate::viewer::readout::digits;
use crate::viewer::ui::panels::Intent;
use crate::viewer::ui::panels::plots::PlotView;
use crate::viewer::ui::panels::plots::parts::{Cached, counted, note};

/// The neurons of a layer in a table.
pub struct TablePage {
    layer: usize,
    by: NeuronStatistic,
    is_ascending: bool,
    /// The first and the last index on show.
    first: usize,
    last: usize,
    /// What the statistic has to lie within, if it has to.
    is_filtered: bool,
    low: f32,
    high: f32,
    /// Text and layer that `statistics` are of.
    of: Option<(u64, HookPoint)>,
    statistics: NeuronStatistics,
    n_done: usize,
    order: Cached<(u64, u64, usize, Query), Vec<usize>>,
    /// Counts up when the statistics begin anew.
    generation: u64,
    /// The neuron to be brought into view.
    revealed: Option<usize>,
}

/// What the order was made of.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Query {
    by: NeuronStatistic,
    is_ascending: bool,
    first: usize,
    last: usize,
    within: Option<(f32, f32)>,
}

impl Default for TablePage {
    fn default() -> Self {
        Self {
            layer: 0,
            by: NeuronStatistic::Max,
            is_ascending: false,
            first: 0,
            last: usize::MAX,
            is_filtered: false,
            low: 0.0,
            high: 10.0,
            of: None,
            statistics: NeuronStatistics::default(),
            n_done: 0,
            order: Cached::default(),
            generation: 0,
            revealed: None,
        }
    }
}

impl TablePage {
    /// Turns to a layer's neuron.
    pub fn reveal(&mut self, layer: usize, neuron: usize) {
        self.layer = layer;
        self.revealed = Some(neuron);
    }

    /// Draws the page; a row that is chosen has its tokens listed by `neurons`.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        config: &ModelConfig,
        neurons: &mut NeuronsPage,
        intents: &mut Vec<Intent>,
    ) {
        self.layer = self.layer.min(config.n_layers.saturating_sub(1));
        self.last = self.last.min(config.d_mlp.saturating_sub(1));
        self.first = self.first.min(self.last);
        self.choices(ui, config);
        let hook = HookPoint::block(self.layer, BlockSite::MlpPost);
        if !self.advance(view, hook) {
            ui.ctx().request_repaint();
        }
        let query = Query {
            by: self.by,
            is_ascending: self.is_ascending,
            first: self.first,
            last: self.last,
            within: self.is_filtered.then_some((self.low, self.high)),
        };
        let statistics = &self.statistics;
        let key = (view.text, self.generation, self.n_done, query);
        let order = self.order.get(key, |(.., query)| {
            statistics.ask(&NeuronQuery {
                by: query.by,
                is_ascending: query.is_ascending,
                indices: query.first..query.last + 1,
                within: query.within.map(|(low, high)| low..=high),
            })
        });
        note(
            ui,
            view.theme,
            format!(
                "{} of {} neurons of {hook} over {}; active: share of tokens at which it is above 0",
                order.len(),
                statistics.len(),
                counted(statistics.n_tokens(), "token")
            ),
        );
        let chosen = neurons.chosen();
        let mut clicked = None;
        let mut sorted = None;
        let (by, is_ascending, layer) = (self.by, self.is_ascending, self.layer);
        // The list of the chosen neuron's tokens has its room below.
        let room = (ui.available_height() - 150.0).max(120.0);
        let mut table = TableBuilder::new(ui);
        let revealed = self.revealed.take();
        let row = revealed.and_then(|neuron| order.iter().position(|other| *other == neuron));
        if let Some(row) = row {
            table = table.scroll_to_row(row, None);
        }
        table
            .striped(true)
            .cell_layout(egui::Layout::left_to_right(egui::Align::Center))
            .auto_shrink([false, true])
            .max_scroll_height(room)
            .columns(
                Column::remainder().at_least(56.0).clip(true),
                NeuronStatistic::ALL.len(),
            )
            .header(20.0, |mut header| {
                for statistic in NeuronStatistic::ALL {
                    header.col(|ui| {
                        let sign = match (statistic == by, is_ascending) {
                            (false, _) => "",
                            (true, true) => " ⏶",
                            (true, false) => " ⏷",
                        };
                        let text = RichText::new(format!("{}{sign}", statistic.title())).size(11.5);
                        if ui.add(Button::new(text).frame(false)).clicked() {
                            sorted = Some(statistic);
                        }
                    });
                }
            })
            .body(|body| {
                body.rows(18.0, order.len(), |mut row| {
                    let neuron = order[row.index()];
                    row.set_selected(chosen == Some((layer, neuron)));
                    for statistic in NeuronStatistic::ALL {
                        row.col(|ui| {
                            if cell(ui, statistics, neuron, statistic) {
                                clicked = Some(neuron);
                            }
                        });
                    }
                });
            });
        if let Some(statistic) = sorted {
            self.is_ascending = statistic == self.by && !self.is_ascending;
            self.by = statistic;
        }
        if let (Some(neuron), Some(lane)) = (clicked, view.lane()) {
            neurons.choose(self.layer, neuron);
            intents.push(Intent::Pin(cell_of(config, hook, lane, neuron)));
        }
        egui::ScrollArea::vertical()
            .id_salt("tokens of the neuron")
            .show(ui, |ui| neurons.of_neuron(ui, view, config, intents));
    }

    fn choices(&mut self, ui: &mut Ui, config: &ModelConfig) {
        let last_neuron = config.d_mlp.saturating_sub(1);
        ui.horizontal_wrapped(|ui| {
            let label = ui.label("layer");
            ui.add(DragValue::new(&mut self.layer).range(0..=config.n_layers.saturating_sub(1)))
                .labelled_by(label.id);
            let label = ui.label("neurons from");
            ui.add(DragValue::new(&mut self.first).range(0..=last_neuron))
                .labelled_by(label.id);
            let label = ui.label("to");
            ui.add(DragValue::new(&mut self.last).range(0..=last_neuron))
                .labelled_by(label.id);
            let title = format!("{} within", self.by.title());
            ui.checkbox(&mut self.is_filtered, title);
            ui.add_enabled_ui(self.is_filtered, |ui| {
                ui.add(DragValue::new(&mut self.low).speed(0.05));
                ui.label("to");
                ui.add(DragValue::new(&mut self.high).speed(0.05));
            });
        });
    }

    /// Goes on taking in tokens, and says whether all are.
    fn advance(&mut self, view: &PlotView<'_>, hook: HookPoint) -> bool {
        let of = Some((view.text, hook));
        if self.of != of || self.n_done > view.positions.len() {
            self.of = of;
            self.statistics = NeuronStatistics::default();
            self.n_done = 0;
            self.generation += 1;
        }
        let mut n_left = VALUES_A_FRAME / 16;
        while n_left > 0
            && let Some(token) = view.positions.get(self.n_done)
        {
            let row = token.row(hook).unwrap_or_default();
            self.statistics.take(row);
            self.n_done += 1;
            n_left = n_left.saturating_sub(row.len().max(1));
        }
        self.n_done == view.positions.len()
    }
}

/// Whether it was clicked.
fn cell(
    ui: &mut Ui,
    statistics: &NeuronStatistics,
    neuron: usize,
    statistic: NeuronStatistic,
) -> bool {
    let value = statistics.get(neuron, statistic);
    let text = match statistic {
        NeuronStatistic::Index => {
            let text = RichText::new(neuron.to_string()).size(12.0);
            let button = ui.add(Button::new(text).frame(false));
            return button
                .on_hover_text("Lists its tokens and chooses it in the world")
                .clicked();
        }
        NeuronStatistic::ShareActive => format!("{:.1} %", 100.0 * value),
        _ => digits(value),
    };
    let exact = format!("{value:?}");
    ui.label(RichText::new(text).size(12.0))
        .on_hover_text(exact);
    false
}
