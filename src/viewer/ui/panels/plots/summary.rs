//! Layers, shapes, parameters and memory: a tree of the model's tensors, each a way to its place.

mod rows;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use egui::{Button, RichText, Sense, TextEdit, Ui, WidgetInfo, WidgetType, vec2};
use egui_extras::{Column, TableBuilder};

use super::parts::{Cached, note};
use super::{PlotView, nothing_yet};
use crate::analysis::{SummaryNode, grouped, human_bytes, shape_facts};
use crate::color::Theme;
use crate::config::ModelConfig;
use crate::layout::Cell;
use crate::model::{Precision, Weights};
use crate::viewer::ui::panels::Intent;
use crate::viewer::ui::theme;
use rows::{Row, listed, open_all, open_to};

/// Layers, shapes, parameters and memory.
#[derive(Default)]
pub struct SummaryPlot {
    tree: Cached<(ModelConfig, Option<u64>), SummaryNode>,
    rows: Cached<(u64, String, BTreeSet<String>), Vec<Row>>,
    /// What is looked for among the names.
    search: String,
    /// The parts whose tensors are listed.
    open: BTreeSet<String>,
    /// What was chosen in the world when it was last looked at.
    seen: Option<Cell>,
}

const ROW_HEIGHT: f32 = 19.0;

impl SummaryPlot {
    /// Draws the view.
    pub fn ui(&mut self, ui: &mut Ui, view: &PlotView<'_>, intents: &mut Vec<Intent>) {
        let Some(model) = view.model else {
            nothing_yet(ui, view, "Layers, shapes, parameters and memory");
            return;
        };
        let config = &model.config;
        let weights = model.weights.as_deref();
        // A shape alone has no numbers to count the bytes of: those of f32 then.
        let key = (config.clone(), weights.map(Weights::byte_count));
        let tree = self.tree.get(key, |(config, _)| {
            let sizes = match weights {
                Some(weights) => weights.tensor_bytes(),
                None => Precision::F32.tensor_bytes(config),
            };
            SummaryNode::of_model(config, &|spec| sizes.of(spec, config))
        });
        ui.label(RichText::new(&model.name).strong());
        note(ui, view.theme, facts(config, tree, weights.is_some()));
        ui.horizontal(|ui| {
            let label = ui.label("Search");
            ui.add(
                TextEdit::singleline(&mut self.search)
                    .hint_text("layer 3, attn, W_Q …")
                    .desired_width(160.0),
            )
            .labelled_by(label.id);
            if ui.button("Open all").clicked() {
                self.open.clear();
                open_all(tree, &mut self.open);
            }
            if ui.button("Close all").clicked() {
                self.open.clear();
            }
        });
        let is_news = self.seen != view.pinned;
        self.seen = view.pinned;
        if is_news && let (Some(names), Some(tree)) = (pinned_names(view), self.tree.last()) {
            open_to(tree, &names, &mut self.open);
        }
        let key = (
            self.tree.generation(),
            self.search.trim().to_lowercase(),
            self.open.clone(),
        );
        let Some(tree) = self.tree.last() else {
            return;
        };
        let rows = self
            .rows
            .get(key, |(_, search, open)| listed(tree, search, open));
        if rows.is_empty() {
            note(ui, view.theme, "No tensor has such a name");
            return;
        }
        let pinned = pinned_names(view).unwrap_or_default();
        let is_pinned = |row: &Row| pinned.contains(&row.name);
        let shown = Table {
            theme: view.theme,
            rows,
            is_pinned: &is_pinned,
            // The innermost of what is chosen.
            scroll_to: rows.iter().rposition(is_pinned).filter(|_| is_news),
        };
        let mut folded = None;
        shown.ui(ui, &mut folded, intents);
        if let Some(name) = folded
            && !self.open.remove(&name)
        {
            self.open.insert(name);
        }
    }
}

/// The shape in words, after the memory that all of it takes.
fn facts(config: &ModelConfig, tree: &SummaryNode, is_loaded: bool) -> String {
    let memory = human_bytes(tree.bytes);
    let memory = if is_loaded {
        format!("{memory} in memory")
    } else {
        format!("{memory} at 4 bytes each")
    };
    let shape = shape_facts(config).into_iter();
    let shape: Vec<String> = shape.map(|(name, what)| format!("{name} {what}")).collect();
    format!(
        "{} parameters, {memory} · {} · {}",
        grouped(tree.parameters),
        config.family.name(),
        shape.join(" · ")
    )
}

/// The checkpoint's name of the weight that is chosen in the world, and its own.
fn pinned_names(view: &PlotView<'_>) -> Option<[String; 2]> {
    let (Some(Cell::Weight(cell)), Some(model)) = (view.pinned, view.model) else {
        return None;
    };
    let key = model.config.weight_slice(cell.weight).key;
    Some([key, cell.weight.to_string()])
}

/// The rows as they are shown.
struct Table<'a> {
    theme: Theme,
    rows: &'a [Row],
    is_pinned: &'a dyn Fn(&Row) -> bool,
    /// The row to be brought into view.
    scroll_to: Option<usize>,
}

/// What the columns are.
const TITLES: [&str; 5] = [
    "tensor",
    "shape",
    "parameters",
    "memory",
    "share of parameters",
];

impl Table<'_> {
    fn ui(&self, ui: &mut Ui, folded: &mut Option<String>, intents: &mut Vec<Intent>) {
        let weak = theme::weak_text(self.theme);
        let mut table = TableBuilder::new(ui)
            .striped(true)
            .auto_shrink([false, false])
            .cell_layout(egui::Layout::left_to_right(egui::Align::Center))
            .column(Column::remainder().at_least(140.0).clip(true))
            .column(Column::exact(92.0).clip(true))
            .column(Column::exact(84.0))
            .column(Column::exact(76.0))
            .column(Column::exact(116.0));
        if let Some(row) = self.scroll_to {
            table = table.scroll_to_row(row, Some(egui::Align::Center));
        }
        table
            .header(18.0, |mut header| {
                for (index, title) in TITLES.into_iter().enumerate() {
                    header.col(|ui| {
                        let title = RichText::new(title).size(11.5).color(weak);
                        aligned(ui, (1..4).contains(&index), title);
                    });
                }
            })
            .body(|body| {
                body.rows(ROW_HEIGHT, self.rows.len(), |mut table_row| {
                    let row = &self.rows[table_row.index()];
                    table_row.set_selected((self.is_pinned)(row));
                    table_row.col(|ui| name_cell(ui, row, folded, intents));
                    let [_, shape, parameters, memory, share] = &row.cells;
                    for text in [shape, parameters, memory] {
                        table_row.col(|ui| aligned(ui, true, RichText::new(text).size(12.0)));
                    }
                    table_row.col(|ui| share_cell(ui, self.theme, row.share, share));
                });
            });
    }
}

/// Numbers stand at the right of their column.
fn aligned(ui: &mut Ui, is_number: bool, text: RichText) {
    let layout = if is_number {
        egui::Layout::right_to_left(egui::Align::Center)
    } else {
        egui::Layout::left_to_right(egui::Align::Center)
    };
    ui.with_layout(layout, |ui| ui.add(egui::Label::new(text).truncate()));
}

fn name_cell(ui: &mut Ui, row: &Row, folded: &mut Option<String>, intents: &mut Vec<Intent>) {
    ui.spacing_mut().item_spacing.x = 2.0;
    ui.add_space(14.0 * row.depth as f32);
    match row.is_open {
        Some(is_open) => {
            let sign = if is_open { "⏷" } else { "⏵" };
            let fold = ui.add(Button::new(RichText::new(sign).size(11.0)).frame(false));
            let verb = if is_open { "Close" } else { "Open" };
            fold.widget_info(|| {
                WidgetInfo::labeled(WidgetType::Button, true, format!("{verb} {}", row.name))
            });
            if fold.clicked() {
                *folded = Some(row.name.clone());
            }
        }
        None => ui.add_space(13.0),
    }
    let name = RichText::new(&row.name).size(12.5);
    let name = ui
        .add(Button::new(name).frame(false).truncate())
        .on_hover_text("Fly there");
    if name.clicked()
        && let Some(cell) = row.place
    {
        intents.push(Intent::Visit(cell));
    }
}

fn share_cell(ui: &mut Ui, theme: Theme, share: f64, text: &str) {
    let (rect, _) = ui.allocate_exact_size(vec2(40.0, 8.0), Sense::hover());
    let painter = ui.painter();
    painter.rect_filled(rect, 2.0, theme::color(theme.neutrals().road));
    let mut filled = rect;
    filled.set_width(rect.width() * share as f32);
    painter.rect_filled(filled, 2.0, theme::accent(theme));
    ui.label(RichText::new(text).size(12.0));
}
