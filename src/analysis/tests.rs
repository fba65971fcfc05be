//! Hand-made texts with known answers.

use std::sync::Arc;

use super::*;
use crate::config::ModelConfig;
use crate::hook::{BlockSite, HookPoint};
use crate::trace::{Activation, Pass, TokenTrace, Trace};

const POST: BlockSite = BlockSite::MlpPost;

fn config(n_layers: usize, n_heads: usize) -> ModelConfig {
    ModelConfig {
        n_layers,
        n_heads,
        d_model: 2 * n_heads,
        d_head: 2,
        d_mlp: 3,
        ..ModelConfig::preset("gpt2").unwrap()
    }
}

fn pattern(layer: usize) -> HookPoint {
    HookPoint::block(layer, BlockSite::Pattern)
}

/// A text of one pass.
fn trace(config: &ModelConfig, tokens: &[u32], cache: Vec<(HookPoint, Activation)>) -> Trace {
    let mut trace = Trace::new(config.clone());
    trace.push(Arc::new(Pass {
        first_pos: 0,
        tokens: tokens.to_vec(),
        cache: cache.into_iter().collect(),
    }));
    trace
}

fn positions(trace: &Trace) -> Vec<TokenTrace<'_>> {
    (0..trace.len())
        .filter_map(|pos| trace.token(pos))
        .collect()
}

/// A text of one layer whose heads look where `weight(head, query, key)` says.
fn looking(tokens: &[u32], n_heads: usize, weight: impl Fn(usize, usize, usize) -> f32) -> Trace {
    let n = tokens.len();
    let mut values = Vec::new();
    for head in 0..n_heads {
        for query in 0..n {
            values.extend((0..n).map(|key| weight(head, query, key)));
        }
    }
    let activation = Activation::new(vec![n_heads, n, n], values);
    trace(&config(1, n_heads), tokens, vec![(pattern(0), activation)])
}

fn at(place: usize) -> impl Fn(usize) -> f32 {
    move |key| if key == place { 1.0 } else { 0.0 }
}

#[test]
fn a_map_has_a_row_for_each_place_and_a_column_for_each_token() {
    let config = config(2, 1);
    let layer = |layer| HookPoint::block(layer, POST);
    let of = |values: [f32; 6]| Activation::new(vec![2, 3], values.to_vec());
    let trace = trace(
        &config,
        &[1, 2],
        vec![
            (layer(0), of([3.0, -4.0, 0.0, 1.0, 1.0, 1.0])),
            (layer(1), of([f32::NAN, 9.0, 0.0, -2.0, 0.0, -1.0])),
        ],
    );
    let positions = positions(&trace);
    let hooks = layer_hooks(&config, POST);

    let map = |measure| activation_map(&positions, &hooks, measure);

    assert_eq!(map(Measure::Norm).row(0), [5.0, 3f32.sqrt()]);
    assert!(map(Measure::Norm).get(1, 0).unwrap().is_nan());
    assert_eq!(map(Measure::Mean).row(0), [-1.0 / 3.0, 1.0]);
    assert_eq!(map(Measure::Mean).get(1, 1), Some(-1.0));
    assert_eq!(map(Measure::Max).row(0), [3.0, 1.0]);
    assert_eq!(map(Measure::Max).get(1, 1), Some(0.0));
    assert_eq!(map(Measure::MaxAbs).row(0), [4.0, 1.0]);
    assert_eq!(map(Measure::MaxAbs).get(1, 1), Some(2.0));
    assert_eq!(map(Measure::Index(1)).row(1), [9.0, 0.0]);
    assert!(map(Measure::Index(3)).is_empty());
    assert!(activation_map(&positions, &[], Measure::Norm).is_empty());
    assert!(activation_map(&positions, &[pattern(0)], Measure::Norm).is_empty());
    let unrecorded = layer_hooks(&config, BlockSite::MlpOut);
    assert!(activation_map(&positions, &unrecorded, Measure::Norm).is_empty());
    assert!(layer_hooks(&config, BlockSite::MlpPreLinear).is_empty());
}

#[test]
fn measures_of_long_vectors_are_those_of_a_plain_sum() {
    let values: Vec<f32> = (0..1037).map(|i| ((i * 37) % 101) as f32 - 60.0).collect();
    let squares: f64 = values.iter().map(|v| f64::from(*v).powi(2)).sum();
    let sum: f64 = values.iter().map(|v| f64::from(*v)).sum();

    let of = |measure: Measure| measure.of(&values).unwrap();

    assert_eq!(of(Measure::Norm), squares.sqrt() as f32);
    assert_eq!(of(Measure::Mean), (sum / 1037.0) as f32);
    assert_eq!((of(Measure::Max), of(Measure::MaxAbs)), (40.0, 60.0));
    assert!(Measure::Max.of(&[]).unwrap().is_nan());
    assert!(Measure::Max.of(&[1.0, f32::NAN]).unwrap().is_nan());
    assert_eq!(Measure::Index(0).of(&[]), None);
}

#[test]
fn residual_norms_leave_out_what_is_not_finite_and_count_it() {
    let config = config(1, 1);
    let of = |values: [f32; 4]| Activation::new(vec![2, 2], values.to_vec());
    let trace = trace(
        &config,
        &[1, 2],
        vec![
            (
                HookPoint::block(0, BlockSite::ResidPre),
                of([3.0, 4.0, 0.0, 1.0]),
            ),
            (
                HookPoint::block(0, BlockSite::ResidPost),
                of([f32::NAN, 0.0, 6.0, 8.0]),
            ),
        ],
    );

    let norms = residual_norms(&positions(&trace), &config);

    assert_eq!(norms.len(), 2);
    assert_eq!((norms[0].mean, norms[0].min, norms[0].max), (3.0, 1.0, 5.0));
    assert_eq!(
        (norms[1].mean, norms[1].min, norms[1].max),
        (10.0, 10.0, 10.0)
    );
    assert_eq!((norms[1].n, norms[1].n_not_finite), (2, 1));
    assert!(residual_norms(&[], &config)[0].mean.is_nan());
}

#[test]
fn the_most_active_come_first_and_nan_never() {
    let config = config(1, 1);
    let hook = HookPoint::block(0, POST);
    let values = vec![1.0, -5.0, 2.0, f32::NAN, 2.0, 2.0];
    let trace = trace(
        &config,
        &[7, 8],
        vec![(hook, Activation::new(vec![2, 3], values))],
    );
    let positions = positions(&trace);

    let top = |pos: usize, ranking, n| -> Vec<usize> {
        let top = top_neurons(&positions[pos], &[hook], ranking, n);
        top.iter().map(|neuron| neuron.index).collect()
    };
    let tokens = top_tokens(&positions, hook, 0, Ranking::Value, 9);

    assert_eq!(top(0, Ranking::Value, 2), [2, 0]);
    assert_eq!(top(0, Ranking::Magnitude, 2), [1, 2]);
    assert_eq!(top(1, Ranking::Value, 9), [1, 2]);
    assert!(top(0, Ranking::Value, 0).is_empty());
    assert_eq!(
        tokens,
        [TokenValue {
            pos: 0,
            token: 7,
            value: 1.0
        }]
    );
    assert!(top_tokens(&positions, hook, 3, Ranking::Value, 9).is_empty());
}

#[test]
fn a_distribution_taken_in_parts_is_that_of_the_whole() {
    let config = config(1, 1);
    let hook = HookPoint::block(0, POST);
    let values: Vec<f32> = (0..30).map(|i| ((i * 7) % 11) as f32 - 5.0).collect();
    let tokens = [0; 10];
    let trace = trace(
        &config,
        &tokens,
        vec![(hook, Activation::new(vec![10, 3], values))],
    );
    let positions = positions(&trace);

    let whole = Distribution::of(&positions, hook, 4, 0.5);
    let mut parts = Distribution::new(4, 0.5);
    let mut n_calls = 1;
    while !parts.advance(&positions[..6], hook, 4) {
        n_calls += 1;
    }
    while !parts.advance(&positions, hook, 4) {
        n_calls += 1;
    }

    assert!(n_calls > 6, "{n_calls}");
    assert_eq!(parts, whole);
    assert_eq!(whole.statistics.n, 30);
    assert_eq!(whole.histogram.counts.iter().sum::<u64>(), 30);
    assert_eq!((whole.histogram.low, whole.histogram.high), (-5.0, 5.0));
    let empty = Distribution::of(&[], hook, 0, 0.5);
    assert_eq!(empty.histogram.counts, [0]);
}

#[test]
fn a_heads_matrix_ends_at_the_diagonal() {
    let trace = looking(&[1, 2, 3], 2, |head, query, key| {
        (head * 100 + query * 10 + key) as f32
    });
    let positions = positions(&trace);

    let matrix = attention_matrix(&positions, pattern(0), 1);
    let mean = mean_over_heads(&positions, pattern(0), 2);

    assert_eq!(matrix.row(2), [120.0, 121.0, 122.0]);
    assert_eq!((matrix.row(0), matrix.get(0, 1)), (&[100.0][..], None));
    assert_eq!(mean.row(1), [60.0, 61.0]);
    assert!(attention_matrix(&positions, pattern(0), 2).is_empty());
    assert!(attention_matrix(&positions, pattern(1), 0).is_empty());
    assert!(mean_over_heads(&positions, pattern(0), 0).is_empty());
    assert!(attention_matrix(&[], pattern(0), 0).is_empty());
}

#[test]
fn rollout_mixes_layers_as_the_product_of_their_halved_patterns() {
    // Two layers of one head each: the first looks at the first token, the second just before.
    let first = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0];
    let before = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    let of = |values: [f32; 9]| Activation::new(vec![1, 3, 3], values.to_vec());
    let config = config(2, 1);
    let trace = trace(
        &config,
        &[1, 2, 3],
        vec![(pattern(0), of(first)), (pattern(1), of(before))],
    );

    let rollout = Rollout::of(&positions(&trace), 2, 1);

    assert_eq!(rollout.matrix(0).row(2), [0.5, 0.0, 0.5]);
    assert_eq!(rollout.matrix(1).row(0), [1.0]);
    assert_eq!(rollout.matrix(1).row(1), [0.75, 0.25]);
    // Half of the second token's row (1/2, 1/2, 0) and half of its own (1/2, 0, 1/2).
    assert_eq!(rollout.matrix(1).row(2), [0.5, 0.25, 0.25]);
    assert!(rollout.matrix(2).is_empty());
    assert_eq!(
        Rollout::of(&positions(&trace), 3, 1).n_tokens(),
        0,
        "a layer is missing"
    );
}

#[test]
fn rollout_rows_sum_to_one_and_a_nan_stays_where_it_reaches() {
    let n = 5;
    let weight = |_, query: usize, key: usize| {
        if key <= query {
            1.0 / (query + 1) as f32
        } else {
            0.0
        }
    };
    let even = looking(&vec![1; n], 2, weight);
    let broken = looking(&vec![1; n], 2, |head, query, key| {
        if (head, query, key) == (0, 3, 1) {
            f32::NAN
        } else {
            weight(head, query, key)
        }
    });

    let even = Rollout::of(&positions(&even), 1, 2).matrix(0);
    let broken = Rollout::of(&positions(&broken), 1, 2).matrix(0);

    for query in 0..n {
        assert!((even.row(query).iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
    assert!(broken.row(3).iter().all(|weight| weight.is_nan()));
    assert_eq!(broken.row(4), even.row(4));
    assert_eq!(Rollout::of(&[], 1, 2).matrix(0), Matrix::new(0));
}

#[test]
fn hand_made_heads_have_the_scores_they_were_made_for() {
    let tokens = [1, 2, 3, 1, 2, 3];
    let trace = looking(&tokens, 5, |head, query, key| match head {
        0 => at(query.saturating_sub(1))(key),
        1 => at(0)(key),
        2 => at(if query >= 3 { query - 2 } else { 0 })(key),
        3 => at(if query >= 3 { query - 3 } else { query })(key),
        _ if key <= query => 1.0 / (query + 1) as f32,
        _ => 0.0,
    });

    let scores = HeadScores::of(&positions(&trace), 1, 5);

    let get = |score, head| scores.get(score, 0, head).unwrap();
    assert_eq!(get(HeadScore::PreviousToken, 0), 1.0);
    assert_eq!(get(HeadScore::FirstToken, 1), 1.0);
    assert_eq!(get(HeadScore::Induction, 2), 1.0);
    assert_eq!(get(HeadScore::DuplicateToken, 3), 1.0);
    assert_eq!(get(HeadScore::Induction, 3), 0.0);
    assert_eq!(get(HeadScore::DuplicateToken, 2), 0.0);
    assert_eq!(get(HeadScore::PreviousToken, 1), 1.0 / 5.0);
    let even: f64 = (1..=6).map(|n| f64::from(n).ln()).sum::<f64>() / 6.0;
    assert!((f64::from(get(HeadScore::Entropy, 4)) - even).abs() < 1e-6);
    assert_eq!(get(HeadScore::Entropy, 0), 0.0);
    assert_eq!(scores.n_queries(HeadScore::Induction), 3);
    assert_eq!(scores.matrix(HeadScore::FirstToken).row(0)[1], 1.0);
    assert_eq!(scores.get(HeadScore::Entropy, 0, 5), None);
    assert_eq!(scores.get(HeadScore::Entropy, 1, 0), None);
}

#[test]
fn scores_without_a_query_that_counts_are_not_defined() {
    let trace = looking(&[4], 1, |_, _, _| 1.0);

    let one = HeadScores::of(&positions(&trace), 1, 1);
    let none = HeadScores::of(&[], 1, 1);

    assert_eq!(one.get(HeadScore::Entropy, 0, 0), Some(0.0));
    for score in &HeadScore::ALL[1..] {
        assert_eq!(one.get(*score, 0, 0), None, "{score:?}");
    }
    assert_eq!(none.get(HeadScore::Entropy, 0, 0), None);
    assert!(none.matrix(HeadScore::Entropy).is_empty());
}

#[test]
fn a_nan_makes_the_scores_it_counts_for_nan_and_no_other() {
    let tokens = [1, 2, 3];
    let trace = looking(&tokens, 2, |head, query, key| match (head, query, key) {
        (0, 2, 1) => f32::NAN,
        _ => at(0)(key),
    });

    let scores = HeadScores::of(&positions(&trace), 1, 2);

    assert!(scores.get(HeadScore::PreviousToken, 0, 0).unwrap().is_nan());
    assert!(scores.get(HeadScore::Entropy, 0, 0).unwrap().is_nan());
    assert_eq!(scores.get(HeadScore::FirstToken, 0, 0), Some(1.0));
    assert_eq!(scores.get(HeadScore::Entropy, 0, 1), Some(0.0));
}

#[test]
fn small_pictures_hold_the_greatest_weight_of_each_block() {
    let trace = looking(&[0; 5], 1, |_, query, key| {
        if key <= query {
            (10 * query + key) as f32
        } else {
            0.0
        }
    });
    let positions = positions(&trace);

    let small = thumbnail(&positions, pattern(0), 0, 3);
    let exact = thumbnail(&positions, pattern(0), 0, 5);

    assert_eq!((small.n_rows(), thumbnail_side(5, 3)), (3, 3));
    assert_eq!(small.row(0), [11.0]);
    assert_eq!(small.row(1), [31.0, 33.0]);
    assert_eq!(small.row(2), [41.0, 43.0, 44.0]);
    assert_eq!(exact, attention_matrix(&positions, pattern(0), 0));
    assert!(thumbnail(&[], pattern(0), 0, 4).is_empty());
    assert_eq!(thumbnail_side(7, 0), 1);
}

#[test]
fn arcs_are_the_weights_from_the_threshold_on() {
    let mut matrix = Matrix::new(2);
    matrix.push_row(&[1.0]);
    matrix.push_row(&[0.2, f32::NAN]);

    let found: Vec<(usize, usize)> = arcs(&matrix, 0.2)
        .iter()
        .map(|a| (a.query, a.key))
        .collect();

    assert_eq!(found, [(0, 0), (1, 0)]);
    assert_eq!(arcs(&matrix, 0.5).len(), 1);
}
