//! Films from the command line: the same again and again, and nothing that happens loses what was filmed.
#![cfg(feature = "h264")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::fixture;
use llmscope::color::Theme;
use llmscope::layout::ModelLayout;
use llmscope::model::ModelSource;
use llmscope::viewer::camera_path::{CameraPath, Ease, Keyframe};
use llmscope::viewer::playback::Playhead;
use llmscope::viewer::session::{SessionLog, SessionLook, Showing, log_path};
use llmscope::viewer::slots::AnchoredPose;
use llmscope::viewer::viewpoint::{Screen, Viewpoint};
use serde_json::Value;

/// A film of the tiny model, two seconds long.
const SHORT: &[&str] = &[
    "--size",
    "160x96",
    "--fps",
    "10",
    "--seconds",
    "2",
    "--max-new-tokens",
    "2",
    "--tokens",
    "5,6,7",
];
/// A film that takes far longer than the test.
const LONG: &[&str] = &[
    "--size",
    "160x96",
    "--fps",
    "10",
    "--seconds",
    "3000",
    "--tokens",
    "5,6,7",
];

fn llmscope(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llmscope"));
    command
        // Mesa's device selection looks for a Wayland socket and complains where there is none.
        .env("NODEVICE_SELECT", "1")
        .current_dir(folder)
        .stdin(Stdio::null())
        .args(args);
    command
}

fn record(folder: &Path, film: &str, more: &[&str]) -> Output {
    let model = fixture("gpt2").display().to_string();
    let mut command = llmscope(folder, &["record", "-o", film, "--json", "--model", &model]);
    command.args(more).output().unwrap()
}

/// The summary of a film that was made.
fn summary(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refusal(output: &Output, code: i32) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    stderr
}

/// What ffprobe reads: each line is a name and a value.
fn probe(film: &Path) -> String {
    let output = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-count_frames",
            "-select_streams",
            "v",
            "-show_entries",
        ])
        .args(["stream=width,height,nb_read_frames,r_frame_rate:format_tags"])
        .args(["-of", "default=noprint_wrappers=1"])
        .arg(film)
        .output()
        .expect("ffprobe is installed with ffmpeg");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn n_frames(film: &Path) -> u64 {
    let probed = probe(film);
    let line = probed
        .lines()
        .find_map(|line| line.strip_prefix("nb_read_frames="));
    line.unwrap().parse().unwrap()
}

fn sidecar(film: &Path) -> Value {
    let path = format!("{}.json", film.display());
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_same_options_make_the_same_frames_and_others_make_others() {
    let folder = tempfile::tempdir().unwrap();
    let crc = |film: &str, more: &[&str]| {
        let made = summary(&record(folder.path(), film, &[SHORT, more].concat()));
        assert_eq!(made["n_frames"], 20);
        made["frames_crc32"].as_str().unwrap().to_owned()
    };

    let first = crc("a.mp4", &[]);
    let again = crc("b.mp4", &[]);
    let others = [
        crc("c.mp4", &["--camera", "orbit"]),
        crc("d.mp4", &["--camera", "heads"]),
        crc("e.mp4", &["--captions", "off"]),
        crc("f.mp4", &["--theme", "light"]),
        crc("g.mp4", &["--tokens", "5,6,8"]),
        crc("h.mp4", &["--temperature", "2", "--seed", "3"]),
    ];

    assert_eq!(first, again);
    let bytes = |film: &str| fs::read(folder.path().join(film)).unwrap();
    assert!(bytes("a.mp4") == bytes("b.mp4"));
    let all: BTreeSet<&String> = others.iter().chain([&first]).collect();
    assert_eq!(all.len(), 7, "{first} {others:?}");
    let probed = probe(&folder.path().join("a.mp4"));
    for line in [
        "width=160",
        "height=96",
        "nb_read_frames=20",
        "r_frame_rate=10/1",
    ] {
        assert!(
            probed.lines().any(|probed| probed == line),
            "{line}: {probed}"
        );
    }
}

#[test]
fn every_frame_is_there_and_in_motion_none_is_there_twice() {
    let folder = tempfile::tempdir().unwrap();

    let made = summary(&record(
        folder.path(),
        "frames",
        &[SHORT, &["--camera", "orbit", "--captions", "off"]].concat(),
    ));

    assert_eq!(made["n_frames"], 20);
    let frames: BTreeSet<Vec<u8>> = (0..20)
        .map(|number| {
            let name = format!("frames/frame-{number:05}.png");
            fs::read(folder.path().join(name)).unwrap()
        })
        .collect();
    assert_eq!(frames.len(), 20);
}

#[test]
fn a_film_is_made_again_from_what_stands_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let path = serde_json::json!({"version": 1, "keyframes": [
        {"at_secs": 0.0, "pose": {"anchor": "hook_embed", "lane": 1.0, "along": 0.0, "height": 0.0,
            "yaw": 0.3, "pitch": 0.6, "distance": 6.0}},
        {"at_secs": 1.0, "ease": "through", "look_at": "logits", "pose": {"anchor": "logits",
            "lane": 1.0, "along": 0.0, "height": 0.0, "yaw": 0.1, "pitch": 0.4, "distance": 5.0}},
    ]});
    fs::write(folder.path().join("path.json"), path.to_string()).unwrap();
    let made = summary(&record(
        folder.path(),
        "a.mp4",
        &[
            SHORT,
            &[
                "--camera",
                "path.json",
                "--temperature",
                "1.5",
                "--seed",
                "9",
            ],
        ]
        .concat(),
    ));
    let told = sidecar(&folder.path().join("a.mp4"));
    assert_eq!(told["seed"], 9);
    assert_eq!(told["n_prompt_tokens"], 3);
    // The path is kept in what stands beside the film.
    fs::remove_file(folder.path().join("path.json")).unwrap();
    let from = folder.path().join("a.mp4.json").display().to_string();
    let again = |more: &[&str]| {
        llmscope(elsewhere.path(), &["record", "--from", &from, "--json"])
            .args(more)
            .output()
            .unwrap()
    };

    let same = summary(&again(&["-o", "b.mp4"]));
    let finer = summary(&again(&["-o", "c.mp4", "--fps", "20", "--size=320x192"]));
    let kept = refusal(&again(&[]), 5);
    let in_place = summary(&again(&["--force"]));

    assert_eq!(same["frames_crc32"], made["frames_crc32"]);
    assert_eq!(n_frames(&elsewhere.path().join("b.mp4")), 20);
    assert_eq!(
        (&finer["n_frames"], &finer["width"]),
        (&40.into(), &320.into())
    );
    assert!(kept.contains("a.mp4") && kept.contains("--force"), "{kept}");
    assert_eq!(in_place["frames_crc32"], made["frames_crc32"]);
}

#[test]
fn a_saved_trace_is_filmed_without_its_model_and_looks_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let model = fixture("gpt2").display().to_string();
    let traced = llmscope(
        folder.path(),
        &["trace", "-o", "t.safetensors", "--model", &model],
    )
    .args(["--tokens", "5,6,7", "--max-new-tokens", "2"])
    .output()
    .unwrap();
    assert!(traced.status.success(), "{traced:?}");
    let look = &[
        "--size",
        "160x96",
        "--fps",
        "5",
        "--seconds",
        "2",
        "--hide",
        "weights",
    ];
    let text = &["--tokens", "5,6,7", "--max-new-tokens", "2"];

    let live = summary(&record(
        folder.path(),
        "a.mp4",
        &[&look[..], &text[..]].concat(),
    ));
    let film = |film: &str, more: &[&str]| {
        llmscope(
            folder.path(),
            &["record", "-o", film, "--json", "--trace", "t.safetensors"],
        )
        .args(look)
        .args(more)
        .output()
        .unwrap()
    };
    let replayed = summary(&film("b.mp4", &[]));
    let contradicts = refusal(&film("c.mp4", &["--prompt", "x"]), 2);
    let missing = llmscope(folder.path(), &["record", "-o", "d.mp4", "--trace", "none"])
        .output()
        .unwrap();

    assert_eq!(live["frames_crc32"], replayed["frames_crc32"]);
    assert!(contradicts.contains("--trace"), "{contradicts}");
    assert!(refusal(&missing, 4).contains("none"));
}

/// A session of the tiny model: a second of each token, seen by a camera that comes closer.
fn session() -> SessionLog {
    let config = ModelSource::Folder(fixture("gpt2"))
        .read_config(true)
        .unwrap();
    let layout = ModelLayout::new(&config, 3);
    let mut camera = CameraPath::default();
    for (at_secs, viewpoint) in [(0.0, Viewpoint::Overview), (2.0, Viewpoint::Heads)] {
        let pose = viewpoint.pose(&layout, &Screen::default());
        camera.add(Keyframe {
            at_secs,
            pose: AnchoredPose::new(&pose, &layout),
            ease: Ease::Through,
            look_at: None,
        });
    }
    let showing = |lane: usize| Showing {
        playhead: Playhead {
            lane,
            first_lane: lane,
            order: 30.0,
        },
        n_tokens: lane + 1,
    };
    let dark = SessionLook {
        has_panels: false,
        ..SessionLook::default()
    };
    let mut light = dark.clone();
    light.scene.theme = Theme::Light;
    SessionLog {
        arguments: vec!["--model".to_owned(), fixture("gpt2").display().to_string()],
        model: "gpt2".to_owned(),
        tokens: vec![5, 6, 7],
        n_prompt: 2,
        width: 161,
        height: 95,
        fps: 5,
        secs: 3.0,
        looks: vec![(0.0, dark), (1.5, light)],
        showings: vec![(0.0, showing(0)), (1.0, showing(1)), (2.0, showing(2))],
        camera,
        ..SessionLog::default()
    }
}

#[test]
fn a_session_of_the_window_is_filmed_again_at_any_size() {
    let folder = tempfile::tempdir().unwrap();
    let live = folder.path().join("live.mp4");
    session().save(&log_path(&live)).unwrap();
    let from = |more: &[&str]| {
        llmscope(
            folder.path(),
            &["record", "--json", "--from", "live.mp4.json"],
        )
        .args(more)
        .output()
        .unwrap()
    };

    let again = summary(&from(&[]));
    let large = summary(&from(&[
        "-o",
        "large.mp4",
        "--size",
        "320x192",
        "--fps",
        "10",
    ]));
    let orbit = summary(&from(&["-o", "orbit.mp4", "--camera", "orbit"]));
    let captions = refusal(&from(&["-o", "c.mp4", "--captions", "on"]), 2);
    let third = llmscope(folder.path(), &["record", "--json", "-o", "third.mp4"])
        .args(["--from", "live-again.mp4.json"])
        .output()
        .unwrap();

    assert_eq!(again["film"], "live-again.mp4");
    assert_eq!(
        (&again["n_frames"], &again["width"]),
        (&15.into(), &162.into())
    );
    assert_eq!(
        (&large["n_frames"], &large["width"]),
        (&30.into(), &320.into())
    );
    assert_ne!(orbit["frames_crc32"], again["frames_crc32"]);
    assert!(captions.contains("session"), "{captions}");
    assert_eq!(summary(&third)["frames_crc32"], again["frames_crc32"]);
    // The theme changes in the middle: the upper left corner is dark, then light.
    let frames = llmscope(
        folder.path(),
        &["record", "--from", "live.mp4.json", "-o", "frames"],
    )
    .output()
    .unwrap();
    assert!(frames.status.success(), "{frames:?}");
    let brightness = |number: usize| {
        let file = fs::File::open(folder.path().join(format!("frames/frame-{number:05}.png")));
        let mut reader = png::Decoder::new(std::io::BufReader::new(file.unwrap()))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        pixels[..3]
            .iter()
            .map(|channel| u32::from(*channel))
            .sum::<u32>()
    };
    assert!(brightness(6) < 150, "{}", brightness(6));
    assert!(brightness(9) > 500, "{}", brightness(9));
}

#[test]
fn a_film_says_what_it_is_of() {
    let folder = tempfile::tempdir().unwrap();
    let output = llmscope(
        folder.path(),
        &["record", "-o", "a.mp4", "--size", "160x96", "--fps", "5"],
    )
    .args([
        "--seconds",
        "1",
        "--max-new-tokens",
        "1",
        "--prompt",
        "The fox “és” 東京",
    ])
    .args(["--seed", "4", "--temperature", "0.5"])
    .output()
    .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout.is_empty());

    let probed = probe(&folder.path().join("a.mp4"));

    for line in [
        "TAG:title=demo: The fox “és” 東京".to_owned(),
        "TAG:com.llmscope.model=demo".to_owned(),
        "TAG:com.llmscope.prompt=The fox “és” 東京".to_owned(),
        "TAG:com.llmscope.seed=4".to_owned(),
        "TAG:com.llmscope.sampler=temperature 0.5, top-k off, top-p off".to_owned(),
        "TAG:com.llmscope.camera=tour".to_owned(),
        format!("TAG:com.llmscope.version={}", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(
            probed.lines().any(|probed| probed == line),
            "{line}: {probed}"
        );
    }
}

/// Starts a film that takes long, and waits until a second of it is in the file.
fn begun(folder: &Path, film: &str, more: &[&str]) -> (Child, PathBuf) {
    let path = folder.join(film);
    let model = fixture("gpt2").display().to_string();
    let mut child = llmscope(folder, &["record", "-o", film, "--model", &model])
        .args(LONG)
        .args(more)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while fs::metadata(&path).map_or(0, |file| file.len()) < 20_000 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        assert!(
            started.elapsed() < Duration::from_secs(240),
            "no frame came"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    (child, path)
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

#[test]
fn what_was_filmed_before_the_program_was_killed_plays() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, film) = begun(folder.path(), "long.mp4", &[]);

    child.kill().unwrap();
    child.wait().unwrap();

    let n_frames = n_frames(&film);
    assert!(
        n_frames >= 10 && n_frames.is_multiple_of(10),
        "whole seconds: {n_frames}"
    );
}

#[test]
fn what_ffmpeg_was_given_before_the_program_was_killed_plays_and_no_process_stays() {
    let folder = tempfile::tempdir().unwrap();
    let by_ffmpeg = &["--encoder", "ffmpeg"];
    let (mut child, film) = begun(folder.path(), "long.webm", by_ffmpeg);
    let started = Instant::now();

    child.kill().unwrap();
    child.wait().unwrap();

    // Its input has ended, so ffmpeg ends the film, and itself.
    let films = || {
        let listed = Command::new("pgrep")
            .args(["-f", "long.webm"])
            .output()
            .unwrap();
        !listed.stdout.is_empty()
    };
    while films() {
        assert!(started.elapsed() < Duration::from_secs(240), "ffmpeg stays");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(n_frames(&film) >= 10, "{}", n_frames(&film));
}

#[test]
fn ctrl_c_ends_the_film_and_the_program_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (child, film) = begun(folder.path(), "long.mp4", &[]);

    signal(&child, "-INT");
    let output = child.wait_with_output().unwrap();

    let stderr = refusal(&output, 130);
    assert!(stderr.contains("wrote long.mp4"), "{stderr}");
    let told = sidecar(&film);
    assert_eq!(told["n_frames"], 30_000);
    assert_eq!(told["n_frames_written"], n_frames(&film));
}

#[test]
fn a_full_disk_ends_the_film_with_a_message_and_what_was_filmed_plays() {
    let folder = tempfile::tempdir().unwrap();
    let model = fixture("gpt2").display().to_string();
    // Blocks of 512 bytes. Without the signal, writing on fails as on a full disk.
    let script = "trap '' XFSZ; ulimit -f 60; exec \"$0\" \"$@\"";
    let output = Command::new("sh")
        .args([
            "-c",
            script,
            env!("CARGO_BIN_EXE_llmscope"),
            "record",
            "-o",
            "a.mp4",
        ])
        .args(["--model", &model])
        .args(LONG)
        .env("NODEVICE_SELECT", "1")
        .current_dir(folder.path())
        .output()
        .unwrap();

    let stderr = refusal(&output, 5);
    let n_frames = n_frames(&folder.path().join("a.mp4"));
    assert!(stderr.contains("no more room"), "{stderr}");
    assert!(
        stderr.contains(&format!("first {n_frames} frames")),
        "{n_frames}: {stderr}"
    );
    assert!(n_frames >= 10, "{n_frames}");
}

#[test]
fn a_missing_or_failing_ffmpeg_is_reported() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let fake = folder.path().join("bin/ffmpeg");
    fs::create_dir(folder.path().join("bin")).unwrap();
    let model = fixture("gpt2").display().to_string();
    let by_ffmpeg = |path: &str| {
        llmscope(
            folder.path(),
            &[
                "record",
                "-o",
                "a.mp4",
                "--encoder",
                "ffmpeg",
                "--model",
                &model,
            ],
        )
        .args(SHORT)
        .env("PATH", path)
        .output()
        .unwrap()
    };

    let missing = refusal(&by_ffmpeg("/nowhere"), 5);
    fs::write(&fake, "#!/bin/sh\necho 'Unknown encoder' >&2\nexit 1\n").unwrap();
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", fake.parent().unwrap().display());
    let failing = refusal(&by_ffmpeg(&path), 5);

    assert!(missing.contains("ffmpeg was not found"), "{missing}");
    assert!(failing.contains("Unknown encoder"), "{failing}");
}

#[test]
fn every_kind_of_film_is_made_and_holds_every_frame() {
    let folder = tempfile::tempdir().unwrap();
    let few = &[
        "--size",
        "96x64",
        "--fps",
        "5",
        "--seconds",
        "1",
        "--tokens",
        "5,6",
    ];
    for (film, more) in [
        ("a.gif", &[][..]),
        ("a.png", &[]),
        ("a.webm", &["--encoder", "ffmpeg"]),
        ("b.mp4", &["--encoder", "ffmpeg", "--quality", "30"]),
        ("c.mp4", &["--bitrate", "300k"]),
    ] {
        summary(&record(folder.path(), film, &[few, more].concat()));
        assert_eq!(n_frames(&folder.path().join(film)), 5, "{film}");
    }
}

#[test]
fn a_shape_without_weights_is_filmed_as_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let output = llmscope(
        folder.path(),
        &["record", "-o", "a.gif", "--arch", "gpt2", "--json"],
    )
    .args([
        "--size",
        "96x64",
        "--fps",
        "5",
        "--seconds",
        "1",
        "--camera",
        "orbit",
    ])
    .output()
    .unwrap();

    assert_eq!(summary(&output)["n_frames"], 5);
}

#[test]
fn what_can_not_be_filmed_is_refused_before_anything_is_computed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("there.mp4"), "mine").unwrap();
    fs::write(folder.path().join("bad.json"), "{}").unwrap();
    fs::write(folder.path().join("beside.gif.json"), "mine").unwrap();
    let cases: [(&str, &[&str], i32, &str); 13] = [
        ("there.mp4", &[], 5, "--force"),
        ("beside.gif", &[], 5, "beside.gif.json"),
        ("a.avi", &[], 2, ".webm"),
        ("a.mp4", &["--size", "161x97"], 2, "160x96 fits"),
        ("a.gif", &["--fps", "60"], 2, "50"),
        ("a.mp4", &["--camera", "bad.json"], 2, "bad.json"),
        ("a.mp4", &["--camera", "none.json"], 2, "none.json"),
        ("a.mp4", &["--camera", "moon"], 2, "orbit"),
        ("a.mp4", &["--bitrate", "4G"], 2, "800k"),
        ("a.mp4", &["--quality", "52"], 2, "51"),
        ("a.mp4", &["--temperature", "-1"], 2, "temperature"),
        ("a.mp4", &["--from", "bad.json"], 2, "bad.json"),
        ("no/folder.mp4", &["--seconds", "0.1"], 5, "folder.mp4"),
    ];
    for (film, more, code, words) in cases {
        let stderr = refusal(&record(folder.path(), film, more), code);
        assert!(stderr.contains(words), "{film} {more:?}: {stderr}");
    }
    assert_eq!(fs::read(folder.path().join("there.mp4")).unwrap(), b"mine");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}
