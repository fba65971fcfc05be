//! What the model writes when it is given a beginning.

use anyhow::{Result, anyhow};
use candle_core::{Device, Tensor};
use candle_nn::ops::softmax;
use llmscope::config::ModelConfig;
use llmscope::model::{KvCaches, Net};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use tokenizers::Tokenizer;

use crate::corpus::{END_OF_TEXT_ID, Stream, rng};

/// Beginnings that each ask for something else: a story, tracking, names, rote, looking back.
const PROMPTS: [&str; 7] = [
    "Once upon a time, there was a little girl named Lily.",
    "Tom had a red ball. Mary had a blue hat. Tom gave the red ball to",
    "When Mary and John went to the store, John gave a drink to",
    "The quick brown",
    "The capital of France is",
    "Repeat: sun, mirror, blim, key, seven, dax. sun,",
    "Anna: Where is the green key?\n",
];

/// How much the model's choices are sharpened; one is not at all.
pub const TEMPERATURE: f64 = 0.7;

/// Tokens written at most.
const MAX_TOKENS: usize = 80;

/// A beginning, and what the model wrote after it.
pub struct Sample {
    /// The beginning.
    pub prompt: &'static str,
    /// What followed.
    pub continuation: String,
}

/// One sample for each prompt.
pub fn samples(
    config: &ModelConfig,
    net: &Net,
    tokenizer: &Tokenizer,
    seed: u64,
) -> Result<Vec<Sample>> {
    let mut rng = rng(seed, Stream::Samples);
    let write = |prompt| continuation(config, net, tokenizer, prompt, &mut rng);
    let continuations = PROMPTS.into_iter().map(write).collect::<Result<Vec<_>>>()?;
    let pairs = PROMPTS.into_iter().zip(continuations);
    Ok(pairs
        .map(|(prompt, continuation)| Sample {
            prompt,
            continuation,
        })
        .collect())
}

fn continuation(
    config: &ModelConfig,
    net: &Net,
    tokenizer: &Tokenizer,
    prompt: &str,
    rng: &mut ChaCha8Rng,
) -> Result<String> {
    let encoding = tokenizer.encode(prompt, false);
    let encoding = encoding.map_err(|error| anyhow!("tokenizing: {error}"))?;
    let mut caches = KvCaches::new(config);
    let mut written = Vec::new();
    let mut next = [&[END_OF_TEXT_ID], encoding.get_ids()].concat();
    while written.len() < MAX_TOKENS && caches.n_pos() + next.len() <= config.n_ctx {
        let input = Tensor::new(next.as_slice(), &Device::Cpu)?.unsqueeze(0)?; // [1, pos]
        let logits = net.forward(&input, &mut caches, &mut ())?; // [1, 1, d_vocab]
        let last = logits.flatten_all()?; // [d_vocab]
        let probs = softmax(&(last / TEMPERATURE)?, 0)?.to_vec1::<f32>()?;
        let token = draw(&probs, rng);
        if token == END_OF_TEXT_ID {
            break;
        }
        written.push(token);
        next = vec![token];
    }
    let text = tokenizer.decode(&written, false);
    text.map_err(|error| anyhow!("decoding: {error}"))
}

fn draw(probs: &[f32], rng: &mut ChaCha8Rng) -> u32 {
    let mut left: f32 = rng.random();
    let drawn = probs.iter().position(|prob| {
        left -= prob;
        left < 0.0
    });
    drawn.unwrap_or(probs.len() - 1) as u32
}
