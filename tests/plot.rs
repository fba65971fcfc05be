//! `plot` from outside: every view in every form, numbers as PyTorch's, and what it refuses.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its case has failed"
)]

mod common;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use assert_cmd::Command;
use common::program::{self, PROGRAM, run};
use common::{FAMILIES, fixture, read_f32_tensors, read_ids};
use resvg::usvg;
use safetensors::tensor::TensorView;
use serde_json::Value;
use tempfile::TempDir;

/// Relative to the greatest entry, as gradients sum many terms.
const GRADIENT_TOLERANCE: f32 = 1e-3;
/// Absolute.
const TOLERANCE: f32 = 1e-4;

/// Every kind, with every way to ask for it that draws another figure.
const VIEWS: &[&[&str]] = &[
    &["activations"],
    &[
        "activations",
        "--hook",
        "mlp.hook_post",
        "--measure",
        "max-abs",
    ],
    &["activations", "--hook", "hook_resid_post", "--index", "7"],
    &["activations", "--hook", "hook_embed"],
    &["attention"],
    &["attention", "--layer", "1"],
    &["attention", "--layer", "1", "--head", "3"],
    &["attention", "--layer", "1", "--mean"],
    &["attention", "--rollout"],
    &["attention", "--scores", "--score", "entropy"],
    &["attribution"],
    &["attribution", "--by", "head"],
    &["attribution", "--by", "mlp"],
    &["attribution", "--by", "neuron"],
    &["embeddings"],
    &["embeddings", "--of", "1", "--dims", "3"],
    &["embeddings", "--of", "vocab", "--method", "umap"],
    &["embeddings", "--method", "tsne"],
    &["logit-lens"],
    &["logit-lens", "--value", "kl"],
    &["saliency"],
    &["saliency", "--method", "grad-norm", "--by", "layer"],
    &["saliency", "--by", "head"],
    &["saliency", "--by", "neuron", "--layer", "1"],
    &[
        "saliency",
        "--method",
        "integrated",
        "--steps",
        "8",
        "--baseline",
        "mean",
    ],
    &["summary"],
];

/// `plot` of a view over a fixture's text, and where it goes.
fn plot_args(view: &[&str], family: &str, output: &Path) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec!["plot".into()];
    args.extend(view.iter().map(Into::into));
    args.extend(["--model".into(), fixture(family).into_os_string()]);
    if view[0] != "summary" && view[0] != "architecture" {
        let tokens = read_ids(&fixture(family).join("reference.json"), "tokens");
        let tokens: Vec<String> = tokens.iter().map(u32::to_string).collect();
        args.extend(["--tokens".into(), tokens.join(",").into()]);
    }
    args.extend(["-o".into(), output.into()]);
    args
}

#[track_caller]
fn plot(view: &[&str], family: &str, output: &Path) {
    let result = run(plot_args(view, family, output));
    let stderr = String::from_utf8_lossy(&result.stderr);
    assert!(result.status.success(), "{view:?}\n{stderr}");
    assert_eq!(result.stdout, b"", "{view:?}");
}

/// What `plot` writes as JSON.
#[track_caller]
fn json(view: &[&str], family: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plot.json");
    plot(view, family, &path);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// A column of a plot's JSON, by its name.
fn column(json: &Value, name: &str) -> Vec<f32> {
    let columns = json["columns"].as_array().unwrap();
    let index = columns
        .iter()
        .position(|column| column["name"] == name)
        .unwrap();
    let rows = json["rows"].as_array().unwrap();
    rows.iter()
        .map(|row| row[index].as_f64().unwrap() as f32)
        .collect()
}

/// A fact whose name begins so.
fn fact(json: &Value, name: &str) -> f32 {
    let facts = json["facts"].as_object().unwrap();
    let (_, value) = facts.iter().find(|(key, _)| key.starts_with(name)).unwrap();
    value.as_f64().unwrap() as f32
}

#[track_caller]
fn assert_close(got: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(got.len(), expected.len());
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        let distance = (got - expected).abs();
        assert!(distance <= tolerance, "{index}: {got} for {expected}");
    }
}

fn greatest(values: &[f32]) -> f32 {
    values.iter().map(|value| value.abs()).fold(0.0, f32::max)
}

/// The reference's target, as the command line names it.
fn target(family: &str) -> (u32, String) {
    let path = fixture(family).join("reference.json");
    let json: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let token = json["target"].as_u64().unwrap() as u32;
    (token, format!("#{token}"))
}

fn reference(family: &str, name: &str) -> Vec<f32> {
    let path = fixture(family).join("reference.safetensors");
    read_f32_tensors(&path).remove(name).unwrap().1
}

/// Asserts that a plot is refused in two lines at most, and that nothing was written.
#[track_caller]
fn assert_refused(args: &[&str], exit_code: i32, words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plot.json");
    let mut all: Vec<OsString> = vec!["plot".into()];
    all.extend(args.iter().map(Into::into));
    if !args.contains(&"-o") {
        all.extend(["-o".into(), path.into()]);
    }
    program::assert_refused(&all, exit_code, words);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{all:?}");
}

/// The fixture `gpt2` with one tensor changed.
fn with_tensor(end: &str, change: impl Fn(&mut [u8])) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "tokenizer.json"] {
        fs::copy(fixture("gpt2").join(file), folder.path().join(file)).unwrap();
    }
    let bytes = fs::read(fixture("gpt2").join("model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<_> = file
        .iter()
        .map(|(name, tensor)| {
            let shape = tensor.shape().to_vec();
            (
                name.to_owned(),
                tensor.dtype(),
                shape,
                tensor.data().to_vec(),
            )
        })
        .collect();
    let found = tensors.iter_mut().find(|(name, ..)| name.ends_with(end));
    change(&mut found.unwrap().3);
    let views = tensors.iter().map(|(name, dtype, shape, data)| {
        (name, TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    let path = folder.path().join("model.safetensors");
    safetensors::serialize_to_file(views, None, &path).unwrap();
    folder
}

fn fill(value: f32) -> impl Fn(&mut [u8]) {
    move |data| {
        for number in data.chunks_exact_mut(4) {
            number.copy_from_slice(&value.to_le_bytes());
        }
    }
}

#[test]
fn every_view_is_drawn_and_written_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    for view in VIEWS {
        let file = |ending: &str| folder.path().join(format!("plot.{ending}"));
        for ending in ["png", "svg", "json", "csv"] {
            let mut args = view.to_vec();
            args.push("--force");
            if ending == "png" {
                args.extend(["--size", "640x480"]);
            }
            plot(&args, "gpt2", &file(ending));
        }

        let picture = BufReader::new(File::open(file("png")).unwrap());
        let mut reader = png::Decoder::new(picture).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let info = reader.info();
        assert_eq!((info.width, info.height), (640, 480), "{view:?}");
        let ground = &pixels[..4];
        assert!(
            pixels.chunks(4).any(|pixel| pixel != ground),
            "{view:?} is empty"
        );

        let svg = fs::read_to_string(file("svg")).unwrap();
        let tree = usvg::Tree::from_str(&svg, &usvg::Options::default()).unwrap();
        assert!(tree.size().width() > 400.0, "{view:?}");

        let json: Value = serde_json::from_slice(&fs::read(file("json")).unwrap()).unwrap();
        assert_eq!(json["kind"], view[0]);
        assert!(!json["title"].as_str().unwrap().is_empty());
        assert!(json["model"].as_str().unwrap().ends_with("gpt2"));
        assert_eq!(json["llmscope"], env!("CARGO_PKG_VERSION"));
        let rows = json["rows"].as_array().unwrap();
        let n_columns = json["columns"].as_array().unwrap().len();
        assert!(
            !rows.is_empty()
                && rows
                    .iter()
                    .all(|row| row.as_array().unwrap().len() == n_columns)
        );

        let csv = fs::read_to_string(file("csv")).unwrap();
        assert!(csv.starts_with("# llmscope: "), "{view:?}");
        // More than one for each row: token texts hold line breaks, in quotes.
        let n_lines = csv.lines().filter(|line| !line.starts_with("# ")).count();
        assert!(
            n_lines > rows.len(),
            "{view:?}: {n_lines} lines for {} rows",
            rows.len()
        );
    }
}

#[test]
fn the_same_question_is_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    for ending in ["png", "svg", "json"] {
        let [first, second] = ["a", "b"].map(|name| folder.path().join(format!("{name}.{ending}")));
        let view = [
            "embeddings",
            "--of",
            "vocab",
            "--method",
            "tsne",
            "--seed",
            "3",
        ];
        plot(&view, "gpt2", &first);
        plot(&view, "gpt2", &second);
        assert_eq!(
            fs::read(first).unwrap(),
            fs::read(second).unwrap(),
            "{ending}"
        );
    }
}

#[test]
fn attention_and_activations_are_pytorchs() {
    for family in FAMILIES {
        let pattern = reference(family, "blocks.1.attn.hook_pattern");
        let n = read_ids(&fixture(family).join("reference.json"), "tokens").len();
        let head = &pattern[2 * n * n..3 * n * n];
        let lower = (0..n).flat_map(|query| &head[query * n..=query * n + query]);
        let lower: Vec<f32> = lower.copied().collect();
        let weights = column(
            &json(&["attention", "--layer", "1", "--head", "2"], family),
            "weight",
        );
        assert_close(&weights, &lower, TOLERANCE);

        let resid = reference(family, "blocks.1.hook_resid_post");
        let norms: Vec<f32> = resid
            .chunks(resid.len() / n)
            .map(|row| row.iter().map(|x| x * x).sum::<f32>().sqrt())
            .collect();
        let view = ["activations", "--hook", "blocks.1.hook_resid_post"];
        assert_close(
            &column(&json(&view, family), "value"),
            &norms,
            1e-5 * greatest(&norms),
        );
    }
}

#[test]
fn saliency_is_pytorchs_and_integrated_gradients_are_complete() {
    for family in FAMILIES {
        let (_, target) = target(family);
        for (name, view) in [
            (
                "saliency.grad_norm",
                &["saliency", "--method", "grad-norm", "--target", &target][..],
            ),
            ("saliency.grad_x_input", &["saliency", "--target", &target]),
            (
                "saliency.integrated_gradients",
                &["saliency", "--method", "integrated", "--target", &target],
            ),
        ] {
            let expected = reference(family, name);
            let got = json(view, family);
            let tolerance = GRADIENT_TOLERANCE * greatest(&expected);
            assert_close(&column(&got, "saliency"), &expected, tolerance);
            if name.ends_with("integrated_gradients") {
                let sum: f32 = column(&got, "saliency").iter().sum();
                let error = sum - (fact(&got, "target") - fact(&got, "baseline"));
                assert!((error - fact(&got, "completeness error")).abs() < TOLERANCE);
            }
        }
    }
}

#[test]
fn the_logit_lens_is_pytorchs() {
    for family in FAMILIES {
        assert_lens(family);
    }
}

fn assert_lens(family: &str) {
    let lens = reference(family, "logit_lens.1");
    let n = read_ids(&fixture(family).join("reference.json"), "tokens").len();
    let json = json(&["logit-lens", "--top", "1"], family);

    let rows = json["rows"].as_array().unwrap();
    let got: Vec<&Value> = rows
        .iter()
        .filter(|row| row[0] == "blocks.1.hook_resid_post")
        .collect();

    assert_eq!(got.len(), n);
    // The reference has every position, or the last alone.
    let n_rows = lens.len() / 384;
    for (logits, row) in lens.chunks(384).zip(&got[n - n_rows..]) {
        let best = (0..384)
            .max_by(|a, b| logits[*a].total_cmp(&logits[*b]))
            .unwrap();
        let sum: f32 = logits
            .iter()
            .map(|logit| (logit - logits[best]).exp())
            .sum();
        assert_eq!(row[3], best);
        assert!((row[5].as_f64().unwrap() as f32 - 1.0 / sum).abs() < TOLERANCE);
    }
}

#[test]
fn the_parts_of_an_attribution_sum_to_the_logit() {
    for family in FAMILIES {
        let (token, target) = target(family);
        let json = json(
            &["attribution", "--target", &target, "--minus", "#7"],
            family,
        );
        let token = token as usize;
        let logits = reference(family, "logits");
        let n = read_ids(&fixture(family).join("reference.json"), "tokens").len();
        let last = &logits[logits.len() / n * (n - 1)..];
        let sum: f32 = column(&json, "adds").iter().sum();

        assert!((fact(&json, "target") - (last[token] - last[7])).abs() < TOLERANCE);
        assert!(
            (sum - (last[token] - last[7])).abs() < 10.0 * TOLERANCE,
            "{sum}"
        );
    }
}

#[test]
fn the_parts_of_heads_are_pytorchs() {
    let heads = reference("gpt2", "direct.heads");
    let (_, target) = target("gpt2");
    let json = json(
        &["attribution", "--by", "head", "--target", &target],
        "gpt2",
    );

    assert_close(&column(&json, "adds"), &heads, TOLERANCE);
}

#[test]
fn an_ablated_part_changes_what_is_plotted() {
    let view = ["attention", "--layer", "2", "--head", "0"];
    let whole = column(&json(&view, "gpt2"), "weight");
    let mut ablated = view.to_vec();
    ablated.extend([
        "--ablate",
        "blocks.1.attn.hook_z:3,blocks.0.mlp.hook_post:5",
    ]);
    let json = json(&ablated, "gpt2");

    assert_ne!(column(&json, "weight"), whole);
    assert_eq!(json["asked"]["ablate"][1], "blocks.0.mlp.hook_post:5");
}

#[test]
fn architecture_names_every_place_and_weight_of_a_shape() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    let output = run([
        "plot",
        "architecture",
        "--arch",
        "gpt2-medium",
        "-o",
        path.to_str().unwrap(),
    ]);
    assert!(output.status.success());

    let csv = fs::read_to_string(path).unwrap();

    assert!(csv.contains("# parameters: 354823168\n"), "{csv}");
    assert!(
        csv.contains("\nblocks.23.attn.hook_pattern,attention,23,value,16xquery_posxkey_pos,,")
    );
    assert!(csv.contains("\nembed.W_E,"));
    let parameters = csv.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        (cells.get(3) == Some(&"weight")).then(|| cells[5].parse::<u64>().unwrap())
    });
    assert_eq!(parameters.sum::<u64>(), 354_823_168);
}

#[test]
fn standard_output_takes_any_form_that_is_named() {
    let model = fixture("gpt2").into_os_string().into_string().unwrap();
    let args = ["plot", "summary", "--model", &model, "-o", "-", "--format"];
    let with = |format: &str| {
        let output = run(args.iter().copied().chain([format]));
        assert!(output.status.success());
        output.stdout
    };

    assert!(with("svg").starts_with(b"<svg "));
    assert!(with("png").starts_with(b"\x89PNG"));
    assert!(serde_json::from_slice::<Value>(&with("json")).is_ok());
    assert_refused(&["summary", "--model", &model, "-o", "-"], 2, &["--format"]);
}

#[test]
fn what_is_not_there_is_refused_with_what_there_is() {
    let model = fixture("gpt2").into_os_string().into_string().unwrap();
    let tokens = ["--model", &model, "--tokens", "1,2,3"];
    for (args, words) in [
        (
            &["attention", "--layer", "3"][..],
            &["--layer 3", "0 to 2"][..],
        ),
        (
            &["attention", "--layer", "1", "--head", "4"],
            &["--head 4", "0 to 3"],
        ),
        (&["attention", "--head", "1"], &["--layer"]),
        (&["attention", "--layer", "x"], &["--layer"]),
        (
            &["activations", "--hook", "nonsense"],
            &["nonsense", "hook_embed"],
        ),
        (
            &["activations", "--hook", "attn.hook_pattern"],
            &["plot attention"],
        ),
        (
            &["activations", "--index", "48"],
            &["--index is 48", "48 numbers"],
        ),
        (
            &["activations", "--index", "1", "--measure", "mean"],
            &["--measure"],
        ),
        (&["embeddings", "--of", "3"], &["--of 3", "0 to 2"]),
        (&["embeddings", "--of", "everything"], &["prompt, vocab"]),
        (&["embeddings", "--dims", "4"], &["--dims"]),
        (
            &["logit-lens", "--position", "3"],
            &["position 3", "0 to 2"],
        ),
        (&["saliency", "--position", "3"], &["position 3", "0 to 2"]),
        (&["saliency", "--target", "#384"], &["#384", "#0 to #383"]),
        (
            &["saliency", "--target", "no such word"],
            &["no such word", "no single token"],
        ),
        (
            &["saliency", "--target", "#5", "--minus", "#5"],
            &["itself"],
        ),
        (
            &["saliency", "--by", "neuron", "--layer", "3"],
            &["--layer 3", "0 to 2"],
        ),
        (
            &["saliency", "--method", "integrated", "--by", "head"],
            &["--by"],
        ),
        (
            &["saliency", "--method", "integrated", "--steps", "0"],
            &["--steps"],
        ),
        (
            &["saliency", "--method", "integrated", "--baseline", "#999"],
            &["--baseline", "#383"],
        ),
        (
            &["attribution", "--target", "#7", "--minus", "#7"],
            &["itself"],
        ),
        (
            &["attribution", "--position", "9"],
            &["position 9", "0 to 2"],
        ),
        (
            &["attention", "--ablate", "blocks.9.attn.hook_z:1"],
            &["blocks.9", "0 to 2"],
        ),
        (
            &["attention", "--ablate", "blocks.1.attn.hook_z:4"],
            &["head 4", "0 to 3"],
        ),
        (
            &["attention", "--ablate", "nonsense"],
            &["nonsense", "such as"],
        ),
        (&["nonsense"], &["nonsense"]),
        (&["activations", "--size", "8x8"], &["--size"]),
        (&["activations", "--scale", "99"], &["--scale", "0.5 to 8"]),
    ] {
        let all: Vec<&str> = args.iter().copied().chain(tokens).collect();
        assert_refused(&all, 2, words);
    }
    // The most probable token compared with itself: known only once the model has run.
    let wish = json(&["saliency"], "gpt2")["asked"]["target_token"].to_string();
    let tokens: Vec<String> = read_ids(&fixture("gpt2").join("reference.json"), "tokens")
        .iter()
        .map(u32::to_string)
        .collect();
    let args = [
        "saliency",
        "--minus",
        &format!("#{wish}"),
        "--model",
        &model,
        "--tokens",
        &tokens.join(","),
    ];
    assert_refused(&args, 2, &["itself"]);
}

#[test]
fn a_shape_without_weights_has_nothing_to_plot_but_its_parts() {
    for kind in [
        "activations",
        "attention",
        "attribution",
        "embeddings",
        "logit-lens",
        "saliency",
    ] {
        assert_refused(
            &[kind, "--arch", "gpt2"],
            2,
            &["without weights", "--model"],
        );
    }
    assert_refused(
        &["attention", "--model", "./no/such/folder"],
        4,
        &["no/such/folder"],
    );
}

#[test]
fn a_text_of_one_token_is_plotted_where_it_can_be_and_refused_where_not() {
    let folder = tempfile::tempdir().unwrap();
    let model = fixture("gpt2").into_os_string().into_string().unwrap();
    for view in VIEWS
        .iter()
        .filter(|view| view[0] != "summary" && view[0] != "embeddings")
    {
        for ending in ["png", "json"] {
            let path = folder.path().join(format!("plot.{ending}"));
            let mut args = vec!["plot"];
            args.extend(*view);
            let path = path.to_str().unwrap();
            args.extend(["--model", &model, "--tokens", "5", "--force", "-o", path]);
            let output = run(&args);
            assert!(
                output.status.success(),
                "{args:?}\n{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
    let one = ["--model", &model, "--tokens", "5"];
    let all: Vec<&str> = ["attention", "--scores"].into_iter().chain(one).collect();
    assert_refused(&all, 2, &["induction", "comes again"]);
    let all: Vec<&str> = ["embeddings"].into_iter().chain(one).collect();
    assert_refused(&all, 1, &["vectors"]);
}

#[test]
fn weights_that_are_all_alike_or_no_numbers_are_drawn_or_refused_never_a_crash() {
    let nan = with_tensor("h.1.mlp.c_proj.bias", fill(f32::NAN));
    let flat = with_tensor("wte.weight", fill(0.0));
    let folder = tempfile::tempdir().unwrap();
    for model in [nan.path(), flat.path()] {
        for view in VIEWS {
            for ending in ["png", "csv"] {
                let path = folder.path().join(format!("plot.{ending}"));
                let mut args: Vec<OsString> = vec!["plot".into()];
                args.extend(view.iter().map(Into::into));
                args.extend([
                    "--model".into(),
                    model.into(),
                    "--force".into(),
                    "-o".into(),
                    path.into(),
                ]);
                if view[0] != "summary" {
                    args.extend(["--tokens".into(), "1,2,3,1,2".into()]);
                }
                let output = run(&args);
                let stderr = String::from_utf8_lossy(&output.stderr);
                let is_told = matches!(output.status.code(), Some(0 | 1 | 2 | 4));
                assert!(
                    is_told && !stderr.contains("panicked"),
                    "{args:?}\n{stderr}"
                );
                assert!(stderr.lines().count() <= 2, "{args:?}\n{stderr}");
            }
        }
    }
    let path = folder.path().join("nan.svg");
    let output = run([
        "plot".into(),
        "activations".into(),
        "--tokens=1,2".into(),
        "--model".into(),
        nan.path().as_os_str().to_owned(),
        "-o".into(),
        path.clone().into_os_string(),
    ]);
    assert!(output.status.success());
    let svg = fs::read_to_string(path).unwrap();
    assert!(
        svg.contains("not finite") && svg.contains("#ff00c8"),
        "it is counted in the legend"
    );
}

#[test]
fn an_output_that_cannot_be_written_is_refused_and_an_existing_one_kept() {
    let folder = tempfile::tempdir().unwrap();
    let existing = folder.path().join("mine.png");
    fs::write(&existing, "mine").unwrap();
    let existing = existing.to_str().unwrap();
    let model = fixture("gpt2").into_os_string().into_string().unwrap();
    let refuse = |path: &str, code: i32, words: &[&str], more: &[&str]| {
        let mut args = vec!["summary", "--model", &model, "-o", path];
        args.extend(more);
        assert_refused(&args, code, words);
    };

    refuse(existing, 1, &["mine.png", "exists", "--force"], &[]);
    assert_eq!(fs::read(existing).unwrap(), b"mine");
    refuse(
        "/no/such/folder/a.png",
        1,
        &["/no/such/folder", "does not exist"],
        &[],
    );
    refuse("a.gif", 2, &["a.gif", ".png, .svg, .json"], &[]);
    refuse("plot", 2, &[".png, .svg, .json"], &[]);
    let as_folder = folder.path().join("folder.png");
    fs::create_dir(&as_folder).unwrap();
    refuse(as_folder.to_str().unwrap(), 1, &["folder"], &["--force"]);
    refuse("/proc/a.png", 1, &["cannot write"], &[]);

    let output = run([
        "plot", "summary", "--model", &model, "-o", existing, "--force",
    ]);
    assert!(output.status.success());
    assert!(fs::read(existing).unwrap().starts_with(b"\x89PNG"));
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 2, "nothing is left behind");
}

/// Pictures that a page shows, in order.
fn pictures(page: &str) -> Vec<&str> {
    let parts = page.split("](").skip(1);
    let paths = parts
        .filter_map(|part| part.split_once(')'))
        .map(|(path, _)| path);
    paths.filter(|path| path.starts_with("assets/")).collect()
}

#[test]
fn every_picture_of_the_gallery_has_its_command_beneath_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("GALLERY.md")).unwrap();
    let shown = pictures(&page);
    let commands: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("llmscope "))
        .collect();

    assert!(shown.len() >= 9, "{shown:?}");
    assert_eq!(shown.len(), commands.len());
    let mut n_bytes = 0;
    for (picture, command) in shown.iter().zip(&commands) {
        assert!(
            command.ends_with(&format!(" -o {picture}")),
            "{picture} by {command}"
        );
        let own_bytes = fs::metadata(root.join(picture)).unwrap().len();
        if picture.ends_with(".mp4") {
            assert!(own_bytes < 3_000_000, "{picture} has {own_bytes} bytes");
        } else {
            n_bytes += own_bytes;
        }
    }
    assert!(n_bytes < 7 << 19, "the gallery has {n_bytes} bytes");
    for kind in [
        "activations",
        "architecture",
        "attention",
        "attribution",
        "embeddings",
        "logit-lens",
        "saliency",
        "summary",
    ] {
        let name = format!("llmscope plot {kind}");
        assert!(
            commands.iter().any(|command| command.starts_with(&name)),
            "{kind}"
        );
    }
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    assert!(readme.contains("](GALLERY.md)"));
}

#[test]
fn embeddings_are_where_the_analysis_puts_them() {
    use llmscope::analysis::projection::{
        Method, ProjectionSettings, TsneSettings, project_tokens,
    };
    use llmscope::hook::HookPoint;
    use std::ops::ControlFlow;

    let tokens = read_ids(&fixture("gpt2").join("reference.json"), "tokens");
    let model = common::load("gpt2");
    let trace = common::trace_tokens(&model, &[&tokens]);
    let values = trace.activation(HookPoint::Embed).unwrap();
    let tsne = TsneSettings {
        perplexity: 3.0,
        ..TsneSettings::default()
    };
    for (method, view) in [
        (
            Method::Pca,
            &["embeddings", "--dims", "3", "--seed", "5"][..],
        ),
        (
            Method::Tsne(tsne),
            &[
                "embeddings",
                "--method",
                "tsne",
                "--perplexity",
                "3",
                "--dims",
                "3",
                "--seed",
                "5",
            ],
        ),
    ] {
        let settings = ProjectionSettings {
            method,
            n_dims: 3,
            seed: 5,
            ..ProjectionSettings::default()
        };
        let expected = project_tokens(
            values.values(),
            model.config().d_model,
            &tokens,
            model.vocab(),
            &settings,
            &mut |_| ControlFlow::Continue(()),
        );
        let expected = expected.unwrap();
        let json = json(view, "gpt2");

        for (axis, name) in ["x", "y", "z"].into_iter().enumerate() {
            let points = expected.projection.points.iter().skip(axis).step_by(3);
            let points: Vec<f32> = points.copied().collect();
            assert_eq!(column(&json, name), points, "{view:?} {name}");
        }
        assert_eq!(column(&json, "length"), expected.lengths);
    }
}

#[cfg(feature = "viewer")]
#[test]
fn architecture_is_the_world_with_its_parts_named() {
    let folder = tempfile::tempdir().unwrap();
    for (model, theme) in [("--arch=gpt2", "light"), ("--model=demo", "dark")] {
        let [png, svg] = ["a.png", "a.svg"].map(|name| folder.path().join(name));
        for path in [&png, &svg] {
            let output = Command::new(PROGRAM)
                .args([
                    "plot",
                    "architecture",
                    model,
                    "--theme",
                    theme,
                    "--scale=1",
                    "--force",
                ])
                .args(["--size=900x520", "-o"])
                .arg(path)
                .env("NODEVICE_SELECT", "1")
                .output()
                .unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{stderr}");
        }

        let picture = BufReader::new(File::open(&png).unwrap());
        let reader = png::Decoder::new(picture).read_info().unwrap();
        let size = (reader.info().width, reader.info().height);
        assert_eq!(size, (900, 520));
        let svg = fs::read_to_string(svg).unwrap();
        assert!(usvg::Tree::from_str(&svg, &usvg::Options::default()).is_ok());
        assert_eq!(svg.matches("<image").count(), 1);
        for part in [
            "token embedding",
            "attention patterns",
            "MLP neurons",
            "logits",
            "next tokens",
        ] {
            assert!(svg.contains(part), "{model} lacks {part}");
        }
    }
}
