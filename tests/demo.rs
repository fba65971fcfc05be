//! The embedded model is a real one: it continues text, keeps track, and has the heads it should.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::fs;
use std::path::Path;

use common::trace_tokens;
use llmscope::analysis::{induction_score, previous_token_score};
use llmscope::hook::{BlockSite, HookPoint};
use llmscope::model::{LoadSettings, Model, ModelSource, Sampler, SamplerSettings};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

fn demo() -> Model {
    Model::load(&ModelSource::Demo, &LoadSettings::default(), &mut |_| {}).unwrap()
}

/// The greedy continuation of `prompt`.
fn continuation(model: &Model, prompt: &str, n_tokens: usize) -> String {
    let mut sampler = Sampler::new(&SamplerSettings::default()).unwrap();
    let mut session = model.session();
    let tokens = model.encode_prompt(prompt).unwrap();
    let mut logits = model.run_recorded(&mut session, &tokens, &mut ()).unwrap();
    let mut new_tokens = Vec::new();
    for _ in 0..n_tokens {
        let token = sampler.choose(&logits).unwrap();
        new_tokens.push(token);
        logits = model.run_recorded(&mut session, &[token], &mut ()).unwrap();
    }
    model.tokenizer().unwrap().decode(&new_tokens).unwrap()
}

/// The best score of any head, by a score of its pattern.
fn best_head(model: &Model, tokens: &[u32], score: impl Fn(&[f32], usize) -> f32) -> f32 {
    let trace = trace_tokens(model, &[tokens]);
    let n_pos = tokens.len();
    let mut best: f32 = 0.0;
    for layer in 0..model.config().n_layers {
        let hook = HookPoint::block(layer, BlockSite::Pattern);
        let pattern = trace.activation(hook).unwrap();
        for head in pattern.values().chunks(n_pos * n_pos) {
            best = best.max(score(head, n_pos));
        }
    }
    best
}

/// A text's first token, then random tokens said twice.
fn said_twice(model: &Model, seed: u64, period: usize) -> Vec<u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let first = model.config().bos_token_id.unwrap();
    let random: Vec<u32> = (0..period)
        .map(|_| rng.random_range(1..model.config().d_vocab as u32))
        .collect();
    [vec![first], random.clone(), random].concat()
}

#[test]
fn a_head_looks_at_what_followed_the_same_token_before() {
    let model = demo();
    let period = 40;
    for seed in 0..4 {
        let tokens = said_twice(&model, seed, period);

        let best = best_head(&model, &tokens, |pattern, n_pos| {
            induction_score(pattern, n_pos, 1, period)
        });

        assert!(best > 0.4, "seed {seed}: {best}");
    }
}

#[test]
fn a_head_looks_at_the_token_before() {
    let model = demo();
    for seed in 0..4 {
        let tokens = said_twice(&model, seed, 40);

        let best = best_head(&model, &tokens, previous_token_score);

        assert!(best > 0.4, "seed {seed}: {best}");
    }
}

#[test]
fn the_fox_jumps_over_the_lazy_dog() {
    let text = continuation(&demo(), "The quick brown fox jumps over the", 3);

    assert!(text.starts_with(" lazy dog"), "{text:?}");
}

#[test]
fn it_keeps_track_of_names_and_things() {
    let model = demo();
    let prompts = [
        (
            "When Mary and John went to the store, John gave a drink to",
            " Mary.",
        ),
        (
            "Mary has a blue kite. Tom has a green ball. Mary plays with the blue",
            " kite",
        ),
        (
            "Emma lost her yellow key. She looked for the yellow",
            " key",
        ),
        (
            "\"I want an orange ring,\" said Lily. Lily looked for an orange",
            " ring",
        ),
    ];
    for (prompt, expected) in prompts {
        let text = continuation(&model, prompt, 3);

        assert!(
            text.starts_with(expected),
            "{prompt:?} goes on with {text:?}"
        );
    }
}

#[test]
fn it_ships_small_with_its_figures() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo");
    let n_bytes: u64 = fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    let card = fs::read_to_string(folder.join("README.md")).unwrap();

    assert!(n_bytes < 6_000_000, "{n_bytes}");
    for word in ["held-out", "bigram", "train_demo", "induction"] {
        assert!(
            card.to_lowercase().contains(word),
            "the card lacks {word:?}"
        );
    }
}
