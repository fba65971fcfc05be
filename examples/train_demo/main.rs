//! Makes the demo model that llmscope carries inside it: texts, tokenizer, weights, card.
//!
//! ```sh
//! RAYON_NUM_THREADS=1 MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=8589934592 \
//!     cargo run --release --example train_demo
//! ```
//!
//! The first variable lets the two workers share the cores without candle's own threads between
//! them; the others keep glibc from giving every large tensor back to the kernel. Both are for
//! speed only.

mod bigram;
mod card;
mod corpus;
mod first_weights;
mod games;
mod learner;
mod plots;
mod samples;
mod scores;
mod stories;
mod template;
mod tracking;
mod training;
mod words;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use clap::Parser;
use llmscope::config::ModelConfig;

use crate::card::{Card, CorpusSize};
use crate::corpus::{Stream, Tokens};
use crate::learner::Learner;
use crate::training::TrainSettings;

/// Trains the demo model on generated stories.
#[derive(Parser)]
struct Args {
    /// Batches to learn from
    #[arg(long, default_value_t = 3000)]
    steps: usize,
    /// Windows of 128 tokens in a batch
    #[arg(long, default_value_t = 16)]
    batch_size: usize,
    /// Learning rate at the end of the warm-up
    #[arg(long, default_value_t = 1.5e-3)]
    peak_lr: f64,
    /// Threads that share a batch
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Percent of windows that are random tokens repeated; a quarter of it from half-way on
    #[arg(long, default_value_t = 20)]
    repeat_percent: usize,
    /// Documents to learn from
    #[arg(long, default_value_t = 60_000)]
    documents: usize,
    /// Steps between checkpoints
    #[arg(long, default_value_t = 250)]
    steps_per_checkpoint: usize,
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

/// Documents that the loss is measured on.
const HELD_OUT_DOCUMENTS: usize = 1000;

/// The model's shape, as a Hugging Face `config.json`.
const CONFIG_JSON: &str = r#"{
  "architectures": ["GPT2LMHeadModel"],
  "model_type": "gpt2",
  "activation_function": "gelu_new",
  "n_positions": 128,
  "n_embd": 128,
  "n_layer": 4,
  "n_head": 4,
  "n_inner": 512,
  "vocab_size": 1024,
  "layer_norm_epsilon": 1e-5,
  "initializer_range": 0.02,
  "attn_pdrop": 0.0,
  "embd_pdrop": 0.0,
  "resid_pdrop": 0.0,
  "bos_token_id": 0,
  "eos_token_id": 0,
  "tie_word_embeddings": true,
  "torch_dtype": "float32"
}
"#;

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(count) = args.show {
        for document in corpus::documents(args.seed, Stream::Train, count) {
            eprintln!("{document}\n{}", corpus::END_OF_TEXT);
        }
        return Ok(());
    }

    let config = ModelConfig::from_json(CONFIG_JSON)?;
    let train_texts = corpus::documents(args.seed, Stream::Train, args.documents);
    let held_out_texts = corpus::documents(args.seed, Stream::HeldOut, HELD_OUT_DOCUMENTS);
    let tokenizer = corpus::train_tokenizer(&train_texts, config.d_vocab)?;
    let train = Tokens::encode(&tokenizer, &train_texts)?;
    let held_out = Tokens::encode(&tokenizer, &held_out_texts)?;
    let bigram_loss = bigram::held_out_loss(&train.ids, &held_out.ids, config.d_vocab);
    eprintln!(
        "{} parameters, {} tokens, bigram loss {bigram_loss:.4}",
        config.parameter_count(),
        train.ids.len()
    );

    let learner = Learner::new(&config, args.seed)?;
    let settings = args.train_settings();
    let dir = checkpoint_dir();
    let time = training::train(&learner, &train, &held_out, &settings, &dir, args.resume)?;

    let net = learner.frozen()?;
    let card = Card {
        command: args.command(),
        train_size: size(&train),
        held_out_size: size(&held_out),
        steps: args.steps,
        time,
        loss: learner.held_out_loss(&held_out)?,
        bigram_loss,
        copies: scores::copy_score(&config, &net, args.seed)?,
        samples: samples::samples(&config, &net, &tokenizer, args.seed)?,
        config,
    };
    eprintln!("{}", card.to_markdown()?);
    save(&args.out, &learner, &tokenizer, &card)
}

impl Args {
    fn train_settings(&self) -> TrainSettings {
        TrainSettings {
            steps: self.steps,
            batch_size: self.batch_size,
            peak_lr: self.peak_lr,
            warmup_steps: 100,
            weight_decay: 0.1,
            max_grad_norm: 1.0,
            workers: self.workers,
            repeat_percent: self.repeat_percent,
            steps_per_checkpoint: self.steps_per_checkpoint,
            seed: self.seed,
        }
    }

    /// The command line that does the same again.
    fn command(&self) -> String {
        format!(
            "RAYON_NUM_THREADS=1 MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=8589934592 \\\n    \
             cargo run --release --example train_demo -- \\\n    \
             --steps {} --batch-size {} --peak-lr {} --workers {} --repeat-percent {} --documents {} --seed {}",
            self.steps,
            self.batch_size,
            self.peak_lr,
            self.workers,
            self.repeat_percent,
            self.documents,
            self.seed
        )
    }
}

fn size(tokens: &Tokens) -> CorpusSize {
    CorpusSize {
        documents: tokens.starts.len(),
        tokens: tokens.ids.len(),
    }
}

fn save(
    out: &Path,
    learner: &Learner,
    tokenizer: &tokenizers::Tokenizer,
    card: &Card,
) -> Result<()> {
    fs::create_dir_all(out)?;
    learner.save(&out.join("model.safetensors"))?;
    fs::write(out.join("config.json"), CONFIG_JSON)?;
    tokenizer
        .save(out.join("tokenizer.json"), false)
        .map_err(|error| anyhow!("saving the tokenizer: {error}"))?;
    fs::write(out.join("README.md"), card.to_markdown()?)?;
    Ok(())
}

/// Cargo's target directory, where checkpoints are out of the way.
fn checkpoint_dir() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    PathBuf::from(target).join("train_demo")
}
