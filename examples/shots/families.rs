//! Shots of every family: large shapes without values, and small models that the tests compare with
//! PyTorch.

use std::path::Path;

use anyhow::Result;
use llmscope::engine::{EngineHandle, EngineUpdate, Prompt};
use llmscope::hook::BlockSite;
use llmscope::model::ModelSource;
use llmscope::viewer::viewpoint::Viewpoint;

use super::{PoseOf, Shot, before, overview, run as run_engine, shot};

/// Shapes that are seen from above alone.
const SHAPES: [&str; 11] = [
    "distilgpt2",
    "gpt2",
    "gpt2-medium",
    "gpt2-large",
    "gpt2-xl",
    "smollm-135m",
    "llama-3-8b",
    "mistral-7b-v0.1",
    "qwen2-0.5b",
    "qwen3-0.6b",
    "gpt-neox-20b",
];

/// What the small models read.
const TOKENS: [u32; 13] = [
    272, 353, 369, 383, 375, 350, 277, 362, 82, 259, 295, 284, 14,
];

/// Shapes by name, and the shots of each.
pub fn shapes() -> Vec<(&'static str, Vec<Shot>)> {
    let above = |name: &str| shot(&format!("arch-{name}"), overview);
    let mut shapes: Vec<_> = SHAPES.map(|name| (name, vec![above(name)])).into();
    let views: [(&str, PoseOf); 4] = [
        ("layer", |l, s| Viewpoint::Layer.pose(l, s)),
        ("street", |l, s| Viewpoint::Street.pose(l, s)),
        ("map", |l, s| Viewpoint::Map.pose(l, s)),
        ("neurons", |l, s| before(l, s, BlockSite::MlpPost)),
    ];
    for name in ["llama-3.2-1b", "pythia-160m"] {
        let views = views.map(|(view, pose)| shot(&format!("arch-{name}-{view}"), pose));
        shapes.push((name, [above(name)].into_iter().chain(views).collect()));
    }
    shapes
}

/// Small models by their folder's name, and the shots of each.
pub fn models() -> Vec<(&'static str, Vec<Shot>)> {
    let views: [(&str, PoseOf); 6] = [
        ("overview", overview),
        ("layer", |l, s| Viewpoint::Layer.pose(l, s)),
        ("street", |l, s| Viewpoint::Street.pose(l, s)),
        ("keys", |l, s| before(l, s, BlockSite::K)),
        ("gates", |l, s| before(l, s, BlockSite::MlpPre)),
        ("pattern", |l, s| before(l, s, BlockSite::Pattern)),
    ];
    ["llama", "mistral", "qwen3", "gpt_neox"]
        .map(|name| {
            let shots = views.map(|(view, pose)| shot(&format!("{name}-{view}"), pose));
            (name, shots.into())
        })
        .into()
}

/// Everything the engine tells of a small model's text.
pub fn run(name: &str) -> Result<Vec<EngineUpdate>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let source = ModelSource::Folder(folder.join(name));
    run_engine(
        &EngineHandle::start()?,
        source,
        Prompt::Tokens(TOKENS.to_vec()),
    )
}
