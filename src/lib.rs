//! Watch a language model think, in three dimensions and in real time.
//!
//! # The pipeline
//!
//! ```text
//! weights, prompt ─> model ─> trace ─> engine ═channel═> inference ─> playback ─> scene ─> material ─> screen
//!                      └ hooks   └> analysis ──────────────────────────────────────> ui panels
//!                 config ─> layout ────────────────────────────────────> scene
//! ```
//!
//! Data goes down this line as plain values. A user's wish goes up it as a message.

pub mod analysis;
pub mod cli;
pub mod color;
pub mod config;
pub mod engine;
pub mod hook;
pub mod layout;
pub mod model;
pub mod trace;
#[cfg(feature = "viewer")]
pub mod viewer;
