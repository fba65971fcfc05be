//! The keys and values of the positions computed so far.

use candle_core::{Result, bail};
use candle_nn::kv_cache::KvCache;

use crate::config::ModelConfig;
use crate::model::kernel::{self, FIRST_ROOM};

/// The keys and values of the positions computed so far, for each layer.
///
/// A clone shares the numbers; appending to either never changes what the other has read.
#[derive(Clone, Debug)]
pub struct KvCaches {
    pub(super) layers: Vec<LayerCache>,
}

/// The keys and values of one layer.
#[derive(Clone, Debug)]
pub(super) enum LayerCache {
    /// Those of kernels; so it begins.
    Kept(kernel::LayerCache),
    /// Those of the plain way.
    Plain(KvCache),
}

impl KvCaches {
    /// Empty caches for a model of this shape.
    pub fn new(config: &ModelConfig) -> Self {
        // Each layer has its own: a clone would share its numbers.
        let layer = |_| LayerCache::Kept(kernel::LayerCache::new(config.n_kv_heads, config.n_ctx));
        Self {
            layers: (0..config.n_layers).map(layer).collect(),
        }
    }

    /// How many positions they hold.
    pub fn n_pos(&self) -> usize {
        match self.layers.first() {
            Some(LayerCache::Kept(cache)) => cache.n_pos(),
            Some(LayerCache::Plain(cache)) => cache.k_cache().current_seq_len(),
            None => 0,
        }
    }
}

impl LayerCache {
    /// The cache of the plain way, which one that holds nothing becomes.
    pub(super) fn plain(&mut self) -> Result<&mut KvCache> {
        if let Self::Kept(cache) = self
            && cache.n_pos() == 0
        {
            *self = Self::Plain(KvCache::new(2, cache.n_ctx().min(FIRST_ROOM)));
        }
        match self {
            Self::Plain(cache) => Ok(cache),
            Self::Kept(_) => bail!("a text begun without gradients can't go on with them"),
        }
    }
}
