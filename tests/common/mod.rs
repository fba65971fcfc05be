//! What several tests share: the fixtures, loaded and run.

#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "each test file uses its own part of this one"
)]

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use llmscope::model::{LoadSettings, Model, ModelSource};
use llmscope::trace::{ActivationCache, Pass, Trace};

pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

pub fn load(name: &str) -> Model {
    let source = ModelSource::Folder(fixture(name));
    Model::load(&source, &LoadSettings::default(), &mut |_| {}).unwrap()
}

/// Runs `parts` one after the other and keeps every value.
pub fn trace_tokens(model: &Model, parts: &[&[u32]]) -> Trace {
    let mut trace = Trace::new(model.config().clone());
    let mut session = model.session();
    for part in parts {
        let mut cache = ActivationCache::new();
        model
            .run(&mut session, part, &mut |hook, activation| {
                cache.insert(hook, activation);
                ControlFlow::Continue(())
            })
            .unwrap();
        trace.push(Arc::new(Pass {
            first_pos: trace.len(),
            tokens: part.to_vec(),
            cache,
        }));
    }
    trace
}
