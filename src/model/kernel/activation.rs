//! Activation functions of an MLP.

use super::fresh::rows;
use super::math::{erf, sigmoid};
use super::simd::{Simd, Work, run};
use crate::config::ActFn;

/// The function of every number of `xs`; times the number of `times` there, if it is given.
pub(super) fn activate(act_fn: ActFn, xs: &[f32], times: Option<&[f32]>) -> Vec<f32> {
    rows(xs.len(), 1, |first, out| {
        let part = first..first + out.len();
        run(Activate {
            act_fn,
            xs: &xs[part.clone()],
            times: times.map(|times| &times[part]),
            out,
        });
    })
}

struct Activate<'a> {
    act_fn: ActFn,
    xs: &'a [f32],
    times: Option<&'a [f32]>,
    out: &'a mut [f32],
}

impl Work for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        match self.act_fn {
            ActFn::GeluNew => self.by(|x| gelu_tanh(simd, x)),
            ActFn::Gelu => self.by(|x| gelu_erf(simd, x)),
            ActFn::Silu => self.by(|x| x * sigmoid(simd, x)),
        }
    }
}

impl Activate<'_> {
    #[inline(always)]
    fn by(self, function: impl Fn(f32) -> f32) {
        for (out, x) in self.out.iter_mut().zip(self.xs) {
            *out = function(*x);
        }
        if let Some(times) = self.times {
            for (out, times) in self.out.iter_mut().zip(times) {
                *out *= times;
            }
        }
    }
}

/// `0.5 x (1 + tanh(u))`, which is `x * sigmoid(2 u)`.
#[inline(always)]
fn gelu_tanh<S: Simd>(simd: S, x: f32) -> f32 {
    const TWICE_SQRT_2_OVER_PI: f32 = 1.595_769;
    const CUBE: f32 = 0.044_715;
    let inner = x * simd.mul_add_one(CUBE * x, x, 1.0);
    x * sigmoid(simd, TWICE_SQRT_2_OVER_PI * inner)
}

#[inline(always)]
fn gelu_erf<S: Simd>(simd: S, x: f32) -> f32 {
    0.5 * x * (1.0 + erf(simd, x * std::f32::consts::FRAC_1_SQRT_2))
}
