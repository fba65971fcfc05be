//! What is left on disk: weights, config, tokenizer, and a card that says how they came about.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, anyhow};
use candle_core::{Device, Tensor};
use candle_nn::ops::softmax;
use llmscope::config::ModelConfig;
use llmscope::model::{Gpt2, KvCaches};
use rand::Rng as _;
use tokenizers::Tokenizer;

use crate::corpus::{Stream, rng};
use crate::scores::HeadScore;
use crate::training::Learner;

/// What the card reports.
pub struct Figures {
    /// The command that makes the model again.
    pub command: String,
    /// Documents and tokens of the training corpus.
    pub corpus: (usize, usize),
    /// Documents and tokens held out.
    pub held_out: (usize, usize),
    /// Optimiser steps and tokens they saw.
    pub steps: (usize, usize),
    /// Seconds of training.
    pub train_secs: f64,
    /// Held-out loss of the model, nats per token.
    pub loss: f64,
    /// Held-out loss of the bigram table, nats per token.
    pub bigram_loss: f64,
    /// Every head's scores.
    pub heads: Vec<HeadScore>,
    /// Prompts with what the model wrote after them.
    pub samples: Vec<(String, String)>,
}

/// Writes the weights as f32 under the names of a Hugging Face GPT-2.
pub fn save_weights(learner: &Learner, path: &Path) -> Result<()> {
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize_to_file(learner.weights(), Some(metadata), path)?;
    Ok(())
}

/// The `config.json` of a Hugging Face GPT-2.
pub fn config_json() -> serde_json::Value {
    serde_json::json!({
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "activation_function": "gelu_new",
        "n_positions": 128,
        "n_ctx": 128,
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
        "torch_dtype": "float32",
    })
}

/// What the model writes after `prompt`: `max_tokens` at most, cooled to `temperature`.
pub fn continuation(
    config: &ModelConfig,
    net: &Gpt2,
    tokenizer: &Tokenizer,
    prompt: &str,
    max_tokens: usize,
    temperature: f64,
    seed: u64,
) -> Result<String> {
    let encoding = tokenizer
        .encode(prompt, false)
        .map_err(|error| anyhow!("tokenizing: {error}"))?;
    let mut rng = rng(seed, Stream::Scores);
    let mut caches = KvCaches::new(config);
    let mut written = Vec::new();
    let mut next: Vec<u32> = [&[0], encoding.get_ids()].concat();
    while written.len() < max_tokens && caches.n_pos() + next.len() < config.n_ctx {
        let input = Tensor::new(next.as_slice(), &Device::Cpu)?.unsqueeze(0)?;
        let logits = net.forward(&input, &mut caches, &mut ())?; // [1, pos, d_vocab]
        let last = logits.get(0)?.get(next.len() - 1)?;
        let probs = softmax(&(last / temperature)?, 0)?.to_vec1::<f32>()?;
        let mut left: f32 = rng.random();
        let token = probs
            .iter()
            .position(|prob| {
                left -= prob;
                left <= 0.0
            })
            .unwrap_or(0) as u32;
        if token == 0 {
            break;
        }
        written.push(token);
        next = vec![token];
    }
    tokenizer
        .decode(&written, false)
        .map_err(|error| anyhow!("decoding: {error}"))
}

/// The model card.
pub fn readme(config: &ModelConfig, figures: &Figures) -> Result<String> {
    let mut text = String::new();
    writeln!(
        text,
        "# The demo model\n\n\
         A GPT-2 of {} parameters ({} layers, {} heads, d_model {}, d_mlp {}, {} byte-level BPE \
         tokens, context {}) that tells very simple stories. It was made from nothing by\n\n\
         ```sh\n{}\n```\n\n\
         which generates its texts, makes its tokenizer, and trains it through llmscope's own \
         forward pass. No text of anyone else's is in it: every document comes from the templates \
         and word lists in `examples/train_demo/`. It knows those and nothing else, so it is for \
         looking into and not for answering.\n",
        config.parameter_count(),
        config.n_layers,
        config.n_heads,
        config.d_model,
        config.d_mlp,
        config.d_vocab,
        config.n_ctx,
        figures.command,
    )?;
    writeln!(text, "## Figures\n\n| | |\n|---|---|")?;
    let (documents, tokens) = figures.corpus;
    writeln!(
        text,
        "| Training texts | {documents} documents, {tokens} tokens |"
    )?;
    let (documents, tokens) = figures.held_out;
    writeln!(
        text,
        "| Held out | {documents} documents, {tokens} tokens, another stream of the seed |"
    )?;
    let (steps, seen) = figures.steps;
    let minutes = figures.train_secs / 60.0;
    let rate = seen as f64 / figures.train_secs;
    writeln!(
        text,
        "| Training | {steps} steps, {seen} tokens, {minutes:.1} minutes on two CPU cores ({rate:.0} tokens/s) |"
    )?;
    writeln!(
        text,
        "| Held-out loss | {:.3} nats per token |",
        figures.loss
    )?;
    writeln!(
        text,
        "| Held-out loss of a bigram table | {:.3} nats per token |",
        figures.bigram_loss
    )?;
    writeln!(
        text,
        "\nThe random word lists in the texts can't be predicted the first time they are said, and \
         they are a good part of the loss.\n\n## Heads\n\n\
         On an end-of-text token followed by 40 random tokens, twice the same, averaged over 16 \
         such texts. Induction: attention from a token's second occurrence to the position after \
         its first. Previous token: attention to the position before.\n\n\
         | Head | Induction | Previous token |\n|---|---|---|",
    )?;
    for score in &figures.heads {
        writeln!(
            text,
            "| L{}H{} | {:.2} | {:.2} |",
            score.layer, score.head, score.induction, score.previous
        )?;
    }
    writeln!(
        text,
        "\n## Samples\n\nTemperature 0.7; the prompt is in bold.\n"
    )?;
    for (prompt, continuation) in &figures.samples {
        writeln!(
            text,
            "> **{prompt}**{}\n",
            continuation.replace('\n', "\\\n> ")
        )?;
    }
    Ok(text.trim_end().to_owned() + "\n")
}
