//! The lines of the summary's table: which parts are open, and what was found.

use std::collections::BTreeSet;

use crate::analysis::SummaryNode;
use crate::hook::{BlockSite, HookPoint};
use crate::layout::{Cell, CellId, WeightCell};

/// One line of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What it is called.
    pub name: String,
    /// What the table says of it.
    pub cells: [String; 5],
    /// Of the whole model's parameters, 0 to 1.
    pub share: f64,
    /// How deep it stands in the tree.
    pub depth: usize,
    /// Whether it lists what it consists of; none where it consists of nothing else.
    pub is_open: Option<bool>,
    /// Where it stands in the world.
    pub place: Option<Cell>,
}

/// Opens all that lists something.
pub fn open_all(node: &SummaryNode, open: &mut BTreeSet<String>) {
    for child in &node.children {
        if !child.children.is_empty() {
            open.insert(child.name.clone());
            open_all(child, open);
        }
    }
}

/// The rows on show: the whole model, its parts and what of them is open; with something to look
/// for, all that has it in its name or in the name of what it is part of.
pub fn listed(tree: &SummaryNode, search: &str, open: &BTreeSet<String>) -> Vec<Row> {
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
    Row {
        name: node.name.clone(),
        cells: node.cells(),
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

/// Opens all that has one of these names in it.
pub fn open_to(node: &SummaryNode, names: &[String], open: &mut BTreeSet<String>) -> bool {
    let mut is_within = false;
    for child in &node.children {
        if open_to(child, names, open) {
            open.insert(child.name.clone());
            is_within = true;
        }
        is_within |= names.contains(&child.name);
    }
    is_within
}
