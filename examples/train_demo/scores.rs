//! What the heads learned to do: look at the token before, or at what followed last time.

use anyhow::Result;
use candle_core::{Device, Tensor};
use llmscope::config::ModelConfig;
use llmscope::hook::{BlockSite, HookPoint};
use llmscope::model::{Gpt2, KvCaches, Recorder};

use crate::corpus::{END_OF_TEXT_ID, Stream, rng};
use crate::template::Dice as _;

/// Random tokens in one copy of a test sequence.
const COPY_LEN: usize = 40;

/// Test sequences averaged over.
const SEQUENCES: usize = 16;

/// The scores of one head, each from zero to one.
pub struct HeadScore {
    /// The head's layer.
    pub layer: usize,
    /// The head within the layer.
    pub head: usize,
    /// Mean attention from a token's second occurrence to the position after its first.
    pub induction: f32,
    /// Mean attention to the position before.
    pub previous: f32,
}

/// Scores every head on an end-of-text token followed by random tokens, twice the same.
pub fn head_scores(config: &ModelConfig, net: &Gpt2, seed: u64) -> Result<Vec<HeadScore>> {
    let mut dice = rng(seed, Stream::Scores);
    let n_pos = 1 + 2 * COPY_LEN;
    let mut tokens = Vec::with_capacity(SEQUENCES * n_pos);
    for _ in 0..SEQUENCES {
        let copy: Vec<u32> = (0..COPY_LEN)
            .map(|_| dice.below(config.d_vocab) as u32)
            .collect();
        tokens.push(END_OF_TEXT_ID);
        tokens.extend(copy.iter().chain(&copy));
    }
    let tokens = Tensor::from_vec(tokens, (SEQUENCES, n_pos), &Device::Cpu)?;
    let mut patterns = Patterns::default();
    net.forward(&tokens, &mut KvCaches::new(config), &mut patterns)?;

    let mut scores = Vec::new();
    for (layer, pattern) in patterns.0.iter().enumerate() {
        let pattern = pattern.mean(0)?.to_vec3::<f32>()?; // [head, query, key]
        for (head, rows) in pattern.iter().enumerate() {
            let second = 1 + COPY_LEN..n_pos;
            let induction = second.map(|query| rows[query][query - COPY_LEN + 1]);
            let previous = (1..n_pos).map(|query| rows[query][query - 1]);
            scores.push(HeadScore {
                layer,
                head,
                induction: induction.sum::<f32>() / COPY_LEN as f32,
                previous: previous.sum::<f32>() / (n_pos - 1) as f32,
            });
        }
    }
    Ok(scores)
}

/// Keeps each layer's attention pattern, [batch, head, query, key].
#[derive(Default)]
struct Patterns(Vec<Tensor>);

impl Recorder for Patterns {
    fn at(&mut self, hook: HookPoint, value: Tensor) -> candle_core::Result<Tensor> {
        if hook.site() == Some(BlockSite::Pattern) {
            self.0.push(value.clone());
        }
        Ok(value)
    }
}
