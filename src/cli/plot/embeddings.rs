//! `plot embeddings`: tokens as points, near one another where their vectors are alike.

use std::ops::ControlFlow;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::output::{OutputArgs, Plot};
use super::patience::Patience;
use super::table::Cell;
use super::text::{Reading, TextArgs};
use crate::analysis::projection::{
    Method, Metric, Progress, ProjectionSettings, Stage, TokenProjection, TsneSettings,
    UmapSettings, project_tokens,
};
use crate::cli::error::CliError;
use crate::config::ModelConfig;
use crate::figure::{Figure, Scatter, ScatterPoint};
use crate::hook::{BlockSite, HookPoint};
use crate::weight::WeightPoint;

/// Options of `plot embeddings`.
#[derive(Clone, Debug, Args)]
pub struct EmbeddingsArgs {
    /// The model and its text.
    #[command(flatten)]
    pub text: TextArgs,
    /// Whose vectors: `prompt` (the text's token embeddings), `vocab` (those of the whole
    /// vocabulary), or a layer's number (the residual stream leaving it)
    #[arg(long, value_name = "WHAT", default_value = "prompt")]
    pub of: Of,
    /// How vectors become points
    #[arg(long, value_name = "METHOD", default_value = "pca")]
    pub method: MethodArg,
    /// Dimensions of the picture
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(2..=3))]
    pub dims: u8,
    /// How near vectors are, for t-SNE and UMAP
    #[arg(long, value_name = "METRIC", default_value = "euclidean")]
    pub metric: MetricArg,
    /// About how many neighbours of each vector t-SNE keeps near
    #[arg(long, value_name = "N")]
    pub perplexity: Option<f32>,
    /// How many neighbours of each vector UMAP keeps near
    #[arg(long, value_name = "N")]
    pub neighbors: Option<usize>,
    /// Scale every vector to length one first, so that only directions count
    #[arg(long)]
    pub unit_length: bool,
    /// Where it goes.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Whose vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// The token embeddings of the text.
    Prompt,
    /// The token embeddings of the whole vocabulary.
    Vocab,
    /// The residual stream leaving a layer.
    Layer(usize),
}

impl FromStr for Of {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "prompt" => Ok(Self::Prompt),
            "vocab" => Ok(Self::Vocab),
            number => number
                .parse()
                .map(Self::Layer)
                .map_err(|error| format!("give prompt, vocab or a layer's number ({error})")),
        }
    }
}

/// How vectors become points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MethodArg {
    /// Principal components: the directions along which they vary most
    Pca,
    /// t-SNE: neighbours stay together
    Tsne,
    /// UMAP: neighbours stay together, and more of the whole
    Umap,
}

/// How near two vectors are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MetricArg {
    /// The distance between them
    Euclidean,
    /// The angle between them
    Cosine,
}

/// The vectors of tokens, one after the other.
struct TokenVectors {
    values: Vec<f32>,
    tokens: Vec<u32>,
}

impl EmbeddingsArgs {
    pub(super) fn plot(&self) -> Result<Plot, CliError> {
        let config = self.text.config("embeddings")?;
        let hook = self.hook(&config)?;
        let reading = self.text.read(&|each| Some(each) == hook)?;
        let vectors = vectors(&reading, hook)?;
        let mut bar = Patience::new("projecting");
        let mut on_progress = |progress: Progress<'_>| {
            // Stages one after the other: neighbours take about as long as points.
            let share = match progress.stage {
                Stage::Components => progress.share,
                Stage::Neighbors => 0.5 * progress.share,
                Stage::Points => 0.5 + 0.5 * progress.share,
            };
            bar.show((1000.0 * share) as usize, 1000);
            ControlFlow::Continue(())
        };
        let projected = project_tokens(
            &vectors.values,
            config.d_model,
            &vectors.tokens,
            reading.vocab(),
            &self.settings(),
            &mut on_progress,
        );
        bar.finish();
        let projected = projected.map_err(|error| CliError::Failed(error.to_string()))?;
        Ok(self.draw(&reading, &projected))
    }

    /// Where the vectors are; none for the vocabulary's.
    fn hook(&self, config: &ModelConfig) -> Result<Option<HookPoint>, CliError> {
        match self.of {
            Of::Prompt => Ok(Some(HookPoint::Embed)),
            Of::Vocab => Ok(None),
            Of::Layer(layer) if layer < config.n_layers => {
                Ok(Some(HookPoint::block(layer, BlockSite::ResidPost)))
            }
            Of::Layer(layer) => Err(CliError::Usage(format!(
                "--of {layer} is not there; the model's layers go from 0 to {}",
                config.n_layers - 1
            ))),
        }
    }

    fn settings(&self) -> ProjectionSettings {
        let metric = match self.metric {
            MetricArg::Euclidean => Metric::Euclidean,
            MetricArg::Cosine => Metric::Cosine,
        };
        let method = match self.method {
            MethodArg::Pca => Method::Pca,
            MethodArg::Tsne => {
                let settings = TsneSettings::default();
                Method::Tsne(TsneSettings {
                    perplexity: self.perplexity.unwrap_or(settings.perplexity),
                    metric,
                    ..settings
                })
            }
            MethodArg::Umap => {
                let settings = UmapSettings::default();
                Method::Umap(UmapSettings {
                    n_neighbors: self.neighbors.unwrap_or(settings.n_neighbors),
                    metric,
                    ..settings
                })
            }
        };
        ProjectionSettings {
            method,
            n_dims: usize::from(self.dims),
            has_unit_length: self.unit_length,
            seed: self.text.run.seed,
        }
    }

    fn of_words(&self) -> String {
        match self.of {
            Of::Prompt => "token embeddings of the text".to_owned(),
            Of::Vocab => "token embeddings of the whole vocabulary".to_owned(),
            Of::Layer(layer) => format!("residual stream leaving layer {layer}"),
        }
    }

    fn draw(&self, reading: &Reading, projected: &TokenProjection) -> Plot {
        let projection = &projected.projection;
        let columns = [
            ("index", ""),
            ("token", ""),
            ("text", ""),
            ("x", self.unit()),
            ("y", self.unit()),
            ("z", self.unit()),
            ("length", "L2 norm"),
        ];
        let mut table = reading.table("embeddings", &columns);
        let name = projection.method.name();
        table.title = format!(
            "{name} of the {} ({} dimensions)",
            self.of_words(),
            self.dims
        );
        table.ask("method", name);
        table.ask("settings", format!("{:?}", projection.method));
        table.ask("dims", self.dims);
        table.ask("seed", self.text.run.seed);
        table.ask("unit_length", self.unit_length);
        let shares = [
            "explained variance 1",
            "explained variance 2",
            "explained variance 3",
        ];
        for (fact, share) in shares.into_iter().zip(&projection.explained) {
            table.facts.insert(fact, Cell::Number(*share as f32));
        }
        let mut points = Vec::new();
        for (index, token) in projected.tokens.iter().enumerate() {
            let place = projection.point(index);
            table.rows.push(vec![
                Cell::count(index),
                Cell::count(*token as usize),
                Cell::text(reading.vocab().text(*token)),
                Cell::Number(place[0]),
                Cell::Number(place[1]),
                Cell::from(place.get(2).copied()),
                Cell::Number(projected.lengths[index]),
            ]);
            points.push(ScatterPoint {
                place: [place[0], place[1], place.get(2).copied().unwrap_or(0.0)],
                label: reading.label(*token),
                is_marked: self.of == Of::Vocab && reading.tokens.contains(token),
            });
        }
        let scatter = Scatter {
            points,
            axes: (0..projection.n_dims)
                .map(|axis| projection.axis(axis))
                .collect(),
            is_joined: false,
        };
        let n = projected.tokens.len();
        let mut subtitle = format!("{} points", crate::analysis::grouped(n as u64));
        if !projection.explained.is_empty() {
            let sum: f64 = projection.explained.iter().sum();
            subtitle += &format!(
                "; these {} directions hold {:.1} % of the variance",
                projection.n_dims,
                100.0 * sum
            );
        }
        if self.of == Of::Vocab {
            subtitle += "; the text's own tokens are set apart";
        }
        let figure = Figure {
            title: table.title.clone(),
            subtitles: vec![subtitle],
            notes: reading.notes(),
            charts: vec![(String::new(), Box::new(scatter))],
        };
        Plot { table, figure }
    }

    fn unit(&self) -> &'static str {
        match self.method {
            MethodArg::Pca => "as the vectors",
            MethodArg::Tsne | MethodArg::Umap => "none",
        }
    }
}

fn vectors(reading: &Reading, hook: Option<HookPoint>) -> Result<TokenVectors, CliError> {
    if let Some(hook) = hook {
        let values = reading.trace.activation(hook);
        let values = values.map(|values| values.values().to_vec());
        return Ok(TokenVectors {
            values: values.ok_or_else(|| CliError::Failed(format!("{hook} was not recorded")))?,
            tokens: reading.tokens.clone(),
        });
    }
    let config = reading.config();
    let slice = config.weight_slice(WeightPoint::Embed);
    let values = reading
        .model
        .weights()
        .and_then(|weights| weights.read(&slice, 0..config.d_vocab, 0..config.d_model));
    Ok(TokenVectors {
        values: values.ok_or_else(|| {
            CliError::Failed("the model's token embedding can't be read".to_owned())
        })?,
        tokens: (0..config.d_vocab as u32).collect(),
    })
}
