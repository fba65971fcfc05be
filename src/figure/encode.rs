//! Bytes of pictures.

use std::io;

use ::png::{BitDepth, ColorType, Compression, Encoder, SrgbRenderingIntent};

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
    png_with(width, height, rgba, texts, Compression::default())
}

/// As [`png()`], several times as quick and somewhat larger: for pictures by the hundred.
///
/// # Errors
///
/// As [`png()`].
pub fn quick_png(
    width: u32,
    height: u32,
    rgba: &[u8],
    texts: &[(String, String)],
) -> io::Result<Vec<u8>> {
    png_with(width, height, rgba, texts, Compression::Fast)
}

fn png_with(
    width: u32,
    height: u32,
    rgba: &[u8],
    texts: &[(String, String)],
    compression: Compression,
) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height);
    encoder.set_color(ColorType::Rgba);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(compression);
    encoder.set_source_srgb(SrgbRenderingIntent::Perceptual);
    for (keyword, text) in texts {
        encoder.add_itxt_chunk(keyword.clone(), text.clone())?;
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(rgba)?;
    writer.finish()?;
    Ok(bytes)
}
