//! Names of a model's learned weights, by what they do.
//!
//! They are spelled as TransformerLens spells them (`blocks.3.attn.W_Q`); which tensor of the
//! checkpoint holds them, and which part of it, is the config's to say.

use std::fmt;

/// A learned matrix or vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WeightPoint {
    /// `embed.W_E`: a row for each token of the vocabulary, `[d_vocab, d_model]`.
    Embed,
    /// `pos_embed.W_pos`: a row for each position, `[n_ctx, d_model]`.
    PosEmbed,
    /// A weight of one transformer block.
    Block {
        /// The block's index, counted from the input.
        layer: usize,
        /// The weight within the block.
        site: WeightSite,
    },
    /// `ln_final.w`: the final norm's scale, `[d_model]`.
    FinalNormScale,
    /// `ln_final.b`: the final norm's shift, `[d_model]`.
    FinalNormShift,
    /// `unembed.W_U`: a column for each token of the vocabulary, `[d_model, d_vocab]`.
    Unembed,
}

/// A weight of one transformer block, in the order a pass uses them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WeightSite {
    /// `ln1.w`, `[d_model]`.
    Ln1Scale,
    /// `ln1.b`, `[d_model]`.
    Ln1Shift,
    /// `attn.W_Q`, `[d_model, n_heads * d_head]`.
    Query,
    /// `attn.b_Q`, `[n_heads * d_head]`.
    QueryBias,
    /// `attn.W_K`, `[d_model, n_kv_heads * d_head]`.
    Key,
    /// `attn.b_K`, `[n_kv_heads * d_head]`.
    KeyBias,
    /// `attn.W_V`, `[d_model, n_kv_heads * d_head]`.
    Value,
    /// `attn.b_V`, `[n_kv_heads * d_head]`.
    ValueBias,
    /// `attn.q_norm.w`: the scale of the norm of each head's query, `[d_head]`.
    QueryNorm,
    /// `attn.k_norm.w`: the scale of the norm of each head's key, `[d_head]`.
    KeyNorm,
    /// `attn.W_O`, `[n_heads * d_head, d_model]`.
    Output,
    /// `attn.b_O`, `[d_model]`.
    OutputBias,
    /// `ln2.w`, `[d_model]`.
    Ln2Scale,
    /// `ln2.b`, `[d_model]`.
    Ln2Shift,
    /// `mlp.W_gate`: what a gated MLP's gates are made with, `[d_model, d_mlp]`.
    MlpGate,
    /// `mlp.b_gate`, `[d_mlp]`.
    MlpGateBias,
    /// `mlp.W_in`; in a gated MLP the up projection, `[d_model, d_mlp]`.
    MlpIn,
    /// `mlp.b_in`, `[d_mlp]`.
    MlpInBias,
    /// `mlp.W_out`, `[d_mlp, d_model]`.
    MlpOut,
    /// `mlp.b_out`, `[d_model]`.
    MlpOutBias,
}

impl WeightSite {
    /// Every weight of a block, in the order a pass uses them.
    pub const ALL: [Self; 20] = [
        Self::Ln1Scale,
        Self::Ln1Shift,
        Self::Query,
        Self::QueryBias,
        Self::Key,
        Self::KeyBias,
        Self::Value,
        Self::ValueBias,
        Self::QueryNorm,
        Self::KeyNorm,
        Self::Output,
        Self::OutputBias,
        Self::Ln2Scale,
        Self::Ln2Shift,
        Self::MlpGate,
        Self::MlpGateBias,
        Self::MlpIn,
        Self::MlpInBias,
        Self::MlpOut,
        Self::MlpOutBias,
    ];

    /// The TransformerLens name without the block's prefix, such as `attn.W_Q`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ln1Scale => "ln1.w",
            Self::Ln1Shift => "ln1.b",
            Self::Query => "attn.W_Q",
            Self::QueryBias => "attn.b_Q",
            Self::Key => "attn.W_K",
            Self::KeyBias => "attn.b_K",
            Self::Value => "attn.W_V",
            Self::ValueBias => "attn.b_V",
            Self::QueryNorm => "attn.q_norm.w",
            Self::KeyNorm => "attn.k_norm.w",
            Self::Output => "attn.W_O",
            Self::OutputBias => "attn.b_O",
            Self::Ln2Scale => "ln2.w",
            Self::Ln2Shift => "ln2.b",
            Self::MlpGate => "mlp.W_gate",
            Self::MlpGateBias => "mlp.b_gate",
            Self::MlpIn => "mlp.W_in",
            Self::MlpInBias => "mlp.b_in",
            Self::MlpOut => "mlp.W_out",
            Self::MlpOutBias => "mlp.b_out",
        }
    }
}

impl WeightPoint {
    /// The weight `site` of block `layer`.
    pub const fn block(layer: usize, site: WeightSite) -> Self {
        Self::Block { layer, site }
    }

    /// The block this weight lies in, if it lies in one.
    pub fn layer(self) -> Option<usize> {
        match self {
            Self::Block { layer, .. } => Some(layer),
            _ => None,
        }
    }

    /// The last part of its name, such as `W_Q`.
    pub fn title(self) -> &'static str {
        match self {
            Self::Embed => "W_E",
            Self::PosEmbed => "W_pos",
            // Norms of a block are told apart by their number.
            Self::Block { site, .. } => {
                let name = site.name();
                name.strip_prefix("attn.")
                    .or_else(|| name.strip_prefix("mlp."))
                    .unwrap_or(name)
            }
            Self::FinalNormScale => "ln_final.w",
            Self::FinalNormShift => "ln_final.b",
            Self::Unembed => "W_U",
        }
    }
}

impl fmt::Display for WeightPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embed => f.write_str("embed.W_E"),
            Self::PosEmbed => f.write_str("pos_embed.W_pos"),
            Self::Block { layer, site } => write!(f, "blocks.{layer}.{}", site.name()),
            Self::FinalNormScale => f.write_str("ln_final.w"),
            Self::FinalNormShift => f.write_str("ln_final.b"),
            Self::Unembed => f.write_str("unembed.W_U"),
        }
    }
}
