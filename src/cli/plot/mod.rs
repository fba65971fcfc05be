//! `plot`: one view of a model as a picture or as numbers.
//!
//! Each kind has a file: options, then values, then analysis, then a figure and a table of the same
//! numbers.

mod activations;
mod architecture;
mod attention;
mod attribution;
mod embeddings;
mod lens;
mod output;
mod patience;
mod saliency;
mod summary;
mod table;
mod target;
mod text;

use clap::{Args, Subcommand};

use activations::ActivationsArgs;
use architecture::ArchitectureArgs;
use attention::AttentionArgs;
use attribution::AttributionArgs;
use embeddings::EmbeddingsArgs;
use lens::LensArgs;
use output::{Format, OutputArgs};
use saliency::SaliencyArgs;
use summary::SummaryPlotArgs;

use super::error::CliError;

/// Options of `plot`.
#[derive(Clone, Debug, Args)]
pub struct PlotArgs {
    /// The view.
    #[command(subcommand)]
    pub kind: PlotKind,
}

/// A view of a model.
#[derive(Clone, Debug, Subcommand)]
pub enum PlotKind {
    /// How large values are, by layer and token
    Activations(ActivationsArgs),
    /// The 3D world from above, every part named with its shape and its count
    Architecture(ArchitectureArgs),
    /// Who attends to whom: a head, all heads, or what each head does
    Attention(AttentionArgs),
    /// What each part adds to a prediction by itself: layers, heads, MLPs, neurons
    Attribution(AttributionArgs),
    /// Tokens as points, near one another where their vectors are alike
    Embeddings(EmbeddingsArgs),
    /// What the model would say if it ended after each layer
    LogitLens(LensArgs),
    /// What a prediction hangs on, by its gradients: tokens, layers, heads, neurons
    Saliency(SaliencyArgs),
    /// Where the parameters are
    Summary(SummaryPlotArgs),
}

impl PlotKind {
    fn output(&self) -> &OutputArgs {
        match self {
            Self::Activations(args) => &args.output,
            Self::Architecture(args) => &args.output,
            Self::Attention(args) => &args.output,
            Self::Attribution(args) => &args.output,
            Self::Embeddings(args) => &args.output,
            Self::LogitLens(args) => &args.output,
            Self::Saliency(args) => &args.output,
            Self::Summary(args) => &args.output,
        }
    }

    fn plot(&self, format: Format) -> Result<output::Plot, CliError> {
        match self {
            Self::Activations(args) => args.plot(),
            Self::Architecture(args) => args.plot(format),
            Self::Attention(args) => args.plot(),
            Self::Attribution(args) => args.plot(),
            Self::Embeddings(args) => args.plot(),
            Self::LogitLens(args) => args.plot(),
            Self::Saliency(args) => args.plot(),
            Self::Summary(args) => args.plot(),
        }
    }
}

pub(super) fn run(args: &PlotArgs) -> Result<(), CliError> {
    let output = args.kind.output();
    // What can't be written is not computed.
    let format = output.check()?;
    output.write(format, &args.kind.plot(format)?)
}
