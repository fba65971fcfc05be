//! The most active neurons of the playhead's token, and the tokens that activate one neuron most.

use egui::{DragValue, Ui};

use super::cell_of;
use crate::analysis::{NeuronValue, Ranking, TokenValue, layer_hooks, top_neurons, top_tokens};
use crate::config::{ActFn, ModelConfig};
use crate::hook::{BlockSite, HookPoint};
use crate::viewer::ui::panels::Intent;
use crate::viewer::ui::panels::plots::PlotView;
use crate::viewer::ui::panels::plots::parts::{Cached, note, token_name, value_row};

/// How many of a list are shown.
const N_SHOWN: usize = 14;

/// Neurons and tokens that stand out.
pub struct NeuronsPage {
    /// The layer whose neurons are ranked; all of them without one.
    only_layer: Option<usize>,
    ranking: Ranking,
    /// Before the activation function or after it; of a gated MLP one of its three.
    site: BlockSite,
    /// The neuron whose tokens are listed: layer and index.
    chosen: Option<(usize, usize)>,
    neurons: Cached<(u64, usize, Option<usize>, Ranking, BlockSite), Vec<NeuronValue>>,
    tokens: Cached<(u64, HookPoint, usize, Ranking), Vec<TokenValue>>,
}

impl Default for NeuronsPage {
    fn default() -> Self {
        Self {
            only_layer: None,
            ranking: Ranking::Value,
            site: BlockSite::MlpPost,
            chosen: None,
            neurons: Cached::default(),
            tokens: Cached::default(),
        }
    }
}

/// Where neurons can be ranked: what they write with, and what that is made of.
fn stages(config: &ModelConfig) -> &'static [(BlockSite, &'static str)] {
    const GATED: &[(BlockSite, &str)] = &[
        (BlockSite::MlpPost, "neurons"),
        (BlockSite::MlpPre, "gate"),
        (BlockSite::MlpPreLinear, "up"),
    ];
    const SILU: &[(BlockSite, &str)] = &[
        (BlockSite::MlpPost, "after SiLU"),
        (BlockSite::MlpPre, "before"),
    ];
    const GELU: &[(BlockSite, &str)] = &[
        (BlockSite::MlpPost, "after GELU"),
        (BlockSite::MlpPre, "before"),
    ];
    match config.act_fn {
        _ if config.is_gated() => GATED,
        ActFn::Silu => SILU,
        ActFn::Gelu | ActFn::GeluNew => GELU,
    }
}

impl NeuronsPage {
    /// Lists the tokens of this neuron from now on.
    pub fn choose(&mut self, layer: usize, neuron: usize) {
        self.chosen = Some((layer, neuron));
    }

    /// The neuron whose tokens are listed.
    pub fn chosen(&self) -> Option<(usize, usize)> {
        self.chosen
    }

    /// Draws the page.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        config: &ModelConfig,
        intents: &mut Vec<Intent>,
    ) {
        if !config.has_site(self.site) {
            self.site = BlockSite::MlpPost;
        }
        self.choices(ui, config);
        if ui.available_width() < 420.0 {
            self.of_token(ui, view, config, intents);
            ui.separator();
            self.of_neuron(ui, view, config, intents);
            return;
        }
        ui.columns(2, |columns| {
            if let [left, right] = columns {
                self.of_token(left, view, config, intents);
                self.of_neuron(right, view, config, intents);
            }
        });
    }

    fn choices(&mut self, ui: &mut Ui, config: &ModelConfig) {
        ui.horizontal_wrapped(|ui| {
            for (site, title) in stages(config) {
                ui.selectable_value(&mut self.site, *site, *title)
                    .on_hover_text(site.name());
            }
            ui.separator();
            ui.selectable_value(&mut self.ranking, Ranking::Value, "greatest");
            ui.selectable_value(&mut self.ranking, Ranking::Magnitude, "greatest magnitude");
            ui.separator();
            let mut is_one = self.only_layer.is_some();
            if ui.checkbox(&mut is_one, "only layer").changed() {
                self.only_layer = is_one.then_some(config.n_layers / 2);
            }
            if let Some(layer) = &mut self.only_layer {
                ui.add(DragValue::new(layer).range(0..=config.n_layers.saturating_sub(1)));
            }
        });
    }

    fn of_token(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        config: &ModelConfig,
        intents: &mut Vec<Intent>,
    ) {
        let Some(lane) = view.lane() else {
            return;
        };
        ui.strong("Most active neurons");
        note(
            ui,
            view.theme,
            format!("at token {} · {}", token_name(view, lane), self.site.name()),
        );
        let key = (view.version, lane, self.only_layer, self.ranking, self.site);
        let neurons = self.neurons.get(key, |(_, lane, layer, ranking, site)| {
            let hooks = match layer {
                Some(layer) => vec![HookPoint::block(*layer, *site)],
                None => layer_hooks(config, *site),
            };
            view.positions
                .get(*lane)
                .map(|token| top_neurons(token, &hooks, *ranking, N_SHOWN))
                .unwrap_or_default()
        });
        if neurons.is_empty() {
            note(ui, view.theme, "No finite number is recorded here");
        }
        let greatest = neurons.first().map_or(1.0, |neuron| neuron.value.abs());
        let mut chosen = None;
        for neuron in neurons {
            let layer = neuron.hook.layer().unwrap_or(0);
            let is_chosen = self.chosen == Some((layer, neuron.index));
            let label = format!("layer {layer} neuron {}", neuron.index);
            let share = neuron.value.abs() / greatest;
            let row = value_row(ui, view.theme, is_chosen, &label, neuron.value, share);
            let row = row.on_hover_text(format!(
                "{}[{lane}, {}] = {:?}\nClick lists its tokens and chooses it in the world",
                neuron.hook, neuron.index, neuron.value
            ));
            if row.clicked() {
                chosen = Some((layer, neuron.index));
                intents.push(Intent::Pin(cell_of(
                    config,
                    neuron.hook,
                    lane,
                    neuron.index,
                )));
            }
        }
        self.chosen = chosen.or(self.chosen);
    }

    /// The tokens that activate the chosen neuron most.
    pub fn of_neuron(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        config: &ModelConfig,
        intents: &mut Vec<Intent>,
    ) {
        ui.strong("Tokens that activate it most");
        // Without a choice, the one that is most active now.
        let most_active = self.neurons.last().and_then(|neurons| neurons.first());
        let most_active = most_active.map(|most| (most.hook.layer().unwrap_or(0), most.index));
        let shown = self.chosen.or(most_active).unwrap_or((0, 0));
        let (mut layer, mut neuron) = shown;
        layer = layer.min(config.n_layers.saturating_sub(1));
        neuron = neuron.min(config.d_mlp.saturating_sub(1));
        ui.horizontal(|ui| {
            let label = ui.label("layer");
            ui.add(DragValue::new(&mut layer).range(0..=config.n_layers.saturating_sub(1)))
                .labelled_by(label.id);
            let label = ui.label("neuron");
            ui.add(DragValue::new(&mut neuron).range(0..=config.d_mlp.saturating_sub(1)))
                .labelled_by(label.id);
        });
        if (layer, neuron) != shown {
            self.chosen = Some((layer, neuron));
        }
        let hook = HookPoint::block(layer, self.site);
        let key = (view.version, hook, neuron, self.ranking);
        let tokens = self.tokens.get(key, |(_, hook, neuron, ranking)| {
            top_tokens(view.positions, *hook, *neuron, *ranking, N_SHOWN)
        });
        if tokens.is_empty() {
            note(ui, view.theme, "No finite number is recorded here");
        }
        let greatest = tokens.first().map_or(1.0, |token| token.value.abs());
        for token in tokens {
            let is_current = view.lane() == Some(token.pos);
            let label = token_name(view, token.pos);
            let share = token.value.abs() / greatest;
            let row = value_row(ui, view.theme, is_current, &label, token.value, share);
            let row = row.on_hover_text(format!(
                "{hook}[{}, {neuron}] = {:?}\nClick chooses it in the world",
                token.pos, token.value
            ));
            if row.clicked() {
                intents.push(Intent::Pin(cell_of(config, hook, token.pos, neuron)));
            }
        }
    }
}
