//! Saved viewpoints, the guided tour and reduced motion, in the application without a window.
#![cfg(feature = "viewer")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use bevy::ecs::message::Messages;
use common::fixture;
use llmscope::engine::{EngineHandle, EngineRequest, EngineUpdate, Prompt};
use llmscope::model::{LoadSettings, ModelSource};
use llmscope::viewer::app::{Subject, ViewerOptions};
use llmscope::viewer::capture::Offscreen;
use llmscope::viewer::scene::SceneLayout;
use llmscope::viewer::slots::{SlotNews, SlotWish, Slots};
use llmscope::viewer::tour::{ActiveTour, Stop, TourWish};
use llmscope::viewer::viewpoint::{
    CameraPose, CameraSettings, CameraTaken, CameraWish, Pose, Screen, Viewpoint,
};

/// The application with five tokens computed, and the folder of settings it was given.
fn with_folder(settings_folder: Option<PathBuf>) -> Offscreen {
    let engine = EngineHandle::start().unwrap();
    let source = ModelSource::Folder(fixture("gpt2"));
    let settings = LoadSettings::default();
    for request in [
        EngineRequest::Load { source, settings },
        EngineRequest::SetPrompt(Prompt::Tokens(vec![5, 6, 7, 8, 9])),
        EngineRequest::Play(0),
    ] {
        engine.request(request).unwrap();
    }
    let mut updates = Vec::new();
    while !matches!(updates.last(), Some(EngineUpdate::Paused(_))) {
        updates.push(engine.wait_update().unwrap());
    }
    let options = ViewerOptions {
        has_panels: false,
        settings_folder,
        ..ViewerOptions::default()
    };
    let subject = Subject::Model {
        engine: EngineHandle::start().unwrap(),
        prompt: String::new(),
    };
    let mut offscreen = Offscreen::new(subject, &options, 320, 180).unwrap();
    for update in updates {
        offscreen.feed(update);
    }
    offscreen.settle();
    offscreen
}

fn offscreen() -> Offscreen {
    with_folder(None)
}

fn pose(offscreen: &mut Offscreen) -> Pose {
    offscreen.world().resource::<CameraPose>().0.unwrap()
}

fn street(offscreen: &mut Offscreen) -> Pose {
    let screen = *offscreen.world().resource::<Screen>();
    let layout = offscreen.world().resource::<SceneLayout>();
    Viewpoint::Street.pose(layout.as_ref().unwrap(), &screen)
}

fn wish(offscreen: &mut Offscreen, wish: SlotWish) {
    offscreen.world().write_message(wish);
    offscreen.settle();
}

#[test]
fn a_saved_viewpoint_is_found_again_by_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("viewpoints.json");
    let mut first = with_folder(Some(folder.path().to_owned()));
    assert!(!file.exists(), "nothing was saved yet");
    let there = street(&mut first);
    first.look(there);
    first.settle();
    wish(&mut first, SlotWish::Save(7));
    wish(&mut first, SlotWish::Rename(7, "My street".to_owned()));
    drop(first);

    let mut second = with_folder(Some(folder.path().to_owned()));
    wish(&mut second, SlotWish::GoTo(7));

    let here = pose(&mut second).position();
    assert!(here.distance(there.position()) < 0.05, "{here}, {there:?}");
    let slots = second.world().resource::<Slots>();
    assert_eq!(slots.get(7).unwrap().name, "My street");
}

#[test]
fn a_damaged_file_is_told_and_put_aside_and_the_program_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("viewpoints.json");
    fs::write(&file, "not json").unwrap();

    let mut offscreen = with_folder(Some(folder.path().to_owned()));
    wish(&mut offscreen, SlotWish::Save(8));

    let aside = folder.path().join("viewpoints.json.bad");
    assert_eq!(fs::read_to_string(aside).unwrap(), "not json");
    assert!(fs::read_to_string(file).unwrap().contains("View 8"));
}

#[test]
fn without_a_file_slots_work_and_an_empty_one_says_how_to_fill_it() {
    let mut offscreen = offscreen();
    let before = pose(&mut offscreen);

    offscreen.world().write_message(SlotWish::GoTo(9));
    offscreen.draw();

    let mut news = offscreen.world().resource_mut::<Messages<SlotNews>>();
    let notes: Vec<SlotNews> = news.drain().collect();
    assert!(matches!(&notes[..], [SlotNews::Note(text)] if text.contains("Ctrl+9")));
    assert_eq!(pose(&mut offscreen), before);
}

fn stop(offscreen: &mut Offscreen) -> (usize, Stop) {
    let tour = offscreen.world().resource::<ActiveTour>();
    let (index, stop) = tour.run().unwrap().stop().unwrap();
    (index, stop.clone())
}

#[test]
fn a_stop_of_the_tour_has_its_pose_and_its_signal_with_the_caption_in_view() {
    let mut offscreen = offscreen();

    for index in [2, 6, 10] {
        offscreen.show_stop(index).unwrap();

        let (shown, stop) = stop(&mut offscreen);
        assert_eq!(shown, index);
        assert!(pose(&mut offscreen).is_near(&stop.pose), "{}", stop.title);
        assert_eq!(offscreen.playhead().order, stop.order);
        let screen = *offscreen.world().resource::<Screen>();
        assert!(screen.low.y > -0.9, "the caption's room is not the world's");
    }
    assert!(offscreen.show_stop(12).is_err());
}

#[test]
fn the_tour_goes_from_stop_to_stop_until_a_hand_takes_the_camera() {
    let mut offscreen = offscreen();
    offscreen.set_frame_time(Duration::from_secs(1));
    offscreen.world().write_message(TourWish::Toggle);

    for _ in 0..40 {
        offscreen.draw();
    }
    let (before, _) = stop(&mut offscreen);
    offscreen.world().write_message(CameraTaken);
    for _ in 0..40 {
        offscreen.draw();
    }

    assert!((2..9).contains(&before), "{before}");
    assert_eq!(stop(&mut offscreen).0, before);
    assert!(offscreen.playhead().order < 60.0);

    offscreen.world().write_message(TourWish::End);
    offscreen.settle();
    assert!(offscreen.world().resource::<ActiveTour>().run().is_none());
    assert!(offscreen.is_pass_shown(), "the text is complete again");
}

#[test]
fn with_reduced_motion_a_flight_is_a_cut() {
    let mut offscreen = offscreen();
    offscreen.set_frame_time(Duration::from_millis(20));
    let there = street(&mut offscreen);
    let far = Viewpoint::Overview;
    let mut fly = |is_reduced| {
        let mut settings = offscreen.world().resource_mut::<CameraSettings>();
        settings.is_animated = true;
        settings.has_reduced_motion = is_reduced;
        offscreen.look(there);
        offscreen.draw();
        let is_there = pose(&mut offscreen).is_near(&there);
        offscreen.world().write_message(CameraWish::GoTo(far));
        offscreen.set_frame_time(Duration::from_secs(3));
        offscreen.settle();
        offscreen.set_frame_time(Duration::from_millis(20));
        is_there
    };

    assert!(!fly(false));
    assert!(fly(true));
}
