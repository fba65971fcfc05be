//! The playhead: which token, and how far the signal has come through the model.

use bevy::prelude::*;

use super::ViewerSystems;
use super::inference::{ActiveTrace, EngineWish, TraceEvent};
use crate::engine::PauseReason;
use crate::hook::HookPoint;

/// Moves the [`Playhead`] and asks for tokens while playing.
pub struct PlaybackPlugin;

impl Plugin for PlaybackPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Playhead>()
            .init_resource::<Playback>()
            .add_message::<PlaybackWish>()
            .add_systems(
                Update,
                (follow_trace, obey_wishes, advance)
                    .chain()
                    .in_set(ViewerSystems::Playback),
            );
    }
}

/// Where in the text and in the pass the picture stands.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq)]
pub struct Playhead {
    /// The last token shown.
    pub lane: usize,
    /// The first token of the pass it is part of; tokens before it are complete.
    pub first_lane: usize,
    /// How far the signal has come in that pass, in hook points.
    pub order: f32,
}

/// How the playhead moves.
#[derive(Resource, Clone, Copy, Debug, PartialEq)]
pub struct Playback {
    /// Whether token follows token by itself.
    pub is_playing: bool,
    /// How fast the signal runs, in layers a second; infinite shows each pass at once.
    pub layers_per_sec: f32,
    /// How many hook points the newest pass has reached.
    computed_order: f32,
    /// Whether a token was asked for that has not begun to come.
    is_awaited: bool,
    /// Whether the signal was put where it is by hand, and stays there.
    is_held: bool,
}

impl Default for Playback {
    fn default() -> Self {
        Self {
            is_playing: false,
            layers_per_sec: 3.0,
            computed_order: 0.0,
            is_awaited: false,
            is_held: false,
        }
    }
}

/// What the user wants of the playhead.
#[derive(Message, Clone, Copy, Debug, PartialEq)]
pub enum PlaybackWish {
    /// Play, or pause.
    Toggle,
    /// One token on: a recorded one, or a new one at the end.
    StepForward,
    /// One token back.
    StepBack,
    /// Show the text up to this position.
    SeekLane(usize),
    /// Show the pass up to this hook point.
    SeekOrder(f32),
    /// Be there, and stay there.
    Show(Playhead),
    /// Run the signal through the pass again.
    Replay,
    /// Layers a second.
    Speed(f32),
}

/// How many hook points a pass of the model on show has.
pub fn n_orders(trace: &ActiveTrace) -> f32 {
    trace
        .model()
        .map_or(0, |model| model.config.hook_points().len()) as f32
}

fn follow_trace(
    mut events: MessageReader<TraceEvent>,
    trace: Res<ActiveTrace>,
    mut playback: ResMut<Playback>,
    mut playhead: ResMut<Playhead>,
) {
    for event in events.read() {
        match event {
            TraceEvent::ModelLoaded => {
                *playhead = Playhead::default();
                playback.is_awaited = false;
            }
            TraceEvent::PassStarted { first_pos, n_pos } => {
                playback.is_awaited = false;
                playback.is_held = false;
                playback.computed_order = 0.0;
                *playhead = Playhead {
                    lane: first_pos + n_pos - 1,
                    first_lane: *first_pos,
                    order: 0.0,
                };
            }
            TraceEvent::Computed { values, .. } => {
                if let (Some((hook, _)), Some(model)) = (values.last(), trace.model()) {
                    let hooks = model.config.hook_points();
                    let order = hooks.partition_point(|known: &HookPoint| known <= hook);
                    playback.computed_order = order as f32;
                }
            }
            TraceEvent::PassDone => playback.computed_order = n_orders(&trace),
            TraceEvent::Paused(reason) => {
                playback.is_awaited = false;
                playback.is_playing = false;
                if *reason == PauseReason::Asked {
                    let lane = playhead.lane;
                    seek(&mut playhead, &trace, lane);
                }
            }
            TraceEvent::Failed(_) => {
                playback.is_awaited = false;
                playback.is_playing = false;
                let lane = playhead.lane;
                seek(&mut playhead, &trace, lane);
            }
            TraceEvent::Loading(_)
            | TraceEvent::LoadCancelled
            | TraceEvent::LoadFailed(_)
            | TraceEvent::LensRead { .. }
            | TraceEvent::LensDone
            | TraceEvent::Ablated
            | TraceEvent::StudyProgress { .. }
            | TraceEvent::StudyDone { .. } => {}
        }
    }
}

/// Shows the text up to `lane`, complete.
fn seek(playhead: &mut Playhead, trace: &ActiveTrace, lane: usize) {
    let lane = lane.min(trace.n_pos().saturating_sub(1));
    *playhead = Playhead {
        lane,
        first_lane: trace.pass_start(lane),
        order: n_orders(trace),
    };
}

fn obey_wishes(
    mut wishes: MessageReader<PlaybackWish>,
    trace: Res<ActiveTrace>,
    mut playback: ResMut<Playback>,
    mut playhead: ResMut<Playhead>,
    mut engine: MessageWriter<EngineWish>,
) {
    for wish in wishes.read() {
        if !matches!(wish, PlaybackWish::Speed(_)) {
            playback.is_held = matches!(wish, PlaybackWish::SeekOrder(_) | PlaybackWish::Show(_));
        }
        match *wish {
            PlaybackWish::Toggle => playback.is_playing = !playback.is_playing,
            PlaybackWish::StepForward if playhead.lane + 1 < trace.n_pos() => {
                let lane = playhead.lane + 1;
                seek(&mut playhead, &trace, lane);
            }
            PlaybackWish::StepForward => {
                if !playback.is_awaited && !trace.is_computing() && trace.n_pos() > 0 {
                    playback.is_awaited = true;
                    engine.write(EngineWish::Step);
                }
            }
            PlaybackWish::StepBack => {
                let lane = playhead.lane.saturating_sub(1);
                playback.is_playing = false;
                seek(&mut playhead, &trace, lane);
            }
            PlaybackWish::SeekLane(lane) => {
                playback.is_playing = false;
                seek(&mut playhead, &trace, lane);
            }
            PlaybackWish::SeekOrder(order) => {
                playback.is_playing = false;
                playhead.order = order.clamp(0.0, n_orders(&trace));
            }
            PlaybackWish::Show(place) => {
                playback.is_playing = false;
                playhead.set_if_neq(place);
            }
            PlaybackWish::Replay => playhead.order = 0.0,
            PlaybackWish::Speed(layers_per_sec) => playback.layers_per_sec = layers_per_sec,
        }
    }
}

fn advance(
    time: Res<Time>,
    trace: Res<ActiveTrace>,
    mut playback: ResMut<Playback>,
    mut playhead: ResMut<Playhead>,
    mut engine: MessageWriter<EngineWish>,
) {
    let (Some(model), n_pos @ 1..) = (trace.model(), trace.n_pos()) else {
        return;
    };
    let end = n_orders(&trace);
    let is_newest = playhead.first_lane == trace.pass_start(n_pos - 1);
    let limit = if is_newest {
        playback.computed_order.min(end)
    } else {
        end
    };
    if playback.is_held {
        return;
    }
    if playhead.order < end {
        let orders_per_sec = playback.layers_per_sec * end / model.config.n_layers as f32;
        let order = next_order(playhead.order, orders_per_sec, time.delta_secs(), limit);
        if order != playhead.order {
            playhead.order = order;
        }
        return;
    }
    if !playback.is_playing {
        return;
    }
    if playhead.lane + 1 < n_pos {
        let lane = playhead.lane + 1;
        seek(&mut playhead, &trace, lane);
        playhead.order = 0.0;
    } else if !playback.is_awaited && !trace.is_computing() {
        playback.is_awaited = true;
        engine.write(EngineWish::Step);
    }
}

/// Where the signal is after `delta_secs`; never beyond what is computed.
fn next_order(order: f32, orders_per_sec: f32, delta_secs: f32, limit: f32) -> f32 {
    if orders_per_sec.is_infinite() {
        return limit.max(order);
    }
    (order + orders_per_sec * delta_secs).min(limit).max(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signal_waits_for_what_is_not_computed_yet() {
        assert_eq!(next_order(2.0, 10.0, 0.1, 20.0), 3.0);
        assert_eq!(next_order(2.0, 10.0, 5.0, 20.0), 20.0);
        assert_eq!(next_order(7.0, 10.0, 1.0, 5.0), 7.0);
        assert_eq!(next_order(0.0, f32::INFINITY, 0.0, 12.0), 12.0);
    }
}
