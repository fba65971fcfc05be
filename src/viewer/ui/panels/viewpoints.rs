//! Places to fly to: those under the digit keys, and the guided tour.

use egui::{Button, TextEdit, Ui};

use super::Intent;
use crate::viewer::slots::{MAX_NAME, N_SLOTS, Place, SlotWish};
use crate::viewer::tour::TourWish;
use crate::viewer::ui::view::UiView;

/// Places to fly to: those under the digit keys, and the guided tour.
#[derive(Default)]
pub struct ViewpointsSection {
    /// Whether the slots can be changed.
    is_editing: bool,
    /// The slot whose name is being typed, and the name so far.
    naming: Option<(usize, String)>,
}

impl ViewpointsSection {
    /// Draws the section.
    pub fn ui(&mut self, ui: &mut Ui, view: &UiView<'_>, intents: &mut Vec<Intent>) {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 5.0;
            for (number, slot) in view.slots.iter() {
                if ui
                    .button(&slot.name)
                    .on_hover_text(format!("Fly there ({number})"))
                    .clicked()
                {
                    intents.push(Intent::Slot(SlotWish::GoTo(number)));
                }
            }
            let title = if view.tour.is_some() {
                "End tour"
            } else {
                "Tour"
            };
            if ui
                .add_enabled(view.model.is_some(), Button::new(title))
                .on_hover_text("From the embedding to the prediction, explained (G)")
                .clicked()
            {
                intents.push(Intent::Tour(TourWish::Toggle));
            }
            if ui
                .button("Path…")
                .on_hover_text("Record and edit the camera's path (C)")
                .clicked()
            {
                intents.push(Intent::TogglePath);
            }
            ui.toggle_value(&mut self.is_editing, "Edit…")
                .on_hover_text("Save, rename and delete viewpoints");
        });
        if self.is_editing {
            ui.group(|ui| {
                for number in 1..=N_SLOTS {
                    self.slot(ui, number, view, intents);
                }
            });
        }
        let mut has_reduced_motion = view.has_reduced_motion;
        if ui
            .checkbox(&mut has_reduced_motion, "reduced motion")
            .on_hover_text("The camera cuts instead of flying")
            .changed()
        {
            intents.push(Intent::Slot(SlotWish::ReduceMotion(has_reduced_motion)));
        }
    }

    fn slot(&mut self, ui: &mut Ui, number: usize, view: &UiView<'_>, intents: &mut Vec<Intent>) {
        let slot = view.slots.get(number);
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            ui.monospace(number.to_string());
            match slot {
                Some(slot) => {
                    let is_named = self.naming.as_ref().is_some_and(|(of, _)| *of == number);
                    let mut name = match &self.naming {
                        Some((of, name)) if *of == number => name.clone(),
                        _ => slot.name.clone(),
                    };
                    let edit = ui.add(
                        TextEdit::singleline(&mut name)
                            .id_salt(("viewpoint_name", number))
                            .char_limit(MAX_NAME)
                            .desired_width(94.0),
                    );
                    if edit.changed() {
                        self.naming = Some((number, name.clone()));
                    }
                    if edit.lost_focus() && is_named {
                        self.naming = None;
                        if name != slot.name {
                            intents.push(Intent::Slot(SlotWish::Rename(number, name)));
                        }
                    }
                }
                None => {
                    // As wide as a name's box.
                    let size = egui::vec2(102.0, ui.spacing().interact_size.y);
                    let layout = egui::Layout::left_to_right(egui::Align::Center);
                    ui.allocate_ui_with_layout(size, layout, |ui| {
                        ui.set_min_width(size.x);
                        ui.add_space(4.0);
                        ui.weak("empty");
                    });
                }
            }
            if ui
                .small_button("Save")
                .on_hover_text(format!("Save this view here (Ctrl+{number})"))
                .clicked()
            {
                intents.push(Intent::Slot(SlotWish::Save(number)));
            }
            let is_saved = slot.is_some_and(|slot| matches!(slot.place, Place::Saved(_)));
            if ui
                .add_enabled(is_saved, Button::new("×").small())
                .on_hover_text("Delete; a standard viewpoint comes back")
                .clicked()
            {
                intents.push(Intent::Slot(SlotWish::Delete(number)));
            }
        });
    }
}
