//! Turns layers, heads and tensors into entities, and what is recorded into a list to draw.

mod arcs;
mod arrange;
mod attention;
mod cloud;
mod eye;
mod gpu;
mod heights;
mod links;
mod near;
mod overlay;
mod pool;
mod residency;
mod skyline;
mod spawn;
mod values;
mod weights;

use std::collections::BTreeSet;

use bevy::prelude::*;

pub use arcs::{ArcChoice, Pooling};
pub use arrange::{HEIGHT_SHARE, TensorRange, shown_hooks, tensor_ranges};
pub use attention::{AttentionOverview, Reduction};
pub use cloud::{Cloud, CloudPoint, PointCloud, place as cloud_place};
pub use eye::Eye;
pub use gpu::{
    ARC_VERTICES, Arc, BOX_INDICES, Bar, Block, Dot, FIELD_BIT, FIELD_PATTERN, FIELD_SCORES,
    FIELD_WEIGHT, FLAG_STREAM, Field, Line, MAX_NEAR_CELLS, MAX_NEAR_TILES, NOT_FINITE, NearTile,
    Tile, WorldUniform,
};
pub use heights::{CellHeights, MAX_MAGNITUDE, SQUARE_HEIGHT, rise};
pub use links::Highlight;
pub use near::NearTiles;
pub use overlay::{ColorBy, Overlay};
pub use pool::{PoolKey, Slot, Upload, ValuePool};
pub use skyline::Predictions;
pub use spawn::{HeadPattern, Layer, TensorBlock, WeightMatrix};
pub use values::{TensorStats, ValueTable};
pub use weights::{FieldKey, FieldOverview, WeightStore, Window};

use super::ViewerSystems;
use super::inference::{ActiveTrace, TraceEvent};
use crate::color::{RangeSettings, Theme};
use crate::layout::{Kind, ModelLayout};

/// Keeps the entities, the [`ValueTable`], the [`ValuePool`] and the [`DrawList`] up to date with the
/// trace.
pub struct ScenePlugin;

impl Plugin for ScenePlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<SceneSettings>()
            .init_resource::<SceneLayout>()
            .init_resource::<ValueTable>()
            .init_resource::<ValuePool>()
            .init_resource::<WeightStore>()
            .init_resource::<SceneLimits>()
            .init_resource::<Predictions>()
            .init_resource::<PointCloud>()
            .init_resource::<Overlay>()
            .init_resource::<Highlight>()
            .init_resource::<Eye>()
            .init_resource::<DrawList>()
            .add_systems(
                Update,
                (
                    (lay_out, overlay::follow, take_values, skyline::predict).chain(),
                    spawn::spawn_entities.run_if(resource_exists_and_changed::<SceneLayout>),
                    arrange::arrange_blocks.run_if(
                        resource_changed::<SceneLayout>
                            .or_else(resource_changed::<ValueTable>)
                            .or_else(resource_changed::<WeightStore>)
                            .or_else(resource_changed::<SceneSettings>),
                    ),
                    arrange::place_playhead,
                    arcs::raise_arcs,
                    skyline::raise_bars,
                    cloud::scatter,
                )
                    .chain()
                    .in_set(ViewerSystems::Arrange),
            )
            .add_systems(
                PostUpdate,
                (
                    eye::see,
                    near::choose_near_tiles,
                    residency::stream_values,
                    links::draw_lines,
                )
                    .chain()
                    .in_set(SceneSystems::See)
                    .after(TransformSystems::Propagate),
            );
    }
}

/// What the scene does at the end of a frame, in `PostUpdate`.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SceneSystems {
    /// Choose what the camera, where it is now, sees in detail.
    See,
}

/// Where everything stands for the text on show; none before a model is loaded.
#[derive(Resource, Default, Deref)]
pub struct SceneLayout(Option<ModelLayout>);

#[cfg(test)]
impl SceneLayout {
    /// A world that nobody has laid out.
    pub fn of(layout: ModelLayout) -> Self {
        Self(Some(layout))
    }
}

/// What the pool may take, even where the device allows more: as many numbers as four large screens
/// have pixels.
const POOL_BYTES: usize = 256 << 20;

/// What the device allows.
#[derive(Resource, Clone, Copy, Debug, PartialEq, Eq)]
pub struct SceneLimits {
    /// Bytes that a shader can read of one buffer.
    pub buffer_bytes: usize,
}

impl Default for SceneLimits {
    /// What every device allows.
    fn default() -> Self {
        Self {
            buffer_bytes: 128 << 20,
        }
    }
}

/// What of the scene is shown, and how.
#[derive(Resource, Clone, Debug, PartialEq)]
pub struct SceneSettings {
    /// Dark or light.
    pub theme: Theme,
    /// What colours and heights stand for.
    pub color_by: ColorBy,
    /// Which values share a range, where it ends, and how values lie within it.
    pub ranges: RangeSettings,
    /// Kinds left out; the map closes up behind them.
    pub hidden: BTreeSet<Kind>,
    /// Attention weights below this have no arc.
    pub arc_threshold: f32,
    /// Whether there are arcs.
    pub has_arcs: bool,
    /// Which heads have arcs.
    pub arc_choice: ArcChoice,
    /// What attention comes down to, seen from afar.
    pub reduction: Reduction,
    /// Whether what is pointed at is linked to what it is computed from.
    pub has_links: bool,
    /// Whether there are a ground and a sky; without them there is nothing behind the world.
    pub has_backdrop: bool,
    /// Cells that may be boxes at once.
    pub box_budget: usize,
    /// Numbers that may be brought to the GPU in one frame.
    pub upload_budget: usize,
}

impl Default for SceneSettings {
    fn default() -> Self {
        Self {
            theme: Theme::default(),
            color_by: ColorBy::default(),
            ranges: RangeSettings::default(),
            hidden: BTreeSet::new(),
            arc_threshold: 0.2,
            has_arcs: true,
            arc_choice: ArcChoice::default(),
            reduction: Reduction::default(),
            has_links: true,
            has_backdrop: true,
            box_budget: 120_000,
            upload_budget: 6_000_000,
        }
    }
}

/// What is drawn this frame.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub struct DrawList {
    /// Which colour table.
    pub theme: Theme,
    /// Whether the ground is left out.
    pub is_groundless: bool,
    /// The world's numbers.
    pub uniform: WorldUniform,
    /// Vector tensors.
    pub blocks: Vec<Block>,
    /// Heads' attention, then weights.
    pub fields: Vec<Field>,
    /// What is near enough for boxes.
    pub near: NearTiles,
    /// Ribbons of attention.
    pub arcs: Vec<Arc>,
    /// The most probable next tokens.
    pub bars: Vec<Bar>,
    /// The points of a projection.
    pub dots: Vec<Dot>,
    /// Links and frames.
    pub lines: Vec<Line>,
}

fn lay_out(
    trace: Res<ActiveTrace>,
    mut events: MessageReader<TraceEvent>,
    settings: Res<SceneSettings>,
    mut shown: Local<Option<(BTreeSet<Kind>, Reduction)>>,
    mut layout: ResMut<SceneLayout>,
    mut values: ResMut<ValueTable>,
    mut pool: ResMut<ValuePool>,
    mut weights: ResMut<WeightStore>,
    limits: Res<SceneLimits>,
) {
    let mut is_new_text = false;
    let mut is_new_model = layout.0.is_none();
    for event in events.read() {
        is_new_model |= matches!(event, TraceEvent::ModelLoaded);
        is_new_text |= matches!(
            event,
            TraceEvent::ModelLoaded | TraceEvent::PassStarted { first_pos: 0, .. }
        );
    }
    let Some(model) = trace.model() else {
        return;
    };
    pool.set_capacity((limits.buffer_bytes.min(POOL_BYTES)) / size_of::<f32>());
    let n_lanes = trace.n_lanes();
    let now = (settings.hidden.clone(), settings.reduction);
    let (is_same_kinds, is_same_reduction) =
        shown.as_ref().map_or((true, true), |(kinds, reduction)| {
            (*kinds == now.0, *reduction == now.1)
        });
    *shown = Some(now);
    if !is_same_reduction {
        pool.clear();
        values.clear_slots();
        values.attention_mut().touch();
    }
    let is_same = layout
        .0
        .as_ref()
        .is_some_and(|layout| layout.n_lanes == n_lanes);
    if is_same && is_same_kinds && !is_new_text {
        return;
    }
    let new_layout = ModelLayout::without(&model.config, n_lanes, &settings.hidden);
    if is_new_text || values.is_unset() {
        values.reset(&model.config, limits.buffer_bytes / size_of::<f32>());
        if trace.is_saved() {
            values.allow_gaps();
        }
        pool.clear();
    }
    if is_new_model {
        // All of them, whatever is hidden now.
        let fields = ModelLayout::new(&model.config, 1).fields;
        weights.load(model.weights.clone(), fields);
    }
    values.set_lanes(n_lanes);
    layout.0 = Some(new_layout);
}

fn take_values(
    mut events: MessageReader<TraceEvent>,
    trace: Res<ActiveTrace>,
    settings: Res<SceneSettings>,
    overlay: Res<Overlay>,
    mut pooled_by: Local<ArcChoice>,
    mut values: ResMut<ValueTable>,
) {
    let choice = &settings.arc_choice;
    let is_same = (choice.pooling, &choice.heads) == (pooled_by.pooling, &pooled_by.heads);
    if !is_same {
        values.repool(&overlay, &trace, choice);
        pooled_by.clone_from(choice);
    }
    if values.bypass_change_detection().take_refilled() || values.has_parts() {
        events.clear(); // They are there already, or not what is shown.
        return;
    }
    for event in events.read() {
        if let TraceEvent::Computed {
            first_pos,
            values: computed,
        } = event
        {
            for (hook, activation) in computed {
                values.write(*hook, *first_pos, activation, choice);
            }
        }
    }
}
