//! What the shaders read, byte for byte as `shaders/*.wgsl` declare it.

use bytemuck::{Pod, Zeroable};

/// The world's numbers. Colours are linear RGBA, lengths are in world units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct WorldUniform {
    /// Sky and far ground.
    pub background: [f32; 4],
    /// The ground under the lanes.
    pub ground: [f32; 4],
    /// The road of the residual stream.
    pub road: [f32; 4],
    /// Cells without a value.
    pub no_value: [f32; 4],
    /// Frames.
    pub line: [f32; 4],
    /// NaN and the infinities.
    pub not_finite: [f32; 4],
    /// The whole ground: least x and z, greatest x and z.
    pub extent: [f32; 4],
    /// Distance from lane to lane.
    pub lane_pitch: f32,
    /// Width of a stream tile.
    pub tile_width: f32,
    /// Width of all lanes.
    pub width: f32,
    /// Where the lanes end along Z.
    pub exit_z: f32,
    /// Lanes.
    pub n_lanes: u32,
    /// Blocks.
    pub n_blocks: u32,
    /// Hook points of a pass.
    pub n_orders: u32,
    /// Squares of attention that reductions are kept of.
    pub n_squares: u32,
    /// The first lane of the pass that the playhead is in.
    pub first_lane: u32,
    /// The last lane shown.
    pub playhead_lane: u32,
    /// How far the signal has come, in hook points.
    pub playhead_order: f32,
    /// Height of a value at the end of its range.
    pub height_unit: f32,
    /// The distance at which the depth cue has most of its strength.
    pub fog_distance: f32,
    /// The share of the background in the farthest things.
    pub fog_strength: f32,
    /// Cells narrower than this on screen, in pixels, are flat.
    pub flat_pixels: f32,
    /// Cells at least this wide on screen, in pixels, have their full height.
    pub risen_pixels: f32,
    /// How many pixels one unit spans at distance one.
    pub pixels_per_unit: f32,
    /// Cells along an edge of the finest reduction of attention.
    pub attention_grid: u32,
    /// Tokens along an edge of one of those cells.
    pub attention_block: u32,
    /// What attention comes down to: 0 the greatest magnitude, 1 the mean.
    pub reduction: u32,
    /// How values lie within their range: 0 evenly, 1 by the logarithm of their magnitude.
    pub scaling: u32,
    /// Fills up to sixteen bytes.
    pub unused: [u32; 3],
}

/// A tensor whose tiles lie in every lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Block {
    /// Left edge within the lane.
    pub x: f32,
    /// The edge nearest the entrance.
    pub z: f32,
    /// Edge of a cell.
    pub cell_size: f32,
    /// Maps values to -1..1.
    pub value_scale: f32,
    /// Maps root mean squares to 0..1.
    pub rms_scale: f32,
    /// When a pass reaches it.
    pub order: u32,
    /// Cells of a tile.
    pub n_cells: u32,
    /// Cells of a head.
    pub n_per_head: u32,
    /// Heads in a row of heads.
    pub head_cols: u32,
    /// Cells in a row of a head.
    pub cell_cols: u32,
    /// Rows of a head.
    pub cell_rows: u32,
    /// Cells in a row of the tile.
    pub cols: u32,
    /// Rows of the tile.
    pub rows: u32,
    /// [`FLAG_STREAM`].
    pub flags: u32,
    /// Fills up to sixteen bytes.
    pub unused: [u32; 2],
}

/// One token's tile of one tensor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Tile {
    /// Root mean square of its values.
    pub rms: f32,
    /// One more than where its values begin in the pool; 0 where they are not there.
    pub slot: u32,
}

/// A matrix on the ground: one head's attention, or weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Field {
    /// Left edge.
    pub x: f32,
    /// The edge nearest the entrance.
    pub z: f32,
    /// Extent along X.
    pub width: f32,
    /// Extent along -Z.
    pub depth: f32,
    /// Cells along -Z.
    pub n_rows: u32,
    /// Cells along X.
    pub n_cols: u32,
    /// When a pass reaches it; weights are always there.
    pub order: u32,
    /// [`FIELD_PATTERN`], [`FIELD_SCORES`] or [`FIELD_WEIGHT`].
    pub kind: u32,
    /// Maps values to -1..1.
    pub value_scale: f32,
    /// Maps reductions to 0..1.
    pub far_scale: f32,
    /// Of attention, its place among the squares; of weights, one more than where its reductions
    /// begin (0 where they are not there yet).
    pub overview: u32,
    /// Of weights, rows of the finest reduction; of attention, how many keys a query sees at most, 0
    /// for all.
    pub grid_rows: u32,
    /// Of weights, columns of the finest reduction.
    pub grid_cols: u32,
    /// One more than where its window begins in the pool; 0 where there is none.
    pub slot: u32,
    /// Numbers of one row of the window in the pool.
    pub stride: u32,
    /// A cell of the window stands for `2^level` by `2^level` numbers.
    pub level: u32,
    /// The window's first row, in its own cells.
    pub first_row: u32,
    /// The window's first column, in its own cells.
    pub first_col: u32,
    /// Rows of the window.
    pub window_rows: u32,
    /// Columns of the window.
    pub window_cols: u32,
}

/// A part of a tile or field that is near enough for boxes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct NearTile {
    /// Index of the block; or of the field, with [`FIELD_BIT`] set.
    pub block: u32,
    /// The lane.
    pub lane: u32,
    /// Of a field, the first row; of a tile, the first cell.
    pub first_row: u32,
    /// Of a field, the first column.
    pub first_col: u32,
    /// Of a field, how many columns.
    pub n_cols: u32,
    /// Fills up to eight bytes.
    pub unused: u32,
}

/// A ribbon of attention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Arc {
    /// Middle of the key's lane.
    pub key_x: f32,
    /// Middle of the query's lane.
    pub query_x: f32,
    /// Where it stands along the flight.
    pub z: f32,
    /// How much the query attends to the key, 0 to 1.
    pub weight: f32,
    /// When a pass reaches it.
    pub order: f32,
    /// The query's lane.
    pub query: u32,
}

/// A bar of probability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Bar {
    /// Left edge.
    pub x: f32,
    /// The edge nearest the entrance.
    pub z: f32,
    /// Extent along X.
    pub width: f32,
    /// Extent along -Z.
    pub depth: f32,
    /// Height.
    pub height: f32,
    /// 0 to 1.
    pub probability: f32,
    /// When a pass reaches it.
    pub order: f32,
    /// The lane.
    pub lane: u32,
}

/// A point of a projection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Dot {
    /// Where it is.
    pub at: [f32; 3],
    /// Its radius, in units.
    pub size: f32,
    /// The place of its value in the map of magnitudes, 0 to 1, or [`NOT_FINITE`].
    pub value: f32,
    /// 0 without a rim, 1 for the text's tokens, 2 or more for the chosen one.
    pub rim: f32,
    /// Fills up to sixteen bytes.
    pub unused: [f32; 2],
}

/// A straight line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Line {
    /// Where it begins.
    pub from: [f32; 3],
    /// Its width on screen, in logical pixels.
    pub width: f32,
    /// Where it ends.
    pub to: [f32; 3],
    /// Fills up to sixteen bytes.
    pub unused: f32,
    /// Linear RGBA.
    pub color: [f32; 4],
}

/// The block is the residual stream itself.
pub const FLAG_STREAM: u32 = 1;
/// A head's attention pattern.
pub const FIELD_PATTERN: u32 = 0;
/// A head's attention scores.
pub const FIELD_SCORES: u32 = 1;
/// Weights.
pub const FIELD_WEIGHT: u32 = 2;
/// Marks a [`NearTile`] as part of a field.
pub const FIELD_BIT: u32 = 1 << 31;
/// Cells a near tile can have: the shader's instance index keeps 16 bits for them.
pub const MAX_NEAR_CELLS: usize = 1 << 16;
/// Near tiles there can be.
pub const MAX_NEAR_TILES: usize = 1 << 15;
/// Stands for NaN and the infinities, which drivers may flush.
pub const NOT_FINITE: f32 = 3.0e38;
/// Corners of an arc's ribbon: two for each end of its 32 segments.
pub const ARC_VERTICES: u32 = 66;
/// Two triangles for each face of a box but its floor. A corner's number holds its place: bit 0
/// along X, bit 1 along -Z, bit 2 up.
pub const BOX_INDICES: [u16; 30] = [
    4, 5, 6, 6, 5, 7, // top
    0, 1, 4, 4, 1, 5, // near
    2, 6, 3, 3, 6, 7, // far
    0, 4, 2, 2, 4, 6, // left
    1, 3, 5, 5, 3, 7, // right
];
