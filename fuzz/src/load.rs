//! Loads a model of whose files one is the fuzzer's. Whatever comes of it must come as a value, and
//! what loads must run.

#![no_main]

mod case;

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use llmscope::model::{LoadSettings, Model, ModelSource};

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let parent = if memory.is_dir() { memory } else { std::env::temp_dir() };
    parent.join(format!("llmscope-fuzz-{}", std::process::id()))
});

fuzz_target!(|input: &[u8]| {
    let Ok(Some(path)) = case::write(input, &FOLDER) else {
        return;
    };
    let source = match path.extension() {
        Some(_) => ModelSource::File(path),
        None => ModelSource::Folder(path),
    };
    if let Ok(model) = Model::load(&source, &LoadSettings::default(), &mut |_| {}) {
        let mut session = model.session();
        drop(model.run_recorded(&mut session, &[0], &mut ()));
        if let Some(tokenizer) = model.tokenizer() {
            drop(tokenizer.encode("The cat, 12 \u{20ac}"));
        }
    }
});
