//! Which tokens a prediction hangs on: by token, by token and layer, by head and by neuron.

mod layers;
mod method;
#[cfg(test)]
mod tests;
mod text;

use egui::Ui;

use super::head_map::HeadMap;
use super::neuron_list::{NeuronList, NeuronShare};
use super::parts::{Cached, note, pages, scrolled};
use super::study::{Asking, Inquiry, Known, shown};
use super::target::TargetChooser;
use super::{PlotView, nothing_yet};
use crate::analysis::{SaliencyMeasure, neuron_saliency};
use crate::attribution::{Gradients, Target};
use crate::config::ModelConfig;
use crate::engine::{Answer, GradientExtent, Question};
use crate::viewer::inference::Topic;
use crate::viewer::readout::exact;
use crate::viewer::ui::panels::Intent;

use layers::LayersPage;
use method::{Integration, Method};
use text::TextPage;

/// Which tokens a prediction hangs on.
#[derive(Default)]
pub struct SaliencyPlot {
    page: Page,
    method: Method,
    integration: Integration,
    asking: Asking,
    text: TextPage,
    layers: LayersPage,
    heads: HeadMap,
    neurons: NeuronList,
    neuron_shares: Cached<u64, Vec<NeuronShare>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Page {
    #[default]
    Text,
    Layers,
    Heads,
    Neurons,
}

const PAGES: [(Page, &str); 4] = [
    (Page::Text, "Tokens"),
    (Page::Layers, "Tokens by layer"),
    (Page::Heads, "Heads"),
    (Page::Neurons, "Neurons"),
];

/// Room for pages and methods side by side, in points.
const WIDE: f32 = 640.0;

impl SaliencyPlot {
    /// Brings a page to the front, counted from 0.
    pub fn turn_to(&mut self, page: usize) {
        if let Some((page, _)) = PAGES.get(page) {
            self.page = *page;
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
        let (Some(model), Some((pos, wish))) = (view.model, chooser.wish(view)) else {
            nothing_yet(ui, view, "Which tokens a prediction hangs on");
            return;
        };
        let config = &model.config;
        // A low wide place has no room for a line each.
        if ui.available_width() > WIDE {
            ui.horizontal(|ui| {
                pages(ui, &mut self.page, &PAGES);
                ui.separator();
                self.methods(ui);
            });
        } else {
            pages(ui, &mut self.page, &PAGES);
            self.methods(ui);
        }
        chooser.ui(ui, view);
        if self.method == Method::Integrated {
            self.integration.ui(ui, view);
        }
        let question = match self.method {
            Method::Integrated => match self.integration.settings() {
                Some(settings) => Question::Integrated { wish, settings },
                None => {
                    note(ui, view.theme, "Choose the token that the way begins at");
                    return;
                }
            },
            _ => Question::Gradients {
                wish,
                extent: GradientExtent::Summary,
            },
        };
        let n_passes = match &question {
            Question::Integrated { settings, .. } => 3 * settings.n_steps,
            _ => 3,
        };
        let topic = match self.method {
            Method::Integrated => Topic::Integrated,
            _ => Topic::Gradients,
        };
        let inquiry = Inquiry::new(view, topic, question, pos);
        let known = self
            .asking
            .ui(ui, view, config, &inquiry, n_passes, intents);
        ui.separator();
        let is_table = self.page == Page::Neurons;
        scrolled(ui, "saliency", is_table, |ui| match known {
            Some(known) => shown(ui, known.is_current, |ui| {
                self.answer(ui, view, config, known, intents);
            }),
            None => note(ui, view.theme, "Nothing is computed yet"),
        });
    }

    fn methods(&mut self, ui: &mut Ui) {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 3.0;
            for (method, title, hint) in Method::ALL {
                ui.selectable_value(&mut self.method, method, title)
                    .on_hover_text(hint);
            }
        });
    }

    fn answer(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        config: &ModelConfig,
        known: Known<'_>,
        intents: &mut Vec<Intent>,
    ) {
        let version = known.study.id;
        match (known.answer, self.method.measure()) {
            (Answer::Integrated(answer), None) if self.page == Page::Text => {
                let target = view.target_title(&answer.target);
                let sum = answer.value - answer.baseline_value;
                note(
                    ui,
                    view.theme,
                    format!(
                        "What each embedding adds to the {target}, on the way from the baseline"
                    ),
                );
                self.text.ui(
                    ui,
                    view,
                    config,
                    &answer.by_pos,
                    "integrated gradient, logits",
                    intents,
                );
                ui.add_space(4.0);
                ui.label(format!(
                    "{} for the text − {} for the baseline = {}; the tokens' sum misses it by {}",
                    exact(answer.value),
                    exact(answer.baseline_value),
                    exact(sum),
                    exact(answer.completeness_error()),
                ))
                .on_hover_text("Completeness: with ever more steps the difference goes to zero");
            }
            (Answer::Integrated(_), None) => note(
                ui,
                view.theme,
                "Integrated gradients are of the embeddings alone; choose gradient × input or \
                 gradient norm for layers, heads and neurons",
            ),
            (Answer::Gradients(answer), Some(measure)) => {
                self.gradients(ui, view, config, answer, measure, version, intents);
            }
            _ => note(ui, view.theme, "Nothing is computed yet"),
        }
    }

    fn gradients(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        config: &ModelConfig,
        answer: &Gradients,
        measure: SaliencyMeasure,
        version: u64,
        intents: &mut Vec<Intent>,
    ) {
        let target = view.target_title(&answer.target);
        let value = exact(answer.value);
        match self.page {
            Page::Text => {
                let what = format!("{} of each embedding; {target}: {value}", measure.title());
                note(ui, view.theme, what);
                let unit = format!("{}, {}", measure.title().to_lowercase(), measure.unit());
                let by_pos = self.text.by_pos(version, answer, measure);
                self.text.ui(ui, view, config, &by_pos, &unit, intents);
            }
            Page::Layers => {
                let what = format!("{} of the stream; {target}: {value}", measure.title());
                note(ui, view.theme, what);
                self.layers
                    .ui(ui, view, config, answer, measure, version, intents);
            }
            Page::Heads => {
                note(ui, view.theme, lost("head", &target, &value));
                self.heads.ui(
                    ui,
                    view,
                    version,
                    "gradient × z, logits",
                    || crate::analysis::head_saliency(answer, config),
                    answer.target.pos,
                    intents,
                );
            }
            Page::Neurons => {
                note(ui, view.theme, lost("neuron", &target, &value));
                let shares = self.neuron_shares.get(version, |_| {
                    let layers = (0..config.n_layers).map(|layer| neuron_saliency(answer, layer));
                    NeuronShare::greatest(layers)
                });
                let Target { pos, .. } = answer.target;
                self.neurons
                    .ui(ui, view, shares, "gradient × post, logits", pos, intents);
            }
        }
    }
}

fn lost(what: &str, target: &str, value: &str) -> String {
    format!(
        "What the target would lose, to first order, without the {what}: derivative times value, \
         summed over the text; {target}: {value}"
    )
}
