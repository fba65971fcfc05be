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
use crate::scores::head_scores;
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
    /// Percent of windows that are random tokens said again and again.
    pub repeat_percent: usize,
    /// Steps between checkpoints, and between looks at the held-out loss.
    pub steps_per_checkpoint: usize,
    /// Everything random follows from it.
    pub seed: u64,
}

/// How long a training run took.
pub struct TrainTime {
    /// Seconds, from the first step of this run to its last.
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
    let first_step = if resume {
        restore(learner, checkpoint_dir)?
    } else {
        0
    };
    let mut optimizers = optimizers(learner, settings)?;
    let progress = progress_bar(settings.steps, first_step)?;
    let tokens_per_step = settings.batch_size * learner.config.n_ctx;
    let start = Instant::now();
    let mut mean_loss = None;
    for step in first_step..settings.steps {
        let rows = batch(step, corpus, settings, &learner.config)?;
        let (loss, mut grads) = gradients(learner, &rows, settings.workers)?;
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
            save(learner, checkpoint_dir, done)?;
            let report = report(learner, held_out, settings.seed)?;
            progress.suspend(|| {
                eprintln!("step {done}: loss {mean:.3}, {report}, {rate:.0} tokens/s");
            });
        }
    }
    progress.finish();
    Ok(TrainTime {
        secs: start.elapsed().as_secs_f64(),
        tokens: (settings.steps - first_step) * tokens_per_step,
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

/// The batch of `step`, [batch, pos + 1]: half of its windows begin where a document begins, some
/// are random tokens repeated, the rest begin anywhere.
fn batch(
    step: usize,
    corpus: &Tokens,
    settings: &TrainSettings,
    config: &ModelConfig,
) -> Result<Tensor> {
    // Each step has numbers of its own, so a resumed run sees the batches it would have seen.
    let mut dice = rng(settings.seed, Stream::Batches);
    dice.set_word_pos(step as u128 * 65_536);

    let n_tokens = config.n_ctx + 1;
    let last = corpus.ids.len() - n_tokens;
    let mut rows = Vec::with_capacity(settings.batch_size * n_tokens);
    for _ in 0..settings.batch_size {
        if dice.chance(settings.repeat_percent) {
            rows.extend(repeated_tokens(&mut dice, n_tokens, config.d_vocab));
            continue;
        }
        let start = if dice.chance(50) {
            *dice.pick(&corpus.starts)
        } else {
            dice.below(last)
        };
        rows.extend_from_slice(&corpus.ids[start.min(last)..][..n_tokens]);
    }
    Ok(Tensor::from_vec(
        rows,
        (settings.batch_size, n_tokens),
        &Device::Cpu,
    )?)
}

/// An end-of-text token, then random tokens again and again.
fn repeated_tokens(dice: &mut ChaCha8Rng, n_tokens: usize, d_vocab: usize) -> Vec<u32> {
    // Short phrases come round often, which is how looking back is first found to pay.
    let longest = *dice.pick(&[4, 8, 24, n_tokens / 2 - 1]);
    let len = dice.between(2, longest);
    let phrase: Vec<u32> = (0..len).map(|_| dice.below(d_vocab) as u32).collect();
    let repeated = phrase.iter().cycle().copied();
    std::iter::once(END_OF_TEXT_ID)
        .chain(repeated)
        .take(n_tokens)
        .collect()
}

/// The loss of a batch and its gradients, each of `workers` threads computing a part of the rows.
///
/// candle does most of its elementwise work on one thread, so parts beat a shared batch.
fn gradients(learner: &Learner, rows: &Tensor, workers: usize) -> Result<(f64, GradStore)> {
    let parts = rows.chunk(workers, 0)?;
    let n_rows = rows.dim(0)? as f64;
    let part = |rows: &Tensor| -> Result<(f64, GradStore)> {
        let share = rows.dim(0)? as f64 / n_rows;
        let loss = (learner.loss(rows)? * share)?;
        Ok((f64::from(loss.to_scalar::<f32>()?), loss.backward()?))
    };
    let results: Vec<Result<(f64, GradStore)>> = thread::scope(|scope| {
        let threads: Vec<_> = parts
            .iter()
            .map(|rows| scope.spawn(|| part(rows)))
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
    let heads = head_scores(&learner.config, &learner.frozen()?, seed)?;
    let best = |scores: &mut dyn Iterator<Item = f32>| scores.fold(0.0, f32::max);
    let induction = best(&mut heads.iter().map(|head| head.induction));
    let previous = best(&mut heads.iter().map(|head| head.previous));
    Ok(format!(
        "held out {loss:.4}, best induction {induction:.2}, best previous token {previous:.2}"
    ))
}

fn progress_bar(steps: usize, first_step: usize) -> Result<ProgressBar> {
    let style = "{elapsed_precise} {wide_bar} {pos}/{len} {eta} left  {msg}";
    Ok(ProgressBar::new(steps as u64)
        .with_style(ProgressStyle::with_template(style)?)
        .with_position(first_step as u64))
}

fn save(learner: &Learner, dir: &Path, step: usize) -> Result<()> {
    fs::create_dir_all(dir)?;
    learner.save(&dir.join("checkpoint.safetensors"))?;
    fs::write(dir.join("step"), step.to_string())?;
    Ok(())
}

/// Takes the weights of the last checkpoint and says after which step it was; the optimiser's
/// averages start anew.
fn restore(learner: &Learner, dir: &Path) -> Result<usize> {
    learner.restore(&dir.join("checkpoint.safetensors"))?;
    Ok(fs::read_to_string(dir.join("step"))?.trim().parse()?)
}
