//! Pictures of the window: how large, with what, and the button.

use egui::containers::menu::{MenuButton, MenuConfig};
use egui::{Button, DragValue, PopupCloseBehavior, RichText, Ui};

use super::Intent;
use crate::viewer::filming::{MAX_SIDE, MIN_SIDE, PictureSize, PictureWish};

/// Pictures of the window: how large, with what, and the button.
pub struct PictureButton {
    /// How the next picture is taken.
    pub wish: PictureWish,
    /// The width and height that are offered.
    pixels: [u32; 2],
}

impl Default for PictureButton {
    fn default() -> Self {
        Self {
            wish: PictureWish {
                has_panels: true,
                ..PictureWish::default()
            },
            pixels: [3840, 2160],
        }
    }
}

impl PictureButton {
    /// Draws the button, and what it opens.
    pub fn ui(&mut self, ui: &mut Ui, intents: &mut Vec<Intent>) {
        let symbol = RichText::new("📷").size(16.0);
        let button = Button::new(symbol).min_size(egui::vec2(32.0, 26.0));
        let config = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
        let (response, _) = MenuButton::from_button(button)
            .config(config)
            .ui(ui, |ui| self.menu(ui, intents));
        response.on_hover_text("A picture of this window… (F12 takes it)");
    }

    fn menu(&mut self, ui: &mut Ui, intents: &mut Vec<Intent>) {
        ui.set_width(210.0);
        for (times, title) in [
            (1, "As large as the window"),
            (2, "Twice as large"),
            (4, "Four times as large"),
        ] {
            ui.radio_value(&mut self.wish.size, PictureSize::Times(times), title);
        }
        ui.horizontal(|ui| {
            let is_own = matches!(self.wish.size, PictureSize::Pixels(..));
            let mut is_chosen = ui.radio(is_own, "").clicked();
            for (side, separator) in self.pixels.iter_mut().zip(["x", "pixels"]) {
                let value = DragValue::new(side).range(MIN_SIDE..=MAX_SIDE).speed(8.0);
                is_chosen |= ui.add(value).changed();
                ui.label(separator);
            }
            if is_own || is_chosen {
                let [width, height] = self.pixels;
                self.wish.size = PictureSize::Pixels(width, height);
            }
        });
        ui.separator();
        ui.checkbox(&mut self.wish.has_panels, "With the panels");
        ui.checkbox(&mut self.wish.is_transparent, "Without ground and sky")
            .on_hover_text("What is behind the world is transparent");
        ui.separator();
        if ui.button("Take picture (F12)").clicked() {
            intents.push(Intent::Picture(self.wish));
            ui.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use egui_kittest::Harness;
    use egui_kittest::kittest::Queryable as _;

    use super::*;

    #[test]
    fn a_picture_is_asked_for_as_it_was_chosen() {
        let mut harness = Harness::builder().build_ui_state(
            |ui, (button, intents): &mut (PictureButton, Vec<Intent>)| button.ui(ui, intents),
            (PictureButton::default(), Vec::new()),
        );

        for label in [
            "📷",
            "Twice as large",
            "With the panels",
            "Without ground and sky",
            "Take picture (F12)",
        ] {
            harness.get_by_label(label).click();
            harness.run();
        }

        let wish = PictureWish {
            size: PictureSize::Times(2),
            is_transparent: true,
            has_panels: false,
        };
        assert_eq!(harness.state().1, [Intent::Picture(wish)]);
        assert_eq!(harness.state().0.wish, wish, "the key asks for the same");
        assert!(harness.query_by_label("Twice as large").is_none(), "closed");
    }
}
