//! Runs a model over a text, and keeps what was asked for.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::generate::Stop;
use crate::ablation::Ablation;
use crate::hook::HookPoint;
use crate::model::{Model, ModelError, Sampler, Session};
use crate::trace::{ActivationCache, Pass, Trace};

/// Runs the model and keeps the wanted values only.
pub(super) struct Recording<'a> {
    model: &'a Model,
    session: Session,
    is_wanted: &'a dyn Fn(HookPoint) -> bool,
    /// What was recorded so far.
    pub(super) trace: Trace,
}

impl<'a> Recording<'a> {
    pub(super) fn new(
        model: &'a Model,
        is_wanted: &'a dyn Fn(HookPoint) -> bool,
        ablate: &[Ablation],
    ) -> Result<Self, ModelError> {
        Ok(Self {
            model,
            session: model.session_without(ablate)?,
            is_wanted,
            trace: Trace::new(model.config().clone()),
        })
    }

    /// Records the prompt, then up to `max_new_tokens` more; says how that ended. The outer error
    /// leaves nothing worth saving, the inner one does.
    pub(super) fn record(
        &mut self,
        prompt_tokens: &[u32],
        mut sampler: Sampler,
        max_new_tokens: usize,
    ) -> Result<Result<Stop, ModelError>, ModelError> {
        let config = self.model.config();
        let mut logits = self.run(prompt_tokens)?;
        for _ in 0..max_new_tokens {
            if self.trace.len() == config.n_ctx {
                return Ok(Ok(Stop::ContextFull));
            }
            let token = match sampler.choose(&logits) {
                Ok(token) if Some(token) == config.eos_token_id => return Ok(Ok(Stop::EndOfText)),
                Ok(token) => token,
                Err(error) => return Ok(Err(error)),
            };
            logits = self.run(&[token])?;
        }
        Ok(Ok(Stop::MaxNewTokens))
    }

    fn run(&mut self, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
        let mut cache = ActivationCache::new();
        let logits = self
            .model
            .run(&mut self.session, tokens, &mut |hook, activation| {
                if (self.is_wanted)(hook) {
                    cache.insert(hook, activation);
                }
                ControlFlow::Continue(())
            })?;
        self.trace.push(Arc::new(Pass {
            first_pos: self.trace.len(),
            tokens: tokens.to_vec(),
            cache,
        }));
        Ok(logits)
    }
}
