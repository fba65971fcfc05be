//! Values: what a forward pass computed, by hook point and token.
//!
//! A [`Trace`] is a list of [`Pass`]es. A pass holds one [`Activation`] per hook point for the
//! positions it computed: all of the prompt at once, then one position per step.
//!
//! A [`TraceWriter`] saves passes as they come, a [`TraceFile`] reads them back.

mod about;
mod assemble;
mod error;
#[cfg(test)]
mod file_tests;
#[cfg(test)]
mod fixture;
mod header;
mod lens;
mod memory;
mod part;
mod reading;
mod record;
mod vocab;
mod writer;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

pub use about::{About, Contents, Sampling};
pub use error::{OpenError, SaveError};
pub use lens::{Candidate, LENS_TOP, LensReading};
pub use memory::{SpillError, TraceMemory, TraceUsage};
pub use part::LensAt;
pub use reading::{SavedTrace, TraceFile};
pub use vocab::Vocab;
pub use writer::{Recovered, TraceWriter, check_target, part_of, recover};

use memory::Values;

use crate::config::ModelConfig;
use crate::hook::{BlockSite, HookPoint};

/// The values at one hook point: f32 numbers, row by row, and their shape.
///
/// Cloning shares the numbers.
#[derive(Clone, Debug)]
pub struct Activation {
    shape: Vec<usize>,
    values: Values,
}

/// Numbers in memory that nobody changes any more, row by row.
pub trait Numbers: AsRef<[f32]> + fmt::Debug + Send + Sync {}

impl<T: AsRef<[f32]> + fmt::Debug + Send + Sync> Numbers for T {}

impl PartialEq for Activation {
    fn eq(&self, other: &Self) -> bool {
        self.shape == other.shape && self.values() == other.values()
    }
}

/// The values of one pass by hook point, in the order a pass reaches them.
pub type ActivationCache = BTreeMap<HookPoint, Activation>;

/// What one forward pass computed for the positions it was run on.
#[derive(Clone, Debug, PartialEq)]
pub struct Pass {
    /// The first position computed; those before it came from the KV cache.
    pub first_pos: usize,
    /// The tokens at the positions computed.
    pub tokens: Vec<u32>,
    /// The values. Attention rows reach over all positions up to the last computed.
    pub cache: ActivationCache,
}

/// Everything recorded of one text, position after position.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    config: ModelConfig,
    passes: Vec<Arc<Pass>>,
}

/// One position of a [`Trace`].
#[derive(Clone, Copy, Debug)]
pub struct TokenTrace<'a> {
    /// The position in the sequence.
    pub pos: usize,
    /// The token there.
    pub token: u32,
    pass: &'a Pass,
}

impl Activation {
    /// Wraps `values`, row by row, as a tensor of `shape`.
    ///
    /// # Panics
    ///
    /// If the number of values is not the product of `shape`.
    pub fn new(shape: Vec<usize>, values: Vec<f32>) -> Self {
        Self::shared(shape, Arc::new(values))
    }

    /// As [`new`](Self::new), of numbers that others have too: they are not copied.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    pub fn shared(shape: Vec<usize>, values: Arc<dyn Numbers>) -> Self {
        assert_eq!(
            shape.iter().product::<usize>(),
            (*values).as_ref().len(),
            "an activation has as many values as its shape {shape:?} says"
        );
        Self {
            shape,
            values: Values::Memory(values),
        }
    }

    /// The size of each axis, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The numbers, row by row.
    pub fn values(&self) -> &[f32] {
        self.values.as_slice()
    }
}

impl Pass {
    /// The positions computed.
    pub fn positions(&self) -> Range<usize> {
        self.first_pos..self.first_pos + self.tokens.len()
    }

    /// What it computed of the position `pos`.
    pub fn token(&self, pos: usize) -> Option<TokenTrace<'_>> {
        let token = *self.tokens.get(pos.checked_sub(self.first_pos)?)?;
        Some(TokenTrace {
            pos,
            token,
            pass: self,
        })
    }
}

impl<'a> TokenTrace<'a> {
    /// This position's values at `hook`, heads one after the other; `None` if not recorded.
    ///
    /// For attention scores and patterns this is none: ask for [`Self::attention_row`].
    pub fn row(&self, hook: HookPoint) -> Option<&'a [f32]> {
        if matches!(
            hook.site(),
            Some(BlockSite::AttnScores | BlockSite::Pattern)
        ) {
            return None;
        }
        let activation = self.pass.cache.get(&hook)?;
        let n_rows = *activation.shape.first()?;
        let values = activation.values();
        let width = values.len().checked_div(n_rows)?;
        let start = (self.pos - self.pass.first_pos) * width;
        values.get(start..start + width)
    }

    /// How much `head` at `hook` (scores or pattern) attends from here to each position up to
    /// and with this one; `None` if not recorded.
    pub fn attention_row(&self, hook: HookPoint, head: usize) -> Option<&'a [f32]> {
        let activation = self.pass.cache.get(&hook)?;
        let &[n_heads, n_query, n_key] = activation.shape.as_slice() else {
            return None;
        };
        if head >= n_heads {
            return None;
        }
        let query = self.pos - self.pass.first_pos;
        let start = (head * n_query + query) * n_key;
        activation.values().get(start..start + self.pos + 1)
    }
}

impl Trace {
    /// An empty trace of a model of this shape.
    pub fn new(config: ModelConfig) -> Self {
        Self {
            config,
            passes: Vec::new(),
        }
    }

    /// The shape of the model that computed it.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Adds the next pass.
    ///
    /// # Panics
    ///
    /// If the pass does not begin where the trace ends.
    pub fn push(&mut self, pass: Arc<Pass>) {
        assert_eq!(
            pass.first_pos,
            self.len(),
            "a pass begins where the trace ends"
        );
        self.passes.push(pass);
    }

    /// How many positions are recorded.
    pub fn len(&self) -> usize {
        self.passes.last().map_or(0, |pass| pass.positions().end)
    }

    /// Whether nothing is recorded.
    pub fn is_empty(&self) -> bool {
        self.passes.is_empty()
    }

    /// The passes, in order.
    pub fn passes(&self) -> &[Arc<Pass>] {
        &self.passes
    }

    /// The token at every position.
    pub fn tokens(&self) -> impl Iterator<Item = u32> + '_ {
        self.passes
            .iter()
            .flat_map(|pass| pass.tokens.iter().copied())
    }

    /// Every position recorded, in order.
    pub fn positions(&self) -> Vec<TokenTrace<'_>> {
        let passes = self.passes.iter();
        passes
            .flat_map(|pass| pass.positions().filter_map(|pos| pass.token(pos)))
            .collect()
    }

    /// What is recorded of the position `pos`.
    pub fn token(&self, pos: usize) -> Option<TokenTrace<'_>> {
        // The passes are sorted by position and leave no gap.
        let index = self
            .passes
            .partition_point(|pass| pass.positions().end <= pos);
        self.passes.get(index)?.token(pos)
    }

    /// The whole tensor at `hook` over all positions, as one pass over the text would give it.
    ///
    /// Attention that steps never computed, to positions after the query, is what masking makes
    /// of it: zero in a pattern, minus infinity in scores. `None` if any position lacks the hook.
    pub fn activation(&self, hook: HookPoint) -> Option<Activation> {
        let n_pos = self.len();
        let shape = self.config.shape(hook, n_pos);
        let n_values: usize = shape.iter().product();
        let masked = match hook.site() {
            Some(BlockSite::Pattern) => 0.0,
            Some(BlockSite::AttnScores) => f32::NEG_INFINITY,
            _ => {
                let mut values = Vec::with_capacity(n_values);
                for pass in &self.passes {
                    values.extend_from_slice(pass.cache.get(&hook)?.values());
                }
                return (values.len() == n_values).then(|| Activation::new(shape, values));
            }
        };
        let mut values = vec![masked; n_values];
        for (row_index, row) in values.chunks_exact_mut(n_pos.max(1)).enumerate() {
            let (head, pos) = (row_index / n_pos, row_index % n_pos);
            let computed = self.token(pos)?.attention_row(hook, head)?;
            row[..=pos].copy_from_slice(computed);
        }
        Some(Activation::new(shape, values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny_config() -> ModelConfig {
        ModelConfig {
            n_layers: 1,
            d_model: 2,
            n_heads: 2,
            n_kv_heads: 2,
            d_head: 1,
            ..ModelConfig::preset("gpt2").unwrap()
        }
    }

    fn pass(first_pos: usize, tokens: &[u32], entries: &[(HookPoint, &[usize], &[f32])]) -> Pass {
        Pass {
            first_pos,
            tokens: tokens.to_vec(),
            cache: entries
                .iter()
                .map(|(hook, shape, values)| {
                    (*hook, Activation::new(shape.to_vec(), values.to_vec()))
                })
                .collect(),
        }
    }

    #[test]
    fn a_prompt_and_a_step_read_as_one_whole() {
        let pattern = HookPoint::block(0, BlockSite::Pattern);
        let mut trace = Trace::new(tiny_config());
        trace.push(Arc::new(pass(
            0,
            &[7, 8],
            &[
                (HookPoint::Embed, &[2, 2], &[1., 2., 3., 4.]),
                (pattern, &[2, 2, 2], &[1., 0., 0.5, 0.5, 1., 0., 0.25, 0.75]),
            ],
        )));
        trace.push(Arc::new(pass(
            2,
            &[9],
            &[
                (HookPoint::Embed, &[1, 2], &[5., 6.]),
                (pattern, &[2, 1, 3], &[0.2, 0.3, 0.5, 0.1, 0.1, 0.8]),
            ],
        )));

        assert_eq!(trace.len(), 3);
        assert_eq!(trace.tokens().collect::<Vec<_>>(), [7, 8, 9]);
        assert_eq!(
            trace.activation(HookPoint::Embed).unwrap().values(),
            [1., 2., 3., 4., 5., 6.]
        );
        assert_eq!(
            trace.activation(pattern).unwrap().values(),
            [
                1., 0., 0., 0.5, 0.5, 0., 0.2, 0.3, 0.5, //
                1., 0., 0., 0.25, 0.75, 0., 0.1, 0.1, 0.8,
            ]
        );
        let step = trace.token(2).unwrap();
        assert_eq!(step.token, 9);
        assert_eq!(step.row(HookPoint::Embed), Some(&[5.0f32, 6.0][..]));
        assert_eq!(
            step.attention_row(pattern, 1),
            Some(&[0.1f32, 0.1, 0.8][..])
        );
    }

    #[test]
    fn what_is_not_recorded_is_none() {
        let mut trace = Trace::new(tiny_config());
        trace.push(Arc::new(pass(0, &[7], &[])));

        let token = trace.token(0).unwrap();

        assert_eq!(token.row(HookPoint::Embed), None);
        assert_eq!(
            token.attention_row(HookPoint::block(0, BlockSite::Pattern), 0),
            None
        );
        assert!(trace.token(1).is_none());
        assert!(trace.activation(HookPoint::Logits).is_none());
    }
}
