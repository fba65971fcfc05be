//! A pose tied to what it stood before, so that it makes sense in a world of another size.

use glam::Vec3;
use serde::{Deserialize, Serialize};

use crate::hook::{BlockSite, HookPoint};
use crate::layout::ModelLayout;
use crate::viewer::viewpoint::{Pose, Screen, Viewpoint};

/// A pose, measured from the tensor nearest to its focus in tiles and lanes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchoredPose {
    /// The tensor that the focus is nearest to along the flight.
    pub anchor: HookPoint,
    /// The focus across the lanes: 0 is the first lane's left edge, 1 the second's.
    pub lane: f32,
    /// The focus before (positive) or behind the tensor's middle, in tile widths.
    pub along: f32,
    /// The focus above the ground, in tile widths.
    pub height: f32,
    /// Turn around the vertical, in radians.
    pub yaw: f32,
    /// Height above the horizon, in radians.
    pub pitch: f32,
    /// Distance from the focus, in tile widths.
    pub distance: f32,
}

impl AnchoredPose {
    /// Ties a pose to the layout it stands in.
    pub fn new(pose: &Pose, layout: &ModelLayout) -> Self {
        // What is seen is what the pose is about, not a focus somewhere behind it.
        let pose = pose.grounded();
        let tile = layout.tile_size.x;
        let (anchor, z) = anchors(layout)
            .min_by(|(_, a), (_, b)| {
                (a - pose.focus.z)
                    .abs()
                    .total_cmp(&(b - pose.focus.z).abs())
            })
            .unwrap_or((HookPoint::Embed, 0.0));
        Self {
            anchor,
            lane: pose.focus.x / layout.lane_pitch,
            along: (pose.focus.z - z) / tile,
            height: pose.focus.y / tile,
            yaw: pose.yaw,
            pitch: pose.pitch,
            distance: pose.radius / tile,
        }
    }

    /// Where it is in this layout: never in the ground, and never far from the world.
    pub fn pose(&self, layout: &ModelLayout, screen: &Screen) -> Pose {
        let tile = layout.tile_size.x;
        let Some(z) = anchor_z(layout, self.anchor) else {
            return Viewpoint::Overview.pose(layout, screen);
        };
        // Room beside the lanes is kept, lanes that are not there are not.
        let lane = self.lane.min(layout.n_lanes as f32);
        Pose {
            focus: Vec3::new(
                lane * layout.lane_pitch,
                self.height * tile,
                z + self.along * tile,
            ),
            yaw: self.yaw,
            pitch: self.pitch,
            radius: self.distance * tile,
        }
        .kept_in(layout)
    }

    /// Whether every number is one that a camera can have.
    pub fn is_sound(&self) -> bool {
        let lengths = [self.lane, self.along, self.height, self.distance];
        let angles = [self.yaw, self.pitch];
        lengths.iter().all(|length| length.abs() < 1e6)
            && angles.iter().all(|angle| angle.abs() < 1e3)
            && self.pitch.abs() < 1.6
            && self.distance > 0.0
    }
}

/// The tensors that a pose may be tied to, and where their middles are along Z.
fn anchors(layout: &ModelLayout) -> impl Iterator<Item = (HookPoint, f32)> + '_ {
    let patterns = (0..layout.layers.len()).map(|n| HookPoint::block(n, BlockSite::Pattern));
    let tiles = layout.blocks.iter().map(|block| block.hook);
    tiles
        .chain(patterns)
        .filter_map(|hook| Some((hook, layout.hook_rect(hook)?.center().z)))
}

/// Where a tensor's middle is along Z; in a model that lacks it, where the like of it is.
fn anchor_z(layout: &ModelLayout, anchor: HookPoint) -> Option<f32> {
    let middle = |hook| layout.hook_rect(hook).map(|rect| rect.center().z);
    let (Some(layer), Some(site)) = (anchor.layer(), anchor.site()) else {
        return middle(anchor).or_else(|| middle(HookPoint::Embed));
    };
    let layer = layer.min(layout.layers.len().checked_sub(1)?);
    let span = layout.layers.get(layer)?;
    middle(HookPoint::block(layer, site)).or(Some(0.5 * (span.near_z + span.far_z)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ModelConfig;

    fn layout(name: &str, n_lanes: usize) -> ModelLayout {
        ModelLayout::new(&ModelConfig::preset(name).unwrap(), n_lanes)
    }

    #[test]
    fn in_its_own_world_a_saved_pose_is_where_it_was() {
        let layout = layout("gpt2", 5);
        let screen = Screen::default();
        for viewpoint in Viewpoint::ALL {
            let pose = viewpoint.pose(&layout, &screen);

            let again = AnchoredPose::new(&pose, &layout).pose(&layout, &screen);

            let distance = again.position().distance(pose.position());
            assert!(
                distance < 0.01 * layout.tile_size.x,
                "{viewpoint:?}: {again:?}"
            );
            assert_eq!((again.yaw, again.pitch), (pose.yaw, pose.pitch));
        }
    }

    #[test]
    fn in_another_world_it_stands_before_the_same_tensor_of_the_same_token() {
        let (small, large) = (layout("gpt2", 5), layout("gpt2-medium", 9));
        let hook = HookPoint::block(7, BlockSite::MlpPost);
        let center =
            |layout: &ModelLayout| layout.tile_rect(layout.block(hook).unwrap(), 3).center();
        let screen = Screen::default();
        let pose = Pose {
            focus: center(&small),
            yaw: 0.3,
            pitch: 0.8,
            radius: 3.0 * small.tile_size.x,
        };

        let there = AnchoredPose::new(&pose, &small).pose(&large, &screen);

        assert!(there.focus.distance(center(&large)) < 0.1 * large.tile_size.x);
        assert!((there.radius - 3.0 * large.tile_size.x).abs() < 1e-3);
        assert_eq!((there.yaw, there.pitch), (0.3, 0.8));
    }

    #[test]
    fn in_a_smaller_world_it_stands_at_the_last_layer_and_by_the_last_lane() {
        let (large, small) = (layout("gpt2-medium", 30), layout("gpt2", 2));
        let screen = Screen::default();
        let hook = HookPoint::block(20, BlockSite::Pattern);
        let pose = Pose {
            focus: large.hook_rect(hook).unwrap().center(),
            ..Viewpoint::Layer.pose(&large, &screen)
        };

        let there = AnchoredPose::new(&pose, &large).pose(&small, &screen);

        let last = small.layers.last().unwrap();
        assert!(
            (last.far_z..last.near_z).contains(&there.focus.z),
            "{there:?}"
        );
        assert!(
            there.focus.x <= small.width() + small.lane_pitch,
            "{there:?}"
        );
        assert!(there.position().y > 0.0);
    }
}
