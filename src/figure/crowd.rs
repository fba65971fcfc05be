//! Where points of a page are, to keep names off them.

use std::collections::BTreeMap;

use super::canvas::Area;

/// Where the points are, in squares of the page.
pub(super) struct Crowd {
    by_square: BTreeMap<(i32, i32), Vec<(f32, f32)>>,
}

impl Crowd {
    const SQUARE: f32 = 24.0;

    pub fn of(points: impl Iterator<Item = (f32, f32)>) -> Self {
        let mut by_square: BTreeMap<(i32, i32), Vec<(f32, f32)>> = BTreeMap::new();
        for (x, y) in points {
            let square = ((x / Self::SQUARE) as i32, (y / Self::SQUARE) as i32);
            by_square.entry(square).or_default().push((x, y));
        }
        Self { by_square }
    }

    /// Whether a point lies under an area.
    pub fn covers(&self, area: &Area) -> bool {
        let square = |at: f32| (at / Self::SQUARE) as i32;
        (square(area.x)..=square(area.right())).any(|column| {
            (square(area.y)..=square(area.bottom())).any(|row| {
                let points = self.by_square.get(&(column, row));
                points.into_iter().flatten().any(|(x, y)| {
                    (area.x..area.right()).contains(x) && (area.y..area.bottom()).contains(y)
                })
            })
        })
    }
}
