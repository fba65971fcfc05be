//! Outlines round what the guided tour speaks of.

use bevy::prelude::*;
use egui::{LayerId, Pos2, Shape, Stroke};

use super::theme;
use crate::color::Theme;
use crate::layout::GroundRect;

/// How far the outline keeps from what it surrounds, in units.
const MARGIN: f32 = 0.12;

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

/// Draws the outlines.
pub(super) fn draw(
    context: &egui::Context,
    marks: &[GroundRect],
    project: &dyn Fn(Vec3) -> Option<Pos2>,
    theme: Theme,
) {
    let painter = context.layer_painter(LayerId::background());
    for mark in marks {
        let Some(mut corners) = corners(mark)
            .map(project)
            .into_iter()
            .collect::<Option<Vec<_>>>()
        else {
            continue;
        };
        corners.extend(corners.first().copied());
        // Dark below light, so that it is seen on any colour.
        let edge = Stroke::new(5.0, theme::panel_fill(theme));
        painter.add(Shape::line(corners.clone(), edge));
        painter.add(Shape::line(corners, Stroke::new(2.5, theme::accent(theme))));
    }
}

fn corners(rect: &GroundRect) -> [Vec3; 4] {
    let margin = MARGIN.min(0.25 * rect.size.min_element());
    let (left, right) = (
        rect.near_left.x - margin,
        rect.near_left.x + rect.size.x + margin,
    );
    let (near, far) = (
        rect.near_left.y + margin,
        rect.near_left.y - rect.size.y - margin,
    );
    [(left, near), (right, near), (right, far), (left, far)].map(|(x, z)| Vec3::new(x, 0.0, z))
}
