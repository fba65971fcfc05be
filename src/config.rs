//! A model's dimensions and architecture, read from `config.json` or known by name.

mod family;
mod gpt2;
mod gpt_neox;
mod json;
mod llama;
mod presets;
mod rotary;
mod slice;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};
use thiserror::Error;

pub use family::Family;
pub use rotary::{Rotary, RotaryScaling};
pub use slice::{Stripes, WeightSlice};

use crate::hook::{BlockSite, HookPoint};
use crate::weight::{WeightPoint, WeightSite};

/// A model's dimensions and architecture.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// The architecture.
    pub family: Family,
    /// Transformer blocks.
    pub n_layers: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Attention heads of a layer: its queries and patterns.
    pub n_heads: usize,
    /// Heads of a layer's keys and values; each serves `n_heads / n_kv_heads` queries in a row.
    pub n_kv_heads: usize,
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
    /// Added to the variance (or the mean square) by every norm.
    pub layer_norm_eps: f64,
    /// Whether attention scores are divided by the square root of `d_head`.
    pub scale_attn_weights: bool,
    /// Whether attention scores of layer `n` are further divided by `n + 1`.
    pub scale_attn_by_inverse_layer_idx: bool,
    /// How queries and keys are rotated by their positions; none where positions are learned.
    pub rotary: Option<Rotary>,
    /// Whether attention and MLP both read the stream as it enters the block.
    pub is_parallel: bool,
    /// Whether queries, keys and values have a bias.
    pub qkv_bias: bool,
    /// Whether the attention's output has a bias.
    pub attn_out_bias: bool,
    /// Whether the MLP's projections have biases.
    pub mlp_bias: bool,
    /// How far back attention looks, where that is less than the text.
    pub sliding_window: Option<SlidingWindow>,
    /// Whether the unembedding is the token embedding, transposed.
    pub tie_word_embeddings: bool,
    /// The token that begins a text, if the model has one.
    pub bos_token_id: Option<u32>,
    /// The tokens that end a text: none, one, or several as chat models have.
    pub eos_token_ids: Vec<u32>,
}

/// Attention that reaches only so far back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlidingWindow {
    /// A query attends to itself and to the `n_pos - 1` positions before it.
    pub n_pos: usize,
    /// The first layer that is bound by it.
    pub first_layer: usize,
}

/// An MLP's activation function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActFn {
    /// `gelu_new`: the tanh approximation, Hendrycks & Gimpel 2016 (arXiv 1606.08415), section 2.
    GeluNew,
    /// `gelu`: `x * Phi(x)` with the exact normal distribution function.
    Gelu,
    /// `silu`: `x * sigmoid(x)`.
    Silu,
}

/// A weight tensor of a checkpoint: its name as the family's published checkpoints have it, and its
/// shape.
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
        supported: String,
    },
}

impl WeightSpec {
    fn new(name: impl Into<String>, shape: &[usize]) -> Self {
        Self {
            name: name.into(),
            shape: shape.to_vec(),
        }
    }

    /// How many numbers the tensor holds.
    pub fn element_count(&self) -> usize {
        self.shape.iter().product()
    }
}

impl ModelConfig {
    /// Reads a Hugging Face `config.json`.
    ///
    /// # Errors
    ///
    /// Says which field is absent, out of bounds or asks for something not implemented.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        let json: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| ConfigError::NotJson(error.to_string()))?;
        let model_type = json.get("model_type").unwrap_or(&Value::Null);
        let family = model_type.as_str().and_then(Family::by_name);
        match family {
            Some(Family::Gpt2) => gpt2::from_json(&json),
            Some(Family::GptNeox) => gpt_neox::from_json(&json),
            Some(family) => llama::from_json(family, &json),
            None => Err(ConfigError::Unsupported {
                field: "model_type",
                value: model_type.to_string(),
                supported: Family::those_that_work(),
            }),
        }
    }

    /// The `config.json` that [`from_json`](Self::from_json) reads this shape from.
    pub fn to_json(&self) -> Value {
        match self.family {
            Family::Gpt2 => gpt2::to_json(self),
            Family::GptNeox => gpt_neox::to_json(self),
            _ => llama::to_json(self),
        }
    }

    /// Whether a neuron is a gate times a projection, rather than one projection.
    pub fn is_gated(&self) -> bool {
        self.family.is_llama_like()
    }

    /// Whether norms divide by the root of the mean square (Zhang & Sennrich 2019, arXiv
    /// 1910.07467), with no mean taken off and no shift, rather than being layer norms.
    pub fn is_rms_norm(&self) -> bool {
        self.family.is_llama_like()
    }

    /// Whether each head's queries and keys are normalised before they are rotated.
    pub fn has_qk_norm(&self) -> bool {
        self.family == Family::Qwen3
    }

    /// Whether attention of `layer` is bound by the sliding window, and then how far it reaches.
    pub fn window_of(&self, layer: usize) -> Option<usize> {
        let window = self.sliding_window?;
        (layer >= window.first_layer).then_some(window.n_pos)
    }

    /// Every hook point of this model, in the order a pass reaches them.
    pub fn hook_points(&self) -> Vec<HookPoint> {
        let blocks = (0..self.n_layers).flat_map(|layer| {
            BlockSite::ALL
                .into_iter()
                .map(move |site| HookPoint::block(layer, site))
        });
        let before = [HookPoint::Embed, HookPoint::PosEmbed].into_iter();
        let after = [HookPoint::FinalNormalized, HookPoint::Logits];
        let all = before.chain(blocks).chain(after);
        all.filter(|hook| self.has_hook(*hook)).collect()
    }

    /// Whether `hook` is a place in this model's forward pass.
    pub fn has_hook(&self, hook: HookPoint) -> bool {
        match hook {
            HookPoint::PosEmbed => self.rotary.is_none(),
            HookPoint::Block { layer, site } => layer < self.n_layers && self.has_site(site),
            HookPoint::Embed | HookPoint::FinalNormalized | HookPoint::Logits => true,
        }
    }

    /// Whether the blocks of this model have this place.
    pub fn has_site(&self, site: BlockSite) -> bool {
        match site {
            BlockSite::RotQ | BlockSite::RotK => self.rotary.is_some(),
            BlockSite::MlpPreLinear => self.is_gated(),
            BlockSite::ResidMid => !self.is_parallel,
            _ => true,
        }
    }

    /// How many heads lie side by side at `hook`: the keys' and values' own number, or the queries'.
    pub fn n_heads_at(&self, hook: HookPoint) -> usize {
        match hook.site() {
            Some(BlockSite::K | BlockSite::RotK | BlockSite::V) => self.n_kv_heads,
            _ => self.n_heads,
        }
    }

    /// The head of the keys and values that serves the query head `head`.
    pub fn kv_head_of(&self, head: usize) -> usize {
        head / (self.n_heads / self.n_kv_heads)
    }

    /// A word or two for people, without the layer: in a gated MLP `mlp.hook_pre` is the gate and
    /// `mlp.hook_pre_linear` what it is multiplied with; where attention and MLP run side by side the
    /// second norm says what it reads.
    pub fn title(&self, hook: HookPoint) -> &'static str {
        hook.site()
            .map_or(hook.title(), |site| self.site_title(site))
    }

    /// The same of a place of every block.
    pub fn site_title(&self, site: BlockSite) -> &'static str {
        match site {
            BlockSite::MlpPre if self.is_gated() => "gate",
            BlockSite::MlpPreLinear => "up",
            BlockSite::Ln2Normalized if self.is_parallel => "norm 2 of residual in",
            site => site.title(),
        }
    }

    /// Whether several heads of queries share one head of keys and values.
    pub fn has_shared_keys(&self) -> bool {
        self.n_kv_heads < self.n_heads
    }

    /// The shape of the activation at `hook` over `n_pos` positions.
    pub fn shape(&self, hook: HookPoint, n_pos: usize) -> Vec<usize> {
        match hook.site() {
            Some(site) if site.is_by_head() => vec![n_pos, self.n_heads_at(hook), self.d_head],
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
            Some(BlockSite::AttnScores | BlockSite::Pattern) => self.n_heads,
            _ => self.shape(hook, 1)[1..].iter().product(),
        }
    }

    /// The bytes that the values of a step at `pos` take, every hook point recorded as f32; attention
    /// has a row over all positions up to it.
    pub fn step_bytes(&self, pos: usize) -> u64 {
        let n_values: usize = self
            .hook_points()
            .into_iter()
            .map(|hook| match hook.site() {
                Some(BlockSite::AttnScores | BlockSite::Pattern) => self.n_heads * (pos + 1),
                _ => self.width(hook),
            })
            .sum();
        (n_values * size_of::<f32>()) as u64
    }

    /// The weight tensors of a checkpoint of this model, in the order a pass uses them, named as the
    /// family's published checkpoints name them.
    ///
    /// GPT-2 stores projections as `[in, out]`, all others as `[out, in]`.
    pub fn weights(&self) -> Vec<WeightSpec> {
        match self.family {
            Family::Gpt2 => gpt2::weights(self),
            Family::GptNeox => gpt_neox::weights(self),
            _ => llama::weights(self),
        }
    }

    /// Where `weight` lies in the checkpoint.
    pub fn weight_slice(&self, weight: WeightPoint) -> WeightSlice {
        match self.family {
            Family::Gpt2 => gpt2::slice(self, weight),
            Family::GptNeox => gpt_neox::slice(self, weight),
            _ => llama::slice(self, weight),
        }
    }

    /// Every weight of this model, in the order a pass uses them.
    pub fn weight_points(&self) -> Vec<WeightPoint> {
        let blocks = (0..self.n_layers).flat_map(|layer| {
            WeightSite::ALL
                .into_iter()
                .map(move |site| WeightPoint::block(layer, site))
        });
        let before = [WeightPoint::Embed, WeightPoint::PosEmbed].into_iter();
        let after = [
            WeightPoint::FinalNormScale,
            WeightPoint::FinalNormShift,
            WeightPoint::Unembed,
        ];
        let all = before.chain(blocks).chain(after);
        all.filter(|weight| self.has_weight(*weight)).collect()
    }

    /// Whether the model has learned such a weight.
    pub fn has_weight(&self, weight: WeightPoint) -> bool {
        match weight {
            WeightPoint::PosEmbed => self.rotary.is_none(),
            WeightPoint::FinalNormShift => !self.is_rms_norm(),
            WeightPoint::Block { layer, site } => {
                layer < self.n_layers && self.has_weight_site(site)
            }
            WeightPoint::Embed | WeightPoint::FinalNormScale | WeightPoint::Unembed => true,
        }
    }

    /// Whether the blocks of this model have such a weight.
    pub fn has_weight_site(&self, site: WeightSite) -> bool {
        match site {
            WeightSite::Ln1Shift | WeightSite::Ln2Shift => !self.is_rms_norm(),
            WeightSite::QueryBias | WeightSite::KeyBias | WeightSite::ValueBias => self.qkv_bias,
            WeightSite::QueryNorm | WeightSite::KeyNorm => self.has_qk_norm(),
            WeightSite::OutputBias => self.attn_out_bias,
            WeightSite::MlpGate => self.is_gated(),
            WeightSite::MlpGateBias => self.is_gated() && self.mlp_bias,
            WeightSite::MlpInBias | WeightSite::MlpOutBias => self.mlp_bias,
            _ => true,
        }
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
