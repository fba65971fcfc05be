//! The program, run as a shell runs it.

use std::ffi::{OsStr, OsString};
use std::process::Output;
use std::time::Duration;

use assert_cmd::Command;

/// The program that is tested.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_llmscope");

pub fn run<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Output {
    output(Command::new(PROGRAM).args(args))
}

/// As [`run`], with 2 GiB of address space: a lie about sizes must not be believed.
#[cfg(unix)]
pub fn run_in_little_memory<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Output {
    output(
        Command::new("sh")
            .args(["-c", "ulimit -v 2097152; exec \"$@\"", "sh", PROGRAM])
            .args(args),
    )
}

#[cfg(not(unix))]
pub fn run_in_little_memory<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Output {
    run(args)
}

pub fn output(command: &mut Command) -> Output {
    command
        .env("NO_COLOR", "1")
        .env("HF_HUB_OFFLINE", "1")
        .env_remove("RUST_LOG")
        .timeout(Duration::from_secs(120))
        .output()
        .unwrap()
}

/// Asserts that `args` are refused: the exit code, the telling words, in two lines at most.
#[track_caller]
pub fn assert_refused<A: AsRef<OsStr>>(
    args: impl IntoIterator<Item = A>,
    exit_code: i32,
    words: &[&str],
) {
    let args: Vec<OsString> = args.into_iter().map(|arg| arg.as_ref().into()).collect();
    let output = run_in_little_memory(&args);
    let stderr = String::from_utf8(output.stderr).unwrap();
    let case = format!("{args:?}\n{stderr}");

    assert_eq!(output.status.code(), Some(exit_code), "{case}");
    for word in words {
        assert!(stderr.contains(word), "{word:?} in {case}");
    }
    assert!(stderr.starts_with("error: "), "{case}");
    assert!(stderr.lines().count() <= 2, "{case}");
    assert!(!stderr.contains("panicked"), "{case}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{case}");
}
