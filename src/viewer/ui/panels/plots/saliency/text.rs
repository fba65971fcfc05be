//! The text with its tokens' numbers, and those that stand out.

use egui::Ui;

use crate::analysis::SaliencyMeasure;
use crate::attribution::Gradients;
use crate::config::ModelConfig;
use crate::hook::HookPoint;
use crate::viewer::readout::exact;
use crate::viewer::ui::panels::Intent;
use crate::viewer::ui::panels::plots::PlotView;
use crate::viewer::ui::panels::plots::bars::{SignedRow, limit};
use crate::viewer::ui::panels::plots::heatmap::{Scale, legend};
use crate::viewer::ui::panels::plots::parts::{Cached, strongest_cell, token_name};
use crate::viewer::ui::panels::plots::words::{Words, range};

/// How many stand in the list below the text.
const N_LISTED: usize = 10;

/// The text with its tokens' numbers.
#[derive(Default)]
pub struct TextPage {
    by_pos: Cached<(u64, SaliencyMeasure), Vec<f32>>,
}

impl TextPage {
    /// What the embeddings come down to, by position.
    pub fn by_pos(
        &mut self,
        version: u64,
        gradients: &Gradients,
        measure: SaliencyMeasure,
    ) -> Vec<f32> {
        let by_pos = self.by_pos.get((version, measure), |(_, measure)| {
            let by_pos = measure.by_pos(gradients, HookPoint::Embed);
            by_pos.unwrap_or_default()
        });
        by_pos.clone()
    }

    /// Draws the page.
    pub fn ui(
        &self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        config: &ModelConfig,
        values: &[f32],
        unit: &str,
        intents: &mut Vec<Intent>,
    ) {
        let scale = Scale::of(range(values));
        let marked = view.lane();
        let words = Words {
            values,
            scale,
            value: unit,
            marked,
        };
        let mut clicked = words.ui(ui, view);
        ui.add_space(4.0);
        legend(ui, view.theme, &scale, unit);
        ui.add_space(6.0);
        ui.strong("Greatest");
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.retain(|pos| values[*pos].is_finite());
        order.sort_by(|a, b| values[*b].abs().total_cmp(&values[*a].abs()));
        let limit = limit(values.iter().copied());
        for pos in order.into_iter().take(N_LISTED) {
            let label = token_name(view, pos);
            let row = SignedRow {
                label: &label,
                value: values[pos],
                limit,
                is_chosen: marked == Some(pos),
                label_share: 0.28,
            };
            let row = row.ui(ui, view.theme);
            let tip = format!(
                "{label}\n{unit} {}\nClick shows it in the world",
                exact(values[pos])
            );
            if row.on_hover_text(tip).clicked() {
                clicked = Some(pos);
            }
        }
        if let Some(pos) = clicked {
            intents.push(Intent::Pin(strongest_cell(
                view,
                config,
                HookPoint::Embed,
                pos,
            )));
        }
    }
}
