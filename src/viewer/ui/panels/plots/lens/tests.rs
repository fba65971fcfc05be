//! The grid driven as people do, against the lens read anew.

use egui::Key;
use egui_kittest::kittest::Queryable as _;

use super::*;
use crate::viewer::ui::panels::plots::Plot;
use crate::viewer::ui::panels::plots::fixture::{
    Fixture, Stage, StageHarness, click_at, harness, harness_of, hover, texts,
};

/// The middle of a cell, from the grid's own measures.
fn cell(harness: &StageHarness, layer: usize, pos: usize) -> egui::Pos2 {
    let rect = harness.get_by_label_contains("Logit lens ").rect();
    let n_layers = harness.state().fixture.loaded.config.n_layers;
    grid::cell_rect(rect.min, n_layers, Place { layer, pos }).center()
}

fn best(harness: &StageHarness, layer: usize, pos: usize) -> (String, f32) {
    let fixture = &harness.state().fixture;
    let best = fixture.lens[layer][pos][0];
    (fixture.loaded.vocab.label(best.token), best.probability)
}

fn at_start() -> StageHarness {
    let mut stage = Stage::new(Fixture::demo(), Plot::Lens);
    stage.playhead.lane = 0;
    harness_of(stage, [1000.0, 620.0])
}

#[test]
fn every_cell_in_view_shows_the_best_token_of_its_layer() {
    let harness = at_start();
    let texts = texts(&harness);
    let lines: Vec<&str> = texts.lines().collect();

    let config = &harness.state().fixture.loaded.config;
    for layer in 0..config.n_layers {
        for pos in 0..8 {
            let (text, _) = best(&harness, layer, pos);
            assert!(lines.contains(&text.as_str()), "{text} in {texts}");
        }
    }
}

#[test]
fn the_tooltip_tells_all_candidates_with_their_probabilities() {
    let mut harness = at_start();

    let at = cell(&harness, 2, 3);
    hover(&mut harness, at);

    let texts = texts(&harness);
    for candidate in &harness.state().fixture.lens[2][3] {
        let share = format!("{:.3} %", 100.0 * candidate.probability);
        assert!(texts.contains(&share), "{share} in {texts}");
        let text = harness.state().fixture.loaded.vocab.label(candidate.token);
        assert!(texts.lines().any(|line| line == text));
    }
    assert!(texts.contains("Layer 2, after"), "{texts}");
}

fn wishes_of(layer: usize, pos: usize) -> [Intent; 2] {
    let cell = Cell::Value(CellId {
        hook: HookPoint::block(layer, BlockSite::ResidPost),
        pos,
        head: 0,
        index: 0,
    });
    [Intent::SeekLane(pos), Intent::Pin(cell)]
}

#[test]
fn a_cell_that_is_clicked_moves_the_playhead_and_chooses_its_stream() {
    let mut harness = at_start();

    let at = cell(&harness, 1, 5);
    click_at(&mut harness, at);

    assert_eq!(harness.state_mut().wishes(), wishes_of(1, 5));
}

#[test]
fn the_keyboard_walks_the_grid_and_enter_chooses() {
    let mut harness = harness(Plot::Lens);
    let lane = harness.state().playhead.lane;
    let top = harness.state().fixture.loaded.config.n_layers - 1;
    harness.get_by_label_contains("Logit lens ").focus();
    harness.run_ok();
    for key in [Key::ArrowLeft, Key::ArrowLeft, Key::ArrowDown] {
        harness.key_press(key);
        harness.run_ok();
    }
    let (text, probability) = best(&harness, top - 1, lane - 2);
    let share = format!("{text} {:.1} %", 100.0 * probability);
    harness.get_by_label_contains(&share);

    harness.key_press(Key::Enter);
    harness.run_ok();

    assert_eq!(harness.state_mut().wishes(), wishes_of(top - 1, lane - 2));
}

#[test]
fn the_colours_are_explained() {
    let texts = texts(&at_start());

    assert!(texts.contains("probability"), "{texts}");
    for end in ["0 %", "100 %"] {
        assert!(texts.lines().any(|line| line == end), "{end} in {texts}");
    }
}

#[test]
fn what_is_not_read_yet_is_said_so() {
    let fixture = Fixture::made_up(Fixture::small_config(), 4, |_, _| 0.0);
    let mut harness = harness_of(Stage::new(fixture, Plot::Lens), [720.0, 620.0]);

    let at = cell(&harness, 1, 1);
    hover(&mut harness, at);

    assert!(texts(&harness).contains("not read yet"));
}

#[test]
fn one_token_has_a_column() {
    let stage = Stage::new(Fixture::one_token(), Plot::Lens);
    let harness = harness_of(stage, [720.0, 620.0]);

    let (text, _) = best(&harness, 0, 0);
    assert!(texts(&harness).lines().any(|line| line == text));
}

#[test]
fn without_a_text_it_says_what_to_do() {
    let mut harness = harness(Plot::Lens);
    harness.state_mut().n_pos = 0;
    harness.run_ok();

    assert!(texts(&harness).contains("Begin a text at the left"));
}

#[test]
fn a_thousand_tokens_draw_only_those_in_view_and_follow_the_playhead() {
    let fixture = Fixture::made_up(Fixture::small_config(), 1024, |_, _| 0.0);
    let mut harness = harness_of(Stage::new(fixture, Plot::Lens), [720.0, 620.0]);
    assert!(harness.output().shapes.len() < 400);
    let at = cell(&harness, 0, 1023);
    let screen = egui::Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(720.0, 620.0));
    assert!(screen.contains(at), "{at}");

    harness.state_mut().playhead.lane = 3;
    harness.run_ok();

    let at = cell(&harness, 0, 3);
    assert!(screen.contains(at), "{at}");
}
