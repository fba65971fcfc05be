//! Many small maps side by side in one scale, as all heads of a model at a glance.

use super::canvas::{Area, Canvas};
use super::look::{LABEL_SIZE, SMALL_SIZE};
use super::marks::{Stroke, TextAnchor};
use super::number::exact;
use super::scale::ColorScale;
use super::sheet::Chart;
use crate::analysis::Matrix;

/// A small map.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// What it is of.
    pub title: String,
    /// The same in few letters, for where there is little room.
    pub short: String,
    /// Its numbers.
    pub matrix: Matrix,
}

/// Small maps side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Panels {
    /// Row by row.
    pub panels: Vec<Panel>,
    /// How many stand side by side.
    pub n_across: usize,
    /// How all are coloured.
    pub scale: ColorScale,
    /// What the edges of each are: down and across.
    pub edges: (String, String),
}

/// More cells are drawn as pictures.
const MAX_MARKS: usize = 6000;

impl Panels {
    fn n_down(&self) -> usize {
        self.panels.len().div_ceil(self.n_across.max(1)).max(1)
    }

    fn side(&self) -> f32 {
        let n = self.n_across.max(1) as f32;
        let cells = self
            .panels
            .first()
            .map_or(1, |panel| panel.matrix.n_columns());
        let most = (14.0 * cells as f32).clamp(44.0, 150.0);
        (860.0 / n - GAP).clamp(44.0, most)
    }

    fn draw_panel(&self, canvas: &mut Canvas<'_>, panel: &Panel, area: Area, is_marked: bool) {
        let look = canvas.look();
        canvas.drawing.rect(area.rect(), look.plate(), 0.0, "");
        let (n_rows, n_columns) = (panel.matrix.n_rows(), panel.matrix.n_columns());
        if n_rows == 0 || n_columns == 0 {
            return;
        }
        if is_marked {
            let (w, h) = (area.width / n_columns as f32, area.height / n_rows as f32);
            for row in 0..n_rows {
                for (column, value) in panel.matrix.row(row).iter().enumerate() {
                    let rect = [area.x + column as f32 * w, area.y + row as f32 * h, w, h];
                    let told = format!("{} · {row} → {column} · {}", panel.title, exact(*value));
                    let color = self.scale.color(look.theme, *value);
                    canvas.drawing.rect(rect, color, 0.0, &told);
                }
            }
        } else {
            let pixels = self.scale.pixels(look.theme, &panel.matrix);
            canvas.drawing.picture(area.rect(), pixels, true);
        }
        canvas
            .drawing
            .frame(area.rect(), Stroke::new(look.grid(), 0.75), 0.0);
    }
}

const GAP: f32 = 12.0;
const TITLE: f32 = SMALL_SIZE + 6.0;
const EDGE: f32 = 24.0;

impl Chart for Panels {
    fn natural_size(&self, canvas: &Canvas<'_>) -> (f32, f32) {
        let side = self.side();
        let width = self.n_across as f32 * (side + GAP) - GAP;
        let height = self.n_down() as f32 * (side + TITLE + GAP) - GAP;
        let bar = self.scale.bar_width(canvas);
        (EDGE + width + bar, (height + EDGE).max(150.0))
    }

    fn draw(&self, canvas: &mut Canvas<'_>, area: Area) {
        let look = canvas.look();
        let bar = self.scale.bar_width(canvas);
        let room = area.inset(EDGE, 0.0, bar, EDGE);
        let (n_across, n_down) = (self.n_across.max(1) as f32, self.n_down() as f32);
        let side = ((room.width + GAP) / n_across - GAP)
            .min((room.height + GAP) / n_down - GAP - TITLE)
            .max(4.0);
        let n_cells: usize = self
            .panels
            .iter()
            .map(|panel| panel.matrix.n_rows() * panel.matrix.n_columns())
            .sum();
        for (index, panel) in self.panels.iter().enumerate() {
            let (row, column) = (index / self.n_across.max(1), index % self.n_across.max(1));
            let x = room.x + column as f32 * (side + GAP);
            let y = room.y + row as f32 * (side + TITLE + GAP);
            let title = if canvas.width(&panel.title, SMALL_SIZE) <= side {
                panel.title.clone()
            } else {
                canvas.fit(&panel.short, SMALL_SIZE, side + GAP - 2.0)
            };
            let at = (x, y + SMALL_SIZE);
            canvas.text(&title, at, SMALL_SIZE, look.label(), TextAnchor::Start);
            let square = Area {
                x,
                y: y + TITLE,
                width: side,
                height: side,
            };
            self.draw_panel(canvas, panel, square, n_cells <= MAX_MARKS);
        }
        let width = n_across * (side + GAP) - GAP;
        let height = n_down * (side + TITLE + GAP) - GAP;
        let (down, across) = &self.edges;
        let at = (
            area.x + 0.8 * LABEL_SIZE,
            room.y + TITLE + 0.5 * (height - TITLE),
        );
        canvas.rotated(
            down,
            at,
            LABEL_SIZE,
            look.faint(),
            -90.0,
            TextAnchor::Middle,
        );
        let at = (room.x + 0.5 * width, room.y + height + LABEL_SIZE + 8.0);
        canvas.text(across, at, LABEL_SIZE, look.faint(), TextAnchor::Middle);
        let beside = Area {
            x: room.x + width,
            y: room.y + TITLE,
            width: bar,
            height: (height - TITLE).max(100.0),
        };
        self.scale.draw(canvas, beside);
    }
}
