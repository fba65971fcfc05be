//! How a prediction changes with every number of the pass: candle's derivatives of the same forward
//! pass.

use candle_core::{DType, Tensor, Var};

use super::ablated::Ablated;
use super::net::product;
use super::recorder::{Recorder, copy_out};
use super::{Model, ModelError};
use crate::ablation::Ablation;
use crate::attribution::{Gradients, Target, TargetWish};
use crate::hook::HookPoint;
use crate::trace::ActivationCache;

/// Adds a variable of zeros to the values wanted: what is differentiated by it is differentiated by
/// the value.
struct Probes<'a> {
    is_wanted: &'a dyn Fn(HookPoint) -> bool,
    variables: Vec<(HookPoint, Var)>,
    values: ActivationCache,
}

impl Recorder for Probes<'_> {
    fn at(&mut self, hook: HookPoint, value: Tensor) -> candle_core::Result<Tensor> {
        if !(self.is_wanted)(hook) {
            return Ok(value);
        }
        self.values.insert(hook, copy_out(&value)?);
        let variable = Var::zeros(value.shape(), value.dtype(), value.device())?;
        let probed = (value + variable.as_tensor())?;
        self.variables.push((hook, variable));
        Ok(probed)
    }
}

impl Model {
    /// The derivatives of a target by every value that is wanted, over the text up to the target's
    /// position, with `ablations` in effect. The logits have none: they are the target.
    ///
    /// # Errors
    ///
    /// If there is no such target or part, a token is not of the vocabulary, or the text outgrows the
    /// context.
    pub fn gradients(
        &self,
        tokens: &[u32],
        ablations: &[Ablation],
        wish: TargetWish,
        is_wanted: &dyn Fn(HookPoint) -> bool,
    ) -> Result<Gradients, ModelError> {
        let pos = self.check_question(tokens, ablations, wish)?;
        let mut probes = Probes {
            is_wanted,
            variables: Vec::new(),
            values: ActivationCache::new(),
        };
        let mut recorder = Ablated {
            ablations,
            inner: &mut probes,
        };
        let tokens = self.batch_of(&tokens[..=pos], 1)?;
        let normalized = self.net.hidden(&tokens, &mut recorder)?; // [1, pos, d_model]
        let row = normalized.narrow(1, pos, 1)?.squeeze(1)?; // [1, d_model]
        let logits = self.logits_of(&row.detach())?;
        let target = wish.choose(pos, &logits)?;
        let value = product(&row, &self.target_reader(target)?)?; // [1, 1]
        let store = value.backward()?;
        let mut gradients = ActivationCache::new();
        for (hook, variable) in &probes.variables {
            let gradient = match store.get(variable) {
                Some(gradient) => copy_out(gradient)?,
                None => copy_out(variable.as_tensor())?, // It has no influence: zeros.
            };
            gradients.insert(*hook, gradient);
        }
        Ok(Gradients {
            target,
            value: target.value(&logits),
            gradients,
            values: probes.values,
        })
    }

    /// Checks what is asked of a text, and says which position it is about.
    pub(super) fn check_question(
        &self,
        tokens: &[u32],
        ablations: &[Ablation],
        wish: TargetWish,
    ) -> Result<usize, ModelError> {
        let pos = wish.position(tokens.len())?;
        self.check_tokens(tokens, 0)?;
        for ablation in ablations {
            ablation.check(&self.config)?;
        }
        Ok(pos)
    }

    /// A text, `n` times: `[n, pos]`.
    pub(super) fn batch_of(&self, tokens: &[u32], n: usize) -> Result<Tensor, ModelError> {
        let text = Tensor::new(tokens, &self.device)?;
        Ok(text.unsqueeze(0)?.repeat((n, 1))?)
    }

    /// The logits of rows of the unembedding's input, `[n, d_model]`, row by row.
    pub(super) fn logits_of(&self, rows: &Tensor) -> Result<Vec<f32>, ModelError> {
        let logits = self.net.logits(rows)?; // [n, d_vocab]
        Ok(logits.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
    }

    /// What reads a target off the unembedding's input, `[d_model, 1]`.
    pub(super) fn target_reader(&self, target: Target) -> Result<Tensor, ModelError> {
        let mut reader = self.net.unembedding_of(target.token)?;
        if let Some(minus) = target.minus {
            reader = (reader - self.net.unembedding_of(minus)?)?;
        }
        Ok(reader.unsqueeze(1)?)
    }
}
