//! What each tensor of a model takes in memory.

use std::collections::BTreeMap;

use crate::config::{ModelConfig, WeightSpec};
use crate::weight::WeightPoint;

/// The bytes that tensors take in memory, by their names in [`ModelConfig::weights`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TensorBytes {
    by_name: BTreeMap<String, u64>,
    /// Whether some are quantised as their file has them.
    pub(super) has_stored_blocks: bool,
}

impl TensorBytes {
    pub(super) fn new(by_name: impl IntoIterator<Item = (String, u64)>) -> Self {
        Self {
            by_name: by_name.into_iter().collect(),
            has_stored_blocks: false,
        }
    }

    /// Whether some tensors stay quantised as their file has them.
    pub fn has_stored_blocks(&self) -> bool {
        self.has_stored_blocks
    }

    /// The bytes of a tensor; none of one that they are not of. A quantised embedding that is also the
    /// unembedding is kept twice, and counts so.
    pub fn of(&self, spec: &WeightSpec, config: &ModelConfig) -> u64 {
        let own = self.by_name.get(&spec.name).copied().unwrap_or(0);
        let is_read_backwards =
            config.tie_word_embeddings && config.weight_slice(WeightPoint::Embed).key == spec.name;
        let twin = is_read_backwards
            .then(|| self.by_name.get(config.family.own_unembedding()))
            .flatten();
        own + twin.copied().unwrap_or(0)
    }
}
