//! `plot attention`: who attends to whom.

mod charts;

use clap::{Args, ValueEnum};

use super::output::{OutputArgs, Plot};
use super::text::{Reading, TextArgs};
use crate::analysis::{HeadScore, Matrix, Rollout, attention_matrix, mean_over_heads};
use crate::cli::error::CliError;
use crate::config::ModelConfig;
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
}
