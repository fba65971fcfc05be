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
//! Data goes down this line as plain values. A user's wish goes up it as a message: a click becomes
//! an intent, an intent a message, a message a request to the engine. `tests/floors.rs` holds the
//! table of who may name whom.
//!
//! #### Words ([`hook`], [`weight`], [`config`])
//!
//! A [`HookPoint`](hook::HookPoint) names a place in the forward pass, as TransformerLens spells it.
//! It is the key of every value from here to the pixel. A [`ModelConfig`](config::ModelConfig) is a
//! model's shape, read from `config.json` or known by name. A [`WeightPoint`](weight::WeightPoint)
//! names a learned matrix or vector, and [`provenance`] says which values and weights each value is
//! computed from.
//!
//! #### Values ([`trace`])
//!
//! A [`Trace`](trace::Trace) is what passes computed: one [`Activation`](trace::Activation) per hook
//! point and pass, f32 numbers with their shape, shared and never copied again. It is saved as it
//! comes, and read back to be shown again without the model. An
//! [`Ablation`](ablation::Ablation) names a part of a pass to be set to zero, a
//! [`Target`](attribution::Target) the prediction that is explained by gradients and shares.
//!
//! #### Model ([`model`])
//!
//! Reads weights and tokens, runs the forward pass, and hands every value at a hook point to a
//! [`Recorder`](model::Recorder). A checkpoint that is not on this machine is fetched from the Hugging
//! Face Hub first. The only module that knows candle and tokenizers.
//!
//! #### Experts beside it ([`analysis`], [`layout`], [`color`])
//!
//! Pure functions: from values to what plots show, from a shape to where every cell stands, from a
//! value to its colour. They never name one another.
//!
//! #### The seam ([`engine`])
//!
//! One named worker thread owns the model. Requests go to it and updates come back through bounded
//! channels: a slow reader makes it wait, and loses nothing. Another model is loaded on a thread beside
//! it, and takes the first one's place when it is ready. While no request waits the worker reads the
//! end of each layer through the logit lens: what the model would say if it ended there.
//!
//! #### What people see ([`viewer`], behind the cargo feature of that name)
//!
//! `inference` takes the updates in, `playback` moves the playhead, `scene` turns layers, heads and
//! tensors into entities and keeps every value on show in one buffer, `material` brings what changed
//! to the GPU and draws it. Camera, panels and capture stand beside the end of that line.
//!
//! #### Figures ([`figure`])
//!
//! The same plot data on paper: pure functions to a vector drawing, and from there to pixels.
//!
//! #### Films ([`video`])
//!
//! Frames go in one after the other, and files that any player opens come out. Each is written so
//! that whatever stops it leaves all but the last second.
//!
//! #### The program ([`cli`])
//!
//! One file per command, and the only place that prints.

pub mod ablation;
pub mod analysis;
pub mod attribution;
pub mod cli;
pub mod color;
pub mod config;
pub mod engine;
pub mod figure;
pub mod hook;
pub mod layout;
pub mod model;
pub mod provenance;
pub mod trace;
#[cfg(feature = "viewer")]
pub mod video;
#[cfg(feature = "viewer")]
pub mod viewer;
pub mod weight;
pub mod whole_file;
