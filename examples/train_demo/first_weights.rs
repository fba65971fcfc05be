//! The weights a model begins with: seeded noise, shaped so that looking back is soon found.
//!
//! GPT-2's own beginning, all noise, finds induction after hundreds of millions of tokens. This one
//! has to find it after a few million, so positions begin as waves, and each head begins by
//! comparing like with like and passing on what it sees, after Trockman & Kolter 2023, "Mimetic
//! Initialization of Self-Attention Layers" (arXiv 2305.09828).

use llmscope::config::ModelConfig;
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

/// Width of the noise in weights without a shape of their own.
const NOISE: f32 = 0.02;

/// Width of the token embeddings.
const TOKEN_WIDTH: f32 = 0.04;

/// Height of the position waves; a little above the tokens' width, so that both are seen.
const WAVE_HEIGHT: f32 = 0.05;

/// How alike a head's queries and keys begin.
const MATCH_GAIN: f32 = 0.8;

/// How much of what a head sees it begins by passing on.
const COPY_GAIN: f32 = 0.25;

/// Every weight of a model of shape `config`, in the order of [`ModelConfig::weights`].
pub fn first_weights(rng: &mut ChaCha8Rng, config: &ModelConfig) -> Vec<Vec<f32>> {
    let d_model = config.d_model;
    let mut passed_on = Vec::new();
    let weights = config.weights().into_iter();
    weights
        .map(|spec| {
            let len = spec.element_count();
            let (part, kind) = spec.name.rsplit_once('.').unwrap_or_default();
            match part.trim_start_matches(|letter: char| "h.0123456789".contains(letter)) {
                _ if kind == "bias" => vec![0.0; len],
                "wpe" => waves(config.n_ctx, d_model),
                "wte" => noise(rng, len, TOKEN_WIDTH),
                "attn.c_attn" => {
                    passed_on = noise(rng, d_model * d_model, (d_model as f32).powf(-0.5));
                    queries_keys_values(rng, d_model, &passed_on)
                }
                "attn.c_proj" => scaled_transpose(d_model, &passed_on),
                "mlp.c_fc" => noise(rng, len, NOISE),
                "mlp.c_proj" => noise(rng, len, NOISE / (2.0 * config.n_layers as f32).sqrt()),
                _ => vec![1.0; len],
            }
        })
        .collect()
}

/// Queries and keys that match where the stream is alike, and values that `passed_on`, [d_model,
/// head * d_head], takes from it, [d_model, 3 * d_model].
fn queries_keys_values(rng: &mut ChaCha8Rng, d_model: usize, passed_on: &[f32]) -> Vec<f32> {
    let matched = noise(rng, d_model * d_model, (d_model as f32).powf(-0.5));
    let mut weight = Vec::with_capacity(3 * d_model * d_model);
    for (matched, passed_on) in matched.chunks(d_model).zip(passed_on.chunks(d_model)) {
        weight.extend(matched.iter().map(|value| MATCH_GAIN * value));
        weight.extend(
            matched
                .iter()
                .map(|value| MATCH_GAIN * value + NOISE * normal(rng)),
        );
        weight.extend(passed_on.iter().map(|value| COPY_GAIN * value));
    }
    weight
}

/// Brings what the heads took back to where they took it from, [head * d_head, d_model].
fn scaled_transpose(d_model: usize, passed_on: &[f32]) -> Vec<f32> {
    (0..d_model * d_model)
        .map(|index| COPY_GAIN * passed_on[(index % d_model) * d_model + index / d_model])
        .collect()
}

/// Position embeddings, [pos, d_model]: sines and cosines of growing wavelength.
///
/// With them "one position back" is one and the same rotation at every position.
fn waves(n_ctx: usize, d_model: usize) -> Vec<f32> {
    let wave = |pos: usize, dim: usize| {
        let slowness = (dim / 2) as f32 / (d_model / 2) as f32;
        let angle = 2.5 * pos as f32 / 50_f32.powf(slowness);
        WAVE_HEIGHT
            * if dim % 2 == 0 {
                angle.sin()
            } else {
                angle.cos()
            }
    };
    (0..n_ctx)
        .flat_map(|pos| (0..d_model).map(move |dim| wave(pos, dim)))
        .collect()
}

fn noise(rng: &mut ChaCha8Rng, len: usize, width: f32) -> Vec<f32> {
    (0..len).map(|_| width * normal(rng)).collect()
}

/// A standard normal number, by Box and Muller.
fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()) as f32
}
