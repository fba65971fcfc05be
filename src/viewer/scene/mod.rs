//! Turns layers, heads and tensors into entities, and what is recorded into a list to draw.

mod arcs;
mod arrange;
mod gpu;
mod near;
mod spawn;
mod values;

use std::collections::BTreeSet;

use bevy::prelude::*;

pub use arrange::ranges as block_ranges;
pub use gpu::{
    ARC_VERTICES, Arc, BAND_BIT, BOX_INDICES, Band, Block, FLAG_HIDDEN, FLAG_STREAM,
    MAX_NEAR_CELLS, MAX_NEAR_TILES, NOT_FINITE, NearTile, WorldUniform,
};
pub use spawn::{HeadPattern, Layer, TensorBlock};
pub use values::{BlockStats, Changes, ValueBuffer};

use super::ViewerSystems;
use super::inference::{ActiveTrace, TraceEvent};
use crate::color::{RangeMode, Theme};
use crate::hook::BlockSite;
use crate::layout::ModelLayout;

/// Keeps the entities, the [`ValueBuffer`] and the [`DrawList`] up to date with the trace.
pub struct ScenePlugin;

impl Plugin for ScenePlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<SceneSettings>()
            .init_resource::<SceneLayout>()
            .init_resource::<ValueBuffer>()
            .init_resource::<DrawList>()
            .add_systems(
                Update,
                (
                    (lay_out, take_values).chain(),
                    spawn::spawn_entities.run_if(resource_exists_and_changed::<SceneLayout>),
                    arrange::arrange_blocks.run_if(
                        resource_changed::<SceneLayout>
                            .or_else(resource_changed::<ValueBuffer>)
                            .or_else(resource_changed::<SceneSettings>),
                    ),
                    arrange::place_playhead,
                    arcs::raise_arcs,
                )
                    .chain()
                    .in_set(ViewerSystems::Arrange),
            )
            .add_systems(
                PostUpdate,
                near::choose_near_tiles.after(TransformSystems::Propagate),
            );
    }
}

/// Where everything stands for the text on show; none before a model is loaded.
#[derive(Resource, Default, Deref)]
pub struct SceneLayout(Option<ModelLayout>);

/// What of the scene is shown, and how.
#[derive(Resource, Clone, Debug, PartialEq)]
pub struct SceneSettings {
    /// Dark or light.
    pub theme: Theme,
    /// Which values share a range.
    pub range_mode: RangeMode,
    /// Kinds of tensors left out.
    pub hidden: BTreeSet<BlockSite>,
    /// Attention weights below this have no arc.
    pub arc_threshold: f32,
    /// Whether there are arcs.
    pub has_arcs: bool,
    /// Cells that may be boxes at once.
    pub box_budget: usize,
}

impl Default for SceneSettings {
    fn default() -> Self {
        Self {
            theme: Theme::default(),
            range_mode: RangeMode::default(),
            hidden: BTreeSet::new(),
            arc_threshold: 0.2,
            has_arcs: true,
            box_budget: 120_000,
        }
    }
}

/// What is drawn this frame.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub struct DrawList {
    /// Which colour table.
    pub theme: Theme,
    /// The world's numbers.
    pub uniform: WorldUniform,
    /// Vector tensors.
    pub blocks: Vec<Block>,
    /// Attention patterns.
    pub bands: Vec<Band>,
    /// Tiles and heads near enough for boxes.
    pub near_tiles: Vec<NearTile>,
    /// How many cells each of them has.
    pub near_cells: Vec<u32>,
    /// Ribbons of attention.
    pub arcs: Vec<Arc>,
}

fn lay_out(
    trace: Res<ActiveTrace>,
    mut events: MessageReader<TraceEvent>,
    mut layout: ResMut<SceneLayout>,
    mut values: ResMut<ValueBuffer>,
) {
    let mut is_new_text = false;
    for event in events.read() {
        is_new_text |= matches!(
            event,
            TraceEvent::ModelLoaded | TraceEvent::PassStarted { first_pos: 0, .. }
        );
    }
    let Some(model) = trace.model() else {
        return;
    };
    let n_lanes = trace.n_lanes();
    let is_same = layout
        .0
        .as_ref()
        .is_some_and(|layout| layout.n_lanes == n_lanes);
    if is_same && !is_new_text {
        return;
    }
    let new_layout = ModelLayout::new(&model.config, n_lanes);
    if is_new_text || values.is_unset() {
        values.reset(&new_layout, &model.config);
    }
    // A shape alone has no values to hold.
    values.set_lanes(trace.n_pos());
    layout.0 = Some(new_layout);
}

fn take_values(
    layout: Res<SceneLayout>,
    mut events: MessageReader<TraceEvent>,
    mut values: ResMut<ValueBuffer>,
) {
    let Some(layout) = &layout.0 else {
        return;
    };
    for event in events.read() {
        if let TraceEvent::Computed {
            first_pos,
            values: computed,
        } = event
        {
            for (hook, activation) in computed {
                values.write(layout, *hook, *first_pos, activation);
            }
        }
    }
}
