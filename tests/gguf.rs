//! GGUF files: those that llama.cpp's converter makes of the fixtures, and quantised ones.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::Value;
use candle_core::{Device, Tensor};
use common::checkpoints::{load_from, logits, logits_after, refusal, worst};
use common::gguf::{file, quantize, random_tensors, wide_config};
use common::{fixture, load, read_f32_tensors, read_ids};
use llmscope::model::{Model, Precision};
use tempfile::TempDir;

const QUANTIZED: [GgmlDType; 10] = [
    GgmlDType::Q4_0,
    GgmlDType::Q4_1,
    GgmlDType::Q5_0,
    GgmlDType::Q5_1,
    GgmlDType::Q8_0,
    GgmlDType::Q2K,
    GgmlDType::Q3K,
    GgmlDType::Q4K,
    GgmlDType::Q5K,
    GgmlDType::Q6K,
];

fn fixture_file(name: &str) -> PathBuf {
    fixture("formats").join(name)
}

/// A folder with a file of these bytes, and the file.
fn with_file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// How far the logits at the end of a fixture's prompt are from PyTorch's.
fn distance_from_pytorch(file: &str, family: &str, precision: Precision) -> f32 {
    let (shape, expected) = read_f32_tensors(&fixture(family).join("reference.safetensors"))
        .remove("logits")
        .unwrap();
    let tokens = read_ids(&fixture(family).join("reference.json"), "tokens");
    let model = load_from(&fixture_file(file), precision);

    let got = logits_after(&model, &tokens);
    worst(&got, &expected[expected.len() - shape[1]..])
}

#[test]
fn a_file_of_llama_cpps_converter_computes_what_pytorch_does() {
    for family in ["gpt2", "llama", "llama3", "qwen2", "qwen3", "gpt_neox"] {
        let file = format!("{family}-F16.gguf");

        let distance = distance_from_pytorch(&file, family, Precision::Auto);

        // Weights cut to 11 bits of precision.
        assert!(distance < 0.01, "{family}: {distance}");
    }
}

#[test]
fn eight_bit_weights_of_llama_cpps_converter_come_near() {
    for precision in [Precision::Auto, Precision::F32, Precision::Bf16] {
        let distance = distance_from_pytorch("gpt2-Q8_0.gguf", "gpt2", precision);

        assert!(
            distance > 0.0 && distance < 0.1,
            "{precision:?}: {distance}"
        );
    }
}

#[test]
fn its_shape_is_that_of_the_models_config() {
    for family in ["gpt2", "llama", "llama3", "qwen2", "qwen3", "gpt_neox"] {
        let source: llmscope::model::ModelSource = fixture_file(&format!("{family}-F16.gguf"))
            .to_str()
            .unwrap()
            .parse()
            .unwrap();

        let config = source.read_config(true).unwrap();

        assert_eq!(&config, load(family).config(), "{family}");
    }
}

#[test]
fn its_tokenizer_is_that_of_the_checkpoint() {
    let (got, expected) = (
        load_from(&fixture_file("gpt2-F16.gguf"), Precision::Auto),
        load("gpt2"),
    );

    assert_eq!(got.vocab(), expected.vocab());
    let (got, expected) = (got.tokenizer().unwrap(), expected.tokenizer().unwrap());
    for text in [
        "The quick brown fox don't panic!",
        "  two spaces, 1234\n\nna\u{ef}ve \u{6771}\u{4eac} \u{1f642}",
        "<|endoftext|>The cat",
    ] {
        let tokens = got.encode(text).unwrap();
        assert_eq!(tokens, expected.encode(text).unwrap(), "{text}");
        assert_eq!(got.decode(&tokens).unwrap(), text);
    }
}

#[test]
fn a_lone_file_in_a_folder_is_the_model_and_two_are_a_question() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixture_file("gpt2-F16.gguf"), folder.path().join("a.gguf")).unwrap();
    let expected = logits(&load_from(&fixture_file("gpt2-F16.gguf"), Precision::Auto));

    assert_eq!(logits(&load_from(folder.path(), Precision::Auto)), expected);

    fs::copy(fixture_file("gpt2-Q8_0.gguf"), folder.path().join("b.gguf")).unwrap();
    let message = refusal(folder.path());
    assert!(
        message.contains("2 .gguf files") && message.contains("a.gguf"),
        "{message}"
    );

    // Weights of a folder's own name are what the folder is for.
    for file in ["config.json", "model.safetensors"] {
        fs::copy(fixture("gpt2").join(file), folder.path().join(file)).unwrap();
    }
    assert_eq!(
        logits(&load_from(folder.path(), Precision::Auto)),
        logits(&load("gpt2"))
    );
}

#[test]
fn every_kind_of_blocks_is_read_as_it_is_kept_and_as_numbers() {
    let config = wide_config();
    let tensors = random_tensors(&config, 1);
    for dtype in QUANTIZED {
        let (_folder, path) = with_file(&file(&config, &tensors, dtype, &[]));
        // What is left of the numbers in such blocks.
        let cut: HashMap<String, Tensor> = tensors
            .iter()
            .map(|(name, tensor)| {
                let is_turned = name.starts_with("h.") && tensor.rank() == 2;
                let out_in = if is_turned {
                    tensor.t().unwrap()
                } else {
                    tensor.clone()
                };
                let cut = quantize(&out_in.contiguous().unwrap(), dtype);
                let cut = cut.dequantize(&Device::Cpu).unwrap();
                let cut = if is_turned { cut.t().unwrap() } else { cut };
                (name.clone(), cut.contiguous().unwrap())
            })
            .collect();
        let expected = Model::from_tensors("cut", config.clone(), cut, Device::Cpu).unwrap();
        let expected = logits(&expected);

        let as_numbers = load_from(&path, Precision::F32);
        let as_kept = load_from(&path, Precision::Auto);

        let distance = worst(&logits(&as_numbers), &expected);
        assert!(distance < 1e-5, "{dtype:?}: {distance}");
        // Products with blocks cut the other factor to 8 bits; the logits span 20.
        let distance = worst(&logits(&as_kept), &expected);
        assert!(distance < 0.5, "{dtype:?}: {distance}");
    }
}

#[test]
fn quantised_weights_stay_as_small_as_they_are_unless_a_precision_is_asked_for() {
    let config = wide_config();
    let tensors = random_tensors(&config, 1);
    let (_folder, path) = with_file(&file(&config, &tensors, GgmlDType::Q8_0, &[]));
    let n_bytes = |precision| {
        let model = load_from(&path, precision);
        model.weights().unwrap().byte_count()
    };

    let n_numbers = config.parameter_count();
    let tables = ((config.d_vocab + config.n_ctx) * config.d_model) as u64;
    // 34 bytes for 32 numbers; tables to look up in are numbers, and the tied one is there twice.
    let blocks: u64 = tensors
        .iter()
        .filter(|(name, tensor)| tensor.rank() == 2 && *name != "wpe.weight")
        .map(|(_, tensor)| tensor.elem_count() as u64 / 32 * 34)
        .sum();
    let vectors: u64 = tensors
        .values()
        .filter(|tensor| tensor.rank() == 1)
        .map(|tensor| 4 * tensor.elem_count() as u64)
        .sum();
    assert_eq!(n_bytes(Precision::Auto), blocks + vectors + 4 * tables);
    assert_eq!(n_bytes(Precision::F32), 4 * n_numbers);
    assert_eq!(n_bytes(Precision::F16), 2 * n_numbers);
}

#[test]
fn an_unembedding_of_its_own_is_found() {
    let config = llmscope::config::ModelConfig {
        tie_word_embeddings: false,
        ..wide_config()
    };
    let tensors = random_tensors(&config, 2);
    let (_folder, path) = with_file(&file(&config, &tensors, GgmlDType::F32, &[]));

    let model = load_from(&path, Precision::Auto);

    let expected = Model::from_tensors("same", config, tensors, Device::Cpu).unwrap();
    assert_eq!(model.config(), expected.config());
    assert_eq!(logits(&model), logits(&expected));
}

#[test]
fn what_a_file_lacks_or_asks_for_is_told() {
    let config = wide_config();
    let tensors = random_tensors(&config, 1);
    let text = |text: &str| Value::String(text.to_owned());
    for (fact, value, words) in [
        ("general.architecture", text("bert"), "\"llama\""),
        ("general.alignment", Value::U32(0), "general.alignment"),
        ("split.count", Value::U16(3), "llama-gguf-split --merge"),
        ("gpt2.block_count", Value::U32(0), "n_layer is 0"),
        ("gpt2.block_count", Value::U32(2), "blk.1.attn_norm.weight"),
        ("gpt2.block_count", Value::Bool(true), "gpt2.block_count"),
        (
            "gpt2.attention.head_count",
            Value::U32(7),
            "multiple of n_head",
        ),
        (
            "gpt2.feed_forward_length",
            Value::U32(513),
            "blk.0.ffn_up.weight",
        ),
        ("gpt2.context_length", Value::I32(-1), "n_positions is -1"),
        (
            "gpt2.attention.layer_norm_epsilon",
            Value::F32(f32::NAN),
            "layer_norm_epsilon",
        ),
    ] {
        let bytes = file(&config, &tensors, GgmlDType::F32, &[(fact, value)]);
        let (_folder, path) = with_file(&bytes);

        let message = refusal(&path);

        assert!(message.contains(words), "{fact}: {message}");
        assert!(message.contains("model.gguf"), "{fact}: {message}");
    }
}

#[test]
fn numbers_that_cannot_be_read_are_told_by_the_tensors_name() {
    let config = wide_config();
    let mut bytes = file(&config, &random_tensors(&config, 1), GgmlDType::Q8_0, &[]);
    let name = b"blk.0.attn_output.weight";
    let at = bytes
        .windows(name.len())
        .position(|window| window == name)
        .unwrap();
    // Behind the name: the number of dimensions, two dimensions, the kind of numbers.
    let kind = at + name.len() + 4 + 2 * 8;
    bytes[kind..kind + 4].copy_from_slice(&23u32.to_le_bytes());
    let (_folder, path) = with_file(&bytes);

    let message = refusal(&path);

    assert!(message.contains("blk.0.attn_output.weight"), "{message}");
    assert!(message.contains("IQ4_XS"), "{message}");
}

#[test]
fn a_sentencepiece_tokenizer_reads_and_writes_words() {
    // Scores as SentencePiece gives them: later merges are worse.
    let pieces = [
        ("<unk>", 2),
        ("<s>", 3),
        ("</s>", 3),
        ("<0x0A>", 6),
        ("<0xE2>", 6),
        ("<0x82>", 6),
        ("<0xAC>", 6),
        ("\u{2581}t", 1),
        ("he", 1),
        ("\u{2581}the", 1),
        ("\u{2581}c", 1),
        ("at", 1),
        ("\u{2581}cat", 1),
        ("\u{2581}", 1),
        ("t", 1),
        ("h", 1),
        ("e", 1),
        ("c", 1),
        ("a", 1),
    ];
    let array = |values: Vec<Value>| Value::Array(values);
    let score = |index: usize, kind: i32| if kind == 1 { -(index as f32) } else { 0.0 };
    let facts = [
        ("tokenizer.ggml.model", Value::String("llama".to_owned())),
        (
            "tokenizer.ggml.tokens",
            array(
                pieces
                    .iter()
                    .map(|(text, _)| Value::String((*text).to_owned()))
                    .collect(),
            ),
        ),
        (
            "tokenizer.ggml.scores",
            array(
                pieces
                    .iter()
                    .enumerate()
                    .map(|(i, (_, kind))| Value::F32(score(i, *kind)))
                    .collect(),
            ),
        ),
        (
            "tokenizer.ggml.token_type",
            array(pieces.iter().map(|(_, kind)| Value::I32(*kind)).collect()),
        ),
    ];
    let config = wide_config();
    let bytes = file(&config, &random_tensors(&config, 1), GgmlDType::F32, &facts);
    let (_folder, path) = with_file(&bytes);

    let model = load_from(&path, Precision::Auto);

    let tokenizer = model.tokenizer().unwrap();
    let tokens = tokenizer.encode("the cat\n\u{20ac}").unwrap();
    assert_eq!(tokens, [9, 12, 3, 4, 5, 6]);
    assert_eq!(tokenizer.decode(&tokens).unwrap(), "the cat\n\u{20ac}");
    assert_eq!(tokenizer.encode("<s>the").unwrap()[0], 1);
    // Token by token the space before a word is there, and a character is whole.
    assert_eq!(model.vocab().text(12), " cat");
    let mut stream = tokenizer.stream();
    let written: Vec<String> = tokens
        .iter()
        .map(|token| stream.push(*token).unwrap())
        .collect();
    assert_eq!(written, [" the", " cat", "\n", "", "", "\u{20ac}"]);

    // With a token that begins a text, a prompt begins with it unless the file says otherwise.
    let begin = ("tokenizer.ggml.bos_token_id", Value::U32(1));
    let never = ("tokenizer.ggml.add_bos_token", Value::Bool(false));
    for (more, expected) in [
        (vec![begin.clone()], &[1, 9, 12][..]),
        (vec![begin, never], &[9, 12]),
    ] {
        let facts = [facts.to_vec(), more].concat();
        let bytes = file(&config, &random_tensors(&config, 1), GgmlDType::F32, &facts);
        let (_folder, path) = with_file(&bytes);
        let model = load_from(&path, Precision::Auto);
        assert_eq!(model.encode_prompt("the cat").unwrap(), expected);
    }
}

#[test]
fn a_tokenizer_of_another_kind_leaves_token_numbers_and_a_broken_one_is_refused() {
    let config = wide_config();
    let tensors = random_tensors(&config, 1);
    let text = |text: &str| Value::String(text.to_owned());
    let tokens = Value::Array(vec![text("a"), text("b")]);
    let with = |facts: &[(&str, Value)]| {
        let mut facts = facts.to_vec();
        facts.push(("tokenizer.ggml.tokens", tokens.clone()));
        with_file(&file(&config, &tensors, GgmlDType::F32, &facts))
    };

    let (_folder, path) = with(&[("tokenizer.ggml.model", text("bert"))]);
    assert!(load_from(&path, Precision::Auto).tokenizer().is_none());

    let merges = ("tokenizer.ggml.merges", Value::Array(vec![text("c d")]));
    for facts in [
        vec![("tokenizer.ggml.model", text("gpt2"))],
        vec![("tokenizer.ggml.model", text("gpt2")), merges],
        vec![("tokenizer.ggml.model", text("llama"))],
    ] {
        let (_folder, path) = with(&facts);
        let message = refusal(&path);
        assert!(message.contains("model.gguf"), "{message}");
    }
}
