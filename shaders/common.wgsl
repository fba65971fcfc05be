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
    // The whole ground: least x and z, greatest x and z.
    extent: vec4<f32>,
    lane_pitch: f32,
    tile_width: f32,
    width: f32,
    exit_z: f32,
    n_lanes: u32,
    n_blocks: u32,
    n_orders: u32,
    n_squares: u32,
    // Lanes before this one are complete; those from here to the playhead's are being computed.
    first_lane: u32,
    playhead_lane: u32,
    // How far the signal has come, in hook points.
    playhead_order: f32,
    height_unit: f32,
    fog_distance: f32,
    fog_strength: f32,
    // Cells narrower than the one are flat, those wider than the other have their full height.
    flat_pixels: f32,
    risen_pixels: f32,
    pixels_per_unit: f32,
    attention_grid: u32,
    attention_block: u32,
    // What attention comes down to: 0 the greatest magnitude, 1 the mean.
    reduction: u32,
    // How values lie within their range: 0 evenly, 1 by the logarithm of their magnitude.
    scaling: u32,
    unused_a: u32,
    unused_b: u32,
    unused_c: u32,
}

struct Block {
    x: f32,
    z: f32,
    cell_size: f32,
    // What a value is multiplied with to lie within -1..1.
    value_scale: f32,
    // What a root mean square is multiplied with to lie within 0..1.
    rms_scale: f32,
    order: u32,
    n_cells: u32,
    n_per_head: u32,
    head_cols: u32,
    cell_cols: u32,
    cell_rows: u32,
    cols: u32,
    rows: u32,
    flags: u32,
    unused_a: u32,
    unused_b: u32,
}

// One token's tile: its root mean square, and one more than where its values begin in the pool.
struct Tile {
    rms: f32,
    slot: u32,
}

struct Field {
    x: f32,
    z: f32,
    width: f32,
    depth: f32,
    n_rows: u32,
    n_cols: u32,
    order: u32,
    kind: u32,
    value_scale: f32,
    far_scale: f32,
    overview: u32,
    grid_rows: u32,
    grid_cols: u32,
    slot: u32,
    stride: u32,
    level: u32,
    first_row: u32,
    first_col: u32,
    window_rows: u32,
    window_cols: u32,
}

const FLAG_STREAM: u32 = 1u;
const FIELD_PATTERN: u32 = 0u;
const FIELD_SCORES: u32 = 1u;
const FIELD_WEIGHT: u32 = 2u;

// Rows of the colour table.
const DIVERGING: i32 = 0;
const SEQUENTIAL: i32 = 1;
const MAGNITUDE: i32 = 2;

// Stands among the values for NaN and the infinities, which drivers may flush.
const NOT_FINITE: f32 = 3.0e38;

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<uniform> world: World;
// The values that are seen in detail.
@group(0) @binding(2) var<storage, read> pool: array<f32>;
// Position by position, in the order of the hook points; less than zero where there is no number.
@group(0) @binding(3) var<storage, read> tiles: array<Tile>;
@group(0) @binding(4) var<storage, read> blocks: array<Block>;
@group(0) @binding(5) var<storage, read> fields: array<Field>;
// Reductions: [level][row][square][column].
@group(0) @binding(6) var<storage, read> attention: array<f32>;
// Reductions of each weight field: [level][row][column].
@group(0) @binding(7) var<storage, read> weights: array<f32>;
@group(0) @binding(8) var colors: texture_2d<f32>;

// The colour at `place`, 0 to 1, of a row of the table; between two entries their mix.
fn lut(row: i32, place: f32) -> vec3<f32> {
    let scaled = clamp(place, 0.0, 1.0) * 255.0;
    let low = i32(scaled);
    let a = textureLoad(colors, vec2(low, row), 0).rgb;
    let b = textureLoad(colors, vec2(min(low + 1, 255), row), 0).rgb;
    return mix(a, b, scaled - f32(low));
}

// The place of a value, both in ranges: `Scaling::place` of src/color/range.rs.
fn scaled(share: f32) -> f32 {
    if world.scaling == 1u {
        return sign(share) * log(1.0 + 99.0 * abs(share)) / log(100.0);
    }
    return share;
}

fn signed_color(value: f32, scale: f32) -> vec3<f32> {
    if value >= NOT_FINITE {
        return world.not_finite.rgb;
    }
    return lut(DIVERGING, 0.5 + 0.5 * scaled(value * scale));
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

// A magnitude's colour, as reductions have it.
fn reduced_color(value: f32, scale: f32) -> vec3<f32> {
    if value >= NOT_FINITE {
        return world.not_finite.rgb;
    }
    return lut(MAGNITUDE, value * scale);
}

// One number of a matrix, and whether it is at hand.
struct Number {
    value: f32,
    is_there: bool,
}

fn attention_at(square: u32, level: u32, row: u32, col: u32) -> f32 {
    var start = 0u;
    var edge = world.attention_grid;
    for (var above = 0u; above < level; above += 1u) {
        start += edge * edge * world.n_squares;
        edge = edge / 2u;
    }
    return attention[start + (row * world.n_squares + square) * edge + col];
}

fn weight_at(field: Field, level: u32, row: u32, col: u32) -> f32 {
    var start = field.overview - 1u;
    var rows = field.grid_rows;
    var cols = field.grid_cols;
    for (var above = 0u; above < level; above += 1u) {
        start += rows * cols;
        rows = (rows + 1u) / 2u;
        cols = (cols + 1u) / 2u;
    }
    return weights[start + row * cols + col];
}

// Whether a number of a field is computed: a query sees no key after it, nor one before its window,
// whose length attention has in place of the rows of weights' reductions.
fn is_computed(field: Field, row: u32, col: u32) -> bool {
    let is_seen = col <= row && (field.grid_rows == 0u || row - col < field.grid_rows);
    return field.kind == FIELD_WEIGHT || is_seen;
}

// What the window of a field holds for a number, at the window's own level.
fn window_at(field: Field, row: u32, col: u32) -> Number {
    let place = vec2((row >> field.level) - field.first_row, (col >> field.level) - field.first_col);
    // Before the window's beginning the difference wraps around and is too large as well.
    if field.slot == 0u || place.x >= field.window_rows || place.y >= field.window_cols {
        return Number(0.0, false);
    }
    return Number(pool[field.slot - 1u + place.x * field.stride + place.y], true);
}

// The number itself.
fn exact_at(field: Field, row: u32, col: u32) -> Number {
    if field.kind != FIELD_WEIGHT && world.attention_block == 1u {
        let is_there = row < world.attention_grid && col < world.attention_grid;
        if !is_there {
            return Number(0.0, false);
        }
        return Number(attention_at(field.overview, 0u, row, col), true);
    }
    if field.level != 0u {
        return Number(0.0, false);
    }
    return window_at(field, row, col);
}

// What the cells of a field's window around a place come down to, `2^more` by `2^more` of them.
fn reduced_window(field: Field, row: u32, col: u32, more: u32) -> Number {
    let edge = 1u << more;
    let first_row = (row >> (field.level + more)) << more;
    let first_col = (col >> (field.level + more)) << more;
    var number = Number(0.0, false);
    var count = 0.0;
    for (var index = 0u; index < edge * edge; index += 1u) {
        let at_row = (first_row + index / edge) << field.level;
        let at_col = (first_col + index % edge) << field.level;
        let cell = window_at(field, at_row, at_col);
        let is_empty = field.kind != FIELD_WEIGHT
            && ((first_col + index % edge) > (first_row + index / edge)
                || (field.grid_rows != 0u && at_row >= at_col + (1u << field.level) - 1u + field.grid_rows));
        if !cell.is_there || is_empty {
            continue;
        }
        number.is_there = true;
        count += 1.0;
        if field.kind == FIELD_WEIGHT {
            number.value += cell.value * cell.value;
        } else if world.reduction == 1u {
            number.value += abs(cell.value);
        } else {
            number.value = max(number.value, abs(cell.value));
        }
    }
    if field.kind == FIELD_WEIGHT {
        number.value = sqrt(number.value / max(count, 1.0));
    } else if world.reduction == 1u {
        number.value = number.value / max(count, 1.0);
    }
    return number;
}

// What the numbers around a place come down to, seen at so many numbers a pixel.
fn reduced_at(field: Field, row: u32, col: u32, numbers_per_pixel: f32) -> Number {
    let wanted = log2(max(numbers_per_pixel, 1.0));
    if field.slot > 0u {
        // Signed numbers of a pixel each would be noise: a few are joined.
        let joined = select(1.0, 0.0, field.kind == FIELD_PATTERN);
        let more = u32(clamp(round(wanted - f32(field.level)) + joined, 0.0, 2.0));
        let number = reduced_window(field, row, col, more);
        if number.is_there {
            return number;
        }
    }
    if field.kind == FIELD_WEIGHT {
        if field.overview == 0u {
            return Number(0.0, false);
        }
        let per_cell = f32(field.n_rows) / f32(field.grid_rows);
        let per_cell_across = f32(field.n_cols) / f32(field.grid_cols);
        let top = u32(ceil(log2(f32(max(field.grid_rows, field.grid_cols)))));
        let finest = log2(max(max(per_cell, per_cell_across), 1.0));
        let level = min(u32(max(ceil(wanted - finest), 0.0)), top);
        let base_row = row * field.grid_rows / field.n_rows;
        let base_col = col * field.grid_cols / field.n_cols;
        return Number(weight_at(field, level, base_row >> level, base_col >> level), true);
    }
    if world.attention_grid == 0u {
        return Number(0.0, false);
    }
    let finest = log2(f32(world.attention_block));
    let top = u32(round(log2(f32(world.attention_grid))));
    let level = min(u32(max(ceil(wanted - finest), 0.0)), top);
    let base_row = row / world.attention_block;
    let base_col = col / world.attention_block;
    if base_row >= world.attention_grid {
        return Number(0.0, false);
    }
    let value = attention_at(field.overview, level, base_row >> level, base_col >> level);
    return Number(abs(value), true);
}

// How much of its height a cell has, by how wide it is on screen.
fn risen(position: vec3<f32>, cell_size: f32) -> f32 {
    let distance = max(length(position - view.world_position), 0.1);
    let pixels = world.pixels_per_unit * cell_size / distance;
    return smoothstep(world.flat_pixels, world.risen_pixels, pixels);
}
