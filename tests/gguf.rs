//! GGUF files: those that llama.cpp's converter makes of the fixtures, and quantized ones.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::checkpoints::{load_from, logits_after, refusal, worst};
use common::{fixture, load, read_f32_tensors, read_ids};
use llmscope::model::{Precision};

fn file(name: &str) -> PathBuf {
    fixture("formats").join(name)
}

/// The logits that PyTorch computes at the end of a fixture's prompt, and its tokens.
fn expected(family: &str) -> (Vec<u32>, Vec<f32>) {
    let folder = fixture(family);
    let (shape, values) = read_f32_tensors(&folder.join("reference.safetensors"))
        .remove("logits")
        .unwrap();
    let tokens = read_ids(&folder.join("reference.json"), "prompt_token_ids");
    (tokens, values[values.len() - shape[1]..].to_vec())
}

fn assert_computes(path: &Path, family: &str, precision: Precision, tolerance: f32) {
    let model = load_from(path, precision);
    let (tokens, expected) = expected(family);

    let worst = worst(&logits_after(&model, &tokens), &expected);

    assert!(worst < tolerance, "{}: {worst}", path.display());
}

#[test]
fn a_file_of_llama_cpps_converter_computes_what_pytorch_does() {
    // Weights cut to 11 bits of precision.
    assert_computes(&file("gpt2-F16.gguf"), "gpt2", Precision::Auto, 0.01);
}
