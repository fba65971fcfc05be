//! Makes the demo model that llmscope carries inside it: texts, tokenizer, weights, card.
//!
//! ```sh
//! cargo run --release --no-default-features --example train_demo
//! ```

mod bigram;
mod card;
mod corpus;
mod games;
mod plots;
mod scores;
mod stories;
mod template;
mod tracking;
mod training;
mod words;

use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::{Result, anyhow};
use clap::Parser;
use llmscope::config::ModelConfig;

use crate::corpus::{Stream, Tokens, documents, train_tokenizer};
use crate::training::{Learner, TrainSettings};

/// Trains the demo model on generated stories.
#[derive(Parser)]
struct Args {
    /// Batches to learn from
    #[arg(long, default_value_t = 4000)]
    steps: usize,
    /// Windows of 128 tokens in a batch
    #[arg(long, default_value_t = 16)]
    batch_size: usize,
    /// Learning rate at the end of the warm-up
    #[arg(long, default_value_t = 3e-3)]
    peak_lr: f64,
    /// Percent of windows that are random tokens repeated
    #[arg(long, default_value_t = 5)]
    repeat_percent: usize,
    /// Documents to learn from
    #[arg(long, default_value_t = 60_000)]
    documents: usize,
    /// Everything random follows from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Go on from the last checkpoint
    #[arg(long)]
    resume: bool,
    /// Print this many documents and stop
    #[arg(long)]
    show: Option<usize>,
    /// Where the model goes
    #[arg(long, default_value = "assets/demo")]
    out: PathBuf,
}

/// Prompts whose continuations go on the card.
const PROMPTS: [&str; 6] = [
    "Once upon a time, there was a little girl named Lily.",
    "Tom had a red ball. Mary had a blue hat. Tom gave the red ball to",
    "When Mary and John went to the store, John gave a drink to",
    "The quick brown",
    "Repeat: sun, tiger, blim, key, seven. sun,",
    "Anna: Where is the green key?\n",
];

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(count) = args.show {
        for document in documents(args.seed, Stream::Train, count) {
            eprintln!("{document}\n{}", corpus::END_OF_TEXT);
        }
        return Ok(());
    }

    let config_text = serde_json::to_string_pretty(&card::config_json())?;
    let config = ModelConfig::from_json(&config_text)?;
    let train_documents = documents(args.seed, Stream::Train, args.documents);
    let held_out_documents = documents(args.seed, Stream::HeldOut, 1000);
    let tokenizer = train_tokenizer(&train_documents, config.d_vocab)?;
    let train = Tokens::encode(&tokenizer, &train_documents)?;
    let held_out = Tokens::encode(&tokenizer, &held_out_documents)?;
    let bigram_loss = bigram::held_out_loss(&train.ids, &held_out.ids, config.d_vocab);
    eprintln!(
        "{} parameters, {} training tokens, {} held out, bigram loss {bigram_loss:.4}",
        config.parameter_count(),
        train.ids.len(),
        held_out.ids.len()
    );

    let settings = TrainSettings {
        steps: args.steps,
        batch_size: args.batch_size,
        peak_lr: args.peak_lr,
        warmup_steps: 100,
        weight_decay: 0.1,
        max_grad_norm: 1.0,
        repeat_percent: args.repeat_percent,
        seed: args.seed,
    };
    let learner = Learner::new(&config, args.seed)?;
    let (train_secs, seen) =
        learner.train(&train, &held_out, &settings, &checkpoint_dir(), args.resume)?;

    let net = learner.frozen()?;
    let mut samples = Vec::new();
    for prompt in PROMPTS {
        let text = card::continuation(&config, &net, &tokenizer, prompt, 80, 0.7, args.seed)?;
        samples.push((prompt.replace('\n', ""), text));
    }
    let figures = card::Figures {
        command: format!(
            "cargo run --release --no-default-features --example train_demo -- --steps {} --batch-size {} --peak-lr {} --repeat-percent {} --documents {} --seed {}",
            args.steps,
            args.batch_size,
            args.peak_lr,
            args.repeat_percent,
            args.documents,
            args.seed
        ),
        corpus: (train_documents.len(), train.ids.len()),
        held_out: (held_out_documents.len(), held_out.ids.len()),
        steps: (args.steps, seen),
        train_secs,
        loss: learner.held_out_loss(&held_out)?,
        bigram_loss,
        heads: scores::head_scores(&config, &net, args.seed)?,
        samples,
    };

    fs::create_dir_all(&args.out)?;
    card::save_weights(&learner, &args.out.join("model.safetensors"))?;
    fs::write(args.out.join("config.json"), config_text + "\n")?;
    tokenizer
        .save(args.out.join("tokenizer.json"), false)
        .map_err(|error| anyhow!("tokenizer: {error}"))?;
    let readme = card::readme(&config, &figures)?;
    eprintln!("{readme}");
    fs::write(args.out.join("README.md"), readme)?;
    Ok(())
}

fn checkpoint_dir() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    PathBuf::from(target).join("train_demo")
}
