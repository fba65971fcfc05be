//! A map over layers and heads; a click chooses the head in the world.

use egui::Ui;

use super::PlotView;
use super::heatmap::{Heatmap, HeatmapView, Labels, Scale};
use super::parts::Cached;
use crate::ablation::Ablation;
use crate::analysis::{Matrix, MatrixRange};
use crate::hook::{Axis, BlockSite, HookPoint};
use crate::layout::{Cell, CellId};
use crate::viewer::ui::panels::Intent;

/// A map over layers and heads.
#[derive(Default)]
pub struct HeadMap {
    map: Cached<u64, (Matrix, MatrixRange)>,
    heatmap: Heatmap,
}

impl HeadMap {
    /// Draws the numbers that `make` gives for `version`; `pos` is the position whose head a click
    /// chooses.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        version: u64,
        value: &str,
        make: impl FnOnce() -> Matrix,
        pos: usize,
        intents: &mut Vec<Intent>,
    ) {
        self.map.get(version, |_| {
            let matrix = make();
            let range = matrix.range();
            (matrix, range)
        });
        let generation = self.map.generation();
        let Some((matrix, range)) = self.map.last() else {
            return;
        };
        let tip = |layer: usize, head: usize| {
            let z = HookPoint::block(layer, BlockSite::Z);
            let is_zeroed = view.ablations.contains(&Ablation::new(z, Some(head)));
            let zeroed = if is_zeroed { "set to zero\n" } else { "" };
            format!("{zeroed}Click shows the head in the world; X then sets it to zero")
        };
        let output = self.heatmap.ui(
            ui,
            &HeatmapView {
                name: "Map of heads",
                matrix,
                version: generation,
                scale: Scale::of(*range),
                value,
                rows: Labels::numbers("layer"),
                columns: Labels::numbers("head"),
                current_row: None,
                current_column: None,
                marked: pinned_head(view),
                tip: &tip,
                is_square: true,
                height: ui.available_height().clamp(160.0, 520.0),
                theme: view.theme,
            },
        );
        let cell = |(layer, head): (usize, usize)| head_cell(view, layer, head, pos);
        if let Some(place) = output.double_clicked {
            intents.push(Intent::Visit(cell(place)));
        } else if let Some(place) = output.clicked {
            intents.push(Intent::Pin(cell(place)));
        }
    }
}

/// The head that the pinned number belongs to, by layer and head; none of keys and values that several
/// heads share.
pub fn pinned_head(view: &PlotView<'_>) -> Option<(usize, usize)> {
    let Some(Cell::Value(cell)) = view.pinned else {
        return None;
    };
    let config = &view.model?.config;
    let has_heads = cell.hook.axes().contains(&Axis::Head);
    let is_own = has_heads && config.n_heads_at(cell.hook) == config.n_heads;
    is_own.then_some((cell.hook.layer()?, cell.head))
}

/// Where a head attends to most from a position: the number that stands for it in the world.
pub fn head_cell(view: &PlotView<'_>, layer: usize, head: usize, pos: usize) -> Cell {
    let hook = HookPoint::block(layer, BlockSite::Pattern);
    let row = view
        .positions
        .get(pos)
        .and_then(|token| token.attention_row(hook, head));
    let keys = row.unwrap_or_default().iter().enumerate();
    let most = keys.max_by(|(_, a), (_, b)| a.total_cmp(b));
    Cell::Value(CellId {
        hook,
        pos,
        head,
        index: most.map_or(0, |(key, _)| key),
    })
}
