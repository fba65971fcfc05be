//! Llama, and what differs from it by a bias, a norm or a window: Mistral, Qwen 2, Qwen 3.
//!
//! Touvron et al. 2023, "LLaMA" (arXiv 2302.13971); Jiang et al. 2023, "Mistral 7B" (arXiv 2310.06825);
//! Yang et al. 2024, "Qwen2" (arXiv 2407.10671); Yang et al. 2025, "Qwen3" (arXiv 2505.09388).

use candle_core::Result;

use super::attention::{Attention, Heads, Qkv};
use super::linear::{Linear, Stand};
use super::mlp::Mlp;
use super::norm::Norm;
use super::{Block, Net};
use crate::config::ModelConfig;
use crate::model::tensors::Tensors;

pub(super) fn load(config: &ModelConfig, tensors: &Tensors<'_>) -> Result<Net> {
    let d = config.d_model;
    Ok(Net {
        embed: tensors.plain("model.embed_tokens.weight", &[config.d_vocab, d])?,
        pos_embed: None,
        rotary: config.rotary,
        blocks: (0..config.n_layers)
            .map(|layer| block(config, tensors, layer))
            .collect::<Result<_>>()?,
        norm: Norm::load(tensors, "model.norm", config)?,
        unembed: Linear::unbiased(
            tensors,
            &tensors.unembedding(config),
            (d, config.d_vocab),
            Stand::OutIn,
        )?,
    })
}

fn block(config: &ModelConfig, tensors: &Tensors<'_>, layer: usize) -> Result<Block> {
    let (d, d_mlp) = (config.d_model, config.d_mlp);
    let d_q = config.n_heads * config.d_head;
    let d_kv = config.n_kv_heads * config.d_head;
    let at = |name: &str| format!("model.layers.{layer}.{name}");
    let norm = |name| Norm::load(tensors, &at(name), config);
    let linear =
        |name, shape, has_bias| Linear::load(tensors, &at(name), shape, Stand::OutIn, has_bias);
    let head_norm = |name| Norm::of_heads(tensors, &at(name), config);
    let qk_norm = config.has_qk_norm().then(|| {
        Ok::<_, candle_core::Error>([
            head_norm("self_attn.q_norm")?,
            head_norm("self_attn.k_norm")?,
        ])
    });
    Ok(Block {
        layer,
        is_parallel: false,
        ln1: norm("input_layernorm")?,
        attn: Attention {
            qkv: Qkv::Apart(Box::new([
                linear("self_attn.q_proj", (d, d_q), config.qkv_bias)?,
                linear("self_attn.k_proj", (d, d_kv), config.qkv_bias)?,
                linear("self_attn.v_proj", (d, d_kv), config.qkv_bias)?,
            ])),
            qk_norm: qk_norm.transpose()?,
            out: linear("self_attn.o_proj", (d_q, d), config.attn_out_bias)?,
            heads: Heads::new(config, layer),
        },
        ln2: norm("post_attention_layernorm")?,
        mlp: Mlp {
            pre: linear("mlp.gate_proj", (d, d_mlp), config.mlp_bias)?,
            up: Some(linear("mlp.up_proj", (d, d_mlp), config.mlp_bias)?),
            out: linear("mlp.down_proj", (d_mlp, d), config.mlp_bias)?,
            act_fn: config.act_fn,
        },
    })
}
