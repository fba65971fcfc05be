//! Who may name whom. [`FLOORS`] is the architecture; the tests hold every file under `src/` to it.

use std::fs;
use std::path::{Path, PathBuf};

/// The floors of the house, from the ground up: each floor's rooms, and the foreign crates a room
/// may name.
///
/// A room is a module at the top of the crate. It may name itself and the rooms of lower floors;
/// rooms of one floor never name one another.
const FLOORS: &[&[(&str, &[&str])]] = &[
    &[("hook", &["serde"]), ("weight", &[]), ("whole_file", &[])],
    &[("config", &["serde", "serde_json", "thiserror"])],
    &[
        (
            "trace",
            &[
                "bytemuck",
                "memmap2",
                "safetensors",
                "serde_json",
                "tempfile",
                "thiserror",
            ],
        ),
        ("ablation", &["thiserror"]),
        ("provenance", &[]),
    ],
    &[("attribution", &["thiserror"])],
    &[
        (
            "model",
            &[
                "bytemuck",
                "candle_core",
                "candle_nn",
                "candle_transformers",
                "hf_hub",
                "rayon",
                "safetensors",
                "serde",
                "serde_json",
                "sha2",
                "thiserror",
                "tokenizers",
                "tracing",
                "ureq",
            ],
        ),
        (
            "analysis",
            &["bhtsne", "faer", "rand_chacha", "rayon", "thiserror"],
        ),
        ("layout", &["glam"]),
        ("color", &["colorous"]),
    ],
    &[
        ("engine", &["crossbeam_channel", "thiserror", "tracing"]),
        (
            "figure",
            &[
                "base64",
                "epaint_default_fonts",
                "png",
                "resvg",
                "thiserror",
            ],
        ),
    ],
    &[(
        "video",
        &[
            "crc32fast",
            "crossbeam_channel",
            "gif",
            "openh264",
            "rayon",
            "thiserror",
        ],
    )],
    &[(
        "viewer",
        &[
            "bevy",
            "bevy_egui",
            "bevy_panorbit_camera",
            "bytemuck",
            "crossbeam_channel",
            "egui",
            "egui_dock",
            "egui_extras",
            "egui_file_dialog",
            "egui_plot",
            "glam",
            "png",
            "serde",
            "serde_json",
            "skrifa",
            "thiserror",
            "tracing",
            "wgpu",
        ],
    )],
    &[(
        "cli",
        &[
            "anyhow",
            "clap",
            "clap_complete",
            "clap_mangen",
            "ctrlc",
            "indicatif",
            "png",
            "serde",
            "serde_json",
            "thiserror",
            "tracing",
            "tracing_subscriber",
        ],
    )],
    &[("main", &["anyhow"]), ("lib", &["anyhow"])],
];

/// Dependencies that no room names: they give the program the features that its tests turn on.
const UNNAMED: &[&str] = &["bitflags", "fixedbitset", "getrandom", "rand_for_tests"];

/// Crates that one room needs and the tests of every room may use.
const FOR_TESTS: &[&str] = &["tempfile"];

/// Folders that may name less than their room: no crate whose name begins so.
///
/// A panel is a value: state in a struct, data by reference, wishes out. A test draws it without an
/// application.
const NARROWER: &[(&str, &str)] = &[("src/viewer/ui/panels/", "bevy")];

/// Rooms of the viewer that stand beside the end of its stream: none names another, nor does the
/// stream name one of them.
const VIEWER_SIBLINGS: &[&str] = &["camera", "capture", "selection", "ui"];

/// The viewer's stream. Each room may name those before it.
const VIEWER_STREAM: &[&str] = &["inference", "playback", "scene", "material"];

/// Rooms that the siblings share: they may name the stream, but no sibling.
const VIEWER_SHARED: &[&str] = &[
    "camera_path",
    "film",
    "saving",
    "filming",
    "recents",
    "session",
    "settings_file",
    "slots",
    "tour",
    "viewpoint",
];

/// The crate's own name, which its program uses where the library says `crate`.
const OWN_NAME: &str = "llmscope";

#[test]
fn every_file_keeps_to_its_floor() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crates = dependencies(&read(&root.join("Cargo.toml")));

    let files = rust_files(&root.join("src"));
    assert!(!files.is_empty(), "there is no source file to check");
    let faults: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let path = file
                .strip_prefix(root)
                .expect("a source file lies in the repository");
            let path = path.to_string_lossy().replace('\\', "/");
            faults_in(&path, &read(file), &crates)
        })
        .collect();

    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn the_viewers_rooms_keep_to_their_stream() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let viewer = root.join("src/viewer");
    let mut faults = Vec::new();
    for file in rust_files(&viewer) {
        let path = file
            .strip_prefix(&viewer)
            .expect("the file is the viewer's");
        let first = path.components().next().map(|part| part.as_os_str());
        let first = first.and_then(|part| part.to_str()).unwrap_or_default();
        let room = first.trim_end_matches(".rs");
        for (line, text) in read(&file).lines().enumerate() {
            for other in strangers_of(room) {
                let is_named = [
                    format!("viewer::{other}::"),
                    format!("use super::{other}::"),
                ]
                .iter()
                .any(|name| text.contains(name.as_str()));
                if is_named && !text.trim_start().starts_with("//") {
                    let path = path.display();
                    faults.push(format!("{path}:{}: names viewer::{other}", line + 1));
                }
            }
        }
    }

    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// The viewer's rooms that `room` may not name.
fn strangers_of(room: &str) -> Vec<&'static str> {
    let others = |rooms: &[&'static str]| -> Vec<&'static str> {
        rooms
            .iter()
            .copied()
            .filter(|other| *other != room)
            .collect()
    };
    if VIEWER_SIBLINGS.contains(&room) {
        return others(VIEWER_SIBLINGS);
    }
    if VIEWER_SHARED.contains(&room) {
        return VIEWER_SIBLINGS.to_vec();
    }
    match VIEWER_STREAM.iter().position(|stage| *stage == room) {
        Some(stage) => [
            VIEWER_SIBLINGS,
            &VIEWER_STREAM[stage + 1..],
            // The stream shows places to look from no more than it shows panels.
            &["slots", "tour"],
        ]
        .concat(),
        None => Vec::new(),
    }
}

#[test]
fn the_table_and_the_manifest_list_the_same_crates() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crates = dependencies(&read(&root.join("Cargo.toml")));
    let listed: Vec<&str> = rooms()
        .flat_map(|(_, _, foreign)| foreign)
        .copied()
        .collect();

    let homeless = crates
        .iter()
        .filter(|name| !listed.contains(&name.as_str()) && !UNNAMED.contains(&name.as_str()));
    let gone = listed
        .iter()
        .filter(|name| !crates.iter().any(|dependency| dependency == *name));
    let faults: Vec<String> = homeless
        .map(|name| format!("Cargo.toml: crate {name} is in no room's list"))
        .chain(gone.map(|name| format!("tests/floors.rs: crate {name} is not a dependency")))
        .collect();

    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// Every room as (floor, name, foreign crates), from the ground up.
fn rooms() -> impl Iterator<Item = (usize, &'static str, &'static [&'static str])> {
    FLOORS.iter().enumerate().flat_map(|(floor, rooms)| {
        rooms
            .iter()
            .map(move |(name, foreign)| (floor, *name, *foreign))
    })
}

/// The rules that a file breaks, each as `path:line: what`.
fn faults_in(path: &str, source: &str, crates: &[String]) -> Vec<String> {
    let modules = module_path(path);
    let own_room = modules.first().copied().unwrap_or_default();
    let Some((own_floor, _, foreign)) = rooms().find(|(_, name, _)| *name == own_room) else {
        return vec![format!(
            "{path}:1: {own_room} is no room of tests/floors.rs"
        )];
    };
    // `crate::` in lib.rs and main.rs starts where the file itself stands.
    let depth = if matches!(own_room, "lib" | "main") {
        0
    } else {
        modules.len()
    };

    // Tests stand at the end of a file, or have one of their own.
    let is_test_file = path.ends_with("tests.rs") || path.contains("/tests/");
    let lines = source.lines().zip(source.lines().skip(1));
    let mut begins = lines.map(|(mark, module)| mark == "#[cfg(test)]" && module.ends_with('{'));
    let first_test = match begins.position(|begins| begins) {
        _ if is_test_file => 0,
        Some(index) => index + 1,
        None => usize::MAX,
    };

    let fault = |(line, name): (usize, Name)| -> Option<String> {
        let what = match name {
            Name::Root => "names the whole crate, which hides the rooms it uses".to_owned(),
            Name::Room(room) if room == own_room => return None,
            Name::Room(room) => match rooms().find(|(_, name, _)| *name == room) {
                Some((floor, ..)) if floor < own_floor => return None,
                Some((floor, ..)) if floor == own_floor => {
                    format!("{own_room} may not name crate::{room}: they are siblings")
                }
                Some(_) => {
                    format!("{own_room} may not name crate::{room}: it is on a higher floor")
                }
                None => format!("crate::{room} is no room of tests/floors.rs"),
            },
            Name::Head(head) if !crates.contains(&head) => return None,
            Name::Head(head) if FOR_TESTS.contains(&head.as_str()) && line >= first_test => {
                return None;
            }
            Name::Head(head) => {
                let narrow = NARROWER
                    .iter()
                    .find(|(folder, prefix)| path.starts_with(folder) && head.starts_with(prefix));
                if let Some((folder, prefix)) = narrow {
                    format!("{folder} may not name {head}: no {prefix} here")
                } else if foreign.contains(&head.as_str()) {
                    return None;
                } else {
                    format!("{own_room} may not name the crate {head}")
                }
            }
        };
        Some(format!("{path}:{line}: {what}"))
    };
    Reader::names(source, depth)
        .into_iter()
        .filter_map(fault)
        .collect()
}

/// `src/viewer/ui/mod.rs` is the module `["viewer", "ui"]`.
fn module_path(path: &str) -> Vec<&str> {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    path.split('/').filter(|part| *part != "mod").collect()
}

/// The crates that code may name, as code spells them: the keys of the manifest's dependency tables.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_in_table = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            // `[dependencies]`, `[dependencies.bevy]`, `[target.'cfg(unix)'.dependencies]`
            let (before, after) = table.split_once("dependencies").unwrap_or((table, "none"));
            let is_ours =
                before.is_empty() || (before.starts_with("target.") && before.ends_with('.'));
            is_in_table = is_ours && after.is_empty();
            if let (true, Some(name)) = (is_ours, after.strip_prefix('.')) {
                names.push(name);
            }
        } else if is_in_table && !line.starts_with('#') {
            names.extend(line.split_once(['=', '.']).map(|(name, _)| name.trim()));
        }
    }
    names.iter().map(|name| name.replace('-', "_")).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All `.rs` files under a folder, sorted.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a folder that opens can be listed").path())
        .flat_map(|path| {
            if path.is_dir() {
                rust_files(&path)
            } else {
                vec![path]
            }
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    files.sort();
    files
}

/// What a path in the code names.
#[derive(Debug, PartialEq)]
enum Name {
    /// The crate's root itself: `use crate::*`, `use crate as other`.
    Root,
    /// A module at the top of the crate: `trace` of `crate::trace::Trace` or of `super::trace`.
    Room(String),
    /// The first segment of any other path: a foreign crate, or something in scope.
    Head(String),
}

/// How far a path has been followed.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Start,
    /// In the module this many levels below the crate's root.
    Module(usize),
    Elsewhere,
}

/// Reads a file's words and collects the paths among them.
struct Reader {
    words: Vec<(usize, String)>,
    next: usize,
    /// How many levels below the crate's root the code being read stands.
    depth: usize,
    names: Vec<(usize, Name)>,
}

impl Reader {
    /// The names in a source text, with their lines; `depth` is that of the file's module.
    fn names(source: &str, depth: usize) -> Vec<(usize, Name)> {
        let mut reader = Self {
            words: words(source),
            next: 0,
            depth,
            names: Vec::new(),
        };
        reader.read_code();
        reader.names
    }

    fn word(&self, index: usize) -> &str {
        self.words.get(index).map_or("", |(_, word)| word)
    }

    fn read_code(&mut self) {
        let mut open_braces: usize = 0;
        let mut inline_modules = Vec::new();
        while self.next < self.words.len() {
            let after = self.word(self.next + 1);
            match self.word(self.next) {
                "use" => {
                    self.next += 1;
                    self.read_path(Place::Start, true);
                    continue;
                }
                "extern" if after == "crate" => {
                    self.next += 2;
                    self.read_path(Place::Start, false);
                    continue;
                }
                "mod" if self.word(self.next + 2) == "{" => {
                    inline_modules.push(open_braces);
                    self.depth += 1;
                }
                "{" => open_braces += 1,
                "}" => {
                    open_braces = open_braces.saturating_sub(1);
                    if inline_modules
                        .pop_if(|outside| *outside == open_braces)
                        .is_some()
                    {
                        self.depth -= 1;
                    }
                }
                // The rest of `<T as Trait>::Output` names nothing.
                ">" if after == "::" => self.next += 2,
                word if after == "::" && is_name(word) || word == "::" && is_name(after) => {
                    self.read_path(Place::Start, false);
                    continue;
                }
                _ => {}
            }
            self.next += 1;
        }
    }

    /// Follows one path, and in a `use` all of its branches.
    fn read_path(&mut self, mut place: Place, is_use: bool) {
        if place == Place::Start && self.word(self.next) == "::" {
            self.next += 1;
        }
        loop {
            let line = self.words.get(self.next).map_or(0, |(line, _)| *line);
            let word = self.word(self.next).to_owned();
            match word.as_str() {
                "{" if is_use => return self.read_branches(place),
                "*" if place == Place::Module(0) => return self.names.push((line, Name::Root)),
                word if !is_name(word) => return,
                _ => {}
            }
            self.next += 1;
            place = match (word.as_str(), place) {
                ("crate" | OWN_NAME, Place::Start) => Place::Module(0),
                ("self", Place::Start) => Place::Module(self.depth),
                ("self", place) => place,
                ("super", Place::Start) => Place::Module(self.depth.saturating_sub(1)),
                ("super", Place::Module(depth)) => Place::Module(depth.saturating_sub(1)),
                (_, Place::Start) => {
                    self.names.push((line, Name::Head(word)));
                    Place::Elsewhere
                }
                (_, Place::Module(0)) => {
                    self.names.push((line, Name::Room(word)));
                    Place::Elsewhere
                }
                _ => Place::Elsewhere,
            };
            if self.word(self.next) != "::" {
                if is_use && place == Place::Module(0) {
                    self.names.push((line, Name::Root));
                }
                return;
            }
            self.next += 1;
        }
    }

    /// `{a::b, c::{d, e}}`, each branch from the same place.
    fn read_branches(&mut self, place: Place) {
        self.next += 1;
        loop {
            self.read_path(place, true);
            // What is left of a branch is a `*` or `as name`.
            while !matches!(self.word(self.next), "," | "}" | "") {
                self.next += 1;
            }
            if self.word(self.next) != "," {
                break;
            }
            self.next += 1;
        }
        self.next += 1;
    }
}

fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// The words of a source text with their lines: names, numbers, `::` and single marks, but no
/// comments, strings, characters or lifetimes.
fn words(source: &str) -> Vec<(usize, String)> {
    let mut words = Vec::new();
    let mut line = 1;
    let mut rest = source;
    while !rest.is_empty() {
        let (token, after) = rest.split_at(token_length(rest));
        let is_comment = token.starts_with("//") || token.starts_with("/*");
        let is_literal = token.contains(['"', '\'']);
        if !is_comment && !is_literal && !token.trim().is_empty() {
            words.push((line, token.trim_start_matches("r#").to_owned()));
        }
        line += token.matches('\n').count();
        rest = after;
    }
    words
}

/// The length in bytes of the token that a non-empty text begins with.
fn token_length(text: &str) -> usize {
    let mut chars = text.chars();
    let first = chars.next().expect("the text is not empty");
    match first {
        '/' if text.starts_with("//") => text.find('\n').unwrap_or(text.len()),
        '/' if text.starts_with("/*") => block_comment_length(text),
        '"' => quoted_length(text),
        '\'' => match (chars.next(), chars.next()) {
            (Some('\\'), Some(escaped)) => {
                let opening = 2 + escaped.len_utf8();
                text[opening..]
                    .find('\'')
                    .map_or(text.len(), |end| opening + end + 1)
            }
            (Some(char), Some('\'')) => 2 + char.len_utf8(),
            _ => 1 + name_length(&text[1..]),
        },
        ':' if text.starts_with("::") => 2,
        _ if name_length(text) > 0 => raw_string_length(text).unwrap_or_else(|| {
            let prefix = if text.starts_with("r#") { 2 } else { 0 };
            prefix + name_length(&text[prefix..])
        }),
        mark => mark.len_utf8(),
    }
}

fn name_length(text: &str) -> usize {
    text.find(|char: char| !char.is_alphanumeric() && char != '_')
        .unwrap_or(text.len())
}

/// Block comments nest.
fn block_comment_length(text: &str) -> usize {
    let mut open_comments = 0;
    let mut length = 0;
    while length < text.len() {
        let rest = &text[length..];
        length += if rest.starts_with("/*") {
            open_comments += 1;
            2
        } else if rest.starts_with("*/") {
            open_comments -= 1;
            2
        } else {
            rest.chars().next().map_or(0, char::len_utf8)
        };
        if open_comments == 0 {
            break;
        }
    }
    length
}

fn quoted_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (index, char) in text.char_indices().skip(1) {
        match char {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return index + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a raw string such as `r#"..."#`, if the text begins with one.
fn raw_string_length(text: &str) -> Option<usize> {
    let fenced = text.trim_start_matches(['b', 'c']).strip_prefix('r')?;
    let quoted = fenced.trim_start_matches('#').strip_prefix('"')?;
    let fence = "#".repeat(fenced.len() - quoted.len() - 1);
    let closing = format!("\"{fence}");
    let opening = text.len() - quoted.len();
    Some(
        quoted
            .find(&closing)
            .map_or(text.len(), |end| opening + end + closing.len()),
    )
}

/// The faults of a file that holds only this, without its path.
fn faults_of(path: &str, source: &str) -> Vec<String> {
    let crates = ["bevy", "candle_core", "egui", "glam", "serde"].map(str::to_owned);
    let prefix = format!("{path}:");
    faults_in(path, source, &crates)
        .iter()
        .map(|fault| fault.trim_start_matches(&prefix).to_owned())
        .collect()
}

#[test]
fn a_name_from_a_higher_floor_is_caught() {
    let expected = ["2: layout may not name crate::viewer: it is on a higher floor"];

    assert_eq!(
        faults_of("src/layout/mod.rs", "\nuse crate::viewer::Scene;"),
        expected
    );
    assert_eq!(
        faults_of(
            "src/layout.rs",
            "fn f() {\n let _ = crate::viewer::new(); }"
        ),
        expected
    );
}

#[test]
fn a_sibling_is_caught() {
    assert_eq!(
        faults_of("src/layout/cell.rs", "use crate::color::Range;"),
        ["1: layout may not name crate::color: they are siblings"]
    );
}

#[test]
fn a_lower_floor_and_the_room_itself_are_free() {
    let source = "use crate::hook::HookPoint;\nuse crate::{layout::Cell, trace};\nuse serde::Ser;";

    assert_eq!(faults_of("src/viewer/scene.rs", source), [""; 0]);
}

#[test]
fn a_foreign_crate_is_caught_however_it_is_named() {
    let expected = ["1: analysis may not name the crate candle_core"];

    for source in [
        "use candle_core::Tensor;",
        "use candle_core;",
        "use candle_core as candle;",
        "use {std::fmt, candle_core::Tensor};",
        "use ::candle_core::Tensor;",
        "extern crate candle_core;",
        "fn f(xs: &candle_core::Tensor) {}",
        "fn f(xs: &::candle_core::Tensor) {}",
        "#[derive(candle_core::Module)] struct M;",
        "#[cfg(test)] mod tests { use candle_core::Tensor; }",
    ] {
        assert_eq!(
            faults_of("src/analysis/mod.rs", source),
            expected,
            "{source}"
        );
    }
}

#[test]
fn a_room_is_caught_however_it_is_named() {
    let expected = ["1: hook may not name crate::viewer: it is on a higher floor"];

    for source in [
        "use crate::{hook::A, viewer::{B, C}};",
        "use crate::{viewer as v};",
        "use super::viewer;",
        "use self::super::viewer;",
        "use llmscope::viewer::A;",
        "mod tests { use super::*; use super::super::viewer::A; }",
        "mod a { mod b {} } use super::viewer::A;",
        "pub(in crate::viewer) fn f() {}",
        "fn f() -> Vec<crate::viewer::A> { vec![] }",
        "macro_rules! m { () => { $crate::viewer::A } }",
        "fn f<'a>(x: &'a str) { let _ = ('\"', '\\'', crate::viewer::A, '\"'); }",
    ] {
        assert_eq!(faults_of("src/hook.rs", source), expected, "{source}");
    }
}

#[test]
fn the_root_may_not_be_taken_whole() {
    for source in [
        "use crate::*;",
        "use crate as all;",
        "use super::*;",
        "use crate::{self as all};",
    ] {
        assert_eq!(
            faults_of("src/hook.rs", source),
            ["1: names the whole crate, which hides the rooms it uses"],
            "{source}"
        );
    }
}

#[test]
fn comments_strings_and_longer_names_are_not_code() {
    let source = r##"
        //! See [`crate::viewer`] and bevy::prelude.
        /* crate::viewer /* bevy::app */ crate::engine */
        fn f() -> &'static str { "crate::viewer \" bevy::app" }
        const RAW: &str = r#"crate::viewer " bevy::app"#;
        fn g() { my_bevy::app(); self::bevy::app(); one::bevy::app(); <A as B>::bevy::app(); }
    "##;

    assert_eq!(faults_of("src/hook.rs", source), [""; 0]);
}

#[test]
fn a_panel_names_no_bevy() {
    assert_eq!(
        faults_of(
            "src/viewer/ui/panels/logits.rs",
            "use egui::Ui;\nuse bevy::prelude::*;"
        ),
        ["2: src/viewer/ui/panels/ may not name bevy: no bevy here"]
    );
    assert_eq!(
        faults_of("src/viewer/ui/mod.rs", "use bevy::prelude::*;"),
        [""; 0]
    );
}

#[test]
fn a_new_room_needs_a_place_in_the_table() {
    assert_eq!(
        faults_of("src/attic.rs", ""),
        ["1: attic is no room of tests/floors.rs"]
    );
    assert_eq!(
        faults_of("src/engine.rs", "use crate::attic;"),
        ["1: crate::attic is no room of tests/floors.rs"]
    );
}

#[test]
fn dependencies_are_read_from_every_table_but_those_of_tests() {
    let manifest = r#"
        [package]
        name = "x"
        [dependencies]
        # none = "0"
        hf-hub = { version = "0.5", features = [
            "ureq",
        ] }
        serde.workspace = true
        [dependencies.bevy]
        version = "1"
        [target.'cfg(unix)'.dependencies]
        libc = "0.2"
        [dev-dependencies]
        rand = "0.9"
        [lints.rust]
        missing_docs = "warn"
    "#;

    assert_eq!(dependencies(manifest), ["hf_hub", "serde", "bevy", "libc"]);
}
