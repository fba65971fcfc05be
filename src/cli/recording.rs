//! Runs a model over a text, and hands on what was asked for, pass by pass.

use std::ops::ControlFlow;

use super::error::CliError;
use super::generate::Stop;
use crate::ablation::Ablation;
use crate::hook::HookPoint;
use crate::model::{Model, ModelError, Sampler, Session};
use crate::trace::{ActivationCache, Pass};

/// Runs the model and takes the wanted values only.
pub(super) struct Recording<'a> {
    model: &'a Model,
    session: Session,
    is_wanted: &'a dyn Fn(HookPoint) -> bool,
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
        })
    }

    /// Computes the prompt, then up to `max_new_tokens` more, and hands each pass to `keep`; says how
    /// that ended. What was kept before an error is worth keeping.
    pub(super) fn record(
        &mut self,
        prompt_tokens: &[u32],
        mut sampler: Sampler,
        max_new_tokens: usize,
        keep: &mut dyn FnMut(Pass) -> Result<(), CliError>,
    ) -> Result<Stop, CliError> {
        let config = self.model.config();
        let mut logits = self.run(prompt_tokens, keep)?;
        for _ in 0..max_new_tokens {
            if self.session.n_pos() == config.n_ctx {
                return Ok(Stop::ContextFull);
            }
            let token = sampler.choose(&logits)?;
            if config.eos_token_ids.contains(&token) {
                return Ok(Stop::EndOfText);
            }
            logits = self.run(&[token], keep)?;
        }
        Ok(Stop::MaxNewTokens)
    }

    fn run(
        &mut self,
        tokens: &[u32],
        keep: &mut dyn FnMut(Pass) -> Result<(), CliError>,
    ) -> Result<Vec<f32>, CliError> {
        let first_pos = self.session.n_pos();
        let mut cache = ActivationCache::new();
        let mut insert = |hook, activation| {
            cache.insert(hook, activation);
            ControlFlow::Continue(())
        };
        let logits = self
            .model
            .run_some(&mut self.session, tokens, self.is_wanted, &mut insert)?;
        keep(Pass {
            first_pos,
            tokens: tokens.to_vec(),
            cache,
        })?;
        Ok(logits)
    }
}
