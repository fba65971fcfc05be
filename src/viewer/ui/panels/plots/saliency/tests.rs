//! The view driven as people do, against gradients computed anew.

use egui::Key;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use super::*;
use crate::engine::Study;
use crate::hook::{BlockSite, HookPoint};
use crate::layout::Cell;
use crate::viewer::inference::TraceEvent;
use crate::viewer::readout::digits;
use crate::viewer::ui::panels::plots::Plot;
use crate::viewer::ui::panels::plots::fixture::{
    Fixture, Stage, StageHarness, cell_at, click, click_at, harness, harness_of, hover, texts,
};

/// The view with all that it asks answered.
fn answered() -> StageHarness {
    let mut harness = harness(Plot::Saliency);
    assert_eq!(harness.state_mut().answer(), 1, "it asks by itself");
    harness.run_ok();
    harness
}

fn by_pos(harness: &StageHarness, measure: SaliencyMeasure) -> Vec<f32> {
    let Some((_, Answer::Gradients(gradients))) =
        harness.state().studies.last_answer(Topic::Gradients)
    else {
        panic!("no gradients");
    };
    measure.by_pos(gradients, HookPoint::Embed).unwrap()
}

fn pinned(harness: &mut StageHarness) -> Vec<(HookPoint, usize, usize)> {
    let wishes = harness.state_mut().wishes();
    wishes
        .into_iter()
        .filter_map(|intent| match intent {
            Intent::Pin(Cell::Value(cell)) => Some((cell.hook, cell.pos, cell.head)),
            _ => None,
        })
        .collect()
}

#[test]
fn every_token_has_its_number_and_the_same_is_not_asked_twice() {
    let mut harness = answered();

    let values = by_pos(&harness, SaliencyMeasure::GradientTimesInput);
    let n_pos = harness.state().fixture.n_pos();
    assert_eq!(values.len(), n_pos);
    for (pos, value) in values.iter().enumerate() {
        let name = format!("{pos} “");
        let text = format!("{value:?}");
        let words = harness.query_all_by_label_contains(&name);
        let mut told = words.filter_map(|node| node.accesskit_node().label());
        assert!(told.any(|label| label.ends_with(&text)), "{pos}: {text}");
    }
    assert_eq!(harness.state_mut().answer(), 0);
    assert!(texts(&harness).contains("Computed over"));
}

#[test]
fn another_measure_needs_no_other_answer_and_other_pages_show_it() {
    let mut harness = answered();

    click(&mut harness, "gradient norm");
    assert_eq!(harness.state_mut().answer(), 0);
    let norms = by_pos(&harness, SaliencyMeasure::GradientNorm);
    let greatest = norms.iter().copied().fold(0.0, f32::max);
    assert!(texts(&harness).contains(&digits(greatest)));

    click(&mut harness, "Tokens by layer");
    assert!(texts(&harness).contains("into 0"));
    click(&mut harness, "Heads");
    assert!(texts(&harness).contains("head"));
    click(&mut harness, "Neurons");
    assert!(texts(&harness).contains("|part|"));
    assert_eq!(harness.state_mut().answer(), 0);
}

#[test]
fn the_tooltip_of_a_token_tells_its_number_exactly_and_a_click_shows_it_in_the_world() {
    let mut harness = answered();
    let value = by_pos(&harness, SaliencyMeasure::GradientTimesInput)[3];
    let at = harness
        .query_all_by_label_contains("3 “")
        .next()
        .unwrap()
        .rect()
        .center();

    hover(&mut harness, at);
    assert!(texts(&harness).contains(&format!("{value:?}")));

    click_at(&mut harness, at);
    assert_eq!(pinned(&mut harness), [(HookPoint::Embed, 3, 0)]);
}

#[test]
fn a_head_on_the_map_is_chosen_in_the_world() {
    let mut harness = answered();
    click(&mut harness, "Heads");
    let config = harness.state().fixture.loaded.config.clone();
    let shape = (config.n_layers, config.n_heads);

    let at = cell_at(&harness, "Map of heads", (1, 2), shape);
    click_at(&mut harness, at);

    let pattern = HookPoint::block(1, BlockSite::Pattern);
    let last = harness.state().fixture.n_pos() - 1;
    assert_eq!(pinned(&mut harness), [(pattern, last, 2)]);
}

#[test]
fn integrated_gradients_tell_their_steps_can_be_stopped_and_show_what_is_missing() {
    let mut harness = answered();
    click(&mut harness, "integrated gradients");
    let asked = harness.state_mut().asked();
    let [Study { id, question, .. }] = asked[..] else {
        panic!("{asked:?}");
    };
    assert!(matches!(question, Question::Integrated { settings, .. } if settings.n_steps == 64));
    harness.state_mut().tell(TraceEvent::StudyProgress {
        id,
        n_done: 7,
        n_all: 64,
    });
    harness.run_steps(2);
    assert!(texts(&harness).contains("7 of 64 steps"));

    harness.get_by_label("Stop").click();
    harness.run_steps(3);
    harness.state_mut().asked();
    harness.run_ok();
    assert!(texts(&harness).contains("Stopped"));
    assert_eq!(harness.state_mut().answer(), 0, "what was stopped stays so");

    click(&mut harness, "Compute");
    assert_eq!(harness.state_mut().answer(), 1);
    harness.run_ok();
    assert!(texts(&harness).contains("the tokens' sum misses it by"));
}

#[test]
fn what_is_of_another_target_is_marked_until_the_new_answer_is_there() {
    let mut harness = answered();

    harness.state_mut().plots.target.choose(Some(5));
    harness.run_steps(3);
    assert!(texts(&harness).contains("outdated"));

    assert_eq!(harness.state_mut().answer(), 1);
    harness.run_ok();
    assert!(!texts(&harness).contains("outdated"));
}

#[test]
fn a_failure_is_said_and_tried_again_only_when_asked() {
    let mut harness = harness(Plot::Saliency);
    let id = harness.state_mut().asked()[0].id;
    harness.state_mut().tell(TraceEvent::StudyDone {
        id,
        answer: Err("the logits are not all numbers".to_owned()),
    });
    harness.run_ok();
    assert!(texts(&harness).contains("the logits are not all numbers"));
    assert_eq!(harness.state_mut().answer(), 0);

    click(&mut harness, "Try again");

    assert_eq!(harness.state_mut().answer(), 1);
}

#[test]
fn nothing_is_asked_by_itself_once_that_is_switched_off() {
    let mut harness = answered();

    click(&mut harness, "automatic");
    harness.state_mut().plots.target.choose(Some(5));
    harness.run_ok();
    assert_eq!(harness.state_mut().answer(), 0);
    click(&mut harness, "Compute");
    assert_eq!(harness.state_mut().answer(), 1);
}

#[test]
fn one_token_and_no_model_have_their_look_too() {
    let stage = Stage::new(Fixture::one_token(), Plot::Saliency);
    let mut harness = harness_of(stage, [560.0, 420.0]);
    harness.state_mut().answer();
    harness.run_ok();
    assert!(texts(&harness).contains("Computed over 1 token"));

    harness.state_mut().is_loaded = false;
    harness.run_ok();
    assert!(texts(&harness).contains("Which tokens a prediction hangs on"));
}

#[test]
fn words_are_reached_and_chosen_by_keys() {
    let mut harness = answered();
    let word = harness.query_all_by_label_contains("2 “").next().unwrap();
    word.focus();
    harness.run_ok();

    harness.key_press(Key::Enter);
    harness.run_ok();

    assert_eq!(pinned(&mut harness), [(HookPoint::Embed, 2, 0)]);
}
