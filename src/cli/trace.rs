//! `trace`: every value of a text, saved under its hook point's name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::error::CliError;
use super::globs::glob_matches;
use super::options::{self, RunArgs, SamplerArgs};
use super::recording::Recording;
use super::{load, say};
use crate::ablation::Ablation;
use crate::config::ModelConfig;
use crate::engine::read_lens;
use crate::hook::HookPoint;
use crate::model::{Model, Sampler};
use crate::trace::{
    About, Contents, LensReading, Pass, Sampling, TraceWriter, check_target, recover,
};

/// Options of `trace`.
#[derive(Clone, Debug, Args)]
pub struct TraceArgs {
    /// The safetensors file to write
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// The model and what it reads.
    #[command(flatten)]
    pub run: RunArgs,
    /// Save only hook points of these names; `*` stands for any characters, as in
    /// `hook_embed,blocks.*.attn.hook_pattern`
    #[arg(long, value_name = "GLOB,...", value_delimiter = ',')]
    pub hooks: Option<Vec<String>>,
    /// Parts set to zero at every position: heads, neurons, dimensions or all of a hook point, such as
    /// `blocks.1.attn.hook_z:3,blocks.1.mlp.hook_post:33`
    #[arg(long, value_name = "HOOK:INDEX,...", value_delimiter = ',')]
    pub ablate: Vec<Ablation>,
    /// How many tokens to add to the prompt, and to trace
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub max_new_tokens: usize,
    /// How the next token is chosen.
    #[command(flatten)]
    pub sampler: SamplerArgs,
    /// Leave out what the logit lens reads, which takes longer than the pass itself
    #[arg(long)]
    pub no_lens: bool,
    /// Compute nothing: save what is whole in the file that a trace has left when it was cut short,
    /// such as `F.safetensors.part`
    #[arg(
        long,
        value_name = "PART",
        conflicts_with_all = [
            "model", "arch", "prompt", "prompt_file", "tokens", "hooks", "ablate", "max_new_tokens",
            "no_lens",
        ]
    )]
    pub recover: Option<PathBuf>,
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
}

pub(super) fn run(args: &TraceArgs) -> Result<(), CliError> {
    if let Some(part) = &args.recover {
        return save_left(part, args);
    }
    args.run.model.require_weights("trace")?;
    // What can be refused is refused before anything is computed.
    let sampler = Sampler::new(&args.sampler.settings(args.run.seed))?;
    check_target(&args.output, args.force)?;
    let config = args.run.model.config()?;
    let hooks = wanted_hooks(&config, args.hooks.as_deref())?;
    options::check_ablations(&args.ablate, &config)?;
    let prompt = args.run.prompt.read()?;
    let model = load::load(&args.run)?;
    let prompt_tokens = prompt.tokens(&model)?;
    let is_wanted = |hook| hooks.contains(&hook);
    let mut recording = Recording::new(&model, &is_wanted, &args.ablate)?;
    let contents = contents(args, &model, &prompt_tokens, &hooks);
    let has_lens = contents.has_lens;
    let mut writer = TraceWriter::create(&args.output, contents, args.force)?;
    let ended = recording.record(&prompt_tokens, sampler, args.max_new_tokens, &mut |pass| {
        append(&mut writer, pass, has_lens.then_some(&model))
    });
    match ended {
        // What was computed is where the message says.
        Err(error @ CliError::Save(_)) => Err(error),
        // Without a single pass there is nothing to save.
        Err(error) if writer.n_pos() == 0 => Err(error),
        // What was computed is saved, even where no further token could be.
        ended => {
            writer.finish()?;
            ended?.tell(&model);
            Ok(())
        }
    }
}

fn contents(
    args: &TraceArgs,
    model: &Model,
    prompt_tokens: &[u32],
    hooks: &BTreeSet<HookPoint>,
) -> Contents {
    let hooks: Vec<HookPoint> = hooks.iter().copied().collect();
    let has_lens = !args.no_lens && Contents::lens_is_of(&hooks, model.config());
    Contents {
        about: About {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            model: model.name().to_owned(),
            revision: args.run.model.model.revision().map(str::to_owned),
            config: model.config().clone(),
            prompt_tokens: prompt_tokens.to_vec(),
            seed: args.run.seed,
            sampling: Sampling {
                temperature: args.sampler.temperature,
                top_k: args.sampler.top_k,
                top_p: args.sampler.top_p,
            },
            ablate: args.ablate.iter().map(Ablation::to_string).collect(),
        },
        hooks,
        has_lens,
        vocab: model.vocab().clone(),
    }
}

/// Saves a pass, and what the lens of `model` reads of it.
fn append(writer: &mut TraceWriter, pass: Pass, model: Option<&Model>) -> Result<(), CliError> {
    let pass = Arc::new(pass);
    let lens: Vec<Vec<LensReading>> = match model {
        Some(model) => read_lens(model, Arc::clone(&pass))?,
        None => Vec::new(),
    };
    let first_pos = pass.first_pos;
    writer.append(&pass, &|layer, pos| lens.get(layer)?.get(pos - first_pos))?;
    Ok(())
}

/// Saves what a trace that was cut short has left.
fn save_left(part: &Path, args: &TraceArgs) -> Result<(), CliError> {
    let recovered = recover(part, &args.output, args.force)?;
    let torn = match recovered.torn_bytes {
        0 => String::new(),
        bytes => format!("; {bytes} bytes of a token that was not whole are lost"),
    };
    say(&format!(
        "recovered {} tokens to {}{torn}",
        recovered.n_pos,
        args.output.display()
    ));
    Ok(())
}

fn wanted_hooks(
    config: &ModelConfig,
    globs: Option<&[String]>,
) -> Result<BTreeSet<HookPoint>, CliError> {
    let all = config.hook_points();
    let Some(globs) = globs else {
        return Ok(all.into_iter().collect());
    };
    let mut wanted = BTreeSet::new();
    for glob in globs {
        let mut matching = all
            .iter()
            .filter(|hook| glob_matches(glob, &hook.to_string()))
            .peekable();
        if matching.peek().is_none() {
            return Err(CliError::Usage(format!(
                "--hooks {glob:?} is no hook point of this model; names look like hook_embed, \
                 blocks.0.attn.hook_pattern or logits, and * stands for any characters"
            )));
        }
        wanted.extend(matching);
    }
    Ok(wanted)
}
