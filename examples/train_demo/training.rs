//! Batches from the corpus, and the steps that make the model fit them.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor, Var};
use candle_nn::{AdamW, Optimizer as _, ParamsAdamW};
use indicatif::{ProgressBar, ProgressStyle};
use llmscope::config::ModelConfig;
use rand_chacha::ChaCha8Rng;

use crate::corpus::{END_OF_TEXT_ID, Stream, Tokens, rng};
use crate::learner::Learner;
use crate::scores::copy_score;
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
    /// Threads that each take an equal part of a batch.
    pub workers: usize,
    /// Percent of windows that are random tokens said again and again, in the first half of the
    /// steps; then a quarter of it.
    pub repeat_percent: usize,
    /// Steps between checkpoints, and between looks at the held-out loss.
    pub steps_per_checkpoint: usize,
    /// Everything random follows from it.
    pub seed: u64,
}

/// How long a training run took.
pub struct TrainTime {
    /// Seconds, those before the checkpoint that it went on from included.
    pub secs: f64,
    /// Tokens seen in them.
    pub tokens: usize,
}

/// Fits `learner` to `corpus`, leaving a checkpoint in `checkpoint_dir` now and then and, if it is
/// to `resume`, beginning with the one there.
pub fn train(
    learner: &Learner,
    corpus: &Tokens,
    held_out: &Tokens,
    settings: &TrainSettings,
    checkpoint_dir: &Path,
    resume: bool,
) -> Result<TrainTime> {
    let (first_step, secs_before) = if resume {
        restore(learner, checkpoint_dir)?
    } else {
        (0, 0.0)
    };
    let mut optimizers = optimizers(learner, settings)?;
    let progress = progress_bar(settings.steps, first_step)?;
    let tokens_per_step = settings.batch_size * learner.config.n_ctx;
    let start = Instant::now();
    let mut mean_loss = None;
    for step in first_step..settings.steps {
        let batch = batch(step, corpus, settings, &learner.config)?;
        let (loss, mut grads) = gradients(learner, &batch, settings.workers)?;
        clip(learner, &mut grads, settings.max_grad_norm)?;
        for optimizer in &mut optimizers {
            optimizer.set_learning_rate(settings.lr_at(step));
            optimizer.step(&grads)?;
        }

        let mean = mean_loss.map_or(loss, |mean| 0.98 * mean + 0.02 * loss);
        mean_loss = Some(mean);
        let done = step + 1;
        let rate = ((done - first_step) * tokens_per_step) as f64 / start.elapsed().as_secs_f64();
        progress.set_message(format!("loss {mean:.3}  {rate:.0} tokens/s"));
        progress.inc(1);
        if done % settings.steps_per_checkpoint == 0 {
            let secs = secs_before + start.elapsed().as_secs_f64();
            save(learner, checkpoint_dir, done, secs)?;
            let report = report(learner, held_out, settings.seed)?;
            progress.suspend(|| {
                eprintln!("step {done}: loss {mean:.3}, {report}, {rate:.0} tokens/s");
            });
        }
    }
    progress.finish();
    Ok(TrainTime {
        secs: secs_before + start.elapsed().as_secs_f64(),
        tokens: settings.steps * tokens_per_step,
    })
}

impl TrainSettings {
    /// The learning rate at `step`: up a line, then down half a cosine to a twentieth.
    fn lr_at(&self, step: usize) -> f64 {
        let warmup = (step + 1) as f64 / self.warmup_steps as f64;
        let done = step as f64 / self.steps as f64;
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
        self.peak_lr * warmup.min(1.0) * (0.05 + 0.95 * cosine)
    }

    fn repeat_percent_at(&self, step: usize) -> usize {
        if 2 * step < self.steps {
            self.repeat_percent
        } else {
            self.repeat_percent / 4
        }
    }
}

/// One optimiser for the matrices, which decay, and one for biases and norms, which don't.
fn optimizers(learner: &Learner, settings: &TrainSettings) -> Result<[AdamW; 2]> {
    let vars = learner.vars.iter().map(|(_, var)| var.clone());
    let (matrices, vectors): (Vec<Var>, Vec<Var>) = vars.partition(|var| var.rank() > 1);
    let params = |weight_decay| ParamsAdamW {
        beta2: 0.98,
        weight_decay,
        ..ParamsAdamW::default()
    };
    Ok([
        AdamW::new(matrices, params(settings.weight_decay))?,
        AdamW::new(vectors, params(0.0))?,
    ])
}

/// Windows of tokens to learn from.
struct Batch {
    rows: Tensor,    // [batch, pos + 1]
    weights: Tensor, // [batch, pos]
}

/// The batch of `step`: half of its windows begin where a document begins, some are random tokens
/// repeated, the rest begin anywhere.
fn batch(
    step: usize,
    corpus: &Tokens,
    settings: &TrainSettings,
    config: &ModelConfig,
) -> Result<Batch> {
    // Each step has numbers of its own, so a resumed run sees the batches it would have seen.
    let mut dice = rng(settings.seed, Stream::Batches);
    dice.set_word_pos(step as u128 * 65_536);

    let (n_batch, n_pos) = (settings.batch_size, config.n_ctx);
    let last = corpus.ids.len() - n_pos - 1;
    let mut rows: Vec<u32> = Vec::with_capacity(n_batch * (n_pos + 1));
    let mut weights: Vec<f32> = Vec::with_capacity(n_batch * n_pos);
    for _ in 0..n_batch {
        if dice.chance(settings.repeat_percent_at(step)) {
            let phrase = random_phrase(&mut dice, n_pos / 2, config.d_vocab);
            rows.push(END_OF_TEXT_ID);
            rows.extend(phrase.iter().cycle().take(n_pos));
            // Nobody can foresee the first time, and trying only shakes the embeddings.
            weights.extend((0..n_pos).map(|pos| if pos < phrase.len() { 0.0 } else { 1.0 }));
            continue;
        }
        let start = if dice.chance(50) {
            *dice.pick(&corpus.starts)
        } else {
            dice.below(last)
        };
        rows.extend_from_slice(&corpus.ids[start.min(last)..][..=n_pos]);
        weights.extend(std::iter::repeat_n(1.0, n_pos));
    }
    Ok(Batch {
        rows: Tensor::from_vec(rows, (n_batch, n_pos + 1), &Device::Cpu)?,
        weights: Tensor::from_vec(weights, (n_batch, n_pos), &Device::Cpu)?,
    })
}

/// Random tokens to be repeated. Many are few: those come round often, which is how looking back is
/// first found to pay.
fn random_phrase(dice: &mut ChaCha8Rng, max_len: usize, d_vocab: usize) -> Vec<u32> {
    let longest = *dice.pick(&[8, 16, 32, max_len]);
    let len = dice.between(4, longest);
    (0..len).map(|_| dice.below(d_vocab) as u32).collect()
}

/// The loss of a batch and its gradients, each of `workers` threads computing a part of the rows.
///
/// candle does most of its elementwise work on one thread, so parts beat a shared batch.
fn gradients(learner: &Learner, batch: &Batch, workers: usize) -> Result<(f64, GradStore)> {
    let n_rows = batch.rows.dim(0)? as f64;
    let rows = batch.rows.chunk(workers, 0)?;
    let weights = batch.weights.chunk(workers, 0)?;
    let part = |rows: &Tensor, weights: &Tensor| -> Result<(f64, GradStore)> {
        let share = rows.dim(0)? as f64 / n_rows;
        let loss = (learner.loss(rows, weights)? * share)?;
        Ok((f64::from(loss.to_scalar::<f32>()?), loss.backward()?))
    };
    let part = &part;
    let results: Vec<Result<(f64, GradStore)>> = thread::scope(|scope| {
        let parts = rows.iter().zip(&weights);
        let threads: Vec<_> = parts
            .map(|(rows, weights)| scope.spawn(move || part(rows, weights)))
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined
            .map(|result| result.unwrap_or_else(|_| bail!("a worker panicked")))
            .collect()
    });

    let mut results = results.into_iter();
    let (mut loss, mut grads) = results.next().context("a batch has at least one part")??;
    for result in results {
        let (more_loss, more_grads) = result?;
        loss += more_loss;
        for (_, var) in &learner.vars {
            if let (Some(grad), Some(more)) = (grads.get(var), more_grads.get(var)) {
                let sum = (grad + more)?;
                grads.insert(var, sum);
            }
        }
    }
    Ok((loss, grads))
}

/// Shortens the gradient, taken as one long vector, to `max_norm`.
fn clip(learner: &Learner, grads: &mut GradStore, max_norm: f64) -> Result<()> {
    let mut squares = 0.0;
    for (_, var) in &learner.vars {
        if let Some(grad) = grads.get(var) {
            squares += f64::from(grad.sqr()?.sum_all()?.to_scalar::<f32>()?);
        }
    }
    let norm = squares.sqrt();
    if norm <= max_norm {
        return Ok(());
    }
    for (_, var) in &learner.vars {
        if let Some(grad) = grads.get(var) {
            let grad = (grad * (max_norm / norm))?;
            grads.insert(var, grad);
        }
    }
    Ok(())
}

fn report(learner: &Learner, held_out: &Tokens, seed: u64) -> Result<String> {
    let loss = learner.held_out_loss(held_out)?;
    let copies = copy_score(&learner.config, &learner.frozen()?, seed)?;
    let (induction, previous) = copies.best();
    Ok(format!(
        "held out {loss:.4}, second copy {:.3}, best induction {:.2}, best previous token {:.2}",
        copies.second_copy_loss, induction.induction, previous.previous
    ))
}

fn progress_bar(steps: usize, first_step: usize) -> Result<ProgressBar> {
    let style = "{elapsed_precise} {wide_bar} {pos}/{len} {eta} left  {msg}";
    Ok(ProgressBar::new(steps as u64)
        .with_style(ProgressStyle::with_template(style)?)
        .with_position(first_step as u64))
}

fn save(learner: &Learner, dir: &Path, step: usize, secs: f64) -> Result<()> {
    fs::create_dir_all(dir)?;
    learner.save(&dir.join("checkpoint.safetensors"))?;
    fs::write(dir.join("steps_and_secs"), format!("{step} {secs}"))?;
    Ok(())
}

/// Takes the weights of the last checkpoint and says after how many steps and seconds it was; the
/// optimiser's averages start anew.
fn restore(learner: &Learner, dir: &Path) -> Result<(usize, f64)> {
    learner.restore(&dir.join("checkpoint.safetensors"))?;
    let progress = fs::read_to_string(dir.join("steps_and_secs"))?;
    let (step, secs) = progress
        .split_once(' ')
        .context("steps_and_secs holds two numbers")?;
    Ok((step.parse()?, secs.parse()?))
}
