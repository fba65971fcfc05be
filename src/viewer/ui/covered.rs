//! What panels and windows cover of the picture, and what lies under the pointer.

use bevy::prelude::*;

use crate::viewer::viewpoint::Screen;

/// What windows and other floating parts cover, in points.
pub(super) fn areas(context: &egui::Context) -> Vec<egui::Rect> {
    context.memory(|memory| {
        let layers = memory.areas().visible_layer_ids();
        let floating = layers
            .into_iter()
            .filter(|layer| layer.order == egui::Order::Middle);
        floating
            .filter_map(|layer| memory.area_rect(layer.id))
            .collect()
    })
}

/// Whether a window or a menu lies under the pointer.
pub(super) fn is_pointer_covered(context: &egui::Context) -> bool {
    let pointer = context.input(|input| input.pointer.interact_pos());
    pointer
        .and_then(|place| context.layer_id_at(place))
        .is_some_and(|layer| layer.order != egui::Order::Background)
}

/// Whether the keys for copying were pressed, and not to copy from a text box.
pub(super) fn is_copy_asked(context: &egui::Context) -> bool {
    let is_pressed =
        context.input(|input| input.events.iter().any(|e| matches!(e, egui::Event::Copy)));
    is_pressed && !context.text_edit_focused()
}

/// The part of the picture that the panels leave free, as the camera counts.
pub(super) fn free_screen(whole: egui::Rect, free: egui::Rect) -> Screen {
    let place = |at: egui::Pos2| {
        let share = (at - whole.min) / whole.size().max(egui::Vec2::splat(1.0));
        Vec2::new(2.0 * share.x - 1.0, 1.0 - 2.0 * share.y)
    };
    let aspect = whole.width() / whole.height().max(1.0);
    if !whole.is_positive() || !free.is_positive() {
        return Screen::default();
    }
    Screen {
        aspect,
        low: place(free.left_bottom()),
        high: place(free.right_top()),
    }
}
