//! A checkpoint of a published shape, for benches: its weights are random.

use std::collections::HashMap;
use std::fs;

use anyhow::{Context as _, Result};
use candle_core::{Device, Tensor};
use llmscope::config::ModelConfig;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

/// A folder with `config.json` and weights in f32 about as large as a trained model's.
pub fn random(preset: &str) -> Result<TempDir> {
    let config =
        ModelConfig::preset(preset).with_context(|| format!("{preset} is no known shape"))?;
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut weights = HashMap::new();
    for spec in config.weights() {
        let n = spec.element_count();
        let values: Vec<f32> = (0..n).map(|_| rng.random_range(-0.04..0.04)).collect();
        let tensor = Tensor::from_vec(values, spec.shape.clone(), &Device::Cpu)?;
        weights.insert(spec.name, tensor);
    }
    let folder = TempDir::new()?;
    let json = config.to_json().to_string();
    fs::write(folder.path().join("config.json"), json)?;
    let path = folder.path().join("model.safetensors");
    candle_core::safetensors::save(&weights, &path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(folder)
}
