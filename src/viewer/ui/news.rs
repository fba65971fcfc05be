//! What the engine, the slots and the film have told, kept for the panels.

use bevy::prelude::*;

use super::fonts::Fonts;
use super::{UiSettings, UiState, view};
use crate::model::LoadStage;
use crate::viewer::camera_path::PathNews;
use crate::viewer::filming::FilmNews;
use crate::viewer::inference::{ActiveTrace, TraceEvent};
use crate::viewer::recents::RecentNews;
use crate::viewer::saving::SavingNews;
use crate::viewer::slots::SlotNews;
use crate::viewer::viewpoint::{CameraWish, Viewpoint};

pub(super) fn note_events(
    mut events: MessageReader<TraceEvent>,
    time: Res<Time<Real>>,
    trace: Res<ActiveTrace>,
    mut settings: ResMut<UiSettings>,
    mut state: ResMut<UiState>,
    mut camera: MessageWriter<CameraWish>,
) {
    for event in events.read() {
        note_texts(event, &trace, &mut state.fonts);
        match event {
            TraceEvent::Loading(progress) => {
                let line = match progress.stage {
                    LoadStage::Reading => "Reading weights".to_owned(),
                    _ => sentence(&state.pace.tell(progress, time.elapsed_secs_f64())),
                };
                state.loading = Some((progress.share(), line));
            }
            TraceEvent::ModelLoaded => {
                state.ablations = None;
                state.n_passes += 1;
                state.n_texts += 1;
                state.loading = None;
                state.failure = None;
                state.load_failure = None;
                "Model ready".clone_into(&mut state.status);
                if std::mem::take(&mut state.is_opening) {
                    // Another world: from where all of it is seen.
                    camera.write(CameraWish::GoTo(Viewpoint::Overview));
                    state.panels.open.is_open = false;
                    settings.can_run = true;
                }
            }
            TraceEvent::LoadCancelled => {
                state.loading = None;
                "Loading was cancelled; what was fetched is kept".clone_into(&mut state.status);
            }
            TraceEvent::LoadFailed(message) => {
                state.loading = None;
                state.load_failure = Some(message.clone());
                if trace.model().is_none() {
                    "Failed".clone_into(&mut state.status);
                }
            }
            TraceEvent::PassStarted { first_pos, n_pos } => {
                state.n_passes += 1;
                state.n_texts += u64::from(*first_pos == 0);
                state.failure = None;
                state.status = match n_pos {
                    1 => "Computing a token".to_owned(),
                    n => format!("Computing {n} tokens"),
                };
            }
            TraceEvent::Computed { .. }
            | TraceEvent::LensRead { .. }
            | TraceEvent::LensDone
            | TraceEvent::Ablated
            | TraceEvent::StudyProgress { .. }
            | TraceEvent::StudyDone { .. } => {}
            TraceEvent::PassDone => {
                state.n_passes += 1;
                "Ready".clone_into(&mut state.status);
            }
            TraceEvent::Paused(reason) => {
                state.status = view::pause_text(*reason).to_owned();
            }
            TraceEvent::Failed(message) => {
                state.ablations = None;
                state.failure = Some(message.clone());
                "Failed".clone_into(&mut state.status);
            }
        }
    }
}

/// A line that begins as every word of the interface does.
fn sentence(line: &str) -> String {
    let mut letters = line.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// Tells the fonts of the tokens that have come.
fn note_texts(event: &TraceEvent, trace: &ActiveTrace, fonts: &mut Fonts) {
    let Some(model) = trace.model() else {
        return;
    };
    match *event {
        TraceEvent::PassStarted { first_pos, n_pos } => {
            for token in trace.tokens().into_iter().skip(first_pos).take(n_pos) {
                fonts.note(&model.vocab.label(token));
            }
        }
        TraceEvent::LensRead {
            layer,
            first_pos,
            n_pos,
        } => {
            let tops = (first_pos..first_pos + n_pos).filter_map(|pos| trace.lens(layer, pos));
            for candidate in tops.flatten() {
                fonts.note(&model.vocab.label(candidate.token));
            }
        }
        _ => {}
    }
}

pub(super) fn note_saving(mut news: MessageReader<SavingNews>, mut state: ResMut<UiState>) {
    for news in news.read() {
        match news {
            SavingNews::Note(text) => state.status.clone_from(text),
            SavingNews::Failed(message) => state.failure = Some(message.clone()),
        }
    }
}

pub(super) fn note_slots(mut news: MessageReader<SlotNews>, mut state: ResMut<UiState>) {
    for news in news.read() {
        match news {
            SlotNews::Note(text) => state.status.clone_from(text),
            SlotNews::Failed(message) => state.slots_failure = Some(message.clone()),
        }
    }
}

pub(super) fn note_paths(mut news: MessageReader<PathNews>, mut state: ResMut<UiState>) {
    for news in news.read() {
        match news {
            PathNews::Note(text) => state.status.clone_from(text),
            PathNews::Failed(message) => state.failure = Some(message.clone()),
        }
    }
}

pub(super) fn note_films(mut news: MessageReader<FilmNews>, mut state: ResMut<UiState>) {
    for news in news.read() {
        match news {
            FilmNews::Note(text) => state.status.clone_from(text),
            FilmNews::Failed(message) => state.film_failure = Some(message.clone()),
        }
    }
}

pub(super) fn note_recents(mut news: MessageReader<RecentNews>, mut state: ResMut<UiState>) {
    for RecentNews(message) in news.read() {
        state.slots_failure = Some(message.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::LoadProgress;

    #[test]
    fn a_fetch_is_told_with_its_bytes_rate_and_time_left_until_the_model_is_there() {
        let mut app = App::new();
        app.init_resource::<ActiveTrace>()
            .init_resource::<UiState>()
            .init_resource::<UiSettings>()
            .init_resource::<Time<Real>>()
            .add_message::<TraceEvent>()
            .add_message::<CameraWish>()
            .add_systems(Update, note_events);
        let start = std::time::Instant::now();
        for secs in 0..5 {
            let now = start + Duration::from_secs(secs);
            app.world_mut()
                .resource_mut::<Time<Real>>()
                .update_with_instant(now);
            app.world_mut()
                .write_message(TraceEvent::Loading(LoadProgress {
                    stage: LoadStage::Fetching {
                        file: "model.safetensors".to_owned(),
                    },
                    done_bytes: secs * 20_000_000,
                    total_bytes: 200_000_000,
                }));
            app.update();
        }

        let (share, line) = app.world().resource::<UiState>().loading.clone().unwrap();
        assert!((share - 0.4).abs() < 1e-6, "{share}");
        assert_eq!(
            line,
            "Fetching model.safetensors, 80 of 200 MB, 20 MB/s, 6 s left"
        );

        app.world_mut().write_message(TraceEvent::LoadCancelled);
        app.update();
        let state = app.world().resource::<UiState>();
        assert!(state.loading.is_none());
        assert!(state.status.contains("cancelled"), "{}", state.status);
    }
}
