//! The forms that a GPT-2 checkpoint comes in: with and without a prefix, with old mask buffers, in
//! half precision.

mod common;

use std::fs;

use common::checkpoints::{
    Tensors, copy, load_from, logits, safetensors_of, tensors, try_load, worst,
};
use common::load;
use llmscope::model::{LoadSettings, Model, ModelError, ModelSource, Precision};
use safetensors::Dtype;

#[test]
fn a_checkpoint_without_the_prefix_and_with_mask_buffers_is_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    let mut bare: Tensors = tensors("gpt2")
        .into_iter()
        .map(|(name, tensor)| (name.trim_start_matches("transformer.").to_owned(), tensor))
        .collect();
    let mask = (Dtype::U8, vec![1, 1, 64, 64], vec![1; 64 * 64]);
    bare.insert("h.0.attn.bias".to_owned(), mask);
    let masked = (Dtype::F32, vec![], (-1e4f32).to_le_bytes().to_vec());
    bare.insert("h.0.attn.masked_bias".to_owned(), masked);
    copy("gpt2", &["config.json"], folder.path());
    fs::write(
        folder.path().join("model.safetensors"),
        safetensors_of(&bare),
    )
    .unwrap();

    let model = load_from(folder.path(), Precision::F32);

    assert_eq!(logits(&model), logits(&load("gpt2")));
}

#[test]
fn a_checkpoint_in_brain_floats_is_read_and_computed_in_either_precision() {
    let folder = tempfile::tempdir().unwrap();
    let halved: Tensors = tensors("gpt2")
        .into_iter()
        .map(|(name, (_, shape, data))| {
            // A brain float is the upper half of an f32.
            let upper = data.as_chunks::<4>().0.iter().flat_map(|b| [b[2], b[3]]);
            (name, (Dtype::BF16, shape, upper.collect()))
        })
        .collect();
    copy("gpt2", &["config.json"], folder.path());
    fs::write(
        folder.path().join("model.safetensors"),
        safetensors_of(&halved),
    )
    .unwrap();
    let expected = logits(&load("gpt2"));

    // Weights cut to 8 bits of precision: the logits, which span 6.3, move by 0.03 to 0.05.
    let tolerance = 0.1;
    for precision in [
        Precision::Auto,
        Precision::F32,
        Precision::F16,
        Precision::Bf16,
    ] {
        let got = logits(&load_from(folder.path(), precision));

        let worst = worst(&got, &expected);
        assert!(worst > 0.0 && worst < tolerance, "{precision:?}: {worst}");
    }
}

#[test]
fn a_file_cut_short_while_it_is_read_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    copy("gpt2", &["config.json", "model.safetensors"], folder.path());
    let path = folder.path().join("model.safetensors");
    let half = path.metadata().unwrap().len() / 2;
    let file = fs::File::options().write(true).open(&path).unwrap();
    let mut n_calls = 0;

    // The first progress is told when the header is read and its tensors are found in the file.
    let source = ModelSource::Folder(folder.path().to_owned());
    let loaded = Model::load(&source, &LoadSettings::default(), &mut |_| {
        n_calls += 1;
        file.set_len(half).unwrap();
    });

    assert!(n_calls > 0);
    let error = loaded.err().unwrap();
    assert!(matches!(error, ModelError::Read { .. }), "{error}");
    assert!(error.to_string().contains("model.safetensors"), "{error}");
}

#[test]
fn progress_begins_with_nothing_and_ends_with_all() {
    let source = ModelSource::Folder(common::fixture("gpt2"));
    let mut told = Vec::new();

    Model::load(&source, &LoadSettings::default(), &mut |progress| {
        told.push((progress.done_bytes, progress.total_bytes));
    })
    .unwrap();

    let n_bytes: u64 = tensors("gpt2")
        .values()
        .map(|(_, _, data)| data.len() as u64)
        .sum();
    assert_eq!(told.first(), Some(&(0, n_bytes)));
    assert_eq!(told.last(), Some(&(n_bytes, n_bytes)));
    assert!(told.is_sorted());
}

#[cfg(unix)]
#[test]
fn a_pipe_in_place_of_weights_is_refused_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    copy("gpt2", &["config.json"], folder.path());
    let pipe = folder.path().join("model.safetensors");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());

    let error = try_load(folder.path(), Precision::Auto).err().unwrap();

    assert!(error.to_string().contains("no regular file"), "{error}");
}

#[cfg(unix)]
#[test]
fn links_spaces_and_names_that_are_no_unicode_are_followed() {
    use std::os::unix::ffi::OsStrExt as _;

    let folder = tempfile::tempdir().unwrap();
    let blobs = folder.path().join("blobs with spaces");
    let snapshot = folder.path().join(std::ffi::OsStr::from_bytes(b"snap\xff"));
    fs::create_dir(&blobs).unwrap();
    fs::create_dir(&snapshot).unwrap();
    copy("gpt2", &["config.json", "model.safetensors"], &blobs);
    for file in ["config.json", "model.safetensors"] {
        let target = std::path::Path::new("../blobs with spaces").join(file);
        std::os::unix::fs::symlink(target, snapshot.join(file)).unwrap();
    }

    let source = ModelSource::Folder(snapshot);
    let model = Model::load(&source, &LoadSettings::default(), &mut |_| {}).unwrap();

    assert_eq!(logits(&model), logits(&load("gpt2")));
}
