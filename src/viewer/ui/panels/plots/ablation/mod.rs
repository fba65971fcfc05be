//! What a prediction loses without some parts of the pass.

mod effect;
mod parts;
#[cfg(test)]
mod tests;

use egui::{RichText, ScrollArea, Ui};

use super::parts::note;
use super::study::{Asking, Inquiry, shown};
use super::target::TargetChooser;
use super::{PlotView, nothing_yet};
use crate::engine::{Answer, Question};
use crate::viewer::inference::Topic;
use crate::viewer::ui::panels::Intent;
use crate::viewer::ui::theme;
use effect::Effect;
use parts::PartsSection;

pub use parts::{counted, part_of, toggled};

/// What a prediction loses without some parts of the pass.
#[derive(Default)]
pub struct AblationPlot {
    parts: PartsSection,
    asking: Asking,
    effect: Effect,
}

impl AblationPlot {
    /// Draws the view.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        chooser: &mut TargetChooser,
        intents: &mut Vec<Intent>,
    ) {
        let Some(model) = view.model.filter(|_| view.can_run) else {
            nothing_yet(ui, view, "What a prediction loses without some parts");
            return;
        };
        let config = &model.config;
        ScrollArea::vertical()
            .id_salt("ablation")
            .auto_shrink([false, false])
            .show(ui, |ui| {
                self.parts.ui(ui, view, config, intents);
                ui.separator();
                ui.label(RichText::new("Their effect").strong());
                if view.ablations.is_empty() {
                    let text = "Nothing is set to zero, so nothing differs. Pin a head, a neuron or a \
                                dimension and press X, or name one above";
                    ui.label(RichText::new(text).color(theme::weak_text(view.theme)));
                    return;
                }
                let Some((pos, wish)) = chooser.wish(view) else {
                    note(ui, view.theme, "Begin a text at the left");
                    return;
                };
                chooser.ui(ui, view);
                // Every position's prediction is compared, those after the target's too.
                let last = view.tokens.len().saturating_sub(1).max(pos);
                let inquiry = Inquiry::new(view, Topic::Ablation, Question::Ablation { wish }, last);
                let known = self.asking.ui(ui, view, config, &inquiry, 2, intents);
                if let Some(known) = known
                    && let Answer::Ablation(effect) = known.answer
                {
                    shown(ui, known.is_current, |ui| {
                        self.effect.ui(ui, view, effect, known.study.id, intents);
                    });
                }
            });
    }
}
