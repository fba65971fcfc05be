// Tiles: one flat quad for each tensor and token, whose cells the fragment shader draws. Where cells
// are smaller than a pixel the tile shows its root mean square instead.
#import llmscope::common::{
    blocks, lit, pool, reduced_color, signed_color, tiles, view, with_fog, world, FLAG_STREAM,
}

struct Varyings {
    @builtin(position) clip_position: vec4<f32>,
    @location(0) position: vec3<f32>,
    // Columns and rows from the tile's near left corner.
    @location(1) place: vec2<f32>,
    @location(2) @interpolate(flat) block: u32,
    @location(3) @interpolate(flat) lane: u32,
}

@vertex
fn vertex(@builtin(vertex_index) index: u32, @builtin(instance_index) instance: u32) -> Varyings {
    let lane = instance / world.n_blocks;
    let block_index = instance % world.n_blocks;
    let block = blocks[block_index];
    let corner = vec2<f32>(f32(index & 1u), f32(index >> 1u));
    let size = vec2(f32(block.cols), f32(block.rows));
    var out: Varyings;
    out.place = corner * size;
    out.position = vec3(
        block.x + f32(lane) * world.lane_pitch + out.place.x * block.cell_size,
        0.0,
        block.z - out.place.y * block.cell_size,
    );
    out.clip_position = view.clip_from_world * vec4(out.position, 1.0);
    out.block = block_index;
    out.lane = lane;
    return out;
}

// Distance from the nearest of the lines that lie `pitch` apart.
fn line_distance(place: f32, pitch: f32) -> f32 {
    let turn = place / pitch;
    return abs(turn - round(turn)) * pitch;
}

@fragment
fn fragment(in: Varyings) -> @location(0) vec4<f32> {
    let block = blocks[in.block];
    // Cells that one pixel spans, across and along.
    let span = max(fwidth(in.place), vec2(1e-6));
    let pixels_per_cell = 1.0 / max(span.x, span.y);
    let shown = lit(in.lane, f32(block.order));
    let tile = tiles[in.lane * world.n_orders + block.order];

    let far_color = reduced_color(tile.rms, block.rms_scale);
    // Until its values are at hand, a tile shows what they come down to.
    let near_share = select(0.0, smoothstep(0.6, 1.4, pixels_per_cell), tile.slot > 0u);
    var color = far_color;
    if near_share > 0.0 {
        let place = clamp(vec2<u32>(in.place), vec2(0u), vec2(block.cols - 1u, block.rows - 1u));
        let head = (place.y / block.cell_rows) * block.head_cols + place.x / block.cell_cols;
        let index = (place.y % block.cell_rows) * block.cell_cols + place.x % block.cell_cols;
        let cell = head * block.n_per_head + index;
        var cell_color = world.ground.rgb;
        if index < block.n_per_head && cell < block.n_cells {
            let value = pool[tile.slot - 1u + cell];
            cell_color = signed_color(value, block.value_scale);
        }
        color = mix(far_color, cell_color, near_share);
    }
    // Less than nothing: there is no number.
    if tile.rms < 0.0 {
        color = world.no_value.rgb;
    }
    color = mix(world.no_value.rgb, color, shown);

    // Lines between cells fade in as cells grow; those between heads sooner.
    let cell_line = min(line_distance(in.place.x, 1.0) / span.x, line_distance(in.place.y, 1.0) / span.y);
    let cell_share = 0.55 * smoothstep(6.0, 16.0, pixels_per_cell);
    color = mix(color, world.ground.rgb, cell_share * (1.0 - smoothstep(0.3, 1.1, cell_line)));
    if block.n_per_head < block.n_cells {
        let head_size = vec2(f32(block.cell_cols), f32(block.cell_rows));
        let head_line = min(
            line_distance(in.place.x, head_size.x) / span.x,
            line_distance(in.place.y, head_size.y) / span.y,
        );
        let head_share = 0.8 * smoothstep(10.0, 30.0, pixels_per_cell * min(head_size.x, head_size.y));
        color = mix(color, world.ground.rgb, head_share * (1.0 - smoothstep(0.8, 1.6, head_line)));
    }

    // The stream's tiles are framed.
    let tile_edge = min(in.place, vec2(f32(block.cols), f32(block.rows)) - in.place) / span;
    let tile_pixels = pixels_per_cell * f32(min(block.cols, block.rows));
    if (block.flags & FLAG_STREAM) != 0u {
        let frame = 1.0 - smoothstep(0.8, 1.8, min(tile_edge.x, tile_edge.y));
        color = mix(color, world.line.rgb, 0.9 * frame * smoothstep(6.0, 30.0, tile_pixels));
    }
    return vec4(with_fog(color, in.position), 1.0);
}
