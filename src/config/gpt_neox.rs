//! GPT-NeoX (Pythia): its `config.json`, and where its weights lie.

use serde_json::{Value, json};

use super::json::{self as fields, Fields};
use super::{ActFn, ConfigError, Family, ModelConfig, Stripes, WeightSlice, WeightSpec};
use crate::weight::{WeightPoint, WeightSite};

pub(super) fn from_json(json: &Fields) -> Result<ModelConfig, ConfigError> {
    let d_model = fields::count(json, "hidden_size", fields::MOST_WIDTH)?;
    let n_heads = fields::count(json, "num_attention_heads", fields::MOST_HEADS)?;
    fields::must_divide(("hidden_size", d_model), ("num_attention_heads", n_heads))?;
    let d_head = d_model / n_heads;
    let n_ctx = fields::count(json, "max_position_embeddings", fields::MOST_POSITIONS)?;
    let d_vocab = fields::count(json, "vocab_size", fields::MOST_TOKENS)?;
    let has_bias = fields::flag(json, "attention_bias", true)?;
    Ok(ModelConfig {
        family: Family::GptNeox,
        n_layers: fields::count(json, "num_hidden_layers", fields::MOST_LAYERS)?,
        d_model,
        n_heads,
        n_kv_heads: n_heads,
        d_head,
        d_mlp: fields::count(json, "intermediate_size", fields::MOST_NEURONS)?,
        n_ctx,
        d_vocab,
        act_fn: fields::act_fn(json, "hidden_act", ActFn::Gelu)?,
        layer_norm_eps: fields::epsilon(json, "layer_norm_eps", 1e-5)?,
        scale_attn_weights: true,
        scale_attn_by_inverse_layer_idx: false,
        rotary: Some(fields::rotary(
            json,
            ("rotary_emb_base", "rotary_pct"),
            0.25,
            d_head,
            n_ctx,
        )?),
        is_parallel: fields::flag(json, "use_parallel_residual", true)?,
        qkv_bias: has_bias,
        attn_out_bias: has_bias,
        mlp_bias: true,
        sliding_window: None,
        tie_word_embeddings: fields::flag(json, "tie_word_embeddings", false)?,
        bos_token_id: fields::token_id(json, "bos_token_id", d_vocab),
        eos_token_ids: fields::token_ids(json, "eos_token_id", d_vocab),
    })
}

pub(super) fn to_json(config: &ModelConfig) -> Value {
    let mut json = json!({
        "model_type": config.family.name(),
        "num_hidden_layers": config.n_layers,
        "hidden_size": config.d_model,
        "num_attention_heads": config.n_heads,
        "intermediate_size": config.d_mlp,
        "max_position_embeddings": config.n_ctx,
        "vocab_size": config.d_vocab,
        "hidden_act": fields::act_fn_name(config.act_fn),
        "layer_norm_eps": config.layer_norm_eps,
        "attention_bias": config.qkv_bias,
        "use_parallel_residual": config.is_parallel,
        "tie_word_embeddings": config.tie_word_embeddings,
        "bos_token_id": config.bos_token_id,
        "eos_token_id": fields::token_ids_field(&config.eos_token_ids),
    });
    if let Some(rotary) = &config.rotary {
        json["rope_parameters"] = fields::of_rotary(rotary, config.d_head);
        json["rope_parameters"]["partial_rotary_factor"] =
            (rotary.dim as f64 / config.d_head as f64).into();
    }
    json
}

pub(super) fn weights(config: &ModelConfig) -> Vec<WeightSpec> {
    let (d, d_mlp) = (config.d_model, config.d_mlp);
    let mut weights = vec![WeightSpec::new(
        "gpt_neox.embed_in.weight",
        &[config.d_vocab, d],
    )];
    for layer in 0..config.n_layers {
        let parts: [(&str, &[usize], bool); 12] = [
            ("input_layernorm.weight", &[d], true),
            ("input_layernorm.bias", &[d], true),
            ("attention.query_key_value.weight", &[3 * d, d], true),
            ("attention.query_key_value.bias", &[3 * d], config.qkv_bias),
            ("attention.dense.weight", &[d, d], true),
            ("attention.dense.bias", &[d], config.attn_out_bias),
            ("post_attention_layernorm.weight", &[d], true),
            ("post_attention_layernorm.bias", &[d], true),
            ("mlp.dense_h_to_4h.weight", &[d_mlp, d], true),
            ("mlp.dense_h_to_4h.bias", &[d_mlp], true),
            ("mlp.dense_4h_to_h.weight", &[d, d_mlp], true),
            ("mlp.dense_4h_to_h.bias", &[d], true),
        ];
        let there = parts.into_iter().filter(|(_, _, is_there)| *is_there);
        weights.extend(there.map(|(name, shape, _)| {
            WeightSpec::new(format!("gpt_neox.layers.{layer}.{name}"), shape)
        }));
    }
    weights.push(WeightSpec::new("gpt_neox.final_layer_norm.weight", &[d]));
    weights.push(WeightSpec::new("gpt_neox.final_layer_norm.bias", &[d]));
    if !config.tie_word_embeddings {
        weights.push(WeightSpec::new("embed_out.weight", &[config.d_vocab, d]));
    }
    weights
}

pub(super) fn slice(config: &ModelConfig, weight: WeightPoint) -> WeightSlice {
    let (d, d_mlp, d_vocab) = (config.d_model, config.d_mlp, config.d_vocab);
    let (layer, site) = match weight {
        WeightPoint::Embed => return WeightSlice::whole("gpt_neox.embed_in.weight", d_vocab, d),
        WeightPoint::FinalNormScale => {
            return WeightSlice::vector("gpt_neox.final_layer_norm.weight", d);
        }
        WeightPoint::FinalNormShift => {
            return WeightSlice::vector("gpt_neox.final_layer_norm.bias", d);
        }
        WeightPoint::Unembed if config.tie_word_embeddings => {
            return WeightSlice::whole("gpt_neox.embed_in.weight", d_vocab, d).transposed();
        }
        WeightPoint::Unembed => {
            return WeightSlice::whole("embed_out.weight", d_vocab, d).transposed();
        }
        WeightPoint::PosEmbed => return WeightSlice::whole("gpt_neox.positions", config.n_ctx, d),
        WeightPoint::Block { layer, site } => (layer, site),
    };
    let key = |name: &str| format!("gpt_neox.layers.{layer}.{name}");
    let vector = |name: &str, len| WeightSlice::vector(key(name), len);
    let matrix = |name: &str, n_in, n_out| WeightSlice::whole(key(name), n_out, n_in).transposed();
    // Head by head, the query, the key and the value follow one another.
    let third = |index: usize| Stripes {
        first: index * config.d_head,
        len: d,
        width: config.d_head,
        stride: 3 * config.d_head,
    };
    let qkv = |index| WeightSlice {
        rows: third(index),
        ..matrix("attention.query_key_value.weight", d, 3 * d)
    };
    let qkv_bias = |index| WeightSlice {
        columns: third(index),
        ..vector("attention.query_key_value.bias", 3 * d)
    };
    match site {
        WeightSite::Ln1Scale => vector("input_layernorm.weight", d),
        WeightSite::Ln1Shift => vector("input_layernorm.bias", d),
        WeightSite::Query => qkv(0),
        WeightSite::QueryBias => qkv_bias(0),
        WeightSite::Key => qkv(1),
        WeightSite::KeyBias => qkv_bias(1),
        WeightSite::Value => qkv(2),
        WeightSite::ValueBias => qkv_bias(2),
        WeightSite::QueryNorm | WeightSite::KeyNorm => vector("attention.norm", config.d_head),
        WeightSite::Output => matrix("attention.dense.weight", d, d),
        WeightSite::OutputBias => vector("attention.dense.bias", d),
        WeightSite::Ln2Scale => vector("post_attention_layernorm.weight", d),
        WeightSite::Ln2Shift => vector("post_attention_layernorm.bias", d),
        WeightSite::MlpIn | WeightSite::MlpGate => matrix("mlp.dense_h_to_4h.weight", d, d_mlp),
        WeightSite::MlpInBias | WeightSite::MlpGateBias => vector("mlp.dense_h_to_4h.bias", d_mlp),
        WeightSite::MlpOut => matrix("mlp.dense_4h_to_h.weight", d_mlp, d),
        WeightSite::MlpOutBias => vector("mlp.dense_4h_to_h.bias", d),
    }
}
