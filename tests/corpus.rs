//! What the fuzzer once found worth keeping still comes as a value.

#[path = "../fuzz/src/case.rs"]
mod case;

use std::fs;
use std::path::Path;

/// Inputs written by hand that no model can be loaded from. The fuzzer's own begin with `9`; those with
/// `0` are configurations, of larger models than the weights beside them.
const REFUSED: [&str; 18] = [
    "0-gpt2-wide-mlp",
    "0-gpt_neox",
    "0-llama3",
    "0-mistral",
    "0-qwen2",
    "0-qwen3",
    "1-i64",
    "3-view",
    "4-fixed-length",
    "4-not-text",
    "4-precompiled",
    "4-precompiled-unit",
    "4-prefix",
    "4-prepend",
    "4-replace",
    "4-strip",
    "4-template",
    "4-template-pair",
];

#[test]
fn every_input_of_the_corpus_is_used_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let (mut n_files, mut refused) = (0, Vec::new());
    for file in fs::read_dir(corpus).unwrap() {
        let file = file.unwrap();
        let input = fs::read(file.path()).unwrap();
        let name = file.file_name().into_string().unwrap();
        n_files += 1;
        let Some(source) = case::write(&input, folder.path()).unwrap() else {
            continue;
        };

        if let Err(error) = case::try_out(source) {
            assert!(!error.to_string().is_empty(), "{name}");
            if !name.starts_with('9') {
                refused.push(name);
            }
        }
    }
    refused.sort();
    assert_eq!(refused, REFUSED);
    assert!(n_files > 200, "{n_files}");
}
