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

/// Gives every value out as f32, without the batch dimension: shares its numbers where it can.
pub struct Capture<'a> {
    on_value: &'a mut dyn FnMut(HookPoint, Activation) -> ControlFlow<()>,
    is_stopped: bool,
}

impl<'a> Capture<'a> {
    /// Hands each value to `on_value`, which stops the pass by `ControlFlow::Break`.
    pub fn new(on_value: &'a mut dyn FnMut(HookPoint, Activation) -> ControlFlow<()>) -> Self {
        Self {
            on_value,
            is_stopped: false,
        }
    }

    /// Whether the pass was stopped on request.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }
}

/// A value without its batch dimension, which is 1, as f32.
pub(super) fn copy_out(value: &Tensor) -> Result<Activation> {
    let kept = value.squeeze(0)?;
    let shape = kept.dims().to_vec();
    if let Some(numbers) = Numbers::of(&kept) {
        return Ok(Activation::shared(shape, Arc::new(numbers)));
    }
    let values = kept.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    Ok(Activation::new(shape, values))
}

impl Recorder for Capture<'_> {
    fn at(&mut self, hook: HookPoint, value: Tensor) -> Result<Tensor> {
        match (self.on_value)(hook, copy_out(&value)?) {
            ControlFlow::Continue(()) => Ok(value),
            ControlFlow::Break(()) => {
                self.is_stopped = true;
                candle_core::bail!("stopped at {hook}")
            }
        }
    }
}
