//! Tests of reading and choosing points.

use egui::{Key, Pos2, vec2};

use super::super::frame::Frame;
use super::*;
use crate::analysis::projection::{Metric, nearest_to};
use crate::hook::BlockSite;
use crate::layout::{Cell, CellId};
use crate::viewer::readout::exact;
use crate::viewer::ui::panels::plots::fixture::{click_at, hover};

/// Where a point of a picture in the plane is on screen.
fn place(harness: &StageHarness, point: usize) -> Pos2 {
    let points = points(harness);
    let rect = harness.get_by_label_contains("Points of").rect();
    let frame = Frame::around(&points, 2, rect.size());
    frame.place(rect, vec2(points[2 * point], points[2 * point + 1]))
}

#[test]
fn the_pointer_reads_exact_numbers() {
    let mut harness = opened();
    let points = points(&harness);

    let at = place(&harness, 2);
    hover(&mut harness, at);

    let texts = texts(&harness);
    for number in [exact(points[4]), exact(points[5])] {
        assert!(texts.contains(&number), "{number} in {texts}");
    }
}

#[test]
fn a_click_chooses_here_and_in_the_world_and_lists_the_nearest() {
    let mut harness = opened();

    let at = place(&harness, 1);
    click_at(&mut harness, at);
    settle(&mut harness);

    let fixture = Arc::clone(&harness.state().fixture);
    let token = fixture.trace.tokens().nth(1);
    let cell = Cell::Value(CellId {
        hook: HookPoint::Embed,
        pos: 1,
        head: 0,
        index: 0,
    });
    let wishes = harness.state_mut().wishes();
    assert!(wishes.contains(&Intent::ChooseToken(token)), "{wishes:?}");
    assert!(wishes.contains(&Intent::Pin(cell)), "{wishes:?}");
    let values = rows(&fixture, HookPoint::Embed);
    let vectors = Vectors::new(&values, fixture.loaded.config.d_model).unwrap();
    for (title, metric) in [("Euclidean", Metric::Euclidean), ("cosine", Metric::Cosine)] {
        click(&mut harness, title);
        let near = nearest_to(vectors, 1, 3, metric);
        let listed: Vec<usize> = harness.state().plots.embeddings.listed.clone();
        assert_eq!(
            listed[..3],
            near.iter().map(|near| near.index).collect::<Vec<_>>()
        );
        // A row says its distance in full to whoever can't see its digits.
        let told = exact(near[0].distance as f32);
        assert!(
            harness.query_all_by_label_contains(&told).next().is_some(),
            "{told}"
        );
    }
}

#[test]
fn a_neighbour_in_the_list_is_chosen_by_a_click() {
    let mut harness = opened();
    plot(&mut harness).chosen = Some(4);
    settle(&mut harness);
    let first = harness.state().plots.embeddings.listed[0];

    let vocab = harness.state().fixture.loaded.vocab.clone();
    let token = harness.state().fixture.trace.tokens().nth(first).unwrap();
    let label = format!("{first}  {} ", vocab.label(token));
    harness.get_by_label_contains(&label).click();
    harness.run_ok();

    assert_eq!(harness.state().plots.embeddings.chosen, Some(first));
}

#[test]
fn what_is_chosen_in_the_world_is_chosen_here() {
    let mut harness = opened();
    let token = harness.state().fixture.trace.tokens().nth(3);

    harness.state_mut().pinned = Some(Cell::Value(CellId {
        hook: HookPoint::block(0, BlockSite::MlpPost),
        pos: 3,
        head: 0,
        index: 5,
    }));
    harness.run_ok();

    assert_eq!(harness.state().plots.embeddings.chosen, Some(3));
    let wishes = harness.state_mut().wishes();
    assert!(wishes.contains(&Intent::ChooseToken(token)), "{wishes:?}");

    let first = harness.state().fixture.trace.tokens().next();
    harness.state_mut().chosen_token = first;
    harness.run_ok();
    assert_eq!(harness.state().plots.embeddings.chosen, Some(0));
}

#[test]
fn the_keyboard_moves_from_point_to_point_and_chooses() {
    let mut harness = opened();
    harness.get_by_label_contains("Points of").focus();
    harness.run_ok();
    let start = harness.state().plots.embeddings.scatter.cursor();

    for key in [
        Key::ArrowRight,
        Key::ArrowLeft,
        Key::ArrowUp,
        Key::ArrowDown,
    ] {
        harness.key_press(key);
        harness.run_ok();
    }
    harness.key_press(Key::ArrowRight);
    harness.run_ok();
    let cursor = harness.state().plots.embeddings.scatter.cursor();
    harness.key_press(Key::Enter);
    harness.run_ok();

    let points = points(&harness);
    assert!(points[2 * cursor] >= points[2 * start] || cursor != start);
    assert_eq!(harness.state().plots.embeddings.chosen, Some(cursor));
}
