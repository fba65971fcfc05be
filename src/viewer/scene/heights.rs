//! How high each cell's box stands, as the shader has it; for picking.

use std::collections::BTreeMap;

use super::arrange::{TensorRange, shown_hooks, tensor_ranges};
use super::eye::Eye;
use super::overlay::Overlay;
use super::values::ValueTable;
use super::{DrawList, SceneSettings};
use crate::color::Scaling;
use crate::hook::{BlockSite, HookPoint};
use crate::layout::{CellId, ModelLayout};
use crate::viewer::inference::ActiveTrace;
use crate::viewer::playback::Playhead;

/// How high each cell's box stands. Mirrors `shaders/boxes.wgsl`.
pub struct CellHeights<'a> {
    layout: &'a ModelLayout,
    trace: &'a ActiveTrace,
    overlay: &'a Overlay,
    /// Whether patterns span 0 to 1.
    has_weights: bool,
    list: &'a DrawList,
    eye: &'a Eye,
    playhead: Playhead,
    scaling: Scaling,
    ranges: BTreeMap<HookPoint, TensorRange>,
}

impl<'a> CellHeights<'a> {
    /// As the frame on show has them.
    pub fn new(
        layout: &'a ModelLayout,
        trace: &'a ActiveTrace,
        overlay: &'a Overlay,
        values: &ValueTable,
        settings: &SceneSettings,
        list: &'a DrawList,
        eye: &'a Eye,
        playhead: Playhead,
    ) -> Self {
        Self {
            layout,
            trace,
            overlay,
            has_weights: !values.has_parts(),
            list,
            eye,
            playhead,
            scaling: settings.ranges.scaling,
            ranges: tensor_ranges(&shown_hooks(layout), values, settings.ranges),
        }
    }

    /// The greatest height there can be, in units.
    pub fn max(&self) -> f32 {
        self.list.uniform.height_unit * rise(MAX_MAGNITUDE)
    }

    /// How far along a ray of length one boxes can rise.
    pub fn reach(&self) -> f32 {
        let widest = self
            .layout
            .blocks
            .iter()
            .map(|block| block.cell_size)
            .chain(
                self.layout
                    .bands
                    .iter()
                    .map(|band| band.square_size / self.layout.n_lanes as f32),
            )
            .fold(0.0, f32::max);
        self.eye
            .reach(widest, self.list.uniform.flat_pixels.max(0.1))
    }

    /// Height of a cell's box, in units; 0 where it is flat.
    pub fn height(&self, cell: CellId) -> f32 {
        self.height_if_any(cell).unwrap_or(0.0)
    }

    fn height_if_any(&self, cell: CellId) -> Option<f32> {
        let uniform = &self.list.uniform;
        let rect = self.layout.cell_rect(cell)?;
        let distance = rect.center().distance(self.eye.position).max(0.1);
        let pixels = self.eye.pixels_per_unit * rect.size.x / distance;
        let share = (pixels - uniform.flat_pixels) / (uniform.risen_pixels - uniform.flat_pixels);
        let share = share.clamp(0.0, 1.0);
        let risen = share * share * (3.0 - 2.0 * share);
        let token = self.overlay.token(self.trace, cell.pos)?;
        let (value, order) = match self.layout.band(cell.hook) {
            Some(band) => {
                let row = token.attention_row(cell.hook, cell.head)?;
                (*row.get(cell.index)?, band.order)
            }
            None => {
                let block = self.layout.block(cell.hook)?;
                let index = cell.head * block.grid.n_per_head() + cell.index;
                (*token.row(cell.hook)?.get(index)?, block.order)
            }
        };
        let shown = self.shown(cell.pos, order);
        let square_unit = SQUARE_HEIGHT * rect.size.x;
        let unit = match cell.hook.site() {
            Some(BlockSite::Pattern) if self.has_weights => {
                square_unit.min(2.0 * uniform.height_unit)
            }
            Some(BlockSite::Pattern | BlockSite::AttnScores) => {
                square_unit.min(uniform.height_unit)
            }
            _ => uniform.height_unit,
        };
        let is_weight = self.has_weights && cell.hook.site() == Some(BlockSite::Pattern);
        let height = if is_weight {
            if value.is_finite() {
                value.clamp(0.0, 1.0)
            } else {
                0.5
            }
        } else {
            let scale = self.ranges.get(&cell.hook)?.range.scale();
            rise(if value.is_finite() {
                self.scaling.place(value.abs() * scale).min(MAX_MAGNITUDE)
            } else {
                0.5
            })
        };
        let height = height * unit * shown * risen;
        (height >= 0.02 * rect.size.x).then_some(height)
    }

    /// How much of a value is shown: 0 before the signal reaches it, 1 after.
    fn shown(&self, pos: usize, order: usize) -> f32 {
        if pos > self.playhead.lane {
            0.0
        } else if pos < self.playhead.first_lane {
            1.0
        } else {
            (self.playhead.order - order as f32).clamp(0.0, 1.0)
        }
    }
}

/// Greatest height of attention within its range, in edges of its cell: many tokens have small cells.
pub const SQUARE_HEIGHT: f32 = 8.0;
/// Beyond this many ranges towers rise no more.
pub const MAX_MAGNITUDE: f32 = 9.0;

/// Height of a magnitude, both in ranges: beyond the range towers go on rising, ever more slowly.
pub fn rise(magnitude: f32) -> f32 {
    if magnitude > 1.0 {
        1.0 + 1.5 * magnitude.ln()
    } else {
        magnitude
    }
}
