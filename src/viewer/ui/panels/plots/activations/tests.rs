//! The pages driven as people do, against numbers worked out anew from the trace.

use egui::Key;
use egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;

use super::*;
use crate::hook::HookPoint;
use crate::layout::CellId;
use crate::viewer::readout::digits;
use crate::viewer::ui::panels::plots::Plot;
use crate::viewer::ui::panels::plots::fixture::{
    Fixture, Stage, StageHarness, cell_at, click, click_at, harness, harness_of, hover, texts,
};

const MAP: &str = "Activation map";

fn page(harness: &mut StageHarness, title: &str) {
    click(harness, title);
}

/// Opens a list of choices, which shows `now`, and takes `next`.
fn choose(harness: &mut StageHarness, now: &str, next: &str) {
    harness.get_by_value(now).click();
    harness.run_ok();
    // The list is longer than its window.
    harness.get_by_label(next).scroll_to_me();
    harness.run_ok();
    click(harness, next);
}

fn resid_post(layer: usize) -> HookPoint {
    HookPoint::block(layer, BlockSite::ResidPost)
}

fn norm(row: &[f32]) -> f64 {
    let squares = row.iter().map(|x| f64::from(*x) * f64::from(*x));
    squares.sum::<f64>().sqrt()
}

/// The number that follows `name` in the line of what is pointed at.
fn read_out(harness: &StageHarness, name: &str) -> f64 {
    let texts = texts(harness);
    let lines = texts.lines().filter(|line| line.contains(" · "));
    let found = lines
        .filter_map(|line| line.rsplit_once(&format!("{name} ")))
        .find_map(|(_, number)| number.trim().parse().ok());
    found.unwrap_or_else(|| panic!("no {name} in {texts}"))
}

fn assert_near(found: f64, expected: f64) {
    let tolerance = 1e-5 * expected.abs().max(1e-3);
    assert!((found - expected).abs() <= tolerance, "{found} {expected}");
}

/// Rows and columns of the map of the residual stream.
fn stream_size(harness: &StageHarness) -> (usize, usize) {
    let fixture = &harness.state().fixture;
    (fixture.loaded.config.n_layers + 1, fixture.n_pos())
}

#[test]
fn the_map_tells_the_exact_norm_under_the_pointer() {
    let mut harness = harness(Plot::Activations);
    let size = stream_size(&harness);

    for (row, pos) in [(0, 0), (1, 3), (size.0 - 1, size.1 - 1)] {
        let at = cell_at(&harness, MAP, (row, pos), size);
        hover(&mut harness, at);

        let hook = match row {
            0 => HookPoint::block(0, BlockSite::ResidPre),
            _ => resid_post(row - 1),
        };
        let expected = norm(harness.state().fixture.row(hook, pos));
        assert_near(read_out(&harness, "L2 norm"), expected);
        assert!(texts(&harness).contains(&hook.to_string()), "the tooltip");
    }
}

#[test]
fn a_cell_of_the_map_chooses_its_greatest_number_in_the_world() {
    let mut harness = harness(Plot::Activations);
    let size = stream_size(&harness);

    let at = cell_at(&harness, MAP, (2, 4), size);
    click_at(&mut harness, at);

    let row = harness.state().fixture.row(resid_post(1), 4).to_vec();
    let index = (0..row.len()).max_by(|a, b| row[*a].abs().total_cmp(&row[*b].abs()));
    let cell = Cell::Value(CellId {
        hook: resid_post(1),
        pos: 4,
        head: 0,
        index: index.unwrap(),
    });
    assert_eq!(harness.state_mut().wishes(), [Intent::Pin(cell)]);
}

#[test]
fn the_keyboard_walks_the_map_and_enter_chooses() {
    let mut harness = harness(Plot::Activations);
    harness.get_by_label_contains(MAP).focus();
    harness.run_ok();
    let start = harness.state().playhead.lane;
    for key in [Key::ArrowLeft, Key::ArrowLeft, Key::ArrowDown] {
        harness.key_press(key);
        harness.run_ok();
    }
    harness.key_press(Key::Enter);
    harness.run_ok();

    let wishes = harness.state_mut().wishes();
    assert!(
        matches!(wishes[..], [Intent::Pin(Cell::Value(cell))]
            if (cell.hook, cell.pos) == (resid_post(0), start - 2)),
        "{wishes:?}"
    );
}

#[test]
fn another_measure_and_another_place_show_other_numbers() {
    let mut harness = harness(Plot::Activations);
    choose(&mut harness, "L2 norm", "mean");
    choose(&mut harness, "residual stream", "neurons · mlp.hook_post");
    let n_layers = harness.state().fixture.loaded.config.n_layers;
    let size = (n_layers, harness.state().fixture.n_pos());

    let at = cell_at(&harness, MAP, (3, 2), size);
    hover(&mut harness, at);

    let hook = HookPoint::block(3, BlockSite::MlpPost);
    let row = harness.state().fixture.row(hook, 2);
    let mean = row.iter().map(|x| f64::from(*x)).sum::<f64>() / row.len() as f64;
    assert_near(read_out(&harness, "mean"), mean);
}

#[test]
fn one_dimension_is_shown_and_follows_what_is_chosen_in_the_world() {
    let mut harness = harness(Plot::Activations);
    choose(&mut harness, "L2 norm", "one dimension");
    harness.state_mut().pinned = Some(cell_of(
        &harness.state().fixture.loaded.config,
        resid_post(2),
        5,
        77,
    ));
    harness.run_ok();
    let size = stream_size(&harness);
    let at = cell_at(&harness, MAP, (3, 1), size);

    hover(&mut harness, at);

    let expected = harness.state().fixture.row(resid_post(2), 1)[77];
    assert_near(read_out(&harness, "dimension 77"), f64::from(expected));
}

#[test]
fn the_most_active_neurons_are_the_texts_own_and_a_click_lists_their_tokens() {
    let mut harness = harness(Plot::Activations);
    page(&mut harness, "Most active");
    let state = harness.state();
    let (fixture, lane) = (&state.fixture, state.playhead.lane);
    let mut all = Vec::new();
    for layer in 0..fixture.loaded.config.n_layers {
        let hook = HookPoint::block(layer, BlockSite::MlpPost);
        let row = fixture.row(hook, lane).iter().copied().enumerate();
        all.extend(row.map(|(index, value)| (value, layer, index)));
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (value, layer, index) = all[1];
    let hook = HookPoint::block(layer, BlockSite::MlpPost);
    let mut tokens: Vec<(f32, usize)> = (0..fixture.n_pos())
        .map(|pos| (fixture.row(hook, pos)[index], pos))
        .collect();
    tokens.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (best, pos) = tokens[0];

    click(
        &mut harness,
        &format!("layer {layer} neuron {index} {value:?}"),
    );

    let cell = cell_of(&harness.state().fixture.loaded.config, hook, lane, index);
    assert_eq!(harness.state_mut().wishes(), [Intent::Pin(cell)]);
    let token = harness.state().fixture.trace.token(pos).unwrap().token;
    let text = harness.state().fixture.loaded.vocab.label(token);
    harness.get_by_label(&format!("{pos} “{text}” {best:?}"));
}

#[test]
fn a_neuron_chosen_in_the_world_has_its_tokens_listed() {
    let mut harness = harness(Plot::Activations);
    page(&mut harness, "Most active");
    let hook = HookPoint::block(2, BlockSite::MlpPost);
    harness.state_mut().pinned = Some(cell_of(
        &harness.state().fixture.loaded.config,
        hook,
        1,
        300,
    ));
    harness.run_ok();

    let value = harness.state().fixture.row(hook, 0)[300];
    let token = harness.state().fixture.trace.token(0).unwrap().token;
    let text = harness.state().fixture.loaded.vocab.label(token);
    harness.get_by_label(&format!("0 “{text}” {value:?}"));
}

/// The neurons of a layer with their greatest numbers over the text, the greatest first.
fn by_max(fixture: &Fixture, layer: usize) -> Vec<(f32, usize)> {
    let hook = HookPoint::block(layer, BlockSite::MlpPost);
    let max = |index: usize| {
        let values = (0..fixture.n_pos()).map(|pos| fixture.row(hook, pos)[index]);
        values.fold(f32::NEG_INFINITY, f32::max)
    };
    let mut all: Vec<(f32, usize)> = (0..fixture.loaded.config.d_mlp)
        .map(|index| (max(index), index))
        .collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    all
}

#[test]
fn the_table_is_sorted_by_the_greatest_and_turns_round() {
    let mut harness = harness(Plot::Activations);
    page(&mut harness, "Neuron table");
    let all = by_max(&harness.state().fixture, 0);
    let first = |harness: &StageHarness| {
        let texts = texts(harness);
        let mut lines = texts.lines().skip_while(|line| *line != "active");
        lines.nth(1).unwrap().to_owned()
    };
    assert_eq!(first(&harness), all[0].1.to_string());
    assert!(texts(&harness).contains(&digits(all[0].0)));

    click(&mut harness, "max ⏷");

    assert_eq!(first(&harness), all[all.len() - 1].1.to_string());
    let by_number = harness.get_by_role_and_label(Role::Button, "neuron");
    by_number.click();
    harness.run_ok();
    click(&mut harness, "neuron ⏷");
    assert_eq!(first(&harness), "0");
}

#[test]
fn the_table_keeps_to_what_the_statistic_has_to_lie_within() {
    let mut harness = harness(Plot::Activations);
    page(&mut harness, "Neuron table");
    let all = by_max(&harness.state().fixture, 0);
    let n = all.iter().filter(|(max, _)| (0.0..=10.0).contains(max));
    let expected = format!("{} of {} neurons", n.count(), all.len());

    click(&mut harness, "max within");

    assert!(texts(&harness).contains(&expected), "{expected}");
}

#[test]
fn a_row_of_the_table_chooses_the_neuron_in_the_world() {
    let mut harness = harness(Plot::Activations);
    page(&mut harness, "Neuron table");
    let (_, index) = by_max(&harness.state().fixture, 0)[2];

    click(&mut harness, &index.to_string());

    let hook = HookPoint::block(0, BlockSite::MlpPost);
    let lane = harness.state().playhead.lane;
    let cell = cell_of(&harness.state().fixture.loaded.config, hook, lane, index);
    assert_eq!(harness.state_mut().wishes(), [Intent::Pin(cell)]);
}

#[test]
fn the_distribution_counts_every_number_and_those_near_zero() {
    let mut harness = harness(Plot::Activations);
    page(&mut harness, "Distribution");
    let fixture = &harness.state().fixture;
    let hook = HookPoint::block(0, BlockSite::MlpPost);
    let rows = (0..fixture.n_pos()).flat_map(|pos| fixture.row(hook, pos).to_vec());
    let values: Vec<f32> = rows.collect();
    let n_near = values.iter().filter(|x| x.abs() < 0.01).count();
    let share = 100.0 * n_near as f64 / values.len() as f64;

    let texts = texts(&harness);

    assert!(
        texts.contains(&format!("{} numbers", values.len())),
        "{texts}"
    );
    assert!(texts.contains(&format!("{share:.2} %")), "{share} {texts}");
    harness.get_by_label(&format!("Histogram of {hook}"));
}

#[test]
fn the_distribution_follows_the_tensor_chosen_in_the_world() {
    let mut harness = harness(Plot::Activations);
    page(&mut harness, "Distribution");
    let hook = HookPoint::block(3, BlockSite::Q);

    harness.state_mut().pinned = Some(cell_of(&harness.state().fixture.loaded.config, hook, 1, 40));
    harness.run_ok();

    harness.get_by_label(&format!("Histogram of {hook}"));
}

#[test]
fn the_residual_norms_are_those_of_the_stream() {
    let mut harness = harness(Plot::Activations);
    page(&mut harness, "Residual norms");
    let fixture = &harness.state().fixture;
    let norms: Vec<f64> = (0..fixture.n_pos())
        .map(|pos| norm(fixture.row(resid_post(2), pos)))
        .collect();
    let mean = norms.iter().sum::<f64>() / norms.len() as f64;
    let greatest = norms.iter().copied().fold(0.0, f64::max);

    let texts = texts(&harness);

    for number in [mean, greatest] {
        let number = digits(number as f32);
        assert!(
            texts.contains(&number[..number.len() - 1]),
            "{number} {texts}"
        );
    }
}

#[test]
fn what_there_is_not_is_said() {
    let mut harness = harness(Plot::Activations);
    harness.state_mut().n_pos = 0;
    harness.run_ok();
    assert!(texts(&harness).contains("Begin a text at the left"));

    harness.state_mut().is_computing = true;
    harness.run_ok();
    assert!(texts(&harness).contains("The first pass is being computed"));

    harness.state_mut().can_run = false;
    harness.run_ok();
    assert!(texts(&harness).contains("a shape without weights"));
}

const TITLES: [&str; 5] = [
    "Map",
    "Most active",
    "Neuron table",
    "Distribution",
    "Residual norms",
];

fn all_pages(fixture: std::sync::Arc<Fixture>) -> Vec<String> {
    let stage = Stage::new(fixture, Plot::Activations);
    let mut harness = harness_of(stage, [720.0, 620.0]);
    let mut drawn = Vec::new();
    for title in TITLES {
        page(&mut harness, title);
        drawn.push(texts(&harness));
    }
    drawn
}

#[test]
fn one_token_is_enough_for_every_page() {
    let drawn = all_pages(Fixture::one_token());

    assert!(drawn[2].contains("512 of 512 neurons"), "{}", drawn[2]);
    assert!(drawn[3].contains("512 numbers of 1 token"), "{}", drawn[3]);
}

#[test]
fn nan_is_counted_and_constant_numbers_have_a_picture() {
    let nan = Fixture::made_up(Fixture::small_config(), 4, |_, index| {
        if index % 3 == 0 { f32::NAN } else { 1.0 }
    });
    let drawn = all_pages(nan);
    assert!(drawn[0].contains("NaN or infinite"), "{}", drawn[0]);
    assert!(drawn[3].contains("NaN"), "{}", drawn[3]);

    let constant = Fixture::made_up(Fixture::small_config(), 4, |_, _| -2.5);
    let drawn = all_pages(constant);
    assert!(drawn[1].contains("layer 0 neuron 0"), "{}", drawn[1]);
    assert!(drawn[2].contains("16 of 16 neurons"), "{}", drawn[2]);
    let all_nan = Fixture::made_up(Fixture::small_config(), 4, |_, _| f32::NAN);
    let drawn = all_pages(all_nan);
    assert!(drawn[1].contains("No finite number"), "{}", drawn[1]);
    assert!(drawn[3].contains("No finite number"), "{}", drawn[3]);
}

#[test]
fn a_thousand_tokens_draw_few_shapes() {
    let fixture = Fixture::made_up(Fixture::small_config(), 1024, |_, index| {
        (index as f32).sin()
    });
    let mut harness = harness_of(Stage::new(fixture, Plot::Activations), [720.0, 620.0]);
    for title in TITLES {
        page(&mut harness, title);
        harness.run_ok();

        let n_shapes = harness.output().shapes.len();
        assert!(n_shapes < 1500, "{title}: {n_shapes}");
    }
}
