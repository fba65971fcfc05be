//! A figure: charts below one another, under a title and over a line that says what they are of.

use super::canvas::{Area, Canvas};
use super::drawing::Drawing;
use super::lettering::Lettering;
use super::look::{HEADING_SIZE, Look, SMALL_SIZE, SUBTITLE_SIZE, TITLE_SIZE};
use super::marks::TextAnchor;

/// Something drawn into an area.
pub trait Chart {
    /// The size it looks best at, in units.
    fn natural_size(&self, canvas: &Canvas<'_>) -> (f32, f32);

    /// Draws it into `area`.
    fn draw(&self, canvas: &mut Canvas<'_>, area: Area);
}

/// Charts below one another, with what there is to say of them.
#[derive(Default)]
pub struct Figure {
    /// What is shown, and in which unit.
    pub title: String,
    /// More of it, in a line each.
    pub subtitles: Vec<String>,
    /// What it is of: model, prompt, target.
    pub notes: Vec<String>,
    /// The charts, each under a heading unless that is empty.
    pub charts: Vec<(String, Box<dyn Chart>)>,
}

const MARGIN: f32 = 28.0;
const CHART_GAP: f32 = 26.0;
const HEADING_HEIGHT: f32 = HEADING_SIZE + 12.0;
const SUBTITLE_HEIGHT: f32 = SUBTITLE_SIZE + 6.0;
const NOTE_HEIGHT: f32 = SMALL_SIZE + 5.0;
/// Narrower figures have no room for their title.
const MIN_WIDTH: f32 = 400.0;

impl Figure {
    /// Draws it: `size` units large, or as large as its charts look best.
    pub fn draw(&self, look: Look, size: Option<(f32, f32)>, lettering: &Lettering) -> Drawing {
        let measure = Canvas::new(1.0, 1.0, look, lettering);
        let sizes: Vec<(f32, f32)> = self
            .charts
            .iter()
            .map(|(_, chart)| chart.natural_size(&measure))
            .collect();
        let (width, height) = size.unwrap_or_else(|| self.natural_size(&measure, &sizes));
        let (head, foot) = (self.head_height(), self.foot_height());
        let mut canvas = Canvas::new(width, height, look, lettering);
        canvas.drawing.set_title(&self.title);
        canvas.drawing.rect(
            [-2.0, -2.0, width + 4.0, height + 4.0],
            look.paper(),
            0.0,
            "",
        );
        self.draw_head(&mut canvas);
        self.draw_foot(&mut canvas);
        let room = height - head - foot - self.heading_heights() - self.gaps();
        let wanted: f32 = sizes.iter().map(|(_, height)| height).sum();
        let mut y = head;
        for ((heading, chart), (_, natural)) in self.charts.iter().zip(&sizes) {
            if !heading.is_empty() {
                let at = (MARGIN, y + HEADING_SIZE);
                canvas.strong(heading, at, HEADING_SIZE, look.label(), TextAnchor::Start);
                y += HEADING_HEIGHT;
            }
            let area = Area {
                x: MARGIN,
                y,
                width: width - 2.0 * MARGIN,
                height: (room * natural / wanted.max(1.0)).max(20.0),
            };
            chart.draw(&mut canvas, area);
            y = area.bottom() + CHART_GAP;
        }
        canvas.drawing
    }

    fn natural_size(&self, measure: &Canvas<'_>, sizes: &[(f32, f32)]) -> (f32, f32) {
        let charts = sizes.iter().map(|(width, _)| *width).fold(0.0, f32::max);
        let title = measure.width(&self.title, TITLE_SIZE);
        let subtitles = self.subtitles.iter();
        let subtitles = subtitles.map(|line| measure.width(line, SUBTITLE_SIZE));
        let notes = self.notes.iter();
        let notes = notes.map(|line| measure.width(line, SMALL_SIZE));
        // A long text of the model's is cut rather than that it stretches a small figure far.
        let notes = notes.map(|width| width.min(charts.max(MIN_WIDTH) * 1.25));
        let said = subtitles.chain(notes).fold(title, f32::max).min(1000.0);
        let width = charts.max(said).max(MIN_WIDTH) + 2.0 * MARGIN;
        let height: f32 = sizes.iter().map(|(_, height)| height).sum();
        let around = self.head_height() + self.foot_height();
        let height = around + height + self.heading_heights() + self.gaps();
        (width.ceil(), height.ceil())
    }

    fn gaps(&self) -> f32 {
        CHART_GAP * self.charts.len().saturating_sub(1) as f32
    }

    fn heading_heights(&self) -> f32 {
        let headings = self.charts.iter().filter(|(text, _)| !text.is_empty());
        HEADING_HEIGHT * headings.count() as f32
    }

    fn head_height(&self) -> f32 {
        let lines = self.subtitles.len() as f32 * SUBTITLE_HEIGHT;
        MARGIN + TITLE_SIZE + lines + 20.0
    }

    fn foot_height(&self) -> f32 {
        MARGIN + self.notes.len() as f32 * NOTE_HEIGHT + 4.0
    }

    fn draw_head(&self, canvas: &mut Canvas<'_>) {
        let look = canvas.look();
        let room = canvas.drawing.width() - 2.0 * MARGIN;
        let mut size = TITLE_SIZE;
        while size > 13.0 && canvas.width(&self.title, size) > room {
            size -= 0.5;
        }
        let title = canvas.fit(&self.title, size, room);
        let mut y = MARGIN + 0.8 * TITLE_SIZE;
        canvas.strong(&title, (MARGIN, y), size, look.text(), TextAnchor::Start);
        y += 3.0;
        for line in &self.subtitles {
            y += SUBTITLE_HEIGHT;
            let line = canvas.fit(line, SUBTITLE_SIZE, room);
            canvas.text(
                &line,
                (MARGIN, y),
                SUBTITLE_SIZE,
                look.faint(),
                TextAnchor::Start,
            );
        }
    }

    fn draw_foot(&self, canvas: &mut Canvas<'_>) {
        let look = canvas.look();
        let room = canvas.drawing.width() - 2.0 * MARGIN;
        let mut y = canvas.drawing.height() - MARGIN + 6.0;
        for line in self.notes.iter().rev() {
            let line = canvas.fit(line, SMALL_SIZE, room);
            canvas.text(
                &line,
                (MARGIN, y),
                SMALL_SIZE,
                look.faint(),
                TextAnchor::Start,
            );
            y -= NOTE_HEIGHT;
        }
    }
}
