//! From sRGB pixels to the planes that video encoders take, and back.
//!
//! ITU-R BT.709, limited range: `Y' = 16 + 219 (0.2126 R' + 0.7152 G' + 0.0722 B')`, and the colour
//! differences from 16 to 240 around 128. Colours are halved in number both ways, the mean of two by
//! two pixels.

use rayon::prelude::{
    IndexedParallelIterator as _, ParallelIterator as _, ParallelSlice as _, ParallelSliceMut as _,
};

/// Rows that one thread takes at a time.
const BAND_ROWS: usize = 32;
/// Bits behind the point of the coefficients.
const SHIFT: u32 = 16;
const HALF: i32 = 1 << (SHIFT - 1);

/// A coefficient, of values 0 to 255, in fixed point.
const fn fixed(coefficient: f64) -> i32 {
    let scaled = coefficient * (1u32 << SHIFT) as f64;
    if scaled < 0.0 {
        (scaled - 0.5) as i32
    } else {
        (scaled + 0.5) as i32
    }
}

const KR: f64 = 0.2126;
const KB: f64 = 0.0722;
const KG: f64 = 1.0 - KR - KB;
const LUMA: f64 = 219.0 / 255.0;
const CHROMA: f64 = 224.0 / 255.0;

const Y_R: i32 = fixed(LUMA * KR);
const Y_G: i32 = fixed(LUMA * KG);
const Y_B: i32 = fixed(LUMA * KB);
const U_R: i32 = fixed(-CHROMA * KR / (2.0 * (1.0 - KB)));
const U_G: i32 = fixed(-CHROMA * KG / (2.0 * (1.0 - KB)));
const U_B: i32 = fixed(CHROMA / 2.0);
const V_R: i32 = fixed(CHROMA / 2.0);
const V_G: i32 = fixed(-CHROMA * KG / (2.0 * (1.0 - KR)));
const V_B: i32 = fixed(-CHROMA * KB / (2.0 * (1.0 - KR)));

/// A picture in three planes: brightness, and two colour differences of half its width and height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Yuv420 {
    width: usize,
    height: usize,
    /// `[height, width]`.
    pub y: Vec<u8>,
    /// `[height / 2, width / 2]`.
    pub u: Vec<u8>,
    /// `[height / 2, width / 2]`.
    pub v: Vec<u8>,
}

impl Yuv420 {
    /// A black picture.
    ///
    /// # Panics
    ///
    /// If a side is odd.
    pub fn new(width: usize, height: usize) -> Self {
        assert!(
            width.is_multiple_of(2) && height.is_multiple_of(2),
            "{width}x{height} has an odd side"
        );
        let n_pixels = width * height;
        Self {
            width,
            height,
            y: vec![16; n_pixels],
            u: vec![128; n_pixels / 4],
            v: vec![128; n_pixels / 4],
        }
    }

    /// Pixels across and down.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Takes in a picture of the same size, `4 * width * height` bytes of sRGB; alpha is not looked at.
    ///
    /// # Panics
    ///
    /// If it has another size.
    pub fn read_rgba(&mut self, rgba: &[u8]) {
        assert_eq!(rgba.len(), 4 * self.width * self.height, "one picture");
        let width = self.width;
        // Bands of some rows for each thread, two rows for each of the colours' own.
        let (n_luma, n_chroma) = (BAND_ROWS * width, BAND_ROWS / 2 * (width / 2));
        rgba.par_chunks(4 * n_luma)
            .zip(self.y.par_chunks_mut(n_luma))
            .zip(
                self.u
                    .par_chunks_mut(n_chroma)
                    .zip(self.v.par_chunks_mut(n_chroma)),
            )
            .for_each(|((rgba, y), (u, v))| band(width, rgba, y, u, v));
    }
}

/// Converts some rows, an even number of them.
fn band(width: usize, rgba: &[u8], y: &mut [u8], u: &mut [u8], v: &mut [u8]) {
    let rows = rgba
        .chunks_exact(8 * width)
        .zip(y.chunks_exact_mut(2 * width))
        .zip(
            u.chunks_exact_mut(width / 2)
                .zip(v.chunks_exact_mut(width / 2)),
        );
    for ((rgba, y), (u, v)) in rows {
        let (pixels, _) = rgba.as_chunks::<4>();
        luma(pixels, y);
        let (upper, lower) = pixels.split_at(width);
        chroma(upper, lower, u, v);
    }
}

/// Red, green and blue of a pixel read as one number, which vectors take apart without shuffling.
fn channels(pixel: [u8; 4]) -> [i32; 3] {
    let bits = u32::from_le_bytes(pixel);
    [bits & 0xff, (bits >> 8) & 0xff, (bits >> 16) & 0xff].map(|channel| channel as i32)
}

fn luma(pixels: &[[u8; 4]], y: &mut [u8]) {
    for (pixel, y) in pixels.iter().zip(y) {
        let [r, g, b] = channels(*pixel);
        *y = ((Y_R * r + Y_G * g + Y_B * b + (16 << SHIFT) + HALF) >> SHIFT) as u8;
    }
}

fn chroma(upper: &[[u8; 4]], lower: &[[u8; 4]], u: &mut [u8], v: &mut [u8]) {
    // Sums of four values: two bits more.
    const OFFSET: i32 = (128 << (SHIFT + 2)) + (1 << (SHIFT + 1));
    let (upper, _) = upper.as_chunks::<2>();
    let (lower, _) = lower.as_chunks::<2>();
    for (((upper, lower), u), v) in upper.iter().zip(lower).zip(u).zip(v) {
        let (a, b) = (channels(upper[0]), channels(upper[1]));
        let (c, d) = (channels(lower[0]), channels(lower[1]));
        let red = a[0] + b[0] + c[0] + d[0];
        let green = a[1] + b[1] + c[1] + d[1];
        let blue = a[2] + b[2] + c[2] + d[2];
        *u = ((U_R * red + U_G * green + U_B * blue + OFFSET) >> (SHIFT + 2)) as u8;
        *v = ((V_R * red + V_G * green + V_B * blue + OFFSET) >> (SHIFT + 2)) as u8;
    }
}

/// The sRGB colour of one pixel of three planes.
pub fn rgb_of(y: u8, u: u8, v: u8) -> [u8; 3] {
    let y = (f64::from(y) - 16.0) / 219.0;
    let u = (f64::from(u) - 128.0) / 224.0;
    let v = (f64::from(v) - 128.0) / 224.0;
    let red = y + 2.0 * (1.0 - KR) * v;
    let blue = y + 2.0 * (1.0 - KB) * u;
    let green = (y - KR * red - KB * blue) / KG;
    [red, green, blue].map(|channel| (255.0 * channel).round().clamp(0.0, 255.0) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(rgb: [u8; 3]) -> Yuv420 {
        let mut yuv = Yuv420::new(4, 2);
        let rgba: Vec<u8> = (0..8).flat_map(|_| [rgb[0], rgb[1], rgb[2], 9]).collect();
        yuv.read_rgba(&rgba);
        yuv
    }

    #[test]
    fn the_ends_of_the_range_are_those_of_the_standard() {
        for (rgb, yuv) in [
            ([0, 0, 0], [16, 128, 128]),
            ([255, 255, 255], [235, 128, 128]),
            // ITU-R BT.709's primaries, rounded.
            ([255, 0, 0], [63, 102, 240]),
            ([0, 255, 0], [173, 42, 26]),
            ([0, 0, 255], [32, 240, 118]),
        ] {
            let planes = plain(rgb);
            assert_eq!([planes.y[0], planes.u[0], planes.v[0]], yuv, "{rgb:?}");
            assert!(planes.y.iter().all(|y| *y == yuv[0]));
        }
    }

    #[test]
    fn every_plain_colour_comes_back_within_two_steps() {
        for r in (0..=255u16).step_by(17) {
            for g in (0..=255u16).step_by(17) {
                for b in (0..=255u16).step_by(17) {
                    let rgb = [r, g, b].map(|channel| channel as u8);
                    let planes = plain(rgb);
                    let back = rgb_of(planes.y[0], planes.u[0], planes.v[0]);
                    for (back, channel) in back.iter().zip(rgb) {
                        assert!(back.abs_diff(channel) <= 2, "{rgb:?} is {back:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_colour_stands_for_the_mean_of_four_pixels() {
        let mut yuv = Yuv420::new(2, 2);
        yuv.read_rgba(&[
            255, 0, 0, 255, 0, 0, 0, 255, //
            0, 0, 0, 255, 0, 0, 0, 255,
        ]);

        assert_eq!(yuv.y, [63, 16, 16, 16]);
        // A quarter of red's distance from 128.
        assert_eq!((yuv.u[0], yuv.v[0]), (122, 156));
    }
}
