//! Files that lie, are cut or are damaged: a message, never a panic, and no more memory than the file
//! and the model's shape account for.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::fs;
use std::path::Path;

use candle_core::quantized::GgmlDType;
use common::checkpoints::{copy, safetensors_of, tensors, try_load};
use common::fixture;
use common::gguf::{file, random_tensors, wide_config};
use common::program::{assert_refused, run};
use llmscope::config::ModelConfig;
use llmscope::model::Precision;
use proptest::prelude::*;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

const N_FLIPS: usize = 1_000;

fn folder_with(family: &str, files: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(family, files, folder.path());
    folder
}

/// Loads what was damaged. Whatever comes of it, it comes as a value.
fn survive(path: &Path) -> bool {
    match try_load(path, Precision::Auto) {
        Ok(_) => true,
        Err(error) => {
            let message = error.to_string();
            assert!(error.is_unusable_model(), "{message}");
            assert!(!message.is_empty() && message.len() < 2_000, "{message}");
            false
        }
    }
}

/// Writes `bytes` with a bit changed here and there, among those of `range`, and loads each.
fn survive_flips(path: &Path, opened: &Path, bytes: &[u8], range: std::ops::Range<usize>) -> usize {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let loaded = |_| {
        let mut damaged = bytes.to_vec();
        for _ in 0..rng.random_range(1..4) {
            damaged[rng.random_range(range.clone())] ^= 1 << rng.random_range(0..8);
        }
        fs::write(path, &damaged).unwrap();
        survive(opened)
    };
    (0..N_FLIPS)
        .map(loaded)
        .filter(|is_loaded| *is_loaded)
        .count()
}

#[test]
fn a_safetensors_file_cut_anywhere_is_refused() {
    let folder = folder_with("gpt2", &["config.json"]);
    let path = folder.path().join("model.safetensors");
    let whole = fs::read(fixture("gpt2").join("model.safetensors")).unwrap();
    let header = 8 + u64::from_le_bytes(*whole.first_chunk().unwrap()) as usize;
    let cuts = (0..header)
        .step_by(3)
        .chain((header..whole.len()).step_by(4096));

    for n_bytes in cuts.chain([whole.len() - 1]) {
        fs::write(&path, &whole[..n_bytes]).unwrap();
        assert!(!survive(folder.path()), "{n_bytes}");
    }
}

#[test]
fn a_safetensors_header_with_flipped_bits_is_no_panic() {
    let folder = folder_with("gpt2", &["config.json"]);
    let path = folder.path().join("model.safetensors");
    let whole = fs::read(fixture("gpt2").join("model.safetensors")).unwrap();
    let header = 8 + u64::from_le_bytes(*whole.first_chunk().unwrap()) as usize;

    let n_loaded = survive_flips(&path, folder.path(), &whole, 0..header);

    assert!(n_loaded < N_FLIPS / 2, "{n_loaded}");
}

#[test]
fn a_gguf_file_cut_anywhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    let config = wide_config();
    let whole = file(&config, &random_tensors(&config, 1), GgmlDType::Q4K, &[]);
    let header = 1_500;

    for n_bytes in (0..header).chain((header..whole.len()).step_by(4096)) {
        fs::write(&path, &whole[..n_bytes]).unwrap();
        assert!(!survive(&path), "{n_bytes}");
    }
}

#[test]
fn a_gguf_header_with_flipped_bits_is_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    for name in ["gpt2-Q8_0.gguf", "llama3-F16.gguf"] {
        let whole = fs::read(fixture("formats").join(name)).unwrap();

        let n_loaded = survive_flips(&path, &path, &whole, 0..14_000);

        assert!(n_loaded < N_FLIPS, "{n_loaded}");
    }
}

#[test]
fn a_file_of_pytorch_cut_anywhere_is_refused() {
    for name in ["zip.bin", "before-1.6.bin"] {
        let folder = folder_with("gpt2-wide-mlp", &["config.json"]);
        let path = folder.path().join("pytorch_model.bin");
        let whole = fs::read(fixture("formats").join(name)).unwrap();
        let ends = (0..4_000)
            .step_by(3)
            .chain((4_000..whole.len()).step_by(997));

        for n_bytes in ends.chain([whole.len() - 1]) {
            fs::write(&path, &whole[..n_bytes]).unwrap();
            assert!(!survive(folder.path()), "{name} {n_bytes}");
        }
    }
}

#[test]
fn a_pickle_or_a_directory_with_flipped_bits_is_no_panic() {
    for name in ["zip.bin", "before-1.6.bin"] {
        let folder = folder_with("gpt2-wide-mlp", &["config.json"]);
        let path = folder.path().join("pytorch_model.bin");
        let whole = fs::read(fixture("formats").join(name)).unwrap();
        let end = whole.len();

        survive_flips(&path, folder.path(), &whole, 0..3_000);
        survive_flips(&path, folder.path(), &whole, end - 3_000..end);
    }
}

#[test]
fn a_tokenizer_with_flipped_bits_or_cut_is_no_panic() {
    let folder = folder_with("gpt2", &["config.json", "model.safetensors"]);
    let path = folder.path().join("tokenizer.json");
    let whole = fs::read(fixture("gpt2").join("tokenizer.json")).unwrap();

    survive_flips(&path, folder.path(), &whole, 0..whole.len());
    for n_bytes in (0..whole.len()).step_by(101) {
        fs::write(&path, &whole[..n_bytes]).unwrap();
        survive(folder.path());
    }
}

/// Names that mean something to a `config.json`, and any other.
fn field() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(vec![
            "model_type",
            "n_layer",
            "n_embd",
            "n_head",
            "n_inner",
            "n_positions",
            "vocab_size",
            "hidden_size",
            "num_attention_heads",
            "num_key_value_heads",
            "num_hidden_layers",
            "head_dim",
            "intermediate_size",
            "max_position_embeddings",
            "rope_theta",
            "rope_scaling",
            "rope_parameters",
            "rotary_pct",
            "sliding_window",
            "layer_norm_epsilon",
            "rms_norm_eps",
            "tie_word_embeddings",
            "bos_token_id",
            "hidden_act",
        ])
        .prop_map(str::to_owned),
        ".{0,8}",
    ]
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        (0u64..300).prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        proptest::sample::select(vec![
            "gpt2", "llama", "mistral", "qwen2", "qwen3", "gpt_neox", "gelu"
        ])
        .prop_map(Into::into),
        ".{0,8}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            proptest::collection::btree_map(field(), inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_config_makes_the_reader_panic_and_what_is_read_is_written_and_read_again(
        family in proptest::sample::select(
            vec!["gpt2", "llama", "llama3", "mistral", "qwen2", "qwen3", "gpt_neox"]
        ),
        changes in proptest::collection::vec((field(), value()), 0..6),
    ) {
        let text = fs::read_to_string(fixture(family).join("config.json")).unwrap();
        let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
        for (field, value) in changes {
            json[field] = value;
        }

        if let Ok(config) = ModelConfig::from_json(&json.to_string()) {
            let weights = config.weights();
            prop_assert!(weights.iter().all(|spec| spec.element_count() > 0));
            let again = ModelConfig::from_json(&config.to_json().to_string());
            prop_assert_eq!(again.as_ref(), Ok(&config));
        }
    }

    #[test]
    fn no_bytes_in_place_of_any_file_make_the_reader_panic(
        name in proptest::sample::select(vec![
            "config.json", "model.safetensors", "model.safetensors.index.json", "tokenizer.json",
            "pytorch_model.bin", "model.gguf",
        ]),
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let folder = folder_with("gpt2", &["config.json"]);
        fs::write(folder.path().join(name), bytes).unwrap();

        prop_assert!(!survive(folder.path()));
        prop_assert!(!survive(&folder.path().join(name)));
    }
}

/// The program with little memory refuses a model, in words.
#[track_caller]
fn assert_refused_in_little_memory(path: &Path, words: &[&str]) {
    let args = ["generate", "--tokens=1", "--max-new-tokens=1", "--model"];
    let path = path.to_str().unwrap();
    assert_refused(args.iter().copied().chain([path]), 4, words);
}

/// A GGUF header of this many tensors and facts, and what follows.
fn gguf_header(n_tensors: u64, n_facts: u64, rest: &[u8]) -> Vec<u8> {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend(n_tensors.to_le_bytes());
    bytes.extend(n_facts.to_le_bytes());
    bytes.extend(rest);
    bytes
}

#[test]
fn a_gguf_header_that_claims_the_world_takes_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    let text = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    let array = |kind: u32, count: u64| {
        let array = [
            &9u32.to_le_bytes()[..],
            &kind.to_le_bytes(),
            &count.to_le_bytes(),
        ]
        .concat();
        [text("a"), array].concat()
    };
    for rest in [
        gguf_header(0, 1, &(1u64 << 40).to_le_bytes()),
        gguf_header(0, u64::MAX, &text("a")),
        gguf_header(u64::MAX, 0, &text("a")),
        gguf_header(0, 1, &array(8, 1 << 60)),
        gguf_header(0, 1, &array(0, 1 << 40)),
        gguf_header(0, 1, &array(12, 1 << 61)),
        gguf_header(0, 1, &array(9, 1 << 60)),
    ] {
        fs::write(&path, rest).unwrap();
        assert_refused_in_little_memory(&path, &["model.gguf is not a whole weights file"]);
    }
}

/// A zip archive of stored files, as `torch.save` makes them; the first claims another method and
/// length.
fn archive(files: &[(&str, &[u8])], method: u16, claimed: Option<u32>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for (index, (name, data)) in files.iter().enumerate() {
        let start = bytes.len() as u32;
        let stored = data.len() as u32;
        let length = claimed.filter(|_| index == 0).unwrap_or(stored);
        let method = if index == 0 { method } else { 0 };
        let mut facts = method.to_le_bytes().to_vec();
        facts.extend([0; 8]); // Time, date, checksum.
        facts.extend(stored.to_le_bytes());
        facts.extend(length.to_le_bytes());
        facts.extend((name.len() as u16).to_le_bytes());
        facts.extend(0u16.to_le_bytes());
        bytes.extend(b"PK\x03\x04\x14\0\0\0");
        bytes.extend(&facts);
        bytes.extend(name.as_bytes());
        bytes.extend(*data);
        directory.extend(b"PK\x01\x02\x14\0\x14\0\0\0");
        directory.extend(&facts);
        directory.extend([0; 10]); // Comment, disk, attributes.
        directory.extend(start.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = bytes.len() as u32;
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([(files.len() as u16).to_le_bytes(); 2].concat());
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend(0u16.to_le_bytes());
    bytes
}

#[test]
fn an_archive_that_swells_or_lies_takes_no_memory() {
    let folder = folder_with("gpt2", &["config.json"]);
    let path = folder.path().join("pytorch_model.bin");
    let long_text = b"\x80\x02X\xff\xff\xff\xffabc.";
    // A dictionary with one tensor of 2^60 times 2^60 numbers.
    let huge_shape =
        b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storage\
        ctorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x01tQK\0\
        \x8a\x08\0\0\0\0\0\0\0\x10\x8a\x08\0\0\0\0\0\0\0\x10\x86K\x01K\x01\x86tRs.";
    for (bytes, words) in [
        (
            archive(&[("a/data.pkl", b"xxxx")], 8, Some(u32::MAX - 1)),
            "compressed",
        ),
        (
            archive(&[("a/data.pkl", b".")], 0, Some(4_000_000_000)),
            "compressed",
        ),
        (
            archive(&[("a/data.pkl", long_text)], 0, None),
            "cannot be understood at byte 7",
        ),
        (
            archive(&[("a/data.pkl", huge_shape)], 0, None),
            "storage \"0\", which it lacks",
        ),
        (
            archive(
                &[("a/data.pkl", huge_shape), ("a/data/0", b"1234")],
                0,
                None,
            ),
            "longer than its storage",
        ),
        (
            archive(&[("a/data.pkl", b"\x80\x02}.")], 0, None),
            "no tensors by name",
        ),
        (archive(&[("a/other", b"")], 0, None), "without data.pkl"),
        (archive(&[], 0, None), "not what torch.save writes"),
    ] {
        fs::write(&path, bytes).unwrap();
        assert_refused_in_little_memory(folder.path(), &["pytorch_model.bin", words]);
    }
}

#[test]
fn a_pickle_of_anything_but_tensors_does_nothing() {
    let folder = folder_with("gpt2", &["config.json"]);
    let path = folder.path().join("pytorch_model.bin");
    let trap = folder.path().join("executed");
    let command = format!("touch {}", trap.display());
    let mut pickle = b"\x80\x02cposix\nsystem\nX".to_vec();
    pickle.extend((command.len() as u32).to_le_bytes());
    pickle.extend(command.as_bytes());
    pickle.extend(b"\x85R.");
    fs::write(&path, archive(&[("a/data.pkl", &pickle)], 0, None)).unwrap();

    assert!(!survive(folder.path()));

    assert!(!trap.exists());
}

#[test]
fn small_files_that_are_huge_are_refused_unread() {
    for name in [
        "config.json",
        "tokenizer.json",
        "model.safetensors.index.json",
    ] {
        let folder = folder_with("gpt2", &["config.json"]);
        if name == "tokenizer.json" {
            copy("gpt2", &["model.safetensors"], folder.path());
        }
        // A hole: it takes no place on the disk.
        let file = fs::File::create(folder.path().join(name)).unwrap();
        file.set_len(1 << 40).unwrap();

        assert_refused_in_little_memory(folder.path(), &[name, "1099511627776 bytes"]);
    }
}

#[test]
fn a_tensor_that_no_model_needs_is_told_and_left_out() {
    let folder = folder_with("gpt2", &["config.json"]);
    let mut with_extra = tensors("gpt2");
    let extra = with_extra["transformer.ln_f.weight"].clone();
    with_extra.insert("transformer.adapter.weight".to_owned(), extra);
    fs::write(
        folder.path().join("model.safetensors"),
        safetensors_of(&with_extra),
    )
    .unwrap();

    let args = ["generate", "--tokens=1", "--max-new-tokens=1", "--model"];
    let output = run(args.iter().copied().chain(folder.path().to_str()));

    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    let words = "\"transformer.adapter.weight\" is not part of the model";
    assert!(stderr.contains(words), "{stderr}");
    assert_eq!(stderr.matches("not part").count(), 1, "{stderr}");
}

#[test]
fn a_shape_that_the_file_does_not_bear_out_takes_no_memory() {
    let folder = folder_with("llama", &["config.json"]);
    let path = folder.path().join("config.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        folder.path().join("model.safetensors"),
        safetensors_of(&tensors("llama")),
    )
    .unwrap();
    for (field, value, words) in [
        ("hidden_size", 65_536_u64, "embed_tokens"),
        ("vocab_size", 4_000_000, "embed_tokens"),
        ("num_hidden_layers", 1024, "layers.3."),
        ("intermediate_size", 1 << 20, "mlp."),
        (
            "max_position_embeddings",
            1 << 40,
            "max_position_embeddings",
        ),
    ] {
        let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json[field] = value.into();
        fs::write(&path, json.to_string()).unwrap();
        assert_refused_in_little_memory(folder.path(), &[words]);
    }
}
