//! The commands that draw: their files, their exit codes, and their messages.
#![cfg(feature = "viewer")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use common::fixture;

fn llmscope(args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("llmscope").unwrap();
    // Mesa's device selection looks for a Wayland socket and complains where there is none.
    command.env("NODEVICE_SELECT", "1").args(args);
    command
}

fn model() -> String {
    fixture("gpt2").display().to_string()
}

/// Asserts on the exit code and that standard error is one or two lines with all of `words`.
fn assert_fails(output: &Output, code: i32, words: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(output.stdout.is_empty());
    assert!((1..=2).contains(&stderr.lines().count()), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "{stderr} lacks {word:?}");
    }
}

fn png_size(path: &Path) -> (u32, u32) {
    let reader = png::Decoder::new(BufReader::new(File::open(path).unwrap()))
        .read_info()
        .unwrap();
    (reader.info().width, reader.info().height)
}

#[test]
fn snapshot_writes_a_picture_of_the_size_asked_for_and_the_same_one_twice() {
    let folder = tempfile::tempdir().unwrap();
    let shoot = |name: &str| {
        let path = folder.path().join(name);
        let file = path.display().to_string();
        llmscope(&["snapshot", "-o", &file, "--size", "330x200", "--step", "9"])
            .args([
                "--model",
                &model(),
                "--prompt",
                "The fox",
                "--camera",
                "heads",
            ])
            .assert()
            .success();
        fs::read(path).unwrap()
    };

    let first = shoot("first.png");

    assert_eq!(png_size(&folder.path().join("first.png")), (330, 200));
    assert_eq!(shoot("second.png"), first);
}

#[test]
fn a_transparent_snapshot_has_nothing_behind_the_world() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.png");
    let file = path.display().to_string();

    llmscope(&["snapshot", "-o", &file, "--size", "330x200"])
        .args(["--arch", "gpt2", "--transparent"])
        .assert()
        .success();

    let reader = png::Decoder::new(BufReader::new(File::open(&path).unwrap()));
    let mut reader = reader.read_info().unwrap();
    let mut rgba = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut rgba).unwrap();
    assert_eq!(rgba[..4], [0, 0, 0, 0]);
    assert!(rgba.chunks_exact(4).any(|pixel| pixel[3] == 255));
}

#[test]
fn every_view_of_a_shape_without_weights_can_be_drawn() {
    let folder = tempfile::tempdir().unwrap();
    for camera in [
        "overview", "layer", "street", "heads", "neurons", "map", "tour",
    ] {
        let path = folder.path().join(format!("{camera}.png"));
        let file = path.display().to_string();
        llmscope(&[
            "snapshot",
            "-o",
            &file,
            "--arch",
            "distilgpt2",
            "--size",
            "200x120",
        ])
        .args(["--camera", camera, "--theme", "light", "--panels", "on"])
        .assert()
        .success();
        assert_eq!(png_size(&path), (200, 120));
    }
}

#[test]
fn snapshot_shows_the_stops_of_the_tour_that_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let shoot = |more: &[&str]| {
        let path = folder.path().join(format!("{}.png", more.concat()));
        let output = llmscope(&["snapshot", "-o", &path.display().to_string()])
            .args([
                "--model",
                &model(),
                "--tokens",
                "5,6,7,8,9",
                "--size",
                "320x180",
            ])
            .args(more)
            .output()
            .unwrap();
        (output, fs::read(path).ok())
    };

    let (output, seventh) = shoot(&["--camera", "tour", "--stop", "7"]);
    let (_, eighth) = shoot(&["--camera", "tour", "--stop", "8"]);
    assert!(output.status.success());
    assert!(seventh.is_some() && seventh != eighth);

    assert_fails(
        &shoot(&["--camera", "tour", "--stop", "99"]).0,
        2,
        &["12 stops", "99"],
    );
    assert_fails(&shoot(&["--stop", "2"]).0, 2, &["--camera tour"]);
}

#[test]
fn kinds_and_heads_that_are_left_out_are_not_in_the_picture() {
    let folder = tempfile::tempdir().unwrap();
    let shoot = |name: &str, more: &[&str]| {
        let path = folder.path().join(name);
        let file = path.display().to_string();
        llmscope(&["snapshot", "-o", &file, "--size", "300x200"])
            .args(["--model", &model(), "--tokens", "5,6,7,8,9,10"])
            .args(more)
            .assert()
            .success();
        fs::read(path).unwrap()
    };

    let whole = shoot("whole.png", &[]);
    let hidden = shoot(
        "hidden.png",
        &["--hide", "weights,Attention out,next-tokens"],
    );
    let one_head = shoot("head.png", &["--camera", "heads", "--arc-heads", "2"]);
    let any_head = shoot("heads.png", &["--camera", "heads", "--arc-pool", "max"]);

    assert_ne!(whole, hidden);
    assert_ne!(one_head, any_head);
}

#[test]
fn a_world_with_everything_hidden_is_an_empty_picture_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let all = "embeddings,residual-in,norm-1,queries,keys,values,scores,attention,z,attention-out,\
               residual-mid,norm-2,neurons-pre,neurons-up,neurons,mlp-out,residual-out,final-norm,\
               logits,next-tokens,weights";
    for camera in ["overview", "layer", "street", "heads", "neurons", "map"] {
        let path = folder.path().join(format!("{camera}.png"));
        let file = path.display().to_string();
        llmscope(&["snapshot", "-o", &file, "--size", "160x90", "--hide", all])
            .args(["--model", &model(), "--camera", camera, "--panels", "on"])
            .assert()
            .success();
        assert_eq!(png_size(&path), (160, 90));
    }
}

#[test]
fn record_writes_every_frame_and_keeps_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("flight");
    let file = target.display().to_string();
    let record = |more: &[&str]| {
        llmscope(&["record", "-o", &file, "--seconds", "0.5", "--fps", "8"])
            .args(["--size", "160x90", "--model", &model()])
            .args(more)
            .output()
            .unwrap()
    };

    let first = record(&[]);
    assert!(first.status.success());
    let mut names: Vec<String> = fs::read_dir(&target)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "frame-00000.png",
            "frame-00001.png",
            "frame-00002.png",
            "frame-00003.png"
        ]
    );

    assert_fails(&record(&[]), 5, &["exists", "--force"]);
    fs::write(target.join("notes.txt"), "mine").unwrap();
    assert!(record(&["--force", "--camera", "orbit"]).status.success());
    assert_eq!(
        fs::read_to_string(target.join("notes.txt")).unwrap(),
        "mine"
    );
}

#[test]
fn a_world_is_coloured_by_parts_in_a_prediction_and_parts_of_the_pass_are_set_to_zero() {
    let folder = tempfile::tempdir().unwrap();
    let shoot = |name: &str, more: &[&str]| {
        let path = folder.path().join(name);
        let file = path.display().to_string();
        llmscope(&["snapshot", "-o", &file, "--size", "330x200"])
            .args([
                "--model",
                &model(),
                "--prompt",
                "The fox",
                "--camera",
                "layer",
            ])
            .args(more)
            .assert()
            .success();
        fs::read(path).unwrap()
    };

    let pictures = [
        shoot("value.png", &[]),
        shoot("gradient.png", &["--color-by", "gradient"]),
        shoot("direct.png", &["--color-by", "direct"]),
        shoot("ablated.png", &["--ablate", "blocks.0.hook_mlp_out"]),
    ];

    for (index, picture) in pictures.iter().enumerate() {
        assert!(!pictures[..index].contains(picture), "{index}");
    }
    let again = shoot("again.png", &["--color-by", "gradient"]);
    assert_eq!(again, pictures[1]);
}

#[test]
fn what_a_shape_has_no_values_for_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let fresh = folder.path().join("fresh.png").display().to_string();
    for (option, value) in [
        ("--color-by", "gradient"),
        ("--ablate", "blocks.0.attn.hook_z:0"),
    ] {
        let mut command = llmscope(&["snapshot", "-o", &fresh, "--arch", "gpt2", option, value]);

        let output = command.output().unwrap();

        assert_fails(&output, 2, &[option, "--model"]);
    }
}

#[test]
fn pictures_that_cannot_be_made_are_refused_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let existing = folder.path().join("existing.png");
    fs::write(&existing, "mine").unwrap();
    let existing = existing.display().to_string();
    let fresh = folder.path().join("fresh.png").display().to_string();
    let fresh_folder = folder.path().join("fresh").display().to_string();
    let video = folder.path().join("film.avi").display().to_string();
    let model = model();
    let cases: [(&[&str], i32, &[&str]); 17] = [
        (
            &["snapshot", "-o", &fresh, "--hide", "weights,walls"],
            2,
            &["walls", "norm-1"],
        ),
        (
            &["snapshot", "-o", &fresh, "--arc-heads", "0,4"],
            2,
            &["head 4", "4 heads"],
        ),
        (
            &["record", "-o", &fresh_folder, "--arc-heads", "99"],
            2,
            &["head 99"],
        ),
        (
            &["snapshot", "-o", &fresh, "--arc-pool", "median"],
            2,
            &["median", "mean"],
        ),
        (
            &[
                "snapshot", "-o", &fresh, "--hide", "logits", "--focus", "logits",
            ],
            2,
            &["logits"],
        ),
        (&["snapshot", "-o", &existing], 1, &["exists", "--force"]),
        (
            &["snapshot", "-o", "/no/such/folder/a.png"],
            1,
            &["/no/such/folder/a.png"],
        ),
        (&["snapshot", "-o", &fresh, "--size", "0x0"], 2, &["--size"]),
        (
            &[
                "snapshot",
                "-o",
                &fresh,
                "--focus",
                "blocks.9.hook_resid_pre",
            ],
            2,
            &["blocks.9"],
        ),
        (
            &["snapshot", "-o", &fresh, "--focus", "nonsense"],
            2,
            &["nonsense"],
        ),
        (&["snapshot", "-o", &fresh, "--step", "5000"], 2, &["5000"]),
        (
            &["snapshot", "-o", &fresh, "--tokens", "999999"],
            2,
            &["999999"],
        ),
        (
            &["snapshot", "-o", &fresh, "--model", "no/such/folder/"],
            4,
            &["no/such/folder"],
        ),
        (
            &[
                "snapshot",
                "-o",
                &fresh,
                "--ablate",
                "blocks.9.attn.hook_z:0",
            ],
            2,
            &["blocks.9", "layers go from 0"],
        ),
        (
            &["snapshot", "-o", &fresh, "--color-by", "mood"],
            2,
            &["mood", "gradient"],
        ),
        (&["record", "-o", &video], 2, &["ending", ".mp4"]),
        (&["record", "-o", "/proc/nothing"], 5, &["/proc/nothing"]),
    ];
    for (args, code, words) in cases {
        let mut command = llmscope(args);
        if !args.contains(&"--model") {
            command.args(["--model", &model]);
        }

        let output = command.output().unwrap();

        assert_fails(&output, code, words);
    }
    assert_eq!(fs::read(&existing).unwrap(), b"mine");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn without_a_graphics_adapter_the_exit_code_is_3_and_the_message_says_what_to_install() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.png").display().to_string();

    let output = llmscope(&["snapshot", "-o", &file, "--arch", "distilgpt2"])
        .env("WGPU_BACKEND", "vulkan")
        .env("VK_ICD_FILENAMES", "/nonexistent.json")
        .env("VK_DRIVER_FILES", "/nonexistent.json")
        .output()
        .unwrap();

    assert_fails(&output, 3, &["graphics adapter", "mesa-vulkan-drivers"]);
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_display_view_points_to_the_commands_that_need_none() {
    let output = llmscope(&["view"])
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("WAYLAND_SOCKET")
        .output()
        .unwrap();

    assert_fails(&output, 1, &["display", "snapshot", "record"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_display_that_does_not_answer_is_a_message_and_no_panic() {
    let output = llmscope(&["view"])
        .env("DISPLAY", ":4711")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("WAYLAND_SOCKET")
        .output()
        .unwrap();

    assert_fails(&output, 1, &["display"]);
}
