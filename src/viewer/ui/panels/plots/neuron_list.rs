//! Neurons in a table, each with its part in a prediction.

use egui::{Button, RichText, Ui};
use egui_extras::{Column, TableBuilder};

use super::PlotView;
use super::bars::signed_bar;
use super::parts::{Cached, note};
use crate::ablation::Ablation;
use crate::hook::{BlockSite, HookPoint};
use crate::layout::{Cell, CellId};
use crate::viewer::readout::{digits, exact};
use crate::viewer::ui::panels::Intent;

/// A neuron and its part in a prediction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NeuronShare {
    /// The layer.
    pub layer: usize,
    /// The neuron within it.
    pub neuron: usize,
    /// Its part.
    pub value: f32,
}

/// As many as are listed.
const N_LISTED: usize = 200;

impl NeuronShare {
    /// Those of the greatest magnitude, the greatest first, of all layers' neurons.
    pub fn greatest(layers: impl Iterator<Item = Vec<f32>>) -> Vec<Self> {
        let mut shares: Vec<Self> = layers
            .enumerate()
            .flat_map(|(layer, values)| {
                let values = values.into_iter().enumerate();
                values.map(move |(neuron, value)| Self {
                    layer,
                    neuron,
                    value,
                })
            })
            .filter(|share| share.value.is_finite())
            .collect();
        let louder = |a: &Self, b: &Self| b.value.abs().total_cmp(&a.value.abs());
        if shares.len() > N_LISTED {
            shares.select_nth_unstable_by(N_LISTED, louder);
            shares.truncate(N_LISTED);
        }
        shares.sort_by(louder);
        shares
    }
}

/// What the table is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sorting {
    #[default]
    Magnitude,
    Value,
    Activation,
    Place,
}

const COLUMNS: [(Sorting, &str); 4] = [
    (Sorting::Place, "neuron"),
    (Sorting::Activation, "post"),
    (Sorting::Value, "part"),
    (Sorting::Magnitude, "|part|"),
];

/// Neurons in a table.
#[derive(Default)]
pub struct NeuronList {
    by: Sorting,
    is_reversed: bool,
    order: Cached<(Vec<NeuronShare>, u64, usize, Sorting, bool), Vec<Row>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    share: NeuronShare,
    /// What it is at the target's position, where that is recorded.
    activation: Option<f32>,
}

impl NeuronList {
    /// Draws the table; `value` says what the parts are, `pos` is the target's position.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        shares: &[NeuronShare],
        value: &str,
        pos: usize,
        intents: &mut Vec<Intent>,
    ) {
        if shares.is_empty() {
            note(ui, view.theme, "No neuron has a finite part");
            return;
        }
        let n = shares.len();
        note(
            ui,
            view.theme,
            format!(
                "The {n} of the greatest magnitude; part: {value}; post: at the target's position"
            ),
        );
        let (by, is_reversed) = (self.by, self.is_reversed);
        let limit = shares.first().map_or(0.0, |share| share.value.abs());
        let rows = self.order.get(
            (shares.to_vec(), view.version, pos, by, is_reversed),
            |_| sorted(view, shares, pos, by, is_reversed),
        );
        let mut sort_asked = None;
        let mut clicked = None;
        TableBuilder::new(ui)
            .striped(true)
            .sense(egui::Sense::click())
            .cell_layout(egui::Layout::left_to_right(egui::Align::Center))
            .auto_shrink([false, true])
            .column(Column::initial(104.0).at_least(80.0).clip(true))
            .column(Column::initial(70.0).at_least(50.0).clip(true))
            .column(Column::initial(74.0).at_least(50.0).clip(true))
            .column(Column::remainder().at_least(60.0).clip(true))
            .header(20.0, |mut header| {
                for (sorting, title) in COLUMNS {
                    header.col(|ui| {
                        let sign = match (sorting == by, is_reversed) {
                            (false, _) => "",
                            (true, true) => " ⏶",
                            (true, false) => " ⏷",
                        };
                        let text = RichText::new(format!("{title}{sign}")).size(11.5);
                        let button = ui.add(Button::new(text).frame(false));
                        if button.on_hover_text("Sort by this").clicked() {
                            sort_asked = Some(sorting);
                        }
                    });
                }
            })
            .body(|body| {
                body.rows(18.0, rows.len(), |mut row| {
                    let Row { share, activation } = rows[row.index()];
                    row.set_selected(is_pinned(view, &share));
                    row.col(|ui| {
                        if name(ui, view, &share).clicked() {
                            clicked = Some(share);
                        }
                    });
                    for number in [activation, Some(share.value)] {
                        row.col(|ui| {
                            let text = number.map_or_else(|| "–".to_owned(), digits);
                            let label = ui.label(RichText::new(text.replace('-', "−")).size(12.0));
                            if let Some(number) = number {
                                label.on_hover_text(exact(number));
                            }
                        });
                    }
                    row.col(|ui| {
                        let zone = ui
                            .available_rect_before_wrap()
                            .shrink2(egui::vec2(4.0, 3.0));
                        signed_bar(ui, view.theme, zone, share.value, limit);
                    });
                    if row.response().clicked() {
                        clicked = Some(share);
                    }
                });
            });
        if let Some(sorting) = sort_asked {
            self.is_reversed = sorting == by && !is_reversed;
            self.by = sorting;
        }
        if let Some(share) = clicked {
            intents.push(Intent::Pin(Cell::Value(CellId {
                hook: HookPoint::block(share.layer, BlockSite::MlpPost),
                pos,
                head: 0,
                index: share.neuron,
            })));
        }
    }
}

fn name(ui: &mut Ui, view: &PlotView<'_>, share: &NeuronShare) -> egui::Response {
    let hook = HookPoint::block(share.layer, BlockSite::MlpPost);
    let is_zeroed = view
        .ablations
        .contains(&Ablation::new(hook, Some(share.neuron)));
    let mut text = RichText::new(format!("{}.{}", share.layer, share.neuron)).size(12.0);
    let mut hint = format!("layer {} neuron {}", share.layer, share.neuron);
    if is_zeroed {
        text = text.strikethrough();
        hint += ", set to zero";
    }
    hint += "\nClick shows it in the world; X then sets it to zero";
    ui.add(Button::new(text).frame(false)).on_hover_text(hint)
}

fn is_pinned(view: &PlotView<'_>, share: &NeuronShare) -> bool {
    matches!(view.pinned, Some(Cell::Value(cell))
        if cell.hook == HookPoint::block(share.layer, BlockSite::MlpPost)
            && cell.index == share.neuron)
}

fn sorted(
    view: &PlotView<'_>,
    shares: &[NeuronShare],
    pos: usize,
    by: Sorting,
    is_reversed: bool,
) -> Vec<Row> {
    let activation = |share: &NeuronShare| {
        let hook = HookPoint::block(share.layer, BlockSite::MlpPost);
        let row = view.positions.get(pos)?.row(hook)?;
        row.get(share.neuron).copied()
    };
    let mut rows: Vec<Row> = shares
        .iter()
        .map(|share| Row {
            share: *share,
            activation: activation(share),
        })
        .collect();
    rows.sort_by(|a, b| match by {
        Sorting::Magnitude => b.share.value.abs().total_cmp(&a.share.value.abs()),
        Sorting::Value => b.share.value.total_cmp(&a.share.value),
        Sorting::Activation => {
            let number = |row: &Row| row.activation.unwrap_or(f32::NEG_INFINITY);
            number(b).total_cmp(&number(a))
        }
        Sorting::Place => {
            let place = |row: &Row| (row.share.layer, row.share.neuron);
            place(a).cmp(&place(b))
        }
    });
    if is_reversed {
        rows.reverse();
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_of_all_layers_come_first_and_what_is_not_finite_is_left_out() {
        let layers = [vec![0.5, -3.0], vec![f32::NAN, 1.0]];

        let shares = NeuronShare::greatest(layers.into_iter());

        let places: Vec<_> = shares
            .iter()
            .map(|share| (share.layer, share.neuron))
            .collect();
        assert_eq!(places, [(0, 1), (1, 1), (0, 0)]);
        let many = NeuronShare::greatest([(0..1000).map(|n| n as f32).collect()].into_iter());
        assert_eq!((many.len(), many[0].value), (N_LISTED, 999.0));
    }
}
