//! Passes with parts set to zero, and what that does to their predictions.

use candle_core::{Result, Tensor};

use super::recorder::Recorder;
use super::{Model, ModelError};
use crate::ablation::Ablation;
use crate::attribution::{AblationEffect, TargetWish, kl_divergence};
use crate::hook::{Axis, HookPoint};

/// Sets parts of a pass to zero, at every position, before `inner` sees them.
pub(super) struct Ablated<'a, R> {
    pub(super) ablations: &'a [Ablation],
    pub(super) inner: &'a mut R,
}

impl<R: Recorder> Recorder for Ablated<'_, R> {
    fn at(&mut self, hook: HookPoint, mut value: Tensor) -> Result<Tensor> {
        for ablation in self.ablations.iter().filter(|part| part.hook == hook) {
            value = without(&value, hook, ablation.index)?;
        }
        self.inner.at(hook, value)
    }

    fn reads(&self, hook: HookPoint) -> bool {
        self.ablations.iter().any(|part| part.hook == hook) || self.inner.reads(hook)
    }
}

/// `value`, batch dimension first, with one index of its heads (or of its last axis) set to zero, or
/// all of it.
///
/// What is set to zero is replaced, not multiplied, so that a NaN there is gone too.
fn without(value: &Tensor, hook: HookPoint, index: Option<usize>) -> Result<Tensor> {
    let zeros = value.zeros_like()?;
    let Some(index) = index else {
        return Ok(zeros);
    };
    let axes = hook.axes();
    let axis = axes
        .iter()
        .position(|axis| *axis == Axis::Head)
        .unwrap_or(axes.len() - 1);
    // The batch comes first.
    let axis = axis + 1;
    let count = value.dim(axis)?;
    let mask: Vec<u8> = (0..count).map(|at| u8::from(at == index)).collect();
    let mut shape = vec![1; value.rank()];
    shape[axis] = count;
    let mask = Tensor::from_vec(mask, shape, value.device())?.broadcast_as(value.shape())?;
    mask.where_cond(&zeros, value)
}

/// Rows whose logits are computed at once, so that those of a long text need not all lie in memory.
const ROWS_AT_ONCE: usize = 64;

impl Model {
    /// What setting `parts` to zero, at every position of `tokens`, does to the predictions.
    ///
    /// # Errors
    ///
    /// If there is no such target or part, a token is not of the vocabulary, or the text outgrows the
    /// context.
    pub fn ablation_effect(
        &self,
        tokens: &[u32],
        parts: &[Ablation],
        wish: TargetWish,
    ) -> std::result::Result<AblationEffect, ModelError> {
        let pos = self.check_question(tokens, parts, wish)?;
        let batch = self.batch_of(tokens, 1)?;
        let rows = |ablations| -> std::result::Result<Tensor, ModelError> {
            let mut recorder = Ablated {
                ablations,
                inner: &mut (),
            };
            Ok(self.net.hidden(&batch, &mut recorder)?.squeeze(0)?) // [pos, d_model]
        };
        let (before, after) = (rows(&[])?, rows(parts)?);
        let d_vocab = self.config.d_vocab;
        let mut kl = Vec::with_capacity(tokens.len());
        let (mut logits_before, mut logits_after) = (Vec::new(), Vec::new());
        for first in (0..tokens.len()).step_by(ROWS_AT_ONCE) {
            let n = ROWS_AT_ONCE.min(tokens.len() - first);
            let before = self.logits_of(&before.narrow(0, first, n)?)?;
            let after = self.logits_of(&after.narrow(0, first, n)?)?;
            let both = before.chunks(d_vocab).zip(after.chunks(d_vocab));
            for (at, (before, after)) in (first..).zip(both) {
                kl.push(kl_divergence(before, after));
                if at == pos {
                    logits_before = before.to_vec();
                    logits_after = after.to_vec();
                }
            }
        }
        let target = wish.choose(pos, &logits_before)?;
        Ok(AblationEffect {
            parts: parts.to_vec(),
            target,
            value_before: target.value(&logits_before),
            value_after: target.value(&logits_after),
            logits_before,
            logits_after,
            kl,
        })
    }
}
