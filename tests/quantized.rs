//! `--dtype q8_0`: matrices that are quantised while they are read.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::collections::HashMap;
use std::fs;
use std::ops::ControlFlow;

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use common::checkpoints::{load_from, logits, worst};
use common::gguf::{random_tensors, wide_config};
use common::{fixture, load};
use llmscope::config::ModelConfig;
use llmscope::hook::HookPoint;
use llmscope::model::{Model, Precision};
use llmscope::trace::Activation;
use llmscope::weight::{WeightPoint, WeightSite};
use tempfile::TempDir;

/// Absolute, of logits about one.
const TOLERANCE: f32 = 1e-4;

fn saved(config: &ModelConfig, tensors: &HashMap<String, Tensor>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let json = config.to_json().to_string();
    fs::write(folder.path().join("config.json"), json).unwrap();
    candle_core::safetensors::save(tensors, folder.path().join("model.safetensors")).unwrap();
    folder
}

/// The numbers that a matrix's blocks stand for; `is_in_out` if it lies `[in, out]`.
fn through_blocks(matrix: &Tensor, is_in_out: bool) -> Tensor {
    let turned = |matrix: &Tensor| match is_in_out {
        true => matrix.t().unwrap().contiguous().unwrap(),
        false => matrix.clone(),
    };
    let blocks = QTensor::quantize(&turned(matrix), GgmlDType::Q8_0).unwrap();
    turned(&blocks.dequantize(&Device::Cpu).unwrap())
}

/// The numbers that a model in 8 bits has in place of these.
fn stands_for(tensors: &HashMap<String, Tensor>) -> HashMap<String, Tensor> {
    let in_8_bits = |(name, tensor): (&String, &Tensor)| {
        let is_in_out = name.starts_with("h.");
        let is_matrix = name == "lm_head.weight" || is_in_out && tensor.rank() == 2;
        let tensor = match is_matrix {
            true => through_blocks(tensor, is_in_out),
            false => tensor.clone(),
        };
        (name.clone(), tensor)
    };
    tensors.iter().map(in_8_bits).collect()
}

#[test]
fn a_model_in_8_bits_is_the_model_of_the_numbers_that_its_blocks_stand_for() {
    let config = ModelConfig {
        tie_word_embeddings: false,
        ..wide_config()
    };
    let tensors = random_tensors(&config, 3);
    let stands_for = stands_for(&tensors);
    let expected = Model::from_tensors("", config.clone(), stands_for.clone(), Device::Cpu);

    let model = load_from(saved(&config, &tensors).path(), Precision::Q8_0);

    assert!(worst(&logits(&model), &logits(&expected.unwrap())) < TOLERANCE);
    let weights = model.weights().unwrap();
    for (key, point) in [
        (
            "h.0.mlp.c_fc.weight",
            WeightPoint::block(0, WeightSite::MlpIn),
        ),
        ("lm_head.weight", WeightPoint::Unembed),
    ] {
        let slice = config.weight_slice(point);
        assert_eq!(slice.key, key);
        let some = weights.read(&slice, 3..5, 20..60).unwrap();
        let part = stands_for[key].narrow(0, 3, 2).unwrap().narrow(1, 20, 40);
        let part = part.unwrap().flatten_all().unwrap();
        assert_eq!(some, part.to_vec1::<f32>().unwrap(), "{key}");
    }
    let sizes = weights.tensor_bytes();
    let specs = config.weights();
    let bytes = |key: &str| {
        let spec = specs.iter().find(|spec| spec.name == key).unwrap();
        sizes.of(spec, &config)
    };
    assert_eq!(bytes("h.0.mlp.c_fc.weight"), 256 * 512 * 34 / 32);
    assert_eq!(bytes("lm_head.weight"), 64 * 256 * 34 / 32);
    assert_eq!(bytes("wte.weight"), 64 * 256 * 4);
    assert_eq!(bytes("h.0.mlp.c_fc.bias"), 512 * 4);
}

#[test]
fn a_tied_unembedding_is_quantised_beside_the_embedding() {
    let config = wide_config();
    let tensors = random_tensors(&config, 4);

    let model = load_from(saved(&config, &tensors).path(), Precision::Q8_0);

    let mut embed = Vec::new();
    let mut keep = |hook, value: Activation| {
        if hook == HookPoint::Embed {
            embed.extend_from_slice(value.values());
        }
        ControlFlow::Continue(())
    };
    model.run(&mut model.session(), &[5], &mut keep).unwrap();
    let row: Vec<f32> = tensors["wte.weight"].get(5).unwrap().to_vec1().unwrap();
    assert_eq!(embed, row);
    let mut stands_for = stands_for(&tensors);
    let unembed = through_blocks(&tensors["wte.weight"], false);
    stands_for.insert("lm_head.weight".to_owned(), unembed);
    let untied = ModelConfig {
        tie_word_embeddings: false,
        ..config
    };
    let expected = Model::from_tensors("", untied, stands_for, Device::Cpu).unwrap();
    assert!(worst(&logits(&model), &logits(&expected)) < TOLERANCE);
    let exact = Model::from_tensors("", wide_config(), tensors, Device::Cpu).unwrap();
    assert!(worst(&logits(&model), &logits(&exact)) > 2.0 * TOLERANCE);
}

#[test]
fn steps_in_8_bits_equal_the_whole_pass() {
    let config = wide_config();
    let model = load_from(
        saved(&config, &random_tensors(&config, 5)).path(),
        Precision::Q8_0,
    );
    let tokens = [7, 1, 9, 4, 4, 30];

    let mut session = model.session();
    let whole = model.run_recorded(&mut session, &tokens, &mut ()).unwrap();
    let mut session = model.session();
    let mut stepped = Vec::new();
    for token in tokens {
        stepped = model.run_recorded(&mut session, &[token], &mut ()).unwrap();
    }

    assert!(worst(&stepped, &whole) < TOLERANCE);
}

#[test]
fn rows_that_are_not_whole_blocks_stay_as_they_are() {
    // Its rows have 48 and 112 numbers.
    let model = load_from(&fixture("llama"), Precision::Q8_0);

    assert_eq!(logits(&model), logits(&load("llama")));
}
