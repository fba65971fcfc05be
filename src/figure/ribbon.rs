//! A text, token by token, each on its colour and over its number.

use super::canvas::{Area, Canvas};
use super::look::SMALL_SIZE;
use super::marks::{Stroke, TextAnchor};
use super::number::{exact, short};
use super::scale::{ACROSS_HEIGHT, ColorScale};
use super::sheet::Chart;

/// A token and its number.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// The token.
    pub label: String,
    /// The number; none for a token that has none.
    pub value: Option<f32>,
    /// Whether it is set apart.
    pub is_marked: bool,
}

/// A text, token by token.
#[derive(Clone, Debug, PartialEq)]
pub struct Ribbon {
    /// The tokens.
    pub pieces: Vec<Piece>,
    /// How they are coloured.
    pub scale: ColorScale,
}

const TEXT_SIZE: f32 = 15.0;
const PIECE_HEIGHT: f32 = 26.0;
const LINE_HEIGHT: f32 = PIECE_HEIGHT + SMALL_SIZE + 16.0;
const WIDTH: f32 = 760.0;
const MAX_PIECE: f32 = 180.0;

impl Ribbon {
    fn piece_width(canvas: &Canvas<'_>, piece: &Piece) -> f32 {
        let label = canvas.width(&piece.label, TEXT_SIZE).min(MAX_PIECE) + 12.0;
        let number = piece
            .value
            .map(|value| canvas.width(&short(value), SMALL_SIZE) + 6.0);
        label.max(number.unwrap_or(0.0)).max(18.0)
    }

    /// Left edge, line and width of every piece where lines are `room` wide; and how many lines.
    fn places(&self, canvas: &Canvas<'_>, room: f32) -> (Vec<(f32, usize, f32)>, usize) {
        let (mut x, mut line) = (0.0, 0);
        let places = self.pieces.iter().map(|piece| {
            let width = Self::piece_width(canvas, piece);
            if x > 0.0 && x + width > room {
                (x, line) = (0.0, line + 1);
            }
            let place = (x, line, width);
            x += width + 4.0;
            place
        });
        (places.collect(), line + 1)
    }

    fn text_width(&self, canvas: &Canvas<'_>) -> f32 {
        let (places, _) = self.places(canvas, WIDTH);
        places
            .iter()
            .map(|(x, _, width)| x + width)
            .fold(0.0, f32::max)
    }
}

impl Chart for Ribbon {
    fn natural_size(&self, canvas: &Canvas<'_>) -> (f32, f32) {
        let (_, n_lines) = self.places(canvas, WIDTH);
        let height = n_lines as f32 * LINE_HEIGHT + ACROSS_HEIGHT;
        (self.text_width(canvas), height)
    }

    fn draw(&self, canvas: &mut Canvas<'_>, area: Area) {
        let look = canvas.look();
        let (places, n_lines) = self.places(canvas, area.width);
        // Lines come closer where the area is lower than they would like.
        let pitch = LINE_HEIGHT.min((area.height - ACROSS_HEIGHT).max(1.0) / n_lines as f32);
        for (piece, (x, line, width)) in self.pieces.iter().zip(places) {
            let (x, y) = (area.x + x, area.y + line as f32 * pitch);
            let color = piece
                .value
                .map_or(look.plate(), |value| self.scale.color(look.theme, value));
            let told = match piece.value {
                Some(value) => format!("{} · {}", piece.label, exact(value)),
                None => piece.label.clone(),
            };
            let rect = [x, y, width, PIECE_HEIGHT];
            canvas.drawing.rect(rect, color, 3.0, &told);
            if piece.is_marked {
                canvas
                    .drawing
                    .frame(rect, Stroke::new(look.text(), 1.25), 3.0);
            }
            let label = canvas.fit(&piece.label, TEXT_SIZE, MAX_PIECE);
            let at = (x + 0.5 * width, y + 0.5 * PIECE_HEIGHT + 0.34 * TEXT_SIZE);
            canvas.text(
                &label,
                at,
                TEXT_SIZE,
                look.text_on(color),
                TextAnchor::Middle,
            );
            if let Some(value) = piece.value {
                let at = (x + 0.5 * width, y + PIECE_HEIGHT + SMALL_SIZE + 3.0);
                canvas.text(
                    &short(value),
                    at,
                    SMALL_SIZE,
                    look.faint(),
                    TextAnchor::Middle,
                );
            }
        }
        let below = area.y + n_lines as f32 * pitch + 8.0;
        self.scale.draw_across(canvas, (area.x, below));
    }
}
