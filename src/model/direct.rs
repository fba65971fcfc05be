//! Direct logit attribution: what each part of the residual stream adds to a logit by itself.
//!
//! Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits".

use candle_core::{DType, Tensor};

use super::gpt2::Writers;
use super::{Model, ModelError};
use crate::attribution::{DirectAttribution, TargetWish};
use crate::hook::{BlockSite, HookPoint};
use crate::trace::TokenTrace;

impl Model {
    /// What each part of the residual stream at a position of a pass adds to a target there, with the
    /// final norm's scale held at what it is. The wish's own position is not looked at.
    ///
    /// A part, `[d_model]`, adds `(part - mean(part)) / scale * w` times the unembedding's column,
    /// which is its product with one direction; the final norm's shift adds the rest.
    ///
    /// # Errors
    ///
    /// If there is no such target, or the pass did not record what it needs.
    pub fn direct_attribution(
        &self,
        token: &TokenTrace<'_>,
        wish: TargetWish,
    ) -> Result<DirectAttribution, ModelError> {
        let pos = token.pos;
        let row = |hook| token.row(hook).ok_or(ModelError::NotRecorded { hook, pos });
        let logits = row(HookPoint::Logits)?;
        let target = wish.choose(pos, logits)?;
        let n_layers = self.config.n_layers;
        let last = HookPoint::block(n_layers - 1, BlockSite::ResidPost);
        let reader = self.target_reader(target)?.flatten_all()?;
        let reader: Vec<f32> = reader.to_dtype(DType::F32)?.to_vec1()?; // [d_model]
        let (scale, shift, eps) = self.net.final_norm();
        let scale: Vec<f32> = scale.to_dtype(DType::F32)?.to_vec1()?;
        let shift: Vec<f32> = shift.to_dtype(DType::F32)?.to_vec1()?;
        let direction = direction(&reader, &scale, row(last)?, eps);
        let column = Tensor::new(direction.as_slice(), &self.device)?
            .to_dtype(self.net.dtype())?
            .unsqueeze(1)?; // [d_model, 1]
        let mut parts = DirectAttribution {
            target,
            value: target.value(logits),
            embed: dot(row(HookPoint::Embed)?, &direction),
            pos_embed: dot(row(HookPoint::PosEmbed)?, &direction),
            heads: Vec::with_capacity(n_layers),
            z: Vec::with_capacity(n_layers),
            attn_bias: Vec::with_capacity(n_layers),
            neurons: Vec::with_capacity(n_layers),
            mlp_bias: Vec::with_capacity(n_layers),
            bias: dot(&shift, &reader),
            direction: Vec::new(),
        };
        for layer in 0..n_layers {
            let Writers {
                w_o,
                b_o,
                w_out,
                b_out,
            } = self.net.writers(layer);
            let read = |weight: &Tensor| -> Result<Vec<f32>, ModelError> {
                let products = weight.matmul(&column)?.flatten_all()?;
                Ok(products.to_dtype(DType::F32)?.to_vec1()?)
            };
            let bias = |bias: &Tensor| -> Result<f32, ModelError> {
                let bias: Vec<f32> = bias.to_dtype(DType::F32)?.to_vec1()?;
                Ok(dot(&bias, &direction))
            };
            let z = times(row(HookPoint::block(layer, BlockSite::Z))?, &read(w_o)?);
            let heads = z.chunks(self.config.d_head);
            parts.heads.push(heads.map(sum).collect());
            parts.z.push(z);
            parts.attn_bias.push(bias(b_o)?);
            let post = row(HookPoint::block(layer, BlockSite::MlpPost))?;
            parts.neurons.push(times(post, &read(w_out)?));
            parts.mlp_bias.push(bias(b_out)?);
        }
        parts.direction = direction;
        Ok(parts)
    }
}

/// The direction whose product with a part of the stream is what the part adds to the target:
/// `centred(w * reader) / scale`, where `scale` is the deviation of the stream, `resid`.
fn direction(reader: &[f32], norm_scale: &[f32], resid: &[f32], eps: f32) -> Vec<f32> {
    let n = resid.len() as f64;
    let mean = resid.iter().copied().map(f64::from).sum::<f64>() / n;
    let squares = resid.iter().map(|value| (f64::from(*value) - mean).powi(2));
    let scale = (squares.sum::<f64>() / n + f64::from(eps)).sqrt();
    let read = times(reader, norm_scale);
    let mean = read.iter().copied().map(f64::from).sum::<f64>() / n;
    read.iter()
        .map(|value| ((f64::from(*value) - mean) / scale) as f32)
        .collect()
}

fn times(left: &[f32], right: &[f32]) -> Vec<f32> {
    left.iter().zip(right).map(|(l, r)| l * r).collect()
}

fn sum(values: &[f32]) -> f32 {
    values.iter().copied().map(f64::from).sum::<f64>() as f32
}

fn dot(left: &[f32], right: &[f32]) -> f32 {
    let products = left.iter().zip(right);
    products
        .map(|(l, r)| f64::from(*l) * f64::from(*r))
        .sum::<f64>() as f32
}
