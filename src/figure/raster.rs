//! Pixels of a drawing.

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::Tree;
use thiserror::Error;

use super::drawing::Drawing;
use super::lettering::Lettering;

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
    let tree = Tree::from_str(&drawing.to_svg(scale), &lettering.options())
        .map_err(|error| RasterError::Unreadable(error.to_string()))?;
    let Some(mut pixels) = Pixmap::new(width, height) else {
        return Err(too_large);
    };
    resvg::render(&tree, Transform::identity(), &mut pixels.as_mut());
    // A figure's ground is opaque, so that nothing is left to divide by.
    Ok((width, height, pixels.take()))
}
