//! Paths recorded, edited and played in a world without a window.

use std::time::Duration;

use bevy::time::TimeUpdateStrategy;

use super::*;
use crate::config::ModelConfig;
use crate::layout::ModelLayout;
use crate::viewer::scene::SceneLayout;
use crate::viewer::viewpoint::Viewpoint;

fn layout() -> ModelLayout {
    ModelLayout::new(&ModelConfig::preset("gpt2").unwrap(), 5)
}

fn app() -> App {
    let mut app = App::new();
    app.add_plugins((bevy::time::TimePlugin, CameraPathPlugin))
        .insert_resource(TimeUpdateStrategy::ManualDuration(Duration::from_millis(
            100,
        )))
        .insert_resource(SceneLayout::of(layout()));
    app.update();
    app
}

fn stand(app: &mut App, viewpoint: Viewpoint) -> Pose {
    let pose = viewpoint.pose(&layout(), &Screen::default());
    app.insert_resource(CameraPose(Some(pose)));
    pose
}

fn wish(app: &mut App, wish: PathWish) {
    app.world_mut().write_message(wish);
    app.update();
}

fn desk(app: &App) -> &PathDesk {
    app.world().resource::<PathDesk>()
}

/// Where the camera was asked to stand since the last call.
fn stands(app: &mut App) -> Vec<Pose> {
    let mut wishes = app.world_mut().resource_mut::<Messages<CameraWish>>();
    wishes
        .drain()
        .filter_map(|wish| match wish {
            CameraWish::Stand(pose) => Some(pose),
            _ => None,
        })
        .collect()
}

#[test]
fn views_become_keyframes_two_seconds_apart_and_are_flown_along() {
    let mut app = app();
    stand(&mut app, Viewpoint::Overview);
    wish(&mut app, PathWish::Add);
    let heads = stand(&mut app, Viewpoint::Heads);
    wish(&mut app, PathWish::Add);
    assert_eq!(desk(&app).path.duration_secs(), 2.0);

    wish(&mut app, PathWish::Seek(0.0));
    wish(&mut app, PathWish::TogglePlay);
    let mut poses = Vec::new();
    for _ in 0..25 {
        app.update();
        poses.extend(stands(&mut app));
    }

    assert!(poses.last().unwrap().is_near(&heads), "{poses:?}");
    assert!(poses.len() > 15, "{}", poses.len());
    assert_eq!(desk(&app).activity, Activity::Rest);
}

#[test]
fn what_the_camera_does_is_recorded_and_simplified() {
    let mut app = app();
    let from = stand(&mut app, Viewpoint::Overview);
    let to = Viewpoint::Neurons.pose(&layout(), &Screen::default());
    wish(&mut app, PathWish::ToggleRecord);
    for step in 1..=40u8 {
        let share = f32::from(step) / 40.0;
        app.insert_resource(CameraPose(Some(from.towards(&to, share))));
        app.update();
    }
    wish(&mut app, PathWish::ToggleRecord);

    let desk = desk(&app);
    let n_keyframes = desk.path.keyframes().len();
    assert!((3.8..4.4).contains(&desk.path.duration_secs()), "{desk:?}");
    assert!((3..25).contains(&n_keyframes), "{n_keyframes}");
    // It is where the camera was, as seen from there.
    for step in 0..=10u8 {
        let share = f32::from(step) / 10.0;
        let was = from.towards(&to, share);
        let secs = f64::from(share) * desk.path.duration_secs();
        let is = desk
            .path
            .pose_at(secs, &layout(), &Screen::default())
            .unwrap();
        let off = is.position().distance(was.position()) / was.radius;
        assert!(off < 0.12, "{share}: {off}");
    }
}

#[test]
fn whoever_takes_the_camera_ends_the_flight() {
    let mut app = app();
    stand(&mut app, Viewpoint::Overview);
    wish(&mut app, PathWish::Add);
    wish(&mut app, PathWish::Add);
    wish(&mut app, PathWish::Seek(0.5));
    wish(&mut app, PathWish::TogglePlay);
    assert_eq!(desk(&app).activity, Activity::Play);

    app.world_mut().write_message(CameraTaken);
    app.update();

    assert_eq!(desk(&app).activity, Activity::Rest);
}

#[test]
fn a_path_is_saved_loaded_and_a_damaged_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("path.json");
    let mut app = app();
    stand(&mut app, Viewpoint::Overview);
    wish(&mut app, PathWish::Add);
    wish(&mut app, PathWish::Ease(0, Ease::Through));
    wish(&mut app, PathWish::LookAt(0, Some(HookPoint::Logits)));
    wish(&mut app, PathWish::Save(file.clone()));
    let saved = desk(&app).path.clone();
    wish(&mut app, PathWish::Clear);
    assert!(desk(&app).path.keyframes().is_empty());

    wish(&mut app, PathWish::Load(file.clone()));
    assert_eq!(desk(&app).path, saved);
    std::fs::write(&file, "{").unwrap();
    wish(&mut app, PathWish::Load(file));

    assert_eq!(desk(&app).path, saved);
    let news: Vec<PathNews> = app
        .world_mut()
        .resource_mut::<Messages<PathNews>>()
        .drain()
        .collect();
    assert!(matches!(news.last(), Some(PathNews::Failed(_))), "{news:?}");
}
