//! The model card: how the model came about and what it can do, in figures.

use std::fmt::{Result, Write as _};

use llmscope::config::ModelConfig;

use crate::samples::{Sample, TEMPERATURE};
use crate::scores::CopyScore;
use crate::training::TrainTime;

/// What the card reports.
pub struct Card {
    /// The command that makes the model again.
    pub command: String,
    /// The model's shape.
    pub config: ModelConfig,
    /// Texts to learn from.
    pub train_size: CorpusSize,
    /// Texts held out.
    pub held_out_size: CorpusSize,
    /// Optimiser steps.
    pub steps: usize,
    /// How long they took.
    pub time: TrainTime,
    /// Held-out loss of the model, nats per token.
    pub loss: f64,
    /// Held-out loss of the bigram table, nats per token.
    pub bigram_loss: f64,
    /// What its heads do.
    pub copies: CopyScore,
    /// What it writes.
    pub samples: Vec<Sample>,
}

/// How much text there is.
pub struct CorpusSize {
    /// Documents.
    pub documents: usize,
    /// Tokens, one end-of-text token for each document included.
    pub tokens: usize,
}

impl Card {
    /// The card as Markdown.
    pub fn to_markdown(&self) -> std::result::Result<String, std::fmt::Error> {
        let mut text = String::new();
        self.write_about(&mut text)?;
        self.write_figures(&mut text)?;
        self.write_heads(&mut text)?;
        self.write_samples(&mut text)?;
        Ok(text)
    }

    fn write_about(&self, text: &mut String) -> Result {
        let config = &self.config;
        writeln!(
            text,
            "# The demo model\n\n\
             A GPT-2 of {} parameters ({} layers of {} heads, d_model {}, d_mlp {}, {} tokens of \
             byte-level BPE, context {}) that tells very simple stories. It was made from nothing \
             by\n\n\
             ```sh\n{}\n```\n\n\
             which generates the texts, makes the tokenizer, and trains through llmscope's own \
             forward pass. Every text comes from the templates and word lists in \
             `examples/train_demo/`; nobody else's words are in it. It knows those and nothing \
             else: it is for looking into, not for answering.\n\n\
             The files are a Hugging Face checkpoint (`GPT2LMHeadModel`, f32).",
            config.parameter_count(),
            config.n_layers,
            config.n_heads,
            config.d_model,
            config.d_mlp,
            config.d_vocab,
            config.n_ctx,
            self.command,
        )
    }

    fn write_figures(&self, text: &mut String) -> Result {
        let (train, held_out) = (&self.train_size, &self.held_out_size);
        writeln!(
            text,
            "\n## Figures\n\n\
             | | |\n|---|---|\n\
             | Texts to learn from | {} documents, {} tokens |\n\
             | Texts held out | {} documents, {} tokens, from another stream of the seed |\n\
             | Training | {} steps, {} tokens, {:.1} minutes on two CPU cores ({:.0} tokens/s) |\n\
             | Held-out loss | {:.3} nats per token |\n\
             | Held-out loss of a bigram table | {:.3} nats per token |\n\n\
             A good part of the loss is the random word lists, which nobody can foresee the first \
             time they are said. On random tokens said twice (below) it loses {:.3} nats per token the \
             second time, where chance is {:.3}.",
            train.documents,
            train.tokens,
            held_out.documents,
            held_out.tokens,
            self.steps,
            self.time.tokens,
            self.time.secs / 60.0,
            self.time.tokens as f64 / self.time.secs,
            self.loss,
            self.bigram_loss,
            self.copies.second_copy_loss,
            (self.config.d_vocab as f64).ln(),
        )
    }

    fn write_heads(&self, text: &mut String) -> Result {
        writeln!(
            text,
            "\n## Heads\n\n\
             Scored on an end-of-text token followed by 40 random tokens, twice the same; the mean \
             of 16 such texts. Induction is the attention from a token's second occurrence to the \
             position after its first; previous token is the attention to the position before. L0H0 was given its \
             look one back before training began (`first_weights.rs`); the rest was found.\n\n\
             | Head | Induction | Previous token |\n|---|---|---|",
        )?;
        for score in &self.copies.heads {
            writeln!(
                text,
                "| L{}H{} | {:.2} | {:.2} |",
                score.layer, score.head, score.induction, score.previous
            )?;
        }
        Ok(())
    }

    fn write_samples(&self, text: &mut String) -> Result {
        writeln!(
            text,
            "\n## Samples\n\nTemperature {TEMPERATURE}, the first thing it wrote; the prompt is bold."
        )?;
        for sample in &self.samples {
            let prompt = sample.prompt.trim_end();
            let gap = &sample.prompt[prompt.len()..];
            let rest = format!("{gap}{}", sample.continuation).replace('\n', "  \n> ");
            writeln!(text, "\n> **{prompt}**{rest}")?;
        }
        Ok(())
    }
}
