//! Opening, closing, tearing off, and what is kept.

use egui_kittest::kittest::Queryable as _;

use super::*;
use crate::viewer::ui::panels::plots::fixture::{
    Fixture, Stage, StageHarness, click, harness_of, texts,
};

/// Draws the dock into this many points, and says what is left to the world and which views
/// were drawn.
fn drawn(dock: &mut Dock, width: f32, height: f32) -> (Rect, Vec<Plot>) {
    let context = egui::Context::default();
    let input = egui::RawInput {
        screen_rect: Some(Rect::from_min_size(pos2(0.0, 0.0), vec2(width, height))),
        ..egui::RawInput::default()
    };
    let mut result = (Rect::NOTHING, Vec::new());
    for _ in 0..3 {
        let mut plots = Vec::new();
        let mut world = Rect::NOTHING;
        drop(context.run_ui(input.clone(), |ui| {
            world = dock.show(ui, Theme::Dark, &mut |_, plot| plots.push(plot));
        }));
        result = (world, plots);
    }
    result
}

#[test]
fn with_no_view_open_the_world_has_it_all() {
    let (world, plots) = drawn(&mut Dock::default(), 900.0, 600.0);

    assert_eq!(world.size(), vec2(900.0, 600.0));
    assert_eq!(plots, []);
}

#[test]
fn a_view_opens_beside_the_world_the_next_before_it_and_the_key_again_closes_it() {
    let mut dock = Dock::default();
    drawn(&mut dock, 900.0, 700.0);
    dock.toggle(Plot::Attention);
    let (below, plots) = drawn(&mut dock, 900.0, 700.0);
    assert_eq!(plots, [Plot::Attention]);
    assert!(below.height() < 400.0 && below.width() > 890.0, "{below}");

    dock.toggle(Plot::Summary);
    let (_, plots) = drawn(&mut dock, 900.0, 700.0);
    assert_eq!(plots, [Plot::Summary], "in front of the other");
    assert!(dock.is_open(Plot::Attention) && !dock.is_in_front(Plot::Attention));

    dock.toggle(Plot::Attention);
    let (_, plots) = drawn(&mut dock, 900.0, 700.0);
    assert_eq!(plots, [Plot::Attention], "brought to the front");

    for plot in [Plot::Attention, Plot::Summary] {
        dock.toggle(plot);
        drawn(&mut dock, 900.0, 700.0);
    }
    let (world, plots) = drawn(&mut dock, 900.0, 700.0);
    assert_eq!((world.height(), plots), (700.0, vec![]));
}

#[test]
fn in_a_wide_area_views_stand_at_the_right() {
    let mut dock = Dock::default();
    drawn(&mut dock, 1600.0, 700.0);
    dock.toggle(Plot::Lens);

    let (world, _) = drawn(&mut dock, 1600.0, 700.0);

    assert!(world.width() < 1000.0 && world.height() > 600.0, "{world}");
}

#[test]
fn a_view_torn_off_is_a_window_and_leaves_the_world_its_room() {
    let mut dock = Dock::default();
    drawn(&mut dock, 900.0, 700.0);
    dock.tear(Plot::Saliency);
    let (world, plots) = drawn(&mut dock, 900.0, 700.0);
    assert_eq!(plots, [Plot::Saliency]);
    assert!(world.height() > 650.0, "{world}");
    assert!(dock.is_torn_off(Plot::Saliency));

    dock.tear(Plot::Saliency);
    let (world, _) = drawn(&mut dock, 900.0, 700.0);
    assert!(world.height() < 400.0, "docked again: {world}");
}

#[test]
fn too_small_an_area_shows_the_world_alone() {
    let mut dock = Dock::default();
    drawn(&mut dock, 900.0, 700.0);
    dock.toggle(Plot::Lens);

    let (world, plots) = drawn(&mut dock, 300.0, 700.0);

    assert_eq!((world.width(), plots), (300.0, vec![]));
}

#[test]
fn an_arrangement_is_the_same_after_it_was_kept_and_read() {
    let mut dock = Dock::default();
    drawn(&mut dock, 900.0, 700.0);
    for plot in [Plot::Lens, Plot::Summary] {
        dock.toggle(plot);
        drawn(&mut dock, 900.0, 700.0);
    }
    dock.tear(Plot::Attention);
    drawn(&mut dock, 900.0, 700.0);
    let kept = serde_json::to_string(&dock.arrangement()).unwrap();

    let mut other = Dock::default();
    other.arrange(&serde_json::from_str(&kept).unwrap());
    let (world, plots) = drawn(&mut other, 900.0, 700.0);

    let (same_world, same_plots) = drawn(&mut dock, 900.0, 700.0);
    assert_eq!((world, plots), (same_world, same_plots));
    assert!(other.is_torn_off(Plot::Attention));
    assert!(other.is_open(Plot::Lens) && !other.is_in_front(Plot::Lens));
    let again = serde_json::to_string(&other.arrangement()).unwrap();
    assert_eq!(again, kept);
}

/// The dock alone, with the real views in it.
fn docked(size: [f32; 2]) -> StageHarness {
    let mut stage = Stage::new(Fixture::demo(), Plot::Summary);
    stage.plot = None;
    harness_of(stage, size)
}

fn toggle(harness: &mut StageHarness, plot: Plot) {
    harness.state_mut().plots.dock.toggle(plot);
    harness.run_ok();
    harness.run_ok();
}

#[test]
fn the_real_views_open_beside_the_world_and_their_tabs_bring_them_forward() {
    let mut harness = docked([1200.0, 700.0]);
    assert!(harness.state().world.width() > 1150.0);
    for plot in Plot::ALL {
        toggle(&mut harness, plot);
    }
    assert!(harness.state().world.width() < 800.0);
    assert!(harness.state().plots.dock.is_in_front(Plot::Ablation));
    assert!(!texts(&harness).contains("Activation map"));

    click(&mut harness, "Activations");

    assert!(harness.state().plots.dock.is_in_front(Plot::Activations));
    harness.get_by_label_contains("Activation map");
}

#[test]
fn a_tab_is_reached_and_opened_by_keyboard() {
    let mut harness = docked([1200.0, 700.0]);
    toggle(&mut harness, Plot::Summary);
    toggle(&mut harness, Plot::Attention);
    harness.get_by_label("Summary").focus();
    harness.run_ok();

    harness.key_press(egui::Key::Enter);
    harness.run_ok();

    assert!(harness.state().plots.dock.is_in_front(Plot::Summary));
}

#[test]
fn each_view_is_drawn_in_a_window_of_its_own() {
    let mut harness = docked([1200.0, 800.0]);
    for plot in Plot::ALL {
        harness.state_mut().plots.dock.tear(plot);
        harness.run_ok();
        harness.run_ok();

        assert!(harness.state().plots.dock.is_torn_off(plot), "{plot:?}");
        assert!(harness.state().world.width() > 1100.0, "{plot:?}");
        toggle(&mut harness, plot);
        assert!(!harness.state().plots.dock.is_open(plot), "{plot:?}");
    }
}

#[test]
fn views_live_in_little_room_without_a_fault() {
    let mut harness = docked([430.0, 310.0]);
    for plot in Plot::ALL {
        toggle(&mut harness, plot);
        assert!(harness.state().plots.dock.is_in_front(plot));
        assert!(harness.state().world.is_positive());
    }
}
