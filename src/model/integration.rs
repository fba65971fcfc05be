//! Integrated gradients: what each token's embedding adds on the straight way from a baseline.
//!
//! Sundararajan, Taly and Yan 2017, "Axiomatic Attribution for Deep Networks".

use candle_core::{DType, Tensor, Var};

use super::ablated::Ablated;
use super::net::product;
use super::recorder::Recorder;
use super::{Model, ModelError};
use crate::ablation::Ablation;
use crate::attribution::{Baseline, IntegratedGradients, IntegrationSettings, Target, TargetWish};
use crate::hook::HookPoint;

/// Positions of all points that are computed together, at most, unless one text is longer.
const POSITIONS_AT_ONCE: usize = 256;
/// Points that are computed together, at most.
const POINTS_AT_ONCE: usize = 16;

/// Integrated gradients on their way.
pub struct Integration {
    tokens: Vec<u32>,
    ablations: Vec<Ablation>,
    target: Target,
    settings: IntegrationSettings,
    /// What stands in place of an embedding at the beginning, `[d_model]`.
    baseline: Tensor,
    /// The text's embeddings, `[1, pos, d_model]`.
    embed: Tensor,
    /// The sum of the gradients so far, `[pos, d_model]`, f32.
    sum: Tensor,
    n_done: usize,
    value: f32,
    baseline_value: f32,
}

/// Puts points on the way from the baseline to the text in place of the embeddings.
struct Way<'a> {
    baseline: &'a Tensor,
    /// How far along the way each entry of the batch is, 0 to 1.
    shares: &'a [f32],
    is_tracked: bool,
    embed: Option<Tensor>,
    points: Option<Var>,
}

impl Recorder for Way<'_> {
    fn at(&mut self, hook: HookPoint, value: Tensor) -> candle_core::Result<Tensor> {
        if hook != HookPoint::Embed {
            return Ok(value);
        }
        let shares = Tensor::new(self.shares, value.device())?
            .to_dtype(value.dtype())?
            .reshape((self.shares.len(), 1, 1))?;
        let way = value.broadcast_sub(self.baseline)?; // [point, pos, d_model]
        let points = way.broadcast_mul(&shares)?.broadcast_add(self.baseline)?; // [point, pos, d_model]
        self.embed = Some(value.narrow(0, 0, 1)?);
        if !self.is_tracked {
            return Ok(points);
        }
        let points = Var::from_tensor(&points)?;
        let tensor = points.as_tensor().clone();
        self.points = Some(points);
        Ok(tensor)
    }
}

impl Model {
    /// Begins integrated gradients of a target by the token embeddings, over the text up to the
    /// target's position, with `ablations` in effect.
    ///
    /// # Errors
    ///
    /// If there is no such target, part or baseline, no step, a token is not of the vocabulary, or the
    /// text outgrows the context.
    pub fn integration(
        &self,
        tokens: &[u32],
        ablations: &[Ablation],
        wish: TargetWish,
        settings: IntegrationSettings,
    ) -> Result<Integration, ModelError> {
        if settings.n_steps == 0 {
            return Err(ModelError::NoSteps);
        }
        let pos = self.check_question(tokens, ablations, wish)?;
        let tokens = tokens[..=pos].to_vec();
        let baseline = self.baseline(settings.baseline)?; // [d_model]
        let mut way = Way {
            baseline: &baseline,
            shares: &[1.0, 0.0],
            is_tracked: false,
            embed: None,
            points: None,
        };
        let rows = self.ends_of(&tokens, ablations, &mut way)?; // [2, d_model]
        let embed = way.embed.take().ok_or(ModelError::NotRecorded {
            hook: HookPoint::Embed,
            pos,
        })?;
        let logits = self.logits_of(&rows)?;
        let (at_text, at_baseline) = logits.split_at(self.config.d_vocab);
        let target = wish.choose(pos, at_text)?;
        Ok(Integration {
            sum: Tensor::zeros(
                (tokens.len(), self.config.d_model),
                DType::F32,
                &self.device,
            )?,
            tokens,
            ablations: ablations.to_vec(),
            target,
            settings,
            baseline,
            embed,
            n_done: 0,
            value: target.value(at_text),
            baseline_value: target.value(at_baseline),
        })
    }

    /// Integrated gradients, all steps at once.
    ///
    /// # Errors
    ///
    /// As [`integration`](Self::integration).
    pub fn integrated_gradients(
        &self,
        tokens: &[u32],
        ablations: &[Ablation],
        wish: TargetWish,
        settings: IntegrationSettings,
    ) -> Result<IntegratedGradients, ModelError> {
        let mut integration = self.integration(tokens, ablations, wish, settings)?;
        while !integration.advance(self)? {}
        integration.finish()
    }

    /// The unembedding's inputs at the last position of each point, `[point, d_model]`.
    fn ends_of(
        &self,
        tokens: &[u32],
        ablations: &[Ablation],
        way: &mut Way<'_>,
    ) -> Result<Tensor, ModelError> {
        let batch = self.batch_of(tokens, way.shares.len())?;
        let mut recorder = Ablated {
            ablations,
            inner: way,
        };
        let normalized = self.net.hidden(&batch, &mut recorder)?; // [point, pos, d_model]
        Ok(normalized.narrow(1, tokens.len() - 1, 1)?.squeeze(1)?)
    }

    fn baseline(&self, baseline: Baseline) -> Result<Tensor, ModelError> {
        let embeddings = self.net.token_embeddings(); // [d_vocab, d_model]
        Ok(match baseline {
            Baseline::Zero => embeddings.get(0)?.zeros_like()?,
            Baseline::Mean => embeddings
                .to_dtype(DType::F32)?
                .mean(0)?
                .to_dtype(embeddings.dtype())?,
            Baseline::Token(token) => {
                self.check_tokens(&[token], 0)?;
                embeddings.get(token as usize)?
            }
        })
    }
}

impl Integration {
    /// How many steps are done.
    pub fn n_done(&self) -> usize {
        self.n_done
    }

    /// How many steps there are.
    pub fn n_steps(&self) -> usize {
        self.settings.n_steps
    }

    /// Goes on by a few steps; says whether it has arrived.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn advance(&mut self, model: &Model) -> Result<bool, ModelError> {
        let n_steps = self.settings.n_steps;
        let n_points = (POSITIONS_AT_ONCE / self.tokens.len()).clamp(1, POINTS_AT_ONCE);
        let steps = self.n_done..(self.n_done + n_points).min(n_steps);
        if steps.is_empty() {
            return Ok(true);
        }
        let shares: Vec<f32> = steps
            .clone()
            .map(|step| (step as f32 + 0.5) / n_steps as f32)
            .collect();
        let mut way = Way {
            baseline: &self.baseline,
            shares: &shares,
            is_tracked: true,
            embed: None,
            points: None,
        };
        let rows = model.ends_of(&self.tokens, &self.ablations, &mut way)?; // [point, d_model]
        let values = product(&rows, &model.target_reader(self.target)?)?; // [point, 1]
        let store = values.sum_all()?.backward()?;
        let gradient = way.points.as_ref().and_then(|points| store.get(points));
        if let Some(gradient) = gradient {
            let gradient = gradient.to_dtype(DType::F32)?.sum(0)?; // [pos, d_model]
            self.sum = (&self.sum + gradient)?.detach();
        }
        self.n_done = steps.end;
        Ok(self.n_done == n_steps)
    }

    /// What has come of the steps done so far.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn finish(self) -> Result<IntegratedGradients, ModelError> {
        let way = self
            .embed
            .squeeze(0)?
            .broadcast_sub(&self.baseline)?
            .to_dtype(DType::F32)?; // [pos, d_model]
        let mean = (self.sum / self.n_done.max(1) as f64)?; // [pos, d_model]
        Ok(IntegratedGradients {
            target: self.target,
            settings: self.settings,
            by_pos: (mean * way)?.sum(1)?.to_vec1()?,
            value: self.value,
            baseline_value: self.baseline_value,
        })
    }
}
