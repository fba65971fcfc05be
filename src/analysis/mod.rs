//! Pure functions from values to what plots and panels show.

mod heads;
mod prediction;

pub use heads::{induction_score, previous_token_score};
pub use prediction::{Candidate, top_candidates};
