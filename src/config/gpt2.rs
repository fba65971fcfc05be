//! GPT-2: its `config.json`, and where its weights lie.

use serde_json::{Value, json};

use super::json::{self as fields, Fields};
use super::{ActFn, ConfigError, Family, ModelConfig, Stripes, WeightSlice, WeightSpec};
use crate::weight::{WeightPoint, WeightSite};

pub(super) fn from_json(json: &Fields) -> Result<ModelConfig, ConfigError> {
    fields::only(json, "add_cross_attention", false)?;
    fields::only(json, "reorder_and_upcast_attn", false)?;
    let d_model = fields::count(json, "n_embd", fields::MOST_WIDTH)?;
    let n_heads = fields::count(json, "n_head", fields::MOST_HEADS)?;
    fields::must_divide(("n_embd", d_model), ("n_head", n_heads))?;
    let d_vocab = fields::count(json, "vocab_size", fields::MOST_TOKENS)?;
    Ok(ModelConfig {
        family: Family::Gpt2,
        n_layers: fields::count(json, "n_layer", fields::MOST_LAYERS)?,
        d_model,
        n_heads,
        n_kv_heads: n_heads,
        d_head: d_model / n_heads,
        d_mlp: fields::count_or(json, "n_inner", fields::MOST_NEURONS, 4 * d_model)?,
        n_ctx: fields::count(json, "n_positions", fields::MOST_POSITIONS)?,
        d_vocab,
        act_fn: fields::act_fn(json, "activation_function", ActFn::GeluNew)?,
        layer_norm_eps: fields::epsilon(json, "layer_norm_epsilon", 1e-5)?,
        scale_attn_weights: fields::flag(json, "scale_attn_weights", true)?,
        scale_attn_by_inverse_layer_idx: fields::flag(
            json,
            "scale_attn_by_inverse_layer_idx",
            false,
        )?,
        rotary: None,
        is_parallel: false,
        qkv_bias: true,
        attn_out_bias: true,
        mlp_bias: true,
        sliding_window: None,
        tie_word_embeddings: fields::flag(json, "tie_word_embeddings", true)?,
        bos_token_id: fields::token_id(json, "bos_token_id", d_vocab),
        eos_token_ids: fields::token_ids(json, "eos_token_id", d_vocab),
    })
}

pub(super) fn to_json(config: &ModelConfig) -> Value {
    json!({
        "model_type": config.family.name(),
        "n_layer": config.n_layers,
        "n_embd": config.d_model,
        "n_head": config.n_heads,
        "n_inner": config.d_mlp,
        "n_positions": config.n_ctx,
        "vocab_size": config.d_vocab,
        "activation_function": fields::act_fn_name(config.act_fn),
        "layer_norm_epsilon": config.layer_norm_eps,
        "scale_attn_weights": config.scale_attn_weights,
        "scale_attn_by_inverse_layer_idx": config.scale_attn_by_inverse_layer_idx,
        "tie_word_embeddings": config.tie_word_embeddings,
        "bos_token_id": config.bos_token_id,
        "eos_token_id": fields::token_ids_field(&config.eos_token_ids),
    })
}

pub(super) fn weights(config: &ModelConfig) -> Vec<WeightSpec> {
    let (d, d_mlp) = (config.d_model, config.d_mlp);
    let mut weights = vec![
        WeightSpec::new("wte.weight", &[config.d_vocab, d]),
        WeightSpec::new("wpe.weight", &[config.n_ctx, d]),
    ];
    for layer in 0..config.n_layers {
        let parts: [(&str, &[usize]); 12] = [
            ("ln_1.weight", &[d]),
            ("ln_1.bias", &[d]),
            ("attn.c_attn.weight", &[d, 3 * d]),
            ("attn.c_attn.bias", &[3 * d]),
            ("attn.c_proj.weight", &[d, d]),
            ("attn.c_proj.bias", &[d]),
            ("ln_2.weight", &[d]),
            ("ln_2.bias", &[d]),
            ("mlp.c_fc.weight", &[d, d_mlp]),
            ("mlp.c_fc.bias", &[d_mlp]),
            ("mlp.c_proj.weight", &[d_mlp, d]),
            ("mlp.c_proj.bias", &[d]),
        ];
        let named =
            |(name, shape): (&str, &[usize])| WeightSpec::new(format!("h.{layer}.{name}"), shape);
        weights.extend(parts.map(named));
    }
    weights.push(WeightSpec::new("ln_f.weight", &[d]));
    weights.push(WeightSpec::new("ln_f.bias", &[d]));
    if !config.tie_word_embeddings {
        weights.push(WeightSpec::new("lm_head.weight", &[config.d_vocab, d]));
    }
    weights
}

pub(super) fn slice(config: &ModelConfig, weight: WeightPoint) -> WeightSlice {
    let (d, d_mlp, d_vocab) = (config.d_model, config.d_mlp, config.d_vocab);
    let (layer, site) = match weight {
        WeightPoint::Embed => return WeightSlice::whole("wte.weight", d_vocab, d),
        WeightPoint::PosEmbed => return WeightSlice::whole("wpe.weight", config.n_ctx, d),
        WeightPoint::FinalNormScale => return WeightSlice::vector("ln_f.weight", d),
        WeightPoint::FinalNormShift => return WeightSlice::vector("ln_f.bias", d),
        WeightPoint::Unembed if config.tie_word_embeddings => {
            return WeightSlice::whole("wte.weight", d_vocab, d).transposed();
        }
        WeightPoint::Unembed => {
            return WeightSlice::whole("lm_head.weight", d_vocab, d).transposed();
        }
        WeightPoint::Block { layer, site } => (layer, site),
    };
    let matrix = |name: &str, n_in, n_out| {
        WeightSlice::whole(format!("h.{layer}.{name}.weight"), n_in, n_out)
    };
    let vector = |name: &str, len| WeightSlice::vector(format!("h.{layer}.{name}"), len);
    // Queries, keys and values are thirds of one projection.
    let third = |slice: WeightSlice, index: usize| WeightSlice {
        columns: Stripes::one(index * d, d),
        ..slice
    };
    let qkv = |index| third(matrix("attn.c_attn", d, 3 * d), index);
    let qkv_bias = |index| third(vector("attn.c_attn.bias", 3 * d), index);
    match site {
        WeightSite::Ln1Scale => vector("ln_1.weight", d),
        WeightSite::Ln1Shift => vector("ln_1.bias", d),
        WeightSite::Query => qkv(0),
        WeightSite::QueryBias => qkv_bias(0),
        WeightSite::Key => qkv(1),
        WeightSite::KeyBias => qkv_bias(1),
        WeightSite::Value => qkv(2),
        WeightSite::ValueBias => qkv_bias(2),
        WeightSite::QueryNorm | WeightSite::KeyNorm => vector("attn.norm", config.d_head),
        WeightSite::Output => matrix("attn.c_proj", d, d),
        WeightSite::OutputBias => vector("attn.c_proj.bias", d),
        WeightSite::Ln2Scale => vector("ln_2.weight", d),
        WeightSite::Ln2Shift => vector("ln_2.bias", d),
        WeightSite::MlpIn | WeightSite::MlpGate => matrix("mlp.c_fc", d, d_mlp),
        WeightSite::MlpInBias | WeightSite::MlpGateBias => vector("mlp.c_fc.bias", d_mlp),
        WeightSite::MlpOut => matrix("mlp.c_proj", d_mlp, d),
        WeightSite::MlpOutBias => vector("mlp.c_proj.bias", d),
    }
}
