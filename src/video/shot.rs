//! Pictures as a window gives them, and how they become frames of a film.

/// In which order a pixel's bytes come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelOrder {
    /// Red, green, blue, alpha.
    #[default]
    Rgba,
    /// Blue, green, red, alpha.
    Bgra,
}

/// A picture of any size, to be shown in a film for some of its frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shot {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// What a pixel's bytes are.
    pub order: ChannelOrder,
    /// `4 * width * height` bytes of sRGB, from the top left.
    pub pixels: Vec<u8>,
    /// The film's width and height in pixels.
    pub film_size: (u32, u32),
    /// How many of the film's frames show it.
    pub n_frames: u32,
}

impl Shot {
    /// Writes the picture as a frame of the film into `frame`, RGBA: as it is but for an odd last row
    /// and column; one of another size is scaled as a whole, with black beside it.
    pub(super) fn write_frame(&self, frame: &mut Vec<u8>) {
        let (width, height) = self.film_size;
        frame.clear();
        if self.width / 2 == width / 2 && self.height / 2 == height / 2 {
            let rows = self.pixels.chunks_exact(4 * self.width as usize);
            for row in rows.take(height as usize) {
                frame.extend_from_slice(&row[..4 * width.min(self.width) as usize]);
            }
        } else {
            self.write_scaled(frame);
        }
        if self.order == ChannelOrder::Bgra {
            for pixel in frame.as_chunks_mut::<4>().0 {
                pixel.swap(0, 2);
            }
        }
    }

    fn write_scaled(&self, frame: &mut Vec<u8>) {
        let (width, height) = (self.film_size.0 as usize, self.film_size.1 as usize);
        let scale = (width as f64 / f64::from(self.width.max(1)))
            .min(height as f64 / f64::from(self.height.max(1)));
        let columns = spans(self.width as usize, width, scale);
        let rows = spans(self.height as usize, height, scale);
        frame.reserve(4 * width * height);
        for row in &rows {
            for column in &columns {
                let pixel = match (row, column) {
                    (Some(row), Some(column)) => self.mean(column, row),
                    _ => [0, 0, 0, 255],
                };
                frame.extend_from_slice(&pixel);
            }
        }
    }

    /// The mean of a rectangle of pixels.
    fn mean(&self, columns: &Span, rows: &Span) -> [u8; 4] {
        let stride = self.width as usize;
        let mut sum = [0.0f32; 4];
        let mut total = 0.0;
        for (y, down) in rows.weights() {
            for (x, across) in columns.weights() {
                let weight = down * across;
                total += weight;
                let at = 4 * (y * stride + x);
                for (sum, byte) in sum.iter_mut().zip(&self.pixels[at..at + 4]) {
                    *sum += weight * f32::from(*byte);
                }
            }
        }
        sum.map(|sum| (sum / total).round() as u8)
    }
}

/// The part of a picture's side that one pixel of a frame shows, in pixels of the picture.
struct Span {
    low: f64,
    high: f64,
    n: usize,
}

impl Span {
    /// The pixels it touches, and how much of each lies in it.
    fn weights(&self) -> impl Iterator<Item = (usize, f32)> + '_ {
        let first = self.low as usize;
        let last = (self.high.ceil() as usize).min(self.n).max(first + 1) - 1;
        (first..=last).map(|at| {
            let (start, end) = (at as f64, (at + 1) as f64);
            let share = self.high.min(end) - self.low.max(start);
            (at, share.max(1e-6) as f32)
        })
    }
}

/// What each of a frame's `n_frame` pixels along a side shows of a picture's `n`; none beside it.
fn spans(n: usize, n_frame: usize, scale: f64) -> Vec<Option<Span>> {
    let before = (0.5 * (n_frame as f64 - scale * n as f64)).floor();
    (0..n_frame)
        .map(|at| {
            let low = (at as f64 - before) / scale;
            let high = low + 1.0 / scale;
            let middle = 0.5 * (low + high);
            (middle > 0.0 && middle < n as f64).then(|| Span {
                low: low.max(0.0),
                high: high.min(n as f64),
                n,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: [u8; 4] = [200, 10, 10, 255];
    const BLUE: [u8; 4] = [10, 10, 200, 255];
    const BLACK: [u8; 4] = [0, 0, 0, 255];

    fn frame(width: u32, rows: &[&[[u8; 4]]], film_size: (u32, u32)) -> Vec<[u8; 4]> {
        let shot = Shot {
            width,
            height: rows.len() as u32,
            order: ChannelOrder::Rgba,
            pixels: rows.iter().flat_map(|row| row.concat()).collect(),
            film_size,
            n_frames: 1,
        };
        let mut frame = vec![7; 3];
        shot.write_frame(&mut frame);
        frame.as_chunks::<4>().0.to_vec()
    }

    #[test]
    fn an_odd_row_and_column_are_left_out() {
        let pixels = frame(
            3,
            &[&[RED, BLUE, RED], &[BLUE, RED, RED], &[RED; 3]],
            (2, 2),
        );

        assert_eq!(pixels, [RED, BLUE, BLUE, RED]);
    }

    #[test]
    fn a_picture_of_another_shape_stands_in_the_middle_with_black_beside_it() {
        let wide = frame(4, &[&[RED, RED, BLUE, BLUE]], (8, 4));
        let high = frame(1, &[&[RED], &[BLUE]], (4, 2));

        assert_eq!(wide[..8], [BLACK; 8]);
        assert_eq!(wide[8..16], [RED, RED, RED, RED, BLUE, BLUE, BLUE, BLUE]);
        assert_eq!(wide[24..], [BLACK; 8]);
        assert_eq!(high[..2], [BLACK, RED]);
        assert_eq!(high[4..6], [BLACK, BLUE]);
        assert_eq!(high.len(), 8);
    }

    #[test]
    fn a_larger_picture_is_averaged_down() {
        let pixels = frame(
            4,
            &[&[RED, BLUE, RED, BLUE], &[BLUE, RED, BLUE, RED]],
            (2, 1),
        );

        assert_eq!(pixels, [[105, 10, 105, 255]; 2]);
    }

    #[test]
    fn blue_and_red_change_places_where_a_window_has_them_so() {
        let shot = Shot {
            width: 1,
            height: 1,
            order: ChannelOrder::Bgra,
            pixels: vec![1, 2, 3, 4],
            film_size: (1, 1),
            n_frames: 1,
        };
        let mut frame = Vec::new();
        shot.write_frame(&mut frame);

        assert_eq!(frame, [3, 2, 1, 4]);
    }
}
