//! A model that writes on in the background, as the engine's does.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result, ensure};
use candle_core::{Device, Tensor};
use llmscope::config::ModelConfig;
use llmscope::model::{Model, leave_a_core};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// A model with random weights, ready to write.
pub struct Writer {
    model: Arc<Model>,
}

/// A text that is being written until it is dropped.
pub struct Text {
    is_over: Arc<AtomicBool>,
    n_tokens: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Of this shape. As in the window, a core is left for drawing.
    pub fn new(preset: &str) -> Result<Self> {
        let config =
            ModelConfig::preset(preset).with_context(|| format!("{preset} is no known shape"))?;
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut tensors = HashMap::new();
        for spec in config.weights() {
            let n = spec.element_count();
            let values: Vec<f32> = (0..n).map(|_| rng.random_range(-0.04..0.04)).collect();
            let tensor = Tensor::from_vec(values, spec.shape.clone(), &Device::Cpu)?;
            tensors.insert(spec.name, tensor);
        }
        leave_a_core();
        let model = Model::from_tensors(preset, config, tensors, Device::Cpu)?;
        Ok(Self {
            model: Arc::new(model),
        })
    }

    /// Begins to write: a prompt, then token after token, everything captured.
    ///
    /// # Errors
    ///
    /// If there can be no thread for it.
    pub fn write(&self) -> Result<Text> {
        let model = Arc::clone(&self.model);
        let is_over = Arc::new(AtomicBool::new(false));
        let n_tokens = Arc::new(AtomicUsize::new(0));
        let (over, count) = (Arc::clone(&is_over), Arc::clone(&n_tokens));
        let builder = thread::Builder::new().name("writer".to_owned());
        let thread = builder.spawn(move || {
            let mut session = model.session();
            let mut tokens = vec![5; 64];
            while !over.load(Ordering::Relaxed) && session.n_pos() < model.config().n_ctx {
                let mut keep = |_, value| {
                    std::hint::black_box(value);
                    std::ops::ControlFlow::Continue(())
                };
                if model.run(&mut session, &tokens, &mut keep).is_err() {
                    return;
                }
                tokens = vec![7];
                count.fetch_add(1, Ordering::Relaxed);
            }
        })?;
        Ok(Text {
            is_over,
            n_tokens,
            thread: Some(thread),
        })
    }
}

impl Text {
    /// Ends it and says how many passes there were.
    ///
    /// # Errors
    ///
    /// If none came to its end.
    pub fn end(mut self) -> Result<usize> {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            ensure!(thread.join().is_ok(), "the model panicked");
        }
        let n_tokens = self.n_tokens.load(Ordering::Relaxed);
        ensure!(n_tokens > 0, "the model wrote nothing");
        Ok(n_tokens)
    }
}
