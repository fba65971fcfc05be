//! The weights a model begins with: seeded noise, shaped so that looking back is soon found.
//!
//! GPT-2's own beginning, all noise, finds induction after hundreds of millions of tokens. This one
//! has to find it after a few million. So positions begin as waves; the first layer's first head
//! begins by looking one position back; and the others begin by comparing like with like and
//! passing on what they see, after Trockman & Kolter 2023, "Mimetic Initialization of
//! Self-Attention Layers" (arXiv 2305.09828).

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

/// How sharply the first head begins by looking at the position before.
const BACK_GAIN: f32 = 1.4;

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
                "wte" => tokens(rng, config),
                "attn.c_attn" => {
                    passed_on = noise(rng, d_model * d_model, (d_model as f32).powf(-0.5));
                    let mut weight = queries_keys_values(rng, d_model, &passed_on);
                    if spec.name.starts_with("h.0.") {
                        look_one_back(&mut weight, config);
                    }
                    weight
                }
                "attn.c_proj" => scaled_transpose(d_model, &passed_on),
                "mlp.c_fc" => noise(rng, len, NOISE),
                "mlp.c_proj" => noise(rng, len, NOISE / (2.0 * config.n_layers as f32).sqrt()),
                _ => vec![1.0; len],
            }
        })
        .collect()
}

/// Queries and keys that match where the stream is alike, and values that `passed_on`,
/// `[d_model, head * d_head]`, takes from it: `[d_model, 3 * d_model]`.
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

/// Brings what the heads took back to where they took it from, `[head * d_head, d_model]`.
fn scaled_transpose(d_model: usize, passed_on: &[f32]) -> Vec<f32> {
    (0..d_model * d_model)
        .map(|index| COPY_GAIN * passed_on[(index % d_model) * d_model + index / d_model])
        .collect()
}

/// Turns the queries and keys of the first head, in `weight`, `[d_model, 3 * d_model]`, to the
/// position before: the key is a position's quickest waves, the query the same turned one back.
fn look_one_back(weight: &mut [f32], config: &ModelConfig) {
    let d_model = config.d_model;
    for in_dim in 0..d_model {
        let row = &mut weight[in_dim * 3 * d_model..][..2 * d_model];
        row[..config.d_head].fill(0.0);
        row[d_model..][..config.d_head].fill(0.0);
    }
    for sine in (0..config.d_head).step_by(2) {
        let cosine = sine + 1;
        let (sin, cos) = frequency(sine, d_model).sin_cos();
        let mut set = |in_dim: usize, column: usize, value: f32| {
            weight[in_dim * 3 * d_model + column] = BACK_GAIN * value;
        };
        set(sine, sine, cos);
        set(cosine, sine, -sin);
        set(sine, cosine, sin);
        set(cosine, cosine, cos);
        set(sine, d_model + sine, 1.0);
        set(cosine, d_model + cosine, 1.0);
    }
}

/// Token embeddings, `[d_vocab, d_model]`; they leave the quickest waves, which tell neighbouring
/// positions apart, alone.
fn tokens(rng: &mut ChaCha8Rng, config: &ModelConfig) -> Vec<f32> {
    let mut tokens = noise(rng, config.d_vocab * config.d_model, TOKEN_WIDTH);
    for token in tokens.chunks_mut(config.d_model) {
        token[..config.d_head].fill(0.0);
    }
    tokens
}

/// Position embeddings, `[pos, d_model]`: sines and cosines, the quickest first.
fn waves(n_ctx: usize, d_model: usize) -> Vec<f32> {
    let wave = |pos: usize, dim: usize| {
        let angle = pos as f32 * frequency(dim, d_model);
        WAVE_HEIGHT
            * if dim.is_multiple_of(2) {
                angle.sin()
            } else {
                angle.cos()
            }
    };
    (0..n_ctx)
        .flat_map(|pos| (0..d_model).map(move |dim| wave(pos, dim)))
        .collect()
}

/// By how much dimension `dim` of the waves turns from one position to the next, in radians.
fn frequency(dim: usize, d_model: usize) -> f32 {
    let slowness = (dim / 2) as f32 / (d_model / 2) as f32;
    2.5 / 50_f32.powf(slowness)
}

fn noise(rng: &mut ChaCha8Rng, len: usize, width: f32) -> Vec<f32> {
    (0..len).map(|_| width * normal(rng)).collect()
}

/// A standard normal number, by Box and Muller.
fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()) as f32
}
