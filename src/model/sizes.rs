//! What each tensor of a model takes in memory.

use std::collections::BTreeMap;

use crate::config::{ModelConfig, WeightSpec};
use crate::weight::WeightPoint;

/// The bytes that tensors take in memory, by their names in [`ModelConfig::weights`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TensorBytes {
    by_name: BTreeMap<String, u64>,
}

impl TensorBytes {
    pub(super) fn new(by_name: impl IntoIterator<Item = (String, u64)>) -> Self {
        Self {
            by_name: by_name.into_iter().collect(),
        }
    }

    /// Whether nothing is known: every number takes what the precision says.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The bytes of a tensor, if they are known. A quantised embedding that is also the unembedding is
    /// kept twice, and counts so.
    pub fn of(&self, spec: &WeightSpec, config: &ModelConfig) -> Option<u64> {
        let own = *self.by_name.get(&spec.name)?;
        let is_read_backwards =
            config.tie_word_embeddings && config.weight_slice(WeightPoint::Embed).key == spec.name;
        let twin = is_read_backwards
            .then(|| self.by_name.get(config.family.own_unembedding()))
            .flatten();
        Some(own + twin.copied().unwrap_or(0))
    }
}
