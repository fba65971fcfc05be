//! `plot attribution`: what each part of the model adds to a prediction by itself.

use clap::{Args, ValueEnum};

use super::output::{OutputArgs, Plot};
use super::table::{Cell, Table};
use super::target::{TargetArgs, note_target, target_words};
use super::text::{Reading, TextArgs};
use crate::analysis::{Matrix, MatrixRange, grouped};
use crate::attribution::DirectAttribution;
use crate::cli::error::CliError;
use crate::figure::{Axis, Bar, Bars, Chart, ColorScale, Figure, Heatmap, short};
use crate::hook::{BlockSite, HookPoint};

/// Options of `plot attribution`.
#[derive(Clone, Debug, Args)]
pub struct AttributionArgs {
    /// The model and its text.
    #[command(flatten)]
    pub text: TextArgs,
    /// What is explained.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Which parts
    #[arg(long, value_name = "PART", default_value = "layer")]
    pub by: Part,
    /// How many neurons
    #[arg(long, value_name = "N", default_value_t = 24)]
    pub top: usize,
    /// Where it goes.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Parts that add to a prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Embeddings, each layer's attention and MLP, and the bias
    Layer,
    /// Attention heads
    Head,
    /// MLPs, neurons and bias apart
    Mlp,
    /// MLP neurons
    Neuron,
}

/// One part and what it adds.
struct Share {
    part: String,
    layer: Option<usize>,
    index: Option<usize>,
    value: f32,
}

impl AttributionArgs {
    pub(super) fn plot(&self) -> Result<Plot, CliError> {
        self.text.config("attribution")?;
        let reading = self.text.read(&is_needed)?;
        let wish = self.target.wish(&reading)?;
        let pos = wish
            .position(reading.tokens.len())
            .map_err(|error| CliError::Usage(error.to_string()))?;
        let token = reading
            .trace
            .token(pos)
            .ok_or_else(|| CliError::Failed(format!("position {pos} was not recorded")))?;
        let direct = reading.model.direct_attribution(&token, wish)?;
        let columns = [
            ("part", ""),
            ("layer", ""),
            ("index", ""),
            ("adds", "logit"),
        ];
        let mut table = reading.table("attribution", &columns);
        note_target(&mut table, &reading, direct.target, direct.value);
        table
            .facts
            .insert("sum of all parts [logit]", Cell::Number(direct.sum()));
        let shares = self.shares(&direct);
        for share in &shares {
            table.rows.push(vec![
                Cell::text(&share.part),
                share.layer.map_or(Cell::Nothing, Cell::count),
                share.index.map_or(Cell::Nothing, Cell::count),
                Cell::Number(share.value),
            ]);
        }
        table.title = self.title().to_owned();
        let chart = self.chart(shares, &direct);
        let figure = self.figure(&reading, &table, &direct, chart);
        Ok(Plot { table, figure })
    }

    fn title(&self) -> &'static str {
        match self.by {
            Part::Layer => "Direct attribution by layer (logit)",
            Part::Head => "Direct attribution of each head (logit)",
            Part::Mlp => "Direct attribution of each MLP (logit)",
            Part::Neuron => "Direct attribution of the neurons (logit)",
        }
    }

    fn figure(
        &self,
        reading: &Reading,
        table: &Table,
        direct: &DirectAttribution,
        chart: (String, Box<dyn Chart>),
    ) -> Figure {
        let target = target_words(reading, direct.target);
        let sum = match self.by {
            Part::Layer => format!("all parts sum to {}", short(direct.sum())),
            _ => {
                let values = table.rows.iter().filter_map(|row| match row[3] {
                    Cell::Number(value) => Some(f64::from(value)),
                    _ => None,
                });
                format!("these add {} of it", short(values.sum::<f64>() as f32))
            }
        };
        Figure {
            title: table.title.clone(),
            subtitles: vec![
                format!("{target}: {}; {sum}", short(direct.value)),
                "what each part writes to the stream there, read as the final layer reads it, \
                 its norm held fixed"
                    .to_owned(),
            ],
            notes: reading.notes(),
            charts: vec![chart],
        }
    }

    fn shares(&self, direct: &DirectAttribution) -> Vec<Share> {
        let whole = |part: &str, layer: Option<usize>, value: f32| Share {
            part: part.to_owned(),
            layer,
            index: None,
            value,
        };
        let each = |part: &'static str, all: &[Vec<f32>]| -> Vec<Share> {
            let rows = all.iter().enumerate().flat_map(|(layer, row)| {
                row.iter().enumerate().map(move |(index, value)| Share {
                    part: part.to_owned(),
                    layer: Some(layer),
                    index: Some(index),
                    value: *value,
                })
            });
            rows.collect()
        };
        let n_layers = direct.heads.len();
        match self.by {
            Part::Layer => {
                let mut shares = vec![whole("token embedding", None, direct.embed)];
                // Not every family has learned positions, nor a shift in its norms.
                if direct.pos_embed != 0.0 {
                    shares.push(whole("position embedding", None, direct.pos_embed));
                }
                for layer in 0..n_layers {
                    shares.push(whole("attention", Some(layer), direct.attention(layer)));
                    shares.push(whole("MLP", Some(layer), direct.mlp(layer)));
                }
                if direct.bias != 0.0 {
                    shares.push(whole("final bias", None, direct.bias));
                }
                shares
            }
            Part::Head => each("head", &direct.heads),
            Part::Neuron => each("neuron", &direct.neurons),
            Part::Mlp => {
                let has_bias = direct.mlp_bias.iter().any(|bias| *bias != 0.0);
                let rows = (0..n_layers).flat_map(|layer| {
                    let bias = direct.mlp_bias[layer];
                    let neurons = direct.mlp(layer) - bias;
                    let bias = has_bias.then(|| whole("MLP bias", Some(layer), bias));
                    [whole("MLP neurons", Some(layer), neurons)]
                        .into_iter()
                        .chain(bias)
                });
                rows.collect()
            }
        }
    }

    fn chart(&self, shares: Vec<Share>, direct: &DirectAttribution) -> (String, Box<dyn Chart>) {
        if self.by == Part::Head {
            let n_heads = direct.heads.first().map_or(0, Vec::len);
            let mut matrix = Matrix::new(n_heads);
            for row in &direct.heads {
                matrix.push_row(row);
            }
            let heatmap = Heatmap {
                scale: ColorScale::diverging(matrix.range(), "logit"),
                rows: Axis::counted("layer", direct.heads.len()),
                columns: Axis::counted("head", n_heads),
                matrix,
                texts: Vec::new(),
                cell: None,
            };
            return (String::new(), Box::new(heatmap));
        }
        let n_all = shares.len();
        let mut shares = shares;
        let mut heading = String::new();
        if self.by == Part::Neuron {
            // NaN first: it is what must be seen.
            let key = |value: f32| {
                if value.is_nan() {
                    f32::INFINITY
                } else {
                    value.abs()
                }
            };
            shares.sort_by(|a, b| key(b.value).total_cmp(&key(a.value)));
            shares.truncate(self.top.clamp(1, MAX_BARS));
            heading = format!(
                "the {} greatest of {} by magnitude",
                shares.len(),
                grouped(n_all as u64)
            );
        }
        let bars: Vec<Bar> = shares.iter().map(bar).collect();
        let limit = bars
            .iter()
            .map(|bar| bar.value.abs())
            .filter(|value| value.is_finite());
        let range = MatrixRange {
            high: limit.fold(0.0, f32::max),
            ..MatrixRange::default()
        };
        let bars = Bars {
            bars,
            unit: "added to the target, logit".to_owned(),
            of: String::new(),
            scale: ColorScale::diverging(range, "logit"),
        };
        (heading, Box::new(bars))
    }
}

/// More bars than this are read by nobody.
const MAX_BARS: usize = 60;

fn bar(share: &Share) -> Bar {
    let label = match (share.layer, share.index) {
        (Some(layer), Some(index)) => format!("layer {layer} {} {index}", share.part),
        (Some(layer), None) => format!("layer {layer} {}", share.part),
        _ => share.part.clone(),
    };
    Bar {
        label,
        value: share.value,
    }
}

/// What direct attribution reads of a pass.
fn is_needed(hook: HookPoint) -> bool {
    match hook.site() {
        Some(site) => matches!(
            site,
            BlockSite::Z | BlockSite::MlpPost | BlockSite::ResidPost
        ),
        None => matches!(
            hook,
            HookPoint::Embed | HookPoint::PosEmbed | HookPoint::Logits
        ),
    }
}
