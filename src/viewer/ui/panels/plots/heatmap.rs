//! A matrix as a picture: colours, labels along both sides, the exact number under the pointer or
//! the cursor, and a bar that says what the colours mean.
//!
//! All cells are one texture that is made anew only when they change; what a cell is comes from the
//! pointer's place. Where cells are smaller than a pixel, a texel holds the greatest magnitude of the
//! cells it covers, and the bar says so.

mod axes;
mod scale;
mod texture;
mod window;

use egui::{
    Color32, CornerRadius, EventFilter, Key, Rect, Response, RichText, Sense, Stroke, StrokeKind,
    Ui, WidgetInfo, WidgetType, pos2, vec2,
};

use crate::analysis::Matrix;
use crate::color::Theme;
use crate::viewer::readout::exact;
use crate::viewer::ui::theme;
use texture::Texture;
use window::Window;

pub use axes::Labels;
pub use scale::{Scale, legend, strip};
pub use texture::painted;

/// What a heatmap shows.
pub struct HeatmapView<'a> {
    /// What it is called; no two of one view share a name.
    pub name: &'a str,
    /// The numbers.
    pub matrix: &'a Matrix,
    /// Another number whenever `matrix` or `scale` is another.
    pub version: u64,
    /// Which colour a number has.
    pub scale: Scale,
    /// What the numbers are, with their unit, such as `entropy, nats`.
    pub value: &'a str,
    /// What the rows are.
    pub rows: Labels<'a>,
    /// What the columns are.
    pub columns: Labels<'a>,
    /// The row that goes with the playhead.
    pub current_row: Option<usize>,
    /// The column that goes with the playhead.
    pub current_column: Option<usize>,
    /// The cell chosen in the world or in the view, `(row, column)`.
    pub marked: Option<(usize, usize)>,
    /// More lines about a cell, `(row, column)`; empty for none.
    pub tip: &'a dyn Fn(usize, usize) -> String,
    /// Whether cells are as wide as high.
    pub is_square: bool,
    /// The greatest height of the whole, in points.
    pub height: f32,
    /// Dark or light.
    pub theme: Theme,
}

/// What was done to a heatmap in this frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HeatmapOutput {
    /// The cell under the pointer, `(row, column)`.
    pub hovered: Option<(usize, usize)>,
    /// The cell that was chosen with the pointer, or with Enter or Space at the cursor.
    pub clicked: Option<(usize, usize)>,
    /// The cell that was chosen by a double click.
    pub double_clicked: Option<(usize, usize)>,
}

/// A heatmap's memory from frame to frame.
#[derive(Default)]
pub struct Heatmap {
    texture: Texture,
    window: Window,
    /// Where the keyboard is, `(row, column)`.
    cursor: (usize, usize),
    /// What was marked and current when it was last drawn.
    followed: Followed,
}

/// What the cursor follows: the marked cell, the current row and the current column.
type Followed = (Option<(usize, usize)>, Option<usize>, Option<usize>);

/// As large as a cell gets, in points.
const MAX_CELL: f32 = 30.0;
/// As wide as one gets that need not be a square.
const MAX_WIDTH: f32 = 64.0;
/// Squares smaller than this, in points, are drawn wider where there is room for it.
const SMALL_SQUARE: f32 = 12.0;
/// How much wider.
const MAX_STRETCH: f32 = 2.2;
/// Height of the bar of colours, in points.
const BAR_HEIGHT: f32 = 8.0;
/// Height of a line of small type, in points.
const LINE: f32 = 14.0;

impl Heatmap {
    /// Where the keyboard is, `(row, column)`.
    pub fn cursor(&self) -> (usize, usize) {
        self.cursor
    }

    /// Puts the keyboard's cursor on a cell, and brings it into the part that is seen.
    pub fn reveal(&mut self, row: usize, column: usize) {
        self.cursor = (row, column);
        self.window.reveal(row, column);
    }

    /// Draws it, as wide as there is room.
    pub fn ui(&mut self, ui: &mut Ui, view: &HeatmapView<'_>) -> HeatmapOutput {
        let (n_rows, n_columns) = (view.matrix.n_rows(), view.matrix.n_columns());
        if n_rows == 0 || n_columns == 0 {
            ui.label(RichText::new("No numbers here").color(theme::weak_text(view.theme)));
            return HeatmapOutput::default();
        }
        self.follow(ui, view);
        self.cursor = (
            self.cursor.0.min(n_rows - 1),
            self.cursor.1.min(n_columns - 1),
        );
        self.window.fit(n_rows, n_columns);

        let shown = self.window.shown();
        let margins = axes::margins(ui, view, &shown);
        let width = (ui.available_width() - margins.left).max(24.0);
        let below = BAR_HEIGHT + 3.0 * LINE;
        let height = (view.height - margins.top - below).max(24.0);
        let room = vec2(width / shown.n_columns, height / shown.n_rows);
        let cell = cell_size(room, view.is_square);
        let size = cell * vec2(shown.n_columns, shown.n_rows);
        let whole = vec2(ui.available_width(), size.y + margins.top);
        let (outer, _) = ui.allocate_exact_size(whole, Sense::hover());
        let rect = Rect::from_min_size(outer.min + vec2(margins.left, margins.top), size);
        let response = ui.interact(
            rect,
            ui.id().with(("heatmap", view.name)),
            Sense::click_and_drag(),
        );

        let pixels = ui.ctx().pixels_per_point();
        let texture = self.texture.of(ui, view, cell * pixels);
        let uv = Rect::from_min_max(
            pos2(shown.column / n_columns as f32, shown.row / n_rows as f32),
            pos2(
                (shown.column + shown.n_columns) / n_columns as f32,
                (shown.row + shown.n_rows) / n_rows as f32,
            ),
        );
        ui.painter().image(texture, rect, uv, Color32::WHITE);
        axes::draw(ui, view, &shown, outer.min, rect, cell);

        let hovered = response
            .hover_pos()
            .map(|at| shown.cell_at(at - rect.min, cell));
        let hovered = hovered.filter(|(row, column)| *row < n_rows && *column < n_columns);
        self.handle_keys(ui, &response, n_rows, n_columns);
        self.window.handle_pointer(ui, &response, rect, cell);
        self.marks(ui, view, &response, hovered, |place| {
            shown.rect_of(place, rect.min, cell).intersect(rect)
        });
        let looked_at = hovered.or_else(|| response.has_focus().then_some(self.cursor));
        let read_out = looked_at.map(|place| describe(view, place));
        footer(ui, view, read_out.as_deref(), self.texture.block());
        self.tell(view, &response);
        let has_value = hovered.is_some_and(|(row, column)| view.matrix.get(row, column).is_some());
        let response = if has_value && !response.dragged() {
            let text = read_out.unwrap_or_default();
            let more = hovered.map_or_else(String::new, |(row, column)| (view.tip)(row, column));
            response.on_hover_ui_at_pointer(|ui| {
                ui.set_max_width(340.0);
                for line in text.split(" · ").chain(more.lines()) {
                    ui.label(RichText::new(line).size(12.0));
                }
            })
        } else {
            response
        };
        // Enter and Space click without a pointer.
        let target = response
            .interact_pointer_pos()
            .map(|at| shown.cell_at(at - rect.min, cell));
        let target = target.unwrap_or(self.cursor);
        let is_there = view.matrix.get(target.0, target.1).is_some();
        if response.clicked() {
            self.cursor = (target.0.min(n_rows - 1), target.1.min(n_columns - 1));
            response.request_focus();
        }
        HeatmapOutput {
            hovered,
            clicked: (is_there && response.clicked()).then_some(target),
            double_clicked: (is_there && response.double_clicked()).then_some(target),
        }
    }

    /// Takes the cursor along to what is chosen in the world, and with the playhead.
    fn follow(&mut self, ui: &Ui, view: &HeatmapView<'_>) {
        let now = (view.marked, view.current_row, view.current_column);
        let before = std::mem::replace(&mut self.followed, now);
        if now == before {
            return;
        }
        let (row, column) = match view.marked.filter(|_| now.0 != before.0) {
            Some(cell) => cell,
            None => (
                now.1.filter(|_| now.1 != before.1).unwrap_or(self.cursor.0),
                now.2.filter(|_| now.2 != before.2).unwrap_or(self.cursor.1),
            ),
        };
        if (row, column) != self.cursor {
            self.reveal(row, column);
            // What was drawn before it tells of the cursor too.
            ui.ctx().request_repaint();
        }
    }

    fn handle_keys(&mut self, ui: &Ui, response: &Response, n_rows: usize, n_columns: usize) {
        if !response.has_focus() {
            return;
        }
        ui.memory_mut(|memory| {
            memory.set_focus_lock_filter(
                response.id,
                EventFilter {
                    horizontal_arrows: true,
                    vertical_arrows: true,
                    ..EventFilter::default()
                },
            );
        });
        let before = self.cursor;
        let (row, column) = &mut self.cursor;
        ui.input(|input| {
            for (key, count) in [(Key::ArrowUp, 1), (Key::PageUp, 10)] {
                *row = row.saturating_sub(count * input.num_presses(key));
            }
            for (key, count) in [(Key::ArrowDown, 1), (Key::PageDown, 10)] {
                *row = (*row + count * input.num_presses(key)).min(n_rows - 1);
            }
            *column = column.saturating_sub(input.num_presses(Key::ArrowLeft));
            *column = (*column + input.num_presses(Key::ArrowRight)).min(n_columns - 1);
            if input.key_pressed(Key::Home) {
                *column = 0;
            }
            if input.key_pressed(Key::End) {
                *column = n_columns - 1;
            }
            let zoom_in = input.num_presses(Key::Plus) + input.num_presses(Key::Equals);
            let zoom_out = input.num_presses(Key::Minus);
            self.window
                .zoom_by(1.5f32.powi(zoom_in as i32 - zoom_out as i32), None);
        });
        if self.cursor != before {
            self.window.reveal(self.cursor.0, self.cursor.1);
        }
    }

    /// Outlines of what is pointed at, chosen, and under the keyboard's cursor.
    fn marks(
        &self,
        ui: &Ui,
        view: &HeatmapView<'_>,
        response: &Response,
        hovered: Option<(usize, usize)>,
        rect_of: impl Fn((usize, usize)) -> Rect,
    ) {
        let text = theme::color(view.theme.neutrals().text);
        let outline = |place, width, color| {
            let rect: Rect = rect_of(place);
            if rect.is_positive() {
                // Small cells are found by an outline that is larger than they are.
                let rect = rect.expand2((vec2(4.0, 4.0) - rect.size()).max(vec2(0.0, 0.0)) / 2.0);
                let kind = StrokeKind::Outside;
                let shadow = Stroke::new(width + 2.0, theme::panel_fill(view.theme));
                ui.painter()
                    .rect_stroke(rect, CornerRadius::ZERO, shadow, kind);
                ui.painter()
                    .rect_stroke(rect, CornerRadius::ZERO, Stroke::new(width, color), kind);
            }
        };
        if let Some(place) = view.marked {
            outline(place, 2.0, theme::accent(view.theme));
        }
        if let Some(place) = hovered {
            outline(place, 1.0, text);
        }
        if response.has_focus() {
            outline(self.cursor, 1.5, text);
        }
    }

    /// Says to screen readers what is shown, and what is at the cursor.
    fn tell(&self, view: &HeatmapView<'_>, response: &Response) {
        response.widget_info(|| WidgetInfo {
            current_text_value: Some(describe(view, self.cursor)),
            ..WidgetInfo::labeled(
                WidgetType::Other,
                true,
                format!(
                    "{}: {} by {} and {}",
                    view.name, view.value, view.rows.title, view.columns.title
                ),
            )
        });
    }
}

/// How large a cell is that has this much room, in points.
fn cell_size(room: egui::Vec2, is_square: bool) -> egui::Vec2 {
    if !is_square {
        return vec2(room.x.min(MAX_WIDTH), room.y.min(MAX_CELL));
    }
    let side = room.min_elem().min(MAX_CELL);
    if side < SMALL_SQUARE {
        vec2(room.x.min(MAX_STRETCH * side), side)
    } else {
        vec2(side, side)
    }
}

/// What is at a cell, in one line.
fn describe(view: &HeatmapView<'_>, (row, column): (usize, usize)) -> String {
    let value = match view.matrix.get(row, column) {
        Some(value) => exact(value),
        None => "has no value".to_owned(),
    };
    format!(
        "{} · {} · {} {value}",
        view.rows.spelled(row),
        view.columns.spelled(column),
        view.value,
    )
}

/// What the colours mean, and one line about the cell that is looked at.
fn footer(ui: &mut Ui, view: &HeatmapView<'_>, read_out: Option<&str>, block: usize) {
    let weak = theme::weak_text(view.theme);
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        scale::bar(ui, view.theme, &view.scale, view.value, block);
        let hint = "Arrow keys move, + and − zoom, Enter chooses";
        let line = RichText::new(read_out.unwrap_or(hint)).size(11.0);
        let line = match read_out {
            Some(_) => line,
            None => line.color(weak),
        };
        ui.add(egui::Label::new(line).truncate());
    });
}
