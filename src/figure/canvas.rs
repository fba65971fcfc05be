//! A drawing with its fonts and its look.

use super::drawing::Drawing;
use super::lettering::Lettering;
use super::look::{LABEL_SIZE, Look};
use super::marks::{TextAnchor, TextMark};
use crate::color::Rgb;

/// A rectangle, in units from the top left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Its left edge.
    pub x: f32,
    /// Its upper edge.
    pub y: f32,
    /// Its extent to the right.
    pub width: f32,
    /// Its extent down.
    pub height: f32,
}

impl Area {
    /// Its right edge.
    pub fn right(&self) -> f32 {
        self.x + self.width
    }

    /// Its lower edge.
    pub fn bottom(&self) -> f32 {
        self.y + self.height
    }

    /// Left, top, width and height.
    pub fn rect(&self) -> [f32; 4] {
        [self.x, self.y, self.width, self.height]
    }

    /// Whether both have a point in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.x < other.right()
            && other.x < self.right()
            && self.y < other.bottom()
            && other.y < self.bottom()
    }

    /// Less on each side.
    #[must_use]
    pub fn inset(&self, left: f32, top: f32, right: f32, bottom: f32) -> Self {
        Self {
            x: self.x + left,
            y: self.y + top,
            width: (self.width - left - right).max(1.0),
            height: (self.height - top - bottom).max(1.0),
        }
    }
}

/// A drawing with its fonts and its look.
pub struct Canvas<'a> {
    /// The marks.
    pub drawing: Drawing,
    lettering: &'a Lettering,
    look: Look,
}

impl<'a> Canvas<'a> {
    /// An empty one.
    pub fn new(width: f32, height: f32, look: Look, lettering: &'a Lettering) -> Self {
        Self {
            drawing: Drawing::new(width, height),
            lettering,
            look,
        }
    }

    /// The look.
    pub fn look(&self) -> Look {
        self.look
    }

    /// A text's width at a size.
    pub fn width(&self, text: &str, size: f32) -> f32 {
        self.lettering.width(text, size)
    }

    /// A text cut to a width.
    pub fn fit(&self, text: &str, size: f32, room: f32) -> String {
        self.lettering.fit(text, size, room)
    }

    /// Writes a text on a baseline.
    pub fn text(&mut self, text: &str, at: (f32, f32), size: f32, color: Rgb, anchor: TextAnchor) {
        self.write(text, at, size, color, 0.0, anchor, false);
    }

    /// Writes a text in a heavier stroke.
    pub fn strong(
        &mut self,
        text: &str,
        at: (f32, f32),
        size: f32,
        color: Rgb,
        anchor: TextAnchor,
    ) {
        self.write(text, at, size, color, 0.0, anchor, true);
    }

    /// Writes the title of what lies beside it, from below upwards, cut to `room`.
    pub fn side_title(&mut self, title: &str, at: (f32, f32), room: f32) {
        let title = self.fit(title, LABEL_SIZE, room);
        let color = self.look().faint();
        self.rotated(&title, at, LABEL_SIZE, color, -90.0, TextAnchor::Middle);
    }

    /// Writes a text turned clockwise around its place.
    pub fn rotated(
        &mut self,
        text: &str,
        at: (f32, f32),
        size: f32,
        color: Rgb,
        degrees: f32,
        anchor: TextAnchor,
    ) {
        self.write(text, at, size, color, degrees, anchor, false);
    }

    fn write(
        &mut self,
        text: &str,
        at: (f32, f32),
        size: f32,
        color: Rgb,
        degrees: f32,
        anchor: TextAnchor,
        is_strong: bool,
    ) {
        if text.is_empty() {
            return;
        }
        self.drawing.text(TextMark {
            text,
            at,
            size,
            color,
            anchor,
            degrees,
            width: self.lettering.width(text, size),
            is_strong,
        });
    }
}
