//! Kinds of things that can be hidden.

use crate::hook::{BlockSite, HookPoint};

/// A kind of thing in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Token and position embeddings.
    Embeddings,
    /// A tensor of every layer.
    Site(BlockSite),
    /// The final norm.
    FinalNorm,
    /// The logits.
    Logits,
    /// The most probable next tokens.
    Skyline,
    /// Learned weights.
    Weights,
}

impl Kind {
    /// Every kind, in the order a pass reaches them.
    pub fn all() -> Vec<Self> {
        let mut kinds = vec![Self::Embeddings];
        kinds.extend(BlockSite::ALL.map(Self::Site));
        kinds.extend([Self::FinalNorm, Self::Logits, Self::Skyline, Self::Weights]);
        kinds
    }

    /// The kind that a tensor is of.
    pub fn of(hook: HookPoint) -> Self {
        match hook {
            HookPoint::Embed | HookPoint::PosEmbed => Self::Embeddings,
            HookPoint::Block { site, .. } => Self::Site(site),
            HookPoint::FinalNormalized => Self::FinalNorm,
            HookPoint::Logits => Self::Logits,
        }
    }

    /// A word or two for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Embeddings => "embeddings",
            Self::Site(site) => site.title(),
            Self::FinalNorm => "final norm",
            Self::Logits => "logits",
            Self::Skyline => "next tokens",
            Self::Weights => "weights",
        }
    }
}
