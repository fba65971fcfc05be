// Attention patterns: one flat quad for each head, queries along the flight, keys across it.
#import llmscope::common::{
    bands, lit, pattern_index, patterns, view, weight_color, with_fog, world, FLAG_HIDDEN,
}

struct Varyings {
    @builtin(position) clip_position: vec4<f32>,
    @location(0) position: vec3<f32>,
    // Key and query from the square's near left corner.
    @location(1) place: vec2<f32>,
    @location(2) @interpolate(flat) band: u32,
    @location(3) @interpolate(flat) head: u32,
}

@vertex
fn vertex(@builtin(vertex_index) index: u32, @builtin(instance_index) instance: u32) -> Varyings {
    let n_heads = bands[0].n_heads;
    let band = bands[instance / n_heads];
    let head = instance % n_heads;
    let corner = vec2<f32>(f32(index & 1u), f32(index >> 1u));
    var out: Varyings;
    out.place = corner * f32(world.n_lanes);
    out.position = vec3(
        band.x + f32(head) * band.square_pitch + corner.x * band.square_size,
        0.0,
        band.z - corner.y * band.square_size,
    );
    out.clip_position = view.clip_from_world * vec4(out.position, 1.0);
    if (band.flags & FLAG_HIDDEN) != 0u {
        out.clip_position = vec4(0.0, 0.0, -1.0, 0.0);
    }
    out.band = instance / n_heads;
    out.head = head;
    return out;
}

@fragment
fn fragment(in: Varyings) -> @location(0) vec4<f32> {
    let band = bands[in.band];
    let span = max(fwidth(in.place), vec2(1e-6));
    let pixels_per_cell = 1.0 / max(span.x, span.y);
    let last = world.n_lanes - 1u;
    let key = min(u32(max(in.place.x, 0.0)), last);
    let query = min(u32(max(in.place.y, 0.0)), last);

    // The future is not computed: the bare plate shows there.
    var color = mix(world.ground.rgb, world.no_value.rgb, 0.25);
    if key <= query {
        let weight = patterns[pattern_index(band.first_layer_head + in.head, query, key)];
        color = mix(world.no_value.rgb, weight_color(weight), lit(query, band.order));
        let inside = abs(fract(in.place) - 0.5);
        let edge = min((0.5 - inside.x) / span.x, (0.5 - inside.y) / span.y);
        let share = 0.6 * smoothstep(4.0, 12.0, pixels_per_cell);
        color = mix(color, world.ground.rgb, share * (1.0 - smoothstep(0.3, 1.1, edge)));
    }
    return vec4(with_fog(color, in.position), 1.0);
}
