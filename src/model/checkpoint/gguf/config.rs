//! A GGUF file's facts as the `config.json` that Hugging Face's checkpoint of the same model has.

use candle_core::DType;
use serde_json::{Value, json};

use super::header::{Fact, Header};
use crate::model::checkpoint::{Numbers, Part};
use crate::model::error::ModelError;

/// Llama 3's frequencies are slowed by a factor each, which is all that a file keeps of these.
const LLAMA3_LOW_FREQUENCY_FACTOR: f64 = 1.0;
const LLAMA3_HIGH_FREQUENCY_FACTOR: f64 = 4.0;

/// The facts of one architecture.
struct Facts<'a> {
    part: &'a Part,
    header: &'a Header,
    architecture: &'a str,
}

/// The `config.json` that says what the file does.
///
/// An architecture that is none of the families keeps its name, which is refused where families are
/// known.
pub(super) fn config_json(
    part: &Part,
    header: &Header,
    architecture: &str,
) -> Result<Value, ModelError> {
    let facts = Facts {
        part,
        header,
        architecture,
    };
    let mut json = match architecture {
        "gpt2" => facts.gpt2()?,
        "gptneox" => facts.gpt_neox()?,
        "llama" | "qwen2" | "qwen3" => facts.llama()?,
        other => json!({"model_type": other}),
    };
    json["vocab_size"] = facts.vocab_size()?;
    json["tie_word_embeddings"] = (!header.tensors.contains_key("output.weight")).into();
    for (field, fact) in [("bos_token_id", "bos"), ("eos_token_id", "eos")] {
        let id = header.facts.get(&format!("tokenizer.ggml.{fact}_token_id"));
        json[field] = id.map_or(Value::Null, value);
    }
    Ok(json)
}

impl Facts<'_> {
    fn gpt2(&self) -> Result<Value, ModelError> {
        Ok(json!({
            "model_type": "gpt2",
            "n_layer": self.needed("block_count")?,
            "n_embd": self.needed("embedding_length")?,
            "n_head": self.needed("attention.head_count")?,
            "n_inner": self.needed("feed_forward_length")?,
            "n_positions": self.needed("context_length")?,
            "activation_function": "gelu_new",
            "layer_norm_epsilon": self.needed("attention.layer_norm_epsilon")?,
        }))
    }

    fn gpt_neox(&self) -> Result<Value, ModelError> {
        let d_head = self.d_head()?;
        let rotary = self.number("rope.dimension_count").unwrap_or(d_head);
        Ok(json!({
            "model_type": "gpt_neox",
            "num_hidden_layers": self.needed("block_count")?,
            "hidden_size": self.needed("embedding_length")?,
            "num_attention_heads": self.needed("attention.head_count")?,
            "intermediate_size": self.needed("feed_forward_length")?,
            "max_position_embeddings": self.needed("context_length")?,
            "hidden_act": "gelu",
            "layer_norm_eps": self.needed("attention.layer_norm_epsilon")?,
            "use_parallel_residual": self.get("use_parallel_residual").map_or(true.into(), value),
            "rotary_pct": rotary / d_head,
            "rotary_emb_base": self.rope_theta(),
        }))
    }

    fn llama(&self) -> Result<Value, ModelError> {
        if self.number("expert_count").is_some_and(|count| count > 0.0) {
            return Err(self.part.unsupported(
                "it is a mixture of experts, which is not supported; choose a dense model",
            ));
        }
        let n_heads = self.needed("attention.head_count")?;
        let n_kv_heads = self.get("attention.head_count_kv").map(value);
        let has_bias = |name| self.header.tensors.contains_key(name);
        let mut json = json!({
            "model_type": self.architecture,
            "num_hidden_layers": self.needed("block_count")?,
            "hidden_size": self.needed("embedding_length")?,
            "num_attention_heads": n_heads,
            "num_key_value_heads": n_kv_heads.unwrap_or(n_heads),
            "head_dim": self.d_head()? as u64,
            "intermediate_size": self.needed("feed_forward_length")?,
            "max_position_embeddings": self.needed("context_length")?,
            "hidden_act": "silu",
            "rms_norm_eps": self.needed("attention.layer_norm_rms_epsilon")?,
            "rope_theta": self.rope_theta(),
        });
        if self.architecture == "llama" {
            json["attention_bias"] = has_bias("blk.0.attn_q.bias").into();
            json["mlp_bias"] = has_bias("blk.0.ffn_up.bias").into();
        }
        if let Some(scaling) = self.rope_scaling()? {
            json["rope_scaling"] = scaling;
        }
        Ok(json)
    }

    fn rope_theta(&self) -> f64 {
        self.number("rope.freq_base").unwrap_or(10_000.0)
    }

    /// What slows the rotations down for long texts: named by a fact, or, for Llama 3, given as the
    /// factor of each frequency.
    fn rope_scaling(&self) -> Result<Option<Value>, ModelError> {
        match self.get("rope.scaling.type") {
            None => {}
            Some(Fact::Text(name)) if name == "none" => {}
            Some(Fact::Text(name)) => {
                return Ok(Some(json!({
                    "rope_type": name,
                    "factor": self.number("rope.scaling.factor"),
                    "original_max_position_embeddings":
                        self.number("rope.scaling.original_context_length").map(|n| n as u64),
                })));
            }
            Some(_) => return Err(self.part.damaged("its rope.scaling.type is no text")),
        }
        let Some(factors) = self.header.tensors.get("rope_freqs.weight") else {
            return Ok(None);
        };
        if factors.numbers != Numbers::Plain(DType::F32) {
            return Err(self
                .part
                .damaged("its rope_freqs.weight are no F32 numbers"));
        }
        let n_pairs = factors.shape.first().copied().unwrap_or(0).min(1 << 16);
        let bytes = self.part.bytes_at(factors.offset, 4 * n_pairs as u64)?;
        let factors: Vec<f64> = bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes).into())
            .collect();
        let factor = factors.iter().copied().fold(1.0, f64::max);
        let is_made_for = |n_ctx: &u64| {
            let expected = llama3_factors(n_pairs, self.rope_theta(), factor, *n_ctx as f64);
            let mut pairs = factors.iter().zip(expected);
            pairs.all(|(got, expected)| (got - expected).abs() < 1e-3 * expected)
        };
        // What the rotations were first trained for: 8,192 positions as published.
        let trained_for = [8192].into_iter().chain((4..24).map(|power| 1 << power));
        let Some(n_ctx) = trained_for.into_iter().find(is_made_for) else {
            return Err(self.part.unsupported(
                "its rope_freqs.weight are not Llama 3's, and no others are supported",
            ));
        };
        Ok(Some(json!({
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": LLAMA3_LOW_FREQUENCY_FACTOR,
            "high_freq_factor": LLAMA3_HIGH_FREQUENCY_FACTOR,
            "original_max_position_embeddings": n_ctx,
        })))
    }

    /// The vocabulary is as large as its embedding: tokenizers may know fewer tokens.
    fn vocab_size(&self) -> Result<Value, ModelError> {
        let embedding = self.header.tensors.get("token_embd.weight");
        let n_rows = embedding.and_then(|embedding| embedding.shape.first().copied());
        n_rows
            .map(Value::from)
            .ok_or_else(|| ModelError::MissingTensor {
                path: self.part.path().to_owned(),
                name: "token_embd.weight".to_owned(),
            })
    }

    fn d_head(&self) -> Result<f64, ModelError> {
        if let Some(d_head) = self.number("attention.key_length") {
            return Ok(d_head);
        }
        let width = self.needed("embedding_length")?.as_f64();
        let n_heads = self.needed("attention.head_count")?.as_f64();
        match (width, n_heads) {
            (Some(width), Some(n_heads)) if n_heads >= 1.0 => Ok((width / n_heads).floor()),
            _ => Err(self.lacks("attention.head_count")),
        }
    }

    fn get(&self, name: &str) -> Option<&Fact> {
        let name = format!("{}.{name}", self.architecture);
        self.header.facts.get(&name)
    }

    fn number(&self, name: &str) -> Option<f64> {
        match self.get(name)? {
            Fact::Int(number) => Some(*number as f64),
            Fact::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// A number that has no default.
    fn needed(&self, name: &str) -> Result<Value, ModelError> {
        match self.get(name) {
            Some(fact @ Fact::Int(_)) => Ok(value(fact)),
            Some(fact @ Fact::Float(number)) if number.is_finite() => Ok(value(fact)),
            _ => Err(self.lacks(name)),
        }
    }

    fn lacks(&self, name: &str) -> ModelError {
        let reason = format!("its header lacks the number {}.{name}", self.architecture);
        self.part.damaged(reason)
    }
}

fn value(fact: &Fact) -> Value {
    match fact {
        Fact::Int(number) => (*number).into(),
        // As Python prints an f32, so that 1e-5 stays 1e-5.
        Fact::Float(number) => format!("{}", *number as f32)
            .parse::<f64>()
            .map_or(Value::Null, Value::from),
        Fact::Bool(flag) => (*flag).into(),
        Fact::Text(text) => text.as_str().into(),
        Fact::Ints(_) | Fact::Floats(_) | Fact::Texts(_) | Fact::Other => Value::Null,
    }
}

/// What Llama 3 divides the frequency of each pair by.
fn llama3_factors(
    n_pairs: usize,
    theta: f64,
    factor: f64,
    n_ctx: f64,
) -> impl Iterator<Item = f64> {
    let low_wavelength = n_ctx / LLAMA3_LOW_FREQUENCY_FACTOR;
    let high_wavelength = n_ctx / LLAMA3_HIGH_FREQUENCY_FACTOR;
    (0..n_pairs).map(move |pair| {
        let wavelength = std::f64::consts::TAU * theta.powf(pair as f64 / n_pairs as f64);
        if wavelength < high_wavelength {
            1.0
        } else if wavelength > low_wavelength {
            factor
        } else {
            let smooth = (n_ctx / wavelength - LLAMA3_LOW_FREQUENCY_FACTOR)
                / (LLAMA3_HIGH_FREQUENCY_FACTOR - LLAMA3_LOW_FREQUENCY_FACTOR);
            1.0 / ((1.0 - smooth) / factor + smooth)
        }
    })
}
