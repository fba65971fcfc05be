//! Pixels of a drawing.

use resvg::tiny_skia::{FilterQuality, IntSize, Pixmap, PixmapPaint, Transform};
use resvg::usvg::Tree;
use thiserror::Error;

use super::drawing::Drawing;
use super::lettering::Lettering;
use super::marks::{Layer, Placed};

/// Why there are no pixels of a drawing.
#[derive(Debug, Error)]
pub enum RasterError {
    /// It is too large, or empty.
    #[error("a picture of {0} x {1} pixels can't be made; choose another --size or --scale")]
    Size(u32, u32),
    /// It can't be read back.
    #[error("the drawing can't be read back: {0}")]
    Unreadable(String),
}

/// The most pixels along a side.
const MAX_SIDE: u32 = 16_384;

/// The drawing's pixels at `scale` pixels a unit: width, height, and RGBA rows from the top left.
///
/// # Errors
///
/// If it would be larger than a picture can be.
pub fn raster(
    drawing: &Drawing,
    scale: f32,
    lettering: &Lettering,
) -> Result<(u32, u32, Vec<u8>), RasterError> {
    let side = |units: f32| (units * scale).round().max(1.0) as u32;
    let (width, height) = (side(drawing.width()), side(drawing.height()));
    let too_large = RasterError::Size(width, height);
    if width.max(height) > MAX_SIDE {
        return Err(too_large);
    }
    let Some(mut pixels) = Pixmap::new(width, height) else {
        return Err(too_large);
    };
    for layer in drawing.layers() {
        match layer {
            Layer::Marks(marks) => {
                let svg = drawing.wrap(&marks, scale);
                let tree = Tree::from_str(&svg, &lettering.options())
                    .map_err(|error| RasterError::Unreadable(error.to_string()))?;
                resvg::render(&tree, Transform::identity(), &mut pixels.as_mut());
            }
            Layer::Picture(picture) => place(&mut pixels, picture, scale),
        }
    }
    // A figure's ground is opaque, so that nothing is left to divide by.
    Ok((width, height, pixels.take()))
}

/// Draws a picture over what is there.
fn place(onto: &mut Pixmap, picture: Placed, scale: f32) {
    let Placed {
        rect: [x, y, width, height],
        pixels,
        is_sharp,
    } = picture;
    let size = IntSize::from_wh(pixels.width, pixels.height);
    let Some(source) = size.and_then(|size| Pixmap::from_vec(pixels.rgba, size)) else {
        return; // Of no pixels there is nothing to draw.
    };
    let paint = PixmapPaint {
        quality: if is_sharp {
            FilterQuality::Nearest
        } else {
            FilterQuality::Bilinear
        },
        ..PixmapPaint::default()
    };
    let transform = Transform::from_row(
        scale * width / pixels.width as f32,
        0.0,
        0.0,
        scale * height / pixels.height as f32,
        scale * x,
        scale * y,
    );
    onto.draw_pixmap(0, 0, source.as_ref(), &paint, transform, None);
}
