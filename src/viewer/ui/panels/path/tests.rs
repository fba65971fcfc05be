//! The panel of the camera's path, drawn with egui alone.

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

use super::*;
use crate::layout::ModelLayout;
use crate::viewer::slots::AnchoredPose;
use crate::viewer::viewpoint::{Screen, Viewpoint};

struct Stage {
    panel: PathPanel,
    desk: PathDesk,
    config: ModelConfig,
    wishes: Vec<PathWish>,
}

fn stage(n_keyframes: usize) -> Stage {
    let config = ModelConfig::preset("gpt2").unwrap();
    let layout = ModelLayout::new(&config, 3);
    let mut desk = PathDesk::default();
    for number in 0..n_keyframes {
        let pose = Viewpoint::ALL[number].pose(&layout, &Screen::default());
        desk.path.add(Keyframe {
            at_secs: 2.0 * number as f64,
            pose: AnchoredPose::new(&pose, &layout),
            ease: Ease::ALL[number % 3],
            look_at: None,
        });
    }
    Stage {
        panel: PathPanel::default(),
        desk,
        config,
        wishes: Vec::new(),
    }
}

fn harness(stage: Stage) -> Harness<'static, Stage> {
    Harness::builder().with_size([900.0, 160.0]).build_ui_state(
        |ui, stage: &mut Stage| {
            let view = PathView {
                desk: &stage.desk,
                config: Some(&stage.config),
                pinned: Some(HookPoint::Logits),
                theme: Theme::Dark,
            };
            let mut intents = Vec::new();
            stage.panel.ui(ui, &view, &mut intents);
            for intent in intents {
                match intent {
                    Intent::Path(wish) => stage.wishes.push(wish),
                    other => panic!("{other:?} is not of the path"),
                }
            }
        },
        stage,
    )
}

fn click(harness: &mut Harness<'static, Stage>, label: &str) {
    harness.get_by_label(label).click();
    harness.run();
}

#[test]
fn an_empty_desk_offers_what_can_be_done_with_it() {
    let mut harness = harness(stage(0));

    click(&mut harness, "▶ Play");
    click(&mut harness, "Clear");
    click(&mut harness, "Save");
    assert_eq!(
        harness.state().wishes,
        [],
        "there is nothing to play or to save"
    );
    click(&mut harness, "⏺ Record");
    click(&mut harness, "+ Keyframe");
    click(&mut harness, "Load");

    let file = PathBuf::from("camera-path.json");
    assert_eq!(
        harness.state().wishes,
        [PathWish::ToggleRecord, PathWish::Add, PathWish::Load(file)]
    );
}

#[test]
fn a_keyframe_is_chosen_and_all_of_it_can_be_changed() {
    let mut harness = harness(stage(3));
    click(&mut harness, "keyframe 2");
    assert_eq!(harness.state().wishes, [PathWish::Seek(2.0)]);

    harness.get_by_value("flies through").click();
    harness.run();
    click(&mut harness, "cuts");
    harness.get_by_value("Looks ahead").click();
    harness.run();
    click(&mut harness, "What is pinned: logits");
    click(&mut harness, "Set to this view");
    click(&mut harness, "Delete");

    assert_eq!(
        harness.state().wishes[1..],
        [
            PathWish::Ease(1, Ease::Cut),
            PathWish::LookAt(1, Some(HookPoint::Logits)),
            PathWish::Take(1),
            PathWish::Remove(1),
        ]
    );
}

#[test]
fn a_keyframe_is_dragged_along_the_timeline() {
    let mut harness = harness(stage(2));
    let from = harness.get_by_label("keyframe 2").rect().center();
    let to = from + vec2(100.0, 0.0);

    harness.drag_at(from);
    harness.run();
    harness.hover_at(to);
    harness.run();
    harness.drop_at(to);
    harness.run();

    let moved = harness
        .state()
        .wishes
        .iter()
        .rev()
        .find_map(|wish| match wish {
            PathWish::Move { index: 1, at_secs } => Some(*at_secs),
            _ => None,
        });
    // The timeline shows ten seconds on 900 points.
    assert!((moved.unwrap() - 3.1).abs() < 0.2, "{moved:?}");
}
