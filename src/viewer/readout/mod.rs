//! A cell in words and numbers: its name, its indices, its exact value, and how that was computed.

mod arithmetic;
mod formula;
mod numbers;
mod survey;

pub use arithmetic::digits;
pub use formula::{Formula, Part};
pub use numbers::Numbers;
pub use survey::{Subject, Survey};

use super::inference::ActiveTrace;
use super::playback::Playhead;
use crate::config::ModelConfig;
use crate::hook::{Axis, BlockSite, HookPoint};
use crate::layout::{Cell, CellId, WeightCell};
use crate::weight::{WeightPoint, WeightSite};

/// What is to be said about a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadOut {
    /// The cell.
    pub cell: Cell,
    /// The tensor's TransformerLens name and the indices there, such as
    /// `blocks.3.attn.hook_pattern[2, 4, 1]`.
    pub name: String,
    /// The indices by name, outermost first.
    pub indices: Vec<Index>,
    /// What is known of the number.
    pub reading: Reading,
    /// How it was computed, where that is known.
    pub formula: Option<Formula>,
    /// Where the checkpoint has it, such as `h.3.attn.c_attn.weight[12, 197]`; only of weights.
    pub stored_as: Option<String>,
}

/// One index of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// What it counts, as TransformerLens says: `pos`, `head_index`, `d_model`, ...
    pub axis: &'static str,
    /// The index.
    pub number: usize,
    /// The text of the token it stands for, if it stands for one.
    pub token: Option<String>,
}

/// What is known of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading {
    /// The number itself.
    Value(f32),
    /// The signal has not come here yet.
    NotReached,
    /// Nothing has been computed here.
    NotComputed,
    /// There are no weights: the shape alone is shown.
    NoWeights,
    /// A saved trace is shown that does not have it.
    NotSaved,
}

impl Index {
    fn plain(axis: Axis, number: usize) -> Self {
        Self::named(axis.name(), number)
    }

    fn named(axis: &'static str, number: usize) -> Self {
        Self {
            axis,
            number,
            token: None,
        }
    }
}

impl std::fmt::Display for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.axis, self.number)?;
        match &self.token {
            Some(token) => write!(f, " “{token}”"),
            None => Ok(()),
        }
    }
}

impl std::fmt::Display for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Value(value) => return f.write_str(&exact(*value)),
            Self::NotReached => "not reached yet",
            Self::NotComputed => "not computed",
            Self::NoWeights => "no value: the shape alone is shown",
            Self::NotSaved => "no value: the saved trace does not have it",
        })
    }
}

impl Reading {
    /// The number, if it is known.
    pub fn value(self) -> Option<f32> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }
}

impl ReadOut {
    /// What is to be said about `cell` with the signal where it is; none before a model is loaded.
    pub fn new(trace: &ActiveTrace, playhead: &Playhead, cell: Cell) -> Option<Self> {
        let numbers = Numbers::of(trace)?;
        let config = numbers.config();
        let indices = match cell {
            Cell::Value(cell) => value_indices(&numbers, cell),
            Cell::Weight(cell) => weight_indices(&numbers, cell),
        };
        let reading = match cell {
            _ if numbers.is_shape() => Reading::NoWeights,
            Cell::Value(cell) if !is_reached(config, playhead, cell) => Reading::NotReached,
            _ => match numbers.number(cell) {
                Some(number) => Reading::Value(number),
                None if numbers.has_weights() => Reading::NotComputed,
                None => Reading::NotSaved,
            },
        };
        let formula = match (cell, reading) {
            (Cell::Value(cell), Reading::Value(_)) => formula::formula(&numbers, cell),
            _ => None,
        };
        Some(Self {
            cell,
            name: spelled(config, cell),
            indices,
            reading,
            formula,
            stored_as: match cell {
                Cell::Value(_) => None,
                Cell::Weight(cell) => Some(stored_as(config, cell)),
            },
        })
    }

    /// All of it as lines of text, to be pasted elsewhere.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.name, self.index_line(), self.reading);
        if let Some(formula) = &self.formula {
            text += &format!("= {}\n", formula.rule);
            if let Some(numbers) = &formula.numbers {
                text += &format!("= {numbers}\n");
            }
        }
        if let Some(stored_as) = &self.stored_as {
            text += &format!("checkpoint: {stored_as}\n");
        }
        text
    }

    /// The indices in one line.
    pub fn index_line(&self) -> String {
        let words: Vec<String> = self.indices.iter().map(ToString::to_string).collect();
        words.join(", ")
    }
}

/// Whether the signal has come to a value.
pub fn is_reached(config: &ModelConfig, playhead: &Playhead, cell: CellId) -> bool {
    let order = config
        .hook_points()
        .partition_point(|hook| *hook < cell.hook);
    cell.pos < playhead.first_lane || (cell.pos <= playhead.lane && playhead.order > order as f32)
}

/// The shortest digits that read back as the same number.
pub fn exact(value: f32) -> String {
    format!("{value:?}")
}

/// A tensor's name with the indices of a cell, as TransformerLens orders them.
pub fn spelled(config: &ModelConfig, cell: Cell) -> String {
    let (name, indices) = match cell {
        Cell::Value(cell) => {
            let axes = value_axes(cell);
            let indices = axes.into_iter().map(|(_, index)| index).collect();
            (cell.hook.to_string(), indices)
        }
        Cell::Weight(cell) => (cell.weight.to_string(), lens_indices(config, cell)),
    };
    let indices: Vec<String> = indices.iter().map(usize::to_string).collect();
    format!("{name}[{}]", indices.join(", "))
}

/// The axes of a value's tensor and its index along each.
fn value_axes(cell: CellId) -> Vec<(Axis, usize)> {
    cell.hook
        .axes()
        .iter()
        .map(|axis| {
            let index = match axis {
                Axis::Pos | Axis::QueryPos => cell.pos,
                Axis::Head => cell.head,
                Axis::KeyPos | Axis::DHead | Axis::DModel | Axis::DMlp | Axis::DVocab => cell.index,
            };
            (*axis, index)
        })
        .collect()
}

/// What counts the heads of keys and values where several heads of queries share one.
const KV_HEAD: &str = "kv_head_index";

fn is_of_keys(site: WeightSite) -> bool {
    use WeightSite::{Key, KeyBias, Value, ValueBias};
    matches!(site, Key | KeyBias | Value | ValueBias)
}

fn value_indices(numbers: &Numbers<'_>, cell: CellId) -> Vec<Index> {
    let config = numbers.config();
    let is_shared = config.n_heads_at(cell.hook) < config.n_heads;
    value_axes(cell)
        .into_iter()
        .map(|(axis, number)| Index {
            axis: match axis {
                Axis::Head if is_shared => KV_HEAD,
                axis => axis.name(),
            },
            token: match axis {
                Axis::Pos | Axis::QueryPos | Axis::KeyPos => numbers.token_text(number),
                Axis::DVocab => numbers.vocab_text(number),
                _ => None,
            },
            ..Index::plain(axis, number)
        })
        .collect()
}

/// What the rows and the columns of a weight count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// A vector has one row, which counts nothing.
    None,
    /// Tokens of the vocabulary.
    Vocab,
    /// Positions.
    Pos,
    /// Dimensions of the stream.
    Model,
    /// Heads, and dimensions within each.
    Heads,
    /// Dimensions of every head.
    Width,
    /// Neurons.
    Mlp,
}

fn sides(weight: WeightPoint) -> [Side; 2] {
    use WeightSite as S;
    match weight {
        WeightPoint::Embed => [Side::Vocab, Side::Model],
        WeightPoint::PosEmbed => [Side::Pos, Side::Model],
        WeightPoint::Unembed => [Side::Model, Side::Vocab],
        WeightPoint::FinalNormScale | WeightPoint::FinalNormShift => [Side::None, Side::Model],
        WeightPoint::Block { site, .. } => match site {
            S::Query | S::Key | S::Value => [Side::Model, Side::Heads],
            S::QueryBias | S::KeyBias | S::ValueBias => [Side::None, Side::Heads],
            S::Output => [Side::Heads, Side::Model],
            S::MlpGate | S::MlpIn => [Side::Model, Side::Mlp],
            S::MlpGateBias | S::MlpInBias => [Side::None, Side::Mlp],
            S::MlpOut => [Side::Mlp, Side::Model],
            S::QueryNorm | S::KeyNorm => [Side::None, Side::Width],
            S::Ln1Scale
            | S::Ln1Shift
            | S::Ln2Scale
            | S::Ln2Shift
            | S::OutputBias
            | S::MlpOutBias => [Side::None, Side::Model],
        },
    }
}

fn weight_indices(numbers: &Numbers<'_>, cell: WeightCell) -> Vec<Index> {
    let config = numbers.config();
    let d_head = config.d_head;
    let head_axis = match cell.weight {
        WeightPoint::Block { site, .. } if config.has_shared_keys() && is_of_keys(site) => KV_HEAD,
        _ => Axis::Head.name(),
    };
    let mut indices = Vec::new();
    for (side, number) in sides(cell.weight).into_iter().zip([cell.row, cell.column]) {
        match side {
            Side::None => {}
            Side::Vocab => indices.push(Index {
                token: numbers.vocab_text(number),
                ..Index::plain(Axis::DVocab, number)
            }),
            Side::Pos => indices.push(Index::plain(Axis::Pos, number)),
            Side::Model => indices.push(Index::plain(Axis::DModel, number)),
            Side::Mlp => indices.push(Index::plain(Axis::DMlp, number)),
            Side::Width => indices.push(Index::plain(Axis::DHead, number)),
            Side::Heads => indices.extend([
                Index::named(head_axis, number / d_head),
                Index::plain(Axis::DHead, number % d_head),
            ]),
        }
    }
    indices
}

/// A weight's indices as TransformerLens has them: heads first.
fn lens_indices(config: &ModelConfig, cell: WeightCell) -> Vec<usize> {
    let head = |number: usize| [number / config.d_head, number % config.d_head];
    match sides(cell.weight) {
        [Side::None, Side::Heads] => head(cell.column).to_vec(),
        [Side::None, _] => vec![cell.column],
        [_, Side::Heads] => {
            let [head, within] = head(cell.column);
            vec![head, cell.row, within]
        }
        [Side::Heads, _] => {
            let [head, within] = head(cell.row);
            vec![head, within, cell.column]
        }
        _ => vec![cell.row, cell.column],
    }
}

/// The checkpoint's key and the indices within its tensor.
fn stored_as(config: &ModelConfig, cell: WeightCell) -> String {
    let slice = config.weight_slice(cell.weight);
    let (row, column) = slice.stored_at(cell.row, cell.column);
    match sides(cell.weight) {
        [Side::None, _] => format!("{}[{column}]", slice.key),
        _ => format!("{}[{row}, {column}]", slice.key),
    }
}

/// Whether the tensor at `hook` has a number for each query and key.
pub fn is_attention(hook: HookPoint) -> bool {
    matches!(
        hook.site(),
        Some(BlockSite::AttnScores | BlockSite::Pattern)
    )
}
