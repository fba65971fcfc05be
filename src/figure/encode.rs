//! Bytes of pictures.

use std::io;

/// A PNG of `width` by `height` pixels, RGBA rows from the top left, with `texts` (keyword and text)
/// beside them.
///
/// # Errors
///
/// If there are not that many pixels, or a keyword is none.
pub fn png(
    width: u32,
    height: u32,
    rgba: &[u8],
    texts: &[(String, String)],
) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(::png::ColorType::Rgba);
    encoder.set_depth(::png::BitDepth::Eight);
    encoder.set_source_srgb(::png::SrgbRenderingIntent::Perceptual);
    for (keyword, text) in texts {
        encoder.add_itxt_chunk(keyword.clone(), text.clone())?;
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(rgba)?;
    writer.finish()?;
    Ok(bytes)
}
