//! Observers of a forward pass.

use std::ops::ControlFlow;
use std::sync::Arc;

use candle_core::{DType, Result, Tensor};

use super::numbers::Numbers;
use crate::hook::HookPoint;
use crate::trace::Activation;

/// Sees every value of a forward pass, and may put another in its place.
pub trait Recorder {
    /// Takes the value that the pass has computed at `hook`, batch dimension first, and gives back
    /// the value that the pass goes on with.
    ///
    /// # Errors
    ///
    /// An error ends the pass.
    fn at(&mut self, hook: HookPoint, value: Tensor) -> Result<Tensor>;

    /// Whether it is to see the value at `hook`. What nobody reads a pass need not compute: so of the
    /// logits only the last position's.
    fn reads(&self, _hook: HookPoint) -> bool {
        true
    }
}

/// Records nothing.
impl Recorder for () {
    fn at(&mut self, _hook: HookPoint, value: Tensor) -> Result<Tensor> {
        Ok(value)
    }

    fn reads(&self, _hook: HookPoint) -> bool {
        false
    }
}

/// Gives values out as f32, without the batch dimension: shares their numbers where it can.
///
/// Nobody outside may have the tensors of the pass that it sees: what is shared must not change.
pub(super) struct Capture<'a> {
    pub(super) is_wanted: &'a dyn Fn(HookPoint) -> bool,
    /// Stops the pass by `ControlFlow::Break`.
    pub(super) on_value: &'a mut dyn FnMut(HookPoint, Activation) -> ControlFlow<()>,
    /// Whether it was stopped so.
    pub(super) is_stopped: bool,
}

/// A value without its batch dimension, which is 1, as f32.
pub(super) fn copy_out(value: &Tensor) -> Result<Activation> {
    let kept = value.squeeze(0)?;
    let shape = kept.dims().to_vec();
    let values = kept.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    Ok(Activation::new(shape, values))
}

/// As [`copy_out`], and nothing is copied of what a pass has computed.
fn share_out(hook: HookPoint, value: &Tensor) -> Result<Activation> {
    // They are a weight's own numbers, and whoever has made the model of tensors may still have those.
    if hook == HookPoint::PosEmbed {
        return copy_out(value);
    }
    let kept = value.squeeze(0)?;
    match Numbers::of(&kept) {
        Some(numbers) => Ok(Activation::shared(kept.dims().to_vec(), Arc::new(numbers))),
        None => copy_out(value),
    }
}

impl Recorder for Capture<'_> {
    fn at(&mut self, hook: HookPoint, value: Tensor) -> Result<Tensor> {
        if !(self.is_wanted)(hook) {
            return Ok(value);
        }
        match (self.on_value)(hook, share_out(hook, &value)?) {
            ControlFlow::Continue(()) => Ok(value),
            ControlFlow::Break(()) => {
                self.is_stopped = true;
                candle_core::bail!("stopped at {hook}")
            }
        }
    }

    fn reads(&self, hook: HookPoint) -> bool {
        (self.is_wanted)(hook)
    }
}
