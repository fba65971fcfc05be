//! From a seed to tokens: the documents, the tokenizer made from them, and their ids in one row.

use anyhow::{Result, anyhow};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer, TokenizerBuilder, TokenizerImpl};

use crate::stories;
use crate::template::Dice;

/// What stands before each document.
pub const END_OF_TEXT: &str = "<|endoftext|>";

/// The id of [`END_OF_TEXT`]: special tokens come first.
pub const END_OF_TEXT_ID: u32 = 0;

/// Which independent stream of the seed something is drawn from.
#[derive(Clone, Copy)]
pub enum Stream {
    /// Documents the model learns from.
    Train,
    /// Documents it never sees.
    HeldOut,
    /// The first weights.
    Weights,
    /// Which windows make a batch.
    Batches,
    /// Random tokens for the attention scores.
    Scores,
    /// What the samples say.
    Samples,
}

/// The random numbers of `stream` under `seed`.
pub fn rng(seed: u64, stream: Stream) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream as u64);
    rng
}

impl Dice for ChaCha8Rng {
    fn below(&mut self, sides: usize) -> usize {
        self.random_range(0..sides)
    }
}

/// `count` documents of `stream`.
pub fn documents(seed: u64, stream: Stream, count: usize) -> Vec<String> {
    let mut dice = rng(seed, stream);
    (0..count).map(|_| stories::document(&mut dice)).collect()
}

/// A byte-level BPE of `vocab_size` tokens, made from `documents`.
pub fn train_tokenizer(documents: &[String], vocab_size: usize) -> Result<Tokenizer> {
    let mut trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(vocab_size)
        .min_frequency(2)
        .special_tokens(vec![AddedToken::from(END_OF_TEXT, true)])
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    let byte_level = ByteLevel::new(false, true, true);
    let mut tokenizer: TokenizerImpl<BPE, tokenizers::NormalizerWrapper, _, _, _> =
        TokenizerBuilder::new()
            .with_model(BPE::default())
            .with_normalizer(None)
            .with_pre_tokenizer(Some(byte_level))
            .with_post_processor(Some(byte_level))
            .with_decoder(Some(byte_level))
            .build()
            .map_err(|error| anyhow!("tokenizer: {error}"))?;
    tokenizer
        .train(&mut trainer, documents.iter())
        .map_err(|error| anyhow!("tokenizer training: {error}"))?;
    let json = tokenizer
        .to_string(true)
        .map_err(|error| anyhow!("tokenizer: {error}"))?;
    json.parse().map_err(|error| anyhow!("tokenizer: {error}"))
}

/// Documents in one row of token ids, each with the end-of-text token before it.
pub struct Tokens {
    /// Every id in order.
    pub ids: Vec<u32>,
    /// Where each document's end-of-text token is.
    pub starts: Vec<usize>,
}

impl Tokens {
    /// The tokens of `documents`.
    pub fn encode(tokenizer: &Tokenizer, documents: &[String]) -> Result<Self> {
        let inputs: Vec<&str> = documents.iter().map(String::as_str).collect();
        let encodings = tokenizer
            .encode_batch_fast(inputs, false)
            .map_err(|error| anyhow!("tokenizing: {error}"))?;
        let (mut ids, mut starts) = (Vec::new(), Vec::new());
        for encoding in encodings {
            starts.push(ids.len());
            ids.push(END_OF_TEXT_ID);
            ids.extend_from_slice(encoding.get_ids());
        }
        Ok(Self { ids, starts })
    }
}
