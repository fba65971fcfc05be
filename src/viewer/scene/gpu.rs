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
    /// Distance from lane to lane.
    pub lane_pitch: f32,
    /// Width of a stream tile.
    pub tile_width: f32,
    /// Width of all lanes.
    pub width: f32,
    /// Where the world ends along Z.
    pub exit_z: f32,
    /// Lanes.
    pub n_lanes: u32,
    /// Blocks.
    pub n_blocks: u32,
    /// Values of a lane.
    pub lane_stride: u32,
    /// Heads of all layers.
    pub n_layer_heads: u32,
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
    /// Bands of patterns.
    pub n_bands: u32,
    /// Fills up to sixteen bytes.
    pub unused: u32,
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
    pub order: f32,
    /// Where its values begin within those of a lane.
    pub value_offset: u32,
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
    /// [`FLAG_STREAM`], [`FLAG_HIDDEN`].
    pub flags: u32,
    /// Fills up to sixteen bytes.
    pub unused: u32,
}

/// The patterns of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Band {
    /// Left edge of the first head's square.
    pub x: f32,
    /// The edge nearest the entrance.
    pub z: f32,
    /// Edge of a square.
    pub square_size: f32,
    /// Distance from square to square.
    pub square_pitch: f32,
    /// When a pass reaches it.
    pub order: f32,
    /// Heads of the layer.
    pub n_heads: u32,
    /// The first head's place among the heads of all layers.
    pub first_layer_head: u32,
    /// [`FLAG_HIDDEN`].
    pub flags: u32,
}

/// A tile, or a head's pattern, near enough for boxes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct NearTile {
    /// Index of the block; or of the band, with [`BAND_BIT`] set.
    pub block: u32,
    /// The lane; or the head.
    pub lane: u32,
    /// How much of their height its boxes have, 0 to 1.
    pub rise: f32,
    /// Fills up to sixteen bytes.
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

/// The block is the residual stream itself.
pub const FLAG_STREAM: u32 = 1;
/// The block or band is not drawn.
pub const FLAG_HIDDEN: u32 = 2;
/// Marks a [`NearTile`] as a head's pattern.
pub const BAND_BIT: u32 = 1 << 31;
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
