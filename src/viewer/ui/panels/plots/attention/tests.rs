//! The pages driven as people do, against weights worked out anew from the trace.

mod scores;

use egui::Key;
use egui::accesskit::Toggled;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use super::*;
use crate::analysis::HeadScores;
use crate::layout::CellId;
use crate::viewer::readout::exact;
use crate::viewer::ui::panels::plots::Plot;
use crate::viewer::ui::panels::plots::fixture::{
    Fixture, Stage, StageHarness, cell_at, click, click_at, harness, harness_of, hover, texts,
};

const MATRIX: &str = "Attention matrix";

fn weight_cell(layer: usize, head: usize, query: usize, key: usize) -> Cell {
    Cell::Value(CellId {
        hook: pattern(layer),
        pos: query,
        head,
        index: key,
    })
}

fn size(harness: &StageHarness) -> (usize, usize) {
    let n = harness.state().n_pos;
    (n, n)
}

fn hover_cell(harness: &mut StageHarness, query: usize, key: usize) -> String {
    let at = cell_at(harness, MATRIX, (query, key), size(harness));
    hover(harness, at);
    texts(harness)
}

/// The weight that the line of what is pointed at tells.
fn weight_read(texts: &str) -> f64 {
    let mut lines = texts.lines().filter(|line| line.contains(" · weight "));
    let (_, number) = lines
        .next()
        .unwrap_or_default()
        .rsplit_once("weight ")
        .unwrap();
    number.parse().unwrap()
}

#[test]
fn the_matrix_tells_exact_weights_with_both_tokens() {
    let mut harness = harness(Plot::Attention);
    for (query, key) in [(5, 2), (3, 3), (7, 0)] {
        let shown = hover_cell(&mut harness, query, key);

        let fixture = &harness.state().fixture;
        let weight = fixture.pattern(0, 0, query)[key];
        let text = |pos: usize| {
            let token = fixture.trace.token(pos).unwrap().token;
            fixture.loaded.vocab.label(token)
        };
        let line = format!(
            "query {query} “{}” · key {key} “{}” · weight {}",
            text(query),
            text(key),
            exact(weight)
        );
        assert!(shown.contains(&line), "{line} in {shown}");
        assert!(shown.contains(&format!("blocks.0.attn.hook_pattern[0, {query}, {key}]")));
    }
}

#[test]
fn the_world_has_the_arcs_of_what_is_chosen_from_the_beginning_and_a_rollout_has_none() {
    let stage = Stage::new(Fixture::demo(), Plot::Attention);
    let mut harness = harness_of(stage, [720.0, 620.0]);
    let chosen = ArcChoice {
        heads: [0].into(),
        layer: Some(0),
        ..ArcChoice::default()
    };
    assert_eq!(
        harness.state_mut().wishes(),
        [Intent::ChooseArcs(chosen.clone())]
    );
    let is_ticked = |harness: &StageHarness| {
        let arcs = harness.get_by_label("arcs in the world");
        let node = arcs.accesskit_node();
        (node.toggled() == Some(Toggled::True), !node.is_disabled())
    };
    assert_eq!(is_ticked(&harness), (true, true));

    click(&mut harness, "rollout");
    assert_eq!(harness.state_mut().wishes(), []);
    assert_eq!(is_ticked(&harness), (false, false));

    click(&mut harness, "one head");
    assert_eq!(harness.state_mut().wishes(), [Intent::ChooseArcs(chosen)]);
    assert_eq!(is_ticked(&harness), (true, true));
}

#[test]
fn a_masked_cell_has_no_weight_and_is_not_chosen() {
    let mut harness = harness(Plot::Attention);

    let at = cell_at(&harness, MATRIX, (2, 6), size(&harness));
    click_at(&mut harness, at);

    assert_eq!(harness.state_mut().wishes(), []);
    assert!(texts(&harness).contains("weight has no value"));
}

#[test]
fn a_cell_that_is_clicked_is_chosen_in_the_world_and_one_chosen_there_is_shown() {
    let mut harness = harness(Plot::Attention);
    let at = cell_at(&harness, MATRIX, (6, 1), size(&harness));
    click_at(&mut harness, at);
    assert_eq!(
        harness.state_mut().wishes(),
        [Intent::Pin(weight_cell(0, 0, 6, 1))]
    );

    harness.state_mut().pinned = Some(weight_cell(3, 2, 4, 2));
    harness.run_ok();

    let best = best_of(harness.state().fixture.pattern(3, 2, 4));
    assert!(
        texts(&harness).contains("query 4 "),
        "the cursor went there"
    );
    assert!(texts(&harness).contains(&format!("{:.3}", best.1)));
    let shown = hover_cell(&mut harness, 4, 2);
    assert!(
        shown.contains("blocks.3.attn.hook_pattern[2, 4, 2]"),
        "{shown}"
    );
}

fn best_of(row: &[f32]) -> (usize, f32) {
    let row = row.iter().copied().enumerate();
    row.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap()
}

#[test]
fn another_head_has_its_own_weights_and_its_arcs_in_the_world() {
    let mut harness = harness(Plot::Attention);
    click(&mut harness, "next head");
    click(&mut harness, "next layer");
    click(&mut harness, "next layer");

    let shown = hover_cell(&mut harness, 6, 4);

    let expected = harness.state().fixture.pattern(2, 1, 6)[4];
    assert!((weight_read(&shown) - f64::from(expected)).abs() < 1e-7);
    let wishes = harness.state_mut().wishes();
    let last = ArcChoice {
        heads: [1].into(),
        pooling: Pooling::Mean,
        layer: Some(2),
    };
    assert_eq!(wishes.last(), Some(&Intent::ChooseArcs(last)));
    assert_eq!(wishes.len(), 3);
}

#[test]
fn the_mean_is_over_the_layers_heads_and_a_cell_of_it_chooses_the_greatest() {
    let mut harness = harness(Plot::Attention);
    click(&mut harness, "mean of heads");
    let shown = hover_cell(&mut harness, 7, 3);
    let fixture = harness.state().fixture.clone();
    let n_heads = fixture.loaded.config.n_heads;
    let weights: Vec<f32> = (0..n_heads)
        .map(|head| fixture.pattern(0, head, 7)[3])
        .collect();
    let mean = weights.iter().sum::<f32>() / n_heads as f32;
    assert!((weight_read(&shown) - f64::from(mean)).abs() < 1e-6);
    harness.state_mut().wishes();

    let at = cell_at(&harness, MATRIX, (7, 3), size(&harness));
    click_at(&mut harness, at);

    let (head, _) = best_of(&weights);
    assert_eq!(
        harness.state_mut().wishes(),
        [Intent::Pin(weight_cell(0, head, 7, 3))]
    );
}

/// `R_l = A_l R_(l-1)`, `A_l` the mean of the heads' patterns and the identity.
fn rollout(fixture: &Fixture, through: usize) -> Vec<Vec<f64>> {
    let n = fixture.n_pos();
    let n_heads = fixture.loaded.config.n_heads;
    let mut rollout: Vec<Vec<f64>> = (0..n)
        .map(|row| (0..n).map(|column| f64::from(row == column)).collect())
        .collect();
    for layer in 0..=through {
        rollout = (0..n)
            .map(|query| {
                let mut row = vec![0.0; n];
                for (key, before) in rollout.iter().enumerate().take(query + 1) {
                    let sum: f32 = (0..n_heads)
                        .map(|head| fixture.pattern(layer, head, query)[key])
                        .sum();
                    let own = f64::from(u8::from(query == key));
                    let share = 0.5 * (f64::from(sum) / n_heads as f64 + own);
                    for (sum, before) in row.iter_mut().zip(before) {
                        *sum += share * before;
                    }
                }
                row
            })
            .collect();
    }
    rollout
}

#[test]
fn the_rollout_multiplies_the_layers_mean_patterns() {
    let mut harness = harness(Plot::Attention);
    click(&mut harness, "rollout");
    click(&mut harness, "next layer");
    harness.run_ok();

    let shown = hover_cell(&mut harness, 6, 0);

    let expected = rollout(&harness.state().fixture, 1)[6][0];
    assert!((weight_read(&shown) - expected).abs() < 1e-5, "{expected}");
    assert!(shown.contains("rollout from the embedding through layer 1"));
}

#[test]
fn the_layer_follows_the_signal_where_it_is_told_to() {
    let mut harness = harness(Plot::Attention);
    click(&mut harness, "follow the signal");
    let config = harness.state().fixture.loaded.config.clone();
    let hooks = config.hook_points();
    let reached = hooks.iter().position(|hook| *hook == pattern(2)).unwrap();

    harness.state_mut().playhead.order = reached as f32 + 1.0;
    harness.run_ok();

    let shown = hover_cell(&mut harness, 5, 5);
    let expected = harness.state().fixture.pattern(2, 0, 5)[5];
    assert!((weight_read(&shown) - f64::from(expected)).abs() < 1e-7);
}

#[test]
fn the_keyboard_walks_the_matrix_from_the_playheads_query() {
    let mut harness = harness(Plot::Attention);
    harness.state_mut().playhead.lane = 4;
    harness.run_ok();
    harness.get_by_label_contains(MATRIX).focus();
    harness.run_ok();
    for key in [Key::ArrowRight, Key::ArrowRight, Key::ArrowDown] {
        harness.key_press(key);
        harness.run_ok();
    }
    harness.key_press(Key::Enter);
    harness.run_ok();

    assert_eq!(
        harness.state_mut().wishes(),
        [Intent::Pin(weight_cell(0, 0, 5, 2))]
    );
    let node = harness.get_by_label_contains(MATRIX);
    let weight = exact(harness.state().fixture.pattern(0, 0, 5)[2]);
    assert!(
        node.value().unwrap().contains(&weight),
        "for screen readers"
    );
}

#[test]
fn lines_go_from_a_query_to_its_keys_and_a_query_chooses_its_strongest() {
    let mut harness = harness(Plot::Attention);
    click(&mut harness, "Lines");
    let fixture = harness.state().fixture.clone();
    let token = fixture.trace.token(6).unwrap().token;
    let name = format!("query 6 “{}”", fixture.loaded.vocab.label(token));
    let n_lines = n_lines(&harness);
    let row = fixture.pattern(0, 0, 6);

    click(&mut harness, &name);

    let (key, _) = best_of(row);
    assert_eq!(
        harness.state_mut().wishes(),
        [Intent::Pin(weight_cell(0, 0, 6, key))]
    );
    let n_above: Vec<&f32> = row.iter().filter(|weight| **weight >= 0.1).collect();
    for weight in &n_above {
        assert!(texts(&harness).contains(&format!("{weight:.3}")));
    }
    assert!(self::n_lines(&harness) < n_lines, "its own lines alone");
    assert_eq!(self::n_lines(&harness), n_above.len());
}

/// Straight lines that are not level: those between the columns, but for a token to itself.
fn n_lines(harness: &StageHarness) -> usize {
    fn count(shape: &egui::Shape) -> usize {
        match shape {
            egui::Shape::LineSegment { points, .. } => {
                usize::from((points[1].x - points[0].x).abs() > 100.0)
            }
            egui::Shape::Vec(shapes) => shapes.iter().map(count).sum(),
            _ => 0,
        }
    }
    let shapes = harness.output().shapes.iter();
    shapes.map(|clipped| count(&clipped.shape)).sum()
}

#[test]
fn a_head_at_a_glance_opens_its_matrix() {
    let mut harness = harness(Plot::Attention);
    click(&mut harness, "All heads");
    let config = harness.state().fixture.loaded.config.clone();
    for layer in 0..config.n_layers {
        for head in 0..config.n_heads {
            harness.get_by_label(&format!("layer {layer} head {head}"));
        }
    }

    click(&mut harness, "layer 3 head 1");

    let shown = hover_cell(&mut harness, 4, 1);
    let expected = harness.state().fixture.pattern(3, 1, 4)[1];
    assert!((weight_read(&shown) - f64::from(expected)).abs() < 1e-7);
    assert!(matches!(
        harness.state_mut().wishes()[..],
        [Intent::ChooseArcs(ArcChoice { layer: Some(3), .. })]
    ));
}

#[test]
fn what_there_is_not_is_said() {
    let mut harness = harness(Plot::Attention);
    harness.state_mut().n_pos = 0;
    harness.run_ok();
    assert!(texts(&harness).contains("Begin a text at the left"));

    harness.state_mut().can_run = false;
    harness.run_ok();
    assert!(texts(&harness).contains("a shape without weights"));
}

const TITLES: [&str; 4] = ["Matrix", "Lines", "All heads", "Head scores"];

fn all_pages(fixture: std::sync::Arc<Fixture>) -> Vec<String> {
    let stage = Stage::new(fixture, Plot::Attention);
    let mut harness = harness_of(stage, [720.0, 620.0]);
    let mut drawn = Vec::new();
    for title in TITLES {
        click(&mut harness, title);
        drawn.push(texts(&harness));
    }
    drawn
}

#[test]
fn one_token_attends_to_itself_on_every_page() {
    let drawn = all_pages(Fixture::one_token());

    assert!(drawn[0].contains("1.000"), "{}", drawn[0]);
    assert!(
        drawn[3].contains("no query of this text has one yet"),
        "{}",
        drawn[3]
    );
}

#[test]
fn nan_and_constant_weights_have_a_picture() {
    let nan = Fixture::made_up(Fixture::small_config(), 5, |_, _| f32::NAN);
    let drawn = all_pages(nan);
    assert!(drawn[0].contains("15 NaN or infinite"), "{}", drawn[0]);

    let constant = Fixture::made_up(Fixture::small_config(), 5, |_, _| 0.2);
    let drawn = all_pages(constant);
    assert!(drawn[0].contains("0.200"), "{}", drawn[0]);
    assert!(drawn[3].contains("0.2000"), "{}", drawn[3]);
}

#[test]
fn a_thousand_tokens_draw_few_shapes() {
    let fixture = Fixture::made_up(Fixture::small_config(), 1024, |_, index| {
        ((index * 37 % 1009) as f32 / 1009.0).powi(8)
    });
    let mut harness = harness_of(Stage::new(fixture, Plot::Attention), [720.0, 620.0]);
    for title in TITLES {
        click(&mut harness, title);
        for _ in 0..8 {
            harness.run_ok();
        }

        let n_shapes = harness.output().shapes.len();
        assert!(n_shapes < 4000, "{title}: {n_shapes}");
    }
    click(&mut harness, "Matrix");
    let shown = hover_cell(&mut harness, 900, 700);
    // The pointer can't be put on a cell smaller than a point, but near it.
    let line = shown
        .lines()
        .find(|line| line.contains(" · weight "))
        .unwrap();
    let number = |word: &str| -> usize {
        let (_, rest) = line.split_once(word).unwrap();
        rest.split(' ').next().unwrap().parse().unwrap()
    };
    let (query, key) = (number("query "), number("key "));
    assert!(query.abs_diff(900) <= 2 && key.abs_diff(700) <= 2, "{line}");
    let expected = harness.state().fixture.pattern(0, 0, query)[key];
    assert!((weight_read(&shown) - f64::from(expected)).abs() < 1e-7);
}

#[test]
fn a_token_is_found_by_its_text_and_the_next_with_enter_again() {
    let mut harness = harness(Plot::Attention);
    let fixture = harness.state().fixture.clone();
    let label = |pos: usize| {
        let token = fixture.trace.token(pos).unwrap().token;
        fixture.loaded.vocab.label(token)
    };
    let first = label(0);
    let next = (1..fixture.n_pos()).find(|pos| label(*pos).contains(first.trim_matches('·')));
    let search = first.trim_matches('·').to_lowercase();
    harness.get_by_label("find token").focus();
    harness.run_ok();
    harness.get_by_label("find token").type_text(&search);
    harness.run_ok();
    harness.key_press(Key::Enter);
    harness.run_ok();
    assert!(texts(&harness).contains("query 0 “"), "{}", texts(&harness));

    harness.key_press(Key::Enter);
    harness.run_ok();

    let expected = format!("query {} “", next.unwrap());
    assert!(
        texts(&harness).contains(&expected),
        "{expected} {}",
        texts(&harness)
    );
}
