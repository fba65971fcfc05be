//! The panel driven as people do, against projections and distances made anew.

mod choosing;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use egui::Key;
use egui_kittest::kittest::Queryable as _;

use super::desk::Work;
use super::subject::What;
use super::*;
use crate::analysis::projection::{Vectors, project};
use crate::config::ModelConfig;
use crate::hook::HookPoint;
use crate::viewer::ui::panels::plots::Plot;
use crate::viewer::ui::panels::plots::fixture::{
    Fixture, Stage, StageHarness, click, harness, harness_of, texts,
};
use crate::weight::WeightPoint;

/// Draws frames until `is_there`, and no longer than a minute.
fn wait(harness: &mut StageHarness, is_there: impl Fn(&EmbeddingsPlot) -> bool) {
    let started = Instant::now();
    loop {
        harness.step();
        if is_there(&harness.state().plots.embeddings) {
            break;
        }
        let work = &harness.state().plots.embeddings.desk.work;
        assert!(started.elapsed() < Duration::from_secs(60), "{work:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
    harness.run_ok();
}

fn settle(harness: &mut StageHarness) {
    wait(harness, |plot| {
        let is_sought = plot.chosen.is_none() || plot.desk.nearest.near.is_some();
        plot.desk.work == Work::Done && is_sought
    });
}

fn plot(harness: &mut StageHarness) -> &mut EmbeddingsPlot {
    &mut harness.state_mut().plots.embeddings
}

/// The panel with the picture of the text.
fn opened() -> StageHarness {
    let mut harness = harness(Plot::Embeddings);
    settle(&mut harness);
    harness
}

fn points(harness: &StageHarness) -> Vec<f32> {
    let picture = harness.state().plots.embeddings.desk.picture.as_ref();
    picture.unwrap().projection.points.clone()
}

/// The text's vectors at a hook, row by row.
fn rows(fixture: &Fixture, hook: HookPoint) -> Vec<f32> {
    let rows = (0..fixture.n_pos()).flat_map(|pos| fixture.row(hook, pos));
    rows.copied().collect()
}

#[test]
fn it_opens_with_the_text_as_points_and_says_how_much_they_show() {
    let harness = opened();

    let state = harness.state();
    let values = rows(&state.fixture, HookPoint::Embed);
    let vectors = Vectors::new(&values, state.fixture.loaded.config.d_model).unwrap();
    let settings = state.plots.embeddings.choice.settings();
    let expected = project(vectors, &settings, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(points(&harness), expected.points);
    let texts = texts(&harness);
    let share = format!("{:.2} %", 100.0 * expected.explained[0]);
    for part in [
        "hook_embed, ",
        "PCA",
        "Variance explained",
        "PC 1",
        "PC 2",
        share.as_str(),
    ] {
        assert!(texts.contains(part), "{part} in {texts}");
    }
}

#[test]
fn another_method_makes_another_picture_and_its_settings_count() {
    let mut harness = opened();

    click(&mut harness, "UMAP");
    settle(&mut harness);
    let umap = points(&harness);
    plot(&mut harness).choice.common.seed = 9;
    settle(&mut harness);
    wait(&mut harness, |plot| {
        plot.desk
            .picture
            .as_ref()
            .is_some_and(|picture| picture.is_done && picture.settings.seed == 9)
    });

    assert_ne!(umap, points(&harness));
    assert!(texts(&harness).contains("UMAP, "), "{}", texts(&harness));
    click(&mut harness, "t-SNE");
    settle(&mut harness);
    assert!(
        texts(&harness).contains("t-SNE, perplexity"),
        "{}",
        texts(&harness)
    );
}

#[test]
fn three_axes_stand_in_the_world_and_leave_it_with_two() {
    let mut harness = opened();
    let n_pos = harness.state().fixture.n_pos();

    click(&mut harness, "3D");
    settle(&mut harness);
    let wishes = harness.state_mut().wishes();
    let cloud = wishes.iter().rev().find_map(|wish| match wish {
        Intent::Cloud(cloud) => cloud.clone(),
        _ => None,
    });
    let cloud = cloud.unwrap();
    assert_eq!(cloud.points.len(), n_pos);
    assert!(
        cloud
            .points
            .iter()
            .all(|point| point.at.abs().max_element() <= 1.0 + 1e-5)
    );
    assert!(
        cloud
            .points
            .iter()
            .any(|point| point.at.abs().max_element() > 0.99)
    );
    assert!(
        cloud.title.contains("hook_embed") && cloud.axes[2].starts_with("PC 3"),
        "{cloud:?}"
    );

    click(&mut harness, "2D");
    settle(&mut harness);
    assert!(harness.state_mut().wishes().contains(&Intent::Cloud(None)));
}

#[test]
fn a_long_projection_shows_its_way_and_stops() {
    let mut harness = opened();
    let embeddings = plot(&mut harness);
    embeddings.choice.what = What::Vocabulary(WeightPoint::Embed);
    embeddings.choice.method = controls::MethodName::Tsne;
    embeddings.choice.tsne.n_steps = 100_000_000;
    harness.run_ok();
    if harness.query_by_label("Compute").is_some() {
        click(&mut harness, "Compute");
    }

    let d_vocab = harness.state().fixture.loaded.config.d_vocab;
    wait(&mut harness, |plot| {
        let is_moving = matches!(plot.desk.work, Work::Running { stage, .. }
            if stage == crate::analysis::projection::Stage::Points);
        let n = plot
            .desk
            .picture
            .as_ref()
            .map(|picture| picture.projection.points.len());
        is_moving && n == Some(2 * d_vocab)
    });
    assert!(
        texts(&harness).contains("moving points"),
        "{}",
        texts(&harness)
    );
    click(&mut harness, "Stop");
    wait(&mut harness, |plot| plot.desk.work == Work::Stopped);

    let texts = texts(&harness);
    assert!(
        texts.contains("Stopped") && texts.contains("unfinished"),
        "{texts}"
    );
}

#[test]
fn every_token_of_the_vocabulary_is_a_point_and_one_is_found_by_its_text() {
    let mut harness = opened();
    plot(&mut harness).choice.what = What::Vocabulary(WeightPoint::Embed);
    settle(&mut harness);
    wait(&mut harness, |plot| {
        plot.desk
            .picture
            .as_ref()
            .is_some_and(|picture| picture.is_done && !picture.subject.is_text())
    });
    let fixture = Arc::clone(&harness.state().fixture);
    let d_vocab = fixture.loaded.config.d_vocab;
    assert_eq!(points(&harness).len(), 2 * d_vocab);

    let token = fixture.trace.tokens().nth(2).unwrap();
    let search = format!("#{token}");
    harness.get_by_label("find token").focus();
    harness.run_ok();
    harness.get_by_label("find token").type_text(&search);
    harness.run_ok();
    harness.key_press(Key::Enter);
    harness.run_ok();

    assert_eq!(
        harness.state().plots.embeddings.chosen,
        Some(token as usize)
    );
    let wishes = harness.state_mut().wishes();
    assert!(
        wishes.contains(&Intent::ChooseToken(Some(token))),
        "{wishes:?}"
    );
}

#[test]
fn layers_are_played_in_one_picture() {
    let mut harness = opened();
    plot(&mut harness).choice.what = What::Layers;
    let n_pos = harness.state().fixture.n_pos();
    let n_places = harness.state().fixture.loaded.config.n_layers + 1;
    wait(&mut harness, |plot| {
        plot.desk
            .picture
            .as_ref()
            .is_some_and(|picture| picture.is_done && picture.subject.n_places() > 1)
    });
    let all = points(&harness);
    assert_eq!(all.len(), 2 * n_pos * n_places);

    harness.get_by_label("Play from layer to layer").click();
    for _ in 0..4 {
        harness.step();
    }
    assert!(harness.state().plots.embeddings.place > 0.1);
    harness.get_by_label("Pause the layers").click();
    harness.run_ok();
    assert!(!harness.state().plots.embeddings.is_playing);
    plot(&mut harness).place = 1.5;
    harness.run_ok();

    let shown = harness
        .state()
        .plots
        .embeddings
        .points
        .last()
        .unwrap()
        .clone();
    let n = 2 * n_pos;
    for (index, at) in shown.iter().enumerate() {
        let middle = 0.5 * (all[n + index] + all[2 * n + index]);
        assert!(
            (at - middle).abs() <= 1e-5 * middle.abs().max(1.0),
            "{at} {middle}"
        );
    }
    assert!(texts(&harness).contains("places of"), "{}", texts(&harness));
}

#[test]
fn what_has_no_picture_says_why_and_can_be_tried_again() {
    let config = ModelConfig {
        n_layers: 1,
        ..Fixture::small_config()
    };
    let constant = Fixture::made_up(config.clone(), 6, |_, _| 2.0);
    let mut harness = harness_of(Stage::new(constant, Plot::Embeddings), [720.0, 620.0]);
    wait(&mut harness, |plot| {
        matches!(plot.desk.work, Work::Failed(_))
    });
    assert!(texts(&harness).contains("the same"), "{}", texts(&harness));
    click(&mut harness, "Try again");
    wait(&mut harness, |plot| {
        matches!(plot.desk.work, Work::Failed(_))
    });

    let holed = Fixture::made_up(
        config,
        6,
        |_, index| if index == 3 { f32::NAN } else { 1.0 },
    );
    let mut harness = harness_of(Stage::new(holed, Plot::Embeddings), [720.0, 620.0]);
    wait(&mut harness, |plot| {
        matches!(plot.desk.work, Work::Failed(_))
    });
    assert!(texts(&harness).contains("NaN"), "{}", texts(&harness));

    let mut harness = harness_of(
        Stage::new(Fixture::one_token(), Plot::Embeddings),
        [720.0, 620.0],
    );
    wait(&mut harness, |plot| {
        matches!(plot.desk.work, Work::Failed(_))
    });
    assert!(
        texts(&harness).contains("at least 2 vectors"),
        "{}",
        texts(&harness)
    );
}

#[test]
fn a_frame_of_a_long_text_of_many_layers_draws_few_shapes_and_computes_nothing() {
    let config = ModelConfig {
        d_model: 64,
        d_head: 16,
        n_heads: 4,
        d_mlp: 8,
        n_layers: 24,
        ..Fixture::small_config()
    };
    let long = Fixture::made_up(config, 256, |hook, index| {
        let place = hook.layer().unwrap_or(0) * 31 + index;
        ((place * place) % 97) as f32
    });
    let mut harness = harness_of(Stage::new(long, Plot::Embeddings), [900.0, 700.0]);
    plot(&mut harness).choice.what = What::Layers;
    wait(&mut harness, |plot| {
        plot.desk
            .picture
            .as_ref()
            .is_some_and(|picture| picture.is_done && picture.subject.n_places() > 1)
    });
    plot(&mut harness).chosen = Some(7);
    settle(&mut harness);

    let before = plot(&mut harness).desk.version;
    harness.step();

    // The 6,400 points are a few meshes; rings and names are shapes, and nothing is computed anew.
    let n_shapes = harness.output().shapes.len();
    assert!(n_shapes < 2_000, "{n_shapes}");
    assert_eq!(plot(&mut harness).desk.version, before);
}
