//! Which number a ray meets: analytic, against boxes with their heights.

use std::ops::Range;

use glam::{Vec2, Vec3};

use super::{Cell, CellId, GroundRect, ModelLayout};

/// The share of a cell's edge that its box covers.
pub const PICK_SHARE: f32 = 0.84;

/// A half line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ray {
    /// Where it begins.
    pub origin: Vec3,
    /// Where it goes; of any length.
    pub direction: Vec3,
}

/// What a ray meets first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// The number.
    pub cell: Cell,
    /// How far along the ray, in lengths of its direction.
    pub distance: f32,
}

impl Ray {
    /// The point at `distance`.
    pub fn at(&self, distance: f32) -> Vec3 {
        self.origin + distance * self.direction
    }

    /// The part of the ray between the ground and `height`, none where it never is there.
    fn below(&self, height: f32) -> Option<Range<f32>> {
        let (y, slope) = (self.origin.y, self.direction.y);
        let range = if slope.abs() < 1e-9 {
            if !(0.0..=height).contains(&y) {
                return None;
            }
            0.0..f32::MAX
        } else {
            let (a, b) = ((height - y) / slope, -y / slope);
            a.min(b).max(0.0)..a.max(b)
        };
        (range.start < range.end).then_some(range)
    }

    /// The part of the ray over `rect`; none where it never is there.
    fn over(&self, rect: &GroundRect) -> Option<Range<f32>> {
        let mut range = 0.0..f32::MAX;
        let (low, high) = (rect.low(), rect.high());
        for (origin, slope, low, high) in [
            (self.origin.x, self.direction.x, low.x, high.x),
            (self.origin.z, self.direction.z, low.y, high.y),
        ] {
            if slope.abs() < 1e-12 {
                if !(low..=high).contains(&origin) {
                    return None;
                }
                continue;
            }
            let (a, b) = ((low - origin) / slope, (high - origin) / slope);
            range.start = range.start.max(a.min(b));
            range.end = range.end.min(a.max(b));
        }
        (range.start <= range.end).then_some(range)
    }

    /// Where it meets the box that stands on `rect`.
    fn meets_box(&self, rect: &GroundRect, height: f32) -> Option<f32> {
        let over = self.over(rect)?;
        let below = self.below(height)?;
        let start = over.start.max(below.start);
        (start <= over.end.min(below.end)).then_some(start)
    }
}

fn overlap(a: &Range<f32>, b: &Range<f32>) -> Option<Range<f32>> {
    let range = a.start.max(b.start)..a.end.min(b.end);
    (range.start <= range.end).then_some(range)
}

impl ModelLayout {
    /// What `ray` meets first: a box that rises from its cell by `height_of`, or the ground of a
    /// cell. Boxes are never higher than `max_height`, and none rises beyond `reach` along the ray.
    pub fn pick(
        &self,
        ray: &Ray,
        height_of: &dyn Fn(CellId) -> f32,
        max_height: f32,
        reach: f32,
    ) -> Option<Hit> {
        let boxed = ray
            .below(max_height)
            .and_then(|range| overlap(&range, &(0.0..reach)))
            .and_then(|range| self.pick_box(ray, height_of, &range));
        let ground = (ray.direction.y < 0.0)
            .then(|| -ray.origin.y / ray.direction.y)
            .filter(|distance| *distance >= 0.0)
            .and_then(|distance| {
                let point = ray.at(distance);
                let cell = self.number_at(point.x, point.z)?;
                Some(Hit { cell, distance })
            });
        match (boxed, ground) {
            (Some(boxed), Some(ground)) if ground.distance < boxed.distance => Some(ground),
            (boxed, ground) => boxed.or(ground),
        }
    }

    /// The first box met within `range` of the ray.
    fn pick_box(
        &self,
        ray: &Ray,
        height_of: &dyn Fn(CellId) -> f32,
        range: &Range<f32>,
    ) -> Option<Hit> {
        let mut first: Option<Hit> = None;
        let mut take = |cell: CellId, rect: &GroundRect| {
            let inner = GroundRect {
                near_left: rect.near_left
                    + 0.5 * (1.0 - PICK_SHARE) * rect.size * Vec2::new(1.0, -1.0),
                size: PICK_SHARE * rect.size,
            };
            let height = height_of(cell);
            if height <= 0.0 {
                return;
            }
            if let Some(distance) = ray.meets_box(&inner, height)
                && first.is_none_or(|hit| distance < hit.distance)
            {
                first = Some(Hit {
                    cell: Cell::Value(cell),
                    distance,
                });
            }
        };
        for block in &self.blocks {
            let Some(part) = self
                .hook_rect(block.hook)
                .and_then(|rect| overlap(&ray.over(&rect)?, range))
            else {
                continue;
            };
            for pos in self.lanes_between(ray.at(part.start).x, ray.at(part.end).x) {
                let rect = self.tile_rect(block, pos);
                let Some(part) = ray.over(&rect).and_then(|over| overlap(&over, range)) else {
                    continue;
                };
                walk(ray, &rect, block.cell_size, &part, |col, row| {
                    if let Some((head, index)) = block.grid.cell_at(col, row) {
                        let cell = CellId {
                            hook: block.hook,
                            pos,
                            head,
                            index,
                        };
                        if let Some(rect) = self.cell_rect(cell) {
                            take(cell, &rect);
                        }
                    }
                });
            }
        }
        for band in &self.bands {
            for head in 0..band.n_heads {
                let rect = band.square(head);
                let Some(part) = ray.over(&rect).and_then(|over| overlap(&over, range)) else {
                    continue;
                };
                let edge = band.square_size / self.n_lanes as f32;
                walk(ray, &rect, edge, &part, |key, query| {
                    let cell = CellId {
                        hook: band.hook,
                        pos: query,
                        head,
                        index: key,
                    };
                    if let Some(rect) = self.cell_rect(cell) {
                        take(cell, &rect);
                    }
                });
            }
        }
        first
    }

    /// The lanes that lie between two places along X.
    fn lanes_between(&self, a: f32, b: f32) -> Range<usize> {
        let lane = |x: f32| ((x / self.lane_pitch).floor().max(0.0) as usize).min(self.n_lanes);
        lane(a.min(b))..(lane(a.max(b)) + 1).min(self.n_lanes)
    }
}

/// Calls `visit` with column and row of every cell of `rect` that the ray passes over within `part`.
fn walk(
    ray: &Ray,
    rect: &GroundRect,
    cell_size: f32,
    part: &Range<f32>,
    mut visit: impl FnMut(usize, usize),
) {
    let place = |distance: f32| {
        let point = ray.at(distance);
        Vec2::new(point.x - rect.near_left.x, rect.near_left.y - point.z) / cell_size
    };
    let (start, end) = (place(part.start), place(part.end));
    let size = (rect.size / cell_size).round();
    let last = (size - Vec2::ONE).max(Vec2::ZERO);
    let (first_row, last_row) = (
        start.y.min(end.y).floor().clamp(0.0, last.y) as usize,
        start.y.max(end.y).floor().clamp(0.0, last.y) as usize,
    );
    // Row by row: the columns that the ray crosses between the row's edges.
    for row in first_row..=last_row {
        let across = |edge: f32| {
            if (end.y - start.y).abs() < 1e-6 {
                return None;
            }
            let share = ((edge - start.y) / (end.y - start.y)).clamp(0.0, 1.0);
            Some(start.x + share * (end.x - start.x))
        };
        let (a, b) = match (across(row as f32), across(row as f32 + 1.0)) {
            (Some(a), Some(b)) => (a, b),
            _ => (start.x, end.x),
        };
        // A little wider, for rounding at the edges.
        let first_col = (a.min(b) - 0.01).floor().clamp(0.0, last.x) as usize;
        let last_col = (a.max(b) + 0.01).floor().clamp(0.0, last.x) as usize;
        for col in first_col..=last_col {
            visit(col, row);
        }
    }
}
