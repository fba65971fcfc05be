//! The tour as a whole: its stops, one after the other in time.

use crate::layout::{GroundRect, ModelLayout};
use crate::trace::{Trace, Vocab};
use crate::viewer::viewpoint::{Pose, Screen};

use super::stops;

/// A place of the tour, and what is said there.
#[derive(Clone, Debug, PartialEq)]
pub struct Stop {
    /// What it is about, in a few words.
    pub title: String,
    /// What is to be seen there: one to three short sentences.
    pub text: String,
    /// Where the camera stands.
    pub pose: Pose,
    /// The ground that the text speaks of, to be outlined.
    pub marks: Vec<GroundRect>,
    /// How far the signal has come through the pass, in hook points.
    pub order: f32,
    /// How long the way there takes, in seconds; it begins the stop.
    pub travel_secs: f32,
    /// How long it takes to read and look, in seconds.
    pub dwell_secs: f32,
}

/// A guided tour through what a model computed for one token of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Tour {
    lane: usize,
    stops: Vec<Stop>,
}

/// The tour at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TourFrame {
    /// Where the camera is.
    pub pose: Pose,
    /// The stop it stands at or is on its way to, from 0.
    pub stop: usize,
    /// How far on its way there it is, 0 to 1.
    pub share: f32,
    /// How far the signal has come through the pass, in hook points.
    pub order: f32,
}

impl Tour {
    /// Plans the tour for the token at `lane`.
    ///
    /// Where `trace` has no values, as with a shape without weights, the texts explain without
    /// them. The number of stops depends on the layout alone.
    pub fn plan(
        layout: &ModelLayout,
        trace: &Trace,
        vocab: &Vocab,
        lane: usize,
        screen: &Screen,
    ) -> Self {
        Self {
            lane,
            stops: stops::find(layout, trace, vocab, lane, screen),
        }
    }

    /// The token whose lane it follows.
    pub fn lane(&self) -> usize {
        self.lane
    }

    /// The stops, in order; at least one.
    pub fn stops(&self) -> &[Stop] {
        &self.stops
    }

    /// How long all of it takes, in seconds.
    pub fn duration_secs(&self) -> f32 {
        self.start_secs(self.stops.len())
    }

    /// When the way to a stop begins, in seconds.
    pub fn start_secs(&self, stop: usize) -> f32 {
        let before = self.stops.iter().take(stop);
        before.map(|stop| stop.travel_secs + stop.dwell_secs).sum()
    }

    /// When a stop is reached, in seconds.
    pub fn arrival_secs(&self, stop: usize) -> f32 {
        let travel_secs = self.stops.get(stop).map_or(0.0, |stop| stop.travel_secs);
        self.start_secs(stop) + travel_secs
    }

    /// The tour `secs` after it began: the same for the same moment, whatever was shown before.
    pub fn at(&self, secs: f32) -> TourFrame {
        let mut start_secs = 0.0;
        let last = self.stops.len() - 1;
        let mut index = 0;
        for (stop, next) in self.stops.iter().zip(1..=last) {
            let end_secs = start_secs + stop.travel_secs + stop.dwell_secs;
            if secs < end_secs {
                break;
            }
            start_secs = end_secs;
            index = next;
        }
        self.within(index, secs - start_secs)
    }

    /// The tour `secs` after the way to a stop began; stays there for ever.
    pub fn within(&self, stop: usize, secs: f32) -> TourFrame {
        let index = stop.min(self.stops.len() - 1);
        let stop = &self.stops[index];
        let share = if stop.travel_secs > 0.0 {
            (secs / stop.travel_secs).clamp(0.0, 1.0)
        } else {
            1.0
        };
        let before = &self.stops[index.saturating_sub(1)];
        let eased = share * share * share * (share * (6.0 * share - 15.0) + 10.0);
        let from = before.pose.unwound_towards(&stop.pose);
        // A signal that is further than here begins anew.
        let order_before = if before.order <= stop.order {
            before.order
        } else {
            0.0
        };
        TourFrame {
            pose: from.towards(&stop.pose, eased),
            stop: index,
            share,
            order: order_before + (stop.order - order_before) * share,
        }
    }
}
