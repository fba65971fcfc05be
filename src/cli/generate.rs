//! `generate`: the prompt's continuation, as it comes.

use std::io::{self, Write as _};

use clap::Args;
use serde::Serialize;

use super::error::CliError;
use super::options::{self, RunArgs, SamplerArgs};
use super::{load, say};
use crate::ablation::Ablation;
use crate::attribution::TargetWish;
use crate::model::{Model, Sampler, TextStream};

/// Options of `generate`.
#[derive(Clone, Debug, Args)]
pub struct GenerateArgs {
    /// The model and what it reads.
    #[command(flatten)]
    pub run: RunArgs,
    /// How the next token is chosen.
    #[command(flatten)]
    pub sampler: SamplerArgs,
    /// The most tokens to add
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub max_new_tokens: usize,
    /// Parts set to zero at every position, such as
    /// `blocks.1.attn.hook_z:3,blocks.1.mlp.hook_post:33`; what that does to the first new token is
    /// told
    #[arg(long, value_name = "HOOK:INDEX,...", value_delimiter = ',')]
    pub ablate: Vec<Ablation>,
    /// Print one JSON object at the end in place of the text
    #[arg(long)]
    pub json: bool,
}

/// Why a continuation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stop {
    /// As many tokens as asked for.
    MaxNewTokens,
    /// The model chose its end-of-text token.
    EndOfText,
    /// The model can't read a longer text.
    ContextFull,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Generated<'a> {
    model: &'a str,
    prompt_tokens: &'a [u32],
    new_tokens: &'a [u32],
    /// The new tokens' text; null where the model has no tokenizer.
    text: Option<String>,
    stopped_by: Stop,
    seed: u64,
    settings: Settings<'a>,
    /// What setting parts to zero does to the first new token.
    #[serde(skip_serializing_if = "Option::is_none")]
    ablation: Option<Effect>,
}

/// What setting parts to zero does to what comes after the prompt.
#[derive(Clone, Debug, Serialize)]
struct Effect {
    parts: Vec<String>,
    /// The most probable token of the model as it is.
    target: u32,
    target_text: Option<String>,
    /// Its logit in the model as it is; null where that is no number.
    logit_before: f32,
    /// Its logit without the parts; null where that is no number.
    logit_after: f32,
    /// Kullback-Leibler divergence from the prediction as it is, in nats.
    kl: f32,
}

#[derive(Serialize)]
struct Settings<'a> {
    max_new_tokens: usize,
    temperature: f64,
    top_k: Option<usize>,
    top_p: Option<f64>,
    dtype: &'a str,
}

pub(super) fn run(args: &GenerateArgs) -> Result<(), CliError> {
    args.run.model.require_weights("generate")?;
    if !args.ablate.is_empty() {
        options::check_ablations(&args.ablate, &args.run.model.config()?)?;
    }
    let sampler = Sampler::new(&args.sampler.settings(args.run.seed))?;
    let prompt = args.run.prompt.read()?;
    let model = load::load(&args.run)?;
    let prompt_tokens = prompt.tokens(&model)?;
    let effect = Effect::of(&model, &prompt_tokens, &args.ablate)?;
    if let Some(effect) = &effect {
        effect.tell();
    }
    let mut printer = Printer::new(&model, args.json);
    let (new_tokens, stopped_by) = continue_text(
        &model,
        &prompt_tokens,
        &args.ablate,
        sampler,
        args.max_new_tokens,
        &mut printer,
    )?;
    printer.finish()?;
    if args.json {
        print_json(
            args,
            &model,
            &prompt_tokens,
            &new_tokens,
            stopped_by,
            effect,
        )?;
    }
    stopped_by.tell(&model);
    Ok(())
}

impl Effect {
    /// None where nothing is set to zero.
    fn of(model: &Model, tokens: &[u32], parts: &[Ablation]) -> Result<Option<Self>, CliError> {
        if parts.is_empty() {
            return Ok(None);
        }
        let effect = model.ablation_effect(tokens, parts, TargetWish::default())?;
        Ok(Some(Self {
            parts: parts.iter().map(Ablation::to_string).collect(),
            target: effect.target.token,
            target_text: decode(model, &[effect.target.token])?,
            logit_before: effect.value_before,
            logit_after: effect.value_after,
            kl: effect.kl.last().copied().unwrap_or(f32::NAN),
        }))
    }

    fn tell(&self) {
        let token = match &self.target_text {
            Some(text) => format!("{text:?} (#{})", self.target),
            None => format!("#{}", self.target),
        };
        say(&format!(
            "without {}: the logit of {token} goes from {:.3} to {:.3}, KL divergence {:.4} nats",
            self.parts.join(", "),
            self.logit_before,
            self.logit_after,
            self.kl
        ));
    }
}

impl Stop {
    /// Tells people of an end that they did not ask for.
    pub(super) fn tell(self, model: &Model) {
        match self {
            Self::MaxNewTokens => {}
            Self::EndOfText => say("note: the model ended the text"),
            Self::ContextFull => say(&format!(
                "note: the model reads at most {} tokens, so the text ends here",
                model.config().n_ctx
            )),
        }
    }
}

fn continue_text(
    model: &Model,
    prompt_tokens: &[u32],
    ablate: &[Ablation],
    mut sampler: Sampler,
    max_new_tokens: usize,
    printer: &mut Printer<'_>,
) -> Result<(Vec<u32>, Stop), CliError> {
    let config = model.config();
    let mut session = model.session_without(ablate)?;
    let mut new_tokens = Vec::new();
    let mut logits = model.run_recorded(&mut session, prompt_tokens, &mut ())?;
    loop {
        if new_tokens.len() == max_new_tokens {
            return Ok((new_tokens, Stop::MaxNewTokens));
        }
        if session.n_pos() == config.n_ctx {
            return Ok((new_tokens, Stop::ContextFull));
        }
        let token = sampler.choose(&logits)?;
        if config.eos_token_ids.contains(&token) {
            return Ok((new_tokens, Stop::EndOfText));
        }
        printer.print(token)?;
        new_tokens.push(token);
        if new_tokens.len() < max_new_tokens {
            logits = model.run_recorded(&mut session, &[token], &mut ())?;
        }
    }
}

/// Prints tokens as they come.
enum Printer<'a> {
    /// As text; the tokens of a character that is not whole yet are kept.
    Text {
        model: &'a Model,
        stream: TextStream<'a>,
        unprinted: Vec<u32>,
    },
    /// As numbers.
    Ids { is_first: bool },
    /// Not at all.
    Nothing,
}

impl<'a> Printer<'a> {
    fn new(model: &'a Model, is_json: bool) -> Self {
        match model.tokenizer() {
            _ if is_json => Self::Nothing,
            Some(tokenizer) => Self::Text {
                model,
                stream: tokenizer.stream(),
                unprinted: Vec::new(),
            },
            None => Self::Ids { is_first: true },
        }
    }

    fn print(&mut self, token: u32) -> Result<(), CliError> {
        let mut out = io::stdout().lock();
        match self {
            Self::Nothing => return Ok(()),
            Self::Ids { is_first } => {
                let separator = if *is_first { "" } else { " " };
                *is_first = false;
                write!(out, "{separator}{token}")?;
            }
            Self::Text {
                stream, unprinted, ..
            } => {
                let text = stream.push(token)?;
                unprinted.push(token);
                if !text.is_empty() {
                    unprinted.clear();
                    out.write_all(text.as_bytes())?;
                }
            }
        }
        Ok(out.flush()?)
    }

    fn finish(self) -> Result<(), CliError> {
        let mut out = io::stdout().lock();
        match self {
            Self::Nothing => return Ok(()),
            Self::Ids { .. } => {}
            Self::Text {
                model, unprinted, ..
            } => out.write_all(decode(model, &unprinted)?.unwrap_or_default().as_bytes())?,
        }
        writeln!(out)?;
        Ok(out.flush()?)
    }
}

/// The text of `tokens`, if the model has a tokenizer.
fn decode(model: &Model, tokens: &[u32]) -> Result<Option<String>, CliError> {
    let Some(tokenizer) = model.tokenizer() else {
        return Ok(None);
    };
    Ok(Some(tokenizer.decode(tokens)?))
}

fn print_json(
    args: &GenerateArgs,
    model: &Model,
    prompt_tokens: &[u32],
    new_tokens: &[u32],
    stopped_by: Stop,
    ablation: Option<Effect>,
) -> Result<(), CliError> {
    let generated = Generated {
        model: model.name(),
        prompt_tokens,
        new_tokens,
        text: decode(model, new_tokens)?,
        stopped_by,
        seed: args.run.seed,
        settings: Settings {
            max_new_tokens: args.max_new_tokens,
            temperature: args.sampler.temperature,
            top_k: args.sampler.top_k,
            top_p: args.sampler.top_p,
            dtype: args.run.model.dtype.name(),
        },
        ablation,
    };
    super::print_json(&generated)
}
