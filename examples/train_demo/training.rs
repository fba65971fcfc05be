//! Weights from a seed, batches from the corpus, and the steps that make one fit the other.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{AdamW, Optimizer as _, ParamsAdamW, VarBuilder, VarMap, loss};
use indicatif::{ProgressBar, ProgressStyle};
use llmscope::config::ModelConfig;
use llmscope::model::Gpt2;
use rand_chacha::ChaCha8Rng;

use crate::corpus::{Stream, Tokens, rng};
use crate::template::Dice as _;

/// What can be turned on a training run.
pub struct TrainSettings {
    /// Batches to learn from.
    pub steps: usize,
    /// Windows of a batch.
    pub batch_size: usize,
    /// Learning rate at the end of the warm-up.
    pub peak_lr: f64,
    /// Steps over which the learning rate rises to its peak.
    pub warmup_steps: usize,
    /// Pull of the matrices towards zero, per unit of learning rate.
    pub weight_decay: f64,
    /// Gradients longer than this are shortened to it.
    pub max_grad_norm: f64,
    /// Percent of windows that are random tokens said again and again.
    pub repeat_percent: usize,
    /// Everything random follows from it.
    pub seed: u64,
}

impl TrainSettings {
    /// The learning rate at `step`: up a line, then down half a cosine to a twentieth.
    fn lr_at(&self, step: usize) -> f64 {
        let warmup = (step + 1) as f64 / self.warmup_steps as f64;
        let done = step as f64 / self.steps as f64;
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
        self.peak_lr * warmup.min(1.0) * (0.05 + 0.95 * cosine)
    }
}

/// The model's variables by checkpoint name, and the model that computes with them.
pub struct Learner {
    vars: Vec<(String, Var)>,
    /// The project's forward pass over the variables.
    pub net: Gpt2,
    config: ModelConfig,
}

impl Learner {
    /// A model with GPT-2's first weights: normal, 0.02 wide, narrower where a block writes to the
    /// residual stream.
    pub fn new(config: &ModelConfig, seed: u64) -> Result<Self> {
        let device = Device::Cpu;
        let mut rng = rng(seed, Stream::Weights);
        let narrow = 0.02 / (2.0 * config.n_layers as f32).sqrt();
        let mut vars = Vec::new();
        for spec in config.weights() {
            let tensor = if spec.name.ends_with("bias") {
                Tensor::zeros(spec.shape.as_slice(), DType::F32, &device)?
            } else if spec.name.contains("ln_") {
                Tensor::ones(spec.shape.as_slice(), DType::F32, &device)?
            } else {
                let width = if spec.name.contains("c_proj") {
                    narrow
                } else {
                    0.02
                };
                let values = (0..spec.element_count())
                    .map(|_| width * normal(&mut rng))
                    .collect();
                Tensor::from_vec(values, spec.shape.as_slice(), &device)?
            };
            vars.push((
                format!("transformer.{}", spec.name),
                Var::from_tensor(&tensor)?,
            ));
        }

        let var_map = VarMap::new();
        if let Ok(mut data) = var_map.data().lock() {
            data.extend(vars.iter().cloned());
        }
        let vb = VarBuilder::from_varmap(&var_map, DType::F32, &device);
        let net = Gpt2::load(config, vb.pp("transformer"))?;
        Ok(Self {
            vars,
            net,
            config: config.clone(),
        })
    }

    /// The weights by checkpoint name.
    pub fn weights(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.vars
            .iter()
            .map(|(name, var)| (name.as_str(), var.as_tensor()))
    }

    /// A net over the same weights that keeps no gradients.
    pub fn frozen(&self) -> Result<Gpt2> {
        let tensors = self
            .weights()
            .map(|(name, weight)| (name.to_owned(), weight.detach()));
        let vb = VarBuilder::from_tensors(tensors.collect(), DType::F32, &Device::Cpu);
        Ok(Gpt2::load(&self.config, vb.pp("transformer"))?)
    }

    /// Learns from `corpus`, leaving a checkpoint in `checkpoint_dir` now and then.
    ///
    /// Returns the seconds it took and the tokens it saw.
    pub fn train(
        &self,
        corpus: &Tokens,
        held_out: &Tokens,
        settings: &TrainSettings,
        checkpoint_dir: &Path,
        resume: bool,
    ) -> Result<(f64, usize)> {
        let first_step = if resume {
            self.restore(checkpoint_dir)?
        } else {
            0
        };
        let (matrices, vectors): (Vec<Var>, Vec<Var>) = self
            .vars
            .iter()
            .map(|(_, var)| var.clone())
            .partition(|var| var.rank() > 1);
        let params = |weight_decay| ParamsAdamW {
            lr: settings.lr_at(first_step),
            beta2: 0.98,
            weight_decay,
            ..ParamsAdamW::default()
        };
        let mut optimizers = [
            AdamW::new(matrices, params(settings.weight_decay))?,
            AdamW::new(vectors, params(0.0))?,
        ];

        let progress =
            ProgressBar::new(settings.steps as u64).with_style(ProgressStyle::with_template(
                "{elapsed_precise} {wide_bar} {pos}/{len} {eta} left  {msg}",
            )?);
        progress.set_position(first_step as u64);
        let start = Instant::now();
        let mut shown_loss = None;
        for step in first_step..settings.steps {
            let mut dice = rng(settings.seed, Stream::Batches);
            // Each step has numbers of its own, so a resumed run sees the batches it would have.
            dice.set_word_pos(step as u128 * 65_536);
            let batch = batch(
                &mut dice,
                corpus,
                settings,
                self.config.n_ctx,
                self.config.d_vocab,
            )?;
            let loss = self.loss(&self.net, &batch)?;
            let mut grads = loss.backward()?;
            self.clip(&mut grads, settings.max_grad_norm)?;
            for optimizer in &mut optimizers {
                optimizer.set_learning_rate(settings.lr_at(step));
                optimizer.step(&grads)?;
            }

            let loss = f64::from(loss.to_scalar::<f32>()?);
            let shown = shown_loss.map_or(loss, |before| 0.98 * before + 0.02 * loss);
            shown_loss = Some(shown);
            let tokens = (step + 1 - first_step) * settings.batch_size * self.config.n_ctx;
            let rate = tokens as f64 / start.elapsed().as_secs_f64();
            progress.set_message(format!("loss {shown:.3}  {rate:.0} tokens/s"));
            progress.inc(1);
            if (step + 1) % 50 == 0 && progress.is_hidden() {
                eprintln!("step {} loss {shown:.3} {rate:.0} tokens/s", step + 1);
            }
            if (step + 1) % 500 == 0 {
                self.checkpoint(checkpoint_dir, step + 1)?;
                let held_out = self.held_out_loss(held_out)?;
                progress.suspend(|| eprintln!("step {}: held-out loss {held_out:.4}", step + 1));
            }
        }
        progress.finish();
        let seen = (settings.steps - first_step) * settings.batch_size * self.config.n_ctx;
        Ok((start.elapsed().as_secs_f64(), seen))
    }

    /// Mean loss in nats per token over windows that cover `held_out` once.
    pub fn held_out_loss(&self, held_out: &Tokens) -> Result<f64> {
        let net = self.frozen()?;
        let n_ctx = self.config.n_ctx;
        let windows: Vec<&[u32]> = held_out.ids.windows(n_ctx + 1).step_by(n_ctx).collect();
        let mut total = 0.0;
        for group in windows.chunks(16) {
            let rows =
                Tensor::new(group.concat(), &Device::Cpu)?.reshape((group.len(), n_ctx + 1))?;
            let loss = f64::from(self.loss(&net, &rows)?.to_scalar::<f32>()?);
            total += loss * group.len() as f64;
        }
        Ok(total / windows.len() as f64)
    }

    /// Mean loss of `rows`, [batch, pos + 1].
    fn loss(&self, net: &Gpt2, rows: &Tensor) -> Result<Tensor> {
        let (n_batch, n_tokens) = rows.dims2()?;
        let n_pos = n_tokens - 1;
        let inputs = rows.narrow(1, 0, n_pos)?.contiguous()?;
        let targets = rows.narrow(1, 1, n_pos)?.flatten_all()?.contiguous()?;
        let logits = net.forward_batch(&inputs)?; // [batch, pos, d_vocab]
        let logits = logits.reshape((n_batch * n_pos, self.config.d_vocab))?;
        Ok(loss::cross_entropy(&logits, &targets)?)
    }

    /// Shortens the gradient, taken as one long vector, to `max_norm`.
    fn clip(&self, grads: &mut GradStore, max_norm: f64) -> Result<()> {
        let mut squares = 0.0;
        for (_, var) in &self.vars {
            if let Some(grad) = grads.get(var) {
                squares += f64::from(grad.sqr()?.sum_all()?.to_scalar::<f32>()?);
            }
        }
        let norm = squares.sqrt();
        if norm <= max_norm {
            return Ok(());
        }
        for (_, var) in &self.vars {
            if let Some(grad) = grads.get(var) {
                let grad = (grad * (max_norm / norm))?;
                grads.insert(var, grad);
            }
        }
        Ok(())
    }

    fn checkpoint(&self, dir: &Path, step: usize) -> Result<()> {
        fs::create_dir_all(dir)?;
        crate::card::save_weights(self, &dir.join("checkpoint.safetensors"))?;
        fs::write(dir.join("step"), step.to_string())?;
        Ok(())
    }

    /// Takes the weights of the last checkpoint; the optimiser's averages start anew.
    fn restore(&self, dir: &Path) -> Result<usize> {
        let path = dir.join("checkpoint.safetensors");
        let tensors = candle_core::safetensors::load(&path, &Device::Cpu)
            .with_context(|| format!("resuming from {}", path.display()))?;
        for (name, var) in &self.vars {
            var.set(
                tensors
                    .get(name)
                    .with_context(|| format!("checkpoint lacks {name}"))?,
            )?;
        }
        Ok(fs::read_to_string(dir.join("step"))?.trim().parse()?)
    }
}

/// A batch of windows, [batch, pos + 1]: half begin where a document begins, some are random
/// tokens repeated, the rest begin anywhere.
fn batch(
    dice: &mut ChaCha8Rng,
    corpus: &Tokens,
    settings: &TrainSettings,
    n_ctx: usize,
    d_vocab: usize,
) -> Result<Tensor> {
    let last = corpus.ids.len() - n_ctx - 1;
    let mut rows = Vec::with_capacity(settings.batch_size * (n_ctx + 1));
    for _ in 0..settings.batch_size {
        if dice.chance(settings.repeat_percent) {
            let len = dice.between(8, n_ctx / 2 - 1);
            let phrase: Vec<u32> = (0..len).map(|_| dice.below(d_vocab) as u32).collect();
            rows.push(0);
            rows.extend(phrase.iter().cycle().take(n_ctx));
        } else {
            let start = if dice.chance(50) {
                *dice.pick(&corpus.starts)
            } else {
                dice.below(last)
            };
            rows.extend_from_slice(&corpus.ids[start.min(last)..][..=n_ctx]);
        }
    }
    Ok(Tensor::from_vec(
        rows,
        (settings.batch_size, n_ctx + 1),
        &Device::Cpu,
    )?)
}

/// A standard normal number, by Box and Muller.
fn normal(rng: &mut ChaCha8Rng) -> f32 {
    use rand::Rng as _;
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()) as f32
}
