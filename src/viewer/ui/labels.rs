//! Names in the world: tokens at the entrance and the exit, layers, heads, and tensors.

use bevy::prelude::*;
use egui::{Align2, FontId, LayerId, Pos2, Rect};

use super::theme;
use super::view::UiView;
use crate::hook::HookPoint;
use crate::layout::ModelLayout;

/// A name, where it stands, and how much it matters.
struct Label {
    at: Vec3,
    text: String,
    size: f32,
    align: Align2,
    /// Drawn first; later ones give way.
    importance: u8,
    is_strong: bool,
}

/// Where a point of the world appears, in points from the picture's top left; `scale` is how many
/// points one of the camera's is.
pub(super) fn project(
    camera: &Camera,
    transform: &GlobalTransform,
    point: Vec3,
    scale: f32,
) -> Option<Pos2> {
    let place = camera.world_to_viewport(transform, point).ok()?;
    Some(Pos2::new(place.x * scale, place.y * scale))
}

/// Draws the labels that find room, the most important first.
pub(super) fn draw(
    context: &egui::Context,
    layout: &ModelLayout,
    view: &UiView<'_>,
    project: &dyn Fn(Vec3) -> Option<Pos2>,
    eye: Vec3,
) {
    // The same layer as the panels', which are drawn after it.
    let painter = context.layer_painter(LayerId::background());
    let screen = context.viewport_rect();
    let mut taken: Vec<Rect> = Vec::new();
    let neutrals = view.theme.neutrals();
    let mut labels = labels(layout, view, project, eye, screen);
    labels.sort_by_key(|label| label.importance);
    for label in labels {
        let Some(place) = project(label.at).filter(|place| screen.expand(40.0).contains(*place))
        else {
            continue;
        };
        let color = if label.is_strong {
            theme::color(neutrals.text)
        } else {
            theme::weak_text(view.theme)
        };
        let galley = painter.layout_no_wrap(label.text, FontId::proportional(label.size), color);
        let rect = label.align.anchor_size(place, galley.size());
        if taken.iter().any(|other| other.intersects(rect.expand(3.0))) {
            continue;
        }
        taken.push(rect);
        let shade = theme::label_fill(view.theme);
        painter.rect_filled(rect.expand2(egui::vec2(4.0, 1.0)), 3.0, shade);
        painter.galley(rect.min, galley, color);
    }
}

/// How many points one unit spans on screen at `point`.
fn points_per_unit(project: &dyn Fn(Vec3) -> Option<Pos2>, point: Vec3) -> f32 {
    let across = match (project(point), project(point + Vec3::X)) {
        (Some(a), Some(b)) => a.distance(b),
        _ => 0.0,
    };
    let along = match (project(point), project(point - Vec3::Z)) {
        (Some(a), Some(b)) => a.distance(b),
        _ => 0.0,
    };
    across.max(along)
}

fn labels(
    layout: &ModelLayout,
    view: &UiView<'_>,
    project: &dyn Fn(Vec3) -> Option<Pos2>,
    eye: Vec3,
    screen: Rect,
) -> Vec<Label> {
    let tile = layout.tile_size.x;
    let mut labels = Vec::new();
    // At the entrance; or, where that is out of sight, at the next layer's.
    let lane_x = layout.lane_x(view.playhead.lane) + tile / 2.0;
    let entrance = Vec3::new(lane_x, 0.0, 0.3 * tile);
    let sees_entrance = project(entrance).is_some_and(|place| screen.contains(place));
    let ahead = layout.layers.iter().find(|span| span.near_z < eye.z);
    let tokens_z = match ahead {
        Some(span) if eye.z < 0.0 && !sees_entrance => span.near_z + 0.3 * tile,
        _ => entrance.z,
    };
    if let Some(model) = view.model {
        for (pos, token) in view.tokens.iter().enumerate() {
            let is_current = pos == view.playhead.lane;
            let x = layout.lane_x(pos) + tile / 2.0;
            let mut token_label = |z: f32| {
                labels.push(Label {
                    at: Vec3::new(x, 0.0, z),
                    text: model.vocab.label(*token),
                    size: if is_current { 15.0 } else { 13.5 },
                    align: Align2::CENTER_CENTER,
                    importance: if is_current { 1 } else { 2 },
                    is_strong: pos <= view.playhead.lane,
                });
            };
            token_label(tokens_z);
        }
    }
    for (layer, span) in layout.layers.iter().enumerate() {
        labels.push(Label {
            at: Vec3::new(-0.35 * tile, 0.0, 0.5 * (span.near_z + span.far_z)),
            text: format!("Layer {layer}"),
            size: 13.5,
            align: Align2::RIGHT_CENTER,
            importance: 3,
            is_strong: true,
        });
    }
    for (hook, title) in [
        (HookPoint::Embed, "Embedding"),
        (HookPoint::Logits, "Logits"),
    ] {
        if let Some(rect) = layout.hook_rect(hook) {
            let center = rect.center();
            labels.push(Label {
                at: Vec3::new(-0.35 * tile, 0.0, center.z),
                text: title.to_owned(),
                size: 13.5,
                align: Align2::RIGHT_CENTER,
                importance: 3,
                is_strong: true,
            });
        }
    }
    for block in &layout.blocks {
        // The lane one looks at carries the names.
        let lane = ((eye.x / layout.lane_pitch).floor().max(0.0) as usize).min(layout.n_lanes - 1);
        let rect = layout.tile_rect(block, lane);
        let scale = points_per_unit(project, rect.center());
        if scale * rect.size.y < 34.0 {
            continue;
        }
        labels.push(Label {
            at: rect.center() + Vec3::new(0.0, 0.0, rect.size.y / 2.0),
            text: block.hook.title().to_owned(),
            size: 12.0,
            align: Align2::CENTER_CENTER,
            importance: 5,
            is_strong: false,
        });
    }
    for band in &layout.bands {
        for head in 0..band.n_heads {
            let square = band.square(head);
            let center = square.center();
            if points_per_unit(project, center) * square.size.x < 42.0 {
                continue;
            }
            labels.push(Label {
                at: center + Vec3::new(0.0, 0.0, square.size.y / 2.0 + 0.04 * tile),
                text: format!("head {head}"),
                size: 12.0,
                align: Align2::CENTER_CENTER,
                importance: 4,
                is_strong: false,
            });
        }
    }
    labels
}
