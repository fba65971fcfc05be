//! The model and the text of a plot: read, run, and named for people.

use std::sync::Arc;

use clap::Args;

use super::table::Table;
use crate::ablation::Ablation;
use crate::cli::error::CliError;
use crate::cli::load;
use crate::cli::options::{self, RunArgs};
use crate::cli::recording::Recording;
use crate::config::ModelConfig;
use crate::figure::Axis;
use crate::hook::HookPoint;
use crate::model::{Model, Sampler, SamplerSettings};
use crate::trace::{Trace, TraceMemory, Vocab};

/// Options of every plot of a text.
#[derive(Clone, Debug, Args)]
pub struct TextArgs {
    /// The model and what it reads.
    #[command(flatten)]
    pub run: RunArgs,
    /// How many tokens to add to the prompt: the most probable ones
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub max_new_tokens: usize,
    /// Parts set to zero, such as `blocks.1.attn.hook_z:3,blocks.0.mlp.hook_post:33`
    #[arg(long, value_name = "HOOK:INDEX,...", value_delimiter = ',')]
    pub ablate: Vec<Ablation>,
}

/// A model and a text that it has read.
pub(super) struct Reading {
    pub model: Model,
    /// The hook points asked for.
    pub trace: Trace,
    /// The prompt and what was added to it.
    pub tokens: Vec<u32>,
    pub n_prompt: usize,
    pub ablate: Vec<Ablation>,
}

impl TextArgs {
    /// The model's shape, before it is loaded.
    pub(super) fn config(&self, kind: &str) -> Result<ModelConfig, CliError> {
        self.run.model.require_weights(&format!("plot {kind}"))?;
        let config = self.run.model.config()?;
        options::check_ablations(&self.ablate, &config)?;
        Ok(config)
    }

    /// Loads the model and runs it over the text, keeping what `is_wanted`.
    pub(super) fn read(&self, is_wanted: &dyn Fn(HookPoint) -> bool) -> Result<Reading, CliError> {
        let prompt = self.run.prompt.read()?;
        let model = load::load(&self.run)?;
        let prompt = prompt.tokens(&model)?;
        let sampler = Sampler::new(&SamplerSettings {
            seed: self.run.seed,
            ..SamplerSettings::default()
        })?;
        let mut recording = Recording::new(&model, is_wanted, &self.ablate)?;
        let mut trace = Trace::new(model.config().clone());
        let mut memory = TraceMemory::with_budget(self.run.trace_memory_budget());
        recording.record(&prompt, sampler, self.max_new_tokens, &mut |pass| {
            let kept = memory.keep(pass);
            trace.push(Arc::new(
                kept.map_err(|error| CliError::Failed(error.to_string()))?,
            ));
            Ok(())
        })?;
        Ok(Reading {
            tokens: trace.tokens().collect(),
            n_prompt: prompt.len(),
            model,
            trace,
            ablate: self.ablate.clone(),
        })
    }
}

impl Reading {
    /// The model's shape.
    pub fn config(&self) -> &ModelConfig {
        self.model.config()
    }

    /// The texts of its tokens.
    pub fn vocab(&self) -> &Vocab {
        self.model.vocab()
    }

    /// The text's tokens along the edge of a map.
    pub fn token_axis(&self, title: &str) -> Axis {
        let labels = self.tokens.iter().map(|token| self.label(*token));
        Axis::new(title, labels.collect())
    }

    /// A token for people.
    pub fn label(&self, token: u32) -> String {
        let label = self.vocab().label(token);
        if label.is_empty() {
            "∅".to_owned()
        } else {
            label
        }
    }

    /// A token within a sentence.
    pub fn quoted(&self, token: u32) -> String {
        format!("“{}”", self.label(token))
    }

    /// The lines under a figure: what it is of.
    pub fn notes(&self) -> Vec<String> {
        let text: String = self
            .tokens
            .iter()
            .take(80)
            .map(|token| self.vocab().text(*token).replace('\n', "↵"))
            .collect();
        let n = self.tokens.len();
        let unit = if n == 1 { "token" } else { "tokens" };
        let mut line = format!("{} · {n} {unit} · “{}”", self.model.name(), text.trim());
        if n > 80 {
            line.push('…');
        }
        let mut notes = vec![line];
        if !self.ablate.is_empty() {
            let parts: Vec<String> = self.ablate.iter().map(Ablation::to_string).collect();
            notes.push(format!("set to zero: {}", parts.join(", ")));
        }
        notes
    }

    /// An empty table that names model and text.
    pub fn table(&self, kind: &'static str, columns: &[(&'static str, &'static str)]) -> Table {
        let mut table = Table::new(kind, self.model.name().to_owned(), columns);
        table.set_tokens(self.tokens.iter().copied(), self.vocab());
        table.ask("prompt_tokens", self.n_prompt);
        if !self.ablate.is_empty() {
            let parts: Vec<String> = self.ablate.iter().map(Ablation::to_string).collect();
            table.ask("ablate", parts);
        }
        table
    }
}
