//! Traces: saved while they are computed, cut short, recovered, and shown again.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::program::{PROGRAM, assert_refused, run};
use common::{fixture, load, read_ids, trace_tokens};
use llmscope::trace::{SavedTrace, Trace, TraceFile, part_of};
use tempfile::TempDir;

/// Runs the program, which succeeds; what it told.
#[track_caller]
fn told(args: &[&str]) -> String {
    let output = run(args);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {stderr}");
    stderr
}

/// Tokens chosen so hardly ever end the text.
const ENDLESS: [&str; 2] = ["--temperature=9", "--seed=1"];

/// A folder, and the name of a trace in it.
fn in_folder(name: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name).display().to_string();
    (folder, path)
}

fn read(path: &str) -> SavedTrace {
    TraceFile::open(Path::new(path))
        .unwrap()
        .read(None)
        .unwrap()
}

fn bits(trace: &Trace) -> Vec<(String, Vec<usize>, Vec<u32>)> {
    let values = trace.passes().iter().flat_map(|pass| &pass.cache);
    values
        .map(|(hook, activation)| {
            let bits = activation.values().iter().map(|value| value.to_bits());
            (
                hook.to_string(),
                activation.shape().to_vec(),
                bits.collect(),
            )
        })
        .collect()
}

fn spawn(args: &[&str]) -> Child {
    Command::new(PROGRAM)
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_trace_gives_back_every_bit_of_every_pass() {
    let (_folder, path) = in_folder("t");
    let model = fixture("gpt2");
    let tokens = read_ids(&model.join("reference.json"), "tokens");
    let text: Vec<String> = tokens.iter().map(u32::to_string).collect();
    told(&[
        "trace",
        "-o",
        &path,
        "--model",
        model.to_str().unwrap(),
        "--tokens",
        &text.join(","),
        "--max-new-tokens=3",
        "--temperature=1.5",
        "--top-k=7",
        "--seed=9",
    ]);

    let saved = read(&path);

    let all: Vec<u32> = saved.trace.tokens().collect();
    let (prompt, new) = all.split_at(tokens.len());
    assert_eq!((prompt, new.len()), (&tokens[..], 3));
    let parts: Vec<&[u32]> = std::iter::once(prompt).chain(new.chunks(1)).collect();
    let computed = trace_tokens(&load("gpt2"), &parts);
    assert_eq!(bits(&saved.trace), bits(&computed));
    let about = saved.about;
    assert_eq!(about.prompt_tokens, tokens);
    assert_eq!((about.seed, about.sampling.temperature), (9, 1.5));
    assert_eq!(
        (about.sampling.top_k, about.sampling.top_p),
        (Some(7), None)
    );
    assert_eq!(saved.lens.len(), computed.config().n_layers);
    assert!(saved.lens.iter().flatten().all(Option::is_some));
}

#[test]
fn a_trace_that_is_killed_loses_no_whole_pass_and_is_not_overwritten() {
    let (_folder, path) = in_folder("t");
    let (_other, whole) = in_folder("whole");
    let part = part_of(Path::new(&path)).display().to_string();
    let trace = [
        "trace",
        "--max-new-tokens=120",
        ENDLESS[0],
        ENDLESS[1],
        "-o",
    ];
    let given = [&trace[..], &[&path]].concat();
    let mut child = spawn(&given);
    let started = Instant::now();
    // A head and some passes, and then in the middle of what comes.
    while fs::metadata(&part).map_or(0, |found| found.len()) < 600_000 {
        assert!(started.elapsed() < Duration::from_secs(60));
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before it was killed"
        );
        sleep(Duration::from_micros(200));
    }
    child.kill().unwrap();
    child.wait().unwrap();

    assert!(!Path::new(&path).exists(), "half a trace has the name");
    assert_refused(&given, 1, &["cut short", "--recover", &part, "--force"]);
    let message = told(&["trace", "--recover", &part, "-o", &path]);

    assert!(message.starts_with("recovered "), "{message}");
    assert!(!Path::new(&part).exists());
    let saved = read(&path);
    told(&[&trace[..], &[&whole]].concat());
    let whole = read(&whole);
    let n_passes = saved.trace.passes().len();
    assert!(
        (2..whole.trace.passes().len()).contains(&n_passes),
        "{n_passes}"
    );
    let mut expected = Trace::new(whole.trace.config().clone());
    for pass in &whole.trace.passes()[..n_passes] {
        expected.push(pass.clone());
    }
    assert_eq!(bits(&saved.trace), bits(&expected));
    assert_eq!(saved.vocab, whole.vocab);
    assert_refused(
        ["trace", "--recover", &path, "-o", &part],
        4,
        &["not what is left"],
    );
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_what_can_be_recovered_when_there_is_room() {
    let (_folder, path) = in_folder("t");
    let part = part_of(Path::new(&path)).display().to_string();
    // No file may grow beyond a few megabytes.
    let script = "trap '' XFSZ; ulimit -f 3000; exec \"$@\"";

    let output = Command::new("sh")
        .args([
            "-c",
            script,
            "sh",
            PROGRAM,
            "trace",
            "--max-new-tokens=120",
            "-o",
            &path,
        ])
        .args(ENDLESS)
        .output()
        .unwrap();

    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    for word in ["cannot write", "tokens are safe in", &part, "--recover"] {
        assert!(stderr.contains(word), "{word} in {stderr}");
    }
    assert!(!Path::new(&path).exists());
    told(&["trace", "--recover", &part, "-o", &path]);
    assert!(read(&path).trace.len() > 4);
}

/// The most memory that a child had, in kilobytes, as far as it was seen.
#[cfg(target_os = "linux")]
fn peak_kb(mut child: Child) -> u64 {
    let mut peak = 0;
    let status = format!("/proc/{}/status", child.id());
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kb = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
        peak = peak.max(kb.unwrap_or(0));
        sleep(Duration::from_millis(1));
    }
    assert!(child.wait().unwrap().success());
    peak
}

#[cfg(target_os = "linux")]
#[test]
fn a_longer_trace_takes_no_more_memory() {
    let (_folder, short) = in_folder("short");
    let (_other, long) = in_folder("long");
    let peak = |path: &str, n: &str| {
        let args = [
            "trace",
            "--no-lens",
            "--force",
            "-o",
            path,
            "--max-new-tokens",
            n,
        ];
        let args = [&args[..], &ENDLESS].concat();
        // The least of some: what else the system does only adds.
        (0..3).map(|_| peak_kb(spawn(&args))).min().unwrap()
    };

    let (peak_short, peak_long) = (peak(&short, "40"), peak(&long, "120"));

    let size = |path: &str| fs::metadata(path).unwrap().len() / 1000;
    let grown_file = size(&long) - size(&short);
    let grown = peak_long.saturating_sub(peak_short);
    assert!(
        2 * grown < grown_file,
        "{grown} kB more memory ({peak_short}, {peak_long}) for {grown_file} kB more to save"
    );
}

#[cfg(feature = "viewer")]
#[test]
fn what_is_no_whole_trace_is_refused_with_its_own_words() {
    let (folder, path) = in_folder("t");
    told(&["trace", "-o", &path]);
    let bytes = fs::read(&path).unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let cut = write("cut", &bytes[..bytes.len() / 2]);
    let text = write("text", b"this is not a trace, whatever it is called");
    let model = fixture("gpt2")
        .join("model.safetensors")
        .display()
        .to_string();
    let absent = folder.path().join("absent").display().to_string();

    for (path, words) in [
        (&cut, &["cut short", "bytes"][..]),
        (&text, &["no safetensors file"]),
        (&model, &["no trace", "llmscope trace"]),
        (&absent, &["cannot read", "absent"]),
    ] {
        for command in [&["view"][..], &["snapshot", "-o", "/tmp/never.png"]] {
            let args = command.iter().copied().chain(["--trace", path]);
            assert_refused(args, 4, &[words, &[path.as_str()]].concat());
        }
    }
    let beyond = [
        "snapshot",
        "-o",
        "/tmp/never.png",
        "--trace",
        &path,
        "--step",
        "99",
    ];
    assert_refused(beyond, 2, &["before position 99"]);
    for option in [
        "--model=demo",
        "--prompt=x",
        "--seed=1",
        "--color-by=direct",
    ] {
        assert_refused(
            ["view", "--trace", &path, option],
            2,
            &["cannot be used with"],
        );
    }
}

#[cfg(feature = "viewer")]
#[test]
fn a_trace_that_memory_has_no_room_for_is_refused_before_it_is_read() {
    let (_folder, path) = in_folder("t");
    told(&["trace", "-o", &path]);

    let output = Command::new(PROGRAM)
        .args(["view", "--trace", &path])
        .env("LLMSCOPE_MEMORY_BYTES", "1000")
        .output()
        .unwrap();

    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(stderr.contains("MB of memory"), "{stderr}");
}

#[cfg(feature = "viewer")]
mod shown {
    //! Traces in pictures and in the window.

    use llmscope::engine::{EngineHandle, EngineUpdate, replay};
    use llmscope::hook::HookPoint;
    use llmscope::viewer::app::{Subject, ViewerOptions};
    use llmscope::viewer::capture::Offscreen;
    use llmscope::viewer::inference::ActiveTrace;
    use llmscope::viewer::playback::{Playback, PlaybackWish, Playhead};
    use llmscope::viewer::scene::ValueTable;
    use llmscope::viewer::viewpoint::Viewpoint;

    use super::{fs, in_folder, read, told};

    const LOOK: [&str; 3] = ["snapshot", "--hide=weights", "--size=400x240"];

    #[test]
    fn a_replay_draws_what_the_model_draws_byte_for_byte() {
        let (folder, path) = in_folder("t");
        told(&["trace", "-o", &path, "--max-new-tokens=6"]);
        let picture = |name: &str, given: &[&str]| {
            let file = folder.path().join(name).display().to_string();
            told(&[&LOOK[..], &["-o", &file], given].concat());
            fs::read(file).unwrap()
        };

        for (index, look) in [
            &["--step=0"][..],
            &["--step=6", "--camera=heads"],
            &["--step=9", "--camera=layer", "--theme=light"],
            &["--step=9", "--focus=blocks.2.mlp.hook_post"],
        ]
        .into_iter()
        .enumerate()
        {
            let live = picture(&format!("live{index}.png"), look);
            let replayed = picture(
                &format!("replayed{index}.png"),
                &[look, &["--trace", &path]].concat(),
            );
            assert!(live == replayed, "{look:?}");
        }
    }

    #[test]
    fn a_replay_without_a_part_draws_what_the_model_without_it_draws() {
        let (folder, path) = in_folder("t");
        let part = "--ablate=blocks.1.attn.hook_z:2";
        told(&["trace", "-o", &path, part]);
        let file = |name: &str| folder.path().join(name).display().to_string();
        let (live, replayed) = (file("live.png"), file("replayed.png"));

        told(&[&LOOK[..], &["-o", &live, part]].concat());
        told(&[&LOOK[..], &["-o", &replayed, "--trace", &path]].concat());

        assert!(fs::read(live).unwrap() == fs::read(replayed).unwrap());
    }

    #[test]
    fn a_trace_of_some_hooks_is_shown_and_says_what_it_lacks() {
        let (folder, path) = in_folder("t");
        told(&["trace", "-o", &path, "--hooks=blocks.*.hook_resid_post"]);
        let file = folder.path().join("p.png").display().to_string();

        let told = told(&[&LOOK[..], &["-o", &file, "--trace", &path]].concat());

        assert!(told.contains("saved without hook_embed and"), "{told}");
        assert!(told.contains("without values"), "{told}");
        let none = folder.path().join("none").display().to_string();
        let hooks = "--hooks=blocks.0.hook_resid_mid";
        super::told(&["trace", "-o", &none, hooks]);
        let mut empty = showing(&none);
        let stats = empty.world().resource::<ValueTable>();
        let embed = stats.tile_rms(HookPoint::Embed, 0).unwrap();
        assert!(embed < 0.0, "a tile that was not saved shows {embed}");
    }

    /// The world alone: the places of letters depend on which were drawn first.
    fn plain() -> ViewerOptions {
        ViewerOptions {
            has_panels: false,
            has_labels: false,
            has_legend: false,
            ..ViewerOptions::default()
        }
    }

    /// An application that shows this trace, all of which it has taken in.
    fn showing(path: &str) -> Offscreen {
        let saved = read(path);
        let n_pos = saved.trace.len();
        let engine = EngineHandle::start_replay(replay(saved).unwrap()).unwrap();
        let subject = Subject::Replay { engine };
        let mut offscreen = Offscreen::new(subject, &plain(), 320, 200).unwrap();
        let is_there = |offscreen: &mut Offscreen| {
            let trace = offscreen.world().resource::<ActiveTrace>();
            trace.n_pos() == n_pos && !trace.is_computing()
        };
        while !is_there(&mut offscreen) {
            offscreen.draw();
        }
        offscreen
    }

    #[test]
    fn what_comes_all_at_once_is_drawn_as_what_comes_one_by_one() {
        let (_folder, path) = in_folder("t");
        told(&["trace", "-o", &path, "--max-new-tokens=2"]);
        let mut at_once = showing(&path);
        let engine = EngineHandle::start_replay(Vec::new()).unwrap();
        let subject = Subject::Replay { engine };
        let mut one_by_one = Offscreen::new(subject, &plain(), 320, 200).unwrap();
        for update in replay(read(&path)).unwrap() {
            one_by_one.feed(update);
        }

        let (layout, screen) = at_once.stage().unwrap();
        let pose = Viewpoint::Overview.pose(&layout, &screen);

        let pictures = [&mut at_once, &mut one_by_one].map(|offscreen| {
            offscreen.seek(3);
            offscreen.settle();
            offscreen.look(pose);
            offscreen.picture().unwrap()
        });

        assert!(pictures[0] == pictures[1]);
    }

    #[test]
    fn a_replay_steps_and_plays_to_its_end_and_stays_there() {
        let (_folder, path) = in_folder("t");
        told(&["trace", "-o", &path, "--max-new-tokens=2"]);
        let mut offscreen = showing(&path);
        let last = read(&path).trace.len() - 1;
        let lane = |offscreen: &mut Offscreen| offscreen.world().resource::<Playhead>().lane;
        let wish = |offscreen: &mut Offscreen, wish: PlaybackWish| {
            offscreen.world().write_message(wish);
            // The answer of another thread takes some frames.
            for _ in 0..8 {
                offscreen.draw();
            }
        };

        wish(&mut offscreen, PlaybackWish::SeekLane(0));
        wish(&mut offscreen, PlaybackWish::StepForward);
        assert_eq!(lane(&mut offscreen), 1);
        wish(&mut offscreen, PlaybackWish::Toggle);
        for _ in 0..40 {
            offscreen.draw();
        }
        assert_eq!(lane(&mut offscreen), last);
        assert!(!offscreen.world().resource::<Playback>().is_playing);
        wish(&mut offscreen, PlaybackWish::StepForward);
        assert_eq!(lane(&mut offscreen), last, "nothing more is there");
        assert_eq!(
            offscreen.world().resource::<ActiveTrace>().n_pos(),
            last + 1
        );
    }

    #[test]
    fn a_replay_tells_what_the_model_told() {
        let (_folder, path) = in_folder("t");
        told(&["trace", "-o", &path, "--max-new-tokens=2"]);

        let updates = replay(read(&path)).unwrap();

        let count = |is: fn(&EngineUpdate) -> bool| updates.iter().filter(|each| is(each)).count();
        assert!(matches!(
            &updates[2],
            EngineUpdate::Loaded(model) if model.weights.is_none() && model.name == "demo"
        ));
        assert_eq!(
            count(|each| matches!(each, EngineUpdate::PassDone { .. })),
            3
        );
        assert!(matches!(updates.last(), Some(EngineUpdate::LensDone)));
    }
}
