//! A vector drawing, mark by mark, written down as SVG.

use super::marks::{
    Layer, Paint, Pixels, Placed, Stroke, TextAnchor, TextMark, escape, number, put,
};

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

/// The font within the program, and what stands in for it where the file is seen.
pub(super) const FAMILIES: &str =
    "Ubuntu, 'Ubuntu Light', 'Segoe UI', Helvetica, Arial, sans-serif";
