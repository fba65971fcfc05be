//! The program from outside: what it prints, what it refuses, and how it says so.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its case has failed"
)]

mod common;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use assert_cmd::Command;
use common::program::{PROGRAM, assert_refused, output, run};
use common::{FAMILIES, fixture, read_f32_tensors, read_ids};
use llmscope::config::ModelConfig;
use llmscope::model::{LoadSettings, Model, ModelSource, Precision};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Absolute, f32.
const TOLERANCE: f32 = 1e-4;

const COMMANDS: [&str; 9] = [
    "view",
    "summary",
    "generate",
    "trace",
    "plot",
    "snapshot",
    "record",
    "completions",
    "man",
];

/// A file's tensors: number format, shape and bytes by name.
type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

#[track_caller]
fn stdout<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> String {
    let output = run(args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// A copy of the fixture `gpt2`, free to be damaged.
fn model_copy() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        fs::copy(fixture("gpt2").join(file), folder.path().join(file)).unwrap();
    }
    folder
}

fn with_config(change: impl FnOnce(&mut Value)) -> TempDir {
    let folder = model_copy();
    let path = folder.path().join("config.json");
    let mut config = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut config);
    fs::write(path, config.to_string()).unwrap();
    folder
}

fn with_file(name: &str, bytes: impl AsRef<[u8]>) -> TempDir {
    let folder = model_copy();
    fs::write(folder.path().join(name), bytes).unwrap();
    folder
}

fn with_tensors(change: impl FnOnce(&mut Tensors)) -> TempDir {
    let folder = model_copy();
    let path = folder.path().join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let mut tensors: Tensors = safetensors::SafeTensors::deserialize(&bytes)
        .unwrap()
        .iter()
        .map(|(name, tensor)| {
            let parts = (
                tensor.dtype(),
                tensor.shape().to_vec(),
                tensor.data().to_vec(),
            );
            (name.to_owned(), parts)
        })
        .collect();
    change(&mut tensors);
    let views = tensors.iter().map(|(name, (dtype, shape, data))| {
        (name, TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    safetensors::serialize_to_file(views, None, &path).unwrap();
    folder
}

/// The tensor whose name ends so, with or without a `transformer.` prefix.
fn tensor_mut<'a>(tensors: &'a mut Tensors, end: &str) -> &'a mut (Dtype, Vec<usize>, Vec<u8>) {
    tensors
        .iter_mut()
        .find(|(name, _)| name.ends_with(end))
        .unwrap()
        .1
}

fn with_nan_weights() -> TempDir {
    with_tensors(|tensors| {
        let (_, _, data) = tensor_mut(tensors, "ln_f.bias");
        data[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    })
}

/// Runs `generate` on the model in `folder`.
#[track_caller]
fn assert_model_refused(folder: &Path, words: &[&str]) {
    let args = [
        OsStr::new("generate"),
        "--prompt=The".as_ref(),
        "--model".as_ref(),
        folder.as_os_str(),
    ];
    assert_refused(args, 4, words);
}

#[test]
fn a_model_that_is_not_there_is_refused() {
    let empty = tempfile::tempdir().unwrap();
    let no_weights = model_copy();
    fs::remove_file(no_weights.path().join("model.safetensors")).unwrap();

    assert_model_refused(
        Path::new("./no/such/folder"),
        &["no/such/folder", "config.json"],
    );
    assert_model_refused(Path::new("nonsense"), &["nonsense", "no folder"]);
    assert_model_refused(Path::new("no-such/model"), &["no-such/model", "offline"]);
    assert_model_refused(empty.path(), &["has no config.json"]);
    assert_model_refused(no_weights.path(), &["has no model.safetensors"]);
}

#[test]
fn a_damaged_weights_file_is_refused() {
    let whole = fs::read(fixture("gpt2").join("model.safetensors")).unwrap();
    for n_bytes in [0, 7, 8, 100, 4096, whole.len() / 2, whole.len() - 1] {
        let folder = with_file("model.safetensors", &whole[..n_bytes]);
        assert_model_refused(
            folder.path(),
            &["model.safetensors is not a whole", "fetch it again"],
        );
    }
    let mut lying_header = whole.clone();
    lying_header[..8].copy_from_slice(&(1u64 << 60).to_le_bytes());
    let folder = with_file("model.safetensors", lying_header);
    assert_model_refused(folder.path(), &["claims 1152921504606846976 bytes"]);

    let header = json!({"wte.weight": {
        "dtype": "F32", "shape": [1u64 << 50, 1u64 << 12], "data_offsets": [0, 16],
    }});
    let mut lying_shape = (header.to_string().len() as u64).to_le_bytes().to_vec();
    lying_shape.extend(header.to_string().bytes().chain([0; 16]));
    let folder = with_file("model.safetensors", lying_shape);
    assert_model_refused(folder.path(), &["its header cannot be read"]);
}

#[test]
fn a_tensor_that_the_config_does_not_call_for_is_refused() {
    let wrong_shape = with_tensors(|tensors| {
        tensor_mut(tensors, "h.1.mlp.c_fc.weight").1.reverse();
    });
    let missing = with_tensors(|tensors| tensors.retain(|name, _| !name.ends_with("ln_f.weight")));
    let wrong_dtype = with_tensors(|tensors| {
        let (dtype, _, data) = tensor_mut(tensors, "h.0.ln_1.bias");
        *dtype = Dtype::I64;
        data.extend(data.clone());
    });
    let no_head = with_config(|config| config["tie_word_embeddings"] = false.into());

    assert_model_refused(
        wrong_shape.path(),
        &["h.1.mlp.c_fc.weight", "[192, 48]", "[48, 192]"],
    );
    assert_model_refused(missing.path(), &["has no tensor", "ln_f.weight"]);
    assert_model_refused(wrong_dtype.path(), &["h.0.ln_1.bias", "I64", "F32"]);
    assert_model_refused(no_head.path(), &["has no tensor", "lm_head.weight"]);
}

#[test]
fn a_config_that_lies_is_refused() {
    for (field, value, words) in [
        ("n_head", json!(0), ["n_head is 0", "config.json"]),
        ("n_head", json!(5), ["n_embd is 48", "n_head, which is 5"]),
        ("n_head", json!(-4), ["n_head is -4", "config.json"]),
        (
            "n_layer",
            json!(1_000_000_000),
            ["n_layer is 1000000000", "1024"],
        ),
        ("n_layer", json!(1000), ["has no tensor", "h.3."]),
        ("n_embd", json!(65_536), ["wte.weight", "65536"]),
        ("vocab_size", json!(4_000_000), ["wte.weight", "4000000"]),
        ("n_inner", json!(1_048_576), ["c_fc.weight", "1048576"]),
        ("model_type", json!("bert"), ["bert", "gpt2"]),
    ] {
        let folder = with_config(|config| config[field] = value);
        assert_model_refused(folder.path(), &words);
    }
    for text in ["not JSON", "[]", "{\"model_type\": \"gpt2\"", "\u{1b}[31m"] {
        let folder = with_file("config.json", text);
        assert_model_refused(folder.path(), &["config.json", "it is not a JSON object"]);
    }
    let folder = with_file("config.json", b"\xff\xfe");
    assert_model_refused(folder.path(), &["cannot read", "config.json"]);
}

#[test]
fn a_model_too_large_for_memory_is_refused_before_its_weights_are_read() {
    let model = fixture("gpt2");
    let generate = |memory: &str| {
        output(
            Command::new(PROGRAM)
                .args(["generate", "--tokens=5,6", "--max-new-tokens=1", "--model"])
                .arg(&model)
                .env("LLMSCOPE_MEMORY_BYTES", memory),
        )
    };

    let refused = generate("500000");
    let stderr = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(4), "{stderr}");
    assert!(refused.stdout.is_empty());
    assert!(stderr.lines().count() <= 2, "{stderr}");
    for words in [
        "425.7 kB of it weights",
        "500.0 kB are available",
        "smaller",
    ] {
        assert!(stderr.contains(words), "{words:?} in {stderr}");
    }

    assert!(generate("5000000").status.success());
    let unread = generate("plenty");
    assert!(unread.status.success());
    assert!(String::from_utf8_lossy(&unread.stderr).contains("LLMSCOPE_MEMORY_BYTES"));
}

#[test]
fn a_corrupt_tokenizer_is_refused() {
    for bytes in [&b""[..], b"{}", b"{\"model\":", b"\xff"] {
        let folder = with_file("tokenizer.json", bytes);
        assert_model_refused(folder.path(), &["cannot use", "tokenizer.json"]);
    }
}

#[test]
fn weights_that_are_not_numbers_stop_generation_but_not_a_trace() {
    let folder = with_nan_weights();
    let model = folder.path().to_str().unwrap();
    let saved = folder.path().join("trace.safetensors");
    let saved = saved.to_str().unwrap();

    assert_model_refused(folder.path(), &["384 of the 384 logits are not numbers"]);
    let trace = ["trace", "--model", model, "-o", saved];
    assert_eq!(stdout(trace), "");
    assert!(read_f32_tensors(Path::new(saved))["logits"].1[0].is_nan());

    fs::remove_file(saved).unwrap();
    let trace_two = trace.into_iter().chain(["--max-new-tokens=2"]);
    assert_refused(trace_two, 4, &["384 of the 384 logits"]);
    assert!(read_f32_tensors(Path::new(saved)).contains_key("logits"));
}

#[test]
fn a_prompt_that_cannot_be_read_is_refused() {
    let no_bos = with_config(|config| config["bos_token_id"] = Value::Null);
    let no_bos = no_bos.path().to_str().unwrap();
    let no_tokenizer = model_copy();
    fs::remove_file(no_tokenizer.path().join("tokenizer.json")).unwrap();
    let no_tokenizer = no_tokenizer.path().to_str().unwrap();
    let files = tempfile::tempdir().unwrap();
    let not_utf8 = files.path().join("latin1.txt");
    fs::write(&not_utf8, b"na\xefve").unwrap();
    let not_utf8 = not_utf8.to_str().unwrap();
    let huge = files.path().join("huge.txt");
    fs::File::create(&huge).unwrap().set_len(1 << 40).unwrap();
    let huge = huge.to_str().unwrap();
    let too_many = vec!["1"; 65].join(",");
    let too_long = "fox ".repeat(200);

    let cases: [(&[&str], &[&str]); 16] = [
        (
            &["--tokens", "5,384"],
            &["token 384 is unknown", "0 to 383"],
        ),
        (&["--tokens", "5,4294967296"], &["4294967296", "--tokens"]),
        (&["--tokens", "5,fox"], &["fox", "--tokens"]),
        (&["--tokens", "-1"], &["-1"]),
        (&["--tokens", ""], &["--tokens"]),
        (&["--tokens", &too_many], &["65 tokens", "at most 64"]),
        (
            &["--prompt", &too_long],
            &["tokens", "at most 64", "shorten"],
        ),
        (
            &["--model", no_bos, "--prompt", ""],
            &["the prompt is empty"],
        ),
        (
            &["--model", no_tokenizer, "--prompt=x"],
            &["no tokenizer.json", "--tokens"],
        ),
        (&["--prompt-file", not_utf8], &["latin1.txt", "UTF-8"]),
        (&["--prompt-file", huge], &["huge.txt", "16 MiB"]),
        (
            &["--prompt-file", "/no/such/file"],
            &["/no/such/file", "cannot read"],
        ),
        (&["--prompt-file", "/"], &["the prompt file /"]),
        (&["--prompt=a", "--tokens=1"], &["--prompt", "--tokens"]),
        (
            &["--prompt=a", "--prompt-file=b"],
            &["--prompt", "--prompt-file"],
        ),
        (
            &["--prompt-file=b", "--tokens=1"],
            &["--prompt-file", "--tokens"],
        ),
    ];
    let model = fixture("gpt2");
    let model = model.to_str().unwrap();
    for (args, words) in cases {
        let model: &[&str] = if args.contains(&"--model") {
            &[]
        } else {
            &["--model", model]
        };
        assert_refused([&["generate"], model, args].concat(), 2, words);
    }
}

#[test]
fn wrong_usage_is_refused() {
    let cases: [(&[&str], &[&str]); 23] = [
        (&["--model", "demo", "summary"], &["after the command"]),
        (&["nonsense"], &["nonsense"]),
        (&["--nonsense"], &["--nonsense"]),
        (
            &["generate", "--device", "abacus"],
            &["abacus", "cpu, cuda, metal"],
        ),
        (&["generate", "--dtype", "f8"], &["f8", "f32, f16, bf16"]),
        (&["generate", "--seed", "-1"], &["-1"]),
        (&["generate", "--max-new-tokens", "many"], &["many"]),
        (&["generate", "--temperature", "-1"], &["temperature is -1"]),
        (
            &["generate", "--temperature", "NaN"],
            &["temperature is NaN"],
        ),
        (&["generate", "--temperature", "hot"], &["hot"]),
        (&["generate", "--top-k", "0"], &["top-k is 0"]),
        (&["generate", "--top-p", "1.5"], &["top-p is 1.5"]),
        (
            &["generate", "--arch", "gpt2"],
            &["--arch gpt2", "weights", "--model"],
        ),
        (
            &["trace", "--arch", "gpt2", "-o", "x"],
            &["--arch gpt2", "--model"],
        ),
        (
            &["summary", "--arch", "gpt5"],
            &["gpt5", "gpt2-xl", "distilgpt2"],
        ),
        (
            &["summary", "--arch", "gpt2", "--model", "demo"],
            &["--arch", "--model"],
        ),
        (&["trace"], &["--output"]),
        (
            &["trace", "-o", "x", "--hooks", "hook_resid"],
            &["\"hook_resid\"", "hook_embed"],
        ),
        (
            &["trace", "-o", "x", "--hooks", "logits,blocks.99.*"],
            &["\"blocks.99.*\""],
        ),
        (&["trace", "-o", "x", "--hooks", ""], &["\"\""]),
        (
            &["snapshot", "-o", "x", "--size", "8x8"],
            &["8x8", "1280x720"],
        ),
        (
            &["snapshot", "-o", "x", "--focus", "blocks.x.q"],
            &["blocks.x.q", "hook_embed"],
        ),
        (
            &["record", "-o", "x", "--seconds", "-1"],
            &["-1", "above 0"],
        ),
    ];
    for (args, words) in cases {
        assert_refused(args, 2, words);
    }
    assert!(!Path::new("x").exists());
}

#[cfg(unix)]
#[test]
fn arguments_that_are_not_utf8_are_refused() {
    use std::os::unix::ffi::OsStrExt as _;

    let bad = OsStr::from_bytes(b"na\xefve");
    for args in [
        [OsStr::new("generate"), "--prompt".as_ref(), bad],
        [OsStr::new("summary"), "--model".as_ref(), bad],
        [OsStr::new("summary"), "--json".as_ref(), bad],
    ] {
        assert_refused(args, 2, &["error"]);
    }
    assert_refused([bad], 2, &["error"]);
}

#[test]
fn an_output_that_cannot_be_written_is_refused_and_an_existing_one_kept() {
    let folder = tempfile::tempdir().unwrap();
    let existing = folder.path().join("mine");
    fs::write(&existing, "mine").unwrap();
    let existing = existing.to_str().unwrap();
    let folder_path = folder.path().to_str().unwrap();
    let in_file = format!("{existing}/trace");
    let trace = |path: &str| ["trace", "--force", "-o", path].map(str::to_owned);

    assert_refused(["trace", "-o", existing], 1, &["mine exists", "--force"]);
    assert_eq!(fs::read(existing).unwrap(), b"mine");
    assert_refused(trace(&in_file), 1, &["cannot write", &in_file]);
    assert_refused(
        trace("/no/such/folder/x"),
        1,
        &["cannot write /no/such/folder/x"],
    );
    assert_refused(trace(folder_path), 1, &["cannot write", folder_path]);
    assert_eq!(fs::read_dir(folder_path).unwrap().count(), 1);

    stdout(trace(existing));
    assert!(read_f32_tensors(Path::new(existing)).contains_key("logits"));
}

#[test]
fn generate_continues_as_pytorch_does() {
    for family in FAMILIES {
        let reference = fixture(family).join("reference.json");
        let (tokens, greedy) = (
            read_ids(&reference, "tokens"),
            read_ids(&reference, "greedy"),
        );
        let no_tokenizer = tempfile::tempdir().unwrap();
        for file in ["config.json", "model.safetensors"] {
            fs::copy(fixture(family).join(file), no_tokenizer.path().join(file)).unwrap();
        }
        let args = |model: &Path| {
            let model = model.to_str().unwrap();
            let tokens = tokens.map_join(",");
            let count = greedy.len().to_string();
            [
                "generate",
                "--model",
                model,
                "--tokens",
                &tokens,
                "--max-new-tokens",
                &count,
            ]
            .map(str::to_owned)
        };

        let ids = stdout(args(no_tokenizer.path()));
        let text = stdout(args(&fixture(family)));
        let json = stdout(
            args(&fixture(family))
                .into_iter()
                .chain(["--json".to_owned()]),
        );

        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(ids.trim_end(), greedy.map_join(" "), "{family}");
        assert_eq!(json["prompt_tokens"], json!(tokens), "{family}");
        assert_eq!(json["new_tokens"], json!(greedy), "{family}");
        assert_eq!(json["seed"], 0, "{family}");
        assert_eq!(json["settings"]["temperature"], 0.0, "{family}");
        assert_eq!(json["stopped_by"], "max_new_tokens", "{family}");
        assert_eq!(
            json["text"].as_str().unwrap(),
            text.strip_suffix('\n').unwrap(),
            "{family}"
        );
    }
}

#[test]
fn generation_ends_with_the_context_or_the_text_and_says_so() {
    let model = fixture("gpt2");
    let model = model.to_str().unwrap();
    let ends_text = with_config(|config| config["eos_token_id"] = 246.into());
    let ends_text = ends_text.path().to_str().unwrap();
    let tokens = read_ids(&fixture("gpt2").join("reference.json"), "tokens").map_join(",");

    let full = run([
        "generate",
        "--json",
        "--model",
        model,
        "--max-new-tokens=100",
    ]);
    let ended = run([
        "generate", "--json", "--model", ends_text, "--tokens", &tokens,
    ]);

    let json: Value = serde_json::from_slice(&full.stdout).unwrap();
    let n_tokens = |field: &str| json[field].as_array().unwrap().len();
    assert_eq!(n_tokens("prompt_tokens") + n_tokens("new_tokens"), 64);
    assert_eq!(json["stopped_by"], "context_full");
    assert!(String::from_utf8_lossy(&full.stderr).contains("at most 64 tokens"));
    let json: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(json["new_tokens"], json!([20, 133]));
    assert_eq!(json["stopped_by"], "end_of_text");
    assert!(String::from_utf8_lossy(&ended.stderr).contains("ended the text"));
}

#[test]
fn a_prompt_reads_the_same_from_option_file_and_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prompt.txt");
    fs::write(&file, "Two quick foxes\n").unwrap();
    let generate = |args: &[&str]| stdout([&["generate", "--json"], args].concat());

    let from_option = generate(&["--prompt", "Two quick foxes"]);
    let from_file = generate(&["--prompt-file", file.to_str().unwrap()]);
    let from_input = output(
        Command::new(PROGRAM)
            .args(["generate", "--json", "--prompt-file", "-"])
            .write_stdin("Two quick foxes\r\n"),
    );

    assert_eq!(from_file, from_option);
    assert_eq!(String::from_utf8_lossy(&from_input.stdout), from_option);
}

#[test]
fn an_empty_prompt_is_the_token_that_begins_a_text() {
    let model = fixture("gpt2");
    let json = stdout([
        "generate",
        "--json",
        "--prompt=",
        "--model",
        model.to_str().unwrap(),
    ]);

    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["prompt_tokens"], json!([0]));
}

#[test]
fn the_same_seed_gives_the_same_text_and_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["a", "b"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    let sampled = ["--temperature=1.5", "--seed=7", "--top-k=50", "--top-p=0.9"];
    let generate = || stdout(["generate", "--json"].into_iter().chain(sampled));

    for file in &files {
        let trace = ["trace", "--max-new-tokens=5", "-o", file];
        stdout(trace.into_iter().chain(sampled));
    }

    assert_eq!(generate(), generate());
    assert_eq!(fs::read(&files[0]).unwrap(), fs::read(&files[1]).unwrap());
    let other_seed = stdout(["generate", "--json", "--temperature=1.5", "--seed=8"]);
    assert_ne!(generate(), other_seed);
}

#[test]
fn trace_saves_every_value_that_pytorch_computes() {
    let folder = tempfile::tempdir().unwrap();
    for family in FAMILIES {
        let model = fixture(family);
        let tokens = read_ids(&model.join("reference.json"), "tokens").map_join(",");
        let saved = folder.path().join(family);
        stdout([
            "trace",
            "--tokens",
            &tokens,
            "--model",
            model.to_str().unwrap(),
            "-o",
            saved.to_str().unwrap(),
        ]);

        let mut saved = read_f32_tensors(&saved);
        saved.retain(|name, _| !name.starts_with("llmscope."));
        let reference = read_f32_tensors(&model.join("reference.safetensors"));
        let config =
            ModelConfig::from_json(&fs::read_to_string(model.join("config.json")).unwrap())
                .unwrap();
        let mut hooks: Vec<String> = config
            .hook_points()
            .iter()
            .map(ToString::to_string)
            .collect();
        hooks.sort();
        assert_eq!(saved.keys().cloned().collect::<Vec<_>>(), hooks, "{family}");
        let mut n_compared = 0;
        for (name, (shape, values)) in &saved {
            let Some((expected_shape, expected)) = reference.get(name) else {
                continue; // PyTorch does not give them all.
            };
            assert_eq!(shape, expected_shape, "{family} {name}");
            for (value, expected) in values.iter().zip(expected) {
                let is_close = value == expected || (value - expected).abs() <= TOLERANCE;
                assert!(is_close, "{family} {name}: {value}, expected {expected}");
            }
            n_compared += 1;
        }
        let n_expected = hooks.iter().filter(|hook| reference.contains_key(*hook));
        assert_eq!(n_compared, n_expected.count(), "{family}");
        assert!(n_compared > 10 * config.n_layers, "{family}");
    }
}

#[test]
fn trace_saves_only_the_hooks_asked_for_over_prompt_and_continuation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");

    stdout([
        "trace",
        "--tokens=1,2,3",
        "--max-new-tokens=2",
        "--hooks=blocks.*.attn.hook_pattern,logits,blocks.1.*pattern",
        "-o",
        path.to_str().unwrap(),
    ]);

    let bytes = fs::read(&path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut names = file.names();
    // What the program needs to show it again has names of its own.
    names.retain(|name| !name.starts_with("llmscope."));
    names.sort_unstable();
    let [patterns @ .., logits, tokens] = names.as_slice() else {
        panic!("{names:?}");
    };
    assert!(!patterns.is_empty());
    assert!(
        patterns
            .iter()
            .all(|name| name.ends_with("attn.hook_pattern"))
    );
    assert_eq!((*logits, *tokens), ("logits", "tokens"));
    assert_eq!(file.tensor("tokens").unwrap().shape(), [5]);
    assert_eq!(file.tensor("logits").unwrap().shape()[0], 5);
    assert_eq!(file.tensor(patterns[0]).unwrap().shape()[1..], [5, 5]);
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let about: Value =
        serde_json::from_str(&metadata.metadata().as_ref().unwrap()["llmscope"]).unwrap();
    assert_eq!(about["prompt_tokens"], json!([1, 2, 3]));
    assert_eq!(about["model"], "demo");
    assert_eq!(about["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_summary_counts_the_bytes_that_the_loaded_model_takes() {
    let formats = fixture("formats");
    for (path, dtype, precision, told) in [
        (
            formats.join("gpt2-Q8_0.gguf"),
            "auto",
            Precision::Auto,
            "stored",
        ),
        (
            formats.join("gpt2-Q8_0.gguf"),
            "q8_0",
            Precision::Q8_0,
            "q8_0",
        ),
        (
            formats.join("llama-F16.gguf"),
            "auto",
            Precision::Auto,
            "f32",
        ),
        (fixture("llama"), "q8_0", Precision::Q8_0, "q8_0"), // 104 wide: no whole blocks
        (fixture("gpt_neox"), "bf16", Precision::Bf16, "bf16"),
        ("demo".into(), "q8_0", Precision::Q8_0, "q8_0"), // tied: kept twice
    ] {
        let path = path.to_str().unwrap();
        let source: ModelSource = path.parse().unwrap();
        let settings = LoadSettings {
            precision,
            ..LoadSettings::default()
        };
        let model = Model::load(&source, &settings, &mut |_| {}).unwrap();
        let expected = model.weights().unwrap().byte_count();

        let summary = stdout(["summary", "--json", "--model", path, "--dtype", dtype]);
        let summary: Value = serde_json::from_str(&summary).unwrap();

        assert_eq!(summary["total"]["bytes"], expected, "{path} {dtype}");
        assert_eq!(summary["dtype"], told, "{path} {dtype}");
        let parts = summary["parts"].as_array().unwrap().iter();
        let sum: u64 = parts.map(|part| part["bytes"].as_u64().unwrap()).sum();
        assert_eq!(sum, expected, "{path} {dtype}");
    }
}

#[test]
fn a_model_in_8_bits_is_asked_for_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let logits = |dtype: &str| {
        let path = folder.path().join(dtype);
        let path = path.to_str().unwrap();
        let tokens = ["--tokens", "1,2,3", "--hooks", "logits"];
        let model = ["trace", "--model", "demo", "--dtype", dtype, "-o", path];
        stdout(model.into_iter().chain(tokens));
        read_f32_tensors(Path::new(path))
            .remove("logits")
            .unwrap()
            .1
    };

    let (exact, in_8_bits) = (logits("f32"), logits("q8_0"));

    let off = |(a, b): (&f32, &f32)| (a - b).abs();
    let worst = exact.iter().zip(&in_8_bits).map(off).fold(0.0, f32::max);
    assert!(worst > 1e-3 && worst < 0.5, "{worst}");
}

#[test]
fn a_trace_without_a_part_is_pytorchs() {
    for family in FAMILIES {
        let reference = read_f32_tensors(&fixture(family).join("reference.safetensors"));
        let tokens = read_ids(&fixture(family).join("reference.json"), "tokens");
        let tokens: Vec<String> = tokens.iter().map(u32::to_string).collect();
        for part in [
            "blocks.1.attn.hook_z:1",
            "blocks.1.attn.hook_z:3",
            "blocks.1.mlp.hook_post:5",
            "blocks.1.mlp.hook_post:33",
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("trace.safetensors");
            stdout([
                OsStr::new("trace"),
                "--model".as_ref(),
                fixture(family).as_os_str(),
                "--tokens".as_ref(),
                tokens.join(",").as_ref(),
                "--hooks=logits".as_ref(),
                "--ablate".as_ref(),
                part.as_ref(),
                "-o".as_ref(),
                path.as_os_str(),
            ]);

            let (shape, logits) = read_f32_tensors(&path).remove("logits").unwrap();
            let (_, expected) = &reference[&format!("ablate.{}", part.replace(':', "."))];
            let last = &logits[(shape[0] - 1) * shape[1]..];
            for (got, expected) in last.iter().zip(expected) {
                assert!(
                    (got - expected).abs() <= TOLERANCE,
                    "{part}: {got} {expected}"
                );
            }
        }
    }
}

#[test]
fn generate_tells_what_setting_parts_to_zero_does() {
    let model = fixture("gpt2").into_os_string().into_string().unwrap();
    let reference = read_f32_tensors(&fixture("gpt2").join("reference.safetensors"));
    let tokens = read_ids(&fixture("gpt2").join("reference.json"), "tokens");
    let tokens: Vec<String> = tokens.iter().map(u32::to_string).collect();
    let (part, text) = ("blocks.1.attn.hook_z:3", tokens.join(","));
    let args = [
        "generate", "--model", &model, "--tokens", &text, "--ablate", part,
    ];

    let told = run(args.iter().copied().chain(["--max-new-tokens=3"]));
    let json = stdout(args.iter().copied().chain(["--max-new-tokens=3", "--json"]));

    let stderr = String::from_utf8_lossy(&told.stderr);
    assert!(
        stderr.starts_with("without blocks.1.attn.hook_z:3: the logit of"),
        "{stderr}"
    );
    let json: Value = serde_json::from_str(&json).unwrap();
    let effect = &json["ablation"];
    assert_eq!(
        (&effect["target"], &effect["parts"][0]),
        (&json!(20), &json!(part))
    );
    let after = reference[&format!("ablate.{}", part.replace(':', "."))].1[20];
    assert!((effect["logit_after"].as_f64().unwrap() as f32 - after).abs() < TOLERANCE);
    assert!(effect["kl"].as_f64().unwrap() > 0.0);
    let new = &json["new_tokens"];
    let first = (0..).zip(&reference[&format!("ablate.{}", part.replace(':', "."))].1);
    let best = first.max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
    assert_eq!(new[0], json!(best));
    for (part, words) in [
        ("blocks.1.attn.hook_z:9", ["head 9", "0 to 3"]),
        ("blocks.7.attn.hook_z:1", ["blocks.7", "0 to 2"]),
        ("nonsense", ["nonsense", "such as"]),
        ("logits:1", ["logits", "zero"]),
    ] {
        for command in [&["generate"][..], &["trace", "-o", "/tmp/no-such-trace"]] {
            let more = ["--model", &model, "--tokens", "1,2", "--ablate", part];
            assert_refused(command.iter().copied().chain(more), 2, &words);
        }
    }
}

#[test]
fn summary_counts_what_gpt2_medium_has() {
    let summary = stdout(["summary", "--arch", "gpt2-medium", "--dtype=bf16", "--json"]);
    let table = stdout(["summary", "--arch", "gpt2-medium"]);

    let summary: Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["n_layers"], 24);
    assert_eq!(summary["total_heads"], 384);
    assert_eq!(summary["total_neurons"], 98_304);
    assert_eq!(summary["total"]["parameters"], 354_823_168);
    assert_eq!(summary["total"]["bytes"], 2 * 354_823_168u64);
    let parts = summary["parts"].as_array().unwrap();
    let sum: u64 = parts
        .iter()
        .map(|part| part["parameters"].as_u64().unwrap())
        .sum();
    assert_eq!(parts.len(), 24 + 2);
    assert_eq!(parts[1]["name"], "layer 0");
    assert_eq!(sum, 354_823_168);
    for text in [
        "384",
        "98,304",
        "354,823,168",
        "1.32 GiB",
        "h.23.mlp.c_fc.weight",
        "100.0 %",
    ] {
        assert!(table.contains(text), "{text} in\n{table}");
    }
}

#[test]
fn summary_reads_the_shape_of_a_model_without_its_weights() {
    let folder = with_file("model.safetensors", "");
    let summary = stdout([
        "summary",
        "--json",
        "--model",
        folder.path().to_str().unwrap(),
    ]);

    let summary: Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["n_layers"], 3);
    assert_eq!(summary["d_mlp"], 192);
    assert!(!stdout(["summary"]).is_empty());
}

#[test]
fn help_manual_and_completions_name_every_command() {
    let texts = [
        stdout(["--help"]),
        stdout(["man"]),
        stdout(["completions", "bash"]),
        stdout(["completions", "zsh"]),
        stdout(["completions", "fish"]),
    ];
    for command in COMMANDS {
        assert!(texts.iter().all(|text| text.contains(command)), "{command}");
        assert!(
            stdout([command, "--help"]).contains("Usage: llmscope"),
            "{command}"
        );
    }
    assert!(texts[1].contains("max\\-new\\-tokens"), "{}", texts[1]);
    assert!(stdout(["--version"]).starts_with("llmscope "));
}

#[cfg(not(feature = "viewer"))]
#[test]
fn a_build_without_the_viewer_says_so() {
    assert_refused(["view"], 1, &["built without"]);
    assert_refused(["snapshot", "-o", "x"], 1, &["built without"]);
    assert_refused(["record", "-o", "x"], 1, &["built without"]);
}

/// `generate | head -c1`, but sure to be closed before all is written.
#[cfg(unix)]
#[test]
fn a_closed_output_ends_the_program_quietly() {
    for args in [
        &["generate", "--max-new-tokens=40"][..],
        &["generate", "--json"],
        &["summary", "--arch=gpt2-xl"],
        &["summary", "--arch=gpt2-xl", "--json"],
        &["completions", "bash"],
        &["man"],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = std::process::Command::new(PROGRAM)
            .args(args)
            .stdout(writer)
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap();

        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
        assert_eq!(output.status.code(), Some(0), "{args:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_standard_output_is_an_error() {
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = std::process::Command::new(PROGRAM)
        .args(["summary"])
        .stdout(full)
        .output()
        .unwrap();

    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard output"));
}

trait MapJoin {
    fn map_join(&self, separator: &str) -> String;
}

impl MapJoin for Vec<u32> {
    fn map_join(&self, separator: &str) -> String {
        let words: Vec<String> = self.iter().map(ToString::to_string).collect();
        words.join(separator)
    }
}
