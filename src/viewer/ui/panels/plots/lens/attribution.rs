//! Direct logit attribution: what each part of the stream adds to a target by itself.

use egui::Ui;

use super::contributions::{Contribution, contributions, running_sum};
use crate::analysis::Matrix;
use crate::attribution::DirectAttribution;
use crate::config::ModelConfig;
use crate::engine::{Answer, Question};
use crate::viewer::inference::Topic;
use crate::viewer::readout::exact;
use crate::viewer::ui::panels::Intent;
use crate::viewer::ui::panels::plots::head_map::HeadMap;
use crate::viewer::ui::panels::plots::neuron_list::{NeuronList, NeuronShare};
use crate::viewer::ui::panels::plots::parts::{Cached, note, pages, scrolled};
use crate::viewer::ui::panels::plots::study::{Asking, Inquiry, shown};
use crate::viewer::ui::panels::plots::target::TargetChooser;
use crate::viewer::ui::panels::plots::{PlotView, nothing_yet};

/// What each part of the stream adds to a target by itself.
#[derive(Default)]
pub struct AttributionFace {
    page: Page,
    asking: Asking,
    parts: Cached<u64, Vec<Contribution>>,
    heads: HeadMap,
    neurons: NeuronList,
    shares: Cached<u64, Vec<NeuronShare>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Page {
    #[default]
    Layers,
    Heads,
    Neurons,
}

const PAGES: [(Page, &str); 3] = [
    (Page::Layers, "By layer"),
    (Page::Heads, "Heads"),
    (Page::Neurons, "Neurons"),
];

impl AttributionFace {
    /// Brings a page to the front, counted from 0.
    pub fn turn_to(&mut self, page: usize) {
        if let Some((page, _)) = PAGES.get(page) {
            self.page = *page;
        }
    }

    /// Draws it.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        chooser: &mut TargetChooser,
        intents: &mut Vec<Intent>,
    ) {
        let (Some(model), Some((pos, wish))) = (view.model, chooser.wish(view)) else {
            nothing_yet(ui, view, "Which part adds what to a prediction");
            return;
        };
        let config = &model.config;
        pages(ui, &mut self.page, &PAGES);
        chooser.ui(ui, view);
        let inquiry = Inquiry::new(view, Topic::Direct, Question::Direct { wish }, pos);
        let known = self.asking.ui(ui, view, config, &inquiry, 1, intents);
        ui.separator();
        let Some(known) = known else {
            note(ui, view.theme, "Nothing is computed yet");
            return;
        };
        let Answer::Direct(direct) = known.answer else {
            return;
        };
        let is_table = self.page == Page::Neurons;
        scrolled(ui, "attribution", is_table, |ui| {
            shown(ui, known.is_current, |ui| {
                totals(ui, view, direct);
                self.answer(ui, view, config, direct, known.study.id, intents);
            });
        });
    }

    fn answer(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        config: &ModelConfig,
        direct: &DirectAttribution,
        version: u64,
        intents: &mut Vec<Intent>,
    ) {
        let pos = direct.target.pos;
        match self.page {
            Page::Layers => {
                let parts = self.parts.get(version, |_| contributions(direct));
                running_sum(ui, view, config, direct, parts, intents);
            }
            Page::Heads => {
                let make = || {
                    let mut matrix = Matrix::new(config.n_heads);
                    direct.heads.iter().for_each(|row| matrix.push_row(row));
                    matrix
                };
                self.heads
                    .ui(ui, view, version, "direct, logits", make, pos, intents);
            }
            Page::Neurons => {
                let shares = self.shares.get(version, |_| {
                    NeuronShare::greatest(direct.neurons.iter().cloned())
                });
                self.neurons
                    .ui(ui, view, shares, "direct, logits", pos, intents);
            }
        }
    }
}

/// The parts' sum beside the logit.
fn totals(ui: &mut Ui, view: &PlotView<'_>, direct: &DirectAttribution) {
    let what = view.target_title(&direct.target);
    ui.horizontal_wrapped(|ui| {
        ui.strong(format!("{what}: {}", exact(direct.value)));
        ui.label(format!("sum of the parts: {}", exact(direct.sum())))
            .on_hover_text("All parts sum to the target; what is missing is rounding");
    });
    note(
        ui,
        view.theme,
        "What each part adds by itself, with the final norm's scale held at what it is, logits",
    );
}
