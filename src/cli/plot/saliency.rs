//! `plot saliency`: what of a text a prediction hangs on, by its gradients.

mod charts;

use clap::{Args, ValueEnum};

use super::output::{OutputArgs, Plot};
use super::patience::Patience;
use super::target::{TargetArgs, find_token};
use super::text::{Reading, TextArgs};
use crate::analysis::saliency_hooks;
use crate::attribution::{Baseline, IntegratedGradients, IntegrationSettings, TargetWish};
use crate::cli::error::CliError;
use crate::hook::{BlockSite, HookPoint};

/// Options of `plot saliency`.
#[derive(Clone, Debug, Args)]
pub struct SaliencyArgs {
    /// The model and its text.
    #[command(flatten)]
    pub text: TextArgs,
    /// What is explained.
    #[command(flatten)]
    pub target: TargetArgs,
    /// How much a part counts
    #[arg(long, value_name = "METHOD", default_value = "grad-x-input")]
    pub method: Method,
    /// Which parts
    #[arg(long, value_name = "PART", default_value = "token")]
    pub by: By,
    /// The layer whose neurons are shown; the most salient of all layers without it
    #[arg(long, value_name = "N")]
    pub layer: Option<usize>,
    /// How many neurons
    #[arg(long, value_name = "N", default_value_t = 24)]
    pub top: usize,
    /// Steps of integrated gradients
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub steps: u32,
    /// Where integrated gradients begin: `zero`, `mean` of the vocabulary, or a token's text or `#`
    /// number
    #[arg(long, value_name = "BASELINE", default_value = "zero")]
    pub baseline: String,
    /// Where it goes.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// How much a part counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// The length of the gradient: how strongly the target could change
    GradNorm,
    /// Gradient times value: to first order, what the target would lose without it
    GradXInput,
    /// Integrated gradients: what it adds on the way from a baseline
    Integrated,
}

/// Parts that a prediction may hang on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// Tokens of the text
    Token,
    /// Tokens at every layer
    Layer,
    /// Attention heads
    Head,
    /// MLP neurons
    Neuron,
}

impl SaliencyArgs {
    pub(super) fn plot(&self) -> Result<Plot, CliError> {
        let config = self.text.config("saliency")?;
        self.check(config.n_layers)?;
        let reading = self.text.read(&|_| false)?;
        let wish = self.target.wish(&reading)?;
        if self.method == Method::Integrated {
            let settings = IntegrationSettings {
                n_steps: self.steps as usize,
                baseline: self.baseline(&reading)?,
            };
            let answer = integrate(&reading, wish, settings)?;
            return Ok(self.plot_integrated(&reading, &answer));
        }
        let by = self.by;
        let is_wanted = |hook: HookPoint| match (by, hook.site()) {
            (By::Token, _) => hook == HookPoint::Embed,
            (By::Layer, _) => saliency_hooks(&config).contains(&hook),
            (By::Head, site) => site == Some(BlockSite::Z),
            (By::Neuron, site) => site == Some(BlockSite::MlpPost),
        };
        let gradients =
            reading
                .model
                .gradients(&reading.tokens, &reading.ablate, wish, &is_wanted)?;
        Ok(match self.by {
            By::Token => self.plot_tokens(&reading, &gradients),
            By::Layer => self.plot_layers(&reading, &gradients),
            By::Head => self.plot_heads(&reading, &gradients),
            By::Neuron => self.plot_neurons(&reading, &gradients),
        })
    }

    fn check(&self, n_layers: usize) -> Result<(), CliError> {
        if self.method == Method::Integrated && self.by != By::Token {
            return Err(CliError::Usage(
                "--method integrated is of the tokens; leave out --by, or choose grad-x-input"
                    .to_owned(),
            ));
        }
        if self.method == Method::GradNorm && matches!(self.by, By::Head | By::Neuron) {
            return Err(CliError::Usage(
                "--method grad-norm is of tokens and layers; heads and neurons have grad-x-input"
                    .to_owned(),
            ));
        }
        match self.layer {
            Some(_) if self.by != By::Neuron => Err(CliError::Usage(
                "--layer chooses whose neurons are shown; add --by neuron".to_owned(),
            )),
            Some(layer) if layer >= n_layers => Err(CliError::Usage(format!(
                "--layer {layer} is not there; the model's layers go from 0 to {}",
                n_layers - 1
            ))),
            _ => Ok(()),
        }
    }

    fn baseline(&self, reading: &Reading) -> Result<Baseline, CliError> {
        match self.baseline.as_str() {
            "zero" => Ok(Baseline::Zero),
            "mean" => Ok(Baseline::Mean),
            text => {
                let (vocab, d_vocab) = (reading.vocab(), reading.config().d_vocab);
                find_token("baseline", text, vocab, d_vocab).map(Baseline::Token)
            }
        }
    }
}

/// All steps, with a bar on standard error where they take long.
fn integrate(
    reading: &Reading,
    wish: TargetWish,
    settings: IntegrationSettings,
) -> Result<IntegratedGradients, CliError> {
    let model = &reading.model;
    let mut integration = model.integration(&reading.tokens, &reading.ablate, wish, settings)?;
    let mut bar = Patience::new("integrating");
    while !integration.advance(model)? {
        bar.show(integration.n_done(), integration.n_steps());
    }
    bar.finish();
    Ok(integration.finish()?)
}
