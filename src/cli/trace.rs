//! `trace`: every value of a pass, saved under its hook point's name.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::error::CliError;
use super::files::check_file;
use super::globs::glob_matches;
use super::load;
use super::options::{self, RunArgs, SamplerArgs};
use super::recording::Recording;
use crate::ablation::Ablation;
use crate::config::ModelConfig;
use crate::hook::HookPoint;
use crate::model::Sampler;
use crate::trace::save;

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
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
}

/// What the file says of itself, as JSON under the metadata key `llmscope`: one key, because the
/// order of several would change from run to run.
#[derive(Serialize)]
struct About<'a> {
    version: &'a str,
    model: &'a str,
    prompt_tokens: &'a [u32],
    seed: u64,
    /// What was set to zero.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ablate: Vec<String>,
}

impl About<'_> {
    fn to_json(&self) -> Result<String, CliError> {
        Ok(serde_json::to_string(self).map_err(io::Error::from)?)
    }
}

pub(super) fn run(args: &TraceArgs) -> Result<(), CliError> {
    args.run.model.require_weights("trace")?;
    // What can be refused is refused before anything is computed.
    let sampler = Sampler::new(&args.sampler.settings(args.run.seed))?;
    check_file(&args.output, args.force)?;
    let config = args.run.model.config()?;
    let hooks = wanted_hooks(&config, args.hooks.as_deref())?;
    options::check_ablations(&args.ablate, &config)?;
    let prompt = args.run.prompt.read()?;
    let model = load::load(&args.run)?;
    let prompt_tokens = prompt.tokens(&model)?;
    let is_wanted = |hook| hooks.contains(&hook);
    let mut recording = Recording::new(&model, &is_wanted, &args.ablate)?;
    let ended = recording.record(&prompt_tokens, sampler, args.max_new_tokens)?;
    let about = About {
        version: env!("CARGO_PKG_VERSION"),
        model: model.name(),
        prompt_tokens: &prompt_tokens,
        seed: args.run.seed,
        ablate: args.ablate.iter().map(Ablation::to_string).collect(),
    };
    let metadata = HashMap::from([("llmscope".to_owned(), about.to_json()?)]);
    let saved: Vec<HookPoint> = hooks.iter().copied().collect();
    save(&recording.trace, &saved, metadata, &args.output, args.force)?;
    // What was computed is saved, even where no further token could be chosen.
    ended?.tell(&model);
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
