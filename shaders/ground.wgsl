// The ground: one plate under everything, and a road in each lane that the residual stream runs on.
#import llmscope::common::{view, world, with_fog}

struct Varyings {
    @builtin(position) clip_position: vec4<f32>,
    @location(0) position: vec3<f32>,
    @location(1) @interpolate(flat) instance: u32,
}

@vertex
fn vertex(@builtin(vertex_index) index: u32, @builtin(instance_index) instance: u32) -> Varyings {
    let corner = vec2<f32>(f32(index & 1u), f32(index >> 1u));
    let margin = 0.6 * world.tile_width;
    var low = world.extent.xy - vec2(margin);
    var high = world.extent.zw + vec2(margin);
    var y = -0.02 * world.tile_width;
    if instance > 0u {
        // The road lies under the left edge of the lane, and a little beside it.
        let x = f32(instance - 1u) * world.lane_pitch;
        low = vec2(x - 0.09 * world.tile_width, world.exit_z);
        high = vec2(x - 0.03 * world.tile_width, 0.0);
        y = -0.01 * world.tile_width;
    }
    let ground = mix(low, high, corner);
    var out: Varyings;
    out.position = vec3(ground.x, y, ground.y);
    out.clip_position = view.clip_from_world * vec4(out.position, 1.0);
    out.instance = instance;
    return out;
}

@fragment
fn fragment(in: Varyings) -> @location(0) vec4<f32> {
    var color = world.ground.rgb;
    if in.instance > 0u {
        color = world.road.rgb;
        if in.instance - 1u > world.playhead_lane {
            color = mix(world.ground.rgb, world.road.rgb, 0.4);
        }
    }
    return vec4(with_fog(color, in.position), 1.0);
}
