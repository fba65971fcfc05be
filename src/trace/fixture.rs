//! A small trace for tests: a prompt of two tokens and a step, with numbers that are none.

use std::sync::Arc;

use super::{About, Activation, Candidate, Contents, LensReading, Pass, Sampling, Trace, Vocab};
use crate::config::ModelConfig;

pub(super) fn config() -> ModelConfig {
    ModelConfig {
        n_layers: 2,
        d_model: 4,
        n_heads: 2,
        n_kv_heads: 2,
        d_head: 2,
        d_mlp: 3,
        n_ctx: 8,
        d_vocab: 5,
        bos_token_id: None,
        eos_token_ids: Vec::new(),
        ..ModelConfig::preset("gpt2").unwrap()
    }
}

pub(super) fn about() -> About {
    About {
        version: "0.0.1".to_owned(),
        model: "small".to_owned(),
        revision: None,
        config: config(),
        prompt_tokens: vec![1, 2],
        seed: 7,
        sampling: Sampling {
            temperature: 0.7,
            top_k: Some(3),
            top_p: None,
        },
        ablate: Vec::new(),
    }
}

pub(super) fn contents() -> Contents {
    let texts = ["a", " b", "", "ü\n", "e"];
    Contents {
        about: about(),
        hooks: config().hook_points(),
        has_lens: true,
        vocab: Vocab::new(texts.map(str::to_owned).to_vec()),
    }
}

/// Values of every hook point; masked ones as masking makes them.
pub(super) fn pass(first_pos: usize, tokens: &[u32]) -> Pass {
    let config = config();
    let (n_pos, end) = (tokens.len(), first_pos + tokens.len());
    let mut number = first_pos as f32;
    let mut next = || {
        number += 0.37;
        match number as u32 % 11 {
            3 => f32::NAN,
            5 => f32::NEG_INFINITY,
            7 => -0.0,
            _ => number,
        }
    };
    let mut cache = super::ActivationCache::new();
    for hook in config.hook_points() {
        let is_square = super::record::is_square(hook);
        let shape = if is_square {
            vec![config.n_heads, n_pos, end]
        } else {
            config.shape(hook, n_pos)
        };
        let mut values: Vec<f32> = (0..shape.iter().product()).map(|_| next()).collect();
        if is_square {
            let masked = if hook.to_string().ends_with("scores") {
                f32::NEG_INFINITY
            } else {
                0.0
            };
            for (row_index, row) in values.chunks_mut(end).enumerate() {
                row[first_pos + row_index % n_pos + 1..].fill(masked);
            }
        }
        cache.insert(hook, Activation::new(shape, values));
    }
    Pass {
        first_pos,
        tokens: tokens.to_vec(),
        cache,
    }
}

pub(super) fn passes() -> Vec<Pass> {
    let texts = [(0, &[1, 2][..]), (2, &[4]), (3, &[0])];
    texts
        .map(|(first_pos, tokens)| pass(first_pos, tokens))
        .into()
}

pub(super) fn trace() -> Trace {
    let mut trace = Trace::new(config());
    for pass in passes() {
        trace.push(Arc::new(pass));
    }
    trace
}

/// Each layer's and position's own; the last layer was not read at the last position.
pub(super) fn lens() -> Vec<Vec<Option<LensReading>>> {
    let reading = |layer: usize, pos: usize| LensReading {
        top: (0..(layer + pos).min(5))
            .map(|rank| Candidate {
                token: rank as u32,
                probability: 0.1 * pos as f32,
            })
            .collect(),
        entropy: if pos == 1 { f32::NAN } else { pos as f32 },
        kl: layer as f32,
    };
    let is_read = |layer, pos| (layer, pos) != (1, 3);
    (0..2)
        .map(|layer| {
            let positions = 0..4;
            positions
                .map(|pos| is_read(layer, pos).then(|| reading(layer, pos)))
                .collect()
        })
        .collect()
}

/// The same bits, NaN and minus zero included.
#[track_caller]
pub(super) fn assert_same_bits(left: &Trace, right: &Trace) {
    assert_eq!(left.passes().len(), right.passes().len());
    for (left, right) in left.passes().iter().zip(right.passes()) {
        assert_eq!(
            (left.first_pos, &left.tokens),
            (right.first_pos, &right.tokens)
        );
        assert!(left.cache.keys().eq(right.cache.keys()));
        for ((hook, left), right) in left.cache.iter().zip(right.cache.values()) {
            let bits = |activation: &Activation| -> Vec<u32> {
                activation
                    .values()
                    .iter()
                    .map(|value| value.to_bits())
                    .collect()
            };
            assert_eq!(left.shape(), right.shape(), "{hook}");
            assert_eq!(bits(left), bits(right), "{hook}");
        }
    }
}
