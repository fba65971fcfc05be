//! Where points of a picture are on screen, and which part of it is seen.

use egui::{Pos2, Rect, Vec2, pos2, vec2};

/// Which part of a picture is seen: both axes have one scale, so that distances look as they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// What stands in the middle, in the picture's unit.
    pub middle: Vec2,
    /// Points of the screen for one unit.
    pub zoom: f32,
}

/// Free room around all points, as a share of the rectangle's side.
const MARGIN: f32 = 0.06;

impl Frame {
    /// All of `points` (`[n, n_dims]`, the first two coordinates) in a rectangle of this size.
    pub fn around(points: &[f32], n_dims: usize, size: Vec2) -> Self {
        let (mut low, mut high) = (Vec2::splat(f32::INFINITY), Vec2::splat(f32::NEG_INFINITY));
        for point in points.chunks_exact(n_dims) {
            let at = vec2(point[0], point[1]);
            if at.is_finite() {
                low = low.min(at);
                high = high.max(at);
            }
        }
        if !low.is_finite() {
            (low, high) = (Vec2::splat(-1.0), Vec2::splat(1.0));
        }
        let extent = high - low;
        let room = (1.0 - 2.0 * MARGIN) * size.max(Vec2::splat(1.0));
        let least = 1e-6 * (low.abs().max_elem() + high.abs().max_elem()) + f32::MIN_POSITIVE;
        let zoom = (room.x / extent.x.max(least)).min(room.y / extent.y.max(least));
        Self {
            middle: 0.5 * (low + high),
            zoom: zoom.clamp(1e-30, 1e30),
        }
    }

    /// Where a point is on screen.
    pub fn place(&self, rect: Rect, at: Vec2) -> Pos2 {
        let by = (at - self.middle) * self.zoom;
        rect.center() + vec2(by.x, -by.y)
    }

    /// What is at a place on screen.
    pub fn at(&self, rect: Rect, place: Pos2) -> Vec2 {
        let by = (place - rect.center()) / self.zoom;
        self.middle + vec2(by.x, -by.y)
    }

    /// Moves what is seen along with the pointer.
    pub fn pan(&mut self, by: Vec2) {
        self.middle += vec2(-by.x, by.y) / self.zoom;
    }

    /// Zooms, keeping what is at `place` where it is.
    pub fn zoom_at(&mut self, rect: Rect, place: Pos2, factor: f32) {
        let kept = self.at(rect, place);
        self.zoom = (self.zoom * factor).clamp(1e-30, 1e30);
        let now = self.at(rect, place);
        self.middle += kept - now;
    }
}

/// The point nearest to a place on screen, if one is within `reach` of it.
pub fn hit(
    points: &[f32],
    n_dims: usize,
    frame: &Frame,
    rect: Rect,
    place: Pos2,
    reach: f32,
) -> Option<usize> {
    let wanted = frame.at(rect, place);
    let reach = reach / frame.zoom;
    let mut best = (reach * reach, None);
    for (index, point) in points.chunks_exact(n_dims).enumerate() {
        let distance = (vec2(point[0], point[1]) - wanted).length_sq();
        // Of points at one place the first.
        if distance < best.0 {
            best = (distance, Some(index));
        }
    }
    best.1
}

/// The nearest point in a direction of the screen from one, for the arrow keys: what lies aside counts
/// twice.
pub fn beside(points: &[f32], n_dims: usize, from: usize, direction: Vec2) -> Option<usize> {
    let at = |index: usize| pos2(points[index * n_dims], -points[index * n_dims + 1]);
    let start = at(from);
    let n = points.len() / n_dims;
    let others = (0..n).filter(|index| *index != from);
    let ahead = others.filter_map(|index| {
        let by = at(index) - start;
        let along = by.dot(direction);
        let aside = by.dot(vec2(direction.y, -direction.x)).abs();
        (along > 0.0 && aside <= 2.0 * along).then_some((along + 2.0 * aside, index))
    });
    let nearest = ahead.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    nearest.map(|(_, index)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rect() -> Rect {
        Rect::from_min_size(pos2(10.0, 20.0), vec2(200.0, 100.0))
    }

    #[test]
    fn all_points_are_seen_and_up_is_up() {
        let points = [-3.0, 5.0, 7.0, 6.0, 1.0, 9.0];

        let frame = Frame::around(&points, 2, rect().size());

        let places: Vec<Pos2> = points
            .chunks(2)
            .map(|at| frame.place(rect(), vec2(at[0], at[1])))
            .collect();
        assert!(
            places.iter().all(|place| rect().contains(*place)),
            "{places:?}"
        );
        assert!(places[2].y < places[0].y, "{places:?}");
        let one = Frame::around(&[4.0, 4.0], 2, rect().size());
        assert_eq!(one.place(rect(), vec2(4.0, 4.0)), rect().center());
    }

    #[test]
    fn zooming_keeps_what_is_under_the_pointer_and_panning_takes_it_along() {
        let mut frame = Frame::around(&[0.0, 0.0, 10.0, 10.0], 2, rect().size());
        let place = pos2(60.0, 50.0);
        let before = frame.at(rect(), place);

        frame.zoom_at(rect(), place, 3.0);
        assert!((frame.at(rect(), place) - before).length() < 1e-4);
        frame.pan(vec2(5.0, -7.0));

        let moved = frame.place(rect(), before) - place;
        assert!((moved - vec2(5.0, -7.0)).length() < 1e-3, "{moved:?}");
    }

    #[test]
    fn the_nearest_point_is_hit_within_reach_and_arrows_find_their_way() {
        let points = [0.0, 0.0, 10.0, 0.0, 0.0, 10.0, 10.0, 1.0];
        let frame = Frame::around(&points, 2, rect().size());
        let at = |x, y| frame.place(rect(), vec2(x, y));

        assert_eq!(hit(&points, 2, &frame, rect(), at(9.9, 0.2), 8.0), Some(1));
        assert_eq!(hit(&points, 2, &frame, rect(), at(5.0, 5.0), 8.0), None);
        assert_eq!(beside(&points, 2, 0, vec2(1.0, 0.0)), Some(1));
        assert_eq!(beside(&points, 2, 0, vec2(0.0, -1.0)), Some(2));
        assert_eq!(beside(&points, 2, 0, vec2(-1.0, 0.0)), None);
    }
}
