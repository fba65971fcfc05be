// Matrices on the ground, one flat quad each: a head's attention, queries along the flight and keys
// across it; or weights. Where cells are smaller than a pixel a pixel shows what its numbers come
// down to.
#import llmscope::common::{
    exact_at, fields, is_computed, lit, reduced_at, reduced_color, signed_color, view, weight_color, with_fog,
    world, FIELD_PATTERN, FIELD_WEIGHT,
}

struct Varyings {
    @builtin(position) clip_position: vec4<f32>,
    @location(0) position: vec3<f32>,
    // Column and row from the near left corner.
    @location(1) place: vec2<f32>,
    @location(2) @interpolate(flat) index: u32,
}

@vertex
fn vertex(@builtin(vertex_index) vertex_index: u32, @builtin(instance_index) index: u32) -> Varyings {
    let field = fields[index];
    let corner = vec2<f32>(f32(vertex_index & 1u), f32(vertex_index >> 1u));
    var out: Varyings;
    out.place = corner * vec2(f32(field.n_cols), f32(field.n_rows));
    out.position = vec3(field.x + corner.x * field.width, 0.0, field.z - corner.y * field.depth);
    out.clip_position = view.clip_from_world * vec4(out.position, 1.0);
    out.index = index;
    return out;
}

@fragment
fn fragment(in: Varyings) -> @location(0) vec4<f32> {
    let field = fields[in.index];
    let span = max(fwidth(in.place), vec2(1e-6));
    let pixels_per_cell = 1.0 / max(span.x, span.y);
    let col = min(u32(max(in.place.x, 0.0)), field.n_cols - 1u);
    let row = min(u32(max(in.place.y, 0.0)), field.n_rows - 1u);
    let is_weight = field.kind == FIELD_WEIGHT;
    let plate = mix(world.ground.rgb, world.no_value.rgb, 0.25);

    var color = plate;
    // What a query does not see is not computed: the bare plate shows there.
    if is_computed(field, row, col) {
        color = world.no_value.rgb;
        var shown = 1.0;
        if !is_weight {
            shown = lit(row, f32(field.order));
        }
        // Where boxes begin to rise, every cell has its own colour.
        let exact_share = smoothstep(0.8, 1.6, pixels_per_cell);
        let exact = exact_at(field, row, col);
        var value_color = world.no_value.rgb;
        if exact_share < 1.0 || !exact.is_there {
            let reduced = reduced_at(field, row, col, 1.0 / pixels_per_cell);
            if reduced.is_there {
                if field.kind == FIELD_PATTERN {
                    value_color = weight_color(reduced.value);
                } else {
                    value_color = reduced_color(reduced.value, field.far_scale);
                }
            }
        }
        if exact.is_there && exact_share > 0.0 {
            var exact_color: vec3<f32>;
            if field.kind == FIELD_PATTERN {
                exact_color = weight_color(exact.value);
            } else {
                exact_color = signed_color(exact.value, field.value_scale);
            }
            value_color = mix(value_color, exact_color, exact_share);
        }
        // Less than nothing: there are no numbers.
        if field.far_scale < 0.0 {
            value_color = world.no_value.rgb;
        }
        color = mix(color, value_color, shown);
        let inside = abs(fract(in.place) - 0.5);
        let edge = min((0.5 - inside.x) / span.x, (0.5 - inside.y) / span.y);
        let share = 0.6 * smoothstep(4.0, 12.0, pixels_per_cell);
        color = mix(color, world.ground.rgb, share * (1.0 - smoothstep(0.3, 1.1, edge)));
    }
    return vec4(with_fog(color, in.position), 1.0);
}
