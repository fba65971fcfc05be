//! A model's dimensions and architecture, read from `config.json` or known by name.

mod json;
mod weights;

use serde_json::{Map, Value};
use thiserror::Error;

pub use weights::WeightSlice;

use crate::hook::{BlockSite, HookPoint};

/// A model's dimensions and architecture.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// The architecture.
    pub family: Family,
    /// Transformer blocks.
    pub n_layers: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Attention heads of a layer.
    pub n_heads: usize,
    /// Width of one head.
    pub d_head: usize,
    /// MLP neurons of a layer.
    pub d_mlp: usize,
    /// Longest sequence, in tokens.
    pub n_ctx: usize,
    /// Tokens of the vocabulary.
    pub d_vocab: usize,
    /// The MLP's activation function.
    pub act_fn: ActFn,
    /// Added to the variance by every layer norm.
    pub layer_norm_eps: f64,
    /// Whether attention scores are divided by the square root of `d_head`.
    pub scale_attn_weights: bool,
    /// Whether attention scores of layer `n` are further divided by `n + 1`.
    pub scale_attn_by_inverse_layer_idx: bool,
    /// Whether the unembedding is the token embedding, transposed.
    pub tie_word_embeddings: bool,
    /// The token that begins a text, if the model has one.
    pub bos_token_id: Option<u32>,
    /// The token that ends a text, if the model has one.
    pub eos_token_id: Option<u32>,
}

/// The architectures that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// GPT-2: learned positions, layer norm before each part, one MLP projection up and one down.
    Gpt2,
}

/// An MLP's activation function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActFn {
    /// `gelu_new`: the tanh approximation, Hendrycks & Gimpel 2016 (arXiv 1606.08415), section 2.
    GeluNew,
    /// `gelu`: `x * Phi(x)` with the exact normal distribution function.
    Gelu,
}

/// A weight tensor of a checkpoint: its name without the `transformer.` prefix, and its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightSpec {
    /// The checkpoint's key, such as `h.0.attn.c_attn.weight`.
    pub name: String,
    /// Its dimensions, outermost first.
    pub shape: Vec<usize>,
}

/// Why a `config.json` can't be used.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ConfigError {
    /// It isn't a JSON object.
    #[error("it is not a JSON object: {0}")]
    NotJson(String),
    /// A field that has no default is absent.
    #[error("it lacks {0:?}")]
    Missing(&'static str),
    /// A field has a value that can't be right.
    #[error("{field} is {value}; {expected}")]
    Bad {
        /// The field.
        field: &'static str,
        /// What the file has, as JSON.
        value: String,
        /// What would be right.
        expected: String,
    },
    /// A field asks for something not implemented.
    #[error("{field} is {value}, which is not supported; {supported}")]
    Unsupported {
        /// The field.
        field: &'static str,
        /// What the file has, as JSON.
        value: String,
        /// What is.
        supported: &'static str,
    },
}

impl WeightSpec {
    /// How many numbers the tensor holds.
    pub fn element_count(&self) -> usize {
        self.shape.iter().product()
    }
}

/// The shapes known by name: name, layers, width, heads.
const GPT2_PRESETS: [(&str, usize, usize, usize); 5] = [
    ("distilgpt2", 6, 768, 12),
    ("gpt2", 12, 768, 12),
    ("gpt2-medium", 24, 1024, 16),
    ("gpt2-large", 36, 1280, 20),
    ("gpt2-xl", 48, 1600, 25),
];

impl ModelConfig {
    /// Names that [`preset`](Self::preset) knows.
    pub fn preset_names() -> impl Iterator<Item = &'static str> {
        GPT2_PRESETS.iter().map(|(name, ..)| *name)
    }

    /// The shape of a published model, by its name on the Hub without the organisation.
    pub fn preset(name: &str) -> Option<Self> {
        let &(_, n_layers, d_model, n_heads) =
            GPT2_PRESETS.iter().find(|(preset, ..)| *preset == name)?;
        Some(Self {
            family: Family::Gpt2,
            n_layers,
            d_model,
            n_heads,
            d_head: d_model / n_heads,
            d_mlp: 4 * d_model,
            n_ctx: 1024,
            d_vocab: 50_257,
            act_fn: ActFn::GeluNew,
            layer_norm_eps: 1e-5,
            scale_attn_weights: true,
            scale_attn_by_inverse_layer_idx: false,
            tie_word_embeddings: true,
            bos_token_id: Some(50_256),
            eos_token_id: Some(50_256),
        })
    }

    /// Reads a Hugging Face `config.json`.
    ///
    /// # Errors
    ///
    /// Says which field is absent, out of bounds or asks for something not implemented.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        let json: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| ConfigError::NotJson(error.to_string()))?;
        match json.get("model_type").and_then(Value::as_str) {
            Some("gpt2") => json::gpt2(&json),
            _ => Err(ConfigError::Unsupported {
                field: "model_type",
                value: json.get("model_type").unwrap_or(&Value::Null).to_string(),
                supported: "the families that work are \"gpt2\"",
            }),
        }
    }

    /// The `config.json` that [`from_json`](Self::from_json) reads this shape from.
    pub fn to_json(&self) -> Value {
        match self.family {
            Family::Gpt2 => json::of_gpt2(self),
        }
    }

    /// Every hook point of this model, in the order a pass reaches them.
    pub fn hook_points(&self) -> Vec<HookPoint> {
        let mut hooks = vec![HookPoint::Embed, HookPoint::PosEmbed];
        for layer in 0..self.n_layers {
            hooks.extend(
                BlockSite::ALL
                    .into_iter()
                    .filter(|site| *site != BlockSite::MlpPreLinear)
                    .map(|site| HookPoint::block(layer, site)),
            );
        }
        hooks.extend([HookPoint::FinalNormalized, HookPoint::Logits]);
        hooks
    }

    /// Whether `hook` is a place in this model's forward pass.
    pub fn has_hook(&self, hook: HookPoint) -> bool {
        match hook {
            HookPoint::Block { layer, site } => {
                layer < self.n_layers && site != BlockSite::MlpPreLinear
            }
            _ => true,
        }
    }

    /// The shape of the activation at `hook` over `n_pos` positions.
    pub fn shape(&self, hook: HookPoint, n_pos: usize) -> Vec<usize> {
        match hook.site() {
            Some(BlockSite::Q | BlockSite::K | BlockSite::V | BlockSite::Z) => {
                vec![n_pos, self.n_heads, self.d_head]
            }
            Some(BlockSite::AttnScores | BlockSite::Pattern) => vec![self.n_heads, n_pos, n_pos],
            Some(BlockSite::MlpPre | BlockSite::MlpPreLinear | BlockSite::MlpPost) => {
                vec![n_pos, self.d_mlp]
            }
            _ if hook == HookPoint::Logits => vec![n_pos, self.d_vocab],
            _ => vec![n_pos, self.d_model],
        }
    }

    /// How many values one position has at `hook`; for attention, the heads (one row each).
    pub fn width(&self, hook: HookPoint) -> usize {
        match hook.site() {
            Some(BlockSite::Q | BlockSite::K | BlockSite::V | BlockSite::Z) => {
                self.n_heads * self.d_head
            }
            Some(BlockSite::AttnScores | BlockSite::Pattern) => self.n_heads,
            Some(BlockSite::MlpPre | BlockSite::MlpPreLinear | BlockSite::MlpPost) => self.d_mlp,
            _ if hook == HookPoint::Logits => self.d_vocab,
            _ => self.d_model,
        }
    }

    /// The weight tensors of a checkpoint of this model, in the order a pass uses them.
    ///
    /// GPT-2 stores projections as `[in, out]`.
    pub fn weights(&self) -> Vec<WeightSpec> {
        let spec = |name: String, shape: &[usize]| WeightSpec {
            name,
            shape: shape.to_vec(),
        };
        let d = self.d_model;
        let mut weights = vec![
            spec("wte.weight".into(), &[self.d_vocab, d]),
            spec("wpe.weight".into(), &[self.n_ctx, d]),
        ];
        for layer in 0..self.n_layers {
            let parts: [(&str, &[usize]); 12] = [
                ("ln_1.weight", &[d]),
                ("ln_1.bias", &[d]),
                ("attn.c_attn.weight", &[d, 3 * d]),
                ("attn.c_attn.bias", &[3 * d]),
                ("attn.c_proj.weight", &[d, d]),
                ("attn.c_proj.bias", &[d]),
                ("ln_2.weight", &[d]),
                ("ln_2.bias", &[d]),
                ("mlp.c_fc.weight", &[d, self.d_mlp]),
                ("mlp.c_fc.bias", &[self.d_mlp]),
                ("mlp.c_proj.weight", &[self.d_mlp, d]),
                ("mlp.c_proj.bias", &[d]),
            ];
            weights.extend(parts.map(|(name, shape)| spec(format!("h.{layer}.{name}"), shape)));
        }
        weights.push(spec("ln_f.weight".into(), &[d]));
        weights.push(spec("ln_f.bias".into(), &[d]));
        if !self.tie_word_embeddings {
            weights.push(spec("lm_head.weight".into(), &[self.d_vocab, d]));
        }
        weights
    }

    /// How many numbers the model learned; a tied unembedding counts once.
    pub fn parameter_count(&self) -> u64 {
        self.weights()
            .iter()
            .map(|weight| weight.element_count() as u64)
            .sum()
    }

    /// The factor that attention scores of `layer` are multiplied with.
    pub fn attn_scale(&self, layer: usize) -> f64 {
        let mut scale = 1.0;
        if self.scale_attn_weights {
            scale /= (self.d_head as f64).sqrt();
        }
        if self.scale_attn_by_inverse_layer_idx {
            scale /= (layer + 1) as f64;
        }
        scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config_json(changes: &[(&str, Value)]) -> String {
        let mut json = serde_json::json!({
            "model_type": "gpt2", "n_layer": 3, "n_embd": 48, "n_head": 4, "n_positions": 64,
            "vocab_size": 384, "n_inner": null, "activation_function": "gelu_new",
            "layer_norm_epsilon": 1e-5, "bos_token_id": 0, "eos_token_id": 5000,
        });
        for (field, value) in changes {
            json[field] = value.clone();
        }
        json.to_string()
    }

    #[test]
    fn published_sizes_have_their_published_parameter_counts() {
        for (name, parameters) in [
            ("distilgpt2", 81_912_576),
            ("gpt2", 124_439_808),
            ("gpt2-medium", 354_823_168),
            ("gpt2-large", 774_030_080),
            ("gpt2-xl", 1_557_611_200),
        ] {
            let config = ModelConfig::preset(name).unwrap();

            assert_eq!(config.parameter_count(), parameters, "{name}");
        }
    }

    #[test]
    fn gpt2_medium_has_384_heads_and_98304_neurons() {
        let config = ModelConfig::preset("gpt2-medium").unwrap();

        assert_eq!(config.n_layers * config.n_heads, 384);
        assert_eq!(config.n_layers * config.d_mlp, 98_304);
        assert_eq!(config.d_head, 64);
    }

    #[test]
    fn hook_points_are_listed_in_order_and_without_repeats() {
        let config = ModelConfig::from_json(&config_json(&[])).unwrap();

        let hooks = config.hook_points();

        assert_eq!(hooks.len(), 2 + 3 * 15 + 2);
        assert!(hooks.is_sorted_by(|a, b| a < b));
        let block: Vec<String> = hooks[2..17].iter().map(ToString::to_string).collect();
        assert_eq!(
            block,
            [
                "blocks.0.hook_resid_pre",
                "blocks.0.ln1.hook_normalized",
                "blocks.0.attn.hook_q",
                "blocks.0.attn.hook_k",
                "blocks.0.attn.hook_v",
                "blocks.0.attn.hook_attn_scores",
                "blocks.0.attn.hook_pattern",
                "blocks.0.attn.hook_z",
                "blocks.0.hook_attn_out",
                "blocks.0.hook_resid_mid",
                "blocks.0.ln2.hook_normalized",
                "blocks.0.mlp.hook_pre",
                "blocks.0.mlp.hook_post",
                "blocks.0.hook_mlp_out",
                "blocks.0.hook_resid_post",
            ]
        );
    }

    #[test]
    fn a_shape_reads_back_as_it_was_written() {
        let mut configs: Vec<ModelConfig> = ModelConfig::preset_names()
            .filter_map(ModelConfig::preset)
            .collect();
        configs.push(ModelConfig {
            d_mlp: 7,
            act_fn: ActFn::Gelu,
            layer_norm_eps: 1.25e-6,
            scale_attn_weights: false,
            scale_attn_by_inverse_layer_idx: true,
            tie_word_embeddings: false,
            bos_token_id: None,
            eos_token_id: Some(3),
            ..configs[0].clone()
        });
        for config in configs {
            let text = config.to_json().to_string();

            assert_eq!(ModelConfig::from_json(&text), Ok(config));
        }
    }

    #[test]
    fn absent_fields_have_the_defaults_of_transformers() {
        let config = ModelConfig::from_json(&config_json(&[])).unwrap();

        assert_eq!(config.d_mlp, 192);
        assert!(config.tie_word_embeddings);
        assert!(config.scale_attn_weights);
        assert!(!config.scale_attn_by_inverse_layer_idx);
        assert_eq!(config.bos_token_id, Some(0));
        assert_eq!(config.eos_token_id, None, "5000 is no token of 384");
    }

    #[test]
    fn a_config_that_lies_is_refused_with_the_field_named() {
        let cases: [(&str, Value, &str); 14] = [
            ("n_head", 0.into(), "n_head is 0"),
            ("n_head", 5.into(), "multiple of n_head, which is 5"),
            ("n_head", (-4).into(), "n_head is -4"),
            ("n_head", 2.5.into(), "n_head is 2.5"),
            ("n_layer", 1_000_000_000.into(), "n_layer is 1000000000"),
            ("n_layer", Value::Null, "n_layer is null"),
            ("n_embd", "48".into(), "n_embd is \"48\""),
            ("vocab_size", 0.into(), "vocab_size is 0"),
            ("layer_norm_epsilon", (-1.0).into(), "layer_norm_epsilon"),
            ("activation_function", "relu".into(), "\"relu\""),
            (
                "reorder_and_upcast_attn",
                true.into(),
                "reorder_and_upcast_attn",
            ),
            ("add_cross_attention", true.into(), "add_cross_attention"),
            ("tie_word_embeddings", 1.into(), "tie_word_embeddings is 1"),
            (
                "model_type",
                "bert".into(),
                "the families that work are \"gpt2\"",
            ),
        ];
        for (field, value, expected) in cases {
            let error = ModelConfig::from_json(&config_json(&[(field, value)])).unwrap_err();

            assert!(error.to_string().contains(expected), "{field}: {error}");
        }
        assert!(matches!(
            ModelConfig::from_json("[]"),
            Err(ConfigError::NotJson(_))
        ));
        assert!(matches!(
            ModelConfig::from_json("{\"model_type\":"),
            Err(ConfigError::NotJson(_))
        ));
    }
}
