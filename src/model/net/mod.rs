//! The forward pass of every family, with a hook at every value.
//!
//! A family's file builds a [`Net`] from its checkpoint's tensors; the parts are shared. The same code
//! runs one prompt, one step with the KV cache, and a training batch: when weights or values are
//! variables it uses only operations that candle can differentiate.

mod attention;
mod cache;
mod gpt2;
mod gpt_neox;
mod linear;
mod llama;
mod mlp;
mod norm;
mod product;
mod rotary;

use std::collections::HashMap;

use candle_core::{DType, Result, Tensor};

use attention::Attention;
pub use cache::KvCaches;
use cache::LayerCache;
pub(super) use linear::Linear;
use mlp::Mlp;
pub(super) use norm::Norm;
pub(super) use product::product;
use rotary::Turns;

use super::kernel;
use super::recorder::Recorder;
use super::tensors::{Stored, Tensors};
use crate::config::{Family, ModelConfig, Rotary};
use crate::hook::BlockSite::{self, *};
use crate::hook::HookPoint;

/// A transformer with a language-modelling head.
pub struct Net {
    embed: Tensor,             // [d_vocab, d_model]
    pos_embed: Option<Tensor>, // [n_ctx, d_model]
    rotary: Option<Rotary>,
    blocks: Vec<Block>,
    norm: Norm,
    unembed: Linear, // d_model to d_vocab
}

/// What a layer writes to the residual stream with.
pub(super) struct Writers<'a> {
    /// `attn.W_O`, `n_heads * d_head` to `d_model`.
    pub attn: &'a Linear,
    /// `mlp.W_out`, `d_mlp` to `d_model`.
    pub mlp: &'a Linear,
}

struct Block {
    layer: usize,
    /// Whether attention and MLP both read the stream as it comes in.
    is_parallel: bool,
    ln1: Norm,
    attn: Attention,
    ln2: Norm,
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

impl Block {
    fn forward<R: Recorder>(
        &self,
        xs: Tensor,
        turns: Option<&Turns>,
        cache: Option<&mut LayerCache>,
        recorder: &mut R,
    ) -> Result<Tensor> {
        let mut hooks = BlockHooks {
            layer: self.layer,
            recorder,
        };
        let resid_pre = hooks.at(ResidPre, xs)?; // [batch, pos, d_model]
        let ln1_normalized = hooks.at(Ln1Normalized, self.ln1.forward(&resid_pre)?)?;
        let attn_out = self
            .attn
            .forward(&ln1_normalized, turns, cache, &mut hooks)?;
        let attn_out = hooks.at(AttnOut, attn_out)?; // [batch, pos, d_model]
        let resid_mid = add(&resid_pre, &attn_out)?; // [batch, pos, d_model]
        let resid_mid = if self.is_parallel {
            resid_mid
        } else {
            hooks.at(ResidMid, resid_mid)?
        };
        let mlp_input = if self.is_parallel {
            &resid_pre
        } else {
            &resid_mid
        };
        let ln2_normalized = hooks.at(Ln2Normalized, self.ln2.forward(mlp_input)?)?;
        let mlp_out = self.mlp.forward(&ln2_normalized, &mut hooks)?;
        let mlp_out = hooks.at(MlpOut, mlp_out)?; // [batch, pos, d_model]
        hooks.at(ResidPost, add(&resid_mid, &mlp_out)?) // [batch, pos, d_model]
    }
}

/// The sum of two tensors of one shape.
fn add(left: &Tensor, right: &Tensor) -> Result<Tensor> {
    match kernel::add(left, right)? {
        Some(sum) => Ok(sum),
        None => left + right,
    }
}

impl Net {
    /// Takes the weights under the names of [`ModelConfig::weights`].
    ///
    /// # Errors
    ///
    /// If a weight is absent or has another shape than `config` calls for.
    pub fn load(config: &ModelConfig, weights: &HashMap<String, Stored>) -> Result<Self> {
        let tensors = Tensors::new(weights);
        match config.family {
            Family::Gpt2 => gpt2::load(config, &tensors),
            Family::GptNeox => gpt_neox::load(config, &tensors),
            Family::Llama | Family::Mistral | Family::Qwen2 | Family::Qwen3 => {
                llama::load(config, &tensors)
            }
        }
    }

    /// Computes the positions after those in `caches` and adds them there.
    ///
    /// `tokens` is `[batch, pos]`; the logits are `[batch, pos, d_vocab]`, or if the recorder reads none
    /// the last position's alone, `[batch, 1, d_vocab]`.
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
        let normalized = self.normalized(tokens, Some(caches), recorder)?; // [batch, pos, d_model]
        if recorder.reads(HookPoint::Logits) {
            return recorder.at(HookPoint::Logits, self.logits(&normalized)?); // [batch, pos, d_vocab]
        }
        let last = normalized.narrow(1, normalized.dim(1)? - 1, 1)?;
        self.logits(&last) // [batch, 1, d_vocab]
    }

    /// Computes whole texts, `[batch, pos]`, with nothing kept: the pass that training uses.
    ///
    /// The logits are `[batch, pos, d_vocab]`.
    ///
    /// # Errors
    ///
    /// If a text is longer than the context.
    pub fn forward_batch(&self, tokens: &Tensor) -> Result<Tensor> {
        self.logits(&self.normalized(tokens, None, &mut ())?)
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
        let d_model = self.embed.dim(1)?;
        let embed = self.embed.index_select(&tokens.flatten_all()?, 0)?;
        let embed = embed.reshape((n_batch, n_pos, d_model))?;
        let mut resid = recorder.at(HookPoint::Embed, embed)?; // [batch, pos, d_model]
        if let Some(pos_embed) = &self.pos_embed {
            let pos_embed = pos_embed
                .narrow(0, first_pos, n_pos)?
                .unsqueeze(0)?
                .broadcast_as((n_batch, n_pos, d_model))?;
            let pos_embed = recorder.at(HookPoint::PosEmbed, pos_embed)?; // [batch, pos, d_model]
            resid = add(&resid, &pos_embed)?; // [batch, pos, d_model]
        }
        let turns = self
            .rotary
            .map(|rotary| Turns::new(&rotary, (first_pos, n_pos), self.dtype(), tokens.device()))
            .transpose()?;
        for block in &self.blocks {
            let cache = caches
                .as_mut()
                .map(|caches| &mut caches.layers[block.layer]);
            resid = block.forward(resid, turns.as_ref(), cache, recorder)?; // [batch, pos, d_model]
        }
        let normalized = self.norm.forward(&resid)?;
        recorder.at(HookPoint::FinalNormalized, normalized) // [batch, pos, d_model]
    }

    /// The logits, `[.., d_vocab]`, of rows of the unembedding's input, `[.., d_model]`.
    pub(super) fn logits(&self, normalized: &Tensor) -> Result<Tensor> {
        self.unembed.forward(normalized) // [.., d_vocab]
    }

    /// The logits, `[n, d_vocab]`, of residual vectors, `[n, d_model]`, as they would be if no
    /// layer came after them.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn unembed(&self, resid: &Tensor) -> Result<Tensor> {
        self.logits(&self.norm.forward(resid)?) // [n, d_vocab]
    }

    /// The column of the unembedding that makes a token's logit, `[d_model]`.
    pub(super) fn unembedding_of(&self, token: u32) -> Result<Tensor> {
        self.unembed.column(token as usize)
    }

    /// The embeddings of the vocabulary, `[d_vocab, d_model]`.
    pub(super) fn token_embeddings(&self) -> &Tensor {
        &self.embed
    }

    /// The norm before the unembedding.
    pub(super) fn final_norm(&self) -> &Norm {
        &self.norm
    }

    /// What a layer writes to the stream with.
    pub(super) fn writers(&self, layer: usize) -> Writers<'_> {
        let block = &self.blocks[layer];
        Writers {
            attn: &block.attn.out,
            mlp: &block.mlp.out,
        }
    }

    /// The number format it computes in.
    pub fn dtype(&self) -> DType {
        self.embed.dtype()
    }
}
