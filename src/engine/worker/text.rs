//! Computing a text, and keeping what was computed.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Ended, Gone, Worker};
use crate::ablation::Ablation;
use crate::engine::{EngineError, EngineUpdate, PauseReason};
use crate::hook::HookPoint;
use crate::model::{ModelError, Sampler, Session};
use crate::trace::{Activation, ActivationCache, Pass, SpillError, TraceUsage};

/// The text in progress.
pub(super) struct Text {
    session: Session,
    /// The token at every position.
    tokens: Vec<u32>,
    /// The last position's logits.
    logits: Vec<f32>,
}

impl Worker<'_> {
    pub(super) fn set_ablations(&mut self, parts: Vec<Ablation>) -> Result<(), Ended> {
        let model = self.model.as_ref().ok_or(EngineError::NoModel)?;
        let session = model.session_without(&parts)?;
        self.ablations.clone_from(&parts);
        self.tell(EngineUpdate::Ablated(parts))?;
        let Some(text) = self.text.take() else {
            return Ok(());
        };
        self.lens.clear();
        // If the pass is stopped, the text is still there to be computed.
        self.text = Some(Text {
            session: session.clone(),
            tokens: text.tokens.clone(),
            logits: Vec::new(),
        });
        self.compute(session, text.tokens)
    }

    /// Computes what a stopped pass has left of the text; says whether nothing is left now.
    fn catch_up(&mut self) -> Result<bool, Ended> {
        let left = |text: &Text| text.session.n_pos() < text.tokens.len();
        let text = self.text.as_ref().ok_or(EngineError::NoPrompt)?;
        if left(text) {
            let (session, tokens) = (text.session.clone(), text.tokens.clone());
            self.compute(session, tokens)?;
        }
        Ok(!self.text.as_ref().is_some_and(left))
    }

    pub(super) fn play(&mut self, n_tokens: usize) -> Result<PauseReason, Ended> {
        for _ in 0..n_tokens {
            if self.is_interrupted() {
                return Ok(PauseReason::Asked);
            }
            if let ControlFlow::Break(reason) = self.step()? {
                return Ok(reason);
            }
        }
        Ok(PauseReason::Done)
    }

    /// Chooses one token and computes its position, unless the text has come to its end.
    pub(super) fn step(&mut self) -> Result<ControlFlow<PauseReason>, Ended> {
        if self.model.is_some() && !self.catch_up()? {
            return Ok(ControlFlow::Break(PauseReason::Asked));
        }
        let model = self.model.as_ref().ok_or(EngineError::NoModel)?;
        let text = self.text.as_ref().ok_or(EngineError::NoPrompt)?;
        if text.session.n_pos() >= model.config().n_ctx {
            return Ok(ControlFlow::Break(PauseReason::ContextFull));
        }
        let sampler = match &mut self.sampler {
            Some(sampler) => sampler,
            none => none.insert(Sampler::new(&self.sampler_settings)?),
        };
        let token = sampler.choose(&text.logits)?;
        let is_last = model.config().eos_token_ids.contains(&token);
        let session = text.session.clone();
        self.compute(session, vec![token])?;
        Ok(if is_last {
            ControlFlow::Break(PauseReason::EndOfText)
        } else {
            ControlFlow::Continue(())
        })
    }

    /// Computes `tokens`, telling the values layer by layer, and makes them the end of the text.
    pub(super) fn compute(&mut self, mut session: Session, tokens: Vec<u32>) -> Result<(), Ended> {
        let first_pos = session.n_pos();
        self.tell(EngineUpdate::PassStarted {
            first_pos,
            tokens: tokens.clone(),
        })?;
        let mut cache = ActivationCache::new();
        let mut since_last: Vec<(HookPoint, Activation)> = Vec::new();
        let mut is_gone = false;
        // Taken out so that the loop below may look at the requests that come meanwhile.
        let model = self.model.take().ok_or(EngineError::NoModel)?;
        let result = model.run(&mut session, &tokens, &mut |hook, activation| {
            if self.is_interrupted() {
                return ControlFlow::Break(());
            }
            let begins_another = since_last
                .last()
                .is_some_and(|(last, _)| last.layer() != hook.layer());
            if begins_another {
                let values = std::mem::take(&mut since_last);
                is_gone |= self
                    .tell(EngineUpdate::Computed { first_pos, values })
                    .is_err();
            }
            since_last.push((hook, activation.clone()));
            cache.insert(hook, activation);
            if is_gone {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        let text = model
            .tokenizer()
            .and_then(|tokenizer| tokenizer.decode(&tokens).ok());
        self.model = Some(model);
        if is_gone {
            return Err(Gone.into());
        }
        let logits = match result {
            Err(ModelError::Stopped) => {
                return Ok(self.tell(EngineUpdate::Paused(PauseReason::Asked))?);
            }
            other => other?,
        };
        // Before the text goes on: if it fails, the text is as it was.
        let pass = self.keep(Pass {
            first_pos,
            tokens: tokens.clone(),
            cache,
        })?;
        let mut text_tokens = match self.text.take() {
            Some(text) if first_pos > 0 => text.tokens,
            _ => Vec::new(),
        };
        text_tokens.extend(tokens);
        self.text = Some(Text {
            session,
            tokens: text_tokens,
            logits,
        });
        self.tell(EngineUpdate::Computed {
            first_pos,
            values: since_last,
        })?;
        let pass = Arc::new(pass);
        if self.has_lens {
            self.lens.push(Arc::clone(&pass));
        }
        Ok(self.tell(EngineUpdate::PassDone { pass, text })?)
    }

    /// The pass, with its values where there is room for them.
    fn keep(&mut self, pass: Pass) -> Result<Pass, SpillError> {
        if pass.first_pos == 0 {
            self.memory.begin_text();
            self.is_spilling = false;
        }
        let pass = self.memory.keep(pass)?;
        if !self.is_spilling && TraceUsage::of_pass(&pass).on_disk > 0 {
            self.is_spilling = true;
            tracing::warn!(
                "the text's values take more than --trace-memory allows: from position {} on they are \
                 kept in a temporary file in {}",
                pass.first_pos,
                self.memory.folder().display()
            );
        }
        Ok(pass)
    }
}
