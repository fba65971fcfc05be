//! Names of the places in a forward pass where values can be observed.
//!
//! They are spelled as TransformerLens spells them, so that a name read on screen can be pasted
//! into a notebook.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A place in the forward pass.
///
/// Places are ordered as a pass reaches them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum HookPoint {
    /// `hook_embed`: token embeddings, `[pos, d_model]`.
    Embed,
    /// `hook_pos_embed`: position embeddings, `[pos, d_model]`.
    PosEmbed,
    /// A place inside one transformer block.
    Block {
        /// The block's index, counted from the input.
        layer: usize,
        /// The place within the block.
        site: BlockSite,
    },
    /// `ln_final.hook_normalized`: the final norm's output (weight and bias applied), the
    /// unembedding's input, `[pos, d_model]`.
    FinalNormalized,
    /// `logits`: one score for each token of the vocabulary, `[pos, d_vocab]`.
    Logits,
}

/// A place inside one transformer block, in the order a pass reaches them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlockSite {
    /// `hook_resid_pre`: the residual stream entering the block, `[pos, d_model]`.
    ResidPre,
    /// `ln1.hook_normalized`: the attention's input (weight and bias applied), `[pos, d_model]`.
    Ln1Normalized,
    /// `attn.hook_q`: queries, before any norm and rotation, `[pos, head_index, d_head]`.
    Q,
    /// `attn.hook_k`: keys, before any norm and rotation, `[pos, kv_head_index, d_head]`.
    K,
    /// `attn.hook_v`: values, `[pos, kv_head_index, d_head]`.
    V,
    /// `attn.hook_rot_q`: queries as they meet the keys, normalised where the model does so and
    /// rotated by their position, `[pos, head_index, d_head]`.
    RotQ,
    /// `attn.hook_rot_k`: keys as the queries meet them, `[pos, kv_head_index, d_head]`.
    RotK,
    /// `attn.hook_attn_scores`: scaled scores, masked with minus infinity,
    /// `[head_index, query_pos, key_pos]`.
    AttnScores,
    /// `attn.hook_pattern`: scores after softmax; each row sums to one,
    /// `[head_index, query_pos, key_pos]`.
    Pattern,
    /// `attn.hook_z`: values averaged by the pattern, `[pos, head_index, d_head]`.
    Z,
    /// `hook_attn_out`: what attention adds to the stream, `[pos, d_model]`.
    AttnOut,
    /// `hook_resid_mid`: the stream between attention and MLP, `[pos, d_model]`; not where they run
    /// side by side.
    ResidMid,
    /// `ln2.hook_normalized`: the MLP's input (weight and bias applied), `[pos, d_model]`. Where
    /// attention and MLP run side by side it reads `hook_resid_pre`.
    Ln2Normalized,
    /// `mlp.hook_pre`: neurons before the activation function; the gates of a gated MLP,
    /// `[pos, d_mlp]`.
    MlpPre,
    /// `mlp.hook_pre_linear`: the up projection of a gated MLP, `[pos, d_mlp]`.
    MlpPreLinear,
    /// `mlp.hook_post`: neurons after the activation function, times `mlp.hook_pre_linear` in a gated
    /// MLP, `[pos, d_mlp]`.
    MlpPost,
    /// `hook_mlp_out`: what the MLP adds to the stream, `[pos, d_model]`.
    MlpOut,
    /// `hook_resid_post`: the residual stream leaving the block, `[pos, d_model]`.
    ResidPost,
}

/// What one axis of an activation counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Axis {
    /// A token's position in the sequence.
    Pos,
    /// The position that attends.
    QueryPos,
    /// The position attended to.
    KeyPos,
    /// An attention head of the layer.
    Head,
    /// A dimension within a head.
    DHead,
    /// A dimension of the residual stream.
    DModel,
    /// A neuron of the MLP.
    DMlp,
    /// A token of the vocabulary.
    DVocab,
}

/// A name is not one of the hook points'.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownHook(String);

impl BlockSite {
    /// Every site of a block, in the order a pass reaches them.
    pub const ALL: [Self; 18] = [
        Self::ResidPre,
        Self::Ln1Normalized,
        Self::Q,
        Self::K,
        Self::V,
        Self::RotQ,
        Self::RotK,
        Self::AttnScores,
        Self::Pattern,
        Self::Z,
        Self::AttnOut,
        Self::ResidMid,
        Self::Ln2Normalized,
        Self::MlpPre,
        Self::MlpPreLinear,
        Self::MlpPost,
        Self::MlpOut,
        Self::ResidPost,
    ];

    /// The TransformerLens name without the block's prefix, such as `attn.hook_pattern`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ResidPre => "hook_resid_pre",
            Self::Ln1Normalized => "ln1.hook_normalized",
            Self::Q => "attn.hook_q",
            Self::K => "attn.hook_k",
            Self::V => "attn.hook_v",
            Self::RotQ => "attn.hook_rot_q",
            Self::RotK => "attn.hook_rot_k",
            Self::AttnScores => "attn.hook_attn_scores",
            Self::Pattern => "attn.hook_pattern",
            Self::Z => "attn.hook_z",
            Self::AttnOut => "hook_attn_out",
            Self::ResidMid => "hook_resid_mid",
            Self::Ln2Normalized => "ln2.hook_normalized",
            Self::MlpPre => "mlp.hook_pre",
            Self::MlpPreLinear => "mlp.hook_pre_linear",
            Self::MlpPost => "mlp.hook_post",
            Self::MlpOut => "hook_mlp_out",
            Self::ResidPost => "hook_resid_post",
        }
    }

    /// A word or two for people, such as `head patterns`.
    pub fn title(self) -> &'static str {
        match self {
            Self::ResidPre => "residual in",
            Self::Ln1Normalized => "norm 1",
            Self::Q => "queries",
            Self::K => "keys",
            Self::V => "values",
            Self::RotQ => "rotated queries",
            Self::RotK => "rotated keys",
            Self::AttnScores => "scores",
            Self::Pattern => "attention",
            Self::Z => "z",
            Self::AttnOut => "attention out",
            Self::ResidMid => "residual mid",
            Self::Ln2Normalized => "norm 2",
            Self::MlpPre => "neurons pre",
            Self::MlpPreLinear => "neurons up",
            Self::MlpPost => "neurons",
            Self::MlpOut => "MLP out",
            Self::ResidPost => "residual out",
        }
    }

    /// Whether a position's values lie head by head, `[pos, head_index, d_head]`.
    pub fn is_by_head(self) -> bool {
        matches!(
            self,
            Self::Q | Self::K | Self::V | Self::RotQ | Self::RotK | Self::Z
        )
    }

    /// Whether this is the residual stream itself rather than a branch that reads or adds to it.
    pub fn is_stream(self) -> bool {
        matches!(self, Self::ResidPre | Self::ResidMid | Self::ResidPost)
    }
}

impl HookPoint {
    /// The place `site` in block `layer`.
    pub const fn block(layer: usize, site: BlockSite) -> Self {
        Self::Block { layer, site }
    }

    /// The block this place lies in, if it lies in one.
    pub fn layer(self) -> Option<usize> {
        match self {
            Self::Block { layer, .. } => Some(layer),
            _ => None,
        }
    }

    /// The place within its block, if it lies in one.
    pub fn site(self) -> Option<BlockSite> {
        match self {
            Self::Block { site, .. } => Some(site),
            _ => None,
        }
    }

    /// A word or two for people, without the layer.
    pub fn title(self) -> &'static str {
        match self {
            Self::Embed => "token embedding",
            Self::PosEmbed => "position embedding",
            Self::Block { site, .. } => site.title(),
            Self::FinalNormalized => "final norm",
            Self::Logits => "logits",
        }
    }

    /// Whether every value here is zero or more by construction (attention patterns).
    pub fn is_non_negative(self) -> bool {
        self.site() == Some(BlockSite::Pattern)
    }

    /// What each axis of the activation at this place counts, outermost first.
    pub fn axes(self) -> &'static [Axis] {
        match self {
            Self::Logits => &[Axis::Pos, Axis::DVocab],
            Self::Block { site, .. } => match site {
                site if site.is_by_head() => &[Axis::Pos, Axis::Head, Axis::DHead],
                BlockSite::AttnScores | BlockSite::Pattern => {
                    &[Axis::Head, Axis::QueryPos, Axis::KeyPos]
                }
                BlockSite::MlpPre | BlockSite::MlpPreLinear | BlockSite::MlpPost => {
                    &[Axis::Pos, Axis::DMlp]
                }
                _ => &[Axis::Pos, Axis::DModel],
            },
            _ => &[Axis::Pos, Axis::DModel],
        }
    }
}

impl Axis {
    /// The axis's TransformerLens name, such as `head_index`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pos => "pos",
            Self::QueryPos => "query_pos",
            Self::KeyPos => "key_pos",
            Self::Head => "head_index",
            Self::DHead => "d_head",
            Self::DModel => "d_model",
            Self::DMlp => "d_mlp",
            Self::DVocab => "d_vocab",
        }
    }
}

impl fmt::Display for HookPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embed => f.write_str("hook_embed"),
            Self::PosEmbed => f.write_str("hook_pos_embed"),
            Self::Block { layer, site } => write!(f, "blocks.{layer}.{}", site.name()),
            Self::FinalNormalized => f.write_str("ln_final.hook_normalized"),
            Self::Logits => f.write_str("logits"),
        }
    }
}

impl FromStr for HookPoint {
    type Err = UnknownHook;

    fn from_str(name: &str) -> Result<Self, UnknownHook> {
        let unknown = || UnknownHook(name.to_owned());
        match name {
            "hook_embed" => return Ok(Self::Embed),
            "hook_pos_embed" => return Ok(Self::PosEmbed),
            "ln_final.hook_normalized" => return Ok(Self::FinalNormalized),
            "logits" => return Ok(Self::Logits),
            _ => {}
        }
        let (layer, site) = name
            .strip_prefix("blocks.")
            .and_then(|rest| rest.split_once('.'))
            .ok_or_else(unknown)?;
        let site = BlockSite::ALL
            .into_iter()
            .find(|candidate| candidate.name() == site)
            .ok_or_else(unknown)?;
        // `parse` alone would also take "+3" and "03", which never print back.
        let layer_index: usize = layer.parse().ok().ok_or_else(unknown)?;
        if layer_index.to_string() != layer {
            return Err(unknown());
        }
        Ok(Self::block(layer_index, site))
    }
}

impl From<HookPoint> for String {
    fn from(hook: HookPoint) -> Self {
        hook.to_string()
    }
}

impl TryFrom<String> for HookPoint {
    type Error = UnknownHook;

    fn try_from(name: String) -> Result<Self, UnknownHook> {
        name.parse()
    }
}

impl fmt::Display for UnknownHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "unknown hook point {:?}; names look like hook_embed, blocks.0.attn.hook_pattern or logits",
            self.0
        )
    }
}

impl std::error::Error for UnknownHook {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_back_to_its_place() {
        let mut hooks = vec![
            HookPoint::Embed,
            HookPoint::PosEmbed,
            HookPoint::FinalNormalized,
            HookPoint::Logits,
        ];
        hooks.extend(
            BlockSite::ALL
                .into_iter()
                .map(|site| HookPoint::block(17, site)),
        );

        for hook in hooks {
            assert_eq!(hook.to_string().parse(), Ok(hook));
        }
    }

    #[test]
    fn a_misspelt_name_is_refused_with_the_name_in_the_message() {
        for name in [
            "",
            "hook_resid_pre",
            "blocks.0.hook_resid",
            "blocks.-1.hook_resid_pre",
            "blocks.+1.hook_resid_pre",
            "blocks.01.hook_resid_pre",
            "blocks..hook_resid_pre",
            "blocks.99999999999999999999999.hook_resid_pre",
        ] {
            let error = name.parse::<HookPoint>().unwrap_err();

            assert!(error.to_string().contains(&format!("{name:?}")), "{error}");
        }
    }

    #[test]
    fn places_are_ordered_as_a_pass_reaches_them() {
        let z0 = HookPoint::block(0, BlockSite::Z);
        let q1 = HookPoint::block(1, BlockSite::Q);

        assert!(HookPoint::Embed < HookPoint::PosEmbed);
        assert!(HookPoint::PosEmbed < z0);
        assert!(z0 < q1);
        assert!(q1 < HookPoint::FinalNormalized);
        assert!(HookPoint::FinalNormalized < HookPoint::Logits);
    }
}
