//! Attribution driven as people do, against the parts computed anew.

use egui_kittest::kittest::Queryable as _;

use super::*;
use crate::attribution::DirectAttribution;
use crate::engine::Answer;
use crate::viewer::inference::Topic;
use crate::viewer::readout::exact;
use crate::viewer::ui::panels::plots::Plot;
use crate::viewer::ui::panels::plots::fixture::{
    Fixture, Stage, StageHarness, cell_at, click, click_at, harness, harness_of, hover, texts,
};

fn answered() -> StageHarness {
    let mut harness = harness(Plot::Lens);
    click(&mut harness, "Attribution");
    assert_eq!(harness.state_mut().answer(), 1);
    harness.run_ok();
    harness
}

fn direct(harness: &StageHarness) -> DirectAttribution {
    match harness.state().studies.last_answer(Topic::Direct) {
        Some((_, Answer::Direct(direct))) => (**direct).clone(),
        other => panic!("{other:?}"),
    }
}

fn pinned(harness: &mut StageHarness) -> Vec<(HookPoint, usize, usize)> {
    let wishes = harness.state_mut().wishes();
    wishes
        .into_iter()
        .filter_map(|intent| match intent {
            Intent::Pin(Cell::Value(cell)) => Some((cell.hook, cell.head, cell.index)),
            _ => None,
        })
        .collect()
}

#[test]
fn the_sum_of_the_parts_stands_beside_the_logit_they_sum_to() {
    let harness = answered();
    let direct = direct(&harness);
    let last = harness.state().fixture.n_pos() - 1;
    let logits = harness.state().fixture.row(HookPoint::Logits, last);

    let texts = texts(&harness);

    assert_eq!(direct.value, direct.target.value(logits));
    assert!((direct.value - direct.sum()).abs() < 1e-3);
    assert!(texts.contains(&exact(direct.value)), "{texts}");
    assert!(texts.contains(&exact(direct.sum())), "{texts}");
}

#[test]
fn every_part_has_a_row_that_tells_it_exactly_and_is_chosen_by_a_click() {
    let mut harness = answered();
    let direct = direct(&harness);
    let label = format!("layer 1 MLP adds {}", exact(direct.mlp(1)));
    let at = harness.get_by_label_contains(&label).rect().center();

    hover(&mut harness, at);
    assert!(texts(&harness).contains("sum so far"));
    click_at(&mut harness, at);

    let pinned = pinned(&mut harness);
    let [(hook, 0, index)] = pinned[..] else {
        panic!("{pinned:?}");
    };
    assert_eq!(hook, HookPoint::block(1, BlockSite::MlpOut));
    let row = harness.state().fixture.row(hook, direct.target.pos);
    let added = |index: usize| (row[index] * direct.direction[index]).abs();
    assert!((0..row.len()).all(|other| added(other) <= added(index)));
}

#[test]
fn heads_and_neurons_lead_into_the_world() {
    let mut harness = answered();
    let direct = direct(&harness);
    let config = harness.state().fixture.loaded.config.clone();
    click(&mut harness, "Heads");
    let shape = (config.n_layers, config.n_heads);
    let at = cell_at(&harness, "Map of heads", (2, 1), shape);
    hover(&mut harness, at);
    assert!(texts(&harness).contains(&exact(direct.heads[2][1])));
    click_at(&mut harness, at);
    let chosen = pinned(&mut harness);
    assert_eq!(chosen[0].0, HookPoint::block(2, BlockSite::Pattern));
    assert_eq!(chosen[0].1, 1);
}

/// The neuron that adds most, and where its row is.
fn loudest(harness: &StageHarness) -> (usize, usize) {
    let direct = direct(harness);
    let neurons = direct.neurons.iter().enumerate();
    let all = neurons.flat_map(|(layer, row)| {
        let row = row.iter().enumerate();
        row.map(move |(neuron, value)| (layer, neuron, value.abs()))
    });
    let (layer, neuron, _) = all.max_by(|a, b| a.2.total_cmp(&b.2)).unwrap();
    (layer, neuron)
}

#[test]
fn a_neuron_is_chosen_wherever_its_row_is_clicked() {
    let mut harness = answered();
    click(&mut harness, "Neurons");
    let (layer, neuron) = loudest(&harness);
    let name = harness.get_by_label(&format!("{layer}.{neuron}")).rect();
    let at = egui::pos2(400.0, name.center().y);

    click_at(&mut harness, at);

    let post = HookPoint::block(layer, BlockSite::MlpPost);
    assert_eq!(pinned(&mut harness), [(post, 0, neuron)]);
}

#[test]
fn a_neuron_is_chosen_by_keys() {
    let mut harness = answered();
    click(&mut harness, "Neurons");
    let (layer, neuron) = loudest(&harness);
    harness.get_by_label(&format!("{layer}.{neuron}")).focus();
    harness.run_ok();

    harness.key_press(egui::Key::Enter);
    harness.run_ok();

    let post = HookPoint::block(layer, BlockSite::MlpPost);
    assert_eq!(pinned(&mut harness), [(post, 0, neuron)]);
}

#[test]
fn entropy_and_divergence_stand_below_the_grid() {
    let mut harness = harness(Plot::Lens);
    let last = harness.state().fixture.n_pos() - 1;
    let n_layers = harness.state().fixture.loaded.config.n_layers;
    for layer in 0..n_layers {
        let reading = &harness.state().fixture.readings[layer][last];
        let told = format!("layer {layer}: {} and {}", reading.entropy, reading.kl);
        harness.get_by_label_contains(&told);
    }

    let shape = (n_layers, last + 1);
    let at = cell_at(&harness, "Lens by layer and position", (0, 2), shape);
    hover(&mut harness, at);

    let kl = harness.state().fixture.readings[n_layers - 1][2].kl;
    assert!(texts(&harness).contains(&exact(kl)), "{}", texts(&harness));
    assert_eq!(kl, 0.0, "the last layer's prediction is the pass's own");
}

#[test]
fn one_token_has_parts_too() {
    let stage = Stage::new(Fixture::one_token(), Plot::Lens);
    let mut harness = harness_of(stage, [560.0, 420.0]);
    click(&mut harness, "Attribution");
    harness.state_mut().answer();
    harness.run_ok();

    assert!(texts(&harness).contains("token embedding"));
}
