//! A map over the places of the residual stream and the tokens.

use egui::Ui;

use crate::analysis::{Matrix, MatrixRange, SaliencyMeasure, saliency_hooks, saliency_map};
use crate::attribution::Gradients;
use crate::config::ModelConfig;
use crate::hook::{BlockSite, HookPoint};
use crate::layout::Cell;
use crate::viewer::ui::panels::Intent;
use crate::viewer::ui::panels::plots::PlotView;
use crate::viewer::ui::panels::plots::heatmap::{Heatmap, HeatmapView, Labels, Scale};
use crate::viewer::ui::panels::plots::parts::{Cached, strongest_cell, token_text};

/// A map over the places of the residual stream and the tokens.
#[derive(Default)]
pub struct LayersPage {
    map: Cached<(u64, SaliencyMeasure), (Matrix, MatrixRange)>,
    heatmap: Heatmap,
}

impl LayersPage {
    /// Draws the page.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        config: &ModelConfig,
        gradients: &Gradients,
        measure: SaliencyMeasure,
        version: u64,
        intents: &mut Vec<Intent>,
    ) {
        let hooks = saliency_hooks(config);
        self.map.get((version, measure), |(_, measure)| {
            let matrix = saliency_map(gradients, config, *measure);
            let range = matrix.range();
            (matrix, range)
        });
        let generation = self.map.generation();
        let Some((matrix, range)) = self.map.last() else {
            return;
        };
        let value = format!("{}, {}", measure.title().to_lowercase(), measure.unit());
        let row_name = |row: usize| hooks.get(row).copied().map_or_else(String::new, name);
        let marked = match view.pinned {
            Some(Cell::Value(cell)) => {
                let row = hooks.iter().position(|hook| *hook == cell.hook);
                row.map(|row| (row, cell.pos))
            }
            _ => None,
        };
        let output = self.heatmap.ui(
            ui,
            &HeatmapView {
                name: "Saliency by layer",
                matrix,
                version: generation,
                scale: Scale::of(*range),
                value: &value,
                rows: Labels {
                    title: "stream",
                    text: &row_name,
                    is_numbered: false,
                },
                columns: Labels::tokens(&|pos| token_text(view, pos)),
                current_row: None,
                current_column: view.lane(),
                marked,
                tip: &|row, _| match hooks.get(row) {
                    Some(hook) => format!("{hook}\nClick shows it in the world"),
                    None => String::new(),
                },
                is_square: false,
                height: ui.available_height().clamp(160.0, 900.0),
                theme: view.theme,
            },
        );
        let cell = |(row, pos): (usize, usize)| {
            let hook = *hooks.get(row)?;
            Some(strongest_cell(view, config, hook, pos))
        };
        if let Some(cell) = output.double_clicked.and_then(cell) {
            intents.push(Intent::Visit(cell));
        } else if let Some(cell) = output.clicked.and_then(cell) {
            intents.push(Intent::Pin(cell));
        }
    }
}

/// A place of the stream, in a word or two.
fn name(hook: HookPoint) -> String {
    match hook {
        HookPoint::Block {
            layer,
            site: BlockSite::ResidPre,
        } => format!("into {layer}"),
        HookPoint::Block { layer, .. } => format!("out of {layer}"),
        _ => "embedding".to_owned(),
    }
}
