//! Pure functions from values to what plots and panels show.

mod activations;
mod attention;
mod head_scores;
mod heads;
mod matrix;
mod neurons;
mod prediction;
pub mod projection;
mod round_numbers;
mod saliency;
mod shape;
mod statistics;
mod summary;
#[cfg(test)]
mod tests;

pub use activations::{
    Distribution, Measure, NeuronValue, NormRange, Ranking, TokenValue, activation_column,
    activation_map, has_vectors, layer_hooks, norm_ranges, residual_norms, stream_hooks,
    top_neurons, top_tokens,
};
pub use attention::{
    AttentionArc, Rollout, arcs, attention_matrix, mean_over_heads, thumbnail, thumbnail_side,
};
pub use head_scores::{HeadScore, HeadScores, entropy};
pub use heads::{induction_score, previous_token_score};
pub use matrix::{Matrix, MatrixRange};
pub use neurons::{NeuronQuery, NeuronStatistic, NeuronStatistics};
pub use prediction::{prediction_entropy, top_candidates};
pub use round_numbers::round_numbers;
pub use saliency::{
    SaliencyMeasure, attribution_cells, direct_cells, head_saliency, neuron_saliency,
    saliency_hooks, saliency_map,
};
pub use shape::shape_facts;
pub use statistics::{Histogram, Sparsity, Statistics};
pub use summary::{SummaryNode, grouped, human_bytes};

pub use crate::trace::{Candidate, LensReading};
