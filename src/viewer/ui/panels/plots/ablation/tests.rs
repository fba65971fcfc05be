//! The view driven as people do, against effects computed anew.

use egui_kittest::kittest::Queryable as _;

use super::*;
use crate::ablation::Ablation;
use crate::attribution::AblationEffect;
use crate::hook::{BlockSite, HookPoint};
use crate::layout::{Cell, CellId};
use crate::viewer::readout::exact;
use crate::viewer::ui::panels::plots::Plot;
use crate::viewer::ui::panels::plots::fixture::{StageHarness, click, harness, texts};

fn head() -> Ablation {
    "blocks.1.attn.hook_z:3".parse().unwrap()
}

fn wished(harness: &mut StageHarness) -> Vec<Vec<Ablation>> {
    let wishes = harness.state_mut().wishes();
    wishes
        .into_iter()
        .filter_map(|intent| match intent {
            Intent::Ablate(parts) => Some(parts),
            _ => None,
        })
        .collect()
}

fn answered() -> StageHarness {
    let mut harness = harness(Plot::Ablation);
    harness.state_mut().ablations = vec![head()];
    harness.run_steps(2);
    assert_eq!(harness.state_mut().answer(), 1);
    harness.run_ok();
    harness
}

fn effect(harness: &StageHarness) -> AblationEffect {
    match harness.state().studies.last_answer(Topic::Ablation) {
        Some((_, Answer::Ablation(effect))) => (**effect).clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn with_nothing_set_to_zero_it_says_how_to_and_asks_nothing() {
    let mut harness = harness(Plot::Ablation);

    assert!(texts(&harness).contains("Nothing is set to zero"));
    assert_eq!(harness.state_mut().answer(), 0);
}

#[test]
fn a_part_is_added_by_numbers_and_by_name_and_a_wrong_name_is_explained() {
    let mut harness = harness(Plot::Ablation);
    harness.get_by_label("Set to zero").click();
    harness.run_ok();
    let first: Ablation = "blocks.0.attn.hook_z:0".parse().unwrap();
    assert_eq!(wished(&mut harness), [vec![first]]);

    for (name, expected) in [
        ("blocks.1.mlp.hook_post:33", None),
        ("nonsense", Some("nonsense")),
        ("blocks.99.attn.hook_z:3", Some("layers go from 0")),
    ] {
        let edit = harness.get_by_label("or by name");
        edit.focus();
        harness.run_ok();
        harness.get_by_label("or by name").type_text(name);
        harness.run_ok();
        click(&mut harness, "Add");
        match expected {
            None => assert_eq!(wished(&mut harness), [vec![name.parse().unwrap()]]),
            Some(words) => {
                assert_eq!(wished(&mut harness), Vec::<Vec<Ablation>>::new());
                assert!(texts(&harness).contains(words), "{}", texts(&harness));
                let edit = harness.get_by_label("or by name");
                edit.focus();
                harness.run_ok();
                harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
                harness.run_ok();
                harness.key_press(egui::Key::Backspace);
                harness.run_ok();
            }
        }
    }
}

#[test]
fn the_pinned_head_is_set_to_zero_and_restored() {
    let mut harness = harness(Plot::Ablation);
    harness.state_mut().pinned = Some(Cell::Value(CellId {
        hook: HookPoint::block(1, BlockSite::Pattern),
        pos: 4,
        head: 3,
        index: 2,
    }));
    harness.run_ok();
    click(&mut harness, "Set to zero: layer 1 head 3");
    assert_eq!(wished(&mut harness), [vec![head()]]);

    harness.state_mut().ablations = vec![head()];
    harness.run_steps(3);
    harness.state_mut().answer();
    click(&mut harness, "Restore: layer 1 head 3");
    assert_eq!(wished(&mut harness), [vec![]]);
}

#[test]
fn the_effect_is_told_in_exact_numbers_and_both_predictions() {
    let harness = answered();
    let effect = effect(&harness);

    let texts = texts(&harness).replace('−', "-");

    assert_eq!(effect.parts, [head()]);
    let last = effect.target.pos;
    let change = effect.value_after - effect.value_before;
    for number in [
        effect.value_before,
        effect.value_after,
        change,
        effect.kl[last],
    ] {
        assert!(texts.contains(&exact(number)), "{number} in {texts}");
    }
    assert!(texts.contains("Before") && texts.contains("After"));
    assert!(texts.contains("1 part set to zero"));
}

#[test]
fn parts_are_restored_one_by_one_or_all_at_once() {
    let mut harness = answered();
    click(&mut harness, "Restore layer 1 head 3");
    assert_eq!(wished(&mut harness), [vec![]]);
    click(&mut harness, "Restore all");
    assert_eq!(wished(&mut harness), [vec![]]);
}

#[test]
fn a_saved_trace_has_no_weights_to_set_anything_to_zero_with() {
    let mut harness = harness(Plot::Ablation);
    harness.state_mut().can_run = false;
    harness.run_ok();

    assert!(texts(&harness).contains("no weights"));
}
