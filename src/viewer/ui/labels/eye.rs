//! Where points of the world appear, and how large.

use egui::{Pos2, Rect};
use glam::{Mat4, Vec2, Vec3, Vec4};

use crate::layout::GroundRect;

/// A camera and the picture it fills.
#[derive(Clone, Copy, Debug)]
pub struct Eye {
    /// From the world to clip space.
    clip_from_world: Mat4,
    /// Where it is.
    pub position: Vec3,
    /// The whole picture, in points.
    picture: Rect,
    /// Points that one unit spans at depth one.
    focal_points: f32,
}

impl Eye {
    /// The eye of a camera at `position` whose picture is `picture`, in points.
    pub fn new(clip_from_view: Mat4, view_from_world: Mat4, position: Vec3, picture: Rect) -> Self {
        Self {
            clip_from_world: clip_from_view * view_from_world,
            position,
            picture,
            focal_points: 0.5 * picture.height() * clip_from_view.y_axis.y,
        }
    }

    fn clip(&self, point: Vec3) -> Vec4 {
        self.clip_from_world * point.extend(1.0)
    }

    /// Where a point appears; none behind the eye.
    pub fn project(&self, point: Vec3) -> Option<Pos2> {
        let clip = self.clip(point);
        (clip.w > 1e-3).then(|| {
            let half = 0.5 * self.picture.size();
            self.picture.center() + egui::vec2(clip.x, -clip.y) * half / clip.w
        })
    }

    /// How long the way from one point to another appears, in points; 0 where either is behind.
    pub fn length(&self, from: Vec3, to: Vec3) -> f32 {
        match (self.project(from), self.project(to)) {
            (Some(from), Some(to)) => from.distance(to),
            _ => 0.0,
        }
    }

    /// How wide and how deep a rectangle on the ground appears in its middle, in points.
    pub fn extent(&self, rect: GroundRect) -> Vec2 {
        let center = rect.center();
        let half = 0.5 * rect.size;
        Vec2::new(
            self.length(center - Vec3::X * half.x, center + Vec3::X * half.x),
            self.length(center - Vec3::Z * half.y, center + Vec3::Z * half.y),
        )
    }

    /// How many points a unit spans at most anywhere on a rectangle on the ground, seen face on.
    pub fn nearest_points_per_unit(&self, rect: GroundRect) -> f32 {
        let low = Vec2::new(rect.near_left.x, rect.near_left.y - rect.size.y);
        let high = Vec2::new(rect.near_left.x + rect.size.x, rect.near_left.y);
        let ground = Vec2::new(self.position.x, self.position.z).clamp(low, high.max(low));
        let distance = Vec3::new(ground.x, 0.0, ground.y).distance(self.position);
        self.focal_points / distance.max(0.1)
    }

    /// Whether any of a rectangle on the ground, or of what rises up to `height` over it, may be
    /// in the picture.
    pub fn sees(&self, rect: GroundRect, height: f32) -> bool {
        let (left, near) = (rect.near_left.x, rect.near_left.y);
        let (right, far) = (left + rect.size.x, near - rect.size.y);
        let mut all_outside = [true; 5];
        for x in [left, right] {
            for z in [near, far] {
                for y in [0.0, height] {
                    let clip = self.clip(Vec3::new(x, y, z));
                    let outside = [
                        clip.x < -clip.w,
                        clip.x > clip.w,
                        clip.y < -clip.w,
                        clip.y > clip.w,
                        clip.w <= 0.0,
                    ];
                    for (all, is_outside) in all_outside.iter_mut().zip(outside) {
                        *all &= is_outside;
                    }
                }
            }
        }
        !all_outside.contains(&true)
    }

    /// Where the row of ground at `z` crosses the middle of `free`: the x there.
    pub fn middle_of_row(&self, z: f32, free: Rect) -> f32 {
        let start = self.clip(Vec3::new(0.0, 0.0, z));
        let step = self.clip_from_world * Vec4::X;
        let half = 0.5 * self.picture.size();
        let middle = (free.center() - self.picture.center()) / half;
        // Along the row both coordinates are (start + x * step) / (start.w + x * step.w).
        let is_upright = step.y.abs() * half.y > step.x.abs() * half.x;
        let (start_at, step_by, wanted) = if is_upright {
            (start.y, step.y, -middle.y)
        } else {
            (start.x, step.x, middle.x)
        };
        let slope = step_by - wanted * step.w;
        if slope.abs() < 1e-9 {
            return self.position.x;
        }
        (wanted * start.w - start_at) / slope
    }
}

/// 0 up to `low`, 1 from `high` on, smooth between.
pub fn fade(low: f32, high: f32, value: f32) -> f32 {
    let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
    share * share * (3.0 - 2.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eye_above() -> Eye {
        let picture = Rect::from_min_size(Pos2::ZERO, egui::vec2(200.0, 100.0));
        let position = Vec3::new(3.0, 10.0, 0.0);
        let clip_from_view = Mat4::perspective_infinite_reverse_rh(1.0, 2.0, 0.1);
        // Straight down, with -Z up on the picture.
        let view_from_world = Mat4::look_at_rh(position, Vec3::new(3.0, 0.0, 0.0), Vec3::NEG_Z);
        Eye::new(clip_from_view, view_from_world, position, picture)
    }

    #[test]
    fn what_lies_below_is_in_the_middle_and_what_is_behind_is_nowhere() {
        let eye = eye_above();

        let below = eye.project(Vec3::new(3.0, 0.0, 0.0)).unwrap();
        assert!(below.distance(Pos2::new(100.0, 50.0)) < 1e-3);
        assert!(eye.project(Vec3::new(3.0, 20.0, 0.0)).is_none());
    }

    #[test]
    fn the_middle_of_a_row_is_where_it_crosses_the_middle_of_what_is_free() {
        let eye = eye_above();
        let free = Rect::from_min_max(Pos2::new(100.0, 0.0), Pos2::new(180.0, 100.0));

        let x = eye.middle_of_row(-2.0, free);

        let place = eye.project(Vec3::new(x, 0.0, -2.0)).unwrap();
        assert!((place.x - 140.0).abs() < 1e-2, "{place:?}");
    }

    #[test]
    fn ground_beside_the_picture_is_not_seen() {
        let eye = eye_above();
        let at = |x: f32| GroundRect {
            near_left: Vec2::new(x, 1.0),
            size: Vec2::splat(2.0),
        };

        assert!(eye.sees(at(2.0), 0.0));
        assert!(!eye.sees(at(60.0), 0.0));
        assert!(!eye.sees(at(-60.0), 0.0));
    }
}
