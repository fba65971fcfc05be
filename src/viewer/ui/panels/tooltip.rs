//! What is pointed at, beside the pointer.

use egui::{Context, Frame, Id, Margin, Order, Pos2, Rect, RichText, Stroke, Ui, Vec2, vec2};

use crate::color::{Rgb, Theme};
use crate::viewer::readout::{ReadOut, Reading};
use crate::viewer::ui::theme;

/// What is pointed at, and where.
pub struct Hover<'a> {
    /// What is to be said about it.
    pub read_out: &'a ReadOut,
    /// The colour of its value.
    pub color: Option<Rgb>,
    /// What else is to be known: its part in a prediction, whether it is set to zero.
    pub notes: Vec<String>,
    /// What its tile shows from afar instead of it, if it is too small to be seen.
    pub from_afar: Option<String>,
    /// Where the pointer is, in points.
    pub pointer: Pos2,
    /// Where its box is seen, in points.
    pub seen: Rect,
}

/// What is pointed at, beside the pointer.
#[derive(Default)]
pub struct Tooltip {
    /// Its size the last time; it is placed by that.
    size: Vec2,
}

/// As wide as it gets, in points.
const MAX_WIDTH: f32 = 330.0;
/// Free space between it and what it is about, in points.
const GAP: f32 = 14.0;

impl Tooltip {
    /// Draws it where it stays within `free` and covers nothing of what it is about.
    pub fn show(&mut self, context: &Context, hover: &Hover<'_>, theme: Theme, free: Rect) {
        let size = self.size.max(vec2(120.0, 40.0));
        let place = place(size, hover.pointer, hover.seen, free);
        let shown = egui::Area::new(Id::new("tooltip"))
            .order(Order::Tooltip)
            .fixed_pos(place)
            .constrain(false)
            .interactable(false)
            .fade_in(false)
            .show(context, |ui| {
                let neutrals = theme.neutrals();
                Frame::NONE
                    .fill(theme::panel_fill(theme))
                    .stroke(Stroke::new(1.0, theme::color(neutrals.road)))
                    .corner_radius(5)
                    .inner_margin(Margin::symmetric(9, 7))
                    .show(ui, |ui| {
                        ui.set_max_width(MAX_WIDTH);
                        ui.spacing_mut().item_spacing = vec2(6.0, 2.0);
                        lines(ui, hover, theme);
                    });
            });
        self.size = shown.response.rect.size();
    }
}

fn lines(ui: &mut Ui, hover: &Hover<'_>, theme: Theme) {
    let weak = theme::weak_text(theme);
    let read_out = hover.read_out;
    ui.label(RichText::new(&read_out.name).monospace().size(11.5));
    ui.label(RichText::new(read_out.index_line()).size(11.5).color(weak));
    value_line(ui, read_out.reading, hover.color, 15.0, theme);
    for note in &hover.notes {
        ui.label(RichText::new(note).size(11.5).color(theme::accent(theme)));
    }
    if let Some(formula) = &read_out.formula {
        ui.label(
            RichText::new(format!("= {}", formula.rule))
                .size(11.5)
                .color(weak),
        );
        if let Some(numbers) = &formula.numbers {
            ui.label(RichText::new(format!("= {numbers}")).size(11.5).color(weak));
        }
    }
    if let Some(stored_as) = &read_out.stored_as {
        ui.label(RichText::new(stored_as).size(11.5).color(weak));
    }
    if let Some(from_afar) = &hover.from_afar {
        ui.label(RichText::new(from_afar).size(11.5).italics().color(weak));
    }
}

/// A value with a swatch of its colour before it.
pub fn value_line(ui: &mut Ui, reading: Reading, color: Option<Rgb>, size: f32, theme: Theme) {
    ui.horizontal(|ui| {
        if let Some(color) = color {
            let (rect, _) = ui.allocate_exact_size(Vec2::splat(0.8 * size), egui::Sense::hover());
            ui.painter().rect_filled(rect, 2.0, theme::color(color));
        }
        let text = RichText::new(reading.to_string());
        ui.label(match reading {
            Reading::Value(_) => text.monospace().size(size).strong(),
            _ => text.size(0.85 * size).color(theme::weak_text(theme)),
        });
    });
}

/// Where a box of `size` goes, by its upper left corner: beside `seen` and the pointer, within
/// `free`. If it finds no such place, as close to one as fits.
pub fn place(size: Vec2, pointer: Pos2, seen: Rect, free: Rect) -> Pos2 {
    let room = Rect::from_min_max(free.min, (free.max - size).max(free.min));
    let at_pointer = Rect::from_center_size(pointer, Vec2::splat(8.0));
    // What fills half the picture cannot be kept clear.
    let is_small = seen.is_finite()
        && seen.width() < 0.5 * free.width()
        && seen.height() < 0.5 * free.height();
    let kept_clear = if is_small {
        at_pointer.union(seen)
    } else {
        at_pointer
    };
    let right = kept_clear.right() + GAP;
    let left = kept_clear.left() - GAP - size.x;
    let below = kept_clear.bottom() + GAP;
    let above = kept_clear.top() - GAP - size.y;
    let beside_y = (pointer.y - 0.5 * size.y).clamp(room.top(), room.bottom());
    let beside_x = (pointer.x - 0.5 * size.x).clamp(room.left(), room.right());
    let places = [
        Pos2::new(right, below),
        Pos2::new(right, above),
        Pos2::new(left, below),
        Pos2::new(left, above),
        Pos2::new(right, beside_y),
        Pos2::new(left, beside_y),
        Pos2::new(beside_x, below),
        Pos2::new(beside_x, above),
    ];
    places
        .into_iter()
        .find(|place| room.contains(*place))
        .unwrap_or_else(|| places[0].clamp(room.min, room.max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_in_the_free_part_and_clear_of_the_cell_wherever_the_pointer_is() {
        let free = Rect::from_min_max(Pos2::new(230.0, 0.0), Pos2::new(1030.0, 620.0));
        let size = vec2(300.0, 110.0);
        for x in 0..=80 {
            for y in 0..=62 {
                let pointer = free.min + vec2(10.0 * x as f32, 10.0 * y as f32);
                let seen = Rect::from_center_size(pointer, vec2(40.0, 90.0));

                let tooltip = Rect::from_min_size(place(size, pointer, seen, free), size);

                assert!(free.contains_rect(tooltip), "{pointer} {tooltip}");
                assert!(!tooltip.intersects(seen), "{pointer} {tooltip}");
            }
        }
    }

    #[test]
    fn a_cell_that_fills_the_picture_keeps_only_the_pointer_clear() {
        let free = Rect::from_min_max(Pos2::ZERO, Pos2::new(800.0, 600.0));
        let pointer = Pos2::new(790.0, 590.0);

        let place = place(vec2(300.0, 100.0), pointer, free, free);

        let tooltip = Rect::from_min_size(place, vec2(300.0, 100.0));
        assert!(free.contains_rect(tooltip) && !tooltip.contains(pointer));
    }

    #[test]
    fn in_a_picture_too_small_for_it_its_beginning_is_seen() {
        let free = Rect::from_min_max(Pos2::ZERO, Pos2::new(100.0, 60.0));

        let place = place(vec2(300.0, 100.0), Pos2::new(50.0, 30.0), free, free);

        assert_eq!(place, Pos2::ZERO);
    }
}
