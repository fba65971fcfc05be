// Points of a projection: discs that face the eye, larger the nearer. Their colour is a magnitude, the
// same at any distance; their rim says that a token is one of the text's, or chosen.
#import llmscope::common::{view, world, reduced_color}

// Mirrors `Dot` in src/viewer/scene/gpu.rs.
struct Dot {
    at: vec3<f32>,
    size: f32,
    value: f32,
    rim: f32,
    unused_a: f32,
    unused_b: f32,
}

@group(1) @binding(0) var<storage, read> dots: array<Dot>;

struct Varyings {
    @builtin(position) clip_position: vec4<f32>,
    // From the middle, in radii.
    @location(0) offset: vec2<f32>,
    @location(1) @interpolate(flat) value: f32,
    @location(2) @interpolate(flat) rim: f32,
    @location(3) @interpolate(flat) radius: f32,
}

// A point is never smaller than this on screen, in pixels, nor larger than that.
const LEAST_RADIUS: f32 = 1.3;
const GREATEST_RADIUS: f32 = 13.0;
const NEAREST: f32 = 0.05;
// How the projection scales heights: the cotangent of half the field of view, 22.5 degrees.
const WHOLE_SCALE: f32 = 2.41421356;

@vertex
fn vertex(@builtin(vertex_index) index: u32, @builtin(instance_index) instance: u32) -> Varyings {
    let dot = dots[instance];
    let corner = vec2(f32(index & 1u), f32(index >> 1u)) * 2.0 - 1.0;
    var clip = view.clip_from_world * vec4(dot.at, 1.0);
    var out: Varyings;
    out.offset = corner;
    out.value = dot.value;
    out.rim = dot.rim;
    // The whole picture's height, even where a part of it is drawn: the angle it spans is always the same.
    let height = view.viewport.w * view.clip_from_view[1][1] / WHOLE_SCALE;
    let scale = max(height / 720.0, 1.0);
    let distance = max(length(dot.at - view.world_position), 0.1);
    let least = LEAST_RADIUS * scale * (1.0 + dot.rim);
    out.radius = clamp(world.pixels_per_unit * dot.size / distance, least, GREATEST_RADIUS * scale);
    if clip.w < NEAREST {
        out.clip_position = vec4(0.0, 0.0, -1.0, 0.0);
        return out;
    }
    let reach = corner * out.radius * 2.0 / view.viewport.zw;
    out.clip_position = vec4(clip.xy + reach * clip.w, clip.z, clip.w);
    return out;
}

@fragment
fn fragment(in: Varyings) -> @location(0) vec4<f32> {
    let place = length(in.offset);
    if place > 1.0 {
        discard;
    }
    var color = reduced_color(in.value, 1.0);
    let rim_width = select(1.6, 2.4, in.rim > 1.5) / in.radius;
    if in.rim > 0.5 && place > 1.0 - rim_width {
        // The strongest contrast to the ground there is.
        color = 1.0 - world.background.rgb;
    }
    return vec4(color, 1.0);
}
