// What every pipeline shares: the world's numbers, the values, and how a value becomes a colour.
#define_import_path llmscope::common

#import bevy_render::view::View

// Mirrors `WorldUniform` in src/viewer/scene/gpu.rs. Lengths are in world units.
struct World {
    background: vec4<f32>,
    ground: vec4<f32>,
    road: vec4<f32>,
    no_value: vec4<f32>,
    line: vec4<f32>,
    not_finite: vec4<f32>,
    lane_pitch: f32,
    tile_width: f32,
    width: f32,
    exit_z: f32,
    n_lanes: u32,
    n_blocks: u32,
    lane_stride: u32,
    n_layer_heads: u32,
    // Lanes before this one are complete; those from here to the playhead's are being computed.
    first_lane: u32,
    playhead_lane: u32,
    // How far the signal has come, in hook points.
    playhead_order: f32,
    height_unit: f32,
    fog_distance: f32,
    fog_strength: f32,
    n_bands: u32,
    unused: u32,
}

struct Block {
    x: f32,
    z: f32,
    cell_size: f32,
    // What a value is multiplied with to lie within -1..1.
    value_scale: f32,
    // What a root mean square is multiplied with to lie within 0..1.
    rms_scale: f32,
    order: f32,
    value_offset: u32,
    n_cells: u32,
    n_per_head: u32,
    head_cols: u32,
    cell_cols: u32,
    cell_rows: u32,
    cols: u32,
    rows: u32,
    flags: u32,
    unused: u32,
}

struct Band {
    x: f32,
    z: f32,
    square_size: f32,
    square_pitch: f32,
    order: f32,
    n_heads: u32,
    first_layer_head: u32,
    flags: u32,
}

const FLAG_STREAM: u32 = 1u;
const FLAG_HIDDEN: u32 = 2u;

// Rows of the colour table.
const DIVERGING: i32 = 0;
const SEQUENTIAL: i32 = 1;
const MAGNITUDE: i32 = 2;

// Stands in the value buffer for NaN and the infinities, which drivers may flush.
const NOT_FINITE: f32 = 3.0e38;

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<uniform> world: World;
@group(0) @binding(2) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read> patterns: array<f32>;
// Root mean square of each tile, lane by lane.
@group(0) @binding(4) var<storage, read> tile_rms: array<f32>;
@group(0) @binding(5) var<storage, read> blocks: array<Block>;
@group(0) @binding(6) var<storage, read> bands: array<Band>;
@group(0) @binding(7) var colors: texture_2d<f32>;

// The colour at `place`, 0 to 1, of a row of the table; between two entries their mix.
fn lut(row: i32, place: f32) -> vec3<f32> {
    let scaled = clamp(place, 0.0, 1.0) * 255.0;
    let low = i32(scaled);
    let a = textureLoad(colors, vec2(low, row), 0).rgb;
    let b = textureLoad(colors, vec2(min(low + 1, 255), row), 0).rgb;
    return mix(a, b, scaled - f32(low));
}

fn signed_color(value: f32, scale: f32) -> vec3<f32> {
    if value >= NOT_FINITE {
        return world.not_finite.rgb;
    }
    return lut(DIVERGING, 0.5 + 0.5 * value * scale);
}

fn weight_color(weight: f32) -> vec3<f32> {
    if weight >= NOT_FINITE {
        return world.not_finite.rgb;
    }
    return lut(SEQUENTIAL, weight);
}

// How much of a value is shown: 0 before the signal reaches it, 1 after.
fn lit(lane: u32, order: f32) -> f32 {
    if lane > world.playhead_lane {
        return 0.0;
    }
    if lane < world.first_lane {
        return 1.0;
    }
    return clamp(world.playhead_order - order, 0.0, 1.0);
}

// A depth cue: far things fade towards the background, never wholly.
fn with_fog(color: vec3<f32>, position: vec3<f32>) -> vec3<f32> {
    let distance = length(position - view.world_position);
    let share = 1.0 - exp(-pow(distance / world.fog_distance, 2.0));
    return mix(color, world.background.rgb, world.fog_strength * share);
}

fn pattern_index(layer_head: u32, query: u32, key: u32) -> u32 {
    return world.n_layer_heads * (query * (query + 1u) / 2u) + layer_head * (query + 1u) + key;
}
