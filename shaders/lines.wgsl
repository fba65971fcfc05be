// Straight lines of an even width on screen: links, and frames around what is pointed at. They
// carry no data.
#import llmscope::common::{view, with_fog}

// Mirrors `Line` in src/viewer/scene/gpu.rs.
struct Line {
    start: vec3<f32>,
    width: f32,
    end: vec3<f32>,
    unused: f32,
    color: vec4<f32>,
}

@group(1) @binding(0) var<storage, read> lines: array<Line>;

struct Varyings {
    @builtin(position) clip_position: vec4<f32>,
    @location(0) position: vec3<f32>,
    @location(1) @interpolate(flat) color: vec4<f32>,
}

const NEAREST: f32 = 0.05;

@vertex
fn vertex(@builtin(vertex_index) index: u32, @builtin(instance_index) instance: u32) -> Varyings {
    let line = lines[instance];
    var from_clip = view.clip_from_world * vec4(line.start, 1.0);
    var to_clip = view.clip_from_world * vec4(line.end, 1.0);
    var out: Varyings;
    out.color = line.color;
    if from_clip.w < NEAREST && to_clip.w < NEAREST {
        out.clip_position = vec4(0.0, 0.0, -1.0, 0.0);
        return out;
    }
    // What is behind the camera has no place on screen: the line begins where it comes before it.
    if from_clip.w < NEAREST {
        from_clip = mix(from_clip, to_clip, (NEAREST - from_clip.w) / (to_clip.w - from_clip.w));
    }
    if to_clip.w < NEAREST {
        to_clip = mix(to_clip, from_clip, (NEAREST - to_clip.w) / (from_clip.w - to_clip.w));
    }
    let size = view.viewport.zw;
    let way = (to_clip.xy / to_clip.w - from_clip.xy / from_clip.w) * size;
    let along = way / max(length(way), 1e-6);
    let across = vec2(-along.y, along.x);
    // Lines are as wide in a large picture as in a small one.
    let half_width = 0.5 * line.width * max(size.y / 720.0, 1.0);
    let is_end = index >= 2u;
    let side = f32(index & 1u) * 2.0 - 1.0;
    let beyond = select(-along, along, is_end);
    var clip = from_clip;
    out.position = line.start;
    if is_end {
        clip = to_clip;
        out.position = line.end;
    }
    let offset = (side * across + 0.5 * beyond) * half_width * 2.0 / size;
    out.clip_position = vec4(clip.xy + offset * clip.w, clip.z, clip.w);
    // Depth is reversed: a little nearer than what it lies on.
    out.clip_position.z *= 1.002;
    return out;
}

@fragment
fn fragment(in: Varyings) -> @location(0) vec4<f32> {
    return vec4(with_fog(in.color.rgb, in.position), in.color.a);
}
