//! The program fetches what it needs from a Hub, and says what is wrong where it can't.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;
mod stub_hub;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::fixture;
use common::program::PROGRAM;
use stub_hub::{COMMIT, Fault, Seen, StubHub, sha256, small_etag};
use tempfile::TempDir;

const TOKEN: &str = "hf_TopSecretTokenOfATest";

/// A Hub with a tiny model, and an empty cache.
struct World {
    hub: StubHub,
    home: TempDir,
}

fn file_of_fixture(file: &str) -> Vec<u8> {
    fs::read(fixture("gpt2").join(file)).unwrap()
}

impl World {
    fn new() -> Self {
        let hub = StubHub::start();
        for file in ["config.json", "model.safetensors", "tokenizer.json"] {
            hub.add("org/tiny", file, file_of_fixture(file));
        }
        for file in ["README.md", "pytorch_model.bin", "onnx/model.onnx"] {
            hub.add("org/tiny", file, "nobody needs this");
        }
        let home = tempfile::tempdir().unwrap();
        Self { hub, home }
    }

    /// The program, with this Hub and cache and nothing else of the environment that concerns them.
    fn program(&self, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(args);
        self.surround(&mut command);
        command
    }

    fn surround(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy().to_lowercase();
            if text.starts_with("hf_") || text.ends_with("_proxy") {
                command.env_remove(&name);
            }
        }
        command
            .env("HF_ENDPOINT", self.hub.endpoint())
            .env("HF_HOME", self.home.path())
            .env("NO_COLOR", "1")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null());
    }

    /// Continues a prompt with a model.
    fn generate(&self, model: &str) -> Command {
        self.program(&[
            "generate",
            "--model",
            model,
            "--prompt",
            "The fox",
            "--max-new-tokens",
            "4",
            "--json",
        ])
    }

    fn repo_folder(&self) -> PathBuf {
        self.home.path().join("hub/models--org--tiny")
    }

    /// The names of all files and links below the repository's folder.
    fn kept(&self) -> BTreeSet<String> {
        let root = self.repo_folder();
        let mut names = BTreeSet::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&root).unwrap().display().to_string();
                    names.insert(name);
                }
            }
        }
        names
    }

    /// Asserts that the model can't be used: exit code 4 and the telling words, on one line.
    #[track_caller]
    fn assert_refused(&self, command: &mut Command, words: &[&str]) {
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();

        assert_eq!(output.status.code(), Some(4), "{stderr}");
        let last = stderr.lines().last().unwrap_or_default();
        assert!(last.starts_with("error: "), "{stderr}");
        for word in words {
            assert!(last.contains(word), "{word:?} in {stderr}");
        }
        assert!(!stderr.contains(TOKEN), "{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}

#[track_caller]
fn succeeded(output: &Output) -> serde_json::Value {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The token numbers that the model in its own folder chooses.
fn expected_tokens() -> serde_json::Value {
    let folder = fixture("gpt2").display().to_string();
    let output = Command::new(PROGRAM)
        .args(["generate", "--model", &folder, "--prompt", "The fox"])
        .args(["--max-new-tokens", "4", "--json"])
        .output()
        .unwrap();
    succeeded(&output)["new_tokens"].clone()
}

fn asked_for(seen: &[Seen]) -> Vec<String> {
    let line = |seen: &Seen| {
        let path = seen.path.split('?').next().unwrap();
        format!("{} {path}", seen.method)
    };
    seen.iter().map(line).collect()
}

#[test]
fn a_model_of_the_hub_is_fetched_once_and_runs_as_from_its_folder() {
    let world = World::new();

    let first = succeeded(&world.generate("org/tiny").output().unwrap());
    let seen = asked_for(&world.hub.take_seen());
    let second = succeeded(&world.generate("org/tiny").output().unwrap());
    let seen_again = asked_for(&world.hub.take_seen());

    assert_eq!(first["new_tokens"], expected_tokens());
    assert_eq!(first, second);
    assert!(!seen.iter().any(|line| line.contains("README")), "{seen:?}");
    assert!(
        !seen.iter().any(|line| line.contains("pytorch")),
        "{seen:?}"
    );
    assert_eq!(seen_again, ["GET /api/models/org/tiny/revision/main"]);
}

#[test]
fn the_cache_is_laid_out_as_pythons() {
    let world = World::new();

    succeeded(&world.generate("org/tiny").output().unwrap());

    let weights = sha256(&file_of_fixture("model.safetensors"));
    let config = small_etag(&file_of_fixture("config.json"));
    let tokenizer = small_etag(&file_of_fixture("tokenizer.json"));
    let expected = [
        format!("blobs/{weights}"),
        format!("blobs/{config}"),
        format!("blobs/{tokenizer}"),
        "refs/main".to_owned(),
        format!("snapshots/{COMMIT}/config.json"),
        format!("snapshots/{COMMIT}/model.safetensors"),
        format!("snapshots/{COMMIT}/tokenizer.json"),
    ];
    assert_eq!(world.kept(), BTreeSet::from(expected));
    let root = world.repo_folder();
    assert_eq!(fs::read_to_string(root.join("refs/main")).unwrap(), COMMIT);
    #[cfg(unix)]
    {
        let link = root.join(format!("snapshots/{COMMIT}/model.safetensors"));
        let target = fs::read_link(link).unwrap();
        assert_eq!(target, Path::new(&format!("../../blobs/{weights}")));
    }
}

#[test]
fn a_summary_fetches_the_shape_alone() {
    let world = World::new();
    let mut summary = world.program(&["summary", "--model", "org/tiny", "--json"]);

    let json = succeeded(&summary.output().unwrap());

    assert!(json.is_object());
    assert_eq!(world.hub.n_cdn_bytes(), 0);
    let seen = asked_for(&world.hub.take_seen());
    assert!(
        !seen.iter().any(|line| line.contains("tokenizer")),
        "{seen:?}"
    );
}

#[test]
fn offline_no_connection_is_made() {
    let world = World::new();
    for (name, value) in [("HF_HUB_OFFLINE", "yes"), ("HF_HUB_OFFLINE", "ON")] {
        let mut command = world.generate("org/tiny");
        world.assert_refused(
            command.env(name, value),
            &["org/tiny@main", "config.json is missing", "offline"],
        );
    }
    assert_eq!(world.hub.n_connections(), 0);
    succeeded(&world.generate("org/tiny").output().unwrap());
    let n_before = world.hub.n_connections();

    let by_option = world
        .generate("org/tiny")
        .arg("--offline")
        .output()
        .unwrap();
    let by_variable = world
        .generate("org/tiny")
        .env("HF_HUB_OFFLINE", "TRUE")
        // Nobody answers there, and nobody is asked.
        .env("HF_ENDPOINT", "http://192.0.2.1:9")
        .output()
        .unwrap();

    assert_eq!(succeeded(&by_option)["new_tokens"], expected_tokens());
    assert_eq!(succeeded(&by_variable)["new_tokens"], expected_tokens());
    assert_eq!(world.hub.n_connections(), n_before);
}

#[test]
fn offline_what_is_missing_is_named() {
    let world = World::new();
    let summary = world.program(&["summary", "--model", "org/tiny"]).output();
    assert!(summary.unwrap().status.success());

    world.assert_refused(
        world.generate("org/tiny").arg("--offline"),
        &[
            "org/tiny@main",
            "model.safetensors is missing",
            "run it once online",
        ],
    );
}

#[test]
fn without_a_network_what_was_fetched_before_is_used() {
    let world = World::new();
    succeeded(&world.generate("org/tiny").output().unwrap());
    // Nobody listens there.
    let nobody = "http://127.0.0.1:1";

    let cached = world
        .generate("org/tiny")
        .env("HF_ENDPOINT", nobody)
        .output();
    let cached = cached.unwrap();

    assert_eq!(succeeded(&cached)["new_tokens"], expected_tokens());
    let stderr = String::from_utf8_lossy(&cached.stderr);
    assert!(
        stderr.contains("going on with the files fetched before"),
        "{stderr}"
    );
    world.assert_refused(
        world.generate("org/other").env("HF_ENDPOINT", nobody),
        &["cannot reach 127.0.0.1:1", "HF_ENDPOINT"],
    );
}

#[test]
fn the_token_goes_to_the_hub_alone_and_is_never_printed() {
    let world = World::new();

    let output = world
        .generate("org/tiny")
        .env("HF_TOKEN", TOKEN)
        .env("RUST_LOG", "trace")
        .output()
        .unwrap();

    succeeded(&output);
    let seen = world.hub.take_seen();
    let bearer = format!("Bearer {TOKEN}");
    let (of_cdn, of_hub): (Vec<Seen>, Vec<Seen>) = seen.into_iter().partition(|seen| seen.is_cdn);
    assert!(!of_cdn.is_empty() && !of_hub.is_empty());
    for seen in of_hub {
        assert_eq!(seen.authorization.as_ref(), Some(&bearer), "{seen:?}");
    }
    for seen in of_cdn {
        assert_eq!(seen.authorization, None, "{seen:?}");
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("TRACE"), "the log says everything");
    assert!(!stderr.contains(TOKEN));
}

#[test]
fn the_token_of_pythons_login_is_used() {
    let world = World::new();
    fs::write(world.home.path().join("token"), format!("{TOKEN}\n")).unwrap();

    succeeded(&world.generate("org/tiny").output().unwrap());

    let seen = world.hub.take_seen();
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(seen[0].authorization.as_ref(), Some(&bearer));
}

/// Waits until the file that grows has `n` bytes.
fn wait_for_bytes(world: &World, etag: &str, n: u64) {
    let path = world.repo_folder().join(format!("blobs/{etag}.incomplete"));
    let started = Instant::now();
    while fs::metadata(&path).map_or(0, |found| found.len()) < n {
        assert!(started.elapsed() < Duration::from_secs(30), "nothing comes");
        thread::sleep(Duration::from_millis(10));
    }
}

fn spawn(command: &mut Command) -> Child {
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_fetch_that_was_killed_goes_on_where_it_ended() {
    let world = World::new();
    let weights = file_of_fixture("model.safetensors");
    let etag = sha256(&weights);
    world.hub.fail("GET /repos/", 1, Fault::Slow(200_000));
    let mut child = spawn(&mut world.generate("org/tiny"));
    wait_for_bytes(&world, &etag, 60_000);
    child.kill().unwrap();
    child.wait().unwrap();
    let unfinished = world.repo_folder().join(format!("blobs/{etag}.incomplete"));
    let n_there = fs::metadata(unfinished).unwrap().len();
    assert!(n_there < weights.len() as u64);
    world.hub.take_seen();

    let json = succeeded(&world.generate("org/tiny").output().unwrap());

    assert_eq!(json["new_tokens"], expected_tokens());
    let seen = world.hub.take_seen();
    let ranges: Vec<Option<String>> = seen
        .into_iter()
        .filter(|seen| seen.is_cdn)
        .map(|seen| seen.range)
        .collect();
    assert_eq!(ranges, [Some(format!("bytes={n_there}-"))]);
}

#[test]
fn a_leftover_that_is_not_the_beginning_of_the_file_is_thrown_away() {
    let world = World::new();
    let etag = sha256(&file_of_fixture("model.safetensors"));
    let blobs = world.repo_folder().join("blobs");
    fs::create_dir_all(&blobs).unwrap();
    fs::write(blobs.join(format!("{etag}.incomplete")), [7; 1000]).unwrap();

    let output = world.generate("org/tiny").output().unwrap();

    assert_eq!(succeeded(&output)["new_tokens"], expected_tokens());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("fetching all of it again"), "{stderr}");
}

#[test]
fn a_server_that_knows_no_ranges_sends_all_of_it() {
    let world = World::new();
    let weights = file_of_fixture("model.safetensors");
    let blobs = world.repo_folder().join("blobs");
    fs::create_dir_all(&blobs).unwrap();
    let unfinished = blobs.join(format!("{}.incomplete", sha256(&weights)));
    fs::write(unfinished, &weights[..1000]).unwrap();
    world.hub.fail("GET /repos/", 1, Fault::Whole);

    let output = world.generate("org/tiny").output().unwrap();

    assert_eq!(succeeded(&output)["new_tokens"], expected_tokens());
    assert_eq!(world.hub.n_cdn_bytes(), weights.len());
}

#[test]
fn passing_faults_are_passed_over() {
    let world = World::new();
    world.hub.fail("GET /api/models", 2, Fault::Status(503, ""));
    world
        .hub
        .fail("HEAD /org/tiny/resolve", 1, Fault::Status(500, ""));
    for n_bytes in [100_000, 0, 50_000, 70_000, 30_000, 0] {
        world.hub.fail("GET /repos/", 1, Fault::Cut(n_bytes));
    }
    // An address that was signed for an hour that is over.
    world.hub.fail("GET /repos/", 1, Fault::Status(403, ""));

    let output = world.generate("org/tiny").output().unwrap();

    assert_eq!(succeeded(&output)["new_tokens"], expected_tokens());
    let n_bytes = file_of_fixture("model.safetensors").len();
    assert_eq!(world.hub.n_cdn_bytes(), n_bytes, "no byte came twice");
}

#[test]
fn each_refusal_of_the_hub_has_its_own_words() {
    let gated = "X-Error-Code: GatedRepo\nX-Error-Message: Access to model org/tiny is restricted.";
    let listing = "GET /api/models";
    let cases: [(&str, &str, Fault, bool, &[&str]); 13] = [
        (
            "org/none",
            listing,
            Fault::Status(401, "X-Error-Code: RepoNotFound"),
            false,
            &[
                "has no model org/none, or it is private",
                "check the name",
                "HF_TOKEN",
            ],
        ),
        (
            "org/none",
            listing,
            Fault::Status(404, "X-Error-Code: RepoNotFound"),
            true,
            &[
                "has no model org/none, or it is private",
                "whether the token's account may read it",
            ],
        ),
        (
            "org/tiny",
            listing,
            Fault::Status(
                401,
                "X-Error-Message: Invalid credentials in Authorization header",
            ),
            true,
            &["refuses the token", "settings/tokens"],
        ),
        (
            "org/tiny",
            "HEAD /org",
            Fault::Status(401, gated),
            false,
            &[
                "org/tiny is gated",
                "accept its terms at https://",
                "/org/tiny",
                "HF_TOKEN",
            ],
        ),
        (
            "org/tiny",
            "HEAD /org",
            Fault::Status(403, gated),
            true,
            &["org/tiny is gated", "with the account of the token in use"],
        ),
        (
            "org/tiny@v9",
            "nothing",
            Fault::Loop,
            false,
            &["org/tiny has no revision \"v9\"", "/org/tiny/tree/main"],
        ),
        (
            "org/tiny",
            "HEAD /org",
            Fault::Status(404, "X-Error-Code: EntryNotFound"),
            false,
            &["org/tiny has no file config.json"],
        ),
        (
            "org/tiny",
            listing,
            Fault::Status(429, "Retry-After: 37"),
            false,
            &["429", "try again in 37 s", "HF_TOKEN"],
        ),
        (
            "org/tiny",
            listing,
            Fault::Status(429, ""),
            true,
            &["429", "try again in a few minutes"],
        ),
        (
            "org/tiny",
            listing,
            Fault::Status(502, ""),
            false,
            &["answered 502 for the files of org/tiny", "try again later"],
        ),
        (
            "org/tiny",
            "GET /repos/",
            Fault::Status(500, ""),
            false,
            &["answered 500 for model.safetensors"],
        ),
        (
            "org/tiny",
            listing,
            Fault::Status(418, "X-Error-Message: short and stout"),
            false,
            &["refuses the files of org/tiny with status 418: short and stout"],
        ),
        (
            "org/tiny",
            "GET /repos/",
            Fault::Cut(0),
            false,
            &["broke off in model.safetensors", "try again"],
        ),
    ];
    for (model, part, fault, has_token, words) in cases {
        let world = World::new();
        world.hub.fail(part, 99, fault);
        let mut command = world.generate(model);
        if has_token {
            command.env("HF_TOKEN", TOKEN);
        }

        world.assert_refused(&mut command, words);
    }
}

#[test]
fn a_connection_that_is_silent_is_given_up_and_what_came_is_kept() {
    let world = World::new();
    let mut command = world.generate("org/tiny");
    command.env("HF_HUB_DOWNLOAD_TIMEOUT", "0.2");
    world.hub.fail("GET /repos/", 1, Fault::Stall(100_000));
    world.hub.fail("GET /repos/", 99, Fault::Stall(0));
    let started = Instant::now();

    world.assert_refused(
        &mut command,
        &[
            "sent nothing of model.safetensors for 0.2 s",
            "the 100.0 kB that have come are kept",
            "HF_HUB_DOWNLOAD_TIMEOUT",
        ],
    );

    assert!(started.elapsed() < Duration::from_secs(20));
    world.hub.heal();
    succeeded(&world.generate("org/tiny").output().unwrap());
    let sent = world.hub.n_cdn_bytes();
    assert_eq!(sent, file_of_fixture("model.safetensors").len());
}

#[test]
fn a_hub_that_is_silent_from_the_beginning_is_given_up() {
    let world = World::new();
    world.hub.fail("GET /api/models", 99, Fault::Stall(0));
    let mut command = world.generate("org/tiny");

    world.assert_refused(
        command.env("HF_HUB_DOWNLOAD_TIMEOUT", "0.2"),
        &["sent nothing of the files of org/tiny for 0.2 s"],
    );
}

#[test]
fn a_wrong_file_is_thrown_away_and_the_next_attempt_is_whole() {
    for (fault, words) in [
        (Fault::Flip, ["came damaged", "SHA-256"]),
        (Fault::Short(10), ["came with 429414 bytes", "429424"]),
        (Fault::Body(vec![1; 500_000]), ["came with", "429424"]),
    ] {
        let world = World::new();
        world.hub.fail("GET /repos/", 1, fault);

        world.assert_refused(&mut world.generate("org/tiny"), &words);

        let etag = sha256(&file_of_fixture("model.safetensors"));
        let kept = world.kept();
        assert!(!kept.iter().any(|name| name.contains(&etag)), "{kept:?}");
        let json = succeeded(&world.generate("org/tiny").output().unwrap());
        assert_eq!(json["new_tokens"], expected_tokens());
    }
}

#[test]
fn a_cached_file_that_was_cut_short_is_fetched_again() {
    let world = World::new();
    succeeded(&world.generate("org/tiny").output().unwrap());
    let etag = sha256(&file_of_fixture("model.safetensors"));
    let blob = world.repo_folder().join(format!("blobs/{etag}"));
    fs::write(&blob, &file_of_fixture("model.safetensors")[..1000]).unwrap();

    let json = succeeded(&world.generate("org/tiny").output().unwrap());

    assert_eq!(json["new_tokens"], expected_tokens());
}

#[test]
fn nonsense_and_endless_redirects_are_refused() {
    let listing = "GET /api/models";
    let elsewhere = "{\"sha\": \"../../../../etc\", \"siblings\": []}";
    let huge = vec![b'['; 12_000_000];
    for (part, fault, words) in [
        (
            listing,
            Fault::Body(b"<html>Sign in".to_vec()),
            ["answered nonsense", "sign-in"],
        ),
        (
            listing,
            Fault::Body(elsewhere.into()),
            ["answered nonsense", "names no commit"],
        ),
        (
            listing,
            Fault::Body(huge),
            ["answered nonsense", "more than 10485760 bytes"],
        ),
        (listing, Fault::Loop, ["redirected 10 times", "HF_ENDPOINT"]),
        (
            "HEAD /org",
            Fault::Loop,
            ["config.json cannot be fetched", "redirected 10 times"],
        ),
        (
            "GET /repos/",
            Fault::Loop,
            ["model.safetensors cannot be fetched", "redirected"],
        ),
        (
            "GET /org",
            Fault::Redirect("file:///etc/passwd".into()),
            ["config.json", "to nowhere"],
        ),
        (
            "HEAD /org",
            Fault::Header("X-Linked-Etag", "\"../../x\""),
            ["nonsense", "no ETag"],
        ),
    ] {
        let world = World::new();
        world.hub.fail(part, 99, fault.clone());

        world.assert_refused(&mut world.generate("org/tiny"), &words);

        assert!(!world.home.path().join("x").exists());
        let kept = world.kept();
        let is_below = |name: &String| name.starts_with("blobs/") || name.starts_with("snapshots/");
        assert!(kept.iter().all(is_below), "{kept:?}");
    }
}

#[test]
fn two_at_once_fetch_each_file_once_and_the_second_says_that_it_waits() {
    let world = World::new();
    let weights = file_of_fixture("model.safetensors");
    world.hub.fail("GET /repos/", 1, Fault::Slow(200_000));
    let first = spawn(&mut world.generate("org/tiny"));
    wait_for_bytes(&world, &sha256(&weights), 20_000);
    let second = spawn(&mut world.generate("org/tiny"));

    let first = first.wait_with_output().unwrap();
    let second = second.wait_with_output().unwrap();

    assert_eq!(succeeded(&first), succeeded(&second));
    assert_eq!(world.hub.n_cdn_bytes(), weights.len());
    let said = String::from_utf8_lossy(&first.stderr).into_owned();
    assert!(
        said.starts_with("note: fetching model.safetensors, "),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "no progress bar in a log: {said}");
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        said.contains("waiting for another program that fetches model.safetensors"),
        "{said}"
    );
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_told_and_what_came_is_kept() {
    let world = World::new();
    // 100 blocks of 512 or 1024 bytes: fewer than the weights have.
    let script = "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, PROGRAM, "generate", "--model", "org/tiny"]);
    command.args(["--prompt", "The fox"]);
    world.surround(&mut command);

    world.assert_refused(
        &mut command,
        &[
            "cannot write",
            ".incomplete",
            "HF_HUB_CACHE to a folder on another disk",
        ],
    );

    let n_sent = world.hub.n_cdn_bytes();
    world.hub.take_seen();
    succeeded(&world.generate("org/tiny").output().unwrap());
    let seen = world.hub.take_seen();
    let range = seen.into_iter().find(|seen| seen.is_cdn).unwrap().range;
    assert!(range.is_some(), "after {n_sent} bytes it went on");
}

#[cfg(unix)]
#[test]
fn a_cache_that_can_not_be_written_is_told_and_one_that_is_complete_is_used() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    let world = World::new();
    let file = world.home.path().join("file");
    fs::write(&file, "").unwrap();
    world.assert_refused(
        world
            .generate("org/tiny")
            .env("HF_HUB_CACHE", file.join("hub")),
        &["cannot write", "set HF_HUB_CACHE"],
    );

    // To the superuser nothing is read-only: it becomes somebody else.
    let is_root = fs::metadata(world.home.path()).unwrap().uid() == 0;
    let as_nobody = |args: &[&str]| {
        let mut command = Command::new(if is_root { "setpriv" } else { PROGRAM });
        if is_root {
            let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", PROGRAM];
            command.args(nobody);
        }
        command.args(args);
        world.surround(&mut command);
        command
    };
    if !as_nobody(&["--version"])
        .output()
        .is_ok_and(|output| output.status.success())
    {
        return; // No other user can reach the program here.
    }
    let generate = ["generate", "--model", "org/tiny", "--prompt", "The fox"];
    let set_mode = |mode| {
        let mut folders = vec![world.home.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap().flatten() {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                }
            }
            fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    set_mode(0o555);
    world.assert_refused(
        &mut as_nobody(&generate),
        &[
            "cannot write",
            "denied",
            "set HF_HUB_CACHE to a folder that may be written",
        ],
    );
    set_mode(0o755);
    succeeded(&world.generate("org/tiny").output().unwrap());
    set_mode(0o555);

    let output = as_nobody(&generate).output().unwrap();

    set_mode(0o755);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stderr, "");
}

/// What the servers sent whole of `repo`, in order of names.
fn files_sent(world: &World, repo: &str) -> Vec<String> {
    let prefix = format!("GET /{repo}/resolve/{COMMIT}/");
    let mut files: Vec<String> = asked_for(&world.hub.take_seen())
        .iter()
        .filter_map(|line| line.strip_prefix(&prefix).map(str::to_owned))
        .collect();
    files.sort();
    files
}

#[test]
fn of_shards_all_that_the_list_names_are_fetched_and_no_others() {
    let world = World::new();
    let index = |shards: [&str; 2]| {
        let map = serde_json::json!({"weight_map": {"a": shards[0], "b": shards[1]}});
        map.to_string()
    };
    let shards = [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ];
    let repos = [
        ("org/whole", index(shards)),
        ("org/lacking", index([shards[0], "model-00009.safetensors"])),
        ("org/outside", index([shards[0], "../../../../x"])),
    ];
    for (repo, index) in &repos {
        world
            .hub
            .add(repo, "config.json", file_of_fixture("config.json"));
        world
            .hub
            .add(repo, "model.safetensors.index.json", index.as_str());
        for shard in shards {
            world.hub.add(repo, shard, format!("{repo}: {shard}"));
        }
        world
            .hub
            .add(repo, "model-00003-of-00002.safetensors", "not named");
    }

    // The shards are no safetensors, so it ends after all has come.
    let output = world.generate("org/whole").output().unwrap();

    assert_eq!(output.status.code(), Some(4));
    let expected = [
        "config.json",
        shards[0],
        shards[1],
        "model.safetensors.index.json",
    ];
    assert_eq!(files_sent(&world, "org/whole"), expected);
    world.assert_refused(
        &mut world.generate("org/lacking"),
        &["org/lacking has no file model-00009.safetensors"],
    );
    world.assert_refused(
        &mut world.generate("org/outside"),
        &[
            "model.safetensors.index.json of org/outside",
            "\"../../../../x\"",
            "outside",
        ],
    );
}

#[test]
fn a_repository_without_safetensors_is_fetched_as_what_it_has() {
    let world = World::new();
    for (file, text) in [
        ("config.json", "{}"),
        ("pytorch_model.bin", "weights"),
        ("vocab.json", "{\"a\": 1}"),
        ("merges.txt", "#version: 0.2"),
        ("tf_model.h5", "x"),
    ] {
        world.hub.add("org/old", file, text);
    }
    for file in ["m-q4_k.gguf", "m-q8_0.gguf", "deep/m-f16.gguf"] {
        world.hub.add("org/ggufs", file, format!("GGUF {file}"));
    }

    let old = world.generate("org/old").output().unwrap();

    assert_eq!(
        old.status.code(),
        Some(4),
        "an empty config.json is no model"
    );
    let expected = [
        "config.json",
        "merges.txt",
        "pytorch_model.bin",
        "vocab.json",
    ];
    assert_eq!(files_sent(&world, "org/old"), expected);
    world.assert_refused(
        &mut world.generate("org/ggufs"),
        &[
            "name one of them",
            "org/ggufs/deep/m-f16.gguf, org/ggufs/m-q4_k.gguf, org/ggufs/m-q8_0.gguf",
        ],
    );
    world.assert_refused(
        &mut world.generate("org/ggufs/m-q2.gguf"),
        &[
            "org/ggufs has no file m-q2.gguf",
            "it has deep/m-f16.gguf, m-q4_k.gguf",
        ],
    );
    world.hub.take_seen();
    let named = world.generate("org/ggufs/m-q8_0.gguf").output().unwrap();
    assert_eq!(named.status.code(), Some(4), "it is no real GGUF");
    assert_eq!(files_sent(&world, "org/ggufs"), ["m-q8_0.gguf"]);
    let snapshot = world.home.path().join("hub/models--org--ggufs/snapshots");
    let file = snapshot.join(COMMIT).join("m-q8_0.gguf");
    assert_eq!(fs::read(file).unwrap(), b"GGUF m-q8_0.gguf");
}

#[test]
fn an_unusable_endpoint_or_token_is_told_without_the_token() {
    let world = World::new();

    world.assert_refused(
        world.generate("org/tiny").env("HF_ENDPOINT", "hub.example"),
        &["HF_ENDPOINT is \"hub.example\""],
    );
    world.assert_refused(
        world
            .generate("org/tiny")
            .env("HF_TOKEN", format!("{TOKEN} x")),
        &["the token in HF_TOKEN has letters that no token has"],
    );
    assert_eq!(world.hub.n_connections(), 0);
}

#[test]
fn a_hub_that_makes_no_secure_connection_is_told_at_once() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    let plain = thread::Builder::new().name("plain".to_owned());
    let plain = plain
        .spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            connection
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .unwrap();
            // It ends when the other side does.
            drop(io::copy(&mut connection, &mut io::sink()));
        })
        .unwrap();

    world.assert_refused(
        world.generate("org/tiny").env("HF_ENDPOINT", endpoint),
        &[
            "cannot reach 127.0.0.1",
            "no secure connection can be made",
            "HF_ENDPOINT",
        ],
    );
    plain.join().unwrap();
}
