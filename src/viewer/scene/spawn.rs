//! The scene's entities: a layer has tensor blocks and head patterns as children.

use bevy::prelude::*;

use super::{SceneLayout, SceneSettings};
use crate::hook::{BlockSite, HookPoint};
use crate::layout::{GroundRect, ModelLayout};

/// A transformer block, or what lies before or after the blocks.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer(pub Option<usize>);

/// A tensor with a tile in every lane.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorBlock(pub HookPoint);

/// One head's attention pattern.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadPattern {
    /// The layer.
    pub layer: usize,
    /// The head within it.
    pub head: usize,
}

/// Where an entity's cells lie, and how far they reach from its middle.
fn placed(rect: GroundRect) -> (Transform, Visibility) {
    (
        Transform::from_translation(rect.center()).with_scale(Vec3::new(
            rect.size.x,
            1.0,
            rect.size.y,
        )),
        Visibility::default(),
    )
}

pub(super) fn spawn_entities(
    mut commands: Commands,
    layout: Res<SceneLayout>,
    settings: Res<SceneSettings>,
    layers: Query<Entity, With<Layer>>,
    mut blocks: Query<(&TensorBlock, &mut Transform), Without<HeadPattern>>,
    mut heads: Query<(&HeadPattern, &mut Transform), Without<TensorBlock>>,
) {
    let Some(layout) = &layout.0 else {
        return;
    };
    let n_heads: usize = layout.bands.iter().map(|band| band.n_heads).sum();
    let is_same_model = blocks.iter().len() == layout.blocks.len()
        && heads.iter().len() == n_heads
        && blocks
            .iter()
            .all(|(block, _)| layout.block(block.0).is_some());
    if is_same_model {
        for (block, mut transform) in &mut blocks {
            if let Some(rect) = layout.hook_rect(block.0) {
                transform.set_if_neq(placed(rect).0);
            }
        }
        for (pattern, mut transform) in &mut heads {
            let square = layout.bands[pattern.layer].square(pattern.head);
            transform.set_if_neq(placed(square).0);
        }
        return;
    }
    for layer in &layers {
        commands.entity(layer).despawn();
    }
    spawn_model(&mut commands, layout, &settings);
}

fn spawn_model(commands: &mut Commands, layout: &ModelLayout, settings: &SceneSettings) {
    let layers = std::iter::once(None).chain((0..layout.layers.len()).map(Some));
    for layer in layers {
        let name = layer.map_or_else(|| "ends".to_owned(), |layer| format!("blocks.{layer}"));
        commands
            .spawn((
                Layer(layer),
                Name::new(name),
                Transform::default(),
                Visibility::default(),
            ))
            .with_children(|parent| {
                let blocks = layout.blocks.iter();
                for block in blocks.filter(|block| block.hook.layer() == layer) {
                    let Some(rect) = layout.hook_rect(block.hook) else {
                        continue;
                    };
                    let (transform, mut visibility) = placed(rect);
                    let is_hidden = block
                        .hook
                        .site()
                        .is_some_and(|site| settings.hidden.contains(&site));
                    if is_hidden {
                        visibility = Visibility::Hidden;
                    }
                    parent.spawn((
                        TensorBlock(block.hook),
                        Name::new(block.hook.to_string()),
                        transform,
                        visibility,
                    ));
                }
                let Some(band) = layer.map(|layer| &layout.bands[layer]) else {
                    return;
                };
                for head in 0..band.n_heads {
                    let hook = HookPoint::block(band.layer, BlockSite::Pattern);
                    parent.spawn((
                        HeadPattern {
                            layer: band.layer,
                            head,
                        },
                        Name::new(format!("{hook}[{head}]")),
                        placed(band.square(head)),
                    ));
                }
            });
    }
}
