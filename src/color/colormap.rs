//! Colour tables.

use super::Theme;

/// Red, green and blue, sRGB, 0 to 255.
pub type Rgb = [u8; 3];

/// Entries of a colour table.
pub const LUT_SIZE: usize = 256;

/// A map from a value's place in its range to a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colormap {
    /// For signed values: blue below zero, orange above, neutral at zero.
    Diverging,
    /// For values that are zero or more: magma (van der Walt and Smith 2015) without its black end,
    /// perceptually uniform and safe for the colour-blind.
    Sequential,
    /// For reductions seen from afar: one hue, from ground to bright.
    Magnitude,
}

impl Colormap {
    /// Every map, in the order of the rows of the table that shaders sample.
    pub const ALL: [Self; 3] = [Self::Diverging, Self::Sequential, Self::Magnitude];

    /// The map's colours from the low end of the range to the high end.
    pub fn table(self, theme: Theme) -> [Rgb; LUT_SIZE] {
        std::array::from_fn(|index| self.color(theme, index as f32 / (LUT_SIZE - 1) as f32))
    }

    /// The colour at `place`, 0 (low end) to 1 (high end); beyond the ends, the ends' colours.
    pub fn color(self, theme: Theme, place: f32) -> Rgb {
        let place = place.clamp(0.0, 1.0);
        match (self, theme) {
            (Self::Sequential, Theme::Dark) => sequential(place),
            // On a light ground, little is light and much is dark.
            (Self::Sequential, Theme::Light) => sequential(1.0 - place),
            (Self::Diverging, _) => {
                let stops = diverging_stops(theme);
                interpolate(&stops, place)
            }
            (Self::Magnitude, _) => interpolate(&magnitude_stops(theme), place),
        }
    }
}

/// Where magma begins: its darker colours are the ground's.
const MAGMA_START: f64 = 0.16;

fn sequential(place: f32) -> Rgb {
    let place = MAGMA_START + (1.0 - MAGMA_START) * f64::from(place);
    let color = colorous::MAGMA.eval_continuous(place);
    [color.r, color.g, color.b]
}

/// Stops in Oklab (Ottosson 2020): lightness, green-red, blue-yellow.
type Oklab = [f32; 3];

/// Lightness and saturation rise alike on both sides of zero, so that neither sign looks larger.
fn diverging_stops(theme: Theme) -> Vec<Oklab> {
    let (zero, middle, end) = match theme {
        Theme::Dark => (0.33, 0.60, 0.86),
        Theme::Light => (0.90, 0.68, 0.44),
    };
    vec![
        [end, -0.045, -0.105],
        [middle, -0.045, -0.125],
        [zero, 0.0, -0.008],
        [middle, 0.055, 0.105],
        [end, 0.035, 0.125],
    ]
}

fn magnitude_stops(theme: Theme) -> Vec<Oklab> {
    match theme {
        Theme::Dark => vec![
            [0.28, -0.005, -0.015],
            [0.45, -0.045, -0.015],
            [0.70, -0.085, 0.005],
            [0.95, -0.055, 0.035],
        ],
        Theme::Light => vec![
            [0.90, -0.005, -0.005],
            [0.75, -0.045, -0.010],
            [0.52, -0.070, -0.005],
            [0.32, -0.045, -0.010],
        ],
    }
}

fn interpolate(stops: &[Oklab], place: f32) -> Rgb {
    let scaled = place * (stops.len() - 1) as f32;
    let index = (scaled as usize).min(stops.len() - 2);
    let share = scaled - index as f32;
    let mixed: Oklab = std::array::from_fn(|channel| {
        let (low, high) = (stops[index][channel], stops[index + 1][channel]);
        low + (high - low) * share
    });
    oklab_to_srgb(mixed)
}

/// Oklab to sRGB: Björn Ottosson, "A perceptual color space for image processing", 2020.
fn oklab_to_srgb([l, a, b]: Oklab) -> Rgb {
    let cube = |x: f32| x * x * x;
    let long = cube(l + 0.396_337_78 * a + 0.215_803_76 * b);
    let medium = cube(l - 0.105_561_346 * a - 0.063_854_17 * b);
    let short = cube(l - 0.089_484_18 * a - 1.291_485_5 * b);
    let linear = [
        4.076_741_7 * long - 3.307_711_6 * medium + 0.230_969_94 * short,
        -1.268_438 * long + 2.609_757_4 * medium - 0.341_319_38 * short,
        -0.004_196_086_3 * long - 0.703_418_6 * medium + 1.707_614_7 * short,
    ];
    linear.map(|channel| {
        let channel = channel.clamp(0.0, 1.0);
        let encoded = if channel <= 0.003_130_8 {
            12.92 * channel
        } else {
            1.055 * channel.powf(1.0 / 2.4) - 0.055
        };
        (encoded * 255.0).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance: IEC 61966-2-1 decoding, Rec. 709 weights.
    fn luminance(color: Rgb) -> f32 {
        let linear = color.map(|channel| {
            let c = f32::from(channel) / 255.0;
            if c <= 0.040_45 {
                c / 12.92
            } else {
                ((c + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    #[test]
    fn white_black_and_grey_of_oklab_are_those_of_srgb() {
        assert_eq!(oklab_to_srgb([1.0, 0.0, 0.0]), [255, 255, 255]);
        assert_eq!(oklab_to_srgb([0.0, 0.0, 0.0]), [0, 0, 0]);
        let [r, g, b] = oklab_to_srgb([0.6, 0.0, 0.0]);
        assert!(r == g && g == b);
    }

    #[test]
    fn one_sided_maps_never_turn_back_in_lightness() {
        for theme in [Theme::Dark, Theme::Light] {
            for map in [Colormap::Sequential, Colormap::Magnitude] {
                let lightness: Vec<f32> = map.table(theme).map(luminance).to_vec();

                let is_rising = lightness.is_sorted_by(|a, b| *a <= b + 0.004);
                let is_falling = lightness.is_sorted_by(|a, b| *a >= b - 0.004);
                assert!(is_rising != is_falling, "{map:?} {theme:?}");
            }
        }
    }

    #[test]
    fn the_diverging_map_is_neutral_at_zero_and_as_strong_on_both_sides() {
        for theme in [Theme::Dark, Theme::Light] {
            let [r, g, b] = Colormap::Diverging.color(theme, 0.5);
            assert!(r.abs_diff(g) < 12 && g.abs_diff(b) < 12, "{r} {g} {b}");
            for step in 1..=10 {
                let distance = step as f32 / 20.0;
                let below = luminance(Colormap::Diverging.color(theme, 0.5 - distance));
                let above = luminance(Colormap::Diverging.color(theme, 0.5 + distance));
                assert!(
                    (below - above).abs() < 0.06,
                    "{theme:?} {distance}: {below} {above}"
                );
            }
        }
    }

    #[test]
    fn beyond_the_ends_is_the_ends_colour() {
        for map in Colormap::ALL {
            assert_eq!(map.color(Theme::Dark, 7.0), map.color(Theme::Dark, 1.0));
            assert_eq!(map.color(Theme::Dark, -7.0), map.color(Theme::Dark, 0.0));
        }
    }
}
