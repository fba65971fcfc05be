//! `summary`: the model's layers, shapes, parameters and memory.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use clap::Args;
use serde::Serialize;

use super::error::CliError;
use super::options::ModelArgs;
use crate::analysis::{SummaryNode, grouped, human_bytes, shape_facts};
use crate::config::ModelConfig;
use crate::model::TensorBytes;

/// Options of `summary`.
#[derive(Clone, Debug, Args)]
pub struct SummaryArgs {
    /// Which model.
    #[command(flatten)]
    pub model: ModelArgs,
    /// Print JSON in place of a table
    #[arg(long)]
    pub json: bool,
}

/// A model in numbers; `--json` prints it as it is.
#[derive(Serialize)]
struct Summary {
    model: String,
    family: &'static str,
    n_layers: usize,
    d_model: usize,
    n_heads: usize,
    n_kv_heads: usize,
    d_head: usize,
    d_mlp: usize,
    n_ctx: usize,
    d_vocab: usize,
    /// Attention heads of all layers.
    total_heads: usize,
    /// MLP neurons of all layers.
    total_neurons: usize,
    tie_word_embeddings: bool,
    /// Whether an MLP's neuron is a gate times a projection.
    is_gated: bool,
    /// Whether attention and MLP both read the stream as it enters the block.
    is_parallel: bool,
    /// How queries and keys are rotated, where positions are not learned.
    rotary: Option<RotaryFacts>,
    /// How many positions attention reaches back at most, its own included.
    sliding_window: Option<usize>,
    /// The shape in words.
    #[serde(skip)]
    facts: Vec<(&'static str, String)>,
    dtype: &'static str,
    total: Amount,
    parts: Vec<Part>,
    #[serde(skip)]
    tree: SummaryNode,
    /// Bytes of everything captured of the first token and of the last.
    step_bytes: (u64, u64),
}

#[derive(Serialize)]
struct RotaryFacts {
    /// Values of each head that are rotated.
    dim: usize,
    /// The base of the wave lengths.
    theta: f64,
}

/// The embedding, a layer, or what follows the layers.
#[derive(Serialize)]
struct Part {
    name: String,
    #[serde(flatten)]
    amount: Amount,
    tensors: Vec<TensorRow>,
}

#[derive(Serialize)]
struct TensorRow {
    name: String,
    shape: Vec<usize>,
    #[serde(flatten)]
    amount: Amount,
}

#[derive(Clone, Copy, Serialize)]
struct Amount {
    parameters: u64,
    bytes: u64,
    /// Of the whole model, from 0 to 1.
    share: f64,
}

pub(super) fn run(args: &SummaryArgs) -> Result<(), CliError> {
    let (config, sizes) = args.model.sizes()?;
    let summary = Summary::new(&args.model, &config, &sizes);
    if args.json {
        return super::print_json(&summary);
    }
    Ok(io::stdout().write_all(summary.table().as_bytes())?)
}

impl Amount {
    fn of(node: &SummaryNode) -> Self {
        Self {
            parameters: node.parameters,
            bytes: node.bytes,
            share: node.share,
        }
    }
}

impl Part {
    fn of(part: &SummaryNode) -> Self {
        let tensors = part.children.iter().map(|tensor| TensorRow {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            amount: Amount::of(tensor),
        });
        Self {
            name: part.name.clone(),
            amount: Amount::of(part),
            tensors: tensors.collect(),
        }
    }
}

impl Summary {
    fn new(args: &ModelArgs, config: &ModelConfig, sizes: &TensorBytes) -> Self {
        let tree = SummaryNode::of_model(config, &|spec| sizes.of(spec, config));
        Self {
            model: args.name(),
            family: config.family.name(),
            n_layers: config.n_layers,
            d_model: config.d_model,
            n_heads: config.n_heads,
            n_kv_heads: config.n_kv_heads,
            d_head: config.d_head,
            d_mlp: config.d_mlp,
            n_ctx: config.n_ctx,
            d_vocab: config.d_vocab,
            total_heads: config.n_layers * config.n_heads,
            total_neurons: config.n_layers * config.d_mlp,
            tie_word_embeddings: config.tie_word_embeddings,
            is_gated: config.is_gated(),
            is_parallel: config.is_parallel,
            rotary: config.rotary.map(|rotary| RotaryFacts {
                dim: rotary.dim,
                theta: rotary.theta,
            }),
            sliding_window: config.sliding_window.map(|window| window.n_pos),
            facts: shape_facts(config),
            dtype: args.dtype_name(sizes),
            total: Amount::of(&tree),
            parts: tree.children.iter().map(Part::of).collect(),
            tree,
            step_bytes: (config.step_bytes(0), config.step_bytes(config.n_ctx - 1)),
        }
    }

    fn table(&self) -> String {
        let mut rows = Vec::new();
        for part in &self.tree.children {
            rows.push(part.cells());
            rows.extend(part.children.iter().map(|tensor| {
                let mut cells = tensor.cells();
                cells[0].insert_str(0, "  ");
                cells
            }));
        }
        rows.push(self.tree.cells());
        let header = ["tensor", "shape", "parameters", self.dtype, "share"].map(str::to_owned);
        self.facts() + "\n" + &aligned(header, &rows)
    }

    fn facts(&self) -> String {
        let model = ("model", format!("{} ({})", self.model, self.family));
        let memory = format!("{} as {}", human_bytes(self.total.bytes), self.dtype);
        let size = [
            ("parameters", grouped(self.total.parameters)),
            ("memory", memory),
            (
                "captured values",
                format!(
                    "{} for the first token, {} for the last of a full context",
                    human_bytes(self.step_bytes.0),
                    human_bytes(self.step_bytes.1)
                ),
            ),
        ];
        let facts = [model].into_iter().chain(self.facts.clone()).chain(size);
        facts.fold(String::new(), |mut text, (name, value)| {
            writeln!(text, "{name:<16}{value}").expect("a string takes all text");
            text
        })
    }
}

/// Columns under their headers: the name to the left, all else to the right.
fn aligned(header: [String; 5], rows: &[[String; 5]]) -> String {
    let mut widths = header.each_ref().map(|cell| cell.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for [name, rest @ ..] in std::iter::once(&header).chain(rows) {
        let [name_width, rest_widths @ ..] = widths;
        write!(text, "{name:<name_width$}").expect("a string takes all text");
        for (cell, width) in rest.iter().zip(rest_widths) {
            write!(text, "  {cell:>width$}").expect("a string takes all text");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let cells = |cells: [&str; 5]| cells.map(str::to_owned);

        let text = aligned(
            cells(["a", "b", "c", "d", "e"]),
            &[cells(["long", "1", "22", "3", "4"])],
        );

        assert_eq!(text, "a     b   c  d  e\nlong  1  22  3  4\n");
    }
}
