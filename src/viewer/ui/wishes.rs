//! Where the panels' wishes go.

use bevy::prelude::*;

use super::panels::Intent;
use super::{UiSettings, UiState};
use crate::model::{Pace, SamplerSettings};
use crate::viewer::camera_path::PathWish;
use crate::viewer::filming::{FilmWish, PictureWish};
use crate::viewer::inference::{EngineWish, Opening, Studies};
use crate::viewer::playback::PlaybackWish;
use crate::viewer::pointing::SelectionWish;
use crate::viewer::recents::RecentWish;
use crate::viewer::saving::SaveTrace;
use crate::viewer::scene::{PointCloud, SceneSettings};
use crate::viewer::session::SessionFacts;
use crate::viewer::slots::SlotWish;
use crate::viewer::tour::TourWish;
use crate::viewer::viewpoint::CameraWish;

/// What a model reads that is opened while there is no text.
const FIRST_TEXT: &str = "The quick brown fox";

/// Where wishes go.
#[derive(bevy::ecs::system::SystemParam)]
pub(super) struct Wishes<'w> {
    engine: MessageWriter<'w, EngineWish>,
    playback: MessageWriter<'w, PlaybackWish>,
    slots: MessageWriter<'w, SlotWish>,
    saving: MessageWriter<'w, SaveTrace>,
    tour: MessageWriter<'w, TourWish>,
    path: MessageWriter<'w, PathWish>,
    films: MessageWriter<'w, FilmWish>,
    pictures: MessageWriter<'w, PictureWish>,
    selection: MessageWriter<'w, SelectionWish>,
    camera: MessageWriter<'w, CameraWish>,
    recents: MessageWriter<'w, RecentWish>,
    session: Res<'w, SessionFacts>,
    /// What was asked about predictions.
    pub(super) studies: ResMut<'w, Studies>,
    /// The projection that stands in the world.
    pub(super) cloud: ResMut<'w, PointCloud>,
}

/// Sends a wish on to whom it concerns.
pub(super) fn fulfil(
    intent: Intent,
    state: &mut UiState,
    ui_settings: &mut UiSettings,
    scene_settings: &mut SceneSettings,
    wishes: &mut Wishes,
) {
    match intent {
        Intent::Begin(text) => {
            state.failure = None;
            wishes.engine.write(EngineWish::Begin(text));
        }
        Intent::ToggleOpen => {
            state.panels.open.toggle();
            wishes.recents.write(RecentWish::Check);
        }
        Intent::Open(source) => {
            state.failure = None;
            state.load_failure = None;
            state.is_opening = true;
            state.pace = Pace::default();
            let line = format!("Opening {source}");
            state.loading = Some((0.0, line));
            let prompt = &mut state.panels.prompt.text;
            if prompt.trim().is_empty() {
                FIRST_TEXT.clone_into(prompt);
            }
            wishes.engine.write(EngineWish::Open(Box::new(Opening {
                source,
                settings: ui_settings.load.clone(),
                prompt: prompt.clone(),
                sampler: wishes.session.sampler,
            })));
        }
        Intent::CancelLoad => {
            wishes.engine.write(EngineWish::CancelLoad);
        }
        Intent::ForgetRecent(name) => {
            wishes.recents.write(RecentWish::Forget(name));
        }
        Intent::Stop => {
            wishes.engine.write(EngineWish::Stop);
        }
        Intent::SaveTrace => {
            wishes.saving.write(SaveTrace);
        }
        Intent::Sample(settings) => {
            wishes
                .engine
                .write(EngineWish::Sample(SamplerSettings { ..settings }));
        }
        Intent::TogglePlay => {
            wishes.playback.write(PlaybackWish::Toggle);
        }
        Intent::StepForward => {
            wishes.playback.write(PlaybackWish::StepForward);
        }
        Intent::StepBack => {
            wishes.playback.write(PlaybackWish::StepBack);
        }
        Intent::Replay => {
            wishes.playback.write(PlaybackWish::Replay);
        }
        Intent::SeekLane(lane) => {
            wishes.playback.write(PlaybackWish::SeekLane(lane));
        }
        Intent::SeekOrder(order) => {
            wishes.playback.write(PlaybackWish::SeekOrder(order));
        }
        Intent::Speed(layers_per_sec) => {
            wishes.playback.write(PlaybackWish::Speed(layers_per_sec));
        }
        Intent::Slot(wish) => {
            wishes.slots.write(wish);
        }
        Intent::Tour(wish) => {
            wishes.tour.write(wish);
        }
        Intent::Path(wish) => {
            wishes.path.write(wish);
        }
        Intent::TogglePath => state.panels.path.is_open = !state.panels.path.is_open,
        Intent::Film(wish) => {
            wishes.films.write(wish);
        }
        Intent::Picture(wish) => {
            wishes.pictures.write(wish);
        }
        Intent::Theme(theme) => scene_settings.theme = theme,
        Intent::Arcs(has_arcs) => scene_settings.has_arcs = has_arcs,
        Intent::ArcThreshold(threshold) => scene_settings.arc_threshold = threshold,
        Intent::ChooseArcs(choice) => scene_settings.arc_choice = choice,
        Intent::Reduce(reduction) => scene_settings.reduction = reduction,
        Intent::Links(has_links) => scene_settings.has_links = has_links,
        Intent::Hide(kinds) => scene_settings.hidden = kinds,
        Intent::ColorBy(color_by) => scene_settings.color_by = color_by,
        Intent::Ablate(parts) => {
            state.ablations = Some(parts.clone());
            wishes.engine.write(EngineWish::SetAblations(parts));
        }
        Intent::Study(topic, study) => {
            wishes.studies.forget_failure(topic);
            let asked = wishes
                .studies
                .ask(topic, &study.tokens, &study.ablations, study.question);
            wishes.engine.write_batch(asked);
        }
        Intent::CancelStudy(topic) => {
            wishes.engine.write_batch(wishes.studies.cancel(topic));
        }
        Intent::TogglePlot(plot) => state.panels.plots.dock.toggle(plot),
        Intent::TearPlot(plot) => state.panels.plots.dock.tear(plot),
        Intent::Cloud(cloud) => wishes.cloud.cloud = cloud,
        Intent::ChooseToken(token) => {
            if wishes.cloud.chosen != token {
                wishes.cloud.chosen = token;
            }
        }
        Intent::VisitCloud => {
            wishes.camera.write(CameraWish::VisitCloud);
        }
        Intent::Pin(cell) => {
            wishes.selection.write(SelectionWish::Pin(cell));
        }
        Intent::Visit(cell) => {
            wishes.selection.write(SelectionWish::Visit(cell));
        }
        Intent::Unpin => {
            wishes.selection.write(SelectionWish::Unpin);
        }
        Intent::Ranges(ranges) => scene_settings.ranges = ranges,
        Intent::Labels(has_labels) => ui_settings.has_labels = has_labels,
        Intent::DismissFailure => {
            // The one that was shown.
            if state.failure.take().is_none()
                && state.load_failure.take().is_none()
                && state.film_failure.take().is_none()
            {
                state.slots_failure = None;
            }
        }
    }
}
