//! What of the world is shown: kinds, arcs, links.

use std::collections::BTreeSet;

use egui::{Button, Checkbox, DragValue, Slider, Ui};

use super::{Intent, heading};
use crate::config::ModelConfig;
use crate::hook::BlockSite;
use crate::layout::Kind;
use crate::viewer::scene::{ArcChoice, ColorBy, Pooling, Reduction};
use crate::viewer::ui::view::UiView;

/// Kinds that are shown and hidden together.
pub struct KindGroup {
    /// In words.
    pub title: &'static str,
    /// The kinds.
    pub kinds: &'static [Kind],
}

const fn group(title: &'static str, kinds: &'static [Kind]) -> KindGroup {
    KindGroup { title, kinds }
}

impl KindGroup {
    /// Whether a model of this shape has any of it.
    fn is_in(&self, config: &ModelConfig) -> bool {
        self.kinds.iter().any(|kind| match kind {
            Kind::Site(site) => config.has_site(*site),
            _ => true,
        })
    }

    /// In words, for a model of this shape.
    fn title_in(&self, config: &ModelConfig) -> &'static str {
        match self.kinds {
            [Kind::Site(BlockSite::MlpPre), ..] if config.is_gated() => "gate, up",
            _ => self.title,
        }
    }
}

/// Every kind, in the order a pass reaches them.
pub const GROUPS: &[KindGroup] = &[
    group("embeddings", &[Kind::Embeddings]),
    group(
        "residual stream",
        &[
            Kind::Site(BlockSite::ResidPre),
            Kind::Site(BlockSite::ResidMid),
            Kind::Site(BlockSite::ResidPost),
        ],
    ),
    group(
        "norms",
        &[
            Kind::Site(BlockSite::Ln1Normalized),
            Kind::Site(BlockSite::Ln2Normalized),
        ],
    ),
    group(
        "q, k, v",
        &[
            Kind::Site(BlockSite::Q),
            Kind::Site(BlockSite::K),
            Kind::Site(BlockSite::V),
        ],
    ),
    group(
        "rotated q, k",
        &[Kind::Site(BlockSite::RotQ), Kind::Site(BlockSite::RotK)],
    ),
    group("scores", &[Kind::Site(BlockSite::AttnScores)]),
    group("patterns", &[Kind::Site(BlockSite::Pattern)]),
    group("z", &[Kind::Site(BlockSite::Z)]),
    group("attention out", &[Kind::Site(BlockSite::AttnOut)]),
    group(
        "neurons pre",
        &[
            Kind::Site(BlockSite::MlpPre),
            Kind::Site(BlockSite::MlpPreLinear),
        ],
    ),
    group("neurons post", &[Kind::Site(BlockSite::MlpPost)]),
    group("MLP out", &[Kind::Site(BlockSite::MlpOut)]),
    group("final norm", &[Kind::FinalNorm]),
    group("logits", &[Kind::Logits]),
    group("next tokens", &[Kind::Skyline]),
    group("weights", &[Kind::Weights]),
];

/// What of the world is shown.
#[derive(Default)]
pub struct ShowPanel;

impl ShowPanel {
    /// Draws the panel.
    pub fn ui(&mut self, ui: &mut Ui, view: &UiView<'_>, intents: &mut Vec<Intent>) {
        heading(ui, "Colour shows");
        colors(ui, view, intents);
        ui.add_space(8.0);
        ui.separator();
        heading(ui, "Show");
        kinds(ui, view, intents);
        ui.add_space(6.0);
        let mut has_links = view.has_links;
        if ui
            .checkbox(&mut has_links, "links")
            .on_hover_text("From what is pointed at to what it is computed from")
            .changed()
        {
            intents.push(Intent::Links(has_links));
        }
        ui.add_space(8.0);
        ui.separator();
        heading(ui, "Attention");
        arcs(ui, view, intents);
        ui.horizontal(|ui| {
            ui.label("from afar");
            for (reduction, title, hint) in [
                (
                    Reduction::Max,
                    "greatest",
                    "A pixel shows the greatest weight it covers",
                ),
                (
                    Reduction::Mean,
                    "mean",
                    "A pixel shows the mean of the weights it covers",
                ),
            ] {
                let is_chosen = view.reduction == reduction;
                let label = ui.selectable_label(is_chosen, title).on_hover_text(hint);
                if label.clicked() && !is_chosen {
                    intents.push(Intent::Reduce(reduction));
                }
            }
        });
    }
}

/// What colours and heights stand for.
fn colors(ui: &mut Ui, view: &UiView<'_>, intents: &mut Vec<Intent>) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        for color_by in ColorBy::ALL {
            let hint = match color_by {
                ColorBy::Value => "The numbers themselves",
                ColorBy::Gradient => {
                    "What the target would lose, to first order, without the number; the target is \
                     chosen in the views Saliency, Lens and Ablation"
                }
                ColorBy::Direct => {
                    "What the number adds to the target by itself, where it is written to the \
                     residual stream"
                }
            };
            let is_chosen = view.color_by == color_by;
            let is_possible = color_by == ColorBy::Value || view.can_run;
            let label = Button::selectable(is_chosen, color_by.title());
            let label = ui.add_enabled(is_possible, label).on_hover_text(hint);
            if label.clicked() && !is_chosen {
                intents.push(Intent::ColorBy(color_by));
            }
        }
    });
}

/// A box for every group that the model has, in two columns, and one for all.
fn kinds(ui: &mut Ui, view: &UiView<'_>, intents: &mut Vec<Intent>) {
    let hidden = view.hidden;
    let config = view.model.map(|model| &model.config);
    let groups: Vec<&KindGroup> = GROUPS
        .iter()
        .filter(|group| config.is_none_or(|config| group.is_in(config)))
        .collect();
    let mut is_all = hidden.is_empty();
    let some = Checkbox::new(&mut is_all, "all").indeterminate(!hidden.is_empty());
    if ui.add(some).clicked() {
        intents.push(Intent::Hide(BTreeSet::new()));
    }
    let n_rows = groups.len().div_ceil(2);
    ui.columns(2, |columns| {
        for (ui, groups) in columns.iter_mut().zip(groups.chunks(n_rows)) {
            ui.spacing_mut().item_spacing.y = 2.0;
            for group in groups {
                let mut is_shown = !group.kinds.iter().any(|kind| hidden.contains(kind));
                let title = config.map_or(group.title, |config| group.title_in(config));
                if ui.checkbox(&mut is_shown, title).changed() {
                    intents.push(Intent::Hide(toggled(hidden, group, is_shown)));
                }
            }
        }
    });
}

fn toggled(hidden: &BTreeSet<Kind>, group: &KindGroup, is_shown: bool) -> BTreeSet<Kind> {
    let mut hidden = hidden.clone();
    for kind in group.kinds {
        if is_shown {
            hidden.remove(kind);
        } else {
            hidden.insert(*kind);
        }
    }
    hidden
}

fn arcs(ui: &mut Ui, view: &UiView<'_>, intents: &mut Vec<Intent>) {
    let mut has_arcs = view.has_arcs;
    if ui
        .checkbox(&mut has_arcs, "arcs")
        .on_hover_text("From key to query, over the heads chosen")
        .changed()
    {
        intents.push(Intent::Arcs(has_arcs));
    }
    let mut threshold = view.arc_threshold;
    let mut choice = view.arc_choice.clone();
    let (n_heads, n_layers) = view.model.map_or((0, 0), |model| {
        (model.config.n_heads, model.config.n_layers)
    });
    ui.add_enabled_ui(has_arcs, |ui| {
        let slider = Slider::new(&mut threshold, 0.02..=1.0).text("weight from");
        if ui.add(slider).changed() {
            intents.push(Intent::ArcThreshold(threshold));
        }
        heads(ui, &mut choice, n_heads);
        ui.horizontal(|ui| {
            ui.label("together");
            for (pooling, title) in [(Pooling::Mean, "mean"), (Pooling::Max, "greatest")] {
                ui.selectable_value(&mut choice.pooling, pooling, title)
                    .on_hover_text("What the weights of several heads become");
            }
        });
        ui.horizontal(|ui| {
            let mut is_one = choice.layer.is_some();
            if ui.checkbox(&mut is_one, "only layer").changed() {
                choice.layer = is_one.then_some(n_layers / 2);
            }
            if let Some(layer) = &mut choice.layer {
                ui.add(DragValue::new(layer).range(0..=n_layers.saturating_sub(1)));
            }
        });
    });
    if choice != *view.arc_choice {
        intents.push(Intent::ChooseArcs(choice));
    }
}

/// All heads, or the numbers of those that have arcs.
fn heads(ui: &mut Ui, choice: &mut ArcChoice, n_heads: usize) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = egui::vec2(2.0, 2.0);
        ui.spacing_mut().button_padding = egui::vec2(4.0, 1.0);
        ui.label("heads ");
        if ui
            .selectable_label(choice.heads.is_empty(), "all")
            .clicked()
        {
            choice.heads.clear();
        }
        for head in 0..n_heads {
            let is_chosen = choice.heads.contains(&head);
            let number = egui::RichText::new(head.to_string()).size(12.0);
            if ui.selectable_label(is_chosen, number).clicked() && !choice.heads.remove(&head) {
                choice.heads.insert(head);
            }
        }
    });
    if n_heads == 0 {
        ui.colored_label(ui.visuals().weak_text_color(), "no model yet");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_box() {
        let mut boxed: Vec<Kind> = GROUPS
            .iter()
            .flat_map(|group| group.kinds)
            .copied()
            .collect();
        boxed.sort_unstable();
        let mut all = Kind::all();
        all.sort_unstable();

        assert_eq!(boxed, all);
    }

    #[test]
    fn a_box_hides_its_kinds_and_no_other() {
        let others = BTreeSet::from([Kind::Weights]);

        let hidden = toggled(&others, &GROUPS[1], false);

        assert_eq!(hidden.len(), 4);
        assert_eq!(toggled(&hidden, &GROUPS[1], true), others);
    }
}
