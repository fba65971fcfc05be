//! What the summary lists, and what is done with it.

use egui_kittest::kittest::Queryable as _;

use super::*;
use crate::hook::{BlockSite, HookPoint};
use crate::layout::{CellId, WeightCell};
use crate::viewer::ui::panels::plots::Plot;
use crate::viewer::ui::panels::plots::fixture::{
    Fixture, Stage, click, click_at, harness, harness_of, texts,
};
use crate::weight::{WeightPoint, WeightSite};

fn tree() -> SummaryNode {
    SummaryNode::of_model(&ModelConfig::preset("gpt2").unwrap(), &|spec| {
        4 * spec.element_count() as u64
    })
}

fn names(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|row| row.name.as_str()).collect()
}

#[test]
fn closed_parts_are_a_line_each_and_open_ones_list_their_tensors() {
    let closed = listed(&tree(), "", &BTreeSet::new());
    let open = BTreeSet::from(["layer 1".to_owned(), "h.1.attn.c_attn.weight".to_owned()]);

    let opened = listed(&tree(), "", &open);

    assert_eq!(closed.len(), 1 + 12 + 2);
    assert_eq!(opened.len(), closed.len() + 12 + 3);
    assert_eq!(opened[4].name, "h.1.ln_1.weight");
    assert_eq!((opened[4].depth, opened[4].is_open), (1, None));
    assert_eq!(opened[3].is_open, Some(true));
}

#[test]
fn a_search_finds_tensors_within_closed_parts_and_all_of_a_part_that_is_named() {
    let found = listed(&tree(), "11.mlp.c_fc.w", &BTreeSet::new());
    assert_eq!(names(&found), ["layer 11", "h.11.mlp.c_fc.weight"]);

    let part = listed(&tree(), "layer 3", &BTreeSet::new());
    assert_eq!(part.len(), 1 + 12 + 6);

    assert!(listed(&tree(), "no such", &BTreeSet::new()).is_empty());
}

#[test]
fn every_row_has_a_place_in_the_world() {
    let tree = tree();
    let mut open = BTreeSet::new();
    open_all(&tree, &mut open);

    let rows = listed(&tree, "", &open);

    assert!(rows.len() > 12 * 18);
    assert!(rows.iter().all(|row| row.place.is_some()));
    let layer = HookPoint::block(2, BlockSite::ResidPre);
    let row = rows.iter().find(|row| row.name == "layer 2").unwrap();
    assert!(matches!(row.place, Some(Cell::Value(cell)) if cell.hook == layer));
}

/// The numbers a checkpoint holds, counted in the file itself.
fn parameters_of_the_file() -> u64 {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo/model.safetensors");
    let bytes = std::fs::read(path).unwrap();
    let n_header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + n_header]).unwrap();
    let tensors = header.as_object().unwrap().iter();
    let tensors = tensors.filter(|(name, _)| *name != "__metadata__");
    let counts = tensors.map(|(_, tensor)| {
        let sides = tensor["shape"].as_array().unwrap().iter();
        sides.map(|side| side.as_u64().unwrap()).product::<u64>()
    });
    counts.sum()
}

#[test]
fn the_totals_on_screen_are_the_checkpoints() {
    let harness = harness(Plot::Summary);

    let texts = texts(&harness);

    let n = parameters_of_the_file();
    assert!(n > 100_000);
    assert!(texts.contains(&format!("{} parameters", grouped(n))));
    let bytes = harness
        .state()
        .fixture
        .loaded
        .weights
        .as_ref()
        .unwrap()
        .bytes_per_number();
    assert!(texts.contains(&human_bytes(n * bytes)), "{texts}");
    assert!(texts.contains("100.0 %"), "the whole's share: {texts}");
}

#[test]
fn a_rows_name_flies_to_its_block_by_pointer_keyboard_and_screen_reader() {
    let mut harness = harness(Plot::Summary);
    harness.get_by_label("layer 2").click_accesskit();
    harness.run_ok();
    let layer = Cell::Value(CellId {
        hook: HookPoint::block(2, BlockSite::ResidPre),
        pos: 0,
        head: 0,
        index: 0,
    });
    assert_eq!(harness.state_mut().wishes(), [Intent::Visit(layer)]);

    let name = harness.get_by_label("layer 2").rect();
    click_at(&mut harness, name.center());
    assert_eq!(harness.state_mut().wishes(), [Intent::Visit(layer)]);

    click(&mut harness, "Open layer 2");
    harness.get_by_label("h.2.mlp.c_proj.weight").focus();
    harness.run_ok();
    harness.key_press(egui::Key::Enter);
    harness.run_ok();

    let weight = Cell::Weight(WeightCell {
        weight: WeightPoint::block(2, WeightSite::MlpOut),
        row: 0,
        column: 0,
    });
    assert_eq!(harness.state_mut().wishes(), [Intent::Visit(weight)]);
}

#[test]
fn parts_open_and_close_and_a_search_looks_into_closed_ones() {
    let mut harness = harness(Plot::Summary);
    assert!(!texts(&harness).contains("h.3.ln_1.bias"));
    click(&mut harness, "Open layer 3");
    assert!(texts(&harness).contains("h.3.ln_1.bias"));
    click(&mut harness, "Close layer 3");
    assert!(!texts(&harness).contains("h.3.ln_1.bias"));

    harness.get_by_label("Search").focus();
    harness.run_ok();
    harness.get_by_label("Search").type_text("1.attn.c_proj.w");
    harness.run_ok();

    let found = texts(&harness);
    assert!(found.contains("h.1.attn.c_proj.weight"), "{found}");
    assert!(!found.contains("h.2.attn.c_proj.weight"));

    harness.get_by_label("Search").type_text("no such");
    harness.run_ok();
    assert!(texts(&harness).contains("No tensor has such a name"));
}

#[test]
fn the_weight_chosen_in_the_world_is_brought_into_view() {
    let mut harness = harness(Plot::Summary);
    let name = "h.3.mlp.c_fc.weight";
    assert!(!texts(&harness).contains(name));

    harness.state_mut().pinned = Some(Cell::Weight(WeightCell {
        weight: WeightPoint::block(3, WeightSite::MlpIn),
        row: 4,
        column: 5,
    }));
    harness.run_ok();

    assert!(texts(&harness).contains(name), "{}", texts(&harness));
}

#[test]
fn a_shape_without_weights_has_a_summary_too() {
    let mut harness = harness(Plot::Summary);

    let state = harness.state_mut();
    state.can_run = false;
    state.n_pos = 0;
    harness.run_ok();

    assert!(texts(&harness).contains("layer 0"));
}

#[test]
fn the_largest_model_is_listed_without_delay() {
    let config = ModelConfig::preset("gpt2-xl").unwrap();
    let fixture = Fixture::made_up(
        ModelConfig {
            n_layers: config.n_layers,
            ..Fixture::small_config()
        },
        1,
        |_, _| 0.0,
    );
    let mut harness = harness_of(Stage::new(fixture, Plot::Summary), [720.0, 620.0]);
    click(&mut harness, "Open all");
    harness.run_ok();

    // Only rows in view are drawn.
    let n_lines = texts(&harness).lines().count();
    assert!(n_lines < 6 * 50, "{n_lines}");
}
