//! Which vectors, by which method, with which settings.

use egui::{Button, ComboBox, DragValue, Ui};

use super::subject::What;
use crate::analysis::projection::{Method, Metric, ProjectionSettings, TsneSettings, UmapSettings};
use crate::analysis::stream_hooks;
use crate::config::ModelConfig;
use crate::viewer::ui::panels::plots::PlotView;
use crate::weight::WeightPoint;

/// The three methods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MethodName {
    /// Principal components.
    #[default]
    Pca,
    /// t-SNE.
    Tsne,
    /// UMAP.
    Umap,
}

/// What the user has chosen; each method keeps its settings while another is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Choice {
    /// Which vectors.
    pub what: What,
    /// How.
    pub method: MethodName,
    /// t-SNE's settings.
    pub tsne: TsneSettings,
    /// UMAP's settings.
    pub umap: UmapSettings,
    /// What all methods have in common.
    pub common: ProjectionSettings,
}

const METHODS: [(MethodName, &str, &str); 3] = [
    (
        MethodName::Pca,
        "PCA",
        "Principal components: the directions along which the vectors vary most; distances within the \
         picture are real ones",
    ),
    (
        MethodName::Tsne,
        "t-SNE",
        "Keeps near neighbours together; distances between groups mean little",
    ),
    (
        MethodName::Umap,
        "UMAP",
        "Keeps near neighbours together, and more of the whole than t-SNE",
    ),
];

impl Choice {
    /// What is to be ordered.
    pub fn settings(&self) -> ProjectionSettings {
        ProjectionSettings {
            method: match self.method {
                MethodName::Pca => Method::Pca,
                MethodName::Tsne => Method::Tsne(self.tsne),
                MethodName::Umap => Method::Umap(self.umap),
            },
            ..self.common
        }
    }

    /// Draws the choices.
    pub fn ui(&mut self, ui: &mut Ui, view: &PlotView<'_>, config: &ModelConfig) {
        ui.horizontal_wrapped(|ui| self.vectors(ui, view, config));
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 3.0;
            for (method, name, tip) in METHODS {
                ui.selectable_value(&mut self.method, method, name)
                    .on_hover_text(tip);
            }
            ui.add_space(8.0);
            for (n_dims, name, tip) in [
                (2, "2D", "Two axes"),
                (
                    3,
                    "3D",
                    "Three axes: the points stand in the world, left of the entrance",
                ),
            ] {
                ui.selectable_value(&mut self.common.n_dims, n_dims, name)
                    .on_hover_text(tip);
            }
        });
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 5.0;
            match self.method {
                MethodName::Pca => {}
                MethodName::Tsne => self.tsne_settings(ui),
                MethodName::Umap => self.umap_settings(ui),
            }
            ui.checkbox(&mut self.common.has_unit_length, "unit length")
                .on_hover_text("Every vector is first scaled to length one: only directions count");
        });
    }

    /// Which vectors are shown: those chosen, or what there is in their place while they are not there.
    pub fn what(&self, view: &PlotView<'_>) -> What {
        let Some(model) = view.model else {
            return self.what;
        };
        let config = &model.config;
        let last = stream_hooks(config).len().saturating_sub(1);
        let has_text = !view.positions.is_empty();
        match self.what {
            What::Vocabulary(_) if model.weights.is_none() => What::Text,
            What::Vocabulary(WeightPoint::Unembed) if config.tie_word_embeddings => {
                What::Vocabulary(WeightPoint::Embed)
            }
            What::Vocabulary(weight) => What::Vocabulary(weight),
            _ if !has_text && !view.is_computing && model.weights.is_some() => {
                What::Vocabulary(WeightPoint::Embed)
            }
            What::Layer(place) => What::Layer(place.min(last)),
            what => what,
        }
    }

    fn vectors(&mut self, ui: &mut Ui, view: &PlotView<'_>, config: &ModelConfig) {
        let hooks = stream_hooks(config);
        let shown = self.what(view);
        let place = match shown {
            What::Layer(place) => place,
            _ => hooks.len() / 2,
        };
        let mut all = Vec::new();
        if !view.positions.is_empty() {
            all.push((What::Text, "text, embedding"));
            if !hooks.is_empty() {
                all.push((What::Layer(place), "text, one layer"));
                all.push((What::Layers, "text, all layers"));
            }
        }
        if view.model.is_some_and(|model| model.weights.is_some()) {
            all.push((What::Vocabulary(WeightPoint::Embed), "vocabulary, W_E"));
            if !config.tie_word_embeddings {
                all.push((What::Vocabulary(WeightPoint::Unembed), "vocabulary, W_U"));
            }
        }
        let name = all.iter().find(|(what, _)| *what == shown);
        let name = name.map_or("nothing", |(_, name)| *name);
        let label = ui.label("vectors");
        ComboBox::from_id_salt("vectors")
            .selected_text(name)
            .width(128.0)
            .show_ui(ui, |ui| {
                for (what, name) in &all {
                    ui.selectable_value(&mut self.what, *what, *name);
                }
            })
            .response
            .labelled_by(label.id);
        if let What::Layer(place) = &mut self.what {
            let last = hooks.len().saturating_sub(1);
            for (sign, is_possible, name, next) in [
                ("−", *place > 0, "previous place", place.saturating_sub(1)),
                ("+", *place < last, "next place", (*place + 1).min(last)),
            ] {
                let button = ui.add_enabled(is_possible, Button::new(sign).small());
                button.widget_info(|| {
                    egui::WidgetInfo::labeled(egui::WidgetType::Button, is_possible, name)
                });
                if button.on_hover_text(name).clicked() {
                    *place = next;
                }
            }
            if let Some(hook) = hooks.get(*place) {
                ui.monospace(hook.to_string());
            }
        }
    }

    fn tsne_settings(&mut self, ui: &mut Ui) {
        number(
            ui,
            "perplexity",
            DragValue::new(&mut self.tsne.perplexity)
                .range(2.0..=500.0)
                .speed(0.2)
                .max_decimals(1),
            "About how many neighbours each vector has; with few vectors it is lowered",
        );
        number(
            ui,
            "steps",
            DragValue::new(&mut self.tsne.n_steps)
                .range(50..=10_000)
                .speed(10.0),
            "Steps of the points",
        );
        metric(ui, &mut self.tsne.metric);
        self.seed(ui);
    }

    fn umap_settings(&mut self, ui: &mut Ui) {
        number(
            ui,
            "neighbours",
            DragValue::new(&mut self.umap.n_neighbors)
                .range(2..=500)
                .speed(0.2),
            "How many neighbours each vector has, itself among them",
        );
        number(
            ui,
            "min dist",
            DragValue::new(&mut self.umap.min_dist)
                .range(0.0..=1.0)
                .speed(0.005)
                .max_decimals(3),
            "How near points may come, of a spread of 1",
        );
        metric(ui, &mut self.umap.metric);
        self.seed(ui);
    }

    fn seed(&mut self, ui: &mut Ui) {
        number(
            ui,
            "seed",
            DragValue::new(&mut self.common.seed)
                .range(0..=u32::MAX)
                .speed(0.1),
            "Where random choices begin: the same seed gives the same picture",
        );
    }
}

fn number(ui: &mut Ui, name: &str, value: DragValue<'_>, tip: &str) {
    let label = ui.label(name);
    ui.add(value.update_while_editing(false))
        .labelled_by(label.id)
        .on_hover_text(tip);
}

fn metric(ui: &mut Ui, metric: &mut Metric) {
    for (value, name) in [(Metric::Euclidean, "Euclidean"), (Metric::Cosine, "cosine")] {
        ui.selectable_value(metric, value, name)
            .on_hover_text("What nearness of vectors means");
    }
}
