//! GPT-NeoX. Black et al. 2022, "GPT-NeoX-20B" (arXiv 2204.06745); Biderman et al. 2023, "Pythia"
//! (arXiv 2304.01373).

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
        embed: tensors.plain("gpt_neox.embed_in.weight", &[config.d_vocab, d])?,
        pos_embed: None,
        rotary: config.rotary,
        blocks: (0..config.n_layers)
            .map(|layer| block(config, tensors, layer))
            .collect::<Result<_>>()?,
        norm: Norm::load(tensors, "gpt_neox.final_layer_norm", config)?,
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
    let at = |name: &str| format!("gpt_neox.layers.{layer}.{name}");
    let norm = |name| Norm::load(tensors, &at(name), config);
    let linear =
        |name, shape, has_bias| Linear::load(tensors, &at(name), shape, Stand::OutIn, has_bias);
    Ok(Block {
        layer,
        is_parallel: config.is_parallel,
        ln1: norm("input_layernorm")?,
        attn: Attention {
            qkv: Qkv::ByHead(linear(
                "attention.query_key_value",
                (d, 3 * d),
                config.qkv_bias,
            )?),
            qk_norm: None,
            out: linear("attention.dense", (d, d), config.attn_out_bias)?,
            heads: Heads::new(config, layer),
        },
        ln2: norm("post_attention_layernorm")?,
        mlp: Mlp {
            pre: linear("mlp.dense_h_to_4h", (d, d_mlp), config.mlp_bias)?,
            up: None,
            out: linear("mlp.dense_4h_to_h", (d_mlp, d), config.mlp_bias)?,
            act_fn: config.act_fn,
        },
    })
}
