//! What setting parts to zero does to what is predicted.

use egui::{Grid, RichText, Ui};

use crate::analysis::{Candidate, top_candidates};
use crate::attribution::AblationEffect;
use crate::hook::HookPoint;
use crate::layout::{Cell, CellId};
use crate::viewer::readout::{digits, exact};
use crate::viewer::ui::panels::Intent;
use crate::viewer::ui::panels::plots::PlotView;
use crate::viewer::ui::panels::plots::heatmap::{Scale, legend};
use crate::viewer::ui::panels::plots::parts::{Cached, note};
use crate::viewer::ui::panels::plots::words::{Words, range};
use crate::viewer::ui::theme;

/// Tokens in each of the two lists.
const N_TOKENS: usize = 8;

/// What is compared.
struct Predictions {
    before: Vec<Candidate>,
    after: Vec<Candidate>,
}

/// What setting parts to zero does.
#[derive(Default)]
pub struct Effect {
    predictions: Cached<u64, Predictions>,
}

impl Effect {
    /// Draws it.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        effect: &AblationEffect,
        version: u64,
        intents: &mut Vec<Intent>,
    ) {
        numbers(ui, view, effect);
        ui.add_space(6.0);
        let predictions = self.predictions.get(version, |_| Predictions {
            before: top_candidates(&effect.logits_before, N_TOKENS),
            after: top_candidates(&effect.logits_after, N_TOKENS),
        });
        tokens(ui, view, effect, predictions);
        ui.add_space(6.0);
        note(
            ui,
            view.theme,
            "How far each position's prediction moves: KL of the prediction with the parts set to \
             zero from that without, nats",
        );
        let scale = Scale::of(range(&effect.kl));
        let words = Words {
            values: &effect.kl,
            scale,
            value: "KL, nats",
            marked: Some(effect.target.pos),
        };
        if let Some(pos) = words.ui(ui, view) {
            intents.push(Intent::Pin(Cell::Value(CellId {
                hook: HookPoint::Logits,
                pos,
                head: 0,
                index: effect.target.token as usize,
            })));
        }
        legend(ui, view.theme, &scale, "KL, nats");
    }
}

/// The target before and after.
fn numbers(ui: &mut Ui, view: &PlotView<'_>, effect: &AblationEffect) {
    note(ui, view.theme, view.target_title(&effect.target));
    let kl = effect.kl.get(effect.target.pos).copied();
    let change = effect.value_after - effect.value_before;
    Grid::new("effect on the target")
        .num_columns(2)
        .spacing([18.0, 2.0])
        .show(ui, |ui| {
            for (name, value) in [
                ("as it is", Some(effect.value_before)),
                ("with the parts set to zero", Some(effect.value_after)),
                ("change", Some(change)),
                ("KL of the prediction there, nats", kl),
            ] {
                ui.label(name);
                let text = value
                    .map_or_else(|| "–".to_owned(), exact)
                    .replace('-', "−");
                ui.label(RichText::new(text).monospace().strong());
                ui.end_row();
            }
        });
}

/// The most probable tokens before and after, side by side.
fn tokens(ui: &mut Ui, view: &PlotView<'_>, effect: &AblationEffect, shown: &Predictions) {
    let rank_before = |token: u32| shown.before.iter().position(|before| before.token == token);
    let weak = theme::weak_text(view.theme);
    ui.columns(2, |columns| {
        let [left, right] = columns else { return };
        for (ui, name, candidates) in [
            (left, "Before", &shown.before),
            (right, "After", &shown.after),
        ] {
            ui.strong(name);
            if candidates.is_empty() {
                note(ui, view.theme, "The logits are not all numbers");
            }
            Grid::new(name).num_columns(3).striped(true).show(ui, |ui| {
                for (rank, candidate) in candidates.iter().enumerate() {
                    let text = (view.token_text)(candidate.token);
                    let mut text = RichText::new(text);
                    if candidate.token == effect.target.token {
                        text = text.strong().color(theme::accent(view.theme));
                    }
                    ui.label(text);
                    let percent = format!("{:.2} %", 100.0 * candidate.probability);
                    let hint = logits(effect, candidate.token);
                    ui.monospace(percent).on_hover_text(hint);
                    let moved = match rank_before(candidate.token) {
                        _ if name == "Before" => String::new(),
                        Some(before) if before > rank => format!("⏶ {}", before - rank),
                        Some(before) if before < rank => format!("⏷ {}", rank - before),
                        Some(_) => String::new(),
                        None => "new".to_owned(),
                    };
                    ui.label(RichText::new(moved).size(11.0).color(weak));
                    ui.end_row();
                }
            });
        }
    });
}

fn logits(effect: &AblationEffect, token: u32) -> String {
    let logit = |logits: &[f32]| {
        let logit = logits.get(token as usize).copied();
        logit.map_or_else(|| "–".to_owned(), digits)
    };
    format!(
        "token {token}: logit {} before, {} after",
        logit(&effect.logits_before),
        logit(&effect.logits_after)
    )
}
