//! Head scores: the table and the map.

use super::*;

/// The mean weight of the token before, of every head, the greatest first.
fn by_previous(fixture: &Fixture) -> Vec<(f64, usize, usize)> {
    let config = &fixture.loaded.config;
    let mut all = Vec::new();
    for layer in 0..config.n_layers {
        for head in 0..config.n_heads {
            let weights = (1..fixture.n_pos())
                .map(|query| f64::from(fixture.pattern(layer, head, query)[query - 1]));
            let mean = weights.sum::<f64>() / (fixture.n_pos() - 1) as f64;
            all.push((mean, layer, head));
        }
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    all
}

#[test]
fn head_scores_are_sorted_by_the_one_that_is_asked_for_and_its_map_is_shown() {
    let mut harness = harness(Plot::Attention);
    click(&mut harness, "Head scores");
    click(&mut harness, "previous");
    let all = by_previous(&harness.state().fixture);
    let (best, layer, head) = all[0];

    let texts = texts(&harness);
    let first = texts.lines().find(|line| is_head(line)).unwrap();
    assert_eq!(first, format!("{layer}.{head}"), "{texts}");
    assert!(texts.contains(&format!("{best:.4}")), "{best} in {texts}");
    harness.get_by_label_contains("Map of head scores: previous token");

    click(&mut harness, "previous ⏷");
    let (_, layer, head) = all[all.len() - 1];
    let texts = self::texts(&harness);
    let first = texts.lines().find(|line| is_head(line)).unwrap();
    assert_eq!(first, format!("{layer}.{head}"));
}

/// Whether it is a head's name, such as `3.11`.
fn is_head(line: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    line.split_once('.')
        .is_some_and(|(layer, head)| is_number(layer) && is_number(head) && head.len() < 3)
}

#[test]
fn the_entropy_of_every_head_is_that_of_its_rows() {
    let mut harness = harness(Plot::Attention);
    click(&mut harness, "Head scores");
    click(&mut harness, "entropy");
    let fixture = harness.state().fixture.clone();
    let entropy = |layer: usize, head: usize| {
        let rows = (0..fixture.n_pos()).map(|query| {
            let row = fixture.pattern(layer, head, query).iter();
            let terms = row.filter(|weight| **weight > 0.0);
            -terms
                .map(|w| f64::from(*w) * f64::from(*w).ln())
                .sum::<f64>()
        });
        rows.sum::<f64>() / fixture.n_pos() as f64
    };
    let config = &fixture.loaded.config;
    let size = (config.n_layers, config.n_heads);

    for (layer, head) in [(0, 3), (2, 1)] {
        let at = cell_at(&harness, "Map of head scores", (layer, head), size);
        hover(&mut harness, at);

        let texts = texts(&harness);
        let mut lines = texts.lines().filter(|line| line.contains(" · "));
        let found = lines.find_map(|line| line.rsplit_once("nats ")?.1.parse::<f64>().ok());
        let expected = entropy(layer, head);
        assert!(
            (found.unwrap() - expected).abs() < 1e-4,
            "{expected} {texts}"
        );
    }
}

#[test]
fn a_head_of_the_table_opens_its_matrix_by_keyboard() {
    let mut harness = harness(Plot::Attention);
    click(&mut harness, "Head scores");
    harness.get_by_label("2.3").focus();
    harness.run_ok();
    harness.key_press(Key::Enter);
    harness.run_ok();

    let shown = hover_cell(&mut harness, 4, 1);

    let expected = harness.state().fixture.pattern(2, 3, 4)[1];
    assert!((weight_read(&shown) - f64::from(expected)).abs() < 1e-7);
}

#[test]
fn scores_taken_in_layer_by_layer_are_the_same() {
    let fixture = Fixture::demo();
    let config = &fixture.loaded.config;
    let positions = fixture.trace.positions();
    let mut parts = HeadScores::new(config.n_layers, config.n_heads);
    for token in &positions {
        for _ in 0..config.n_layers {
            assert_eq!(parts.n_tokens(), token.pos);
            assert!(parts.take_layers(token, 1));
        }
    }

    assert_eq!(
        parts,
        HeadScores::of(&positions, config.n_layers, config.n_heads)
    );
}
