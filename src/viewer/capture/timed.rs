//! Frames that are timed, part by part.

use std::time::{Duration, Instant};

use bevy::app::AppLabel as _;
use bevy::prelude::*;
use bevy::render::RenderApp;
use bevy::render::render_resource::PollType;
use bevy::render::renderer::RenderDevice;

use super::{Offscreen, no_renderer};
use crate::viewer::app::{DrawFailure, ViewerError};

/// What the parts of a frame took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameTimes {
    /// The main world's schedule: the trace, the playhead, the scene, camera and panels.
    pub main: Duration,
    /// Bringing what changed to the renderer, while the main world waits.
    pub extract: Duration,
    /// Drawing, until the picture is there.
    pub render: Duration,
}

impl FrameTimes {
    /// The whole frame, one part after the other.
    pub fn total(&self) -> Duration {
        self.main + self.extract + self.render
    }
}

impl Offscreen {
    /// Draws a frame, waits until it is there, and says what took how long.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn draw_timed(&mut self) -> Result<FrameTimes, ViewerError> {
        let start = Instant::now();
        self.sub_apps.main.run_default_schedule();
        let main_done = Instant::now();
        let main = &mut self.sub_apps.main;
        let render_app = self
            .sub_apps
            .sub_apps
            .get_mut(&RenderApp.intern())
            .ok_or_else(no_renderer)?;
        render_app.extract(main.world_mut());
        let extract_done = Instant::now();
        render_app.update();
        main.world_mut().clear_trackers();
        render_app
            .world()
            .resource::<RenderDevice>()
            .poll(PollType::wait_indefinitely())
            .map_err(|error| ViewerError::Draw(error.to_string()))?;
        let render = extract_done.elapsed();
        match self.world().resource::<DrawFailure>().take() {
            Some(failure) => Err(failure),
            None => Ok(FrameTimes {
                main: main_done - start,
                extract: extract_done - main_done,
                render,
            }),
        }
    }
}
