//! Who attends to whom: one head's matrix or lines, all heads in small, and what each head does in
//! numbers.

mod glance;
mod lines;
mod matrix;
mod scores;
#[cfg(test)]
mod tests;

use egui::{Button, Checkbox, DragValue, ScrollArea, Ui, vec2};

use super::parts::pages;
use super::{PlotView, nothing_yet};
use crate::config::ModelConfig;
use crate::hook::{BlockSite, HookPoint};
use crate::layout::Cell;
use crate::viewer::scene::{ArcChoice, Pooling};
use crate::viewer::ui::panels::Intent;
use glance::GlancePage;
use lines::LinesPage;
use matrix::{MatrixPage, Shown};
use scores::ScoresPage;

/// What the choices take above a matrix less than beside it, in points: an area that much wider than
/// high has them beside it.
const WIDER: f32 = 120.0;
/// Width of the choices beside a matrix, in points.
const SIDE: f32 = 290.0;

/// Who attends to whom.
#[derive(Default)]
pub struct AttentionPlot {
    page: Page,
    /// Whether the world has been told whose arcs it is to show.
    is_told: bool,
    choice: HeadChoice,
    matrix: Shown,
    picture: MatrixPage,
    lines: LinesPage,
    glance: GlancePage,
    scores: ScoresPage,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Page {
    #[default]
    Matrix,
    Lines,
    Heads,
    Scores,
}

const PAGES: [(Page, &str); 4] = [
    (Page::Matrix, "Matrix"),
    (Page::Lines, "Lines"),
    (Page::Heads, "All heads"),
    (Page::Scores, "Head scores"),
];

/// What of a layer's attention is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Whose {
    /// One head's.
    #[default]
    Head,
    /// The mean over the layer's heads.
    Mean,
    /// The rollout of the layers up to this one.
    Rollout,
}

/// Which layer and head are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct HeadChoice {
    whose: Whose,
    layer: usize,
    head: usize,
    /// Whether the layer is the one that the signal has reached.
    follows_signal: bool,
    /// Whether the arcs in the world are of the head chosen here.
    is_shared: bool,
    /// The number that was chosen in the world when it was last looked at.
    seen: Option<Cell>,
}

impl Default for HeadChoice {
    fn default() -> Self {
        Self {
            whose: Whose::Head,
            layer: 0,
            head: 0,
            follows_signal: false,
            is_shared: true,
            seen: None,
        }
    }
}

impl HeadChoice {
    /// Keeps to the model, and takes over what was chosen in the world since.
    fn follow(&mut self, view: &PlotView<'_>, config: &ModelConfig) {
        if self.seen != view.pinned {
            self.seen = view.pinned;
            if let Some(Cell::Value(cell)) = view.pinned
                && let Some(layer) = cell.hook.layer()
                && matches!(
                    cell.hook.site(),
                    Some(BlockSite::Pattern | BlockSite::AttnScores)
                )
            {
                (self.layer, self.head) = (layer, cell.head);
            }
        }
        if self.follows_signal {
            let hooks_before = (view.playhead.order.ceil() as usize).max(1) - 1;
            let reached = config.hook_points().get(hooks_before).copied();
            match reached {
                Some(HookPoint::Embed | HookPoint::PosEmbed) => self.layer = 0,
                Some(HookPoint::Block { layer, .. }) => self.layer = layer,
                _ => self.layer = config.n_layers.saturating_sub(1),
            }
        }
        self.layer = self.layer.min(config.n_layers.saturating_sub(1));
        self.head = self.head.min(config.n_heads.saturating_sub(1));
    }

    /// The heads whose arcs the world shows for this choice; rollout has none there.
    fn arcs(&self) -> Option<ArcChoice> {
        let heads = match self.whose {
            Whose::Head => [self.head].into(),
            Whose::Mean => std::collections::BTreeSet::new(),
            Whose::Rollout => return None,
        };
        Some(ArcChoice {
            heads,
            pooling: Pooling::Mean,
            layer: Some(self.layer),
        })
    }

    /// What it is, in words.
    fn title(&self) -> String {
        match self.whose {
            Whose::Head => format!("layer {} head {}", self.layer, self.head),
            Whose::Mean => format!("layer {}, mean over heads", self.layer),
            Whose::Rollout => format!("rollout from the embedding through layer {}", self.layer),
        }
    }
}

impl AttentionPlot {
    /// Draws the view.
    pub fn ui(&mut self, ui: &mut Ui, view: &PlotView<'_>, intents: &mut Vec<Intent>) {
        let (Some(model), Some(_)) = (view.model, view.lane()) else {
            nothing_yet(ui, view, "Who attends to whom, head by head");
            return;
        };
        let config = &model.config;
        self.choice.follow(view, config);
        let before = self.choice;
        pages(ui, &mut self.page, &PAGES);
        match self.page {
            Page::Matrix => self.matrix_page(ui, view, config, intents),
            Page::Lines => {
                choices(ui, &mut self.choice, config);
                self.matrix.refresh(ui, view, config, &self.choice);
                self.lines.ui(ui, view, &self.choice, &self.matrix, intents);
            }
            Page::Heads => {
                if let Some((layer, head)) = self.glance.ui(ui, view, config, &self.choice) {
                    self.open(layer, head);
                }
            }
            Page::Scores => {
                if let Some((layer, head)) = self.scores.ui(ui, view, config, &self.choice) {
                    self.open(layer, head);
                }
            }
        }
        let is_chosen = (before.whose, before.layer, before.head)
            != (self.choice.whose, self.choice.layer, self.choice.head);
        let is_first = !std::mem::replace(&mut self.is_told, true);
        if self.choice.is_shared
            && (is_chosen || is_first || !before.is_shared)
            && let Some(arcs) = self.choice.arcs()
        {
            intents.push(Intent::ChooseArcs(arcs));
        }
    }

    /// What is chosen and what it says above the matrix, or beside it where it is wide and low.
    fn matrix_page(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        config: &ModelConfig,
        intents: &mut Vec<Intent>,
    ) {
        let Self {
            choice,
            matrix,
            picture,
            ..
        } = self;
        let room = ui.available_size();
        if room.x < room.y + WIDER {
            choices(ui, choice, config);
            matrix.refresh(ui, view, config, choice);
            let height = ui.available_height();
            ScrollArea::vertical()
                .auto_shrink([false, false])
                .show(ui, |ui| {
                    picture.heading(ui, view, choice);
                    picture.map(ui, view, choice, matrix, height - 74.0, intents);
                    picture.words(ui, view, matrix);
                });
            return;
        }
        ui.horizontal_top(|ui| {
            let down = egui::Layout::top_down(egui::Align::Min);
            ui.allocate_ui_with_layout(vec2(SIDE, room.y), down, |ui| {
                ScrollArea::vertical().show(ui, |ui| {
                    ui.set_width(SIDE);
                    choices(ui, choice, config);
                    matrix.refresh(ui, view, config, choice);
                    picture.heading(ui, view, choice);
                    picture.words(ui, view, matrix);
                });
            });
            ui.vertical(|ui| picture.map(ui, view, choice, matrix, room.y, intents));
        });
    }

    fn open(&mut self, layer: usize, head: usize) {
        self.page = Page::Matrix;
        self.choice.whose = Whose::Head;
        self.choice.follows_signal = false;
        (self.choice.layer, self.choice.head) = (layer, head);
    }
}

fn choices(ui: &mut Ui, choice: &mut HeadChoice, config: &ModelConfig) {
    ui.horizontal_wrapped(|ui| {
        let before = choice.layer;
        stepper(ui, "layer", &mut choice.layer, config.n_layers);
        if choice.layer != before {
            choice.follows_signal = false;
        }
        ui.add_enabled_ui(choice.whose == Whose::Head, |ui| {
            stepper(ui, "head", &mut choice.head, config.n_heads);
        });
        ui.separator();
        ui.spacing_mut().item_spacing.x = 3.0;
        ui.selectable_value(&mut choice.whose, Whose::Head, "one head");
        ui.selectable_value(&mut choice.whose, Whose::Mean, "mean of heads");
        ui.selectable_value(&mut choice.whose, Whose::Rollout, "rollout")
            .on_hover_text(
                "How much of each token a stream would hold that only mixes tokens: the product of \
                 the layers' mean patterns, each averaged with the identity (Abnar and Zuidema 2020)",
            );
        ui.separator();
        ui.checkbox(&mut choice.follows_signal, "follow the signal")
            .on_hover_text("The layer is the one that the playhead has reached");
        let has_arcs = choice.arcs().is_some();
        let mut is_shared = choice.is_shared && has_arcs;
        let arcs = Checkbox::new(&mut is_shared, "arcs in the world");
        let arcs = ui
            .add_enabled(has_arcs, arcs)
            .on_hover_text("The arcs in the world are of what is chosen here")
            .on_disabled_hover_text("A rollout goes through several layers: it has no arcs");
        if arcs.changed() {
            choice.is_shared = is_shared;
        }
    });
}

/// A number with a step down and a step up beside it.
fn stepper(ui: &mut Ui, name: &str, value: &mut usize, n: usize) {
    let last = n.saturating_sub(1);
    ui.spacing_mut().item_spacing.x = 2.0;
    let label = ui.label(name);
    let step = |ui: &mut Ui, sign: &str, verb: &str, is_possible: bool| {
        let button = ui.add_enabled(is_possible, Button::new(sign).small());
        button.widget_info(|| {
            let text = format!("{verb} {name}");
            egui::WidgetInfo::labeled(egui::WidgetType::Button, is_possible, text)
        });
        button.clicked()
    };
    let is_back = step(ui, "−", "previous", *value > 0);
    let is_on = step(ui, "+", "next", *value < last);
    if is_back {
        *value = value.saturating_sub(1);
    }
    if is_on {
        *value = (*value + 1).min(last);
    }
    ui.add(
        DragValue::new(value)
            .range(0..=last)
            .suffix(format!(" of {n}")),
    )
    .labelled_by(label.id);
    ui.add_space(6.0);
}

/// The place of a head's patterns.
fn pattern(layer: usize) -> HookPoint {
    HookPoint::block(layer, BlockSite::Pattern)
}
