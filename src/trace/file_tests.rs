//! Saving and opening: what comes back, what survives, and what is refused.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::fixture;
use super::*;

fn lens_at<'a>(
    lens: &'a [Vec<Option<LensReading>>],
) -> impl Fn(usize, usize) -> Option<&'a LensReading> {
    |layer, pos| lens[layer][pos].as_ref()
}

/// A writer that has taken in every pass of the fixture.
fn written(path: &Path, contents: Contents) -> TraceWriter {
    let lens = fixture::lens();
    let mut writer = TraceWriter::create(path, contents, false).unwrap();
    for pass in fixture::trace().passes() {
        writer.append(pass, &lens_at(&lens)).unwrap();
    }
    writer
}

fn saved_bytes() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    written(&path, fixture::contents()).finish().unwrap();
    fs::read(&path).unwrap()
}

/// Opens and reads what is to be refused.
fn refusal(bytes: &[u8]) -> OpenError {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    fs::write(&path, bytes).unwrap();
    match TraceFile::open(&path) {
        Err(error) => error,
        Ok(file) => file.read(None).unwrap_err(),
    }
}

/// The file with another header, of any length.
fn with_header(bytes: &[u8], change: impl Fn(&mut Value)) -> Vec<u8> {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    change(&mut header);
    let header = header.to_string();
    let length_bytes = (header.len() as u64).to_le_bytes();
    [&length_bytes, header.as_bytes(), &bytes[8 + length..]].concat()
}

/// The file with other metadata.
fn with_about(bytes: &[u8], change: impl Fn(&mut Value)) -> Vec<u8> {
    with_header(bytes, |header| {
        let about = &mut header["__metadata__"]["llmscope"];
        let mut json: Value = serde_json::from_str(about.as_str().unwrap()).unwrap();
        change(&mut json);
        *about = json.to_string().into();
    })
}

#[test]
fn a_saved_trace_comes_back_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    written(&path, fixture::contents()).finish().unwrap();

    let file = TraceFile::open(&path).unwrap();
    assert!(file.missing_hooks().is_empty());
    let saved = file.read(None).unwrap();

    fixture::assert_same_bits(&saved.trace, &fixture::trace());
    assert_eq!(saved.about, fixture::about());
    assert_eq!(saved.vocab, fixture::contents().vocab);
    // NaN is not equal to itself, and is written so.
    assert_eq!(
        format!("{:?}", saved.lens),
        format!("{:?}", fixture::lens())
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn each_hook_point_is_one_tensor_over_all_positions() {
    let bytes = saved_bytes();
    let trace = fixture::trace();

    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();

    for hook in fixture::config().hook_points() {
        let tensor = file.tensor(&hook.to_string()).unwrap();
        let expected = trace.activation(hook).unwrap();
        let expected_bytes: Vec<u8> = expected
            .values()
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        assert_eq!(tensor.shape(), expected.shape(), "{hook}");
        assert_eq!(tensor.data(), expected_bytes, "{hook}");
    }
    let tokens = [1i64, 2, 4, 0].map(i64::to_le_bytes).concat();
    assert_eq!(file.tensor("tokens").unwrap().data(), tokens);
    let lens = file.tensor("llmscope.lens.tokens").unwrap();
    assert_eq!(lens.shape(), [2, 4, 5]);
    assert_eq!(lens.data()[lens.data().len() - 8..], (-2i64).to_le_bytes());
}

#[test]
fn a_trace_without_some_hooks_the_lens_or_texts_says_what_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    let contents = Contents {
        hooks: vec![HookPoint::Embed],
        has_lens: false,
        vocab: Vocab::default(),
        ..fixture::contents()
    };
    written(&path, contents).finish().unwrap();

    let file = TraceFile::open(&path).unwrap();
    assert_eq!(
        file.missing_hooks().len(),
        fixture::config().hook_points().len() - 1
    );
    let saved = file.read(None).unwrap();

    assert_eq!(saved.trace.passes()[1].cache.len(), 1);
    assert!(saved.lens.is_empty() && saved.vocab.is_empty());
}

#[test]
fn wherever_writing_was_cut_short_every_whole_pass_is_recovered() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let mut writer = TraceWriter::create(&whole, fixture::contents(), false).unwrap();
    let lens = fixture::lens();
    let part = part_of(&whole);
    let mut ends = vec![fs::metadata(&part).unwrap().len()];
    for pass in fixture::trace().passes() {
        writer.append(pass, &lens_at(&lens)).unwrap();
        ends.push(fs::metadata(&part).unwrap().len());
    }
    let bytes = fs::read(&part).unwrap();
    let n_pos = [0, 2, 3, 4];

    for length in (0..=bytes.len())
        .rev()
        .step_by(7)
        .chain(ends.iter().map(|end| *end as usize))
    {
        let cut = folder.path().join("cut.part");
        fs::write(&cut, &bytes[..length]).unwrap();
        let path = folder.path().join("cut");

        let recovered = recover(&cut, &path, true);

        let n_whole = ends.iter().filter(|end| **end <= length as u64).count();
        if n_whole < 2 {
            assert!(matches!(
                recovered,
                Err(SaveError::Open(OpenError::NotAPart { .. }))
            ));
            assert!(cut.exists(), "nothing is thrown away");
            continue;
        }
        let recovered = recovered.unwrap();
        assert_eq!(recovered.n_pos, n_pos[n_whole - 1], "{length}");
        assert_eq!(recovered.torn_bytes, length as u64 - ends[n_whole - 1]);
        let saved = TraceFile::open(&path).unwrap().read(None).unwrap();
        let all = fixture::trace();
        let mut expected = Trace::new(fixture::config());
        for pass in &all.passes()[..n_whole - 1] {
            expected.push(Arc::clone(pass));
        }
        fixture::assert_same_bits(&saved.trace, &expected);
        assert!(!cut.exists());
    }
}

#[test]
fn a_pass_that_was_changed_since_and_those_after_it_are_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    let writer = written(&path, fixture::contents());
    drop(writer);
    let part = part_of(&path);
    let mut bytes = fs::read(&part).unwrap();
    let place = bytes
        .windows(4)
        .rposition(|window| window == b"PASS")
        .unwrap();
    bytes[place + 40] ^= 1;
    fs::write(&part, &bytes).unwrap();

    let recovered = recover(&part, &path, false).unwrap();

    assert_eq!(recovered.n_pos, 3);
    assert_eq!(recovered.torn_bytes, (bytes.len() - place) as u64);
}

#[test]
fn nothing_is_replaced_or_thrown_away_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    drop(written(&path, fixture::contents()));
    let create = |force| TraceWriter::create(&path, fixture::contents(), force);

    assert!(matches!(create(false), Err(SaveError::Unfinished { .. })));
    assert!(part_of(&path).exists());
    drop(create(true).unwrap());
    assert!(
        !part_of(&path).exists(),
        "a trace without a pass leaves nothing"
    );

    fs::write(&path, "mine").unwrap();
    assert!(matches!(create(false), Err(SaveError::Exists(_))));
    drop(written(&folder.path().join("other"), fixture::contents()));
    let other = part_of(&folder.path().join("other"));
    assert!(matches!(
        recover(&other, &path, false),
        Err(SaveError::Exists(_))
    ));
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    assert!(other.exists());
}

#[test]
fn a_pass_that_lacks_a_hook_is_refused_and_those_before_it_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    let lens = fixture::lens();
    let mut writer = TraceWriter::create(&path, fixture::contents(), false).unwrap();
    writer
        .append(&fixture::pass(0, &[1, 2]), &lens_at(&lens))
        .unwrap();
    let mut lacking = fixture::pass(2, &[3]);
    lacking.cache.remove(&HookPoint::Logits);

    let refused = writer.append(&lacking, &lens_at(&lens));

    assert!(matches!(
        refused,
        Err(SaveError::NotRecorded(HookPoint::Logits))
    ));
    writer.finish().unwrap();
    assert_eq!(TraceFile::open(&path).unwrap().n_pos(), 2);
}

#[test]
fn a_file_that_lies_is_refused_for_what_it_is() {
    let bytes = saved_bytes();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let foreign = with_header(&bytes, |header| {
        header["__metadata__"] = serde_json::json!({"format": "pt"});
    });
    let renamed = with_header(&bytes, |header| {
        let tensor = header["logits"].take();
        header.as_object_mut().unwrap().remove("logits");
        header["logitz"] = tensor;
    });
    let elsewhere = with_header(&bytes, |header| {
        let shape = &mut header["hook_embed"]["shape"];
        *shape = serde_json::json!([8, 2]);
    });
    let overlapping = with_header(&bytes, |header| {
        header["hook_embed"]["data_offsets"][0] = 0.into();
    });
    let mut unknown_token = bytes.clone();
    unknown_token[8 + length..8 + length + 8].copy_from_slice(&5i64.to_le_bytes());
    let claim = [&(1u64 << 60).to_le_bytes()[..], &bytes[8..]].concat();

    for (bytes, expected) in [
        (&b"PK\x03\x04"[..], "it has only 4 bytes"),
        (&claim, "its header claims"),
        (&bytes[..100], "cut short"),
        (&bytes[..bytes.len() - 1], "cut short"),
        (&[&bytes[..], &[0]].concat(), "1 bytes follow"),
        (&foreign, "no trace"),
        (&overlapping, "no safetensors"),
        (&renamed, "\"logitz\" is no hook point"),
        (&elsewhere, "hook_embed"),
        (&unknown_token, "5 is no token"),
        (
            &with_about(&bytes, |about| about["format"] = 2.into()),
            "format 2",
        ),
        (
            &with_about(&bytes, |about| {
                about.as_object_mut().unwrap().remove("format");
            }),
            "can't be shown again",
        ),
        (
            &with_about(&bytes, |about| {
                about["passes"] = serde_json::json!([[0, 9]]);
            }),
            "9 tokens",
        ),
        (
            &with_about(&bytes, |about| {
                about["passes"] = serde_json::json!([[0, 2]]);
            }),
            "is due",
        ),
        (
            &with_about(&bytes, |about| about["config"]["n_head"] = 0.into()),
            "n_head is 0",
        ),
        (
            &with_about(&bytes, |about| about["config"]["n_layer"] = 1.into()),
            "no hook point",
        ),
        (
            &with_about(&bytes, |about| {
                about["prompt_tokens"] = serde_json::json!([3]);
            }),
            "prompt",
        ),
    ] {
        let error = refusal(bytes).to_string();
        assert!(error.contains(expected), "{expected:?} in {error}");
    }
}

#[test]
fn no_damage_to_a_header_makes_the_reader_panic() {
    let bytes = saved_bytes();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    for at in (0..8 + length).step_by(3) {
        for flip in [1, 0x10, 0x80] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("t");
            fs::write(&path, &damaged).unwrap();

            if let Ok(file) = TraceFile::open(&path) {
                drop(file.read(None));
            }
        }
    }
}

#[test]
fn a_trace_larger_than_memory_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    written(&path, fixture::contents()).finish().unwrap();
    let open = || TraceFile::open(&path).unwrap();
    let needed = open().byte_count();

    assert!(open().read(Some(needed)).is_ok());
    assert!(matches!(
        open().read(Some(needed - 1)),
        Err(OpenError::TooLarge { .. })
    ));
    assert!(matches!(
        TraceFile::open(folder.path()),
        Err(OpenError::Read { .. })
    ));
}
