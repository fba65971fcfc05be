//! What the heads learned to do: look at the token before, or at what followed last time.

use anyhow::Result;
use candle_core::{Device, Tensor};
use candle_nn::ops::log_softmax;
use llmscope::config::ModelConfig;
use llmscope::hook::{BlockSite, HookPoint};
use llmscope::model::{KvCaches, Net, Recorder};

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

/// How a model handles random tokens said twice.
pub struct CopyScore {
    /// Every head's scores.
    pub heads: Vec<HeadScore>,
    /// Mean loss over the second copy, nats per token; chance is the logarithm of the vocabulary.
    pub second_copy_loss: f64,
}

impl CopyScore {
    /// The head that most looks where the token came before, and the one that most looks back one.
    pub fn best(&self) -> (&HeadScore, &HeadScore) {
        let best = |score: fn(&HeadScore) -> f32| {
            let heads = self.heads.iter();
            heads
                .max_by(|one, other| score(one).total_cmp(&score(other)))
                .expect("a model has heads")
        };
        (best(|head| head.induction), best(|head| head.previous))
    }
}

/// Scores a model on an end-of-text token followed by random tokens, twice the same.
pub fn copy_score(config: &ModelConfig, net: &Net, seed: u64) -> Result<CopyScore> {
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
    let logits = net.forward(&tokens, &mut KvCaches::new(config), &mut patterns)?;

    // The second copy's first token can't be foreseen.
    let first = COPY_LEN + 1;
    let log_probs = log_softmax(&logits.narrow(1, first, COPY_LEN - 1)?, 2)?;
    let targets = tokens.narrow(1, first + 1, COPY_LEN - 1)?;
    let found = log_probs.gather(&targets.contiguous()?.unsqueeze(2)?, 2)?;
    let second_copy_loss = -f64::from(found.mean_all()?.to_scalar::<f32>()?);

    let mut heads = Vec::new();
    for (layer, pattern) in patterns.0.iter().enumerate() {
        let pattern = pattern.mean(0)?.to_vec3::<f32>()?; // [head, query, key]
        for (head, rows) in pattern.iter().enumerate() {
            let second = 1 + COPY_LEN..n_pos;
            let induction = second.map(|query| rows[query][query - COPY_LEN + 1]);
            let previous = (1..n_pos).map(|query| rows[query][query - 1]);
            heads.push(HeadScore {
                layer,
                head,
                induction: induction.sum::<f32>() / COPY_LEN as f32,
                previous: previous.sum::<f32>() / (n_pos - 1) as f32,
            });
        }
    }
    Ok(CopyScore {
        heads,
        second_copy_loss,
    })
}

/// Keeps each layer's attention pattern, `[batch, head, query, key]`.
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
