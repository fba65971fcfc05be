//! Points as a texture: one draw however many there are, made anew only when something changes.

use egui::{Color32, ColorImage, Rect, TextureHandle, TextureId, TextureOptions, Ui, Vec2, vec2};

use super::frame::Frame;
use crate::color::{Colormap, LUT_SIZE, NOT_FINITE, Theme};
use crate::viewer::ui::theme;

/// What the texture is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Made {
    version: u64,
    theme: Theme,
    frame: Frame,
    /// In pixels.
    size: [usize; 2],
    pixels_per_point: f32,
}

/// Points as a texture.
#[derive(Default)]
pub struct Dots {
    made: Option<(Made, TextureHandle)>,
}

/// Points and their colours.
#[derive(Clone, Copy)]
pub struct Scattered<'a> {
    /// `[n, n_dims]`, of which the first two coordinates count.
    pub points: &'a [f32],
    /// Coordinates of a point.
    pub n_dims: usize,
    /// What each one's colour shows, zero or more.
    pub values: &'a [f32],
    /// What the brightest colour stands for.
    pub greatest: f32,
    /// Another number whenever points or values are others.
    pub version: u64,
}

/// Radius of a point on screen, in points, where there are this many.
pub fn radius(n: usize) -> f32 {
    match n {
        0..=300 => 4.0,
        301..=3_000 => 2.6,
        3_001..=20_000 => 1.7,
        _ => 1.25,
    }
}

impl Dots {
    /// The texture of points, seen in `rect`.
    pub fn of(
        &mut self,
        ui: &Ui,
        scattered: &Scattered<'_>,
        frame: Frame,
        rect: Rect,
        theme: Theme,
    ) -> TextureId {
        let pixels_per_point = ui.ctx().pixels_per_point();
        let max_side = ui.input(|input| input.max_texture_side).max(1);
        let side = |points: f32| ((points * pixels_per_point).round() as usize).clamp(1, max_side);
        let made = Made {
            version: scattered.version,
            theme,
            frame,
            size: [side(rect.width()), side(rect.height())],
            pixels_per_point,
        };
        match &mut self.made {
            Some((before, texture)) if *before == made => texture.id(),
            Some((before, texture)) => {
                *before = made;
                texture.set(image(scattered, &made), TextureOptions::LINEAR);
                texture.id()
            }
            None => {
                let image = image(scattered, &made);
                let context = ui.ctx();
                let texture = context.load_texture("projection", image, TextureOptions::LINEAR);
                let id = texture.id();
                self.made = Some((made, texture));
                id
            }
        }
    }
}

/// The colour of a value.
pub fn color_of(value: f32, greatest: f32, theme: Theme) -> Color32 {
    if !value.is_finite() {
        return theme::color(NOT_FINITE);
    }
    let place = if greatest > 0.0 {
        value / greatest
    } else {
        0.0
    };
    theme::color(Colormap::Magnitude.color(theme, place))
}

fn image(scattered: &Scattered<'_>, made: &Made) -> ColorImage {
    let [width, height] = made.size;
    let ground = theme::color(made.theme.neutrals().ground);
    let mut pixels = vec![ground; width * height];
    let table = Colormap::Magnitude.table(made.theme).map(theme::color);
    let not_finite = theme::color(NOT_FINITE);
    let scale = if scattered.greatest > 0.0 {
        (LUT_SIZE - 1) as f32 / scattered.greatest
    } else {
        0.0
    };
    let n = scattered.points.len() / scattered.n_dims;
    let radius = radius(n) * made.pixels_per_point;
    let zoom = made.frame.zoom * made.pixels_per_point;
    let middle = vec2(width as f32, height as f32) / 2.0;
    let mut canvas = Canvas {
        pixels: &mut pixels,
        width,
        height,
    };
    let points = scattered.points.chunks_exact(scattered.n_dims);
    for (point, value) in points.zip(scattered.values) {
        let by = (vec2(point[0], point[1]) - made.frame.middle) * zoom;
        let at = middle + vec2(by.x, -by.y);
        let color = if value.is_finite() {
            table[((value * scale).round() as usize).min(LUT_SIZE - 1)]
        } else {
            not_finite
        };
        canvas.disc(at, radius, color);
    }
    ColorImage::new([width, height], pixels)
}

struct Canvas<'a> {
    pixels: &'a mut [Color32],
    width: usize,
    height: usize,
}

impl Canvas<'_> {
    /// A disc with a soft edge.
    fn disc(&mut self, at: Vec2, radius: f32, color: Color32) {
        let reach = radius + 0.5;
        let is_seen = at.x > -reach
            && at.y > -reach
            && at.x < self.width as f32 + reach
            && at.y < self.height as f32 + reach;
        if !is_seen {
            return; // A point that is not finite is nowhere.
        }
        let span = |middle: f32, n: usize| {
            let low = (middle - reach).floor().max(0.0) as usize;
            low..((middle + reach).ceil().max(0.0) as usize).min(n)
        };
        for y in span(at.y, self.height) {
            for x in span(at.x, self.width) {
                let offset = vec2(x as f32 + 0.5, y as f32 + 0.5) - at;
                let cover = (reach - offset.length()).clamp(0.0, 1.0);
                if cover > 0.0 {
                    let pixel = &mut self.pixels[y * self.width + x];
                    *pixel = pixel.lerp_to_gamma(color, cover);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_where_it_belongs_in_its_colour_and_nowhere_else() {
        let scattered = Scattered {
            points: &[1.0, 1.0, f32::NAN, 0.0, 1e9, 0.0],
            n_dims: 2,
            values: &[2.0, 2.0, 2.0],
            greatest: 2.0,
            version: 0,
        };
        let made = Made {
            version: 0,
            theme: Theme::Dark,
            frame: Frame {
                middle: Vec2::ZERO,
                zoom: 10.0,
            },
            size: [60, 40],
            pixels_per_point: 1.0,
        };

        let image = image(&scattered, &made);

        let ground = theme::color(Theme::Dark.neutrals().ground);
        assert_eq!(image[(40, 10)], color_of(2.0, 2.0, Theme::Dark));
        let n_painted = image
            .pixels
            .iter()
            .filter(|pixel| **pixel != ground)
            .count();
        // A disc of radius 4 with its soft edge.
        assert!((50..=80).contains(&n_painted), "{n_painted}");
    }
}
