// Near cells: an instanced box each, rising by magnitude. The instance index names the tile (high 16
// bits) and the cell (low 16 bits); everything else is read from buffers.
#import llmscope::common::{
    blocks, bands, lit, pattern_index, patterns, signed_color, values, view, weight_color, with_fog,
    world, NOT_FINITE,
}

// Mirrors `NearTile` in src/viewer/scene/gpu.rs.
struct NearTile {
    // A block, or, with the high bit set, a band.
    block: u32,
    // A lane, or a head.
    lane: u32,
    // 0 where boxes are as flat as the tile, 1 where they rise to their full height.
    rise: f32,
    unused: u32,
}

@group(1) @binding(0) var<storage, read> near_tiles: array<NearTile>;

const BAND_BIT: u32 = 0x80000000u;
// The share of a cell's edge that its box covers.
const BOX_SHARE: f32 = 0.84;

struct Varyings {
    @builtin(position) clip_position: vec4<f32>,
    @location(0) position: vec3<f32>,
    @location(1) @interpolate(flat) color: vec3<f32>,
}

struct Cell {
    near_left: vec2<f32>,
    size: f32,
    height: f32,
    color: vec3<f32>,
}

fn vector_cell(tile: NearTile, cell: u32) -> Cell {
    let block = blocks[tile.block];
    let head = cell / block.n_per_head;
    let index = cell % block.n_per_head;
    let col = (head % block.head_cols) * block.cell_cols + index % block.cell_cols;
    let row = (head / block.head_cols) * block.cell_rows + index / block.cell_cols;
    let value = values[tile.lane * world.lane_stride + block.value_offset + cell];
    let shown = lit(tile.lane, block.order);
    var out: Cell;
    out.size = block.cell_size;
    out.near_left = vec2(
        block.x + f32(tile.lane) * world.lane_pitch + f32(col) * block.cell_size,
        block.z - f32(row) * block.cell_size,
    );
    var magnitude = min(abs(value) * block.value_scale, 9.0);
    if value >= NOT_FINITE {
        magnitude = 0.5;
    }
    // Beyond the range towers go on rising, ever more slowly, so that none leaves the picture.
    let rise = select(magnitude, 1.0 + 1.5 * log(magnitude), magnitude > 1.0);
    out.height = rise * world.height_unit * shown;
    out.color = mix(world.no_value.rgb, signed_color(value, block.value_scale), shown);
    return out;
}

fn pattern_cell(tile: NearTile, cell: u32) -> Cell {
    let band = bands[tile.block & ~BAND_BIT];
    let query = cell / world.n_lanes;
    let key = cell % world.n_lanes;
    var out: Cell;
    out.size = band.square_size / f32(world.n_lanes);
    out.near_left = vec2(
        band.x + f32(tile.lane) * band.square_pitch + f32(key) * out.size,
        band.z - f32(query) * out.size,
    );
    if key <= query {
        let weight = patterns[pattern_index(band.first_layer_head + tile.lane, query, key)];
        let shown = lit(query, band.order);
        out.height = select(min(weight, 1.0), 0.5, weight >= NOT_FINITE) * 2.0 * world.height_unit * shown;
        out.color = mix(world.no_value.rgb, weight_color(weight), shown);
    }
    return out;
}

@vertex
fn vertex(@builtin(vertex_index) corner: u32, @builtin(instance_index) instance: u32) -> Varyings {
    let tile = near_tiles[instance >> 16u];
    let index = instance & 0xffffu;
    var cell: Cell;
    if (tile.block & BAND_BIT) != 0u {
        cell = pattern_cell(tile, index);
    } else {
        cell = vector_cell(tile, index);
    }
    let height = cell.height * tile.rise;
    let margin = 0.5 * (1.0 - BOX_SHARE);
    let across = mix(margin, 1.0 - margin, f32(corner & 1u));
    let along = mix(margin, 1.0 - margin, f32((corner >> 1u) & 1u));
    let up = f32(corner >> 2u);
    var out: Varyings;
    out.position = vec3(
        cell.near_left.x + across * cell.size,
        up * height,
        cell.near_left.y - along * cell.size,
    );
    out.clip_position = view.clip_from_world * vec4(out.position, 1.0);
    // What does not rise leaves the drawing to the tile.
    if height < 0.02 * cell.size {
        out.clip_position = vec4(0.0, 0.0, -1.0, 0.0);
    }
    out.color = cell.color;
    return out;
}

@fragment
fn fragment(in: Varyings) -> @location(0) vec4<f32> {
    let normal = normalize(cross(dpdx(in.position), dpdy(in.position)));
    // Tops keep the legend's colour; sides darken, each pair alike, so that form reads.
    let facing = abs(normal);
    let light = facing.y + 0.74 * facing.z + 0.58 * facing.x;
    return vec4(with_fog(in.color * light, in.position), 1.0);
}
