//! The scene's entities: a layer has tensor blocks and head patterns as children.

use bevy::prelude::*;

use super::SceneLayout;
use crate::hook::{BlockSite, HookPoint};
use crate::layout::{AttentionBand, GroundRect, ModelLayout};
use crate::weight::WeightPoint;

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

/// A matrix or vector of weights; a long vocabulary has several.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightMatrix {
    /// The weight.
    pub weight: WeightPoint,
    /// The first of its entries along the field's columns.
    pub first_column: usize,
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
    layers: Query<Entity, With<Layer>>,
    mut blocks: Query<(&TensorBlock, &mut Transform)>,
    mut heads: Query<(&HeadPattern, &mut Transform), Without<TensorBlock>>,
    mut matrices: Query<
        (&WeightMatrix, &mut Transform),
        (Without<TensorBlock>, Without<HeadPattern>),
    >,
) {
    let Some(layout) = &layout.0 else {
        return;
    };
    let n_heads: usize = patterns(layout).map(|band| band.n_heads).sum();
    let is_same_model = blocks.iter().len() == layout.blocks.len()
        && heads.iter().len() == n_heads
        && matrices.iter().len() == layout.fields.len()
        && blocks
            .iter()
            .all(|(block, _)| layout.block(block.0).is_some())
        && heads
            .iter()
            .all(|(head, _)| layout.band(head.hook()).is_some());
    if is_same_model {
        for (block, mut transform) in &mut blocks {
            if let Some(rect) = layout.hook_rect(block.0) {
                transform.set_if_neq(placed(rect).0);
            }
        }
        for (pattern, mut transform) in &mut heads {
            if let Some(band) = layout.band(pattern.hook()) {
                transform.set_if_neq(placed(band.square(pattern.head)).0);
            }
        }
        for (matrix, mut transform) in &mut matrices {
            let field = layout
                .fields_of(matrix.weight)
                .find(|field| field.columns.start == matrix.first_column);
            if let Some(field) = field {
                transform.set_if_neq(placed(field.rect).0);
            }
        }
        return;
    }
    for layer in &layers {
        commands.entity(layer).despawn();
    }
    spawn_model(&mut commands, layout);
}

impl HeadPattern {
    fn hook(self) -> HookPoint {
        HookPoint::block(self.layer, BlockSite::Pattern)
    }
}

fn patterns(layout: &ModelLayout) -> impl Iterator<Item = &AttentionBand> {
    layout
        .bands
        .iter()
        .filter(|band| band.hook.site() == Some(BlockSite::Pattern))
}

fn spawn_model(commands: &mut Commands, layout: &ModelLayout) {
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
                    parent.spawn((
                        TensorBlock(block.hook),
                        Name::new(block.hook.to_string()),
                        placed(rect),
                    ));
                }
                for band in patterns(layout).filter(|band| Some(band.layer) == layer) {
                    for head in 0..band.n_heads {
                        parent.spawn((
                            HeadPattern {
                                layer: band.layer,
                                head,
                            },
                            Name::new(format!("{}[{head}]", band.hook)),
                            placed(band.square(head)),
                        ));
                    }
                }
                let fields = layout.fields.iter();
                for field in fields.filter(|field| field.weight.layer() == layer) {
                    parent.spawn((
                        WeightMatrix {
                            weight: field.weight,
                            first_column: field.columns.start,
                        },
                        Name::new(field.weight.to_string()),
                        placed(field.rect),
                    ));
                }
            });
    }
}
