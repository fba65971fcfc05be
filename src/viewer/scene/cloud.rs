//! Tokens as points: a projection of their embeddings, in a box beside the entrance.

use std::sync::Arc;

use bevy::prelude::*;

use super::gpu::Dot;
use super::{DrawList, SceneLayout};
use crate::layout::{CloudRoom, ModelLayout};

/// A token's place in a projection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CloudPoint {
    /// From -1 to 1 along each axis.
    pub at: Vec3,
    /// The token.
    pub token: u32,
    /// The position in the text, where it is one of its tokens.
    pub pos: Option<usize>,
    /// What its colour shows.
    pub value: f32,
}

/// A projection in three dimensions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cloud {
    /// What it shows, such as `W_E, PCA`.
    pub title: String,
    /// What runs along each axis.
    pub axes: [String; 3],
    /// What the colours show, such as `norm of the embedding`.
    pub value: String,
    /// The points.
    pub points: Vec<CloudPoint>,
}

impl Cloud {
    /// The greatest value that is a number; 0 if there is none.
    pub fn greatest(&self) -> f32 {
        let values = self.points.iter().map(|point| point.value);
        values.filter(|value| value.is_finite()).fold(0.0, f32::max)
    }
}

/// The projection that stands in the world, if one does.
#[derive(Resource, Clone, Debug, Default)]
pub struct PointCloud {
    /// The projection.
    pub cloud: Option<Arc<Cloud>>,
    /// The token that is chosen.
    pub chosen: Option<u32>,
}

/// Where a point of a projection stands in the world.
pub fn place(room: &CloudRoom, at: Vec3) -> Vec3 {
    room.center + room.half * at
}

/// Size of a point, as a share of the box's half edge.
const DOT_SHARE: f32 = 0.02;
/// How much larger the text's tokens are, and the chosen one.
const EMPHASIS: f32 = 1.9;

pub(super) fn scatter(
    layout: Res<SceneLayout>,
    cloud: Res<PointCloud>,
    mut list: ResMut<DrawList>,
) {
    if !(layout.is_changed() || cloud.is_changed()) {
        return;
    }
    let dots = match (&layout.0, &cloud.cloud) {
        (Some(layout), Some(shown)) => dots(layout, shown, cloud.chosen),
        _ => Vec::new(),
    };
    if list.dots != dots {
        list.dots = dots;
    }
}

fn dots(layout: &ModelLayout, cloud: &Cloud, chosen: Option<u32>) -> Vec<Dot> {
    let room = layout.cloud_room();
    let greatest = cloud.greatest();
    let scale = if greatest > 0.0 { 1.0 / greatest } else { 0.0 };
    let points = cloud.points.iter().filter(|point| point.at.is_finite());
    points
        .map(|point| {
            let is_chosen = chosen == Some(point.token);
            let is_marked = is_chosen || point.pos.is_some();
            let emphasis = if is_marked { EMPHASIS } else { 1.0 };
            Dot {
                at: place(&room, point.at).to_array(),
                size: DOT_SHARE * room.half * emphasis,
                value: if point.value.is_finite() {
                    (point.value * scale).clamp(0.0, 1.0)
                } else {
                    super::NOT_FINITE
                },
                rim: f32::from(is_marked) + f32::from(is_chosen),
                unused: [0.0; 2],
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ModelConfig;

    fn point(at: Vec3, token: u32, value: f32) -> CloudPoint {
        CloudPoint {
            at,
            token,
            pos: None,
            value,
        }
    }

    #[test]
    fn every_point_stands_in_its_box_clear_of_the_ground_and_of_every_tensor() {
        for name in ["gpt2", "gpt2-medium", "gpt2-xl"] {
            for n_lanes in [1, 12, 300] {
                let layout = ModelLayout::new(&ModelConfig::preset(name).unwrap(), n_lanes);
                let room = layout.cloud_room();
                let bounds = layout.bounds();
                for at in [Vec3::NEG_ONE, Vec3::ONE, Vec3::ZERO] {
                    let place = place(&room, at);
                    assert!(place.y > 0.0, "{name}: {place}");
                    let is_left = place.x < bounds.low().x;
                    assert!(is_left, "{name}: {place} stands in the avenue");
                }
            }
        }
    }

    #[test]
    fn marked_tokens_are_larger_values_end_at_the_greatest_and_points_without_a_place_are_left_out()
    {
        let layout = ModelLayout::new(&ModelConfig::preset("gpt2").unwrap(), 2);
        let cloud = Cloud {
            points: vec![
                point(Vec3::ZERO, 5, 2.0),
                CloudPoint {
                    pos: Some(1),
                    ..point(Vec3::X, 6, 4.0)
                },
                point(Vec3::Y, 7, f32::NAN),
                point(Vec3::NAN, 8, 1.0),
            ],
            ..Cloud::default()
        };

        let dots = dots(&layout, &cloud, Some(7));

        assert_eq!(dots.len(), 3);
        assert_eq!((dots[0].value, dots[1].value), (0.5, 1.0));
        assert_eq!(dots[2].value, super::super::NOT_FINITE);
        assert_eq!([dots[0].rim, dots[1].rim, dots[2].rim], [0.0, 1.0, 2.0]);
        assert!(dots[1].size > dots[0].size && dots[2].size > dots[0].size);
    }
}
