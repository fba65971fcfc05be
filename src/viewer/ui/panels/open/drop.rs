//! Files that are dragged over the window and dropped onto it.

use std::path::PathBuf;

use egui::{Align2, Context, CornerRadius, FontId, Id, LayerId, Order};

use crate::color::Theme;
use crate::viewer::ui::theme;

/// The first of the files that were dropped just now.
pub(super) fn dropped(context: &Context) -> Option<PathBuf> {
    context.input(|input| {
        let mut files = input.raw.dropped_files.iter();
        files.find_map(|file| file.path.clone())
    })
}

/// Says what a drop would do, while something is dragged over the window.
pub(super) fn show_hint(context: &Context, theme: Theme) {
    let hovered = context.input(|input| {
        let file = input.raw.hovered_files.first()?;
        Some(file.path.as_ref().map_or_else(String::new, |path| {
            let name = path.file_name().unwrap_or(path.as_os_str());
            name.to_string_lossy().into_owned()
        }))
    });
    let Some(name) = hovered else { return };
    let whole = context.viewport_rect();
    let painter = context.layer_painter(LayerId::new(Order::Foreground, Id::new("drop_hint")));
    let ground = theme::panel_fill(theme).gamma_multiply(0.85);
    painter.rect_filled(whole, CornerRadius::ZERO, ground);
    let text = format!("Drop to open {name}");
    let font = FontId::proportional(22.0);
    let ink = theme::accent(theme);
    painter.text(whole.center(), Align2::CENTER_CENTER, text, font, ink);
}
