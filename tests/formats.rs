//! The formats that weights and tokenizers come in: shards, PyTorch's files, single files.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::checkpoints::{
    Tensors, copy, load_from, logits, refusal, safetensors_of, tensors, worst,
};
use common::{fixture, load};
use llmscope::model::Precision;
use proptest::prelude::*;
use tempfile::TempDir;

const SHARDS: [&str; 2] = [
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
];

fn folder_with_config(family: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(family, &["config.json"], folder.path());
    folder
}

/// GPT-2 in two shards, every other tensor in each.
fn sharded() -> TempDir {
    let folder = folder_with_config("gpt2");
    let mut shards = [Tensors::new(), Tensors::new()];
    let mut weight_map = BTreeMap::new();
    for (index, (name, tensor)) in tensors("gpt2").into_iter().enumerate() {
        weight_map.insert(name.clone(), SHARDS[index % 2]);
        shards[index % 2].insert(name, tensor);
    }
    for (file, tensors) in SHARDS.iter().zip(&shards) {
        fs::write(folder.path().join(file), safetensors_of(tensors)).unwrap();
    }
    write_index(folder.path(), &weight_map);
    folder
}

fn write_index(folder: &Path, weight_map: &BTreeMap<String, &str>) {
    let index = serde_json::json!({"metadata": {"total_size": 1}, "weight_map": weight_map});
    let path = folder.join("model.safetensors.index.json");
    fs::write(path, index.to_string()).unwrap();
}

fn weight_map(folder: &Path) -> BTreeMap<String, String> {
    let bytes = fs::read(folder.join("model.safetensors.index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    serde_json::from_value(index["weight_map"].clone()).unwrap()
}

/// Changes where the index has a tensor.
fn place(folder: &Path, tensor: &str, file: &str) {
    let map = weight_map(folder);
    let mut changed: BTreeMap<String, &str> = map
        .iter()
        .map(|(name, file)| (name.clone(), file.as_str()))
        .collect();
    changed.insert(tensor.to_owned(), file);
    write_index(folder, &changed);
}

#[test]
fn shards_are_one_model_by_folder_by_index_and_by_any_shard() {
    let folder = sharded();
    let expected = logits(&load("gpt2"));

    for name in ["", "model.safetensors.index.json", SHARDS[1], "config.json"] {
        let model = load_from(&folder.path().join(name), Precision::Auto);

        assert_eq!(logits(&model), expected, "{name}");
    }
}

#[test]
fn a_shard_that_is_missing_is_named() {
    let folder = sharded();
    fs::remove_file(folder.path().join(SHARDS[1])).unwrap();

    let message = refusal(folder.path());

    assert!(message.contains(SHARDS[1]), "{message}");
    assert!(
        message.contains("model.safetensors.index.json"),
        "{message}"
    );
}

#[test]
fn a_tensor_in_two_shards_is_refused() {
    let folder = sharded();
    let all = safetensors_of(&tensors("gpt2"));
    fs::write(folder.path().join(SHARDS[1]), all).unwrap();

    let message = refusal(folder.path());

    assert!(message.contains(SHARDS[0]), "{message}");
    assert!(message.contains("too"), "{message}");
}

#[test]
fn a_tensor_that_is_not_where_the_index_says_is_refused() {
    let folder = sharded();
    let (name, _) = weight_map(folder.path()).into_iter().next().unwrap();
    place(folder.path(), &name, SHARDS[1]);

    let message = refusal(folder.path());

    assert!(message.contains(&name), "{message}");
    assert!(message.contains(SHARDS[1]), "{message}");
}

#[test]
fn an_index_leads_nowhere_but_to_its_own_folder() {
    let folder = sharded();
    let outside = tempfile::tempdir().unwrap();
    let absolute = outside.path().join("model.safetensors");
    copy("gpt2", &["model.safetensors"], outside.path());
    let (name, _) = weight_map(folder.path()).into_iter().next().unwrap();

    for file in ["../model.safetensors", absolute.to_str().unwrap()] {
        place(folder.path(), &name, file);

        let message = refusal(folder.path());
        assert!(
            message.contains("no file of this folder; refused"),
            "{message}"
        );
    }
}

#[test]
fn a_file_of_pytorch_is_the_same_model() {
    let folder = folder_with_config("gpt2-wide-mlp");
    fs::copy(
        fixture("formats/zip.bin"),
        folder.path().join("pytorch_model.bin"),
    )
    .unwrap();
    let expected = logits(&load("gpt2-wide-mlp"));

    let by_folder = load_from(folder.path(), Precision::Auto);
    let by_file = load_from(&folder.path().join("pytorch_model.bin"), Precision::Auto);

    assert_eq!(logits(&by_folder), expected);
    assert_eq!(logits(&by_file), expected);
}

#[test]
fn pytorchs_old_format_and_its_shards_hold_the_same_halves() {
    let old = folder_with_config("gpt2-wide-mlp");
    let path = old.path().join("pytorch_model.bin");
    fs::copy(fixture("formats/before-1.6.bin"), path).unwrap();
    let sharded = folder_with_config("gpt2-wide-mlp");
    for file in [
        "pytorch_model.bin.index.json",
        "pytorch_model-00001-of-00002.bin",
        "pytorch_model-00002-of-00002.bin",
    ] {
        fs::copy(fixture("formats").join(file), sharded.path().join(file)).unwrap();
    }

    let old = logits(&load_from(old.path(), Precision::F32));
    let sharded = logits(&load_from(sharded.path(), Precision::F32));

    assert_eq!(old, sharded);
    // Weights cut to 11 bits of precision.
    let worst = worst(&old, &logits(&load("gpt2-wide-mlp")));
    assert!(worst > 0.0 && worst < 0.01, "{worst}");
}

#[test]
fn a_safetensors_file_of_any_name_is_read_with_the_config_beside_it() {
    let folder = folder_with_config("gpt2");
    let path = folder.path().join("epoch 3.safetensors");
    fs::copy(fixture("gpt2").join("model.safetensors"), &path).unwrap();

    let model = load_from(&path, Precision::Auto);

    assert_eq!(logits(&model), logits(&load("gpt2")));
    let alone = tempfile::tempdir().unwrap();
    let path = alone.path().join("x.safetensors");
    fs::copy(fixture("gpt2").join("model.safetensors"), &path).unwrap();
    assert!(refusal(&path).contains("config.json"));
}

#[test]
fn a_file_that_is_no_checkpoint_is_refused() {
    let folder = folder_with_config("gpt2");
    let path = folder.path().join("notes.txt");
    fs::write(&path, "text").unwrap();

    let message = refusal(&path);

    assert!(message.contains(".gguf can be read"), "{message}");
}

/// The fixture's tokenizer as older checkpoints have it.
fn write_vocab_and_merges(folder: &Path) {
    let bytes = fs::read(fixture("gpt2").join("tokenizer.json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let model = &json["model"];
    fs::write(folder.join("vocab.json"), model["vocab"].to_string()).unwrap();
    let merges = model["merges"].as_array().unwrap().iter();
    let lines = merges.map(|merge| {
        let half = |index: usize| merge[index].as_str().unwrap();
        format!("{} {}\n", half(0), half(1))
    });
    let merges = format!("#version: 0.2\n{}", lines.collect::<String>());
    fs::write(folder.join("merges.txt"), merges).unwrap();
}

const TEXTS: [&str; 4] = [
    "The quick brown fox don't panic!",
    "  two spaces, 1234\n\nna\u{ef}ve caf\u{e9} \u{6771}\u{4eac} \u{1f642}",
    "<|endoftext|>The cat",
    "",
];

#[test]
fn vocab_and_merges_are_the_same_tokenizer() {
    let folder = folder_with_config("gpt2");
    copy("gpt2", &["model.safetensors"], folder.path());
    write_vocab_and_merges(folder.path());
    let expected = load("gpt2");

    let model = load_from(folder.path(), Precision::Auto);

    let (got, expected) = (model.tokenizer().unwrap(), expected.tokenizer().unwrap());
    for text in TEXTS {
        let tokens = got.encode(text).unwrap();
        assert_eq!(tokens, expected.encode(text).unwrap(), "{text}");
        assert_eq!(got.decode(&tokens).unwrap(), text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn any_text_comes_back_from_its_tokens(text in "(\\PC|[\\x00-\\x1f]|\u{10ffff}){0,60}") {
        for family in ["gpt2", "llama", "gpt_neox"] {
            let model = load(family);
            let tokenizer = model.tokenizer().unwrap();
            let tokens = tokenizer.encode(&text).unwrap();
            prop_assert_eq!(tokenizer.decode(&tokens).unwrap(), text.as_str(), "{}", family);
        }
    }
}

#[test]
fn a_prompt_is_read_whole_whatever_its_tokenizer_says_of_batches() {
    let folder = folder_with_config("gpt2");
    copy("gpt2", &["model.safetensors"], folder.path());
    let bytes = fs::read(fixture("gpt2").join("tokenizer.json")).unwrap();
    let mut json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    json["truncation"] = serde_json::json!({
        "direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0
    });
    json["padding"] = serde_json::json!({
        "strategy": {"Fixed": 20}, "direction": "Left", "pad_to_multiple_of": null,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "!"
    });
    fs::write(folder.path().join("tokenizer.json"), json.to_string()).unwrap();
    let text = "The quick brown fox jumps over the lazy dog";
    let expected = load("gpt2").encode_prompt(text).unwrap();

    let model = load_from(folder.path(), Precision::Auto);

    assert_eq!(model.encode_prompt(text).unwrap(), expected);
}

#[test]
fn a_character_of_several_tokens_comes_whole() {
    let model = load("gpt2");
    let tokenizer = model.tokenizer().unwrap();
    let tokens = tokenizer.encode("a\u{1f600}b").unwrap();
    assert!(tokens.len() > 3, "{tokens:?}");

    let mut stream = tokenizer.stream();
    let written: Vec<String> = tokens
        .iter()
        .map(|token| stream.push(*token).unwrap())
        .collect();

    assert_eq!(written.concat(), "a\u{1f600}b");
    assert!(written.iter().all(|text| !text.contains('\u{fffd}')));
}

#[test]
fn a_corrupt_tokenizer_gives_way_to_vocab_and_merges() {
    let folder = folder_with_config("gpt2");
    copy("gpt2", &["model.safetensors"], folder.path());
    fs::write(folder.path().join("tokenizer.json"), "{\"model\":").unwrap();
    let message = refusal(folder.path());
    assert!(message.contains("tokenizer.json"), "{message}");

    write_vocab_and_merges(folder.path());
    let model = load_from(folder.path(), Precision::Auto);

    assert_eq!(model.vocab(), load("gpt2").vocab());
    fs::write(folder.path().join("merges.txt"), "one-word\n").unwrap();
    assert!(refusal(folder.path()).contains("tokenizer.json"));
}

#[test]
fn a_tokenizer_larger_than_the_vocabulary_is_used_as_far_as_it_goes() {
    let folder = folder_with_config("gpt2");
    copy("gpt2", &["model.safetensors"], folder.path());
    let bytes = fs::read(fixture("gpt2").join("tokenizer.json")).unwrap();
    let mut json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    json["model"]["vocab"]["beyond"] = 9_000_000.into();
    json["added_tokens"]
        .as_array_mut()
        .unwrap()
        .push(serde_json::json!({
            "id": 9_000_000, "content": "beyond", "special": true, "single_word": false,
            "lstrip": false, "rstrip": false, "normalized": false,
        }));
    fs::write(folder.path().join("tokenizer.json"), json.to_string()).unwrap();

    let model = load_from(folder.path(), Precision::Auto);

    assert_eq!(model.vocab().len(), model.config().d_vocab);
    assert!(model.encode_prompt("The cat").is_ok());
    let refused = model.encode_prompt("beyond").unwrap_err().to_string();
    assert!(refused.contains("9000000"), "{refused}");
}
