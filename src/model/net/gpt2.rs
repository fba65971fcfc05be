//! GPT-2. Radford et al. 2019, "Language Models are Unsupervised Multitask Learners".

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
        embed: tensors.plain("wte.weight", &[config.d_vocab, d])?,
        pos_embed: Some(tensors.plain("wpe.weight", &[config.n_ctx, d])?),
        rotary: None,
        blocks: (0..config.n_layers)
            .map(|layer| block(config, tensors, layer))
            .collect::<Result<_>>()?,
        norm: Norm::load(tensors, "ln_f", config)?,
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
    let norm = |name| Norm::load(tensors, &format!("h.{layer}.{name}"), config);
    let conv1d = |name, shape| {
        Linear::load(
            tensors,
            &format!("h.{layer}.{name}"),
            shape,
            Stand::InOut,
            true,
        )
    };
    Ok(Block {
        layer,
        is_parallel: false,
        ln1: norm("ln_1")?,
        attn: Attention {
            qkv: Qkv::Thirds(conv1d("attn.c_attn", (d, 3 * d))?),
            qk_norm: None,
            out: conv1d("attn.c_proj", (d, d))?,
            heads: Heads::new(config, layer),
        },
        ln2: norm("ln_2")?,
        mlp: Mlp {
            pre: conv1d("mlp.c_fc", (d, d_mlp))?,
            up: None,
            out: conv1d("mlp.c_proj", (d_mlp, d))?,
            act_fn: config.act_fn,
        },
    })
}
