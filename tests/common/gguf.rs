//! GGUF files made for tests.

use std::collections::HashMap;
use std::io::Cursor;

use candle_core::quantized::gguf_file::{Value, write};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use llmscope::config::ModelConfig;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// A GPT-2 whose rows fill blocks of 256.
pub fn wide_config() -> ModelConfig {
    ModelConfig {
        n_layers: 1,
        d_model: 256,
        n_heads: 4,
        n_kv_heads: 4,
        d_head: 64,
        d_mlp: 512,
        n_ctx: 16,
        d_vocab: 64,
        bos_token_id: None,
        eos_token_ids: Vec::new(),
        ..ModelConfig::preset("gpt2").unwrap()
    }
}

/// Random weights under the model's names.
pub fn random_tensors(config: &ModelConfig, seed: u64) -> HashMap<String, Tensor> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let random = |spec: llmscope::config::WeightSpec| {
        let count = spec.element_count();
        let values: Vec<f32> = (0..count).map(|_| rng.random_range(-0.1..0.1)).collect();
        (
            spec.name,
            Tensor::from_vec(values, spec.shape, &Device::Cpu).unwrap(),
        )
    };
    config.weights().into_iter().map(random).collect()
}

/// A matrix `[out, in]` in blocks; a vector, as all vectors are, in f32.
pub fn quantize(tensor: &Tensor, dtype: GgmlDType) -> QTensor {
    let dtype = match tensor.rank() {
        1 => GgmlDType::F32,
        _ => dtype,
    };
    QTensor::quantize(tensor, dtype).unwrap()
}

/// The name and the shape that llama.cpp has for a GPT-2's tensor.
pub fn as_llama_cpp(name: &str, tensor: &Tensor) -> (String, Tensor) {
    let (path, end) = name.rsplit_once('.').unwrap();
    let turned = || tensor.t().unwrap().contiguous().unwrap();
    let is_matrix = tensor.rank() == 2;
    let (path, tensor) = match path {
        "wte" => ("token_embd".to_owned(), tensor.clone()),
        "wpe" => ("position_embd".to_owned(), tensor.clone()),
        "ln_f" => ("output_norm".to_owned(), tensor.clone()),
        "lm_head" => ("output".to_owned(), tensor.clone()),
        path => {
            let mut parts = path.splitn(3, '.');
            let layer = parts.nth(1).unwrap();
            let part = match parts.next().unwrap() {
                "ln_1" => "attn_norm",
                "attn.c_attn" => "attn_qkv",
                "attn.c_proj" => "attn_output",
                "ln_2" => "ffn_norm",
                "mlp.c_fc" => "ffn_up",
                "mlp.c_proj" => "ffn_down",
                other => panic!("{other}"),
            };
            let tensor = if is_matrix { turned() } else { tensor.clone() };
            (format!("blk.{layer}.{part}"), tensor)
        }
    };
    (format!("{path}.{end}"), tensor)
}

/// A file of a GPT-2 with these weights in blocks of this kind, changed by `facts`.
pub fn file(
    config: &ModelConfig,
    tensors: &HashMap<String, Tensor>,
    dtype: GgmlDType,
    facts: &[(&str, Value)],
) -> Vec<u8> {
    let size = |size: usize| Value::U32(size as u32);
    let mut metadata = vec![
        ("general.architecture", Value::String("gpt2".to_owned())),
        ("gpt2.block_count", size(config.n_layers)),
        ("gpt2.embedding_length", size(config.d_model)),
        ("gpt2.attention.head_count", size(config.n_heads)),
        ("gpt2.feed_forward_length", size(config.d_mlp)),
        ("gpt2.context_length", size(config.n_ctx)),
        ("gpt2.attention.layer_norm_epsilon", Value::F32(1e-5)),
    ];
    for (name, value) in facts {
        metadata.retain(|(known, _)| known != name);
        metadata.push((name, value.clone()));
    }
    let mut named: Vec<(String, QTensor)> = tensors
        .iter()
        .map(|(name, tensor)| {
            let (name, tensor) = as_llama_cpp(name, tensor);
            (name, quantize(&tensor, dtype))
        })
        .collect();
    named.sort_by(|(a, _), (b, _)| a.cmp(b));
    let metadata: Vec<(&str, &Value)> = metadata
        .iter()
        .map(|(name, value)| (*name, value))
        .collect();
    let tensors: Vec<(&str, &QTensor)> = named
        .iter()
        .map(|(name, tensor)| (name.as_str(), tensor))
        .collect();
    let mut bytes = Cursor::new(Vec::new());
    write(&mut bytes, &metadata, &tensors).unwrap();
    bytes.into_inner()
}
