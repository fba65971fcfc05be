//! Times the forward pass of the GPT-2 small shape with random weights: capture against no capture,
//! and one step with the KV cache. The last line of output is JSON.
//!
//! Times are medians of interleaved runs, so that what else the machine does falls on both alike.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use anyhow::Result;
use candle_core::{Device, Tensor};
use llmscope::config::ModelConfig;
use llmscope::model::Model;
use llmscope::trace::ActivationCache;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const PROMPT_TOKENS: usize = 128;
const ROUNDS: usize = 7;

fn main() -> Result<()> {
    let model = random_model("gpt2")?;
    let tokens: Vec<u32> = (0..PROMPT_TOKENS as u32).map(|i| i * 37 % 50_257).collect();
    let mut pass_plain = Vec::new();
    let mut pass_captured = Vec::new();
    let mut step_plain = Vec::new();
    let mut step_captured = Vec::new();
    let mut captured_bytes = 0;
    for _ in 0..ROUNDS {
        let mut session = model.session();
        pass_plain.push(timed(|| {
            Ok(model.run_recorded(&mut session, &tokens, &mut ())?)
        })?);
        step_plain.push(timed(|| {
            Ok(model.run_recorded(&mut session, &[11], &mut ())?)
        })?);

        let mut session = model.session();
        let mut cache = ActivationCache::new();
        pass_captured.push(timed(|| {
            Ok(model.run(&mut session, &tokens, &mut |hook, activation| {
                cache.insert(hook, activation);
                ControlFlow::Continue(())
            })?)
        })?);
        captured_bytes = cache
            .values()
            .map(|activation| 4 * activation.values().len())
            .sum();
        let mut cache = ActivationCache::new();
        step_captured.push(timed(|| {
            Ok(model.run(&mut session, &[11], &mut |hook, activation| {
                cache.insert(hook, activation);
                ControlFlow::Continue(())
            })?)
        })?);
    }
    let millis = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1e3
    };
    let pass_plain = millis(&mut pass_plain);
    let pass_captured = millis(&mut pass_captured);
    let step_plain = millis(&mut step_plain);
    let step_captured = millis(&mut step_captured);
    let line = serde_json::json!({
        "shape": "gpt2",
        "prompt_tokens": PROMPT_TOKENS,
        "pass_ms": pass_plain,
        "pass_captured_ms": pass_captured,
        "capture_ratio": pass_captured / pass_plain,
        "captured_mib": captured_bytes as f64 / f64::from(1 << 20),
        "step_ms": step_plain,
        "step_captured_ms": step_captured,
        "step_capture_ratio": step_captured / step_plain,
    });
    eprintln!("medians of {ROUNDS} interleaved rounds");
    print(&line);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a bench's result is its output")]
fn print(line: &serde_json::Value) {
    println!("{line}");
}

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<Duration> {
    let start = Instant::now();
    let result = work()?;
    let elapsed = start.elapsed();
    drop(result);
    Ok(elapsed)
}

/// A model of a published shape with random weights.
fn random_model(preset: &str) -> Result<Model> {
    let config =
        ModelConfig::preset(preset).ok_or_else(|| anyhow::anyhow!("{preset} is no known shape"))?;
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut weights = std::collections::HashMap::new();
    for spec in config.weights() {
        let values: Vec<f32> = (0..spec.element_count())
            .map(|_| rng.random_range(-0.04f32..0.04))
            .collect();
        let tensor = Tensor::from_vec(values, spec.shape.clone(), &Device::Cpu)?;
        weights.insert(spec.name, tensor);
    }
    Ok(Model::from_tensors(preset, config, weights, Device::Cpu)?)
}
