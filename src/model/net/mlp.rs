//! The MLP: neurons that read the stream and write to it.

use candle_core::{Result, Tensor};

use super::BlockHooks;
use super::linear::Linear;
use crate::config::ActFn;
use crate::hook::BlockSite::*;
use crate::model::kernel;
use crate::model::recorder::Recorder;

/// An MLP, plain or gated.
pub(super) struct Mlp {
    /// What the activation function is applied to.
    pub(super) pre: Linear,
    /// What a gate is multiplied with; none in a plain MLP.
    pub(super) up: Option<Linear>,
    /// Back to the stream.
    pub(super) out: Linear,
    pub(super) act_fn: ActFn,
}

impl Mlp {
    pub(super) fn forward<R: Recorder>(
        &self,
        xs: &Tensor,
        hooks: &mut BlockHooks<'_, R>,
    ) -> Result<Tensor> {
        let pre = hooks.at(MlpPre, self.pre.forward(xs)?)?; // [batch, pos, d_mlp]
        let post = match &self.up {
            Some(up) => {
                let pre_linear = hooks.at(MlpPreLinear, up.forward(xs)?)?; // [batch, pos, d_mlp]
                gate(&pre, &pre_linear, self.act_fn)?
            }
            None => activate(&pre, self.act_fn)?,
        };
        let post = hooks.at(MlpPost, post)?; // [batch, pos, d_mlp]
        self.out.forward(&post) // [batch, pos, d_model]
    }
}

/// What passes the gate `pre`.
fn gate(pre: &Tensor, pre_linear: &Tensor, act_fn: ActFn) -> Result<Tensor> {
    match kernel::activate_gate(act_fn, pre, pre_linear)? {
        Some(post) => Ok(post),
        None => activate(pre, act_fn)? * pre_linear,
    }
}

fn activate(pre: &Tensor, act_fn: ActFn) -> Result<Tensor> {
    if let Some(post) = kernel::activate(act_fn, pre)? {
        return Ok(post);
    }
    match act_fn {
        ActFn::GeluNew => pre.gelu(),
        ActFn::Gelu => pre.gelu_erf(),
        ActFn::Silu => pre.silu(),
    }
}
