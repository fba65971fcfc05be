//! A grid of tokens, layer by layer and position by position, of which only what is in view is drawn.

use egui::{
    Align2, FontId, Key, Pos2, Rect, Response, ScrollArea, Sense, Stroke, StrokeKind, Ui, pos2,
    vec2,
};

use crate::analysis::Candidate;
use crate::color::Colormap;
use crate::layout::Cell;
use crate::viewer::ui::panels::plots::PlotView;
use crate::viewer::ui::theme;

/// A cell, in points.
const CELL: egui::Vec2 = vec2(74.0, 22.0);
/// Room for the layers' names at the left, and the tokens' above, in points.
const HEAD: egui::Vec2 = vec2(58.0, 20.0);

/// One layer at one position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The layer.
    pub layer: usize,
    /// The position.
    pub pos: usize,
}

/// What the grid was told to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GridEvents {
    /// The cell under the pointer, or under the keys' cursor.
    pub hovered: Option<Place>,
    /// The cell that was clicked, or chosen by Enter.
    pub chosen: Option<Place>,
}

/// A grid of tokens, of which only what is in view is drawn.
#[derive(Default)]
pub struct LensGrid {
    cursor: Option<Place>,
    /// The lane that was last scrolled to.
    shown_lane: Option<usize>,
    /// What was chosen in the world when it was last looked at.
    seen: Option<Cell>,
    /// The position to be brought into view.
    revealed: Option<usize>,
}

impl LensGrid {
    /// Brings a position into view, and puts the keys' cursor there.
    pub fn reveal(&mut self, pos: usize, n_layers: usize) {
        let layer = self.cursor.map(|place| place.layer);
        self.cursor = Some(Place {
            layer: layer.unwrap_or(n_layers.saturating_sub(1)),
            pos,
        });
        self.revealed = Some(pos);
    }

    /// Draws the grid: the last layer on top, as the stream rises.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        n_layers: usize,
        height: f32,
    ) -> GridEvents {
        let n_pos = view.positions.len();
        let size = vec2(
            HEAD.x + CELL.x * n_pos as f32,
            HEAD.y + CELL.y * n_layers as f32,
        );
        let lane = view.lane();
        if self.seen != view.pinned {
            self.seen = view.pinned;
            self.cursor = chosen(view, n_layers).or(self.cursor);
        }
        ScrollArea::both()
            .id_salt("lens grid")
            .max_height(height)
            .auto_shrink([false, true])
            .show_viewport(ui, |ui, viewport| {
                let (rect, response) = ui.allocate_exact_size(size, Sense::click());
                // Follow the playhead where it goes.
                let gone = lane.filter(|_| self.shown_lane != lane);
                self.shown_lane = lane;
                if let Some(pos) = self.revealed.take().or(gone) {
                    let left = rect.min.x + HEAD.x + CELL.x * pos as f32;
                    let column = Rect::from_min_size(
                        pos2(left - HEAD.x, rect.min.y + viewport.min.y),
                        vec2(CELL.x + HEAD.x, 1.0),
                    );
                    ui.scroll_to_rect(column, None);
                }
                let grid = Grid {
                    view,
                    n_layers,
                    origin: rect.min,
                    // What is scrolled stays under the names.
                    window: Rect::from_min_size(rect.min + viewport.min.to_vec2(), viewport.size()),
                };
                let events = self.events(ui, &grid, &response);
                grid.draw(ui, events.hovered);
                let text = events
                    .hovered
                    .map_or_else(String::new, |place| grid.words(place));
                response.widget_info(|| {
                    egui::WidgetInfo::labeled(
                        egui::WidgetType::Other,
                        true,
                        format!("Logit lens {text}"),
                    )
                });
                events
            })
            .inner
    }

    fn events(&mut self, ui: &Ui, grid: &Grid<'_, '_>, response: &Response) -> GridEvents {
        if response.has_focus() {
            ui.memory_mut(|memory| {
                let filter = egui::EventFilter {
                    horizontal_arrows: true,
                    vertical_arrows: true,
                    ..egui::EventFilter::default()
                };
                memory.set_focus_lock_filter(response.id, filter);
            });
            self.walk(ui, grid);
        }
        let pointed = response.hover_pos().and_then(|at| grid.place_at(at));
        let cursor = self.cursor.filter(|_| response.has_focus());
        let hovered = pointed.or(cursor);
        let is_entered = response.has_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        if response.clicked() {
            response.request_focus();
            self.cursor = pointed.or(self.cursor);
        }
        GridEvents {
            hovered,
            // Enter clicks too, wherever the pointer is.
            chosen: if is_entered {
                cursor
            } else if response.clicked() {
                pointed
            } else {
                None
            },
        }
    }

    fn walk(&mut self, ui: &Ui, grid: &Grid<'_, '_>) {
        let (n_layers, n_pos) = (grid.n_layers, grid.view.positions.len());
        let start = Place {
            layer: n_layers.saturating_sub(1),
            pos: grid.view.lane().unwrap_or(0),
        };
        let mut place = self.cursor.unwrap_or(start);
        let steps = |key| ui.input(|input| input.num_presses(key));
        place.layer = (place.layer + steps(Key::ArrowUp)).min(n_layers.saturating_sub(1));
        place.layer = place.layer.saturating_sub(steps(Key::ArrowDown));
        place.pos = (place.pos + steps(Key::ArrowRight)).min(n_pos.saturating_sub(1));
        place.pos = place.pos.saturating_sub(steps(Key::ArrowLeft));
        if self.cursor != Some(place) {
            self.cursor = Some(place);
            ui.scroll_to_rect(grid.cell(place).expand2(vec2(HEAD.x, HEAD.y)), None);
        }
    }
}

/// The layer and position of what is chosen in the world.
fn chosen(view: &PlotView<'_>, n_layers: usize) -> Option<Place> {
    let Some(Cell::Value(cell)) = view.pinned else {
        return None;
    };
    let layer = cell.hook.layer().filter(|layer| *layer < n_layers)?;
    (cell.pos < view.positions.len()).then_some(Place {
        layer,
        pos: cell.pos,
    })
}

/// Where a cell is, in a grid of that many layers whose corner is at `origin`.
pub fn cell_rect(origin: Pos2, n_layers: usize, place: Place) -> Rect {
    let row = n_layers.saturating_sub(place.layer + 1);
    let corner = origin + HEAD + CELL * vec2(place.pos as f32, row as f32);
    Rect::from_min_size(corner, CELL)
}

/// The grid as it is drawn once.
struct Grid<'a, 'b> {
    view: &'a PlotView<'b>,
    n_layers: usize,
    origin: Pos2,
    window: Rect,
}

impl Grid<'_, '_> {
    fn cell(&self, place: Place) -> Rect {
        cell_rect(self.origin, self.n_layers, place)
    }

    fn place_at(&self, at: Pos2) -> Option<Place> {
        let inner = Rect::from_min_max(self.window.min + HEAD, self.window.max);
        if !inner.contains(at) {
            return None;
        }
        let steps = (at - self.origin - HEAD) / CELL;
        let (pos, row) = (steps.x as usize, steps.y as usize);
        let is_inside = pos < self.view.positions.len() && row < self.n_layers;
        is_inside.then(|| Place {
            layer: self.n_layers - 1 - row,
            pos,
        })
    }

    fn candidates(&self, place: Place) -> Option<&[Candidate]> {
        (self.view.lens)(place.layer, place.pos)
    }

    /// A cell in words.
    fn words(&self, place: Place) -> String {
        let at = format!("layer {}, position {}", place.layer, place.pos);
        match self.candidates(place).and_then(<[Candidate]>::first) {
            Some(best) => format!(
                "{at}: {} {:.1} %",
                (self.view.token_text)(best.token),
                100.0 * best.probability
            ),
            None => format!("{at}: not read yet"),
        }
    }

    fn draw(&self, ui: &Ui, hovered: Option<Place>) {
        let view = self.view;
        let painter = ui.painter();
        let (weak, font) = (theme::weak_text(view.theme), FontId::proportional(12.0));
        let strong = theme::color(view.theme.neutrals().text);
        let first = ((self.window.min - self.origin) / CELL).floor();
        let n_shown = (self.window.size() / CELL).ceil();
        let columns = first.x.max(0.0) as usize..view.positions.len();
        let columns = columns.take(n_shown.x as usize + 1);
        let rows = (first.y.max(0.0) as usize..self.n_layers).take(n_shown.y as usize + 1);
        let inner = painter.with_clip_rect(
            Rect::from_min_max(self.window.min + HEAD, self.window.max).intersect(ui.clip_rect()),
        );
        for row in rows.clone() {
            for pos in columns.clone() {
                let place = Place {
                    layer: self.n_layers - 1 - row,
                    pos,
                };
                let rect = self.cell(place).shrink(0.5);
                let Some(best) = self.candidates(place).and_then(<[Candidate]>::first) else {
                    inner.rect_filled(rect, 2.0, theme::color(view.theme.neutrals().road));
                    continue;
                };
                let rgb = Colormap::Sequential.color(view.theme, best.probability);
                inner.rect_filled(rect, 2.0, theme::color(rgb));
                let text = (view.token_text)(best.token);
                let galley = inner.layout_no_wrap(text, font.clone(), theme::ink_on(rgb));
                let left = (rect.center().x - 0.5 * galley.size().x).max(rect.min.x + 3.0);
                let at = pos2(left, rect.center().y - 0.5 * galley.size().y);
                inner
                    .with_clip_rect(rect.intersect(inner.clip_rect()))
                    .galley(at, galley, theme::ink_on(rgb));
            }
        }
        let marked = chosen(view, self.n_layers).map(|place| (place, theme::accent(view.theme)));
        for (place, color) in marked
            .into_iter()
            .chain(hovered.map(|place| (place, strong)))
        {
            let stroke = Stroke::new(2.0, color);
            inner.rect_stroke(self.cell(place), 2.0, stroke, StrokeKind::Inside);
        }
        // The tokens' names stay above, the layers' at the left.
        let top = painter.with_clip_rect(
            Rect::from_min_size(
                self.window.min + vec2(HEAD.x, 0.0),
                vec2(self.window.width(), HEAD.y),
            )
            .intersect(ui.clip_rect()),
        );
        for pos in columns {
            let token = view.positions[pos].token;
            let left = self.origin.x + HEAD.x + CELL.x * pos as f32;
            let cell = Rect::from_min_size(pos2(left, self.window.min.y), vec2(CELL.x, HEAD.y));
            let color = if view.lane() == Some(pos) {
                theme::accent(view.theme)
            } else {
                weak
            };
            top.with_clip_rect(cell.intersect(top.clip_rect())).text(
                cell.left_center() + vec2(3.0, 0.0),
                Align2::LEFT_CENTER,
                (view.token_text)(token),
                font.clone(),
                color,
            );
        }
        let side = painter.with_clip_rect(
            Rect::from_min_size(
                self.window.min + vec2(0.0, HEAD.y),
                vec2(HEAD.x, self.window.height()),
            )
            .intersect(ui.clip_rect()),
        );
        for row in rows {
            let middle = self.origin.y + HEAD.y + CELL.y * (row as f32 + 0.5);
            side.text(
                pos2(self.window.min.x, middle),
                Align2::LEFT_CENTER,
                format!("layer {}", self.n_layers - 1 - row),
                font.clone(),
                weak,
            );
        }
    }
}
