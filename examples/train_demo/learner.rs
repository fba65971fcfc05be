//! The model as something that learns: seeded weights held as variables, and its loss.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{VarBuilder, VarMap, ops};
use llmscope::config::ModelConfig;
use llmscope::model::Gpt2;

use crate::corpus::{Stream, Tokens, rng};
use crate::first_weights::first_weights;

/// Windows of held-out text computed at once.
const HELD_OUT_BATCH: usize = 16;

/// The model's variables by checkpoint name, and the model that computes with them.
pub struct Learner {
    /// Its shape.
    pub config: ModelConfig,
    /// Every weight, under its checkpoint name.
    pub vars: Vec<(String, Var)>,
    net: Gpt2,
}

impl Learner {
    /// A model that has learned nothing yet.
    pub fn new(config: &ModelConfig, seed: u64) -> Result<Self> {
        let mut vars = Vec::new();
        let first = first_weights(&mut rng(seed, Stream::Weights), config);
        for (spec, values) in config.weights().into_iter().zip(first) {
            let tensor = Tensor::from_vec(values, spec.shape, &Device::Cpu)?;
            let name = format!("transformer.{}", spec.name);
            vars.push((name, Var::from_tensor(&tensor)?));
        }

        let var_map = VarMap::new();
        if let Ok(mut data) = var_map.data().lock() {
            data.extend(vars.iter().cloned());
        }
        let vb = VarBuilder::from_varmap(&var_map, DType::F32, &Device::Cpu);
        let net = Gpt2::load(config, vb.pp("transformer"))?;
        Ok(Self {
            config: config.clone(),
            vars,
            net,
        })
    }

    /// Loss of `rows`, `[batch, pos + 1]`, each prediction weighted by `weights`, `[batch, pos]`, with a
    /// way back to every variable.
    pub fn loss(&self, rows: &Tensor, weights: &Tensor) -> Result<Tensor> {
        let losses = losses_of(&self.net, rows)?; // [batch * pos]
        Ok((losses * weights.flatten_all()?)?.mean_all()?)
    }

    /// A net over the same weights that keeps no gradients.
    pub fn frozen(&self) -> Result<Gpt2> {
        let tensors = self.vars.iter();
        let tensors = tensors.map(|(name, var)| (name.clone(), var.as_detached_tensor()));
        let vb = VarBuilder::from_tensors(tensors.collect(), DType::F32, &Device::Cpu);
        Ok(Gpt2::load(&self.config, vb.pp("transformer"))?)
    }

    /// Mean loss in nats per token over windows that cover `held_out` once.
    pub fn held_out_loss(&self, held_out: &Tokens) -> Result<f64> {
        let net = self.frozen()?;
        let n_ctx = self.config.n_ctx;
        let windows = held_out.ids.windows(n_ctx + 1).step_by(n_ctx);
        let windows: Vec<&[u32]> = windows.collect();
        let mut total = 0.0;
        for group in windows.chunks(HELD_OUT_BATCH) {
            let rows = Tensor::new(group.concat(), &Device::Cpu)?;
            let rows = rows.reshape((group.len(), n_ctx + 1))?; // [batch, pos + 1]
            let loss = losses_of(&net, &rows)?.mean_all()?;
            total += f64::from(loss.to_scalar::<f32>()?) * group.len() as f64;
        }
        Ok(total / windows.len() as f64)
    }

    /// Writes the weights as f32 under the names of a Hugging Face GPT-2.
    pub fn save(&self, path: &Path) -> Result<()> {
        let tensors = self.vars.iter();
        let tensors = tensors.map(|(name, var)| (name.as_str(), var.as_tensor()));
        let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        safetensors::serialize_to_file(tensors, Some(metadata), path)?;
        Ok(())
    }

    /// Takes the weights from a file that [`save`](Self::save) wrote.
    pub fn restore(&self, path: &Path) -> Result<()> {
        let tensors = candle_core::safetensors::load(path, &Device::Cpu)
            .with_context(|| format!("reading {}", path.display()))?;
        for (name, var) in &self.vars {
            let tensor = tensors.get(name);
            var.set(tensor.with_context(|| format!("{} lacks {name}", path.display()))?)?;
        }
        Ok(())
    }
}

/// The loss of each prediction in `rows`, `[batch, pos + 1]`, in nats, `[batch * pos]`.
fn losses_of(net: &Gpt2, rows: &Tensor) -> Result<Tensor> {
    let (n_batch, n_tokens) = rows.dims2()?;
    let n_pos = n_tokens - 1;
    let inputs = rows.narrow(1, 0, n_pos)?.contiguous()?; // [batch, pos]
    let targets = rows.narrow(1, 1, n_pos)?.contiguous()?; // [batch, pos]
    let logits = net.forward_batch(&inputs)?; // [batch, pos, d_vocab]
    let logits = logits.reshape((n_batch * n_pos, ()))?; // [batch * pos, d_vocab]
    let log_probs = ops::log_softmax(&logits, 1)?; // [batch * pos, d_vocab]
    let targets = targets.reshape((n_batch * n_pos, 1))?;
    Ok(log_probs.gather(&targets, 1)?.squeeze(1)?.neg()?)
}
