//! Direct logit attribution: what each part of the residual stream adds to a logit by itself.
//!
//! Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits".

use candle_core::{DType, Tensor};

use super::net::{Linear, Norm, Writers};
use super::{Model, ModelError};
use crate::attribution::{DirectAttribution, TargetWish};
use crate::hook::{BlockSite, HookPoint};
use crate::trace::TokenTrace;

impl Model {
    /// What each part of the residual stream at a position of a pass adds to a target there, with the
    /// final norm's scale held at what it is. The wish's own position is not looked at.
    ///
    /// A part, `[d_model]`, adds `(part - mean(part)) / scale * w` times the unembedding's column
    /// (an RMS norm takes off no mean), which is its product with one direction; the final norm's
    /// shift, if it has one, adds the rest.
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
        let norm = self.net.final_norm();
        let direction = direction(&reader, norm, row(last)?)?;
        let column = Tensor::new(direction.as_slice(), &self.device)?
            .to_dtype(self.net.dtype())?
            .unsqueeze(1)?; // [d_model, 1]
        let mut parts = DirectAttribution {
            target,
            value: target.value(logits),
            embed: dot(row(HookPoint::Embed)?, &direction),
            pos_embed: if self.config.has_hook(HookPoint::PosEmbed) {
                dot(row(HookPoint::PosEmbed)?, &direction)
            } else {
                0.0
            },
            heads: Vec::with_capacity(n_layers),
            z: Vec::with_capacity(n_layers),
            attn_bias: Vec::with_capacity(n_layers),
            neurons: Vec::with_capacity(n_layers),
            mlp_bias: Vec::with_capacity(n_layers),
            bias: of_bias(norm.bias(), &reader)?,
            direction: Vec::new(),
        };
        for layer in 0..n_layers {
            let Writers { attn, mlp } = self.net.writers(layer);
            let read = |writer: &Linear| -> Result<Vec<f32>, ModelError> {
                let products = writer.matrix()?.matmul(&column)?.flatten_all()?;
                Ok(products.to_dtype(DType::F32)?.to_vec1()?)
            };
            let z = times(row(HookPoint::block(layer, BlockSite::Z))?, &read(attn)?);
            let heads = z.chunks(self.config.d_head);
            parts.heads.push(heads.map(sum).collect());
            parts.z.push(z);
            parts.attn_bias.push(of_bias(attn.bias(), &direction)?);
            let post = row(HookPoint::block(layer, BlockSite::MlpPost))?;
            parts.neurons.push(times(post, &read(mlp)?));
            parts.mlp_bias.push(of_bias(mlp.bias(), &direction)?);
        }
        parts.direction = direction;
        Ok(parts)
    }
}

/// What a bias adds along a direction; nothing where there is none.
fn of_bias(bias: Option<&Tensor>, direction: &[f32]) -> Result<f32, ModelError> {
    let Some(bias) = bias else {
        return Ok(0.0);
    };
    let bias: Vec<f32> = bias.to_dtype(DType::F32)?.to_vec1()?;
    Ok(dot(&bias, direction))
}

/// The direction whose product with a part of the stream is what the part adds to the target:
/// `centred(w * reader) / scale`, where `scale` is the deviation of the stream, `resid`. For an RMS
/// norm nothing is centred, and `scale` is the root of the mean square.
fn direction(reader: &[f32], norm: &Norm, resid: &[f32]) -> Result<Vec<f32>, ModelError> {
    let weight: Vec<f32> = norm.weight().to_dtype(DType::F32)?.to_vec1()?;
    let is_centred = norm.bias().is_some();
    let mean = |values: &[f32]| {
        if is_centred {
            values.iter().copied().map(f64::from).sum::<f64>() / values.len() as f64
        } else {
            0.0
        }
    };
    let resid_mean = mean(resid);
    let squares = resid
        .iter()
        .map(|value| (f64::from(*value) - resid_mean).powi(2));
    let variance = squares.sum::<f64>() / resid.len() as f64;
    let scale = (variance + f64::from(norm.eps())).sqrt();
    let read = times(reader, &weight);
    let read_mean = mean(&read);
    let centred = read.iter().map(|value| f64::from(*value) - read_mean);
    Ok(centred.map(|value| (value / scale) as f32).collect())
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
