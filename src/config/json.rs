//! Reading the fields of a Hugging Face `config.json`, each within its bounds.

use serde_json::{Map, Value, json};

use super::{ActFn, ConfigError, Rotary, RotaryScaling};

/// The fields of a `config.json`.
pub(super) type Fields = Map<String, Value>;

/// Bounds far above any published model; they keep products of sizes from overflowing.
pub(super) const MOST_LAYERS: usize = 1 << 10;
pub(super) const MOST_HEADS: usize = 1 << 12;
pub(super) const MOST_WIDTH: usize = 1 << 16;
pub(super) const MOST_NEURONS: usize = 1 << 20;
pub(super) const MOST_POSITIONS: usize = 1 << 24;
pub(super) const MOST_TOKENS: usize = 1 << 22;

/// A size between 1 and `most`.
pub(super) fn count(json: &Fields, field: &'static str, most: usize) -> Result<usize, ConfigError> {
    let value = json.get(field).ok_or(ConfigError::Missing(field))?;
    match value.as_u64() {
        Some(count @ 1..) if count <= most as u64 => Ok(count as usize),
        _ => Err(bad(
            field,
            value,
            format!("it must be a whole number from 1 to {most}"),
        )),
    }
}

/// A size between 1 and `most`, or `default` where the field is absent.
pub(super) fn count_or(
    json: &Fields,
    field: &'static str,
    most: usize,
    default: usize,
) -> Result<usize, ConfigError> {
    match json.get(field) {
        None | Some(Value::Null) => Ok(default),
        Some(_) => count(json, field, most),
    }
}

pub(super) fn flag(json: &Fields, field: &'static str, default: bool) -> Result<bool, ConfigError> {
    match json.get(field) {
        None | Some(Value::Null) => Ok(default),
        Some(Value::Bool(value)) => Ok(*value),
        Some(value) => Err(bad(field, value, "it must be true or false")),
    }
}

/// The activation function that a field names.
pub(super) fn act_fn(
    json: &Fields,
    field: &'static str,
    default: ActFn,
) -> Result<ActFn, ConfigError> {
    match json.get(field) {
        None | Some(Value::Null) => Ok(default),
        Some(Value::String(name)) => match name.as_str() {
            "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Ok(ActFn::GeluNew),
            "gelu" => Ok(ActFn::Gelu),
            "silu" | "swish" => Ok(ActFn::Silu),
            _ => Err(unsupported(field, &json[field], ACT_FNS)),
        },
        Some(value) => Err(unsupported(field, value, ACT_FNS)),
    }
}

const ACT_FNS: &str = "\"gelu_new\", \"gelu\" and \"silu\" are";

pub(super) fn act_fn_name(act_fn: ActFn) -> &'static str {
    match act_fn {
        ActFn::GeluNew => "gelu_new",
        ActFn::Gelu => "gelu",
        ActFn::Silu => "silu",
    }
}

/// What a norm adds to a variance.
pub(super) fn epsilon(
    json: &Fields,
    field: &'static str,
    default: f64,
) -> Result<f64, ConfigError> {
    match json.get(field) {
        None | Some(Value::Null) => Ok(default),
        Some(value) => match value.as_f64() {
            Some(eps) if eps > 0.0 && eps < 1.0 => Ok(eps),
            _ => Err(bad(field, value, "it must lie between 0 and 1")),
        },
    }
}

/// A number above zero.
pub(super) fn positive(
    json: &Fields,
    field: &'static str,
    default: Option<f64>,
) -> Result<f64, ConfigError> {
    match (json.get(field), default) {
        (None | Some(Value::Null), Some(default)) => Ok(default),
        (None | Some(Value::Null), None) => Err(ConfigError::Missing(field)),
        (Some(value), _) => match value.as_f64() {
            Some(number) if number > 0.0 && number <= 1e12 => Ok(number),
            _ => Err(bad(field, value, "it must be a number above 0")),
        },
    }
}

/// A special token, or none where the field is absent or names no token of the vocabulary; the
/// first where it names several.
pub(super) fn token_id(json: &Fields, field: &str, d_vocab: usize) -> Option<u32> {
    token_ids(json, field, d_vocab).first().copied()
}

/// The special tokens that a field names, one or several, as far as the vocabulary has them.
pub(super) fn token_ids(json: &Fields, field: &str, d_vocab: usize) -> Vec<u32> {
    let ids = match json.get(field) {
        Some(Value::Array(ids)) => ids.as_slice(),
        Some(id) => std::slice::from_ref(id),
        None => &[],
    };
    let ids = ids.iter().filter_map(Value::as_u64);
    ids.filter(|id| *id < d_vocab as u64)
        .map(|id| id as u32)
        .collect()
}

/// Special tokens as a field: none is null, one a number, several a list.
pub(super) fn token_ids_field(ids: &[u32]) -> Value {
    match ids {
        [] => Value::Null,
        [id] => (*id).into(),
        ids => ids.into(),
    }
}

/// That `larger` is a multiple of `smaller`.
pub(super) fn must_divide(
    (larger_field, larger): (&'static str, usize),
    (smaller_field, smaller): (&str, usize),
) -> Result<(), ConfigError> {
    if larger.is_multiple_of(smaller) {
        return Ok(());
    }
    Err(ConfigError::Bad {
        field: larger_field,
        value: larger.to_string(),
        expected: format!("it must be a multiple of {smaller_field}, which is {smaller}"),
    })
}

/// How positions rotate: `rope_parameters`, or the older `rope_theta` and `rope_scaling`.
///
/// `dim` is the width of a head, of which `share` is rotated; `n_ctx` what the model reads.
pub(super) fn rotary(
    json: &Fields,
    (theta_field, share_field): (&'static str, &'static str),
    default_share: f64,
    d_head: usize,
    n_ctx: usize,
) -> Result<Rotary, ConfigError> {
    let empty = Fields::new();
    let object = |field: &'static str| match json.get(field) {
        None | Some(Value::Null) => Ok(&empty),
        Some(Value::Object(fields)) => Ok(fields),
        Some(value) => Err(bad(field, value, "it must be an object")),
    };
    let new = object("rope_parameters")?;
    let (scaling, scaling_field) = match new.is_empty() {
        false => (new, "rope_parameters"),
        true => (object("rope_scaling")?, "rope_scaling"),
    };
    let theta = positive(json, theta_field, Some(10_000.0))?;
    let theta = positive(scaling, "rope_theta", Some(theta))?;
    let share = positive(json, share_field, Some(default_share))?;
    let share = positive(scaling, "partial_rotary_factor", Some(share))?;
    let dim = (share * d_head as f64) as usize;
    if dim == 0 || dim.next_multiple_of(2) > d_head {
        return Err(ConfigError::Bad {
            field: share_field,
            value: share.to_string(),
            expected: format!("it must rotate pairs within a head, which is {d_head} wide"),
        });
    }
    Ok(Rotary {
        dim,
        theta,
        scaling: rotary_scaling(scaling, scaling_field, n_ctx)?,
    })
}

fn rotary_scaling(
    scaling: &Fields,
    field: &'static str,
    n_ctx: usize,
) -> Result<RotaryScaling, ConfigError> {
    let kind = scaling.get("rope_type").or_else(|| scaling.get("type"));
    let required = |field| positive(scaling, field, None);
    match kind.unwrap_or(&Value::Null) {
        Value::Null => Ok(RotaryScaling::Default),
        Value::String(kind) if kind == "default" => Ok(RotaryScaling::Default),
        Value::String(kind) if kind == "linear" => Ok(RotaryScaling::Linear {
            factor: required("factor")?,
        }),
        Value::String(kind) if kind == "llama3" => {
            let (low, high) = (required("low_freq_factor")?, required("high_freq_factor")?);
            if low >= high {
                return Err(ConfigError::Bad {
                    field: "low_freq_factor",
                    value: low.to_string(),
                    expected: format!("it must be below high_freq_factor, which is {high}"),
                });
            }
            Ok(RotaryScaling::Llama3 {
                factor: required("factor")?,
                low_freq_factor: low,
                high_freq_factor: high,
                original_n_ctx: count_or(
                    scaling,
                    "original_max_position_embeddings",
                    MOST_POSITIONS,
                    n_ctx,
                )?,
            })
        }
        kind => Err(ConfigError::Unsupported {
            field,
            value: kind.to_string(),
            supported: "\"default\", \"linear\" and \"llama3\" are".to_owned(),
        }),
    }
}

/// What [`rotary`] reads, as `rope_parameters`.
pub(super) fn of_rotary(rotary: &Rotary, d_head: usize) -> Value {
    let mut fields = json!({ "rope_theta": rotary.theta, "rope_type": "default" });
    if rotary.dim != d_head {
        fields["partial_rotary_factor"] = (rotary.dim as f64 / d_head as f64).into();
    }
    match rotary.scaling {
        RotaryScaling::Default => {}
        RotaryScaling::Linear { factor } => {
            fields["rope_type"] = "linear".into();
            fields["factor"] = factor.into();
        }
        RotaryScaling::Llama3 {
            factor,
            low_freq_factor,
            high_freq_factor,
            original_n_ctx,
        } => {
            fields["rope_type"] = "llama3".into();
            fields["factor"] = factor.into();
            fields["low_freq_factor"] = low_freq_factor.into();
            fields["high_freq_factor"] = high_freq_factor.into();
            fields["original_max_position_embeddings"] = original_n_ctx.into();
        }
    }
    fields
}

pub(super) fn bad(field: &'static str, value: &Value, expected: impl Into<String>) -> ConfigError {
    ConfigError::Bad {
        field,
        value: value.to_string(),
        expected: expected.into(),
    }
}

pub(super) fn unsupported(
    field: &'static str,
    value: &Value,
    supported: impl Into<String>,
) -> ConfigError {
    ConfigError::Unsupported {
        field,
        value: value.to_string(),
        supported: supported.into(),
    }
}

/// Refuses a flag that asks for what is not implemented.
pub(super) fn only(json: &Fields, field: &'static str, expected: bool) -> Result<(), ConfigError> {
    if flag(json, field, expected)? == expected {
        return Ok(());
    }
    Err(unsupported(
        field,
        &Value::Bool(!expected),
        format!("only {expected} is"),
    ))
}
