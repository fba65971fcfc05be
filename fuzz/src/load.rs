//! Loads a model of whose files one is the fuzzer's. Whatever comes of it must come as a value, and
//! what loads must run.

#![no_main]

mod case;

use std::panic;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let parent = if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    };
    parent.join(format!("llmscope-fuzz-{}", std::process::id()))
});

/// Libraries whose panics the program catches and tells as errors.
const CAUGHT: [&str; 2] = ["/tokenizers-", "/spm_precompiled-"];

/// Ends the process at every panic, as the fuzzer does, but for those that are caught. One of those that
/// is not caught after all reaches the fuzzer, which ends it too.
fn let_caught_panics_pass() {
    let end = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let place = info.location().map_or("", |location| location.file());
        if !CAUGHT.iter().any(|library| place.contains(library)) {
            end(info);
        }
    }));
}

fuzz_target!(init: let_caught_panics_pass(), |input: &[u8]| {
    if let Ok(Some(path)) = case::write(input, &FOLDER) {
        drop(case::try_out(path));
    }
});
