//! Panels beside the world, labels over it, and the keys.
//!
//! A panel is a value: state in a struct, data by reference, wishes out. This file gathers the data,
//! draws the panels and sends the wishes on.

mod arrangement;
mod covered;
mod fonts;
mod inspect;
mod keys;
mod labels;
mod news;
pub mod panels;
mod state;
pub mod theme;
mod tour_marks;
mod view;
mod wishes;

use bevy::asset::AssetEventSystems;
use bevy::prelude::*;
use bevy_egui::{EguiContexts, EguiPlugin, EguiPostUpdateSet, EguiPrimaryContextPass};

pub use arrangement::ArrangementFile;
use covered::{areas, free_screen, is_copy_asked, is_pointer_covered};
use labels::{CloudScene, Eye, LabelScene, Room};
use panels::plots::target::title as target_title;
use panels::{CaptionCard, Inspection, OpenView, PathView, PlotView};
pub use state::UiSettings;
use state::UiState;
use view::PartsLegend;
pub use view::UiView;
use wishes::{Wishes, fulfil};

use super::camera_path::PathDesk;
use super::film::Narration;
use super::filming::{FilmAgain, Filming, PictureMode};
use super::inference::ActiveTrace;
use super::playback::{Playback, Playhead};
use super::pointing::{Pointer, SelectionWish};
use super::readout::ReadOut;
use super::recents::Recents;
use super::scene::{
    ColorBy, DrawList, Overlay, Predictions, SceneLayout, SceneSettings, SceneSystems, ValueTable,
};
use super::session::SessionFacts;
use super::slots::Slots;
use super::tour::{ActiveTour, Run};
use super::viewpoint::{CameraSettings, Screen};
use crate::layout::Cell;
use crate::trace::{TokenTrace, Trace};

/// Draws panels and labels, and turns keys and clicks into messages.
pub struct UiPlugin;

impl Plugin for UiPlugin {
    fn build(&self, app: &mut App) {
        if !app.is_plugin_added::<EguiPlugin>() {
            app.add_plugins(EguiPlugin::default());
        }
        app.init_resource::<UiState>()
            .init_resource::<UiSettings>()
            .init_resource::<Narration>()
            .init_resource::<Pointer>()
            .init_resource::<ArrangementFile>()
            .add_message::<SelectionWish>()
            .add_systems(
                Update,
                (
                    news::note_events,
                    news::note_slots,
                    news::note_paths,
                    news::note_saving,
                    news::note_films,
                    news::note_recents,
                    keys::obey_keys,
                    tell_session.run_if(resource_changed::<UiSettings>),
                ),
            )
            .configure_sets(
                PostUpdate,
                // Names stand where the camera sees them in this frame, not in the one before.
                EguiPostUpdateSet::EndPass
                    .after(TransformSystems::Propagate)
                    .after(SceneSystems::See),
            )
            .configure_sets(
                PostUpdate,
                // Letters that are new are on the GPU with the frame that shows them first.
                EguiPostUpdateSet::PostProcessOutput.before(AssetEventSystems),
            )
            .add_systems(Startup, arrangement::read)
            .add_systems(EguiPrimaryContextPass, (draw_ui, arrangement::keep).chain());
    }
}

fn tell_session(settings: Res<UiSettings>, mut session: ResMut<SessionFacts>) {
    session.has_panels = settings.has_panels;
    session.has_labels = settings.has_labels;
}

/// What of the camera, and of other rooms, the panels show.
#[derive(bevy::ecs::system::SystemParam)]
struct CameraView<'w> {
    slots: Res<'w, Slots>,
    settings: Res<'w, CameraSettings>,
    tour: Res<'w, ActiveTour>,
    narration: Res<'w, Narration>,
    path: Res<'w, PathDesk>,
    filming: Res<'w, Filming>,
    again: Res<'w, FilmAgain>,
    picture: Res<'w, PictureMode>,
    recents: Res<'w, Recents>,
}

fn draw_ui(
    mut contexts: EguiContexts,
    mut state: ResMut<UiState>,
    mut ui_settings: ResMut<UiSettings>,
    mut scene_settings: ResMut<SceneSettings>,
    trace: Res<ActiveTrace>,
    layout: Res<SceneLayout>,
    values: Res<ValueTable>,
    playback: Res<Playback>,
    playhead: Res<Playhead>,
    list: Res<DrawList>,
    predictions: Res<Predictions>,
    camera: Query<(&Camera, &GlobalTransform), With<Camera3d>>,
    camera_view: CameraView,
    mut screen: ResMut<Screen>,
    mut pointed: inspect::Pointed,
    mut wishes: Wishes,
) -> Result {
    let context = contexts.ctx_mut()?.clone();
    let state = &mut *state;
    if state.shown_theme != Some(scene_settings.theme) {
        state.shown_theme = Some(scene_settings.theme);
        theme::apply(&context, scene_settings.theme);
        if ui_settings.scale != 1.0 {
            context.set_zoom_factor(ui_settings.scale * camera_view.picture.scale());
        }
    }
    let (scale, last_scale) = (camera_view.picture.scale(), state.picture_scale);
    if last_scale != Some(scale) {
        // What the user has chosen stays within it.
        let zoom = context.zoom_factor() * scale / last_scale.unwrap_or(1.0);
        context.set_zoom_factor(zoom);
        state.picture_scale = Some(scale);
    }
    if !state.has_prompt && !ui_settings.prompt.is_empty() {
        state.has_prompt = true;
        state.panels.prompt.text.clone_from(&ui_settings.prompt);
    }
    let mut tokens = trace.tokens();
    let narration = &camera_view.narration;
    tokens.truncate(narration.n_tokens.unwrap_or(usize::MAX));
    let has_panels = narration
        .shows
        .map_or(ui_settings.has_panels, |shows| shows.panels)
        && camera_view.picture.allows_panels();
    let has_labels = narration
        .shows
        .map_or(ui_settings.has_labels, |shows| shows.labels);
    let candidates = predictions.at(playhead.lane).unwrap_or_default();
    state.fonts.note(&state.panels.prompt.text);
    if let Some(model) = trace.model() {
        for candidate in candidates {
            state.fonts.note(&model.vocab.label(candidate.token));
        }
        for token in state.panels.plots.embeddings.named_tokens() {
            state.fonts.note(&model.vocab.label(token));
        }
    }
    for read_out in [state.hovered.get(), state.pinned.get()]
        .into_iter()
        .flatten()
    {
        state.fonts.note(&read_out.index_line());
    }
    if let Some(definitions) = state.fonts.advance(ui_settings.waits_for_fonts) {
        context.set_fonts(definitions);
    }
    let token_text = |token: u32| match trace.model() {
        Some(model) => state.fonts.shown(&model.vocab.label(token)).into_owned(),
        None => String::new(),
    };
    let target = pointed.overlay.target();
    let target = target.map_or_else(String::new, |(target, value)| {
        format!("{}: {value}", target_title(&target, &tokens, &token_text))
    });
    let is_overlay_changed = pointed.overlay.is_changed();
    if layout.is_changed()
        || values.is_changed()
        || scene_settings.is_changed()
        || is_overlay_changed
        || wishes.cloud.is_changed()
    {
        let parts = parts_legend(&scene_settings, &pointed.overlay, &target);
        let layout = layout.as_ref().as_ref();
        state.legend = view::legend(layout, &values, &scene_settings, parts.as_ref());
        let cloud = wishes.cloud.cloud.as_deref();
        state.legend.extend(cloud.map(view::cloud_legend));
    }
    let ablations = state.ablations.clone();
    let ablations = ablations.as_deref().unwrap_or(trace.ablations());
    let loading = state.loading.clone();
    let view = UiView {
        token_text: &token_text,
        model: trace.model(),
        tokens: &tokens,
        candidates,
        playhead: *playhead,
        playback: *playback,
        n_orders: super::playback::n_orders(&trace),
        stage: view::stage(&trace, playhead.order),
        is_computing: trace.is_computing(),
        can_run: ui_settings.can_run,
        status: &state.status,
        failure: state
            .failure
            .as_deref()
            .or(state.load_failure.as_deref())
            .or(state.film_failure.as_deref())
            .or(state.slots_failure.as_deref()),
        loading: loading.as_ref().map(|(share, line)| (*share, &**line)),
        theme: scene_settings.theme,
        has_arcs: scene_settings.has_arcs,
        arc_threshold: scene_settings.arc_threshold,
        arc_choice: &scene_settings.arc_choice,
        reduction: scene_settings.reduction,
        has_links: scene_settings.has_links,
        ranges: scene_settings.ranges,
        hidden: &scene_settings.hidden,
        n_not_finite: values.n_not_finite(),
        is_shape: trace.is_shape(),
        legend: &state.legend,
        slots: &camera_view.slots,
        has_reduced_motion: camera_view.settings.has_reduced_motion,
        ablations,
        color_by: scene_settings.color_by,
        tour: camera_view.tour.run(),
        filming: &camera_view.filming,
        can_film_again: camera_view.again.is_ready(),
        usage: trace.usage(),
    };
    let highlight = *pointed.highlight;
    for (cached, cell) in [
        (&mut state.hovered, highlight.hovered),
        (&mut state.pinned, highlight.pinned),
    ] {
        cached.refresh(cell, &trace, &playhead, state.n_passes);
    }
    let hovered = state.hovered.get();
    let survey = state.surveyor.survey(&trace, state.pinned.version());
    let mut hover = None;
    let mut notes = Vec::new();
    let mut color = None;
    let mut inspection = state.pinned.get().map(|read_out| Inspection {
        read_out,
        color: None,
        notes: &[],
        survey,
    });
    if let (Some(layout), Some(layout_config), Ok((camera, transform))) = (
        layout.as_ref().as_ref(),
        trace.model().map(|model| &model.config),
        camera.single(),
    ) {
        // The panels' points may be larger or smaller than the camera's.
        let camera_width = camera.logical_viewport_size().map_or(1.0, |size| size.x);
        let scale = context.viewport_rect().width() / camera_width.max(1.0);
        let projector = |point: Vec3| tour_marks::project(camera, transform, point, scale);
        if let Some((_, stop)) = view.tour.and_then(Run::stop) {
            tour_marks::draw(&context, &stop.marks, &projector, view.theme);
        }
        let shown = inspect::Shown {
            layout,
            values: &values,
            weights: &pointed.weights,
            settings: &scene_settings,
            overlay: &pointed.overlay,
            config: layout_config,
            ablations,
            target: &target,
        };
        if let Some(inspection) = &inspection {
            color = shown.color(inspection.read_out);
            notes = shown.notes(inspection.read_out);
        }
        hover = hovered.and_then(|read_out| shown.hover(read_out, &pointed, scale, &projector));
    }
    if let Some(inspection) = &mut inspection {
        (inspection.color, inspection.notes) = (color, &notes);
    }
    let positions: Vec<TokenTrace<'_>> = trace.trace().map(Trace::positions).unwrap_or_default();
    let plot_view = PlotView {
        model: trace.model(),
        positions: &positions,
        version: state.n_passes,
        text: state.n_texts,
        token_text: &token_text,
        lens: &|layer, pos| trace.lens(layer, pos),
        lens_reading: &|layer, pos| trace.lens_reading(layer, pos),
        tokens: &tokens,
        ablations,
        studies: &wishes.studies,
        playhead: *playhead,
        pinned: highlight.pinned,
        chosen_token: wishes.cloud.chosen,
        theme: scene_settings.theme,
        is_computing: view.is_computing,
        can_run: view.can_run,
        loading: view.loading.map(|(share, _)| share),
        failure: view.failure,
    };
    let wish = state
        .panels
        .plots
        .target
        .wish(&plot_view)
        .map(|(_, wish)| wish);
    let shown_cloud = wishes.cloud.cloud.clone();
    let mut intents = Vec::new();
    let whole = context.viewport_rect();
    let mut free = whole;
    if has_panels {
        free = state.panels.show(
            &context,
            &view,
            &plot_view,
            &PathView {
                desk: &camera_view.path,
                config: trace.model().map(|model| &model.config),
                pinned: match highlight.pinned {
                    Some(Cell::Value(cell)) => Some(cell.hook),
                    _ => None,
                },
                theme: scene_settings.theme,
            },
            inspection.as_ref(),
            &mut intents,
        );
    } else if ui_settings.has_legend {
        free.max.x -= state.panels.show_legend_only(&context, &view);
    }
    let tour = &mut state.panels.tour;
    let has_buttons = has_panels;
    free.max.y -= tour.show(&context, &view, free, has_buttons, &mut intents);
    if let Some(caption) = &narration.caption {
        free.max.y -= CaptionCard(caption).show(&context, free, view.theme);
    }
    if has_panels {
        let open_view = OpenView {
            recents: &camera_view.recents,
            loading: view.loading,
            failure: state.load_failure.as_deref(),
            theme: view.theme,
        };
        state.panels.open.show(&context, &open_view, &mut intents);
    }
    // A picture is taken from where the camera stands in the window.
    if camera_view.picture.layout.is_none() {
        screen.set_if_neq(free_screen(whole, free));
    }
    if has_labels
        && let (Some(layout), Ok((camera, transform))) = (layout.as_ref().as_ref(), camera.single())
    {
        let eye = Eye::new(
            camera.clip_from_view(),
            transform.affine().inverse().into(),
            transform.translation(),
            whole,
        );
        let taken = areas(&context);
        let scene = LabelScene {
            layout,
            eye,
            room: Room {
                // Beside a lone legend there is room.
                free: if has_panels { free } else { whole },
                taken: &taken,
            },
            tokens: view.tokens,
            token_text: view.token_text,
            playhead: view.playhead,
            n_orders: view.n_orders,
            lens: &|layer, pos| trace.lens(layer, pos),
            predictions: &|pos| predictions.at(pos),
            ablations,
            pooled: &view::pooled_title(&scene_settings.arc_choice),
            cloud: shown_cloud.as_deref().map(|cloud| CloudScene {
                cloud,
                chosen: wishes.cloud.chosen,
            }),
            cell: &|cell| {
                let shown = |pos| pointed.overlay.token(&trace, pos);
                view::cell_look(cell, &shown, !values.has_parts(), layout, &list)
            },
        };
        labels::draw(&context, view.theme, &scene);
    }
    if let Some(hover) = &hover {
        let theme = scene_settings.theme;
        state.panels.tooltip.show(&context, hover, theme, free);
    }
    if is_copy_asked(&context)
        && let Some(text) = hovered
            .map(ReadOut::text)
            .or_else(|| inspection.as_ref().map(Inspection::text))
    {
        context.copy_text(text);
    }
    let is_covered = is_pointer_covered(&context);
    if pointed.pointer.is_covered != is_covered {
        pointed.pointer.is_covered = is_covered;
    }
    if pointed.overlay.wish != wish {
        pointed.overlay.wish = wish;
    }
    for intent in intents {
        fulfil(
            intent,
            state,
            &mut ui_settings,
            &mut scene_settings,
            &mut wishes,
        );
    }
    Ok(())
}

/// What the legend says while colours stand for parts in a prediction.
fn parts_legend(settings: &SceneSettings, overlay: &Overlay, target: &str) -> Option<PartsLegend> {
    let target = match (settings.color_by, overlay.failure()) {
        (ColorBy::Value, _) => return None,
        (_, Some(failure)) => failure.to_owned(),
        _ if target.is_empty() => {
            "being worked out: nothing is coloured until it is there".to_owned()
        }
        _ => target.to_owned(),
    };
    Some(PartsLegend {
        color_by: settings.color_by,
        target,
    })
}
