//! What a drawing is made of, and how it is written as SVG.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::encode::png;
use crate::color::Rgb;

/// Marks, or a picture among them.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Layer {
    /// Elements of SVG.
    Marks(String),
    /// A picture.
    Picture(Placed),
}

/// A picture and its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    /// Left, top, width and height, in units.
    pub rect: [f32; 4],
    pub pixels: Pixels,
    /// Whether its pixels stay squares.
    pub is_sharp: bool,
}

/// A picture: rows of RGBA, sRGB, 8 bits each, from the top left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pixels {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// `4 * width * height` bytes; a pixel is opaque or all zeros.
    pub rgba: Vec<u8>,
}

/// What fills a mark.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paint {
    /// The colour.
    pub color: Rgb,
    /// From 0, unseen, to 1.
    pub opacity: f32,
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stroke {
    /// Its colour.
    pub paint: Paint,
    /// Its width, in units.
    pub width: f32,
    /// Whether it is broken.
    pub is_dashed: bool,
}

/// Which point of a text stands at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TextAnchor {
    /// Where it begins.
    #[default]
    Start,
    /// Its middle.
    Middle,
    /// Where it ends.
    End,
}

/// A text of one line, ready to be drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct TextMark<'a> {
    pub text: &'a str,
    /// Its place, on the baseline.
    pub at: (f32, f32),
    pub size: f32,
    pub color: Rgb,
    pub anchor: TextAnchor,
    /// Clockwise, in degrees, around its place.
    pub degrees: f32,
    /// Its width as measured, in units: other fonts are fitted to it.
    pub width: f32,
    pub is_strong: bool,
}

impl From<Rgb> for Paint {
    fn from(color: Rgb) -> Self {
        Self {
            color,
            opacity: 1.0,
        }
    }
}

impl Paint {
    /// A colour that lets through what is under it.
    pub fn new(color: Rgb, opacity: f32) -> Self {
        Self { color, opacity }
    }

    pub(super) fn write(self, svg: &mut String, attribute: &str) {
        let [r, g, b] = self.color;
        put(svg, format_args!(" {attribute}=\"#{r:02x}{g:02x}{b:02x}\""));
        if self.opacity < 1.0 {
            let opacity = number(self.opacity.max(0.0));
            put(svg, format_args!(" {attribute}-opacity=\"{opacity}\""));
        }
    }
}

impl Stroke {
    /// An unbroken line.
    pub fn new(paint: impl Into<Paint>, width: f32) -> Self {
        Self {
            paint: paint.into(),
            width,
            is_dashed: false,
        }
    }

    /// The same line, broken.
    #[must_use]
    pub fn dashed(self) -> Self {
        Self {
            is_dashed: true,
            ..self
        }
    }

    pub(super) fn write(self, svg: &mut String) {
        self.paint.write(svg, "stroke");
        put(
            svg,
            format_args!(" stroke-width=\"{}\"", number(self.width)),
        );
        if self.is_dashed {
            svg.push_str(" stroke-dasharray=\"3 3\"");
        }
    }
}

impl Placed {
    pub(super) fn write(&self, svg: &mut String) {
        let [x, y, w, h] = self.rect.map(number);
        // Some programs know the older word, browsers the newer.
        let rendering = if self.is_sharp {
            " image-rendering=\"optimizeSpeed\" style=\"image-rendering:pixelated\""
        } else {
            ""
        };
        let Pixels {
            width,
            height,
            rgba,
        } = &self.pixels;
        let file = png(*width, *height, rgba, &[]).expect("the picture has all its pixels");
        put(
            svg,
            format_args!(
                "<image x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" \
                 preserveAspectRatio=\"none\"{rendering} href=\"data:image/png;base64,{}\"/>\n",
                STANDARD.encode(&file)
            ),
        );
    }
}

pub(super) fn put(svg: &mut String, text: std::fmt::Arguments<'_>) {
    svg.write_fmt(text).expect("a string takes all text");
}

/// A coordinate with at most two decimals, which is finer than eyes and printers are.
pub(super) fn number(value: f32) -> String {
    let value = if value.is_finite() { value } else { 0.0 };
    let mut text = format!("{value:.2}");
    while text.ends_with('0') {
        text.pop();
    }
    if text.ends_with('.') {
        text.pop();
    }
    if text == "-0" { "0".to_owned() } else { text }
}

/// Adds `text` as XML may hold it: a control character is shown as a box.
pub(super) fn escape(svg: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => svg.push_str("&amp;"),
            '<' => svg.push_str("&lt;"),
            '>' => svg.push_str("&gt;"),
            '"' => svg.push_str("&quot;"),
            '\n' => svg.push_str("&#10;"),
            control if control.is_control() => svg.push('□'),
            '\u{fffe}' | '\u{ffff}' => svg.push('□'),
            other => svg.push(other),
        }
    }
}
