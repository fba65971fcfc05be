//! The model as something that learns: seeded weights held as variables, and its loss.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use candle_core::{Device, Tensor, Var};
use candle_nn::ops;
use llmscope::config::ModelConfig;
use llmscope::model::Net;

use crate::corpus::{Stream, Tokens, rng};
use crate::first_weights::first_weights;

/// What precedes the names in the file that is saved.
const PREFIX: &str = "transformer.";

/// Windows of held-out text computed at once.
const HELD_OUT_BATCH: usize = 16;

/// The model's variables by checkpoint name, and the model that computes with them.
pub struct Learner {
    /// Its shape.
    pub config: ModelConfig,
    /// Every weight, under its checkpoint name.
    pub vars: Vec<(String, Var)>,
    net: Net,
}

impl Learner {
    /// A model that has learned nothing yet.
    pub fn new(config: &ModelConfig, seed: u64) -> Result<Self> {
        let mut vars = Vec::new();
        let first = first_weights(&mut rng(seed, Stream::Weights), config);
        for (spec, values) in config.weights().into_iter().zip(first) {
            let tensor = Tensor::from_vec(values, spec.shape, &Device::Cpu)?;
            let name = format!("{PREFIX}{}", spec.name);
            vars.push((name, Var::from_tensor(&tensor)?));
        }

        let net = net_of(config, &vars, |var| var.as_tensor().clone())?;
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
    pub fn frozen(&self) -> Result<Net> {
        net_of(&self.config, &self.vars, Var::as_detached_tensor)
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

fn net_of(
    config: &ModelConfig,
    vars: &[(String, Var)],
    tensor_of: impl Fn(&Var) -> Tensor,
) -> Result<Net> {
    let weights = vars.iter().map(|(name, var)| {
        let name = name.strip_prefix(PREFIX).unwrap_or(name);
        (name.to_owned(), tensor_of(var).into())
    });
    Ok(Net::load(config, &weights.collect())?)
}

/// The loss of each prediction in `rows`, `[batch, pos + 1]`, in nats, `[batch * pos]`.
fn losses_of(net: &Net, rows: &Tensor) -> Result<Tensor> {
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
