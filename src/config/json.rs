//! Reading the fields of a Hugging Face `config.json`, each within its bounds.

use serde_json::{Map, Value, json};

use super::{ActFn, ConfigError, Family, ModelConfig};

/// The shape that a GPT-2's `config.json` gives.
pub(super) fn gpt2(json: &Map<String, Value>) -> Result<ModelConfig, ConfigError> {
    for (field, expected) in [
        ("add_cross_attention", false),
        ("reorder_and_upcast_attn", false),
    ] {
        if flag(json, field, expected)? != expected {
            return Err(ConfigError::Unsupported {
                field,
                value: "true".to_owned(),
                supported: "only false is",
            });
        }
    }
    let d_model = count(json, "n_embd", 1 << 16)?;
    let n_heads = count(json, "n_head", 1 << 12)?;
    if d_model % n_heads != 0 {
        return Err(ConfigError::Bad {
            field: "n_embd",
            value: d_model.to_string(),
            expected: format!("it must be a multiple of n_head, which is {n_heads}"),
        });
    }
    let d_mlp = match json.get("n_inner") {
        None | Some(Value::Null) => 4 * d_model,
        Some(_) => count(json, "n_inner", 1 << 20)?,
    };
    let d_vocab = count(json, "vocab_size", 1 << 22)?;
    Ok(ModelConfig {
        family: Family::Gpt2,
        n_layers: count(json, "n_layer", 1 << 10)?,
        d_model,
        n_heads,
        d_head: d_model / n_heads,
        d_mlp,
        n_ctx: count(json, "n_positions", 1 << 20)?,
        d_vocab,
        act_fn: act_fn(json)?,
        layer_norm_eps: epsilon(json)?,
        scale_attn_weights: flag(json, "scale_attn_weights", true)?,
        scale_attn_by_inverse_layer_idx: flag(json, "scale_attn_by_inverse_layer_idx", false)?,
        tie_word_embeddings: flag(json, "tie_word_embeddings", true)?,
        bos_token_id: token_id(json, "bos_token_id", d_vocab),
        eos_token_id: token_id(json, "eos_token_id", d_vocab),
    })
}

/// The `config.json` that [`gpt2`] reads this shape from.
pub(super) fn of_gpt2(config: &ModelConfig) -> Value {
    json!({
        "model_type": "gpt2",
        "n_layer": config.n_layers,
        "n_embd": config.d_model,
        "n_head": config.n_heads,
        "n_inner": config.d_mlp,
        "n_positions": config.n_ctx,
        "vocab_size": config.d_vocab,
        "activation_function": match config.act_fn {
            ActFn::GeluNew => "gelu_new",
            ActFn::Gelu => "gelu",
        },
        "layer_norm_epsilon": config.layer_norm_eps,
        "scale_attn_weights": config.scale_attn_weights,
        "scale_attn_by_inverse_layer_idx": config.scale_attn_by_inverse_layer_idx,
        "tie_word_embeddings": config.tie_word_embeddings,
        "bos_token_id": config.bos_token_id,
        "eos_token_id": config.eos_token_id,
    })
}

/// A size between 1 and `most`.
///
/// The bounds are far above any published model; they keep products of sizes from overflowing.
fn count(
    json: &Map<String, Value>,
    field: &'static str,
    most: usize,
) -> Result<usize, ConfigError> {
    let value = json.get(field).ok_or(ConfigError::Missing(field))?;
    match value.as_u64() {
        Some(count @ 1..) if count <= most as u64 => Ok(count as usize),
        _ => Err(ConfigError::Bad {
            field,
            value: value.to_string(),
            expected: format!("it must be a whole number from 1 to {most}"),
        }),
    }
}

fn flag(
    json: &Map<String, Value>,
    field: &'static str,
    default: bool,
) -> Result<bool, ConfigError> {
    match json.get(field) {
        None | Some(Value::Null) => Ok(default),
        Some(Value::Bool(value)) => Ok(*value),
        Some(value) => Err(ConfigError::Bad {
            field,
            value: value.to_string(),
            expected: "it must be true or false".to_owned(),
        }),
    }
}

fn act_fn(json: &Map<String, Value>) -> Result<ActFn, ConfigError> {
    let field = "activation_function";
    match json.get(field) {
        None | Some(Value::Null) => Ok(ActFn::GeluNew),
        Some(Value::String(name)) if name == "gelu_new" || name == "gelu_pytorch_tanh" => {
            Ok(ActFn::GeluNew)
        }
        Some(Value::String(name)) if name == "gelu" => Ok(ActFn::Gelu),
        Some(value) => Err(ConfigError::Unsupported {
            field,
            value: value.to_string(),
            supported: "\"gelu_new\" and \"gelu\" are",
        }),
    }
}

fn epsilon(json: &Map<String, Value>) -> Result<f64, ConfigError> {
    let field = "layer_norm_epsilon";
    match json.get(field) {
        None | Some(Value::Null) => Ok(1e-5),
        Some(value) => match value.as_f64() {
            Some(eps) if eps > 0.0 && eps < 1.0 => Ok(eps),
            _ => Err(ConfigError::Bad {
                field,
                value: value.to_string(),
                expected: "it must lie between 0 and 1".to_owned(),
            }),
        },
    }
}

/// A special token, or none where the field is absent or names no token of the vocabulary.
fn token_id(json: &Map<String, Value>, field: &str, d_vocab: usize) -> Option<u32> {
    let id = json.get(field)?.as_u64()?;
    (id < d_vocab as u64).then_some(id as u32)
}
