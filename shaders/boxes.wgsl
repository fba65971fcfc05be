// Near cells: an instanced box each, rising by magnitude. The instance index names the tile (high 16
// bits) and the cell (low 16 bits); everything else is read from buffers.
#import llmscope::common::{
    blocks, exact_at, fields, is_computed, lit, pool, risen, scaled, signed_color, tiles, view, weight_color, with_fog,
    world, FIELD_PATTERN, FIELD_WEIGHT, NOT_FINITE,
}

// Mirrors `NearTile` in src/viewer/scene/gpu.rs.
struct NearTile {
    // A block, or, with the high bit set, a field.
    block: u32,
    lane: u32,
    // The part that can rise: of a field its first row, of a tile its first cell.
    first_row: u32,
    first_col: u32,
    n_cols: u32,
    unused: u32,
}

@group(1) @binding(0) var<storage, read> near_tiles: array<NearTile>;

const FIELD_BIT: u32 = 0x80000000u;
// The share of a cell's edge that its box covers.
const BOX_SHARE: f32 = 0.84;
// Height of a weight at the end of its range, in edges of its cell.
const WEIGHT_HEIGHT: f32 = 3.0;
// Greatest height of attention within its range, in edges of its cell: many tokens have small cells.
const SQUARE_HEIGHT: f32 = 8.0;

struct Varyings {
    @builtin(position) clip_position: vec4<f32>,
    @location(0) position: vec3<f32>,
    @location(1) @interpolate(flat) color: vec3<f32>,
    // The same from the box's own corner: far from the origin it is the more precise one.
    @location(2) local: vec3<f32>,
}

struct Cell {
    near_left: vec2<f32>,
    size: vec2<f32>,
    height: f32,
    color: vec3<f32>,
}

// Height of a value, in heights of one at the end of its range. Beyond the range towers go on
// rising, ever more slowly, so that none leaves the picture.
fn rise_of(value: f32, scale: f32) -> f32 {
    if value >= NOT_FINITE {
        return 0.5;
    }
    let magnitude = min(scaled(abs(value) * scale), 9.0);
    return select(magnitude, 1.0 + 1.5 * log(max(magnitude, 1.0)), magnitude > 1.0);
}

fn vector_cell(near: NearTile, index_in_part: u32) -> Cell {
    let block = blocks[near.block];
    let cell = near.first_row + index_in_part;
    let tile = tiles[near.lane * world.n_orders + block.order];
    let head = cell / block.n_per_head;
    let index = cell % block.n_per_head;
    let col = (head % block.head_cols) * block.cell_cols + index % block.cell_cols;
    let row = (head / block.head_cols) * block.cell_rows + index / block.cell_cols;
    var out: Cell;
    out.size = vec2(block.cell_size);
    out.near_left = vec2(
        block.x + f32(near.lane) * world.lane_pitch + f32(col) * block.cell_size,
        block.z - f32(row) * block.cell_size,
    );
    if tile.slot > 0u {
        let value = pool[tile.slot - 1u + cell];
        let shown = lit(near.lane, f32(block.order));
        out.height = rise_of(value, block.value_scale) * world.height_unit * shown;
        out.color = mix(world.no_value.rgb, signed_color(value, block.value_scale), shown);
    }
    return out;
}

fn field_cell(near: NearTile, cell: u32) -> Cell {
    let field = fields[near.block & ~FIELD_BIT];
    let row = near.first_row + cell / near.n_cols;
    let col = near.first_col + cell % near.n_cols;
    var out: Cell;
    out.size = vec2(field.width / f32(field.n_cols), field.depth / f32(field.n_rows));
    out.near_left = vec2(field.x + f32(col) * out.size.x, field.z - f32(row) * out.size.y);
    let is_weight = field.kind == FIELD_WEIGHT;
    let number = exact_at(field, row, col);
    if !number.is_there || field.far_scale < 0.0 || !is_computed(field, row, col) {
        return out;
    }
    var shown = 1.0;
    if !is_weight {
        shown = lit(row, f32(field.order));
    }
    if field.kind == FIELD_PATTERN {
        let weight = select(min(number.value, 1.0), 0.5, number.value >= NOT_FINITE);
        out.height = weight * min(2.0 * world.height_unit, SQUARE_HEIGHT * out.size.x) * shown;
        out.color = mix(world.no_value.rgb, weight_color(number.value), shown);
        return out;
    }
    let rise = rise_of(number.value, field.value_scale);
    var unit = min(world.height_unit, SQUARE_HEIGHT * out.size.x);
    if is_weight {
        unit = WEIGHT_HEIGHT * min(out.size.x, out.size.y);
    }
    out.height = rise * unit * shown;
    out.color = mix(world.no_value.rgb, signed_color(number.value, field.value_scale), shown);
    return out;
}

@vertex
fn vertex(@builtin(vertex_index) corner: u32, @builtin(instance_index) instance: u32) -> Varyings {
    let tile = near_tiles[instance >> 16u];
    let index = instance & 0xffffu;
    var cell: Cell;
    if (tile.block & FIELD_BIT) != 0u {
        cell = field_cell(tile, index);
    } else {
        cell = vector_cell(tile, index);
    }
    let middle = cell.near_left + vec2(0.5, -0.5) * cell.size;
    let narrow = min(cell.size.x, cell.size.y);
    let height = cell.height * risen(vec3(middle.x, 0.0, middle.y), narrow);
    let margin = 0.5 * (1.0 - BOX_SHARE);
    let across = mix(margin, 1.0 - margin, f32(corner & 1u));
    let along = mix(margin, 1.0 - margin, f32((corner >> 1u) & 1u));
    let up = f32(corner >> 2u);
    var out: Varyings;
    out.local = vec3(across * cell.size.x, up * height, -along * cell.size.y);
    out.position = vec3(cell.near_left.x, 0.0, cell.near_left.y) + out.local;
    out.clip_position = view.clip_from_world * vec4(out.position, 1.0);
    // What does not rise leaves the drawing to the tile.
    if height < 0.02 * narrow {
        out.clip_position = vec4(0.0, 0.0, -1.0, 0.0);
    }
    out.color = cell.color;
    return out;
}

@fragment
fn fragment(in: Varyings) -> @location(0) vec4<f32> {
    let normal = normalize(cross(dpdx(in.local), dpdy(in.local)));
    // Tops keep the legend's colour; sides darken, each pair alike, so that form reads.
    let facing = abs(normal);
    let light = facing.y + 0.74 * facing.z + 0.58 * facing.x;
    return vec4(with_fog(in.color * light, in.position), 1.0);
}
