//! GPT-2, leaf to whole, with a hook at every value.
//!
//! Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"; weights named and
//! shaped as the Hugging Face checkpoint has them. The same code runs one prompt, one step with the
//! KV cache, and a training batch: when the weights are variables it uses only operations that
//! candle can differentiate.

use candle_core::{D, DType, Result, Tensor};
use candle_nn::VarBuilder;
use candle_nn::kv_cache::KvCache;
use candle_nn::ops;

use super::frozen::product;
use super::recorder::Recorder;
use crate::config::{ActFn, ModelConfig};
use crate::hook::BlockSite::{self, *};
use crate::hook::HookPoint;

/// Positions a KV cache first has room for; it grows by as many.
const KV_CACHE_CHUNK: usize = 256;

/// A GPT-2 with a language-modelling head.
pub struct Gpt2 {
    wte: Tensor, // [d_vocab, d_model]
    wpe: Tensor, // [n_ctx, d_model]
    blocks: Vec<Block>,
    ln_f: LayerNorm,
    unembed: Tensor, // [d_model, d_vocab]
}

/// The keys and values of the positions computed so far, for each layer.
#[derive(Clone, Debug)]
pub struct KvCaches {
    layers: Vec<KvCache>,
}

impl KvCaches {
    /// Empty caches for a model of this shape.
    pub fn new(config: &ModelConfig) -> Self {
        let room = config.n_ctx.min(KV_CACHE_CHUNK);
        Self {
            layers: vec![KvCache::new(2, room); config.n_layers],
        }
    }

    /// How many positions they hold.
    pub fn n_pos(&self) -> usize {
        self.layers
            .first()
            .map_or(0, |layer| layer.k_cache().current_seq_len())
    }
}

/// What a layer writes to the residual stream with.
pub(super) struct Writers<'a> {
    /// `attn.W_O`, `[n_heads * d_head, d_model]`.
    pub w_o: &'a Tensor,
    /// `attn.b_O`, `[d_model]`.
    pub b_o: &'a Tensor,
    /// `mlp.W_out`, `[d_mlp, d_model]`.
    pub w_out: &'a Tensor,
    /// `mlp.b_out`, `[d_model]`.
    pub b_out: &'a Tensor,
}

struct LayerNorm {
    weight: Tensor, // [d_model]
    bias: Tensor,   // [d_model]
    eps: f32,
}

/// A projection stored `[in, out]`, as GPT-2's checkpoints have it.
struct Conv1d {
    weight: Tensor, // [in, out]
    bias: Tensor,   // [out]
}

struct Attention {
    c_attn: Conv1d,
    c_proj: Conv1d,
    n_heads: usize,
    scale: f64,
}

struct Mlp {
    c_fc: Conv1d,
    c_proj: Conv1d,
    act_fn: ActFn,
}

struct Block {
    layer: usize,
    ln_1: LayerNorm,
    attn: Attention,
    ln_2: LayerNorm,
    mlp: Mlp,
}

/// Names the hook points of one block.
struct BlockHooks<'a, R> {
    layer: usize,
    recorder: &'a mut R,
}

impl<R: Recorder> BlockHooks<'_, R> {
    fn at(&mut self, site: BlockSite, value: Tensor) -> Result<Tensor> {
        self.recorder.at(HookPoint::block(self.layer, site), value)
    }
}

impl LayerNorm {
    fn load(d_model: usize, eps: f64, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            weight: vb.get(d_model, "weight")?,
            bias: vb.get(d_model, "bias")?,
            eps: eps as f32,
        })
    }

    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        // The fused kernel has no gradient.
        if xs.track_op() {
            ops::layer_norm_slow(xs, &self.weight, &self.bias, self.eps)
        } else {
            ops::layer_norm(&xs.contiguous()?, &self.weight, &self.bias, self.eps)
        }
    }
}

impl Conv1d {
    fn load(n_in: usize, n_out: usize, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            weight: vb.get((n_in, n_out), "weight")?,
            bias: vb.get(n_out, "bias")?,
        })
    }

    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let (n_batch, n_pos, n_in) = xs.dims3()?;
        // One flat product: a batched one would copy the weight for every batch entry.
        let flat = xs.reshape((n_batch * n_pos, n_in))?; // [batch * pos, in]
        let out = product(&flat, &self.weight)?.broadcast_add(&self.bias)?; // [batch * pos, out]
        out.reshape((n_batch, n_pos, self.bias.dim(0)?)) // [batch, pos, out]
    }
}

impl Attention {
    fn load(config: &ModelConfig, layer: usize, vb: VarBuilder) -> Result<Self> {
        let d = config.d_model;
        Ok(Self {
            c_attn: Conv1d::load(d, 3 * d, vb.pp("c_attn"))?,
            c_proj: Conv1d::load(d, d, vb.pp("c_proj"))?,
            n_heads: config.n_heads,
            scale: config.attn_scale(layer),
        })
    }

    fn forward<R: Recorder>(
        &self,
        xs: &Tensor,
        cache: Option<&mut KvCache>,
        hooks: &mut BlockHooks<'_, R>,
    ) -> Result<Tensor> {
        let (n_batch, n_query, d_model) = xs.dims3()?;
        let qkv = self.c_attn.forward(xs)?; // [batch, pos, 3 * d_model]
        let heads = |index: usize| -> Result<Tensor> {
            qkv.narrow(D::Minus1, index * d_model, d_model)?.reshape((
                n_batch,
                n_query,
                self.n_heads,
                d_model / self.n_heads,
            ))
        };
        let q = hooks.at(Q, heads(0)?)?; // [batch, pos, head, d_head]
        let k = hooks.at(K, heads(1)?)?; // [batch, pos, head, d_head]
        let v = hooks.at(V, heads(2)?)?; // [batch, pos, head, d_head]
        let q = q.transpose(1, 2)?.contiguous()?; // [batch, head, query, d_head]
        let mut k = k.transpose(1, 2)?.contiguous()?; // [batch, head, key, d_head]
        let mut v = v.transpose(1, 2)?.contiguous()?; // [batch, head, key, d_head]
        if let Some(cache) = cache {
            (k, v) = cache.append(&k, &v)?;
        }
        let scores = (q.matmul(&k.t()?)? * self.scale)?; // [batch, head, query, key]
        let scores = hooks.at(AttnScores, mask_future(scores)?)?;
        let pattern = if scores.track_op() {
            ops::softmax(&scores, D::Minus1)?
        } else {
            ops::softmax_last_dim(&scores)?
        };
        let pattern = hooks.at(Pattern, pattern)?; // [batch, head, query, key]
        let z = pattern.matmul(&v)?; // [batch, head, query, d_head]
        let z = hooks.at(Z, z.transpose(1, 2)?.contiguous()?)?; // [batch, pos, head, d_head]
        self.c_proj
            .forward(&z.reshape((n_batch, n_query, d_model))?) // [batch, pos, d_model]
    }
}

/// Sets the score of every key after its query to minus infinity.
fn mask_future(scores: Tensor) -> Result<Tensor> {
    let (_, _, n_query, n_key) = scores.dims4()?;
    if n_query == 1 {
        return Ok(scores);
    }
    let n_before = n_key - n_query;
    let mask: Vec<f32> = (0..n_query)
        .flat_map(|query| {
            (0..n_key).map(move |key| {
                if key > n_before + query {
                    f32::NEG_INFINITY
                } else {
                    0.0
                }
            })
        })
        .collect();
    let mask = Tensor::from_vec(mask, (n_query, n_key), scores.device())?;
    scores.broadcast_add(&mask.to_dtype(scores.dtype())?)
}

impl Mlp {
    fn load(config: &ModelConfig, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            c_fc: Conv1d::load(config.d_model, config.d_mlp, vb.pp("c_fc"))?,
            c_proj: Conv1d::load(config.d_mlp, config.d_model, vb.pp("c_proj"))?,
            act_fn: config.act_fn,
        })
    }

    fn forward<R: Recorder>(&self, xs: &Tensor, hooks: &mut BlockHooks<'_, R>) -> Result<Tensor> {
        let pre = hooks.at(MlpPre, self.c_fc.forward(xs)?)?; // [batch, pos, d_mlp]
        let post = match self.act_fn {
            ActFn::GeluNew => pre.gelu()?,
            ActFn::Gelu => pre.gelu_erf()?,
        };
        let post = hooks.at(MlpPost, post)?; // [batch, pos, d_mlp]
        self.c_proj.forward(&post) // [batch, pos, d_model]
    }
}

impl Block {
    fn load(config: &ModelConfig, layer: usize, vb: VarBuilder) -> Result<Self> {
        let norm = |name| LayerNorm::load(config.d_model, config.layer_norm_eps, vb.pp(name));
        Ok(Self {
            layer,
            ln_1: norm("ln_1")?,
            attn: Attention::load(config, layer, vb.pp("attn"))?,
            ln_2: norm("ln_2")?,
            mlp: Mlp::load(config, vb.pp("mlp"))?,
        })
    }

    fn forward<R: Recorder>(
        &self,
        xs: Tensor,
        cache: Option<&mut KvCache>,
        recorder: &mut R,
    ) -> Result<Tensor> {
        let mut hooks = BlockHooks {
            layer: self.layer,
            recorder,
        };
        let resid_pre = hooks.at(ResidPre, xs)?; // [batch, pos, d_model]
        let ln1_normalized = hooks.at(Ln1Normalized, self.ln_1.forward(&resid_pre)?)?;
        let attn_out = self.attn.forward(&ln1_normalized, cache, &mut hooks)?;
        let attn_out = hooks.at(AttnOut, attn_out)?; // [batch, pos, d_model]
        let resid_mid = hooks.at(ResidMid, (resid_pre + attn_out)?)?; // [batch, pos, d_model]
        let ln2_normalized = hooks.at(Ln2Normalized, self.ln_2.forward(&resid_mid)?)?;
        let mlp_out = self.mlp.forward(&ln2_normalized, &mut hooks)?;
        let mlp_out = hooks.at(MlpOut, mlp_out)?; // [batch, pos, d_model]
        hooks.at(ResidPost, (resid_mid + mlp_out)?) // [batch, pos, d_model]
    }
}

impl Gpt2 {
    /// Takes the weights from `vb` under the checkpoint's names, without `transformer.`.
    ///
    /// # Errors
    ///
    /// If a weight is absent or has another shape than `config` calls for.
    pub fn load(config: &ModelConfig, vb: VarBuilder) -> Result<Self> {
        let wte = vb.get((config.d_vocab, config.d_model), "wte.weight")?;
        let lm_head = if config.tie_word_embeddings {
            wte.clone()
        } else {
            vb.get((config.d_vocab, config.d_model), "lm_head.weight")?
        };
        Ok(Self {
            wpe: vb.get((config.n_ctx, config.d_model), "wpe.weight")?,
            blocks: (0..config.n_layers)
                .map(|layer| Block::load(config, layer, vb.pp("h").pp(layer)))
                .collect::<Result<_>>()?,
            ln_f: LayerNorm::load(config.d_model, config.layer_norm_eps, vb.pp("ln_f"))?,
            unembed: lm_head.t()?,
            wte,
        })
    }

    /// Computes the positions after those in `caches` and adds them there.
    ///
    /// `tokens` is `[batch, pos]`; the logits are `[batch, pos, d_vocab]`.
    ///
    /// # Errors
    ///
    /// If the recorder ends the pass or the text outgrows the context.
    pub fn forward(
        &self,
        tokens: &Tensor,
        caches: &mut KvCaches,
        recorder: &mut impl Recorder,
    ) -> Result<Tensor> {
        self.pass(tokens, Some(caches), recorder)
    }

    /// Computes whole texts, `[batch, pos]`, with nothing kept: the pass that training uses.
    ///
    /// The logits are `[batch, pos, d_vocab]`.
    ///
    /// # Errors
    ///
    /// If a text is longer than the context.
    pub fn forward_batch(&self, tokens: &Tensor) -> Result<Tensor> {
        self.pass(tokens, None, &mut ())
    }

    fn pass(
        &self,
        tokens: &Tensor,
        caches: Option<&mut KvCaches>,
        recorder: &mut impl Recorder,
    ) -> Result<Tensor> {
        let normalized = self.normalized(tokens, caches, recorder)?; // [batch, pos, d_model]
        let (n_batch, n_pos, d_model) = normalized.dims3()?;
        let flat = normalized.reshape((n_batch * n_pos, d_model))?;
        let logits = self.logits(&flat)?; // [batch * pos, d_vocab]
        recorder.at(HookPoint::Logits, logits.reshape((n_batch, n_pos, ()))?) // [batch, pos, d_vocab]
    }

    /// The unembedding's input, `[batch, pos, d_model]`, of whole texts, `[batch, pos]`: a pass that
    /// ends before its logits.
    ///
    /// # Errors
    ///
    /// If the recorder ends the pass or a text is longer than the context.
    pub fn hidden(&self, tokens: &Tensor, recorder: &mut impl Recorder) -> Result<Tensor> {
        self.normalized(tokens, None, recorder)
    }

    fn normalized(
        &self,
        tokens: &Tensor,
        mut caches: Option<&mut KvCaches>,
        recorder: &mut impl Recorder,
    ) -> Result<Tensor> {
        let (n_batch, n_pos) = tokens.dims2()?;
        let first_pos = caches.as_ref().map_or(0, |caches| caches.n_pos());
        let d_model = self.wte.dim(1)?;
        let embed = self.wte.index_select(&tokens.flatten_all()?, 0)?;
        let embed = embed.reshape((n_batch, n_pos, d_model))?;
        let embed = recorder.at(HookPoint::Embed, embed)?; // [batch, pos, d_model]
        let pos_embed = self
            .wpe
            .narrow(0, first_pos, n_pos)?
            .unsqueeze(0)?
            .broadcast_as((n_batch, n_pos, d_model))?;
        let pos_embed = recorder.at(HookPoint::PosEmbed, pos_embed)?; // [batch, pos, d_model]
        let mut resid = (embed + pos_embed)?; // [batch, pos, d_model]
        for block in &self.blocks {
            let cache = caches
                .as_mut()
                .map(|caches| &mut caches.layers[block.layer]);
            resid = block.forward(resid, cache, recorder)?; // [batch, pos, d_model]
        }
        let normalized = self.ln_f.forward(&resid)?;
        recorder.at(HookPoint::FinalNormalized, normalized) // [batch, pos, d_model]
    }

    /// The logits, `[n, d_vocab]`, of rows of the unembedding's input, `[n, d_model]`.
    pub(super) fn logits(&self, normalized: &Tensor) -> Result<Tensor> {
        product(normalized, &self.unembed) // [n, d_vocab]
    }

    /// The logits, `[n, d_vocab]`, of residual vectors, `[n, d_model]`, as they would be if no
    /// layer came after them.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn unembed(&self, resid: &Tensor) -> Result<Tensor> {
        self.logits(&self.ln_f.forward(resid)?) // [n, d_vocab]
    }

    /// The column of the unembedding that makes a token's logit, `[d_model]`.
    pub(super) fn unembedding_of(&self, token: u32) -> Result<Tensor> {
        self.unembed.narrow(1, token as usize, 1)?.flatten_all()
    }

    /// The embeddings of the vocabulary, `[d_vocab, d_model]`.
    pub(super) fn token_embeddings(&self) -> &Tensor {
        &self.wte
    }

    /// The final norm's scale and shift, both `[d_model]`, and what it adds to a variance.
    pub(super) fn final_norm(&self) -> (&Tensor, &Tensor, f32) {
        (&self.ln_f.weight, &self.ln_f.bias, self.ln_f.eps)
    }

    /// What a layer writes to the stream with.
    pub(super) fn writers(&self, layer: usize) -> Writers<'_> {
        let block = &self.blocks[layer];
        Writers {
            w_o: &block.attn.c_proj.weight,
            b_o: &block.attn.c_proj.bias,
            w_out: &block.mlp.c_proj.weight,
            b_out: &block.mlp.c_proj.bias,
        }
    }

    /// The number format it computes in.
    pub fn dtype(&self) -> DType {
        self.wte.dtype()
    }
}
