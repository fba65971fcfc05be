//! Llama and what is built like it (Mistral, Qwen 2, Qwen 3): their `config.json`, and where their
//! weights lie.

use serde_json::{Value, json};

use super::json::{self as fields, Fields};
use super::{ActFn, ConfigError, Family, ModelConfig, SlidingWindow, WeightSlice, WeightSpec};
use crate::weight::{WeightPoint, WeightSite};

pub(super) fn from_json(family: Family, json: &Fields) -> Result<ModelConfig, ConfigError> {
    let d_model = fields::count(json, "hidden_size", fields::MOST_WIDTH)?;
    let n_heads = fields::count(json, "num_attention_heads", fields::MOST_HEADS)?;
    let n_kv_heads = fields::count_or(json, "num_key_value_heads", fields::MOST_HEADS, n_heads)?;
    fields::must_divide(
        ("num_attention_heads", n_heads),
        ("num_key_value_heads", n_kv_heads),
    )?;
    let d_head = match json.get("head_dim") {
        None | Some(Value::Null) if family == Family::Qwen3 => 128,
        None | Some(Value::Null) => {
            fields::must_divide(("hidden_size", d_model), ("num_attention_heads", n_heads))?;
            d_model / n_heads
        }
        Some(_) => fields::count(json, "head_dim", fields::MOST_WIDTH)?,
    };
    let n_ctx = fields::count(json, "max_position_embeddings", fields::MOST_POSITIONS)?;
    let d_vocab = fields::count(json, "vocab_size", fields::MOST_TOKENS)?;
    let n_layers = fields::count(json, "num_hidden_layers", fields::MOST_LAYERS)?;
    let attention_bias = match family {
        Family::Llama | Family::Qwen3 => fields::flag(json, "attention_bias", false)?,
        _ => false,
    };
    Ok(ModelConfig {
        family,
        n_layers,
        d_model,
        n_heads,
        n_kv_heads,
        d_head,
        d_mlp: fields::count(json, "intermediate_size", fields::MOST_NEURONS)?,
        n_ctx,
        d_vocab,
        act_fn: fields::act_fn(json, "hidden_act", ActFn::Silu)?,
        layer_norm_eps: fields::epsilon(json, "rms_norm_eps", 1e-6)?,
        scale_attn_weights: true,
        scale_attn_by_inverse_layer_idx: false,
        rotary: Some(fields::rotary(
            json,
            ("rope_theta", "partial_rotary_factor"),
            1.0,
            d_head,
            n_ctx,
        )?),
        is_parallel: false,
        qkv_bias: attention_bias || family == Family::Qwen2,
        attn_out_bias: attention_bias,
        mlp_bias: family == Family::Llama && fields::flag(json, "mlp_bias", false)?,
        sliding_window: sliding_window(family, json, n_layers)?,
        tie_word_embeddings: fields::flag(json, "tie_word_embeddings", false)?,
        bos_token_id: fields::token_id(json, "bos_token_id", d_vocab),
        eos_token_ids: fields::token_ids(json, "eos_token_id", d_vocab),
    })
}

/// Mistral's window binds every layer; Qwen's, where it is used, those from `max_window_layers` on.
fn sliding_window(
    family: Family,
    json: &Fields,
    n_layers: usize,
) -> Result<Option<SlidingWindow>, ConfigError> {
    let is_used = match family {
        Family::Mistral => true,
        Family::Qwen2 | Family::Qwen3 => fields::flag(json, "use_sliding_window", false)?,
        _ => false,
    };
    if !is_used || json.get("sliding_window").is_none_or(Value::is_null) {
        return Ok(None);
    }
    let n_pos = fields::count(json, "sliding_window", fields::MOST_POSITIONS)?;
    let first_layer = match family {
        Family::Mistral => 0,
        _ if json.get("max_window_layers").and_then(Value::as_u64) == Some(0) => 0,
        _ => fields::count_or(json, "max_window_layers", fields::MOST_LAYERS, 28)?,
    };
    Ok((first_layer < n_layers).then_some(SlidingWindow { n_pos, first_layer }))
}

pub(super) fn to_json(config: &ModelConfig) -> Value {
    let mut json = json!({
        "model_type": config.family.name(),
        "num_hidden_layers": config.n_layers,
        "hidden_size": config.d_model,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.n_kv_heads,
        "head_dim": config.d_head,
        "intermediate_size": config.d_mlp,
        "max_position_embeddings": config.n_ctx,
        "vocab_size": config.d_vocab,
        "hidden_act": fields::act_fn_name(config.act_fn),
        "rms_norm_eps": config.layer_norm_eps,
        "attention_bias": config.attn_out_bias,
        "mlp_bias": config.mlp_bias,
        "tie_word_embeddings": config.tie_word_embeddings,
        "bos_token_id": config.bos_token_id,
        "eos_token_id": fields::token_ids_field(&config.eos_token_ids),
    });
    if let Some(rotary) = &config.rotary {
        json["rope_parameters"] = fields::of_rotary(rotary, config.d_head);
    }
    if let Some(window) = config.sliding_window {
        json["sliding_window"] = window.n_pos.into();
        json["use_sliding_window"] = true.into();
        json["max_window_layers"] = window.first_layer.into();
    }
    json
}

/// Every weight of a layer under the checkpoint's name, in the order a pass uses them.
const NAMES: [(WeightSite, &str); 18] = [
    (WeightSite::Ln1Scale, "input_layernorm.weight"),
    (WeightSite::Query, "self_attn.q_proj.weight"),
    (WeightSite::QueryBias, "self_attn.q_proj.bias"),
    (WeightSite::Key, "self_attn.k_proj.weight"),
    (WeightSite::KeyBias, "self_attn.k_proj.bias"),
    (WeightSite::Value, "self_attn.v_proj.weight"),
    (WeightSite::ValueBias, "self_attn.v_proj.bias"),
    (WeightSite::QueryNorm, "self_attn.q_norm.weight"),
    (WeightSite::KeyNorm, "self_attn.k_norm.weight"),
    (WeightSite::Output, "self_attn.o_proj.weight"),
    (WeightSite::OutputBias, "self_attn.o_proj.bias"),
    (WeightSite::Ln2Scale, "post_attention_layernorm.weight"),
    (WeightSite::MlpGate, "mlp.gate_proj.weight"),
    (WeightSite::MlpGateBias, "mlp.gate_proj.bias"),
    (WeightSite::MlpIn, "mlp.up_proj.weight"),
    (WeightSite::MlpInBias, "mlp.up_proj.bias"),
    (WeightSite::MlpOut, "mlp.down_proj.weight"),
    (WeightSite::MlpOutBias, "mlp.down_proj.bias"),
];

pub(super) fn weights(config: &ModelConfig) -> Vec<WeightSpec> {
    let points = config.weight_points().into_iter();
    let own = points.filter(|point| *point != WeightPoint::Unembed || !config.tie_word_embeddings);
    own.map(|point| {
        let slice = slice(config, point);
        if slice.is_transposed || point == WeightPoint::Embed {
            WeightSpec::new(slice.key, &[slice.rows.len, slice.columns.len])
        } else {
            WeightSpec::new(slice.key, &[slice.columns.len])
        }
    })
    .collect()
}

pub(super) fn slice(config: &ModelConfig, weight: WeightPoint) -> WeightSlice {
    let (d, d_mlp, d_vocab) = (config.d_model, config.d_mlp, config.d_vocab);
    let (layer, site) = match weight {
        WeightPoint::Embed => return WeightSlice::whole("model.embed_tokens.weight", d_vocab, d),
        WeightPoint::FinalNormScale => return WeightSlice::vector("model.norm.weight", d),
        WeightPoint::Unembed if config.tie_word_embeddings => {
            return WeightSlice::whole("model.embed_tokens.weight", d_vocab, d).transposed();
        }
        WeightPoint::Unembed => {
            return WeightSlice::whole("lm_head.weight", d_vocab, d).transposed();
        }
        WeightPoint::PosEmbed => return WeightSlice::whole("model.positions", config.n_ctx, d),
        WeightPoint::FinalNormShift => return WeightSlice::vector("model.norm.bias", d),
        WeightPoint::Block { layer, site } => (layer, site),
    };
    let name = NAMES.iter().find(|(named, _)| *named == site);
    let name = name.map_or("layernorm.bias", |(_, name)| name);
    let key = format!("model.layers.{layer}.{name}");
    let vector = |len| WeightSlice::vector(key.clone(), len);
    let matrix = |n_in, n_out| WeightSlice::whole(key.clone(), n_out, n_in).transposed();
    let (d_q, d_kv) = (
        config.n_heads * config.d_head,
        config.n_kv_heads * config.d_head,
    );
    match site {
        WeightSite::Query => matrix(d, d_q),
        WeightSite::Key | WeightSite::Value => matrix(d, d_kv),
        WeightSite::QueryBias => vector(d_q),
        WeightSite::KeyBias | WeightSite::ValueBias => vector(d_kv),
        WeightSite::QueryNorm | WeightSite::KeyNorm => vector(config.d_head),
        WeightSite::Output => matrix(d_q, d),
        WeightSite::MlpGate | WeightSite::MlpIn => matrix(d, d_mlp),
        WeightSite::MlpGateBias | WeightSite::MlpInBias => vector(d_mlp),
        WeightSite::MlpOut => matrix(d_mlp, d),
        WeightSite::Ln1Scale
        | WeightSite::Ln1Shift
        | WeightSite::Ln2Scale
        | WeightSite::Ln2Shift
        | WeightSite::OutputBias
        | WeightSite::MlpOutBias => vector(d),
    }
}
