//! The forward pass against every intermediate value that PyTorch computes for the same weights.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use common::{FAMILIES, fixture, load, read_f32_tensors, trace_tokens};
use llmscope::hook::{BlockSite, HookPoint};
use llmscope::model::{Sampler, SamplerSettings};
use llmscope::trace::{ActivationCache, Pass, Trace};

/// Absolute, f32.
const TOLERANCE: f32 = 1e-4;

struct Reference {
    tokens: Vec<u32>,
    greedy: Vec<u32>,
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

fn reference(family: &str) -> Reference {
    let folder = fixture(family);
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("reference.json")).unwrap()).unwrap();
    let ids = |field: &str| {
        json[field]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_u64().unwrap() as u32)
            .collect()
    };
    Reference {
        tokens: ids("tokens"),
        greedy: ids("greedy"),
        tensors: read_f32_tensors(&folder.join("reference.safetensors")),
    }
}

fn assert_close(name: &str, got: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(got.len(), expected.len(), "{name}");
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        let is_close = got == expected || (got - expected).abs() <= tolerance;
        assert!(is_close, "{name}[{index}] is {got}, expected {expected}");
    }
}

#[test]
fn every_value_equals_pytorchs() {
    for family in FAMILIES {
        let reference = reference(family);
        let model = load(family);

        let trace = trace_tokens(&model, &[&reference.tokens]);

        let mut n_compared = 0;
        for (name, (shape, expected)) in &reference.tensors {
            let Ok(hook) = name.parse::<HookPoint>() else {
                continue; // Saliency and the like are no hook points.
            };
            let activation = trace.activation(hook).unwrap();
            assert_eq!(activation.shape(), shape, "{family} {name}");
            assert_close(
                &format!("{family} {name}"),
                activation.values(),
                expected,
                TOLERANCE,
            );
            n_compared += 1;
        }
        let config = model.config();
        // What PyTorch was asked for: neither norms within blocks, nor rotated heads, nor scores.
        let is_compared = |hook: &HookPoint| match hook.site() {
            Some(site) => !matches!(
                site,
                BlockSite::Ln1Normalized
                    | BlockSite::Ln2Normalized
                    | BlockSite::RotQ
                    | BlockSite::RotK
                    | BlockSite::AttnScores
            ),
            None => true,
        };
        let n_expected = config
            .hook_points()
            .iter()
            .filter(|hook| is_compared(hook))
            .count();
        assert_eq!(n_compared, n_expected, "{family}");
    }
}

#[test]
fn the_logit_lens_is_pytorchs_and_after_the_last_layer_it_is_the_logits() {
    for family in FAMILIES {
        let reference = reference(family);
        let model = load(family);
        let trace = trace_tokens(&model, &[&reference.tokens]);
        let d_vocab = model.config().d_vocab;
        let n_layers = model.config().n_layers;

        for layer in 0..n_layers {
            let hook = HookPoint::block(layer, BlockSite::ResidPost);
            let resid = trace.activation(hook).unwrap();
            let logits = model.unembed(resid.values()).unwrap();

            let name = format!("logit_lens.{layer}");
            let (_, expected) = &reference.tensors[&name];
            let last = &logits[logits.len() - d_vocab..];
            assert_close(&format!("{family} {name}"), last, expected, TOLERANCE);
            if layer + 1 == n_layers {
                let expected = trace.activation(HookPoint::Logits).unwrap();
                assert_close(family, &logits, expected.values(), TOLERANCE);
            }
        }
        assert!(model.unembed(&[]).unwrap().is_empty());
    }
}

#[test]
fn the_greedy_continuation_is_pytorchs() {
    for family in FAMILIES {
        let reference = reference(family);
        let model = load(family);
        let mut sampler = Sampler::new(&SamplerSettings::default()).unwrap();
        let mut session = model.session();

        let mut logits = model
            .run_recorded(&mut session, &reference.tokens, &mut ())
            .unwrap();
        let continuation: Vec<u32> = reference
            .greedy
            .iter()
            .map(|_| {
                let token = sampler.choose(&logits).unwrap();
                logits = model.run_recorded(&mut session, &[token], &mut ()).unwrap();
                token
            })
            .collect();

        assert_eq!(continuation, reference.greedy, "{family}");
    }
}

#[test]
fn steps_with_the_kv_cache_equal_the_whole_pass() {
    for family in FAMILIES {
        let tokens = reference(family).tokens;
        let model = load(family);
        let whole = trace_tokens(&model, &[&tokens]);

        let (prompt, steps) = tokens.split_at(4);
        let parts: Vec<&[u32]> = [prompt].into_iter().chain(steps.chunks(1)).collect();
        let stepped = trace_tokens(&model, &parts);
        let in_two = trace_tokens(&model, &[&tokens[..5], &tokens[5..]]);

        for hook in model.config().hook_points() {
            let expected = whole.activation(hook).unwrap();
            for trace in [&stepped, &in_two] {
                let got = trace.activation(hook).unwrap();
                assert_close(
                    &hook.to_string(),
                    got.values(),
                    expected.values(),
                    TOLERANCE,
                );
            }
        }
    }
}

#[test]
fn a_full_context_predicts_what_pytorch_does() {
    // The first logits at the last of 64 positions, where the token at `pos` is `37 pos` of the
    // vocabulary: by PyTorch 2.15 and transformers 5.24.
    for (family, expected) in [
        ("gpt2", [0.404_227, -1.221_592, 2.254_015, -1.368_121]),
        ("llama", [0.559_787, -0.175_415, 0.383_442, 1.866_105]),
        ("mistral", [-0.289_890, 0.583_235, -0.315_247, -0.499_619]),
        ("qwen2", [0.514_014, 0.985_207, 1.098_321, -0.768_220]),
        ("qwen3", [-0.688_398, -0.472_868, -0.401_093, 1.245_416]),
        ("gpt_neox", [-0.357_641, -0.768_503, -0.436_357, -0.665_943]),
    ] {
        let model = load(family);
        let config = model.config();
        let token = |pos| (pos * 37 % config.d_vocab) as u32;
        let tokens: Vec<u32> = (0..config.n_ctx).map(token).collect();
        let (most, last) = tokens.split_at(tokens.len() - 1);
        let (mut session, mut steps) = (model.session(), model.session());

        let whole = model.run_recorded(&mut session, &tokens, &mut ()).unwrap();
        model.run_recorded(&mut steps, most, &mut ()).unwrap();
        let step = model.run_recorded(&mut steps, last, &mut ()).unwrap();

        assert_close(family, &whole[..4], &expected, TOLERANCE);
        assert_close(family, &step, &whole, TOLERANCE);
        let full = model.run_recorded(&mut session, &[0], &mut ()).unwrap_err();
        assert!(full.to_string().contains("64"), "{full}");
    }
}

#[test]
fn the_stream_is_the_sum_of_what_was_added() {
    for family in FAMILIES {
        let model = load(family);
        let trace = trace_tokens(&model, &[&reference(family).tokens]);
        let values = |layer, site| {
            let activation = trace.activation(HookPoint::block(layer, site)).unwrap();
            activation.values().to_vec()
        };
        for layer in 0..model.config().n_layers {
            let sum: Vec<f32> = values(layer, BlockSite::ResidPre)
                .iter()
                .zip(values(layer, BlockSite::AttnOut))
                .zip(values(layer, BlockSite::MlpOut))
                .map(|((resid_pre, attn_out), mlp_out)| resid_pre + attn_out + mlp_out)
                .collect();

            let resid_post = values(layer, BlockSite::ResidPost);

            assert_close(&format!("{family} layer {layer}"), &resid_post, &sum, 1e-5);
        }
    }
}

#[test]
fn every_attention_row_sums_to_one_and_sees_no_future() {
    for family in FAMILIES {
        let model = load(family);
        let trace = trace_tokens(&model, &[&reference(family).tokens]);
        let n_pos = trace.len();
        for layer in 0..model.config().n_layers {
            let pattern = trace
                .activation(HookPoint::block(layer, BlockSite::Pattern))
                .unwrap();
            let scores = trace
                .activation(HookPoint::block(layer, BlockSite::AttnScores))
                .unwrap();
            let rows = pattern
                .values()
                .chunks(n_pos)
                .zip(scores.values().chunks(n_pos));
            for (index, (row, score_row)) in rows.enumerate() {
                let query = index % n_pos;
                let sum: f32 = row.iter().sum();
                assert!((sum - 1.0).abs() < 1e-5, "row {index} sums to {sum}");
                assert!(row[query + 1..].iter().all(|weight| *weight == 0.0));
                assert!(
                    score_row[query + 1..]
                        .iter()
                        .all(|score| *score == f32::NEG_INFINITY)
                );
                let reach = model.config().window_of(layer).unwrap_or(n_pos);
                let first = (query + 1).saturating_sub(reach);
                assert!(
                    score_row[first..=query]
                        .iter()
                        .all(|score| score.is_finite())
                );
                assert!(row[..first].iter().all(|weight| *weight == 0.0));
            }
        }
    }
}

#[test]
fn a_pass_reaches_every_hook_once_and_in_order() {
    for family in FAMILIES {
        let model = load(family);
        let mut reached = Vec::new();

        model
            .run(&mut model.session(), &[1, 2, 3], &mut |hook, activation| {
                let expected = model.config().shape(hook, 3);
                assert_eq!(activation.shape(), expected, "{family} {hook}");
                reached.push(hook);
                ControlFlow::Continue(())
            })
            .unwrap();

        assert_eq!(reached, model.config().hook_points(), "{family}");
    }
}

#[test]
fn a_stopped_pass_leaves_the_session_as_it_was() {
    let model = load("gpt2");
    let mut session = model.session();
    model.run_recorded(&mut session, &[1, 2], &mut ()).unwrap();
    let undisturbed = model
        .run_recorded(&mut session.clone(), &[3, 4], &mut ())
        .unwrap();

    let stop_at = HookPoint::block(1, BlockSite::Pattern);
    let stopped = model.run(&mut session, &[9, 9, 9], &mut |hook, _| {
        if hook == stop_at {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });

    assert!(matches!(stopped, Err(llmscope::model::ModelError::Stopped)));
    assert_eq!(session.n_pos(), 2);
    let resumed = model.run_recorded(&mut session, &[3, 4], &mut ()).unwrap();
    assert_eq!(resumed, undisturbed);
}

#[test]
fn a_trace_keeps_tokens_and_passes_apart() {
    let model = load("gpt2");
    let mut trace = Trace::new(model.config().clone());

    trace.push(Arc::new(Pass {
        first_pos: 0,
        tokens: vec![1, 2],
        cache: ActivationCache::new(),
    }));

    assert_eq!(trace.len(), 2);
    assert!(trace.activation(HookPoint::Embed).is_none());
}
