//! Pure functions from values to what plots and panels show.

mod heads;
mod prediction;
mod statistics;

pub use heads::{induction_score, previous_token_score};
pub use prediction::{Candidate, top_candidates};
pub use statistics::{Histogram, Statistics};
