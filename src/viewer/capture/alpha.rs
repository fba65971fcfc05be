//! From pixels as they are blended to pixels as a PNG has them.

/// Divides each pixel's colours by its alpha: what is drawn over nothing has its own colour and lets
/// through, where a blended pixel is darker instead. Colours are sRGB, but blended in linear light.
pub(super) fn unpremultiply(rgba: &mut [u8]) {
    let linear: Vec<f32> = (0..=255u8).map(to_linear).collect();
    for pixel in rgba.as_chunks_mut::<4>().0 {
        let [r, g, b, alpha] = *pixel;
        if alpha == 255 {
            continue;
        }
        let share = f32::from(alpha) / 255.0;
        let divided = |byte: u8| match alpha {
            0 => 0,
            _ => to_srgb(linear[usize::from(byte)] / share),
        };
        *pixel = [divided(r), divided(g), divided(b), alpha];
    }
}

/// IEC 61966-2-1.
fn to_linear(byte: u8) -> f32 {
    let value = f32::from(byte) / 255.0;
    if value <= 0.040_45 {
        value / 12.92
    } else {
        ((value + 0.055) / 1.055).powf(2.4)
    }
}

fn to_srgb(linear: f32) -> u8 {
    let linear = linear.clamp(0.0, 1.0);
    let value = if linear <= 0.003_130_8 {
        12.92 * linear
    } else {
        1.055 * linear.powf(1.0 / 2.4) - 0.055
    };
    (255.0 * value).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_over_nothing_has_the_colour_of_what_it_is_the_edge_of() {
        let color = [200, 100, 30];
        let half = color.map(|byte| to_srgb(0.5 * to_linear(byte)));
        let mut rgba = vec![
            200, 100, 30, 255, half[0], half[1], half[2], 128, 0, 0, 0, 0,
        ];

        unpremultiply(&mut rgba);

        assert_eq!(rgba[..4], [200, 100, 30, 255]);
        for (byte, expected) in rgba[4..7].iter().zip(color) {
            assert!(byte.abs_diff(expected) <= 2, "{rgba:?}");
        }
        assert_eq!(rgba[7], 128);
        assert_eq!(rgba[8..], [0, 0, 0, 0]);
    }

    #[test]
    fn a_byte_comes_back_from_linear_light() {
        for byte in 0..=255 {
            assert_eq!(to_srgb(to_linear(byte)), byte);
        }
    }
}
