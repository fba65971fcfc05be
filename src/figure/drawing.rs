//! A vector drawing, mark by mark, written down as SVG.

use std::fmt::Write as _;

use super::encode::{base64, png};
use crate::color::Rgb;

/// A vector drawing in units: pixels of a screen of ordinary density.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawing {
    width: f32,
    height: f32,
    title: String,
    /// What was drawn before `marks`, from the lowest up.
    layers: Vec<Layer>,
    marks: String,
}

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

    fn write(self, svg: &mut String, attribute: &str) {
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

    fn write(self, svg: &mut String) {
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

impl Drawing {
    /// An empty one, `width` by `height` units.
    pub fn new(width: f32, height: f32) -> Self {
        Self {
            width,
            height,
            title: String::new(),
            layers: Vec::new(),
            marks: String::new(),
        }
    }

    /// Units across.
    pub fn width(&self) -> f32 {
        self.width
    }

    /// Units down.
    pub fn height(&self) -> f32 {
        self.height
    }

    /// Says what it shows, for those who can't see it.
    pub fn set_title(&mut self, title: &str) {
        title.clone_into(&mut self.title);
    }

    /// A rectangle; what is told of it is shown when it is pointed at.
    pub fn rect(
        &mut self,
        [x, y, w, h]: [f32; 4],
        fill: impl Into<Paint>,
        radius: f32,
        told: &str,
    ) {
        let [x, y, w, h] = [x, y, w.max(0.0), h.max(0.0)].map(number);
        put(
            &mut self.marks,
            format_args!("<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\""),
        );
        if radius > 0.0 {
            put(&mut self.marks, format_args!(" rx=\"{}\"", number(radius)));
        }
        fill.into().write(&mut self.marks, "fill");
        self.close("rect", told);
    }

    /// A rectangle's outline.
    pub fn frame(&mut self, [x, y, w, h]: [f32; 4], stroke: Stroke, radius: f32) {
        let [x, y, w, h] = [x, y, w.max(0.0), h.max(0.0)].map(number);
        put(
            &mut self.marks,
            format_args!("<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" fill=\"none\""),
        );
        if radius > 0.0 {
            put(&mut self.marks, format_args!(" rx=\"{}\"", number(radius)));
        }
        stroke.write(&mut self.marks);
        self.close("rect", "");
    }

    /// A line through points.
    pub fn line(&mut self, points: &[(f32, f32)], stroke: Stroke) {
        if points.len() < 2 {
            return;
        }
        self.path(points, false);
        self.marks
            .push_str(" fill=\"none\" stroke-linejoin=\"round\" stroke-linecap=\"round\"");
        stroke.write(&mut self.marks);
        self.close("path", "");
    }

    /// A filled polygon.
    pub fn polygon(&mut self, points: &[(f32, f32)], fill: impl Into<Paint>) {
        if points.len() < 3 {
            return;
        }
        self.path(points, true);
        fill.into().write(&mut self.marks, "fill");
        self.close("path", "");
    }

    fn path(&mut self, points: &[(f32, f32)], is_closed: bool) {
        self.marks.push_str("<path d=\"");
        for (index, (x, y)) in points.iter().enumerate() {
            let verb = if index == 0 { 'M' } else { 'L' };
            let (x, y) = (number(*x), number(*y));
            put(&mut self.marks, format_args!("{verb}{x} {y}"));
        }
        self.marks.push_str(if is_closed { "Z\"" } else { "\"" });
    }

    /// A disc; what is told of it is shown when it is pointed at.
    pub fn disc(&mut self, (x, y): (f32, f32), radius: f32, fill: impl Into<Paint>, told: &str) {
        let (x, y, r) = (number(x), number(y), number(radius));
        put(
            &mut self.marks,
            format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\""),
        );
        fill.into().write(&mut self.marks, "fill");
        self.close("circle", told);
    }

    /// A picture, stretched over a rectangle; its pixels stay squares if `is_sharp`.
    pub fn picture(&mut self, rect: [f32; 4], pixels: Pixels, is_sharp: bool) {
        let below = std::mem::take(&mut self.marks);
        self.layers.push(Layer::Marks(below));
        self.layers.push(Layer::Picture(Placed {
            rect,
            pixels,
            is_sharp,
        }));
    }

    /// What it consists of, from the lowest up.
    pub(super) fn layers(&self) -> impl Iterator<Item = Layer> + '_ {
        let top = Layer::Marks(self.marks.clone());
        self.layers.iter().cloned().chain([top])
    }

    pub(super) fn text(&mut self, mark: TextMark<'_>) {
        let (x, y) = (number(mark.at.0), number(mark.at.1));
        put(
            &mut self.marks,
            format_args!(
                "<text x=\"{x}\" y=\"{y}\" font-size=\"{}\"",
                number(mark.size)
            ),
        );
        match mark.anchor {
            TextAnchor::Start => {}
            TextAnchor::Middle => self.marks.push_str(" text-anchor=\"middle\""),
            TextAnchor::End => self.marks.push_str(" text-anchor=\"end\""),
        }
        if mark.degrees != 0.0 {
            let degrees = number(mark.degrees);
            put(
                &mut self.marks,
                format_args!(" transform=\"rotate({degrees} {x} {y})\""),
            );
        }
        let paint = Paint::from(mark.color);
        paint.write(&mut self.marks, "fill");
        // The font has one weight only, a light one: an outline makes it as strong as it must be.
        let share = if mark.is_strong { 0.045 } else { 0.022 };
        Stroke::new(paint, share * mark.size).write(&mut self.marks);
        if mark.width > 0.0 && mark.text.chars().count() > 1 {
            let width = number(mark.width);
            put(
                &mut self.marks,
                format_args!(" textLength=\"{width}\" lengthAdjust=\"spacingAndGlyphs\""),
            );
        }
        self.marks.push('>');
        escape(&mut self.marks, mark.text);
        self.marks.push_str("</text>\n");
    }

    fn close(&mut self, element: &str, told: &str) {
        if told.is_empty() {
            self.marks.push_str("/>\n");
            return;
        }
        self.marks.push_str("><title>");
        escape(&mut self.marks, told);
        put(&mut self.marks, format_args!("</title></{element}>\n"));
    }

    /// The drawing as an SVG file, shown `scale` times as large as its units.
    pub fn to_svg(&self, scale: f32) -> String {
        let mut inside = String::from("<title>");
        escape(&mut inside, &self.title);
        inside.push_str("</title>\n");
        for layer in &self.layers {
            match layer {
                Layer::Marks(marks) => inside.push_str(marks),
                Layer::Picture(picture) => picture.write(&mut inside),
            }
        }
        inside.push_str(&self.marks);
        self.wrap(&inside, scale)
    }

    /// An SVG file of the drawing's size with these elements.
    pub(super) fn wrap(&self, inside: &str, scale: f32) -> String {
        let (width, height) = (number(self.width), number(self.height));
        let shown = |units: f32| (units * scale).round().max(1.0);
        let (shown_width, shown_height) = (shown(self.width), shown(self.height));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{shown_width}\" \
             height=\"{shown_height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
             font-family=\"{FAMILIES}\" font-weight=\"300\" xml:space=\"preserve\">\n\
             {inside}</svg>\n"
        )
    }
}

impl Placed {
    fn write(&self, svg: &mut String) {
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
                base64(&file)
            ),
        );
    }
}

/// The font within the program, and what stands in for it where the file is seen.
pub(super) const FAMILIES: &str =
    "Ubuntu, 'Ubuntu Light', 'Segoe UI', Helvetica, Arial, sans-serif";

fn put(svg: &mut String, text: std::fmt::Arguments<'_>) {
    svg.write_fmt(text).expect("a string takes all text");
}

/// A coordinate with at most two decimals, which is finer than eyes and printers are.
fn number(value: f32) -> String {
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
