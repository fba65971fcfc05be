//! A picture in three dimensions, as it stands in the world.

use std::sync::Arc;

use glam::Vec3;

use super::subject::Subject;
use crate::viewer::scene::{Cloud, CloudPoint};
use crate::viewer::ui::panels::plots::PlotView;

/// The picture as a cloud, from -1 to 1 along every axis and all with one scale; `reach` are all points
/// that it is to have room for, `[n, 3]`.
pub fn cloud(
    subject: &Subject,
    points: &[f32],
    reach: &[f32],
    values: &[f32],
    names: (&str, &[String], &str),
    view: &PlotView<'_>,
) -> Arc<Cloud> {
    let (middle, half) = bounds(reach);
    let (title, axes, value) = names;
    let places = points.as_chunks::<3>().0.iter().enumerate();
    // The last position of every token, where the points are of a vocabulary.
    let mut positions = vec![
        None;
        if subject.is_text() {
            0
        } else {
            subject.tokens.len()
        }
    ];
    for (pos, position) in view.positions.iter().enumerate() {
        if let Some(last) = positions.get_mut(position.token as usize) {
            *last = Some(pos);
        }
    }
    let points = places.map(|(index, at)| CloudPoint {
        at: (Vec3::from_array(*at) - middle) / half,
        token: subject.tokens[index],
        pos: if subject.is_text() {
            Some(index)
        } else {
            positions[index]
        },
        value: values.get(index).copied().unwrap_or(0.0),
    });
    let axis = |index: usize| axes.get(index).cloned().unwrap_or_default();
    Arc::new(Cloud {
        title: title.to_owned(),
        axes: [axis(0), axis(1), axis(2)],
        value: value.to_owned(),
        points: points.collect(),
    })
}

fn bounds(points: &[f32]) -> (Vec3, f32) {
    let (mut low, mut high) = (Vec3::INFINITY, Vec3::NEG_INFINITY);
    for point in points.as_chunks::<3>().0 {
        let at = Vec3::from_array(*point);
        if at.is_finite() {
            (low, high) = (low.min(at), high.max(at));
        }
    }
    if !low.is_finite() {
        return (Vec3::ZERO, 1.0);
    }
    let half = 0.5 * (high - low).max_element();
    (0.5 * (low + high), if half > 0.0 { half } else { 1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_points_find_room_and_keep_their_shape() {
        let (middle, half) = bounds(&[0.0, 0.0, 0.0, 10.0, 2.0, 4.0, f32::NAN, 0.0, 0.0]);

        assert_eq!((middle, half), (Vec3::new(5.0, 1.0, 2.0), 5.0));
        assert_eq!(bounds(&[]), (Vec3::ZERO, 1.0));
        assert_eq!(bounds(&[3.0, 3.0, 3.0]), (Vec3::splat(3.0), 1.0));
    }
}
