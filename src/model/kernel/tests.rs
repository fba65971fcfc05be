//! Every kernel against candle's operations, or a plain loop, by every set of instructions.

use candle_core::{D, Module as _, Var};
use proptest::prelude::*;

use super::simd::limit::{by_every_set, handed_over};
use super::*;

/// Of a sum of `n` products of numbers about one, in whatever order, absolute.
fn tolerance(n: usize) -> f32 {
    8e-6 * (n as f32).sqrt() + 1e-6
}

/// Numbers from -1 to 1 that look random.
fn numbers(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

fn random(shape: &[usize], seed: u32) -> Tensor {
    tensor(numbers(shape.iter().product(), seed), shape).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[track_caller]
fn assert_close(what: &str, got: &Tensor, expected: &Tensor, tolerance: f32) {
    assert_eq!(got.dims(), expected.dims(), "{what}");
    for (at, (got, expected)) in values(got).iter().zip(values(expected)).enumerate() {
        let is_close = *got == expected || (got - expected).abs() <= tolerance;
        assert!(
            is_close,
            "{what}: number {at} is {got}, expected {expected}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_product_is_candles(
        n_rows in prop_oneof![Just(1usize), 2usize..70],
        n_in in prop_oneof![1usize..90, Just(1025), Just(3300)],
        first in 1usize..120,
        second in 1usize..40,
        has_bias in any::<bool>(),
    ) {
        let n_out = first + second;
        let xs = random(&[1, n_rows, n_in], 1);
        let weight = random(&[n_in, n_out], 2);
        let turned = by_columns(&weight).unwrap().unwrap().t().unwrap();
        let bias = has_bias.then(|| random(&[n_out], 3));
        let plain = xs.squeeze(0).unwrap().matmul(&weight).unwrap().unsqueeze(0).unwrap();
        let expected = match &bias {
            Some(bias) => plain.broadcast_add(bias).unwrap(),
            None => plain,
        };
        by_every_set(|set| {
            let weight = Weight::Plain(&turned);
            let [left, right] = product(&xs, weight, bias.as_ref(), [first, second])
                .unwrap()
                .unwrap();
            let got = Tensor::cat(&[left, right], D::Minus1).unwrap();
            assert_close(&format!("{set:?}"), &got, &expected, tolerance(n_in));
        });
    }

    #[test]
    fn a_product_with_8_bit_weights_is_that_with_the_numbers_they_stand_for(
        n_rows in prop_oneof![Just(1usize), 2usize..60],
        n_blocks in prop_oneof![1usize..5, Just(40), Just(101)],
        n_out in 1usize..80,
    ) {
        let n_in = 32 * n_blocks;
        let xs = random(&[n_rows, n_in], 1);
        let weight = random(&[n_out, n_in], 2);
        let quantized = QTensor::quantize(&weight, GgmlDType::Q8_0).unwrap();
        let stands_for = quantized.dequantize(&Device::Cpu).unwrap();
        let expected = xs.matmul(&stands_for.t().unwrap()).unwrap();
        by_every_set(|set| {
            let [got] = product(&xs, Weight::Quantized(&quantized), None, [n_out])
                .unwrap()
                .unwrap();
            assert_close(&format!("{set:?}"), &got, &expected, tolerance(n_in));
        });
    }

    #[test]
    fn norms_are_what_their_names_say(n_rows in 1usize..40, width in 1usize..200) {
        let xs = ((random(&[1, n_rows, width], 1) * 5.0).unwrap() + 3.0).unwrap();
        let (weight, bias) = (random(&[width], 2), random(&[width], 3));
        let (layer, rms) = norms_by_loops(&xs, &weight, &bias);
        by_every_set(|set| {
            let got = layer_norm(&xs, &weight, &bias, 1e-5).unwrap().unwrap();
            assert_close(&format!("{set:?} layer norm"), &got, &layer, 1e-4);
            let got = rms_norm(&xs, &weight, 1e-5).unwrap().unwrap();
            assert_close(&format!("{set:?} RMS norm"), &got, &rms, 1e-5);
        });
    }

    #[test]
    fn attention_is_a_plain_loops(
        n_before in 0usize..40,
        n_query in 1usize..60,
        n_kv_heads in 1usize..3,
        n_sharing in 1usize..3,
        d_head in prop_oneof![1usize..20, Just(64)],
        window in proptest::option::of(1usize..50),
    ) {
        let n_heads = n_kv_heads * n_sharing;
        let n_key = n_before + n_query;
        let q = random(&[1, n_query, n_heads, d_head], 1);
        let k = random(&[1, n_key, n_kv_heads, d_head], 2);
        let v = random(&[1, n_key, n_kv_heads, d_head], 3);
        let expected = attention_by_loops(&q, &k, &v, window);
        by_every_set(|set| {
            let mut cache = LayerCache::new(n_kv_heads, 200);
            for (first, n) in [(0, n_before), (n_before, n_query)] {
                if n > 0 {
                    let part = |all: &Tensor| all.narrow(1, first, n).unwrap();
                    remember(&mut cache, &part(&k), &part(&v)).unwrap().unwrap();
                }
            }
            let scores = scores(&q, &cache, 0.5, window).unwrap().unwrap();
            let pattern = softmax(&scores).unwrap().unwrap();
            let z = mix(&pattern, &cache, d_head).unwrap().unwrap();
            for (what, got, expected) in [
                ("scores", &scores, &expected[0]),
                ("pattern", &pattern, &expected[1]),
                ("z", &z, &expected[2]),
            ] {
                assert_close(&format!("{set:?} {what}"), got, expected, 1e-5);
            }
        });
    }
}

/// LayerNorm and RMSNorm, by f64.
fn norms_by_loops(xs: &Tensor, weight: &Tensor, bias: &Tensor) -> (Tensor, Tensor) {
    let (weight, bias) = (values(weight), values(bias));
    let n = weight.len() as f64;
    let (mut layer, mut rms) = (Vec::new(), Vec::new());
    for row in values(xs).chunks(weight.len()) {
        let row: Vec<f64> = row.iter().map(|x| f64::from(*x)).collect();
        let mean = row.iter().sum::<f64>() / n;
        let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        let mean_square = row.iter().map(|x| x * x).sum::<f64>() / n;
        for (at, x) in row.iter().enumerate() {
            let (weight, bias) = (f64::from(weight[at]), f64::from(bias[at]));
            layer.push(((x - mean) / (variance + 1e-5).sqrt() * weight + bias) as f32);
            rms.push((x / (mean_square + 1e-5).sqrt() * weight) as f32);
        }
    }
    (
        tensor(layer, xs.dims()).unwrap(),
        tensor(rms, xs.dims()).unwrap(),
    )
}

/// Scores, pattern and mix, with a scale of one half.
fn attention_by_loops(q: &Tensor, k: &Tensor, v: &Tensor, window: Option<usize>) -> [Tensor; 3] {
    let (_, n_query, n_heads, d_head) = q.dims4().unwrap();
    let (_, n_key, n_kv_heads, _) = k.dims4().unwrap();
    let (q, k, v) = (values(q), values(k), values(v));
    let n_before = n_key - n_query;
    let mut scores = Vec::new();
    let mut pattern = Vec::new();
    let mut z = vec![0.0; n_query * n_heads * d_head];
    for head in 0..n_heads {
        let kv_head = head / (n_heads / n_kv_heads);
        for query in 0..n_query {
            let pos = n_before + query;
            let at_query = (query * n_heads + head) * d_head;
            let at_key = |key: usize| (key * n_kv_heads + kv_head) * d_head;
            let row: Vec<f32> = (0..n_key)
                .map(|key| {
                    if key > pos || pos - key >= window.unwrap_or(usize::MAX) {
                        return f32::NEG_INFINITY;
                    }
                    let product = |i| q[at_query + i] * k[at_key(key) + i];
                    (0..d_head).map(product).sum::<f32>() * 0.5
                })
                .collect();
            let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let total: f32 = row.iter().map(|score| (score - most).exp()).sum();
            for (key, score) in row.iter().enumerate() {
                let weight = (score - most).exp() / total;
                pattern.push(weight);
                for i in 0..d_head {
                    z[at_query + i] += weight * v[at_key(key) + i];
                }
            }
            scores.extend(row);
        }
    }
    let shape = [1, n_heads, n_query, n_key];
    [
        tensor(scores, &shape).unwrap(),
        tensor(pattern, &shape).unwrap(),
        tensor(z, &[1, n_query, n_heads, d_head]).unwrap(),
    ]
}

#[test]
fn activations_are_candles_over_all_that_matters() {
    let xs: Vec<f32> = (-60_000..60_000).map(|i| i as f32 / 2_000.0).collect();
    let xs = tensor(xs, &[120_000]).unwrap();
    let linear = random(&[120_000], 1);
    let expected = [
        (ActFn::GeluNew, xs.gelu().unwrap()),
        (ActFn::Gelu, xs.gelu_erf().unwrap()),
        (ActFn::Silu, xs.silu().unwrap()),
    ];
    by_every_set(|set| {
        for (act_fn, expected) in &expected {
            let got = activate(*act_fn, &xs).unwrap().unwrap();
            assert_close(&format!("{set:?} {act_fn:?}"), &got, expected, 5e-6);
            let got = activate_gate(*act_fn, &xs, &linear).unwrap().unwrap();
            let expected = (expected * &linear).unwrap();
            assert_close(&format!("{set:?} gate {act_fn:?}"), &got, &expected, 5e-6);
        }
    });
}

#[test]
fn activations_pass_on_what_is_no_number_and_bear_what_is_large() {
    let xs = tensor(vec![f32::NAN, f32::INFINITY, 1e30, -1e30], &[4]).unwrap();
    by_every_set(|set| {
        for act_fn in [ActFn::GeluNew, ActFn::Gelu, ActFn::Silu] {
            let got = values(&activate(act_fn, &xs).unwrap().unwrap());
            assert!(got[0].is_nan(), "{set:?} {act_fn:?} {got:?}");
            assert_eq!(got[1..3], [f32::INFINITY, 1e30], "{set:?} {act_fn:?}");
            assert!(got[3].abs() < 1e-6, "{set:?} {act_fn:?} {got:?}");
        }
    });
}

#[test]
fn a_row_of_scores_with_a_nan_is_all_nan_and_masked_keys_get_exactly_nothing() {
    let inf = f32::NEG_INFINITY;
    let rows = [
        1.0,
        f32::NAN,
        inf,
        inf,
        0.0,
        1.0,
        inf,
        inf,
        inf,
        0.0,
        0.0,
        0.0,
    ];
    let scores = tensor(rows.to_vec(), &[3, 4]).unwrap();
    by_every_set(|_| {
        let got = values(&softmax(&scores).unwrap().unwrap());
        assert!(got[..4].iter().all(|weight| weight.is_nan()), "{got:?}");
        assert_eq!(got[6..9], [0.0; 3]);
        assert!((got[4] + got[5] - 1.0).abs() < 1e-6);
    });
}

#[test]
fn rotation_is_that_of_complex_numbers() {
    let heads = random(&[2, 3, 2, 7], 1);
    let angles = [0.0f32, 0.3, -1.0, 2.0, 0.5, 7.0];
    let of = |f: fn(f32) -> f32| {
        tensor(angles.iter().map(|angle| f(*angle)).collect(), &[3, 1, 2]).unwrap()
    };

    let turned = turn(&heads, &of(f32::cos), &of(f32::sin)).unwrap().unwrap();

    let (before, after) = (values(&heads), values(&turned));
    for (at, (before, after)) in before.chunks(7).zip(after.chunks(7)).enumerate() {
        let pos = at / 2 % 3;
        for pair in 0..2 {
            let (sin, cos) = angles[pos * 2 + pair].sin_cos();
            let (a, b) = (before[pair], before[pair + 2]);
            assert!((after[pair] - (a * cos - b * sin)).abs() < 1e-6);
            assert!((after[pair + 2] - (a * sin + b * cos)).abs() < 1e-6);
        }
        assert_eq!(after[4..], before[4..]);
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let xs = random(&[1, 70, 320], 1);
    let weight = random(&[500, 320], 2);
    let quantized = QTensor::quantize(&weight, GgmlDType::Q8_0).unwrap();
    let [q, k, v] = [3, 4, 5].map(|seed| random(&[1, 70, 6, 24], seed));
    let compute = || {
        let of = |weight| product(&xs, weight, None, [500]).unwrap().unwrap();
        let [out] = of(Weight::Plain(&weight));
        let [out_q8_0] = of(Weight::Quantized(&quantized));
        let activated = activate(ActFn::GeluNew, &out).unwrap().unwrap();
        let mut cache = LayerCache::new(6, 70);
        remember(&mut cache, &k, &v).unwrap().unwrap();
        let scores = scores(&q, &cache, 0.5, None).unwrap().unwrap();
        let pattern = softmax(&scores).unwrap().unwrap();
        let z = mix(&pattern, &cache, 24).unwrap().unwrap();
        [out_q8_0, activated, scores, pattern, z]
            .iter()
            .flat_map(values)
            .map(f32::to_bits)
            .collect::<Vec<_>>()
    };
    let on = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(n_threads)
            .build();
        pool.unwrap().install(handed_over(compute))
    };
    by_every_set(|set| {
        let one = on(1);
        assert_eq!(on(2), one, "{set:?}");
        assert_eq!(on(5), one, "{set:?}");
    });
}

#[test]
fn what_keeps_a_gradient_or_lies_otherwise_goes_the_plain_way() {
    let xs = random(&[4, 6], 1);
    let weight = random(&[6, 6], 2);
    let tracked = Var::from_tensor(&xs).unwrap();
    let half = xs.to_dtype(candle_core::DType::F16).unwrap();
    let turned = random(&[6, 4], 3).t().unwrap();

    for other in [tracked.as_tensor(), &half, &turned] {
        let product = product(other, Weight::Plain(&weight), None, [6]).unwrap();
        assert!(product.is_none());
        assert!(softmax(other).unwrap().is_none());
    }
    assert!(product(&xs, Weight::Plain(&weight), None, [5]).is_err());
    assert!(product(&xs, Weight::Plain(&random(&[6, 5], 1)), None, [6]).is_err());
}

#[test]
fn other_formats_of_few_bits_are_left_to_candle() {
    let weight = random(&[4, 64], 1);
    let weight = QTensor::quantize(&weight, GgmlDType::Q4_0).unwrap();
    let xs = random(&[1, 64], 2);

    assert!(
        product(&xs, Weight::Quantized(&weight), None, [4])
            .unwrap()
            .is_none()
    );
    let plain = candle_core::quantized::QMatMul::from_qtensor(weight).unwrap();
    assert_eq!(plain.forward(&xs).unwrap().dims(), [1, 4]);
}
