//! What the engine, the slots and the film have told, kept for the panels.

use bevy::prelude::*;

use super::fonts::Fonts;
use super::{UiState, view};
use crate::viewer::camera_path::PathNews;
use crate::viewer::filming::FilmNews;
use crate::viewer::inference::{ActiveTrace, TraceEvent};
use crate::viewer::saving::SavingNews;
use crate::viewer::slots::SlotNews;

pub(super) fn note_events(
    mut events: MessageReader<TraceEvent>,
    trace: Res<ActiveTrace>,
    mut state: ResMut<UiState>,
) {
    for event in events.read() {
        note_texts(event, &trace, &mut state.fonts);
        match event {
            TraceEvent::Loading(progress) => {
                let share = progress.done_bytes as f32 / progress.total_bytes.max(1) as f32;
                state.loading = Some(share);
                "Reading weights".clone_into(&mut state.status);
            }
            TraceEvent::ModelLoaded => {
                state.ablations = None;
                state.n_passes += 1;
                state.n_texts += 1;
                state.loading = None;
                state.failure = None;
                "Model ready".clone_into(&mut state.status);
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
                state.loading = None;
                state.failure = Some(message.clone());
                "Failed".clone_into(&mut state.status);
            }
        }
    }
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
