//! Norms: what a block's parts read the stream through.

use candle_core::{D, DType, Result, Tensor};
use candle_nn::ops;

use crate::config::ModelConfig;
use crate::model::kernel;
use crate::model::tensors::Tensors;

/// A norm over the last axis.
pub(in crate::model) struct Norm {
    weight: Tensor,       // [d]
    bias: Option<Tensor>, // [d], none for an RMS norm
    eps: f32,
}

impl Norm {
    /// Takes `{name}.weight` and, for a layer norm, `{name}.bias`.
    pub(super) fn load(tensors: &Tensors<'_>, name: &str, config: &ModelConfig) -> Result<Self> {
        let d_model = config.d_model;
        let bias = (!config.is_rms_norm())
            .then(|| tensors.plain(&format!("{name}.bias"), &[d_model]))
            .transpose()?;
        Ok(Self {
            weight: tensors.plain(&format!("{name}.weight"), &[d_model])?,
            bias,
            eps: config.layer_norm_eps as f32,
        })
    }

    /// Takes `{name}.weight`, the scale of an RMS norm over the width of a head.
    pub(super) fn of_heads(
        tensors: &Tensors<'_>,
        name: &str,
        config: &ModelConfig,
    ) -> Result<Self> {
        Ok(Self {
            weight: tensors.plain(&format!("{name}.weight"), &[config.d_head])?,
            bias: None,
            eps: config.layer_norm_eps as f32,
        })
    }

    /// `xs`, normalised over its last axis.
    pub(in crate::model) fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        if let Some(normalized) = self.by_kernel(xs)? {
            return Ok(normalized);
        }
        // The fused operations have no gradient.
        match (&self.bias, xs.track_op() || self.weight.track_op()) {
            (Some(bias), true) => ops::layer_norm_slow(xs, &self.weight, bias, self.eps),
            (Some(bias), false) => ops::layer_norm(&xs.contiguous()?, &self.weight, bias, self.eps),
            (None, true) => rms_norm_slow(xs, &self.weight, self.eps),
            (None, false) => ops::rms_norm(&xs.contiguous()?, &self.weight, self.eps),
        }
    }

    fn by_kernel(&self, xs: &Tensor) -> Result<Option<Tensor>> {
        match &self.bias {
            Some(bias) => kernel::layer_norm(xs, &self.weight, bias, self.eps),
            None => kernel::rms_norm(xs, &self.weight, self.eps),
        }
    }

    /// The scale, `[d]`.
    pub(in crate::model) fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// The shift, `[d]`; none for an RMS norm, which takes off no mean either.
    pub(in crate::model) fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }

    /// What is added to the variance or the mean square.
    pub(in crate::model) fn eps(&self) -> f32 {
        self.eps
    }
}

/// Zhang & Sennrich 2019 (arXiv 1910.07467), by operations that can be differentiated.
fn rms_norm_slow(xs: &Tensor, weight: &Tensor, eps: f32) -> Result<Tensor> {
    let dtype = xs.dtype();
    let wide = xs.to_dtype(DType::F32)?;
    let mean_square = wide.sqr()?.mean_keepdim(D::Minus1)?;
    let normalized = wide.broadcast_div(&(mean_square + f64::from(eps))?.sqrt()?)?;
    normalized.to_dtype(dtype)?.broadcast_mul(weight)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    #[test]
    fn the_differentiable_rms_norm_equals_the_fused_one() {
        let device = Device::Cpu;
        let xs = Tensor::new(&[[3.0f32, -4.0], [0.5, 0.25]], &device).unwrap();
        let norm = Norm {
            weight: Tensor::new(&[2.0f32, 1.0], &device).unwrap(),
            bias: None,
            eps: 1e-6,
        };

        let fused = norm.forward(&xs).unwrap().to_vec2::<f32>().unwrap();
        let tracked = Var::from_tensor(&xs).unwrap();
        let slow = norm.forward(tracked.as_tensor()).unwrap();

        // The root mean square of 3 and -4 is 3.5355.
        assert!((fused[0][0] - 1.697_056).abs() < 1e-5, "{fused:?}");
        assert!((fused[0][1] + 1.131_371).abs() < 1e-5, "{fused:?}");
        let slow = slow.to_vec2::<f32>().unwrap();
        for (slow, fused) in slow.concat().iter().zip(fused.concat()) {
            assert!((slow - fused).abs() < 1e-6);
        }
    }
}
