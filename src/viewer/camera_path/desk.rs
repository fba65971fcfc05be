//! The path that is recorded, edited and played in the window.

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use bevy::prelude::*;

use super::{CameraPath, Ease, Keyframe, MAX_SECS, record};
use crate::hook::HookPoint;
use crate::viewer::ViewerSystems;
use crate::viewer::scene::SceneLayout;
use crate::viewer::slots::AnchoredPose;
use crate::viewer::viewpoint::{CameraPose, CameraTaken, CameraWish, Pose, Screen};

/// Records, edits and plays camera paths.
pub struct CameraPathPlugin;

impl Plugin for CameraPathPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<PathDesk>()
            .init_resource::<CameraPose>()
            .init_resource::<Screen>()
            .add_message::<PathWish>()
            .add_message::<PathNews>()
            .add_message::<CameraTaken>()
            .add_message::<CameraWish>()
            .add_systems(
                Update,
                (obey_wishes, record_path, play_path)
                    .chain()
                    .after(ViewerSystems::Arrange)
                    .before(ViewerSystems::Camera),
            );
    }
}

/// The path on the desk.
#[derive(Resource, Debug, Default, PartialEq)]
pub struct PathDesk {
    /// The path.
    pub path: CameraPath,
    /// Where along it the timeline stands, in seconds.
    pub secs: f64,
    /// What is done with it.
    pub activity: Activity,
    /// Where the camera was, and when, while it is recorded.
    samples: Vec<(f64, Pose)>,
}

/// What is done with a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activity {
    /// It lies there.
    #[default]
    Rest,
    /// The camera flies along it.
    Play,
    /// It follows the camera.
    Record,
}

/// What the user wants of the path.
#[derive(Message, Clone, Debug, PartialEq)]
pub enum PathWish {
    /// Fly along it from where the timeline stands, or stop.
    TogglePlay,
    /// Record where the camera goes, in place of the path that is there; or end that.
    ToggleRecord,
    /// Stand where the camera is at this time.
    Seek(f64),
    /// Make a keyframe of the present view where the timeline stands, or at the path's end.
    Add,
    /// Move a keyframe in time.
    Move {
        /// Which.
        index: usize,
        /// Where to, in seconds.
        at_secs: f64,
    },
    /// Put the present view into a keyframe.
    Take(usize),
    /// Come to a keyframe in this way.
    Ease(usize, Ease),
    /// Look at this tensor from a keyframe, or where its pose looks.
    LookAt(usize, Option<HookPoint>),
    /// Take a keyframe out.
    Remove(usize),
    /// Take them all out.
    Clear,
    /// Write the path to this file, in place of what is there.
    Save(PathBuf),
    /// Read the path from this file.
    Load(PathBuf),
}

/// What there is to tell of the path.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
pub enum PathNews {
    /// Something that was asked for was done.
    Note(String),
    /// A file failed.
    Failed(String),
}

/// Between one keyframe that is added at the path's end and the one before, in seconds.
const STEP_SECS: f64 = 2.0;

impl PathDesk {
    /// Whether frames must go on coming.
    pub fn is_active(&self) -> bool {
        self.activity != Activity::Rest
    }

    /// How long has been recorded, in seconds.
    pub fn recorded_secs(&self) -> f64 {
        self.samples.last().map_or(0.0, |(secs, _)| *secs)
    }

    /// When a keyframe that is added now is: where the timeline stands, or two seconds after the last
    /// where one is there already.
    fn next_secs(&self) -> f64 {
        let is_taken = self
            .path
            .keyframes()
            .iter()
            .any(|keyframe| (keyframe.at_secs - self.secs).abs() < 0.05);
        if is_taken {
            (self.path.duration_secs() + STEP_SECS).min(MAX_SECS)
        } else {
            self.secs
        }
    }
}

fn obey_wishes(
    mut wishes: MessageReader<PathWish>,
    mut desk: ResMut<PathDesk>,
    layout: Res<SceneLayout>,
    screen: Res<Screen>,
    pose: Res<CameraPose>,
    mut camera: MessageWriter<CameraWish>,
    mut news: MessageWriter<PathNews>,
) {
    for wish in wishes.read() {
        let (Some(layout), Some(pose)) = (layout.as_ref().as_ref(), pose.0) else {
            continue;
        };
        let here = AnchoredPose::new(&pose, layout);
        match wish {
            PathWish::TogglePlay if desk.activity == Activity::Play => {
                desk.activity = Activity::Rest;
            }
            PathWish::TogglePlay if !desk.path.keyframes().is_empty() => {
                if desk.secs >= desk.path.duration_secs() {
                    desk.secs = 0.0;
                }
                desk.activity = Activity::Play;
            }
            PathWish::TogglePlay => {}
            PathWish::ToggleRecord if desk.activity == Activity::Record => {
                let samples = std::mem::take(&mut desk.samples);
                desk.path = record::simplified(&samples, layout);
                desk.secs = 0.0;
                desk.activity = Activity::Rest;
                news.write(PathNews::Note(format!(
                    "A path of {:.1} s is recorded, {} keyframes",
                    desk.path.duration_secs(),
                    desk.path.keyframes().len()
                )));
            }
            PathWish::ToggleRecord => {
                desk.samples = vec![(0.0, pose)];
                desk.secs = 0.0;
                desk.activity = Activity::Record;
            }
            PathWish::Seek(secs) => {
                desk.secs = secs.clamp(0.0, MAX_SECS);
                desk.activity = Activity::Rest;
                if let Some(pose) = desk.path.pose_at(desk.secs, layout, &screen) {
                    camera.write(CameraWish::Stand(pose));
                }
            }
            PathWish::Add => {
                let at_secs = desk.next_secs();
                desk.path.add(Keyframe {
                    at_secs,
                    pose: here,
                    ease: Ease::default(),
                    look_at: None,
                });
                desk.secs = at_secs;
            }
            PathWish::Move { index, at_secs } => desk.path.move_to(*index, *at_secs),
            PathWish::Take(index) => desk.path.change(*index, |keyframe| keyframe.pose = here),
            PathWish::Ease(index, ease) => {
                desk.path.change(*index, |keyframe| keyframe.ease = *ease);
            }
            PathWish::LookAt(index, hook) => {
                desk.path
                    .change(*index, |keyframe| keyframe.look_at = *hook);
            }
            PathWish::Remove(index) => desk.path.remove(*index),
            PathWish::Clear => *desk = PathDesk::default(),
            PathWish::Save(file) => {
                news.write(match desk.path.save(file) {
                    Ok(()) => PathNews::Note(format!("The path is saved to {}", file.display())),
                    Err(error) => PathNews::Failed(error.to_string()),
                });
            }
            PathWish::Load(file) => match CameraPath::load(file) {
                Ok(path) => {
                    news.write(PathNews::Note(format!(
                        "{} has {} keyframes",
                        file.display(),
                        path.keyframes().len()
                    )));
                    *desk = PathDesk {
                        path,
                        ..PathDesk::default()
                    };
                }
                Err(error) => {
                    news.write(PathNews::Failed(error.to_string()));
                }
            },
        }
    }
}

/// Notes where the camera is, some times a second.
fn record_path(time: Res<Time>, pose: Res<CameraPose>, mut desk: ResMut<PathDesk>) {
    if desk.activity != Activity::Record {
        return;
    }
    let Some(pose) = pose.0 else { return };
    desk.secs = (desk.secs + time.delta_secs_f64()).min(MAX_SECS);
    let secs = desk.secs;
    if secs - desk.recorded_secs() >= record::SAMPLE_SECS {
        desk.samples.push((secs, pose));
    }
}

/// Puts the camera where the path has it.
fn play_path(
    time: Res<Time>,
    layout: Res<SceneLayout>,
    screen: Res<Screen>,
    mut taken: MessageReader<CameraTaken>,
    mut desk: ResMut<PathDesk>,
    mut camera: MessageWriter<CameraWish>,
) {
    let is_taken = taken.read().count() > 0;
    if desk.activity != Activity::Play {
        return;
    }
    let Some(layout) = layout.as_ref().as_ref() else {
        return;
    };
    if is_taken {
        desk.activity = Activity::Rest;
        return;
    }
    let end_secs = desk.path.duration_secs();
    desk.secs = (desk.secs + time.delta_secs_f64()).min(end_secs);
    if let Some(pose) = desk.path.pose_at(desk.secs, layout, &screen) {
        camera.write(CameraWish::Stand(pose));
    }
    if desk.secs >= end_secs {
        desk.activity = Activity::Rest;
    }
}
