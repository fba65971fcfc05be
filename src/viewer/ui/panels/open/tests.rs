//! The dialog as a user sees it, without an application.

use std::fs;

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

use super::*;

struct Stage {
    dialog: OpenDialog,
    recents: Recents,
    loading: Option<(f32, String)>,
    failure: Option<String>,
    intents: Vec<Intent>,
}

impl Stage {
    fn ui(&mut self, ui: &mut Ui) {
        let view = OpenView {
            recents: &self.recents,
            loading: self.loading.as_ref().map(|(share, line)| (*share, &**line)),
            failure: self.failure.as_deref(),
            theme: Theme::Dark,
        };
        theme::apply(ui.ctx(), Theme::Dark);
        self.dialog.show(ui.ctx(), &view, &mut self.intents);
    }
}

fn harness() -> Harness<'static, Stage> {
    let mut dialog = OpenDialog::default();
    dialog.toggle();
    let stage = Stage {
        dialog,
        recents: Recents::default(),
        loading: None,
        failure: None,
        intents: Vec::new(),
    };
    Harness::builder()
        .with_size([900.0, 700.0])
        .build_ui_state(|ui, stage: &mut Stage| stage.ui(ui), stage)
}

fn opened(harness: &mut Harness<'static, Stage>) -> Vec<String> {
    let intents = std::mem::take(&mut harness.state_mut().intents);
    intents
        .into_iter()
        .map(|intent| match intent {
            Intent::Open(source) => source.to_string(),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn a_name_is_typed_at_once_and_entered() {
    let mut harness = harness();
    harness.run();
    harness
        .get_by_label("From the Hugging Face Hub")
        .type_text("org/name@v1");
    harness.run();

    harness.key_press(Key::Enter);
    harness.run();

    assert_eq!(opened(&mut harness), ["org/name@v1"]);
}

#[test]
fn what_is_no_name_can_not_be_opened_and_it_is_said_what_is() {
    let mut harness = harness();
    harness.run();
    harness
        .get_by_label("From the Hugging Face Hub")
        .type_text("gpt2");
    harness.run();

    harness.key_press(Key::Enter);
    harness.run();

    assert_eq!(opened(&mut harness), [""; 0]);
    harness.get_by_label_contains("an organisation and a name");
}

#[test]
fn an_address_of_the_hubs_pages_is_a_name_too() {
    let name = |typed: &str| hub_source(typed).map(|source| source.to_string());

    for (typed, expected) in [
        (" org/name ", "org/name"),
        ("https://huggingface.co/org/name", "org/name"),
        ("https://huggingface.co/org/name/", "org/name"),
        ("https://huggingface.co/org/name/tree/v2", "org/name@v2"),
        ("org/name/file.gguf", "org/name/file.gguf"),
    ] {
        assert_eq!(name(typed).as_deref(), Some(expected), "{typed}");
    }
    for typed in ["", "gpt2", "/home/ada/gpt2", "../x", "a/b/c/d"] {
        assert_eq!(name(typed), None, "{typed}");
    }
}

#[test]
fn recent_models_open_or_are_left_out_and_broken_ones_say_so() {
    let mut harness = harness();
    for name in ["/no/such/folder", "org/name"] {
        harness.state_mut().recents.note(name);
    }
    harness.state_mut().recents.check();
    harness.run();

    harness.get_by_label("org/name").click();
    harness.run();
    assert_eq!(opened(&mut harness), ["org/name"]);

    let broken = harness.get_by_label("/no/such/folder is no longer there");
    broken.click();
    harness.run();
    assert_eq!(opened(&mut harness), [""; 0], "it is not there");

    let crosses: Vec<_> = harness.get_all_by_label("×").collect();
    crosses[1].click();
    harness.run();
    let intents = &harness.state().intents;
    assert_eq!(
        intents[..],
        [Intent::ForgetRecent("/no/such/folder".to_owned())]
    );
}

#[test]
fn a_load_shows_its_progress_and_can_be_cancelled_and_a_failure_says_why() {
    let mut harness = harness();
    let line = "Fetching model.safetensors, 120 of 548 MB, 12 MB/s, 36 s left";
    harness.state_mut().loading = Some((0.22, line.to_owned()));
    harness.run();

    harness.get_by_label(line);
    harness.get_by_label("Cancel").click();
    harness.run();
    assert_eq!(harness.state().intents[..], [Intent::CancelLoad]);

    harness.state_mut().loading = None;
    harness.state_mut().failure = Some("No such model".to_owned());
    harness.run();
    harness.get_by_label("No such model");
    assert!(harness.query_by_label("Cancel").is_none());
}

#[test]
fn escape_closes_the_dialog() {
    let mut harness = harness();
    harness.run();

    harness.key_press(Key::Escape);
    harness.run();

    assert!(!harness.state().dialog.is_open);
    assert!(harness.query_by_label("Recent").is_none());
}

#[test]
fn what_is_dropped_onto_the_window_is_opened_even_without_the_dialog() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), "{}").unwrap();
    let mut harness = harness();
    harness.state_mut().dialog.is_open = false;
    let file = egui::DroppedFile {
        path: Some(folder.path().join("config.json")),
        ..egui::DroppedFile::default()
    };
    harness.input_mut().dropped_files.push(file);

    harness.step();

    let expected = folder.path().display().to_string();
    assert_eq!(opened(&mut harness), [expected]);
    harness.step();
    assert_eq!(opened(&mut harness), [""; 0], "once");
}

#[test]
fn a_file_stands_for_its_model() {
    let root = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        path
    };
    let source = |path: &Path| source_of(path).to_string();
    let folder = root.path().join("gpt2");
    let config = file("gpt2/config.json");
    let weights = file("gpt2/model.safetensors");
    let pickle = file("gpt2/pytorch_model.bin");
    let gguf = file("gpt2/any.GGUF");
    let other = file("gpt2/finetuned.safetensors");
    let shard = file("sharded/model-00001-of-00002.safetensors");
    file("sharded/model.safetensors.index.json");

    for path in [&folder, &config, &weights, &pickle] {
        assert_eq!(source(path), folder.display().to_string());
    }
    assert_eq!(source(&gguf), gguf.display().to_string());
    assert_eq!(source(&other), other.display().to_string());
    let sharded = root.path().join("sharded");
    assert_eq!(source(&shard), sharded.display().to_string());
}

#[test]
fn of_a_long_name_the_end_is_shown() {
    let long = format!("/a/{}/model", "x".repeat(80));

    let text = shortened(&long);

    assert!(
        text.starts_with('…') && text.ends_with("xx/model"),
        "{text}"
    );
    assert_eq!(text.chars().count(), MAX_NAME + 1);
    assert_eq!(shortened("org/name"), "org/name");
}
