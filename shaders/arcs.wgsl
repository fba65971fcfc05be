// Attention arcs: a ribbon from the key's lane to the query's, over the layer's band. Its width goes
// by the weight; its colour is the weight's.
#import llmscope::common::{lit, view, weight_color, with_fog, world}

// Mirrors `Arc` in src/viewer/scene/gpu.rs.
struct Arc {
    key_x: f32,
    query_x: f32,
    z: f32,
    weight: f32,
    order: f32,
    query: u32,
}

@group(1) @binding(0) var<storage, read> arcs: array<Arc>;

const SEGMENTS: u32 = 32u;
const PI: f32 = 3.14159265;

struct Varyings {
    @builtin(position) clip_position: vec4<f32>,
    @location(0) position: vec3<f32>,
    @location(1) @interpolate(flat) color: vec3<f32>,
    // -1 to 1 across the ribbon.
    @location(2) side: f32,
    // Its opacity, less than one where it is thinner than a pixel.
    @location(3) opacity: f32,
}

fn point(arc: Arc, turn: f32) -> vec3<f32> {
    let reach = abs(arc.query_x - arc.key_x);
    let height = 0.42 * reach + 0.25 * world.tile_width;
    let along = 0.5 - 0.5 * cos(turn * PI);
    return vec3(mix(arc.key_x, arc.query_x, along), height * sin(turn * PI), arc.z);
}

@vertex
fn vertex(@builtin(vertex_index) index: u32, @builtin(instance_index) instance: u32) -> Varyings {
    let arc = arcs[instance];
    let turn = f32(index >> 1u) / f32(SEGMENTS);
    let side = f32(index & 1u) * 2.0 - 1.0;
    let here = view.clip_from_world * vec4(point(arc, turn), 1.0);
    let step = 0.5 / f32(SEGMENTS);
    let before = view.clip_from_world * vec4(point(arc, turn - step), 1.0);
    let after = view.clip_from_world * vec4(point(arc, turn + step), 1.0);
    let size = view.viewport.zw;
    let direction = (after.xy / max(after.w, 1e-3) - before.xy / max(before.w, 1e-3)) * size;
    let normal = normalize(vec2(-direction.y, direction.x) + vec2(1e-6, 0.0));

    // Half the ribbon's width on screen, in pixels.
    let pixels_per_unit = 0.5 * size.y * view.clip_from_view[1][1] / max(here.w, 1e-3);
    let half_width = 0.02 * world.tile_width * sqrt(arc.weight) * pixels_per_unit;
    let drawn = clamp(half_width, 0.6, 6.0) + 0.75;
    var out: Varyings;
    out.clip_position = here;
    out.clip_position.x += side * normal.x * drawn * 2.0 / size.x * here.w;
    out.clip_position.y += side * normal.y * drawn * 2.0 / size.y * here.w;
    out.position = point(arc, turn);
    out.color = weight_color(arc.weight);
    out.side = side * drawn;
    out.opacity = clamp(half_width / 0.6, 0.25, 1.0) * lit(arc.query, arc.order);
    if out.opacity <= 0.0 {
        out.clip_position = vec4(0.0, 0.0, -1.0, 0.0);
    }
    return out;
}

@fragment
fn fragment(in: Varyings) -> @location(0) vec4<f32> {
    return vec4(with_fog(in.color, in.position), in.opacity);
}
