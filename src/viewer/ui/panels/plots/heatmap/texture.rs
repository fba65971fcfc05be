//! The cells' colours as a texture.

use egui::{Color32, ColorImage, TextureHandle, TextureId, TextureOptions, Ui, Vec2};

use super::HeatmapView;
use super::Scale;
use crate::analysis::Matrix;
use crate::color::{NOT_FINITE, Theme};
use crate::viewer::ui::theme;

/// What the texture was made of.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Source {
    version: u64,
    scale: Scale,
    theme: Theme,
    size: (usize, usize),
    block: (usize, usize),
}

/// The cells' colours as a texture, made anew only when they change.
#[derive(Default)]
pub struct Texture {
    made: Option<(Source, TextureHandle)>,
}

impl Texture {
    /// The texture of a view whose cells take `cell` pixels each.
    pub fn of(&mut self, ui: &Ui, view: &HeatmapView<'_>, cell: Vec2) -> TextureId {
        let matrix = view.matrix;
        let max_side = ui.input(|input| input.max_texture_side).max(1);
        let at_once = |pixels: f32, n: usize| {
            let by_pixels = (1.0 / pixels.max(1e-3)).ceil() as usize;
            by_pixels.max(n.div_ceil(max_side)).clamp(1, n.max(1))
        };
        let source = Source {
            version: view.version,
            scale: view.scale,
            theme: view.theme,
            size: (matrix.n_rows(), matrix.n_columns()),
            block: (
                at_once(cell.y, matrix.n_rows()),
                at_once(cell.x, matrix.n_columns()),
            ),
        };
        match &mut self.made {
            Some((made, texture)) if *made == source => texture.id(),
            Some((made, texture)) => {
                *made = source;
                texture.set(image(matrix, &source), TextureOptions::NEAREST);
                texture.id()
            }
            None => {
                let image = image(matrix, &source);
                let texture = ui
                    .ctx()
                    .load_texture(view.name, image, TextureOptions::NEAREST);
                let id = texture.id();
                self.made = Some((source, texture));
                id
            }
        }
    }

    /// How many cells a pixel stands for.
    pub fn block(&self) -> usize {
        let block = self.made.as_ref().map(|(source, _)| source.block);
        block.map_or(1, |(rows, columns)| rows * columns)
    }
}

fn image(matrix: &Matrix, source: &Source) -> ColorImage {
    let (block_rows, block_columns) = source.block;
    let table = source.scale.table(source.theme);
    let not_finite = theme::color(NOT_FINITE);
    let n_rows = source.size.0.div_ceil(block_rows);
    let n_columns = source.size.1.div_ceil(block_columns);
    let mut pixels = vec![Color32::TRANSPARENT; n_rows * n_columns];
    if source.block == (1, 1) {
        for (row, pixels) in pixels.chunks_exact_mut(n_columns).enumerate() {
            for (pixel, value) in pixels.iter_mut().zip(matrix.row(row)) {
                *pixel = match source.scale.place(*value) {
                    Some(place) => table[place],
                    None => not_finite,
                };
            }
        }
        return ColorImage::new([n_columns, n_rows], pixels);
    }
    for (row, pixels) in pixels.chunks_exact_mut(n_columns).enumerate() {
        let rows = row * block_rows..((row + 1) * block_rows).min(source.size.0);
        let mut greatest: Vec<Option<f32>> = vec![None; n_columns];
        for row in rows {
            let parts = matrix.row(row).chunks(block_columns);
            for (greatest, part) in greatest.iter_mut().zip(parts) {
                *greatest = part.iter().copied().chain(*greatest).reduce(louder);
            }
        }
        for (pixel, value) in pixels.iter_mut().zip(greatest) {
            if let Some(value) = value {
                *pixel = match source.scale.place(value) {
                    Some(place) => table[place],
                    None => not_finite,
                };
            }
        }
    }
    ColorImage::new([n_columns, n_rows], pixels)
}

/// A picture of a matrix with a pixel for each cell.
pub fn painted(matrix: &Matrix, scale: &Scale, theme: Theme) -> ColorImage {
    let source = Source {
        version: 0,
        scale: *scale,
        theme,
        size: (matrix.n_rows(), matrix.n_columns()),
        block: (1, 1),
    };
    image(matrix, &source)
}

/// The one of greater magnitude; what is NaN or infinite is never hidden.
fn louder(a: f32, b: f32) -> f32 {
    if !a.is_finite() || (b.is_finite() && a.abs() >= b.abs()) {
        a
    } else {
        b
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(matrix: &Matrix, block: (usize, usize)) -> Source {
        Source {
            version: 0,
            scale: Scale::of(matrix.range()),
            theme: Theme::Dark,
            size: (matrix.n_rows(), matrix.n_columns()),
            block,
        }
    }

    fn matrix(rows: &[&[f32]]) -> Matrix {
        let mut matrix = Matrix::new(3);
        for row in rows {
            matrix.push_row(row);
        }
        matrix
    }

    #[test]
    fn a_texel_has_its_cells_colour_and_none_where_there_is_no_number() {
        let matrix = matrix(&[&[1.0], &[f32::NAN, 0.0, 0.5]]);
        let source = source(&matrix, (1, 1));
        let table = source.scale.table(Theme::Dark);

        let image = image(&matrix, &source);

        assert_eq!(image.size, [3, 2]);
        assert_eq!(image.pixels[..2], [table[255], Color32::TRANSPARENT]);
        assert_eq!(
            image.pixels[3..],
            [theme::color(NOT_FINITE), table[0], table[128]]
        );
    }

    #[test]
    fn a_texel_of_many_cells_has_the_colour_of_the_loudest_and_hides_no_nan() {
        let matrix = matrix(&[&[1.0, -2.0, 0.0], &[0.0, 1.0, f32::NAN], &[0.5, 0.5, 0.5]]);
        let source = source(&matrix, (2, 2));
        let table = source.scale.table(Theme::Dark);

        let image = image(&matrix, &source);

        assert_eq!(image.size, [2, 2]);
        assert_eq!(image.pixels[..2], [table[0], theme::color(NOT_FINITE)]);
        assert_eq!(image.pixels[2], image.pixels[3]);
    }
}
