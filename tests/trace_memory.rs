//! The values of a text stay within `--trace-memory`; what goes beyond is in a file, bit for bit.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::fs;

use assert_cmd::Command;
use common::{fixture, program};
use llmscope::engine::{EngineHandle, EngineRequest, EngineUpdate, PauseReason, Prompt};
use llmscope::model::{LoadSettings, ModelSource};
use llmscope::trace::{Pass, TraceUsage};

/// Passes of the same text, within a budget.
fn passes(budget: u64) -> Vec<std::sync::Arc<Pass>> {
    let engine = EngineHandle::start().unwrap();
    for request in [
        EngineRequest::SetTraceMemory(budget),
        EngineRequest::Load {
            source: ModelSource::Folder(fixture("llama")),
            settings: LoadSettings::default(),
        },
        EngineRequest::SetPrompt(Prompt::Tokens(vec![5, 6, 7, 8])),
        EngineRequest::Play(40),
    ] {
        engine.request(request).unwrap();
    }
    let mut passes = Vec::new();
    loop {
        match engine.wait_update().unwrap() {
            EngineUpdate::PassDone { pass, .. } => passes.push(pass),
            EngineUpdate::Paused(PauseReason::Done | PauseReason::EndOfText) => return passes,
            EngineUpdate::Failed(error) => panic!("{error}"),
            _ => {}
        }
    }
}

#[test]
fn a_text_beyond_its_budget_is_kept_on_disk_and_is_the_same() {
    let plenty = passes(u64::MAX);
    let total: u64 = plenty
        .iter()
        .map(|pass| TraceUsage::of_pass(pass).in_memory)
        .sum();
    let budget = total / 3;

    let within = passes(budget);

    let mut usage = TraceUsage::default();
    for pass in &within {
        usage += TraceUsage::of_pass(pass);
    }
    assert!(usage.in_memory <= budget, "{usage:?} of {budget}");
    assert!(usage.in_memory > budget / 2, "{usage:?} of {budget}");
    assert_eq!(usage.in_memory + usage.on_disk, total);
    assert_eq!(within.len(), plenty.len());
    for (within, plenty) in within.iter().zip(&plenty) {
        assert_eq!(within.tokens, plenty.tokens);
        for (hook, value) in &within.cache {
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(
                bits(value.values()),
                bits(plenty.cache[hook].values()),
                "{hook}"
            );
        }
    }
}

/// `plot` of the tiny Llama with so much trace memory, with `TMPDIR` there.
fn plot(memory: &str, tmp: &std::path::Path, name: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llmscope"));
    command
        .args(["plot", "activations", "--model"])
        .arg(fixture("llama"))
        .args(["--prompt", "The quick brown fox", "--max-new-tokens", "8"])
        .args(["--trace-memory", memory, "-o"])
        .arg(tmp.join(name))
        .env("TMPDIR", tmp);
    command
}

#[test]
fn a_plot_within_no_memory_is_the_same_and_leaves_no_file() {
    let tmp = tempfile::tempdir().unwrap();

    for (memory, name) in [("1GB", "plenty.json"), ("0", "none.json")] {
        let output = program::output(&mut plot(memory, tmp.path(), name));
        assert!(output.status.success(), "{output:?}");
    }

    let read = |name| fs::read(tmp.path().join(name)).unwrap();
    assert_eq!(read("plenty.json"), read("none.json"));
    assert_eq!(fs::read_dir(tmp.path()).unwrap().count(), 2);
}

#[test]
fn where_the_rest_can_not_be_kept_the_message_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("gone");
    let mut command = plot("0", folder.path(), "plot.json");
    command.env("TMPDIR", &nowhere);

    let output = program::output(&mut command);

    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("--trace-memory"), "{message}");
    assert!(message.contains("gone"), "{message}");
    assert!(!folder.path().join("plot.json").exists());
}

#[test]
fn nonsense_is_no_size() {
    let folder = tempfile::tempdir().unwrap();

    let output = program::output(&mut plot("lots", folder.path(), "plot.json"));

    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("500MB"));
}
