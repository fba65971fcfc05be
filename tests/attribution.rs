//! Gradients, attributions and ablations against PyTorch's values for the same weights, and against
//! what they mean.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::collections::BTreeMap;

use candle_core::Tensor;
use common::{FAMILIES, fixture, load, read_f32_tensors, read_ids, trace_tokens};
use llmscope::ablation::Ablation;
use llmscope::analysis::{
    SaliencyMeasure, attribution_cells, direct_cells, head_saliency, neuron_saliency, saliency_map,
};
use llmscope::attribution::{Baseline, Gradients, IntegrationSettings, TargetWish, kl_divergence};
use llmscope::hook::{BlockSite, HookPoint};
use llmscope::model::{Model, ModelError, Recorder};

/// Absolute, f32.
const TOLERANCE: f32 = 1e-4;
/// Of gradients, relative to the largest entry.
const GRADIENT_TOLERANCE: f32 = 1e-3;

type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

fn reference(family: &str) -> (Vec<u32>, u32, Tensors) {
    let folder = fixture(family);
    let path = folder.join("reference.json");
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let target = json["target"].as_u64().unwrap() as u32;
    let tensors = read_f32_tensors(&folder.join("reference.safetensors"));
    (read_ids(&path, "tokens"), target, tensors)
}

fn assert_close(name: &str, got: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(got.len(), expected.len(), "{name}");
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        let is_close = (got - expected).abs() <= tolerance;
        assert!(is_close, "{name}[{index}] is {got}, expected {expected}");
    }
}

/// As [`assert_close`], relative to the largest entry expected.
fn assert_close_to_largest(name: &str, got: &[f32], expected: &[f32]) {
    let largest = expected
        .iter()
        .fold(0.0f32, |all, value| all.max(value.abs()));
    assert!(largest > 0.0, "{name}");
    assert_close(name, got, expected, GRADIENT_TOLERANCE * largest);
}

fn all_gradients(model: &Model, tokens: &[u32], wish: TargetWish) -> Gradients {
    model.gradients(tokens, &[], wish, &|_| true).unwrap()
}

#[test]
fn gradient_norm_and_gradient_times_input_are_pytorchs() {
    for family in FAMILIES {
        let (tokens, token, tensors) = reference(family);
        let model = load(family);

        let gradients = all_gradients(&model, &tokens, TargetWish::default());

        assert_eq!(gradients.target.token, token, "{family}");
        assert_eq!(gradients.target.pos, tokens.len() - 1);
        for (measure, name) in [
            (SaliencyMeasure::GradientNorm, "saliency.grad_norm"),
            (SaliencyMeasure::GradientTimesInput, "saliency.grad_x_input"),
        ] {
            let got = measure.by_pos(&gradients, HookPoint::Embed).unwrap();
            assert_close_to_largest(&format!("{family} {name}"), &got, &tensors[name].1);
        }
        let logits = &tensors["logits"].1;
        let last = &logits[logits.len() - model.config().d_vocab..];
        assert!((gradients.value - last[token as usize]).abs() < TOLERANCE);
    }
}

#[test]
fn integrated_gradients_are_pytorchs_and_nearly_complete() {
    for family in FAMILIES {
        let (tokens, _, tensors) = reference(family);
        let model = load(family);
        let settings = IntegrationSettings::default();

        let integrated = model
            .integrated_gradients(&tokens, &[], TargetWish::default(), settings)
            .unwrap();

        let name = "saliency.integrated_gradients";
        assert_eq!((settings.n_steps, settings.baseline), (64, Baseline::Zero));
        assert_close_to_largest(name, &integrated.by_pos, &tensors[name].1);
        let sum: f32 = integrated.by_pos.iter().sum();
        let whole = integrated.value - integrated.baseline_value;
        let error = integrated.completeness_error();
        assert!((sum - whole - error).abs() < 1e-4);
        let coarse = IntegrationSettings {
            n_steps: 2,
            ..settings
        };
        let coarse = model
            .integrated_gradients(&tokens, &[], TargetWish::default(), coarse)
            .unwrap();
        assert!(
            error.abs() < coarse.completeness_error().abs(),
            "{family}: {error} of 64 steps, {} of 2",
            coarse.completeness_error()
        );
    }
}

#[test]
fn a_way_from_the_text_to_itself_adds_nothing() {
    let model = load("gpt2");
    let settings = IntegrationSettings {
        n_steps: 3,
        baseline: Baseline::Token(7),
    };

    let wish = TargetWish::default();
    let alone = model.integrated_gradients(&[7, 7], &[], wish, settings);
    let other = model.integrated_gradients(&[7, 8], &[], wish, settings);

    let (alone, other) = (alone.unwrap(), other.unwrap());
    assert_eq!(alone.by_pos, [0.0, 0.0]);
    assert_eq!(alone.value, alone.baseline_value);
    assert_eq!(other.by_pos[0], 0.0, "both begin with token 7");
    assert!(other.by_pos[1].abs() > 1e-3);
    let mean = IntegrationSettings {
        baseline: Baseline::Mean,
        ..settings
    };
    let mean = model
        .integrated_gradients(&[7, 8], &[], wish, mean)
        .unwrap();
    assert_ne!(mean.by_pos, other.by_pos);
}

#[test]
fn the_parts_of_a_direct_attribution_are_pytorchs_and_sum_to_the_logit() {
    for family in FAMILIES {
        let (tokens, token, tensors) = reference(family);
        let model = load(family);
        let trace = trace_tokens(&model, &[&tokens[..4], &tokens[4..]]);
        let last = trace.token(tokens.len() - 1).unwrap();

        let direct = model
            .direct_attribution(&last, TargetWish::default())
            .unwrap();

        assert_eq!(direct.target.token, token);
        let expected = |name: &str| tensors[&format!("direct.{name}")].1.clone();
        // PyTorch was asked for GPT-2's parts only; those of the others have their sum to go by.
        let close = |name: &str, got: &[f32]| {
            if family.starts_with("gpt2") {
                assert_close(&format!("{family} {name}"), got, &expected(name), TOLERANCE);
            }
        };
        close("embed", &[direct.embed]);
        close("pos_embed", &[direct.pos_embed]);
        close("heads", &direct.heads.concat());
        close("attn_bias", &direct.attn_bias);
        let n_layers = model.config().n_layers;
        let mlps: Vec<f32> = (0..n_layers).map(|layer| direct.mlp(layer)).collect();
        close("mlps", &mlps);
        close("bias", &[direct.bias]);
        assert!((direct.sum() - direct.value).abs() < TOLERANCE, "{family}");

        // Numbers of z sum to their heads, and what is written sums to what it is written by.
        let cells = direct_cells(&direct, &last, model.config());
        for layer in 0..n_layers {
            let sum = |site| -> f32 {
                let hook = HookPoint::block(layer, site);
                cells[&hook].values().iter().sum()
            };
            let heads: f32 = direct.heads[layer].iter().sum();
            assert!((sum(BlockSite::Z) - heads).abs() < TOLERANCE);
            let attention = direct.attention(layer);
            assert!((sum(BlockSite::AttnOut) - attention).abs() < TOLERANCE);
            assert!((sum(BlockSite::MlpOut) - direct.mlp(layer)).abs() < TOLERANCE);
            assert!(!cells.contains_key(&HookPoint::block(layer, BlockSite::Pattern)));
        }
    }
}

#[test]
fn the_direct_attribution_of_a_difference_is_the_difference_of_two() {
    let model = load("gpt2-wide-mlp");
    let trace = trace_tokens(&model, &[&[3, 1, 4, 1, 5]]);
    let token = trace.token(2).unwrap();
    let of = |token_id, minus| {
        let wish = TargetWish {
            pos: None,
            token: Some(token_id),
            minus,
        };
        model.direct_attribution(&token, wish).unwrap()
    };

    let (first, second, both) = (of(9, None), of(20, None), of(9, Some(20)));

    assert_eq!(both.target.pos, 2);
    assert!((both.value - (first.value - second.value)).abs() < TOLERANCE);
    assert!((both.sum() - both.value).abs() < TOLERANCE);
    for layer in 0..model.config().n_layers {
        for (head, share) in both.heads[layer].iter().enumerate() {
            let expected = first.heads[layer][head] - second.heads[layer][head];
            assert!((share - expected).abs() < TOLERANCE);
        }
    }
}

#[test]
fn ablated_logits_are_pytorchs() {
    for family in FAMILIES {
        let (tokens, token, tensors) = reference(family);
        let model = load(family);
        let logits = &tensors["logits"].1;
        let before = &logits[logits.len() - model.config().d_vocab..];
        let mut n_compared = 0;
        for (name, (_, expected)) in &tensors {
            let Some(part) = name.strip_prefix("ablate.") else {
                continue;
            };
            let (hook, index) = part.rsplit_once('.').unwrap();
            let part: Ablation = format!("{hook}:{index}").parse().unwrap();

            let mut session = model.session_without(&[part]).unwrap();
            let whole = model.run_recorded(&mut session, &tokens, &mut ()).unwrap();
            let effect = model
                .ablation_effect(&tokens, &[part], TargetWish::default())
                .unwrap();

            assert_close(&format!("{family} {name}"), &whole, expected, TOLERANCE);
            assert_close(name, &effect.logits_after, expected, TOLERANCE);
            assert_close(name, &effect.logits_before, before, TOLERANCE);
            assert_eq!(effect.target.token, token);
            let after = expected[token as usize];
            assert!((effect.value_after - after).abs() < TOLERANCE);
            let kl = kl_divergence(before, expected);
            assert_eq!(effect.kl.len(), tokens.len());
            assert!((effect.kl[tokens.len() - 1] - kl).abs() < TOLERANCE);
            assert!(kl > 0.0);
            n_compared += 1;
        }
        assert_eq!(n_compared, 4, "{family}");
    }
}

#[test]
fn ablated_steps_equal_the_ablated_whole_and_nothing_ablated_changes_nothing() {
    let model = load("gpt2");
    let tokens = [3, 1, 4, 1, 5, 9];
    let parts: Vec<Ablation> = ["blocks.0.attn.hook_z:2", "blocks.1.hook_mlp_out"]
        .map(|part| part.parse().unwrap())
        .to_vec();
    let logits = |session: &mut llmscope::model::Session, tokens: &[u32]| {
        model.run_recorded(session, tokens, &mut ()).unwrap()
    };

    let mut stepped = model.session_without(&parts).unwrap();
    logits(&mut stepped, &tokens[..3]);
    logits(&mut stepped, &tokens[3..5]);
    let by_steps = logits(&mut stepped, &tokens[5..]);
    let whole = logits(&mut model.session_without(&parts).unwrap(), &tokens);
    let intact = logits(&mut model.session(), &tokens);
    let none = logits(&mut model.session_without(&[]).unwrap(), &tokens);

    assert_close("steps", &by_steps, &whole, TOLERANCE);
    assert_eq!(none, intact);
    let effect = model
        .ablation_effect(&tokens, &parts, TargetWish::default())
        .unwrap();
    assert_close("effect", &effect.logits_after, &whole, TOLERANCE);
    assert_eq!(stepped.ablations(), parts);
}

#[test]
fn what_is_ablated_is_recorded_as_zero_even_where_it_was_not_a_number() {
    let model = load("gpt2");
    let z = HookPoint::block(1, BlockSite::Z);
    let parts = [Ablation::new(z, Some(2))];
    let mut session = model.session_without(&parts).unwrap();
    let mut recorded = None;

    model
        .run(&mut session, &[3, 1], &mut |hook, activation| {
            if hook == z {
                recorded = Some(activation);
            }
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();

    let recorded = recorded.unwrap();
    let d_head = model.config().d_head;
    for (head, values) in recorded.values().chunks(d_head).enumerate() {
        let is_zero = values.iter().all(|value| *value == 0.0);
        assert_eq!(is_zero, head % model.config().n_heads == 2, "{head}");
    }
}

/// Adds a little to one number of a pass.
struct Nudge {
    hook: HookPoint,
    index: usize,
    by: f32,
}

impl Recorder for Nudge {
    fn at(&mut self, hook: HookPoint, value: Tensor) -> candle_core::Result<Tensor> {
        if hook != self.hook {
            return Ok(value);
        }
        let mut values: Vec<f32> = value.flatten_all()?.to_vec1()?;
        values[self.index] += self.by;
        Tensor::from_vec(values, value.shape(), value.device())
    }
}

#[test]
fn every_gradient_is_the_slope_that_a_nudge_measures() {
    // f32 and steps of this size leave about three digits of a slope.
    const STEP: f32 = 0.02;
    for family in FAMILIES {
        let model = load(family);
        let tokens = [3, 1, 4, 1, 5, 9];
        let wish = TargetWish {
            pos: Some(4),
            token: Some(9),
            minus: Some(2),
        };
        let gradients = all_gradients(&model, &tokens, wish);
        let target = gradients.target;
        let hooks = model.config().hook_points();
        assert_eq!(
            gradients.gradients.len(),
            hooks.len() - 1,
            "all but the logits"
        );
        for (hook, gradient) in &gradients.gradients {
            assert_eq!(gradient.shape(), gradients.values[hook].shape());
            assert_eq!(gradient.shape(), model.config().shape(*hook, 5), "{hook}");
            // The number with the steepest slope, and one elsewhere.
            let slopes = gradient.values();
            let steepest = (0..slopes.len())
                .max_by(|a, b| slopes[*a].abs().total_cmp(&slopes[*b].abs()))
                .unwrap();
            for index in [steepest, slopes.len() / 3] {
                let at = |by| {
                    let mut nudge = Nudge {
                        hook: *hook,
                        index,
                        by,
                    };
                    let mut session = model.session();
                    let logits = model.run_recorded(&mut session, &tokens[..5], &mut nudge);
                    target.value(&logits.unwrap())
                };
                let measured = (at(STEP) - at(-STEP)) / (2.0 * STEP);
                let allowed = 0.02 * slopes[steepest].abs() + 2e-3;
                assert!(
                    (measured - slopes[index]).abs() < allowed,
                    "{family} {hook}[{index}]: {} by gradient, {measured} measured",
                    slopes[index]
                );
            }
        }
    }
}

#[test]
fn the_stream_as_a_whole_carries_what_the_map_shows() {
    let model = load("gpt2");
    let config = model.config();
    let tokens = [3, 1, 4, 1, 5, 9];
    let gradients = all_gradients(&model, &tokens, TargetWish::default());

    let map = saliency_map(&gradients, config, SaliencyMeasure::GradientNorm);

    // The embedding and what enters the first layer differ by a constant.
    assert_eq!(map.n_rows(), config.n_layers + 2);
    assert_close("first layer", map.row(1), map.row(0), 1e-6);
    // Only the target's position still matters at the end.
    let last = map.row(config.n_layers + 1);
    assert!(last[..5].iter().all(|norm| *norm == 0.0) && last[5] > 0.0);
    let cells = attribution_cells(&gradients);
    let heads = head_saliency(&gradients, config);
    for layer in 0..config.n_layers {
        let sum = |site| -> f32 {
            let hook = HookPoint::block(layer, site);
            cells[&hook].values().iter().sum()
        };
        let all: f32 = heads.row(layer).iter().sum();
        assert!((sum(BlockSite::Z) - all).abs() < TOLERANCE);
        let neurons: f32 = neuron_saliency(&gradients, layer).iter().sum();
        assert!((sum(BlockSite::MlpPost) - neurons).abs() < TOLERANCE);
        let scores = &cells[&HookPoint::block(layer, BlockSite::AttnScores)];
        assert!(scores.values().iter().all(|value| value.is_finite()));
    }
}

#[test]
fn an_ablated_pass_has_gradients_of_its_own() {
    let model = load("gpt2");
    let z = HookPoint::block(1, BlockSite::Z);
    let parts = [Ablation::new(z, Some(2))];
    let wish = TargetWish {
        token: Some(9),
        ..TargetWish::default()
    };

    let gradients = model
        .gradients(&[3, 1, 4], &parts, wish, &|hook| hook == z)
        .unwrap();
    let effect = model.ablation_effect(&[3, 1, 4], &parts, wish).unwrap();
    let integrated = model
        .integrated_gradients(&[3, 1, 4], &parts, wish, IntegrationSettings::default())
        .unwrap();

    assert!((gradients.value - effect.value_after).abs() < TOLERANCE);
    assert!((integrated.value - effect.value_after).abs() < TOLERANCE);
    assert_eq!(head_saliency(&gradients, model.config()).row(1)[2], 0.0);
    assert_eq!(gradients.gradients.len(), 1);
}

#[test]
fn what_can_not_be_answered_is_refused_with_the_reason() {
    let model = load("gpt2");
    let tokens = [3, 1, 4];
    let d_vocab = model.config().d_vocab;
    let refusal = |tokens: &[u32], wish: TargetWish, parts: &[Ablation]| -> [String; 3] {
        let settings = IntegrationSettings::default();
        let message = |error: ModelError| error.to_string();
        [
            message(model.gradients(tokens, parts, wish, &|_| true).unwrap_err()),
            message(
                model
                    .integrated_gradients(tokens, parts, wish, settings)
                    .unwrap_err(),
            ),
            message(model.ablation_effect(tokens, parts, wish).unwrap_err()),
        ]
    };
    let wish = |pos, token, minus| TargetWish { pos, token, minus };
    let none: &[Ablation] = &[];
    let missing = [Ablation::new(HookPoint::block(1, BlockSite::Z), Some(77))];
    for (text, wish, parts, words) in [
        (&tokens[..], wish(Some(3), None, None), none, "0 to 2"),
        (
            &tokens[..],
            wish(None, Some(d_vocab as u32), None),
            none,
            "no token",
        ),
        (
            &tokens[..],
            wish(None, Some(1), Some(1)),
            none,
            "compared with itself",
        ),
        (&[], TargetWish::default(), none, "no text"),
        (&[99_999], TargetWish::default(), none, "99999"),
        (&[3; 65], TargetWish::default(), none, "64"),
        (&tokens[..], TargetWish::default(), &missing[..], "head 77"),
    ] {
        for message in refusal(text, wish, parts) {
            assert!(message.contains(words), "{message:?} has no {words:?}");
        }
    }
    let settings = |n_steps, baseline| IntegrationSettings { n_steps, baseline };
    let refused = |settings| {
        model
            .integrated_gradients(&tokens, &[], TargetWish::default(), settings)
            .unwrap_err()
            .to_string()
    };
    assert!(refused(settings(0, Baseline::Zero)).contains("one step"));
    assert!(refused(settings(1, Baseline::Token(99_999))).contains("99999"));
}

#[test]
fn a_text_of_one_token_has_everything_too() {
    let model = load("gpt2");
    let trace = trace_tokens(&model, &[&[5]]);
    let wish = TargetWish::default();

    let gradients = all_gradients(&model, &[5], wish);
    let direct = model
        .direct_attribution(&trace.token(0).unwrap(), wish)
        .unwrap();
    let settings = IntegrationSettings::default();
    let integrated = model
        .integrated_gradients(&[5], &[], wish, settings)
        .unwrap();

    assert_eq!(gradients.target, direct.target);
    assert!((direct.sum() - gradients.value).abs() < TOLERANCE);
    assert_eq!(integrated.by_pos.len(), 1);
}
