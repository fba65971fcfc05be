// The exit: bars of probability for the most probable next tokens of each lane.
#import llmscope::common::{lit, view, weight_color, with_fog, world}

// Mirrors `Bar` in src/viewer/scene/gpu.rs.
struct Bar {
    x: f32,
    z: f32,
    width: f32,
    depth: f32,
    height: f32,
    probability: f32,
    order: f32,
    lane: u32,
}

@group(1) @binding(0) var<storage, read> bars: array<Bar>;

struct Varyings {
    @builtin(position) clip_position: vec4<f32>,
    @location(0) position: vec3<f32>,
    @location(1) @interpolate(flat) color: vec3<f32>,
    @location(2) local: vec3<f32>,
}

@vertex
fn vertex(@builtin(vertex_index) corner: u32, @builtin(instance_index) instance: u32) -> Varyings {
    let bar = bars[instance];
    // The bar is there once the logits are: the signal's last step.
    let shown = select(lit(bar.lane, bar.order), 0.0, bar.probability < 0.0);
    let up = f32(corner >> 2u);
    var out: Varyings;
    out.local = vec3(
        f32(corner & 1u) * bar.width,
        // Before it rises a flat plate marks its place.
        up * max(bar.height * shown, 0.004 * world.tile_width),
        -f32((corner >> 1u) & 1u) * bar.depth,
    );
    out.position = vec3(bar.x, 0.0, bar.z) + out.local;
    out.clip_position = view.clip_from_world * vec4(out.position, 1.0);
    out.color = mix(world.no_value.rgb, weight_color(max(bar.probability, 0.0)), shown);
    return out;
}

@fragment
fn fragment(in: Varyings) -> @location(0) vec4<f32> {
    let facing = abs(normalize(cross(dpdx(in.local), dpdy(in.local))));
    let light = facing.y + 0.74 * facing.z + 0.58 * facing.x;
    return vec4(with_fog(in.color * light, in.position), 1.0);
}
