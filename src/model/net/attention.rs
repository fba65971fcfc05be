//! Attention: what each position takes from those before it.

use candle_core::{D, Result, Tensor, bail};
use candle_nn::ops;

use super::BlockHooks;
use super::cache::LayerCache;
use super::linear::Linear;
use super::norm::Norm;
use super::rotary::Turns;
use crate::config::ModelConfig;
use crate::hook::BlockSite::*;
use crate::model::kernel;
use crate::model::recorder::Recorder;

/// A layer's attention.
pub(super) struct Attention {
    pub(super) qkv: Qkv,
    /// Norms of each head's query and key, where the family has them.
    pub(super) qk_norm: Option<[Norm; 2]>,
    pub(super) out: Linear,
    pub(super) heads: Heads,
}

/// How queries, keys and values are projected.
pub(super) enum Qkv {
    /// By three projections.
    Apart(Box<[Linear; 3]>),
    /// By one whose thirds they are (GPT-2).
    Thirds(Linear),
    /// By one that has, head by head, the query, the key and the value (GPT-NeoX).
    ByHead(Linear),
}

/// The numbers of a layer's attention.
#[derive(Clone, Copy)]
pub(super) struct Heads {
    n_heads: usize,
    n_kv_heads: usize,
    d_head: usize,
    scale: f64,
    /// How far back a query attends, itself included; all the way without one.
    window: Option<usize>,
}

impl Heads {
    pub(super) fn new(config: &ModelConfig, layer: usize) -> Self {
        Self {
            n_heads: config.n_heads,
            n_kv_heads: config.n_kv_heads,
            d_head: config.d_head,
            scale: config.attn_scale(layer),
            window: config.window_of(layer),
        }
    }
}

impl Qkv {
    /// Queries, `[batch, pos, head, d_head]`, keys and values, `[batch, pos, kv_head, d_head]`.
    fn forward(&self, xs: &Tensor, heads: &Heads) -> Result<[Tensor; 3]> {
        let (n_batch, n_pos, _) = xs.dims3()?;
        let Heads {
            n_heads,
            n_kv_heads,
            d_head,
            ..
        } = *heads;
        match self {
            Self::Apart(parts) => {
                let [q, k, v] = &**parts;
                let heads = |part: &Linear, n: usize| {
                    part.forward(xs)?.reshape((n_batch, n_pos, n, d_head))
                };
                Ok([
                    heads(q, n_heads)?,
                    heads(k, n_kv_heads)?,
                    heads(v, n_kv_heads)?,
                ])
            }
            Self::Thirds(all) => {
                let [q, k, v] = all.parts(xs, [n_heads * d_head; 3])?; // [batch, pos, d_model]
                let heads = |part: Tensor| part.reshape((n_batch, n_pos, n_heads, d_head));
                Ok([heads(q)?, heads(k)?, heads(v)?])
            }
            Self::ByHead(all) => {
                let qkv = all.forward(xs)?; // [batch, pos, 3 * d_model]
                let qkv = qkv.reshape((n_batch, n_pos, n_heads, 3, d_head))?;
                let third = |index: usize| qkv.narrow(3, index, 1)?.squeeze(3)?.contiguous();
                Ok([third(0)?, third(1)?, third(2)?])
            }
        }
    }
}

impl Attention {
    pub(super) fn forward<R: Recorder>(
        &self,
        xs: &Tensor,
        turns: Option<&Turns>,
        cache: Option<&mut LayerCache>,
        hooks: &mut BlockHooks<'_, R>,
    ) -> Result<Tensor> {
        let (n_batch, n_query, _) = xs.dims3()?;
        let [q, k, v] = self.qkv.forward(xs, &self.heads)?;
        let mut q = hooks.at(Q, q)?; // [batch, pos, head, d_head]
        let mut k = hooks.at(K, k)?; // [batch, pos, kv_head, d_head]
        let v = hooks.at(V, v)?; // [batch, pos, kv_head, d_head]
        if let Some([q_norm, k_norm]) = &self.qk_norm {
            (q, k) = (q_norm.forward(&q)?, k_norm.forward(&k)?);
        }
        if let Some(turns) = turns {
            q = hooks.at(RotQ, turns.apply(&q)?)?; // [batch, pos, head, d_head]
            k = hooks.at(RotK, turns.apply(&k)?)?; // [batch, pos, kv_head, d_head]
        }
        let z = match cache {
            Some(LayerCache::Kept(cache)) if kernel::fits([&q, &k, &v]) && n_batch == 1 => {
                kernel::remember(cache, &k, &v)?;
                self.by_kernels(&q, cache, hooks)?
            }
            cache => self.plain([q, k, v], cache, hooks)?,
        };
        self.out.forward(&z.reshape((n_batch, n_query, ()))?) // [batch, pos, d_model]
    }

    /// What a cache's values add up to, `[1, pos, head, d_head]`, for the queries of its last positions.
    fn by_kernels<R: Recorder>(
        &self,
        q: &Tensor,
        cache: &kernel::LayerCache,
        hooks: &mut BlockHooks<'_, R>,
    ) -> Result<Tensor> {
        let Heads {
            d_head,
            scale,
            window,
            ..
        } = self.heads;
        let scores = needed(kernel::scores(q, cache, scale, window)?)?; // [batch, head, query, key]
        let scores = hooks.at(AttnScores, scores)?;
        let pattern = needed(kernel::softmax(&scores.contiguous()?)?)?; // [batch, head, query, key]
        let pattern = hooks.at(Pattern, pattern)?;
        let z = needed(kernel::mix(&pattern.contiguous()?, cache, d_head)?)?; // [batch, pos, head, d_head]
        hooks.at(Z, z)
    }

    /// The same by operations that can be differentiated, of any number of texts.
    fn plain<R: Recorder>(
        &self,
        [q, k, v]: [Tensor; 3],
        cache: Option<&mut LayerCache>,
        hooks: &mut BlockHooks<'_, R>,
    ) -> Result<Tensor> {
        let q = q.transpose(1, 2)?.contiguous()?; // [batch, head, query, d_head]
        let mut k = k.transpose(1, 2)?.contiguous()?; // [batch, kv_head, key, d_head]
        let mut v = v.transpose(1, 2)?.contiguous()?; // [batch, kv_head, key, d_head]
        if let Some(cache) = cache {
            (k, v) = cache.plain()?.append(&k, &v)?;
        }
        let (k, v) = (self.heads.for_queries(k)?, self.heads.for_queries(v)?);
        let scores = (q.matmul(&k.t()?)? * self.heads.scale)?; // [batch, head, query, key]
        let scores = hooks.at(AttnScores, mask(scores, self.heads.window)?)?;
        let pattern = if scores.track_op() {
            ops::softmax(&scores, D::Minus1)?
        } else {
            ops::softmax_last_dim(&scores)?
        };
        let pattern = hooks.at(Pattern, pattern)?; // [batch, head, query, key]
        let z = pattern.matmul(&v)?; // [batch, head, query, d_head]
        hooks.at(Z, z.transpose(1, 2)?.contiguous()?) // [batch, pos, head, d_head]
    }
}

/// What a kernel has made of another kernel's value.
fn needed(value: Option<Tensor>) -> Result<Tensor> {
    value.map_or_else(
        || bail!("attention can't go on with what a recorder put there"),
        Ok,
    )
}

impl Heads {
    /// Keys or values, `[batch, kv_head, key, d_head]`, each as often as queries share it:
    /// `[batch, head, key, d_head]`.
    fn for_queries(&self, shared: Tensor) -> Result<Tensor> {
        let n_sharing = self.n_heads / self.n_kv_heads;
        if n_sharing == 1 {
            return Ok(shared);
        }
        let (n_batch, n_kv_heads, n_key, d_head) = shared.dims4()?;
        shared
            .unsqueeze(2)?
            .expand((n_batch, n_kv_heads, n_sharing, n_key, d_head))?
            .reshape((n_batch, self.n_heads, n_key, d_head))
    }
}

/// Sets the score of every key after its query, or too far before it, to minus infinity.
fn mask(scores: Tensor, window: Option<usize>) -> Result<Tensor> {
    let (_, _, n_query, n_key) = scores.dims4()?;
    let reach = window.unwrap_or(usize::MAX);
    if n_query == 1 && n_key <= reach {
        return Ok(scores);
    }
    let n_before = n_key - n_query;
    let mask: Vec<f32> = (n_before..n_key)
        .flat_map(|query| {
            (0..n_key).map(move |key| {
                let is_seen = key <= query && query - key < reach;
                if is_seen { 0.0 } else { f32::NEG_INFINITY }
            })
        })
        .collect();
    let mask = Tensor::from_vec(mask, (n_query, n_key), scores.device())?;
    scores.broadcast_add(&mask.to_dtype(scores.dtype())?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn a_window_of_two_sees_the_query_and_the_key_before_it() {
        let scores = Tensor::zeros((1, 1, 2, 4), candle_core::DType::F32, &Device::Cpu).unwrap();

        let masked = mask(scores, Some(2)).unwrap().flatten_all().unwrap();

        let is_seen: Vec<bool> = masked
            .to_vec1::<f32>()
            .unwrap()
            .iter()
            .map(|score| *score == 0.0)
            .collect();
        assert_eq!(
            is_seen,
            [false, true, true, false, false, false, true, true]
        );
    }
}
