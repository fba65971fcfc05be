//! What people see: the world, the panels beside it, and pictures of both.
//!
//! `inference -> playback -> scene -> material` is the stream. `camera`, `selection`, `ui` and
//! `capture` stand beside its end: they read resources, write messages, and never name one another.
//! What they share has rooms of its own: `viewpoint`, the saved ones in `slots`, the models opened last
//! in `recents`, the camera's paths in
//! `camera_path`, the guided `tour`, the story of a `film`, and what is pointed at in `pointing` and
//! `readout`; `filming` is between those who ask for a film of the window and those who make it,
//! `session` what such a film needs to be made again, and `saving` writes what was computed to a file.

pub mod app;
pub mod camera;
pub mod camera_path;
pub mod capture;
pub mod film;
pub mod filming;
pub mod inference;
pub mod material;
pub mod pace;
pub mod playback;
pub mod pointing;
pub mod readout;
pub mod recents;
pub mod saving;
pub mod scene;
pub mod selection;
pub mod session;
pub mod settings_file;
pub mod slots;
pub mod tour;
pub mod ui;
pub mod viewpoint;

use bevy::prelude::*;

/// The order of the viewer's systems within a frame.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ViewerSystems {
    /// Take in what the engine has told.
    Receive,
    /// Move the playhead.
    Playback,
    /// Arrange what is drawn.
    Arrange,
    /// Move the camera.
    Camera,
}

/// Everything but the window: the same in a window, offscreen and in tests.
pub struct ViewerPlugin;

impl Plugin for ViewerPlugin {
    fn build(&self, app: &mut App) {
        app.configure_sets(
            Update,
            (
                ViewerSystems::Receive,
                ViewerSystems::Playback,
                ViewerSystems::Arrange,
                ViewerSystems::Camera,
            )
                .chain(),
        )
        .add_plugins((
            inference::InferencePlugin,
            playback::PlaybackPlugin,
            scene::ScenePlugin,
            saving::SavingPlugin,
            filming::FilmingPlugin,
            session::SessionPlugin,
            slots::SlotsPlugin,
            recents::RecentsPlugin,
            tour::TourPlugin,
            camera_path::CameraPathPlugin,
        ));
    }
}
