//! `plot attention`: who attends to whom.

use clap::{Args, ValueEnum};

use super::output::{OutputArgs, Plot};
use super::table::Cell;
use super::text::{Reading, TextArgs};
use crate::analysis::{
    HeadScore, HeadScores, Matrix, Rollout, attention_matrix, mean_over_heads, thumbnail,
};
use crate::cli::error::CliError;
use crate::config::ModelConfig;
use crate::figure::{Axis, ColorScale, Figure, Heatmap, Panel, Panels};
use crate::hook::{BlockSite, HookPoint};

/// Options of `plot attention`.
#[derive(Clone, Debug, Args)]
pub struct AttentionArgs {
    /// The model and its text.
    #[command(flatten)]
    pub text: TextArgs,
    /// The layer, from 0; all at a glance without it
    #[arg(long, value_name = "N")]
    pub layer: Option<usize>,
    /// The head of that layer, from 0; all its heads at a glance without it
    #[arg(long, value_name = "N", requires = "layer")]
    pub head: Option<usize>,
    /// The mean over a layer's heads
    #[arg(long, requires = "layer", conflicts_with_all = ["head", "rollout", "scores"])]
    pub mean: bool,
    /// Attention rollout from the embedding up to a layer, the last without one
    #[arg(long, conflicts_with_all = ["head", "scores"])]
    pub rollout: bool,
    /// What every head does on the text, in one number each
    #[arg(long, conflicts_with_all = ["layer", "head"])]
    pub scores: bool,
    /// Which number
    #[arg(
        long,
        value_name = "SCORE",
        requires = "scores",
        default_value = "induction"
    )]
    pub score: ScoreArg,
    /// Where it goes.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// A number that says what a head does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScoreArg {
    /// How evenly it attends, in nats
    Entropy,
    /// Its weight on the token just before
    PreviousToken,
    /// Its weight on the first token
    FirstToken,
    /// Its weight on what followed the same token before
    Induction,
    /// Its weight on the same token before
    DuplicateToken,
}

impl From<ScoreArg> for HeadScore {
    fn from(arg: ScoreArg) -> Self {
        match arg {
            ScoreArg::Entropy => Self::Entropy,
            ScoreArg::PreviousToken => Self::PreviousToken,
            ScoreArg::FirstToken => Self::FirstToken,
            ScoreArg::Induction => Self::Induction,
            ScoreArg::DuplicateToken => Self::DuplicateToken,
        }
    }
}

/// One query x key matrix, and what it is.
struct Pattern {
    matrix: Matrix,
    title: String,
    subtitle: String,
}

impl AttentionArgs {
    pub(super) fn plot(&self) -> Result<Plot, CliError> {
        let config = self.text.config("attention")?;
        self.check(&config)?;
        let reading = self.text.read(&|hook| {
            hook.site() == Some(BlockSite::Pattern)
                && (self.rollout || self.layer.is_none() || hook.layer() == self.layer)
        })?;
        if self.scores {
            return self.plot_scores(&reading);
        }
        match self.pattern(&reading) {
            Some(pattern) => Ok(self.plot_pattern(&reading, pattern)),
            None => Ok(self.plot_glance(&reading)),
        }
    }

    fn check(&self, config: &ModelConfig) -> Result<(), CliError> {
        let refuse = |name: &str, asked: usize, count: usize, of: &str| {
            CliError::Usage(format!(
                "--{name} {asked} is not there; {of} from 0 to {}",
                count - 1
            ))
        };
        match (self.layer, self.head) {
            (Some(layer), _) if layer >= config.n_layers => Err(refuse(
                "layer",
                layer,
                config.n_layers,
                "the model's layers go",
            )),
            (_, Some(head)) if head >= config.n_heads => Err(refuse(
                "head",
                head,
                config.n_heads,
                "each layer's heads go",
            )),
            _ => Ok(()),
        }
    }

    fn pattern(&self, reading: &Reading) -> Option<Pattern> {
        let config = reading.config();
        let positions = reading.trace.positions();
        let at = |layer| HookPoint::block(layer, BlockSite::Pattern);
        if self.rollout {
            let layer = self.layer.unwrap_or(config.n_layers - 1);
            let rollout = Rollout::of(&positions, config.n_layers, config.n_heads);
            return Some(Pattern {
                matrix: rollout.matrix(layer),
                title: format!("Attention rollout up to layer {layer} (share of the stream)"),
                subtitle: "what each position would hold of each token if layers only mixed them, \
                           half attention and half itself"
                    .to_owned(),
            });
        }
        let layer = self.layer?;
        if self.mean {
            return Some(Pattern {
                matrix: mean_over_heads(&positions, at(layer), config.n_heads),
                title: format!(
                    "Attention of layer {layer}, mean of {} heads (weight)",
                    config.n_heads
                ),
                subtitle: format!("{}: each row sums to one", at(layer)),
            });
        }
        let head = self.head?;
        Some(Pattern {
            matrix: attention_matrix(&positions, at(layer), head),
            title: format!("Attention of layer {layer}, head {head} (weight)"),
            subtitle: format!("{}, head {head}: each row sums to one", at(layer)),
        })
    }

    fn ask(&self, table: &mut super::table::Table) {
        table.ask("layer", self.layer);
        table.ask("head", self.head);
        table.ask("mean", self.mean);
        table.ask("rollout", self.rollout);
    }

    fn plot_pattern(&self, reading: &Reading, pattern: Pattern) -> Plot {
        let mut table = reading.table(
            "attention",
            &[
                ("query", ""),
                ("query_text", ""),
                ("key", ""),
                ("key_text", ""),
                ("weight", "1"),
            ],
        );
        table.title.clone_from(&pattern.title);
        self.ask(&mut table);
        let text = |pos: usize| Cell::text(reading.vocab().text(reading.tokens[pos]));
        for query in 0..pattern.matrix.n_rows() {
            for (key, weight) in pattern.matrix.row(query).iter().enumerate() {
                table.rows.push(vec![
                    Cell::count(query),
                    text(query),
                    Cell::count(key),
                    text(key),
                    Cell::Number(*weight),
                ]);
            }
        }
        let range = pattern.matrix.range();
        let heatmap = Heatmap {
            scale: ColorScale::between(0.0, 1.0, range.n_not_finite, "weight"),
            matrix: pattern.matrix,
            rows: reading.token_axis("from (query)"),
            columns: reading.token_axis("to (key)"),
            texts: Vec::new(),
            cell: square_cell(reading.tokens.len()),
        };
        let figure = Figure {
            title: pattern.title,
            subtitles: vec![pattern.subtitle],
            notes: reading.notes(),
            charts: vec![(String::new(), Box::new(heatmap))],
        };
        Plot { table, figure }
    }

    /// All heads of a layer, or of the model.
    fn plot_glance(&self, reading: &Reading) -> Plot {
        let config = reading.config();
        let layers = match self.layer {
            Some(layer) => layer..layer + 1,
            None => 0..config.n_layers,
        };
        let positions = reading.trace.positions();
        let mut table = reading.table(
            "attention",
            &[
                ("layer", ""),
                ("head", ""),
                ("query", ""),
                ("key", ""),
                ("weight", "1"),
            ],
        );
        table.title = match self.layer {
            Some(layer) => format!(
                "Attention of layer {layer}, all {} heads (weight)",
                config.n_heads
            ),
            None => format!(
                "Attention of all {} heads (weight)",
                config.n_layers * config.n_heads
            ),
        };
        self.ask(&mut table);
        let mut panels = Vec::new();
        let mut n_not_finite = 0;
        for layer in layers {
            for head in 0..config.n_heads {
                let hook = HookPoint::block(layer, BlockSite::Pattern);
                let matrix = attention_matrix(&positions, hook, head);
                n_not_finite += matrix.range().n_not_finite;
                for query in 0..matrix.n_rows() {
                    for (key, weight) in matrix.row(query).iter().enumerate() {
                        let counts = [layer, head, query, key].map(Cell::count);
                        let row = counts.into_iter().chain([Cell::Number(*weight)]);
                        table.rows.push(row.collect());
                    }
                }
                panels.push(Panel {
                    title: match self.layer {
                        Some(_) => format!("head {head}"),
                        None => format!("layer {layer}, head {head}"),
                    },
                    short: match self.layer {
                        Some(_) => head.to_string(),
                        None => format!("{layer}.{head}"),
                    },
                    matrix: thumbnail(&positions, hook, head, MAX_SMALL),
                });
            }
        }
        let panels = Panels {
            panels,
            n_across: match self.layer {
                Some(_) => config.n_heads.min(4),
                None => config.n_heads,
            },
            scale: ColorScale::between(0.0, 1.0, n_not_finite, "weight"),
            edges: (
                "from (query), down".to_owned(),
                "to (key), across".to_owned(),
            ),
        };
        let mut subtitle = "each panel: from the query, down, to the key, across".to_owned();
        if self.layer.is_none() {
            subtitle = format!("layers down, heads across; {subtitle}");
        }
        if reading.tokens.len() > MAX_SMALL {
            subtitle += "; a cell is the greatest weight of a block of tokens";
        }
        let figure = Figure {
            title: table.title.clone(),
            subtitles: vec![subtitle],
            notes: reading.notes(),
            charts: vec![(String::new(), Box::new(panels))],
        };
        Plot { table, figure }
    }

    fn plot_scores(&self, reading: &Reading) -> Result<Plot, CliError> {
        let config = reading.config();
        let score: HeadScore = self.score.into();
        let scores = HeadScores::of(&reading.trace.positions(), config.n_layers, config.n_heads);
        let matrix = scores.matrix(score);
        if matrix.is_empty() {
            return Err(CliError::Usage(format!(
                "no token of this text counts for the {} score: {}",
                score.title(),
                needs(score)
            )));
        }
        let mut table = reading.table(
            "attention",
            &[
                ("layer", ""),
                ("head", ""),
                ("entropy", "nats"),
                ("previous_token", "weight"),
                ("first_token", "weight"),
                ("induction", "weight"),
                ("duplicate_token", "weight"),
            ],
        );
        table.title = format!("Heads by {} ({})", score.title(), score.unit());
        table.ask("score", score.title());
        for layer in 0..config.n_layers {
            for head in 0..config.n_heads {
                let all = HeadScore::ALL.map(|score| Cell::from(scores.get(score, layer, head)));
                let row = [Cell::count(layer), Cell::count(head)];
                table.rows.push(row.into_iter().chain(all).collect());
            }
        }
        let range = matrix.range();
        let title = format!("{}, {}", score.title(), score.unit());
        let heatmap = Heatmap {
            scale: if score == HeadScore::Entropy {
                ColorScale::from_zero(range, title)
            } else {
                ColorScale::between(0.0, 1.0, range.n_not_finite, title)
            },
            matrix,
            rows: Axis::counted("layer", config.n_layers),
            columns: Axis::counted("head", config.n_heads),
            texts: Vec::new(),
            cell: None,
        };
        let n = scores.n_queries(score);
        let queries = if n == 1 { "query" } else { "queries" };
        let figure = Figure {
            title: table.title.clone(),
            subtitles: vec![format!("{}; mean over {n} {queries}", meaning(score))],
            notes: reading.notes(),
            charts: vec![(String::new(), Box::new(heatmap))],
        };
        Ok(Plot { table, figure })
    }
}

/// Rows and columns of a head at a glance, at most.
const MAX_SMALL: usize = 96;

/// Squares, in whole half units where they are small.
fn square_cell(n: usize) -> Option<(f32, f32)> {
    let side = (720.0 / n.max(1) as f32).min(40.0);
    let side = if side > 4.0 {
        side.floor()
    } else {
        (2.0 * side).floor().max(1.0) / 2.0
    };
    Some((side, side))
}

fn meaning(score: HeadScore) -> &'static str {
    match score {
        HeadScore::Entropy => "entropy of the query's weights",
        HeadScore::PreviousToken => "weight of the token just before",
        HeadScore::FirstToken => "weight of the first token",
        HeadScore::Induction => "weight of what followed the same token earlier",
        HeadScore::DuplicateToken => "weight of the same token earlier",
    }
}

fn needs(score: HeadScore) -> &'static str {
    match score {
        HeadScore::Induction | HeadScore::DuplicateToken => "give one in which a token comes again",
        _ => "give one of two tokens or more",
    }
}
