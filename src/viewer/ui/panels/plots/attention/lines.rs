//! Two columns of tokens with a line from each query to what it attends to.

use egui::{
    Align2, FontId, Rect, ScrollArea, Sense, Shape, Slider, Stroke, Ui, WidgetInfo, WidgetType,
    pos2, vec2,
};

use super::HeadChoice;
use super::matrix::{Shown, cell_of};
use crate::analysis::{AttentionArc, arcs};
use crate::viewer::ui::panels::Intent;
use crate::viewer::ui::panels::plots::PlotView;
use crate::viewer::ui::panels::plots::parts::{Cached, note, token_name, token_text};
use crate::viewer::ui::panels::plots::token_finder::TokenFinder;
use crate::viewer::ui::theme;

/// Height of a token's line, in points.
const ROW: f32 = 17.0;
/// Width of a weight of 1, in points.
const WIDEST: f32 = 5.0;
/// Lines that are drawn at most: the strongest.
const MAX_LINES: usize = 3000;

/// Two columns of tokens with lines between them.
pub struct LinesPage {
    threshold: f32,
    finder: TokenFinder,
    /// The token whose lines alone are shown.
    only: Option<usize>,
    found: Cached<(u64, u32), Vec<AttentionArc>>,
}

impl Default for LinesPage {
    fn default() -> Self {
        Self {
            threshold: 0.1,
            finder: TokenFinder::default(),
            only: None,
            found: Cached::default(),
        }
    }
}

impl LinesPage {
    /// Draws the page.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        choice: &HeadChoice,
        shown: &Shown,
        intents: &mut Vec<Intent>,
    ) {
        let Some(matrix) = shown.matrix() else {
            return;
        };
        note(
            ui,
            view.theme,
            format!(
                "Attention weights of {}, 0 to 1: wide and bright lines are large; queries at the left, \
                 keys at the right",
                choice.title()
            ),
        );
        let mut scroll_to = None;
        ui.horizontal_wrapped(|ui| {
            ui.add(Slider::new(&mut self.threshold, 0.02..=1.0).text("weight from"));
            scroll_to = self.finder.ui(ui, view);
            self.only = scroll_to.or(self.only);
            let mut is_all = self.only.is_none();
            if ui.checkbox(&mut is_all, "all tokens").changed() {
                self.only = if is_all { None } else { view.lane() };
            }
        });
        self.only = self.only.filter(|pos| *pos < view.positions.len());
        let key = (shown.generation(), self.threshold.to_bits());
        let threshold = self.threshold;
        let found = self.found.get(key, |_| arcs(matrix, threshold));
        let n = matrix.n_rows();
        let mut area = ScrollArea::vertical().auto_shrink([false, false]);
        if let Some(pos) = scroll_to {
            area = area.vertical_scroll_offset((pos as f32 * ROW - 60.0).max(0.0));
        }
        let mut clicked = None;
        area.show_viewport(ui, |ui, viewport| {
            ui.set_height(n as f32 * ROW);
            let canvas = ui.max_rect();
            let first = (viewport.top() / ROW).floor().max(0.0) as usize;
            let last = ((viewport.bottom() / ROW).ceil() as usize).min(n);
            let columns = Columns::new(canvas);
            let hovered = columns.tokens(ui, view, first..last, self.only, &mut clicked);
            // What is pointed at counts before what was chosen.
            let only = hovered.or(self.only.map(|pos| (pos, true)));
            columns.lines(ui, view, found, only, first..last);
        });
        if let Some((pos, is_query)) = clicked {
            self.only = (self.only != Some(pos)).then_some(pos);
            if is_query && let Some((key, _)) = strongest(matrix.row(pos)) {
                intents.extend(cell_of(view, choice, pos, key).map(Intent::Pin));
            }
        }
    }
}

fn strongest(row: &[f32]) -> Option<(usize, f32)> {
    let finite = row
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, weight)| weight.is_finite());
    finite.max_by(|a, b| a.1.total_cmp(&b.1))
}

/// Where the two columns are.
struct Columns {
    canvas: Rect,
    /// Where the lines begin and end.
    left: f32,
    right: f32,
}

impl Columns {
    fn new(canvas: Rect) -> Self {
        let width = (0.3 * canvas.width()).clamp(40.0, 150.0);
        Self {
            canvas,
            left: canvas.left() + width,
            right: canvas.right() - width,
        }
    }

    fn y(&self, pos: usize) -> f32 {
        self.canvas.top() + (pos as f32 + 0.5) * ROW
    }

    /// Draws the tokens on show, and says which one is pointed at or has the keyboard, and whether
    /// it is a query.
    fn tokens(
        &self,
        ui: &Ui,
        view: &PlotView<'_>,
        shown: std::ops::Range<usize>,
        only: Option<usize>,
        clicked: &mut Option<(usize, bool)>,
    ) -> Option<(usize, bool)> {
        let mut hovered = None;
        let font = FontId::proportional(12.5);
        let weak = theme::weak_text(view.theme);
        let strong = theme::color(view.theme.neutrals().text);
        for pos in shown {
            for is_query in [true, false] {
                let (low, high, align) = if is_query {
                    (self.canvas.left(), self.left - 5.0, Align2::RIGHT_CENTER)
                } else {
                    (self.right + 5.0, self.canvas.right(), Align2::LEFT_CENTER)
                };
                let y = self.y(pos);
                let rect = Rect::from_x_y_ranges(low..=high, y - ROW / 2.0..=y + ROW / 2.0);
                let id = ui.id().with(("token", pos, is_query));
                let response = ui.interact(rect, id, Sense::click());
                let role = if is_query { "query" } else { "key" };
                response.widget_info(|| {
                    let name = format!("{role} {}", token_name(view, pos));
                    WidgetInfo::selected(WidgetType::Button, true, only == Some(pos), name)
                });
                if response.hovered() || response.has_focus() {
                    hovered = Some((pos, is_query));
                }
                if response.clicked() {
                    *clicked = Some((pos, is_query));
                }
                let is_lit = only == Some(pos) || hovered == Some((pos, is_query));
                let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
                if view.lane() == Some(pos) || is_lit {
                    let fill = theme::color(view.theme.neutrals().road);
                    painter.rect_filled(rect, 3.0, fill);
                }
                let at = if is_query {
                    rect.right_center()
                } else {
                    rect.left_center()
                };
                let color = if is_lit || view.lane() == Some(pos) {
                    strong
                } else {
                    weak
                };
                let inset = if is_query {
                    vec2(-3.0, 0.0)
                } else {
                    vec2(3.0, 0.0)
                };
                painter.text(
                    at + inset,
                    align,
                    token_text(view, pos),
                    font.clone(),
                    color,
                );
            }
        }
        hovered
    }

    /// Draws the lines that have an end on show; of one token where there is one.
    fn lines(
        &self,
        ui: &Ui,
        view: &PlotView<'_>,
        found: &[AttentionArc],
        only: Option<(usize, bool)>,
        shown: std::ops::Range<usize>,
    ) {
        let is_on_show = |arc: &&AttentionArc| {
            let is_seen = shown.contains(&arc.query) || shown.contains(&arc.key);
            let is_meant = only.is_none_or(|(pos, is_query)| {
                if is_query {
                    arc.query == pos
                } else {
                    arc.key == pos
                }
            });
            is_seen && is_meant
        };
        let mut drawn: Vec<&AttentionArc> = found.iter().filter(is_on_show).collect();
        if drawn.len() > MAX_LINES {
            drawn.select_nth_unstable_by(MAX_LINES, |a, b| b.weight.total_cmp(&a.weight));
            drawn.truncate(MAX_LINES);
        }
        let color = theme::accent(view.theme);
        let painter = ui.painter().with_clip_rect(
            Rect::from_x_y_ranges(self.left..=self.right, self.canvas.y_range())
                .intersect(ui.clip_rect()),
        );
        painter.extend(drawn.into_iter().map(|arc| {
            let ends = [
                pos2(self.left, self.y(arc.query)),
                pos2(self.right, self.y(arc.key)),
            ];
            let weight = arc.weight.clamp(0.0, 1.0);
            let color = theme::faded(color, 0.25 + 0.75 * weight);
            Shape::line_segment(ends, Stroke::new((WIDEST * weight).max(0.7), color))
        }));
        if let Some((pos, true)) = only {
            self.weights(ui, view, found, pos);
        }
    }

    /// The exact weights of one query, beside its keys.
    fn weights(&self, ui: &Ui, view: &PlotView<'_>, found: &[AttentionArc], query: usize) {
        let color = theme::color(view.theme.neutrals().text);
        let font = FontId::monospace(10.5);
        for arc in found.iter().filter(|arc| arc.query == query) {
            let at = pos2(self.right - 4.0, self.y(arc.key));
            let text = format!("{:.3}", arc.weight);
            ui.painter()
                .text(at, Align2::RIGHT_CENTER, text, font.clone(), color);
        }
    }
}
