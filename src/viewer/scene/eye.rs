//! The camera, as far as choosing what is drawn in detail needs it.

use bevy::prelude::*;

use crate::layout::GroundRect;

/// The camera, as far as choosing what is drawn in detail needs it.
#[derive(Resource, Clone, Copy, Debug, PartialEq)]
pub struct Eye {
    /// Where it is.
    pub position: Vec3,
    /// Which way it looks.
    pub forward: Vec3,
    /// Cosine of the half angle of a cone that holds the whole picture.
    pub cone_cos: f32,
    /// How many pixels one unit spans at distance one.
    pub pixels_per_unit: f32,
}

impl Default for Eye {
    fn default() -> Self {
        Self {
            position: Vec3::Y * 1e6,
            forward: Vec3::Y,
            cone_cos: 1.0,
            pixels_per_unit: 0.0,
        }
    }
}

impl Eye {
    /// How wide a cell of `cell_size` on `rect` is at its nearest, in pixels; none out of view.
    pub fn cell_pixels(&self, rect: GroundRect, cell_size: f32) -> Option<f32> {
        let ground = Vec2::new(self.position.x, self.position.z).clamp(rect.low(), rect.high());
        let nearest = Vec3::new(ground.x, 0.0, ground.y);
        let distance = nearest.distance(self.position).max(0.1);
        let radius = rect.size.length();
        let to_center = rect.center() - self.position;
        let reach = to_center.length();
        if reach > radius {
            // Seen under `asin(radius / reach)`; in view where the cones overlap.
            let sin = radius / reach;
            let cos = (1.0 - sin * sin).sqrt();
            let cone_sin = (1.0 - self.cone_cos * self.cone_cos).max(0.0).sqrt();
            let overlap_cos = self.cone_cos * cos - cone_sin * sin;
            if to_center.dot(self.forward) / reach < overlap_cos {
                return None;
            }
        }
        Some(self.pixels_per_unit * cell_size / distance)
    }

    /// How far off a cell of `cell_size` is `pixels` wide.
    pub fn reach(&self, cell_size: f32, pixels: f32) -> f32 {
        self.pixels_per_unit * cell_size / pixels
    }

    /// The point of `rect` that is nearest to where the camera looks.
    pub fn focus_on(&self, rect: &GroundRect) -> Vec2 {
        let below = Vec2::new(self.position.x, self.position.z);
        let ahead = Vec2::new(self.forward.x, self.forward.z);
        let looked_at = if self.forward.y < -0.05 {
            // Nearer than the middle of the picture, where cells are larger.
            below + 0.8 * ahead * (self.position.y / -self.forward.y)
        } else {
            below + ahead * self.position.y.max(1.0) * 4.0
        };
        looked_at.clamp(rect.low(), rect.high())
    }

    /// The lanes that a cell of `cell_size` could be seen `pixels` wide in, of `n_lanes` that are
    /// `pitch` apart.
    pub fn lanes(
        &self,
        cell_size: f32,
        pixels: f32,
        pitch: f32,
        n_lanes: usize,
    ) -> std::ops::Range<usize> {
        let reach = self.reach(cell_size, pixels);
        let lane = |x: f32| ((x / pitch).floor().max(0.0) as usize).min(n_lanes);
        let first = lane(self.position.x - reach - pitch);
        first..(lane(self.position.x + reach) + 1).clamp(first, n_lanes.max(first))
    }
}

pub(super) fn see(
    camera: Query<(&Camera, &GlobalTransform), With<Camera3d>>,
    mut eye: ResMut<Eye>,
) {
    let Some((camera, transform)) = camera.iter().next() else {
        return;
    };
    let Some(size) = camera.physical_viewport_size().filter(|size| size.y > 0) else {
        return;
    };
    let scale = Vec2::new(
        camera.clip_from_view().x_axis.x,
        camera.clip_from_view().y_axis.y,
    );
    let corner = Vec3::new(1.0 / scale.x, 1.0 / scale.y, 1.0);
    eye.set_if_neq(Eye {
        position: transform.translation(),
        forward: *transform.forward(),
        cone_cos: 1.0 / corner.length(),
        pixels_per_unit: 0.5 * size.y as f32 * scale.y,
    });
}
