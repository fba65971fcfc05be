//! What the views beside the world have in common.

use egui::{Align2, FontId, Response, Sense, Ui, WidgetInfo, WidgetType, vec2};

use super::PlotView;
use crate::color::Theme;
use crate::config::ModelConfig;
use crate::hook::{Axis, HookPoint};
use crate::layout::{Cell, CellId};
use crate::viewer::readout::{digits, exact};
use crate::viewer::ui::theme;

/// Something computed, kept until what it was computed from changes.
pub struct Cached<K, V> {
    made: Option<(K, V)>,
    generation: u64,
}

impl<K, V> Default for Cached<K, V> {
    fn default() -> Self {
        Self {
            made: None,
            generation: 0,
        }
    }
}

impl<K: PartialEq, V> Cached<K, V> {
    /// What was computed from `key`, by `make` if that is not yet done.
    pub fn get(&mut self, key: K, make: impl FnOnce(&K) -> V) -> &V {
        if !matches!(&self.made, Some((made, _)) if *made == key) {
            self.made = None;
            self.generation += 1;
        }
        let made = self.made.get_or_insert_with(|| {
            let value = make(&key);
            (key, value)
        });
        &made.1
    }

    /// What was computed last.
    pub fn last(&self) -> Option<&V> {
        self.made.as_ref().map(|(_, value)| value)
    }

    /// Counts up whenever something else is computed.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

/// The text of the token at a position, blanks made visible; nothing beyond the last.
pub fn token_text(view: &PlotView<'_>, pos: usize) -> String {
    let token = view.positions.get(pos).map(|position| position.token);
    token.map_or_else(String::new, view.token_text)
}

/// The token at a position in words, such as `12 “the”`.
pub fn token_name(view: &PlotView<'_>, pos: usize) -> String {
    format!("{pos} “{}”", token_text(view, pos))
}

/// The number of the greatest magnitude in a token's vector: it stands for all of it in the world.
pub fn strongest_cell(
    view: &PlotView<'_>,
    config: &ModelConfig,
    hook: HookPoint,
    pos: usize,
) -> Cell {
    let row = view.positions.get(pos).and_then(|token| token.row(hook));
    let numbers = row.unwrap_or_default().iter().enumerate();
    let finite = numbers.filter(|(_, value)| value.is_finite());
    let strongest = finite.max_by(|(_, a), (_, b)| a.abs().total_cmp(&b.abs()));
    let index = strongest.map_or(0, |(index, _)| index);
    cell_of(config, hook, pos, index)
}

/// The cell of the number `index` of a token's vector at `hook`, heads one after the other.
pub fn cell_of(config: &ModelConfig, hook: HookPoint, pos: usize, index: usize) -> Cell {
    let has_heads = hook.axes().contains(&Axis::Head);
    let (head, index) = if has_heads {
        (index / config.d_head, index % config.d_head)
    } else {
        (0, index)
    };
    Cell::Value(CellId {
        hook,
        pos,
        head,
        index,
    })
}

/// So many of something, such as `1 token` or `3 tokens`.
pub fn counted(n: usize, what: &str) -> String {
    match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}

/// A row of choices of which one is in front.
pub fn pages<T: Copy + PartialEq>(ui: &mut Ui, chosen: &mut T, all: &[(T, &str)]) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        for (page, title) in all {
            ui.selectable_value(chosen, *page, *title);
        }
    });
}

/// Draws what may be higher than there is room; a table, which scrolls by itself, without another
/// scroll bar around it.
pub fn scrolled(ui: &mut Ui, name: &str, is_table: bool, draw: impl FnOnce(&mut Ui)) {
    if is_table {
        draw(ui);
        return;
    }
    egui::ScrollArea::vertical()
        .id_salt(name)
        .auto_shrink([false, false])
        .show(ui, draw);
}

/// Small text that steps back.
pub fn note(ui: &mut Ui, theme: Theme, text: impl Into<String>) {
    let text = egui::RichText::new(text).size(11.5);
    ui.label(text.color(theme::weak_text(theme)));
}

/// A line with a bar of `share` (0 to 1) under its text, and the number at its right; it can be
/// clicked.
pub fn value_row(
    ui: &mut Ui,
    theme: Theme,
    is_chosen: bool,
    label: &str,
    value: f32,
    share: f32,
) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 19.0), Sense::click());
    response.widget_info(|| {
        let text = format!("{label} {}", exact(value));
        WidgetInfo::selected(WidgetType::Button, true, is_chosen, text)
    });
    if !ui.is_rect_visible(rect) {
        return response;
    }
    let painter = ui.painter().with_clip_rect(rect);
    let neutrals = theme.neutrals();
    let is_lit = response.hovered() || response.has_focus() || is_chosen;
    let ground = theme::color(neutrals.road);
    let ground = if is_lit {
        ground
    } else {
        ground.gamma_multiply(0.6)
    };
    painter.rect_filled(rect, 3.0, ground);
    let mut filled = rect;
    filled.set_width(
        rect.width()
            * if share.is_finite() {
                share.clamp(0.0, 1.0)
            } else {
                0.0
            },
    );
    painter.rect_filled(filled, 3.0, theme::accent(theme).gamma_multiply(0.5));
    let text = theme::color(neutrals.text);
    let font = FontId::proportional(12.5);
    let number = painter.text(
        rect.right_center() - vec2(6.0, 0.0),
        Align2::RIGHT_CENTER,
        digits(value),
        font.clone(),
        text,
    );
    let mut left = rect;
    left.set_right(number.left() - 6.0);
    let at = rect.left_center() + vec2(6.0, 0.0);
    let painter = painter.with_clip_rect(left);
    painter.text(at, Align2::LEFT_CENTER, label, font, text);
    if response.has_focus() {
        let stroke = egui::Stroke::new(1.0, theme::accent(theme));
        ui.painter()
            .rect_stroke(rect, 3.0, stroke, egui::StrokeKind::Inside);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cached_is_made_once_for_each_key() {
        let mut cached = Cached::default();
        let mut n_made = 0;

        for key in [1, 1, 2, 2, 2, 1] {
            let value = *cached.get(key, |key| {
                n_made += 1;
                key * 10
            });
            assert_eq!(value, key * 10);
        }

        assert_eq!((n_made, cached.generation()), (3, 3));
        assert_eq!(cached.last(), Some(&10));
    }
}
