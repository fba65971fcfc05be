//! A guided tour: from the embedding to the prediction, told with the values on show.
//!
//! `facts` finds what is worth telling, `stops` where to stand and what to say, `plan` puts the
//! stops in time. None of them knows the application: a film asks [`Tour::at`] for every moment.
//! This file runs the tour in the window.

mod facts;
mod guide;
mod plan;
mod stops;
#[cfg(test)]
mod tests;

use bevy::prelude::*;

pub use plan::{Stop, Tour, TourFrame};

use super::ViewerSystems;
use super::inference::{ActiveTrace, TraceEvent};
use super::playback::{PlaybackWish, Playhead};
use super::scene::SceneLayout;
use super::viewpoint::{CameraTaken, CameraWish, Screen};

/// Runs the tour.
pub struct TourPlugin;

impl Plugin for TourPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<ActiveTour>()
            .init_resource::<Screen>()
            .add_message::<TourWish>()
            .add_message::<CameraTaken>()
            .add_message::<CameraWish>()
            .add_systems(
                Update,
                (obey_wishes, plan_anew, guide)
                    .chain()
                    .after(ViewerSystems::Receive)
                    .before(ViewerSystems::Playback),
            );
    }
}

/// What the user wants of the tour.
#[derive(Message, Clone, Copy, Debug, PartialEq, Eq)]
pub enum TourWish {
    /// Begin it, or end it.
    Toggle,
    /// Stand at this stop, counted from 0, and stay there.
    Show(usize),
    /// The next stop.
    Next,
    /// The stop before.
    Back,
    /// Stay, or go on.
    TogglePause,
    /// End it.
    End,
}

/// The tour under way, if one is.
#[derive(Resource, Debug, Default)]
pub struct ActiveTour(Option<Run>);

/// A tour under way.
#[derive(Debug, Default)]
pub struct Run {
    /// None until there is a layout to plan it by.
    tour: Option<Tour>,
    /// The stop on show, from 0.
    stop: usize,
    /// Since the way to that stop began, in seconds.
    secs: f32,
    is_paused: bool,
    /// The token it follows; none until it is planned, or when another text began.
    lane: Option<usize>,
    /// Whether the camera was sent to the stop on show.
    is_camera_sent: bool,
    /// Whether the user took the camera since.
    is_camera_taken: bool,
    /// The order that the playhead was sent to.
    order: Option<f32>,
}

impl ActiveTour {
    /// The tour under way.
    pub fn run(&self) -> Option<&Run> {
        self.0.as_ref()
    }
}

impl Run {
    /// The stop on show and its number, counted from 0; none before the tour is planned.
    pub fn stop(&self) -> Option<(usize, &Stop)> {
        let stop = self.tour.as_ref()?.stops().get(self.stop)?;
        Some((self.stop, stop))
    }

    /// How many stops there are.
    pub fn n_stops(&self) -> usize {
        self.tour.as_ref().map_or(0, |tour| tour.stops().len())
    }

    /// Whether it waits for the user.
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    fn go_to(&mut self, stop: usize) {
        let last = self.tour.as_ref().map(|tour| tour.stops().len() - 1);
        self.stop = stop.min(last.unwrap_or(stop));
        self.secs = 0.0;
        self.send_camera();
    }

    fn resume(&mut self) {
        self.is_paused = false;
        self.send_camera();
    }

    fn send_camera(&mut self) {
        self.is_camera_sent = false;
        self.is_camera_taken = false;
    }

    /// Lets time pass; at its end a stop gives way to the next, and the last one stays.
    fn advance(&mut self, delta_secs: f32) {
        let Some(tour) = &self.tour else { return };
        let stop = &tour.stops()[self.stop];
        let end_secs = stop.travel_secs + stop.dwell_secs;
        // The signal comes to a stop that is paused, too: it has been asked for.
        let limit_secs = if self.is_paused {
            stop.travel_secs.max(self.secs)
        } else {
            end_secs
        };
        self.secs = (self.secs + delta_secs).min(limit_secs);
        if self.is_paused || self.secs < end_secs {
            return;
        }
        if self.stop + 1 < tour.stops().len() {
            self.go_to(self.stop + 1);
        } else {
            self.is_paused = true;
        }
    }
}

fn obey_wishes(
    mut wishes: MessageReader<TourWish>,
    mut taken: MessageReader<CameraTaken>,
    mut active: ResMut<ActiveTour>,
    mut playback: MessageWriter<PlaybackWish>,
) {
    let is_taken = taken.read().count() > 0;
    if is_taken && let Some(run) = &mut active.0 {
        run.is_paused = true;
        run.is_camera_taken = true;
    }
    for wish in wishes.read() {
        let n_stops = active.run().map_or(0, Run::n_stops);
        match (wish, &mut active.0) {
            (TourWish::Toggle, None) => active.0 = Some(Run::default()),
            (TourWish::Show(stop), run) => {
                let run = run.get_or_insert_default();
                run.go_to(*stop);
                run.secs = f32::MAX;
                run.is_paused = true;
            }
            (TourWish::Toggle | TourWish::End, Some(run)) => {
                if let Some(lane) = run.lane {
                    playback.write(PlaybackWish::SeekLane(lane));
                }
                active.0 = None;
            }
            (TourWish::Next, Some(run)) if run.stop + 1 < n_stops => {
                run.go_to(run.stop + 1);
                run.is_paused = false;
            }
            (TourWish::Back, Some(run)) => {
                run.go_to(run.stop.saturating_sub(1));
                run.is_paused = false;
            }
            (TourWish::TogglePause, Some(run)) if run.is_paused => run.resume(),
            (TourWish::TogglePause, Some(run)) => run.is_paused = true,
            _ => {}
        }
    }
}

/// Plans the tour by what is on show, and again when that or the screen changes.
fn plan_anew(
    mut active: ResMut<ActiveTour>,
    mut events: MessageReader<TraceEvent>,
    trace: Res<ActiveTrace>,
    layout: Res<SceneLayout>,
    screen: Res<Screen>,
    playhead: Res<Playhead>,
    mut playback: MessageWriter<PlaybackWish>,
) {
    let has_begun = events
        .read()
        .any(|event| matches!(event, TraceEvent::PassStarted { first_pos: 0, .. }));
    let is_stale = layout.is_changed() || screen.is_changed() || trace.is_changed();
    let Some(run) = &mut active.0 else { return };
    if has_begun {
        run.lane = None;
    }
    let (Some(layout), Some(model), Some(recorded)) =
        (layout.as_ref().as_ref(), trace.model(), trace.trace())
    else {
        return;
    };
    let has_lane = recorded.is_empty() || run.lane.is_some();
    if run.tour.is_some() && has_lane && (!is_stale || trace.is_computing()) {
        return;
    }
    let lane = match run.lane {
        Some(lane) => lane,
        None if recorded.is_empty() => layout.n_lanes / 2,
        None => playhead.lane.min(recorded.len() - 1),
    };
    if !recorded.is_empty() && run.lane != Some(lane) {
        run.lane = Some(lane);
        run.order = None;
        playback.write(PlaybackWish::SeekLane(lane));
    }
    let tour = Tour::plan(layout, recorded, &model.vocab, lane, &screen);
    if run.tour.as_ref() != Some(&tour) {
        run.stop = run.stop.min(tour.stops().len() - 1);
        run.tour = Some(tour);
        run.is_camera_sent = false;
    }
}

/// Sends the camera and the signal on.
fn guide(
    time: Res<Time<Real>>,
    mut active: ResMut<ActiveTour>,
    mut camera: MessageWriter<CameraWish>,
    mut playback: MessageWriter<PlaybackWish>,
) {
    let Some(run) = &mut active.0 else { return };
    run.advance(time.delta_secs());
    let Some(tour) = &run.tour else { return };
    let stop = &tour.stops()[run.stop];
    // Where the user took the camera, it stays.
    if !run.is_camera_sent && !run.is_camera_taken {
        run.is_camera_sent = true;
        let secs = (stop.travel_secs - run.secs).max(0.6);
        camera.write(CameraWish::Fly {
            to: stop.pose,
            secs,
        });
    }
    let frame = tour.within(run.stop, run.secs);
    if run.lane.is_some() && run.order != Some(frame.order) {
        run.order = Some(frame.order);
        playback.write(PlaybackWish::SeekOrder(frame.order));
    }
}
