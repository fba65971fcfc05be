//! How a value was computed, with the numbers that went into it.

mod attention;
mod rotation;

use super::arithmetic::{deviation, dot, gelu, gelu_new, greatest, in_sum, mean};
use super::{Numbers, digits, exact, spelled};
use crate::config::ActFn;
use crate::hook::{BlockSite, HookPoint};
use crate::layout::{Cell, CellId, WeightCell};
use crate::provenance::{Source, inputs};
use crate::weight::WeightPoint;

/// How a value was computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Formula {
    /// In names.
    pub rule: String,
    /// In numbers, where they are known.
    pub numbers: Option<String>,
    /// What they come to, computed anew from what was recorded.
    pub result: Option<f32>,
    /// The cells it is computed from; of a sum of many products those with the greatest.
    pub parts: Vec<Part>,
}

/// A cell that a value is computed from.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The cell.
    pub cell: Cell,
    /// Its tensor's name and its indices there.
    pub name: String,
    /// Its number.
    pub value: Option<f32>,
    /// What it adds to the sum, where the value is a sum of products.
    pub share: Option<f32>,
}

/// How the value at `cell` was computed; none where what it needs was not recorded.
pub(super) fn formula(numbers: &Numbers<'_>, cell: CellId) -> Option<Formula> {
    let place = Place { numbers, cell };
    match cell.hook {
        HookPoint::Embed => {
            let token = numbers.token(cell.pos)? as usize;
            Some(place.looked_up("W_E[token]", WeightPoint::Embed, token))
        }
        HookPoint::PosEmbed => Some(place.looked_up("W_pos[pos]", WeightPoint::PosEmbed, cell.pos)),
        HookPoint::FinalNormalized => place.norm(),
        HookPoint::Logits => place.product("ln_final"),
        HookPoint::Block { layer, site } => match site {
            BlockSite::ResidPre if layer > 0 => {
                place.sum(Some(format!("resid_post of layer {}", layer - 1)))
            }
            BlockSite::ResidPre | BlockSite::ResidMid | BlockSite::ResidPost => place.sum(None),
            BlockSite::Ln1Normalized | BlockSite::Ln2Normalized => place.norm(),
            BlockSite::Q | BlockSite::K | BlockSite::V => place.product("ln1"),
            BlockSite::RotQ => place.rotated("q"),
            BlockSite::RotK => place.rotated("k"),
            BlockSite::AttnScores => place.score(layer),
            BlockSite::Pattern => place.softmax(),
            BlockSite::Z => place.mixture(),
            BlockSite::AttnOut => place.product("z"),
            BlockSite::MlpPre | BlockSite::MlpPreLinear => place.product("ln2"),
            BlockSite::MlpPost => place.activation(),
            BlockSite::MlpOut => place.product("post"),
        },
    }
}

/// A cell, and where to look numbers up.
struct Place<'a> {
    numbers: &'a Numbers<'a>,
    cell: CellId,
}

impl Place<'_> {
    fn sources(&self) -> Vec<Source> {
        inputs(self.numbers.config(), self.cell.hook)
    }

    /// The tensors of this token that it is computed from.
    fn hooks(&self) -> impl Iterator<Item = HookPoint> {
        self.sources()
            .into_iter()
            .filter_map(|source| match source {
                Source::Here(hook) | Source::Before(hook) => Some(hook),
                Source::Weight(_) => None,
            })
    }

    fn weights(&self) -> impl Iterator<Item = WeightPoint> {
        self.sources()
            .into_iter()
            .filter_map(|source| match source {
                Source::Weight(weight) => Some(weight),
                Source::Here(_) | Source::Before(_) => None,
            })
    }

    /// The cell's index among all numbers of its tile.
    fn flat_index(&self) -> usize {
        self.cell.head * self.numbers.config().d_head + self.cell.index
    }

    fn part(&self, cell: Cell) -> Part {
        Part {
            cell,
            name: spelled(self.numbers.config(), cell),
            value: self.numbers.number(cell),
            share: None,
        }
    }

    fn looked_up(&self, rule: &str, weight: WeightPoint, row: usize) -> Formula {
        let part = self.part(Cell::Weight(WeightCell {
            weight,
            row,
            column: self.cell.index,
        }));
        Formula {
            rule: rule.to_owned(),
            numbers: Some(format!("{}[{row}, {}]", weight.title(), self.cell.index)),
            result: part.value,
            parts: vec![part],
        }
    }

    /// A sum of the same cells of other tensors, by their names or as `rule` says.
    fn sum(&self, rule: Option<String>) -> Option<Formula> {
        let names = self.hooks().map(short_name).collect::<Vec<_>>();
        let parts: Vec<Part> = self
            .hooks()
            .map(|hook| self.part(Cell::Value(CellId { hook, ..self.cell })))
            .collect();
        let values: Vec<f32> = parts.iter().map(|part| part.value).collect::<Option<_>>()?;
        Some(Formula {
            rule: rule.unwrap_or_else(|| names.join(" + ")),
            numbers: Some(
                values
                    .iter()
                    .copied()
                    .map(exact)
                    .collect::<Vec<_>>()
                    .join(" + "),
            ),
            result: Some(values.iter().sum()),
            parts,
        })
    }

    /// A norm with its scale, and of a layer norm its shift.
    fn norm(&self) -> Option<Formula> {
        let config = self.numbers.config();
        let hook = self.hooks().next()?;
        let stream = self.numbers.row(hook, self.cell.pos)?;
        let from = self.part(Cell::Value(CellId { hook, ..self.cell }));
        let mean = (!config.is_rms_norm()).then(|| mean(stream));
        let normed = Normed {
            x: from.value?,
            mean,
            size: deviation(stream, mean.unwrap_or(0.0), config.layer_norm_eps),
        };
        let mut parts = vec![from];
        parts.extend(self.weights().map(|weight| {
            self.part(Cell::Weight(WeightCell {
                weight,
                row: 0,
                column: self.cell.index,
            }))
        }));
        let learned: Option<Vec<f32>> = parts[1..].iter().map(|part| part.value).collect();
        let computed = learned.as_deref().and_then(|learned| match learned {
            [w, b] => Some(normed.computed(*w, Some(*b))),
            [w] => Some(normed.computed(*w, None)),
            _ => None,
        });
        let (numbers, result) = computed.unzip();
        Some(Formula {
            rule: match mean {
                None => "x / rms × w",
                Some(_) => "(x − mean) / sd × w + b",
            }
            .to_owned(),
            numbers,
            result,
            parts,
        })
    }

    /// A token's row times a column of a matrix, plus a bias where there is one.
    fn product(&self, row_name: &str) -> Option<Formula> {
        let hook = self.hooks().next()?;
        let row = self.numbers.row(hook, self.cell.pos)?;
        let mut weights = self.weights();
        let (matrix, bias) = (weights.next()?, weights.next());
        let column_index = self.flat_index();
        let bias_name = bias.map_or_else(String::new, |bias| format!(" + {}", bias.title()));
        let rule = format!("{row_name} · {}{bias_name}", matrix.title());
        let bias = bias.map(|weight| {
            self.part(Cell::Weight(WeightCell {
                weight,
                row: 0,
                column: column_index,
            }))
        });
        let d_head = self.numbers.config().d_head;
        let has_heads = hook.site() == Some(BlockSite::Z);
        let input = |index: usize| CellId {
            hook,
            pos: self.cell.pos,
            head: if has_heads { index / d_head } else { 0 },
            index: if has_heads { index % d_head } else { index },
        };
        let Some(column) = self.numbers.weight_column(matrix, column_index) else {
            return Some(Formula {
                rule,
                numbers: None,
                result: None,
                parts: Vec::new(),
            });
        };
        let dot = dot(row, &column);
        let mut parts: Vec<Part> = greatest(row, &column)
            .into_iter()
            .map(|index| Part {
                share: Some(row[index] * column[index]),
                ..self.part(Cell::Value(input(index)))
            })
            .collect();
        // The weight that the greatest product is made with.
        if let Some(index) = greatest(row, &column).first() {
            parts.push(self.part(Cell::Weight(WeightCell {
                weight: matrix,
                row: *index,
                column: column_index,
            })));
        }
        let added = bias.as_ref().and_then(|bias| bias.value);
        parts.extend(bias);
        Some(Formula {
            rule,
            numbers: Some(match added {
                Some(bias) => format!("{} + {}", digits(dot as f32), in_sum(bias)),
                None => format!("a sum of {} products", row.len()),
            }),
            result: Some((dot + f64::from(added.unwrap_or(0.0))) as f32),
            parts,
        })
    }

    /// A neuron's activation function; of a gated MLP that of the gate, times the up projection.
    fn activation(&self) -> Option<Formula> {
        let parts: Vec<Part> = self
            .hooks()
            .map(|hook| self.part(Cell::Value(CellId { hook, ..self.cell })))
            .collect();
        let x = parts.first()?.value?;
        let (name, y) = match self.numbers.config().act_fn {
            ActFn::GeluNew => ("gelu_new", gelu_new(f64::from(x))),
            ActFn::Gelu => ("gelu", gelu(f64::from(x))),
            ActFn::Silu => ("silu", f64::from(x) / (1.0 + f64::from(-x).exp())),
        };
        let (rule, numbers, result) = match parts.get(1) {
            None => (format!("{name}(pre)"), format!("{name}({})", exact(x)), y),
            Some(up) => {
                let up = up.value?;
                let numbers = format!("{name}({}) × {}", digits(x), in_sum(up));
                (format!("{name}(gate) × up"), numbers, y * f64::from(up))
            }
        };
        Some(Formula {
            rule,
            numbers: Some(numbers),
            result: Some(result as f32),
            parts,
        })
    }
}

/// A number of a norm's input, and what the norm makes of it.
struct Normed {
    x: f32,
    /// What is taken off; none by an RMS norm.
    mean: Option<f64>,
    /// What it is divided by.
    size: f64,
}

impl Normed {
    /// In numbers, and what they come to.
    fn computed(&self, w: f32, b: Option<f32>) -> (String, f32) {
        let x = digits(self.x);
        let x = match self.mean {
            Some(mean) => format!("({x} − {})", in_sum(mean as f32)),
            None => x,
        };
        let shift = b.map_or_else(String::new, |b| format!(" + {}", in_sum(b)));
        let text = format!("{x} / {} × {}{shift}", digits(self.size as f32), in_sum(w));
        let normalized = (f64::from(self.x) - self.mean.unwrap_or(0.0)) / self.size;
        let result = normalized * f64::from(w) + f64::from(b.unwrap_or(0.0));
        (text, result as f32)
    }
}

/// The last part of a place's name, such as `attn_out`.
fn short_name(hook: HookPoint) -> String {
    let name = hook.to_string();
    let last = name.rsplit('.').next().unwrap_or(&name);
    last.strip_prefix("hook_").unwrap_or(last).to_owned()
}
