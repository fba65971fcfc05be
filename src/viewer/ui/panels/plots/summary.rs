//! Layers, shapes, parameters and memory: a tree of the model's tensors, each a way to its place.

use std::collections::BTreeSet;

use egui::{Button, RichText, Sense, TextEdit, Ui, WidgetInfo, WidgetType, vec2};
use egui_extras::{Column, TableBuilder};

use super::parts::{Cached, note};
use super::{PlotView, nothing_yet};
use crate::analysis::{SummaryNode, grouped, human_bytes};
use crate::color::Theme;
use crate::config::ModelConfig;
use crate::hook::{BlockSite, HookPoint};
use crate::layout::{Cell, CellId, WeightCell};
use crate::viewer::ui::panels::Intent;
use crate::viewer::ui::theme;

/// Layers, shapes, parameters and memory.
#[derive(Default)]
pub struct SummaryPlot {
    tree: Cached<(ModelConfig, u64), SummaryNode>,
    rows: Cached<(u64, String, BTreeSet<String>), Vec<Row>>,
    /// What is looked for among the names.
    search: String,
    /// The parts whose tensors are listed.
    open: BTreeSet<String>,
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    name: String,
    shape: String,
    parameters: u64,
    bytes: u64,
    share: f64,
    depth: usize,
    /// Whether it lists what it consists of; none where it consists of nothing else.
    is_open: Option<bool>,
    place: Option<Cell>,
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
        // A shape alone has no numbers to count the bytes of: those of f32 then.
        let weights = model.weights.as_ref();
        let bytes_per_number = weights.map_or(4, |weights| weights.bytes_per_number());
        let key = (config.clone(), bytes_per_number);
        let tree = self
            .tree
            .get(key, |(config, bytes)| SummaryNode::of_model(config, *bytes));
        ui.label(RichText::new(&model.name).strong());
        note(ui, view.theme, facts(config, tree, bytes_per_number));
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
        let pinned = pinned_name(view);
        let mut folded = None;
        let pinned = pinned.as_ref().map(<[String; 2]>::as_slice);
        table(ui, view.theme, rows, pinned, &mut folded, intents);
        if let Some(name) = folded
            && !self.open.remove(&name)
        {
            self.open.insert(name);
        }
    }
}

fn facts(config: &ModelConfig, tree: &SummaryNode, bytes_per_number: u64) -> String {
    let n = |n: usize| grouped(n as u64);
    let unembedding = if config.tie_word_embeddings {
        "unembedding: the token embedding, transposed"
    } else {
        "unembedding of its own"
    };
    format!(
        "{} parameters, {} at {bytes_per_number} bytes each · {} layers · {} heads ({} a layer, {} wide) · \
         {} MLP neurons ({} a layer) · residual width {} · context {} tokens · vocabulary {} tokens · \
         {unembedding}",
        grouped(tree.parameters),
        human_bytes(tree.bytes),
        n(config.n_layers),
        n(config.n_layers * config.n_heads),
        n(config.n_heads),
        n(config.d_head),
        n(config.n_layers * config.d_mlp),
        n(config.d_mlp),
        n(config.d_model),
        n(config.n_ctx),
        n(config.d_vocab),
    )
}

fn open_all(node: &SummaryNode, open: &mut BTreeSet<String>) {
    for child in &node.children {
        if !child.children.is_empty() {
            open.insert(child.name.clone());
            open_all(child, open);
        }
    }
}

/// The rows on show: the whole model, its parts and what of them is open; with something to look
/// for, all that has it in its name or in the name of what it is part of.
fn listed(tree: &SummaryNode, search: &str, open: &BTreeSet<String>) -> Vec<Row> {
    let mut rows = Vec::new();
    if search.is_empty() {
        rows.push(row(tree, 0, None));
        push_open(&tree.children, 0, open, &mut rows);
    } else {
        push_found(&tree.children, 0, search, false, &mut rows);
    }
    rows
}

fn push_open(nodes: &[SummaryNode], depth: usize, open: &BTreeSet<String>, rows: &mut Vec<Row>) {
    for node in nodes {
        let is_open = open.contains(&node.name);
        let has_more = !node.children.is_empty();
        rows.push(row(node, depth, has_more.then_some(is_open)));
        if is_open {
            push_open(&node.children, depth + 1, open, rows);
        }
    }
}

/// Whether anything was found.
fn push_found(
    nodes: &[SummaryNode],
    depth: usize,
    search: &str,
    is_in_found: bool,
    rows: &mut Vec<Row>,
) -> bool {
    let mut has_any = false;
    for node in nodes {
        let is_found = node.name.to_lowercase().contains(search) || is_in_found;
        let at = rows.len();
        let is_below = push_found(&node.children, depth + 1, search, is_found, rows);
        if is_found || is_below {
            rows.insert(at, row(node, depth, None));
            has_any = true;
        }
    }
    has_any
}

fn row(node: &SummaryNode, depth: usize, is_open: Option<bool>) -> Row {
    let sides: Vec<String> = node
        .shape
        .iter()
        .map(|side| grouped(*side as u64))
        .collect();
    Row {
        name: node.name.clone(),
        shape: sides.join(" × "),
        parameters: node.parameters,
        bytes: node.bytes,
        share: node.share,
        depth,
        is_open,
        place: place(node),
    }
}

/// Where it stands in the world: a tensor's first number, a part's first place of the stream.
fn place(node: &SummaryNode) -> Option<Cell> {
    if let Some(weight) = node.weight {
        return Some(Cell::Weight(WeightCell {
            weight,
            row: 0,
            column: 0,
        }));
    }
    let hook = match node.name.strip_prefix("layer ") {
        Some(layer) => HookPoint::block(layer.parse().ok()?, BlockSite::ResidPre),
        None if node.name == "output" => HookPoint::FinalNormalized,
        None => HookPoint::Embed,
    };
    Some(Cell::Value(CellId {
        hook,
        pos: 0,
        head: 0,
        index: 0,
    }))
}

/// The checkpoint's name of the weight that is chosen in the world, and its own.
fn pinned_name(view: &PlotView<'_>) -> Option<[String; 2]> {
    let (Some(Cell::Weight(cell)), Some(model)) = (view.pinned, view.model) else {
        return None;
    };
    let key = model.config.weight_slice(cell.weight).key;
    Some([key, cell.weight.to_string()])
}

fn table(
    ui: &mut Ui,
    theme: Theme,
    rows: &[Row],
    pinned: Option<&[String]>,
    folded: &mut Option<String>,
    intents: &mut Vec<Intent>,
) {
    let weak = theme::weak_text(theme);
    TableBuilder::new(ui)
        .striped(true)
        .auto_shrink([false, false])
        .column(Column::remainder().at_least(150.0).clip(true))
        .column(Column::auto().at_least(76.0).clip(true))
        .column(Column::auto().at_least(82.0))
        .column(Column::auto().at_least(70.0))
        .column(Column::exact(96.0))
        .header(18.0, |mut header| {
            for title in ["tensor", "shape", "parameters", "memory", "share"] {
                header.col(|ui| {
                    ui.label(RichText::new(title).size(11.5).color(weak));
                });
            }
        })
        .body(|body| {
            body.rows(ROW_HEIGHT, rows.len(), |mut table_row| {
                let row = &rows[table_row.index()];
                table_row.set_selected(pinned.is_some_and(|names| names.contains(&row.name)));
                table_row.col(|ui| name_cell(ui, row, folded, intents));
                for text in [
                    row.shape.clone(),
                    grouped(row.parameters),
                    human_bytes(row.bytes),
                ] {
                    table_row.col(|ui| {
                        ui.label(RichText::new(text).size(12.0));
                    });
                }
                table_row.col(|ui| share_cell(ui, theme, row.share));
            });
        });
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

fn share_cell(ui: &mut Ui, theme: Theme, share: f64) {
    let (rect, _) = ui.allocate_exact_size(vec2(40.0, 8.0), Sense::hover());
    let painter = ui.painter();
    painter.rect_filled(rect, 2.0, theme::color(theme.neutrals().road));
    let mut filled = rect;
    filled.set_width(rect.width() * share as f32);
    painter.rect_filled(filled, 2.0, theme::accent(theme));
    ui.label(RichText::new(format!("{:.1} %", 100.0 * share)).size(12.0));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> SummaryNode {
        SummaryNode::of_model(&ModelConfig::preset("gpt2").unwrap(), 4)
    }

    fn names(rows: &[Row]) -> Vec<&str> {
        rows.iter().map(|row| row.name.as_str()).collect()
    }

    #[test]
    fn closed_parts_are_a_line_each_and_open_ones_list_their_tensors() {
        let closed = listed(&tree(), "", &BTreeSet::new());
        let open = BTreeSet::from(["layer 1".to_owned(), "h.1.attn.c_attn.weight".to_owned()]);

        let opened = listed(&tree(), "", &open);

        assert_eq!(closed.len(), 1 + 12 + 2);
        assert_eq!(opened.len(), closed.len() + 12 + 3);
        assert_eq!(opened[4].name, "h.1.ln_1.weight");
        assert_eq!((opened[4].depth, opened[4].is_open), (1, None));
        assert_eq!(opened[3].is_open, Some(true));
    }

    #[test]
    fn a_search_finds_tensors_within_closed_parts_and_all_of_a_part_that_is_named() {
        let found = listed(&tree(), "11.mlp.c_fc.w", &BTreeSet::new());
        assert_eq!(names(&found), ["layer 11", "h.11.mlp.c_fc.weight"]);

        let part = listed(&tree(), "layer 3", &BTreeSet::new());
        assert_eq!(part.len(), 1 + 12 + 6);

        assert!(listed(&tree(), "no such", &BTreeSet::new()).is_empty());
    }

    #[test]
    fn every_row_has_a_place_in_the_world() {
        let tree = tree();
        let mut open = BTreeSet::new();
        open_all(&tree, &mut open);

        let rows = listed(&tree, "", &open);

        assert!(rows.len() > 12 * 18);
        assert!(rows.iter().all(|row| row.place.is_some()));
        let layer = HookPoint::block(2, BlockSite::ResidPre);
        let row = rows.iter().find(|row| row.name == "layer 2").unwrap();
        assert!(matches!(row.place, Some(Cell::Value(cell)) if cell.hook == layer));
    }
}
