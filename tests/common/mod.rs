//! What several tests share: the fixtures, loaded and run.

#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "each test file uses its own part of this one"
)]

pub mod checkpoints;
pub mod gguf;
pub mod program;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use llmscope::model::{ComputeDevice, LoadSettings, Model, ModelSource};
use llmscope::trace::{ActivationCache, Pass, Trace};

/// The fixtures: one folder each.
pub const FAMILIES: [&str; 9] = [
    "gpt2",
    "gpt2-wide-mlp",
    "llama",
    "llama3",
    "mistral",
    "qwen2",
    "qwen3",
    "gpt_neox",
    "gpt_neox-serial",
];

pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

pub fn load(name: &str) -> Model {
    let source = ModelSource::Folder(fixture(name));
    let settings = LoadSettings {
        device: test_device(),
        ..LoadSettings::default()
    };
    Model::load(&source, &settings, &mut |_| {}).unwrap()
}

/// Where models of tests compute: the processor, or what `LLMSCOPE_TEST_DEVICE` names, so that a machine
/// with a GPU can run the same tests on it.
fn test_device() -> ComputeDevice {
    match std::env::var("LLMSCOPE_TEST_DEVICE").as_deref() {
        Err(_) | Ok("cpu") => ComputeDevice::Cpu,
        Ok("cuda") => ComputeDevice::Cuda,
        Ok("metal") => ComputeDevice::Metal,
        Ok(other) => panic!("LLMSCOPE_TEST_DEVICE is {other:?}, expected cpu, cuda or metal"),
    }
}

/// Runs `parts` one after the other and keeps every value.
pub fn trace_tokens(model: &Model, parts: &[&[u32]]) -> Trace {
    let mut trace = Trace::new(model.config().clone());
    let mut session = model.session();
    for part in parts {
        let mut cache = ActivationCache::new();
        model
            .run(&mut session, part, &mut |hook, activation| {
                cache.insert(hook, activation);
                ControlFlow::Continue(())
            })
            .unwrap();
        trace.push(Arc::new(Pass {
            first_pos: trace.len(),
            tokens: part.to_vec(),
            cache,
        }));
    }
    trace
}

/// The token numbers in a field of a `reference.json`.
pub fn read_ids(path: &Path, field: &str) -> Vec<u32> {
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let ids = json[field].as_array().unwrap();
    ids.iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

/// Shape and values of a file's f32 tensors, by name.
pub fn read_f32_tensors(path: &Path) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let bytes = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    file.iter()
        .filter(|(_, tensor)| tensor.dtype() == safetensors::Dtype::F32)
        .map(|(name, tensor)| {
            let values = tensor
                .data()
                .as_chunks::<4>()
                .0
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes))
                .collect();
            (name.to_owned(), (tensor.shape().to_vec(), values))
        })
        .collect()
}
