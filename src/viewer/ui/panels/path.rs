//! The camera's path on a timeline: recorded, played, and edited keyframe by keyframe.

#[cfg(test)]
mod tests;
mod timeline;

use std::path::PathBuf;

use egui::{Button, ComboBox, DragValue, Id, RichText, Sense, Stroke, TextEdit, Ui, vec2};
use timeline::{TimeScale, diamond_at, draw_axis, draw_diamond};

use super::Intent;
use crate::color::Theme;
use crate::config::ModelConfig;
use crate::hook::HookPoint;
use crate::viewer::camera_path::{Activity, Ease, Keyframe, PathDesk, PathWish};
use crate::viewer::ui::theme;

/// The camera's path on a timeline.
pub struct PathPanel {
    /// Whether it is there.
    pub is_open: bool,
    /// The keyframe whose settings are shown.
    selected: Option<usize>,
    /// The file that the path is saved to and loaded from.
    file: String,
}

impl Default for PathPanel {
    fn default() -> Self {
        Self {
            is_open: false,
            selected: None,
            file: "camera-path.json".to_owned(),
        }
    }
}

/// What the panel shows.
pub struct PathView<'a> {
    /// The path, and what is done with it.
    pub desk: &'a PathDesk,
    /// The model's shape, once there is one.
    pub config: Option<&'a ModelConfig>,
    /// The tensor of the number that was chosen.
    pub pinned: Option<HookPoint>,
    /// Dark or light.
    pub theme: Theme,
}

/// The timeline's height, in points.
const HEIGHT: f32 = 46.0;

impl PathPanel {
    /// Draws the panel.
    pub fn ui(&mut self, ui: &mut Ui, view: &PathView<'_>, intents: &mut Vec<Intent>) {
        let n_keyframes = view.desk.path.keyframes().len();
        self.selected = self.selected.filter(|index| *index < n_keyframes);
        ui.horizontal(|ui| {
            self.buttons(ui, view, intents);
            self.files(ui, view, intents);
        });
        self.timeline(ui, view, intents);
        ui.horizontal(|ui| {
            ui.set_min_height(ui.spacing().interact_size.y);
            match self
                .selected
                .and_then(|index| Some((index, view.desk.path.keyframes().get(index)?)))
            {
                Some((index, keyframe)) => self.keyframe(ui, view, index, keyframe, intents),
                None => hint(ui, view),
            }
        });
    }

    fn buttons(&mut self, ui: &mut Ui, view: &PathView<'_>, intents: &mut Vec<Intent>) {
        ui.label(RichText::new("Camera path").strong());
        let has_path = !view.desk.path.keyframes().is_empty();
        let activity = view.desk.activity;
        let (record, play) = match activity {
            Activity::Record => ("⏹ Stop", "▶ Play"),
            Activity::Play => ("⏺ Record", "⏸ Pause"),
            Activity::Rest => ("⏺ Record", "▶ Play"),
        };
        let is_still = activity == Activity::Rest;
        for (title, hint, is_enabled, wish) in [
            (
                record,
                "Record where the camera goes, in place of this path",
                activity != Activity::Play,
                PathWish::ToggleRecord,
            ),
            (
                play,
                "Fly along the path",
                has_path && activity != Activity::Record,
                PathWish::TogglePlay,
            ),
            (
                "+ Keyframe",
                "Make a keyframe of this view, where the timeline stands",
                is_still,
                PathWish::Add,
            ),
            (
                "Clear",
                "Take all keyframes out",
                is_still && has_path,
                PathWish::Clear,
            ),
        ] {
            let button = ui
                .add_enabled(is_enabled, Button::new(title))
                .on_hover_text(hint);
            if button.clicked() {
                if wish == PathWish::Clear {
                    self.selected = None;
                }
                intents.push(Intent::Path(wish));
            }
        }
        ui.separator();
    }

    fn files(&mut self, ui: &mut Ui, view: &PathView<'_>, intents: &mut Vec<Intent>) {
        ui.add(
            TextEdit::singleline(&mut self.file)
                .id(Id::new("path_file"))
                .desired_width(170.0),
        )
        .on_hover_text("The file; `llmscope record --camera FILE.json` films along it");
        let file = self.file.trim();
        let is_still = view.desk.activity == Activity::Rest;
        let can_load = is_still && !file.is_empty();
        let can_save = can_load && !view.desk.path.keyframes().is_empty();
        let save = Button::new("Save");
        if ui
            .add_enabled(can_save, save)
            .on_hover_text("In place of what is there")
            .clicked()
        {
            intents.push(Intent::Path(PathWish::Save(PathBuf::from(file))));
        }
        let load = Button::new("Load");
        if ui
            .add_enabled(can_load, load)
            .on_hover_text("In place of this path")
            .clicked()
        {
            self.selected = None;
            intents.push(Intent::Path(PathWish::Load(PathBuf::from(file))));
        }
    }

    fn timeline(&mut self, ui: &mut Ui, view: &PathView<'_>, intents: &mut Vec<Intent>) {
        let size = vec2(ui.available_width(), HEIGHT);
        let (response, painter) = ui.allocate_painter(size, Sense::click_and_drag());
        let desk = view.desk;
        let scale = TimeScale::new(response.rect, desk);
        draw_axis(&painter, &scale, view.theme);
        if (response.clicked() || response.dragged())
            && desk.activity != Activity::Record
            && let Some(at) = response.interact_pointer_pos()
        {
            intents.push(Intent::Path(PathWish::Seek(scale.secs(at.x))));
        }
        for (index, keyframe) in desk.path.keyframes().iter().enumerate() {
            let at = scale.place(keyframe.at_secs);
            let handle = diamond_at(ui, at, index);
            if handle.clicked() || handle.drag_started() {
                self.selected = Some(index);
            }
            if handle.clicked() {
                intents.push(Intent::Path(PathWish::Seek(keyframe.at_secs)));
            }
            if handle.dragged()
                && let Some(pointer) = handle.interact_pointer_pos()
            {
                let at_secs = scale.secs(pointer.x);
                intents.push(Intent::Path(PathWish::Move { index, at_secs }));
            }
            let is_selected = self.selected == Some(index);
            draw_diamond(
                &painter,
                at,
                keyframe,
                is_selected || handle.hovered(),
                view.theme,
            );
        }
        let x = scale.place(desk.secs).x;
        let color = match desk.activity {
            Activity::Record => theme::failure_text(view.theme),
            _ => theme::accent(view.theme),
        };
        painter.vline(x, response.rect.y_range(), Stroke::new(2.0, color));
    }

    fn keyframe(
        &mut self,
        ui: &mut Ui,
        view: &PathView<'_>,
        index: usize,
        keyframe: &Keyframe,
        intents: &mut Vec<Intent>,
    ) {
        ui.label(RichText::new(format!("Keyframe {}", index + 1)).strong());
        let mut at_secs = keyframe.at_secs;
        let time = DragValue::new(&mut at_secs)
            .speed(0.05)
            .suffix(" s")
            .fixed_decimals(2);
        if ui.add(time).on_hover_text("When it is reached").changed() {
            intents.push(Intent::Path(PathWish::Move { index, at_secs }));
        }
        ComboBox::from_id_salt("path_ease")
            .selected_text(ease_title(keyframe.ease))
            .show_ui(ui, |ui| {
                for ease in Ease::ALL {
                    let is_chosen = keyframe.ease == ease;
                    if ui.selectable_label(is_chosen, ease_title(ease)).clicked() {
                        intents.push(Intent::Path(PathWish::Ease(index, ease)));
                    }
                }
            })
            .response
            .on_hover_text("How the camera comes there");
        self.look_at(ui, view, index, keyframe.look_at, intents);
        if ui.button("Set to this view").clicked() {
            intents.push(Intent::Path(PathWish::Take(index)));
        }
        if ui.button("Delete").clicked() {
            self.selected = None;
            intents.push(Intent::Path(PathWish::Remove(index)));
        }
    }

    fn look_at(
        &self,
        ui: &mut Ui,
        view: &PathView<'_>,
        index: usize,
        looks_at: Option<HookPoint>,
        intents: &mut Vec<Intent>,
    ) {
        let title = match looks_at {
            None => "Looks ahead".to_owned(),
            Some(hook) => format!("Looks at {hook}"),
        };
        let mut choose = |ui: &mut Ui, title: String, hook: Option<HookPoint>| {
            if ui.selectable_label(looks_at == hook, title).clicked() {
                intents.push(Intent::Path(PathWish::LookAt(index, hook)));
            }
        };
        ComboBox::from_id_salt("path_look_at")
            .selected_text(title)
            .width(210.0)
            .height(300.0)
            .show_ui(ui, |ui| {
                choose(ui, "Looks ahead".to_owned(), None);
                if let Some(pinned) = view.pinned {
                    choose(ui, format!("What is pinned: {pinned}"), Some(pinned));
                }
                let hooks = view.config.map(ModelConfig::hook_points);
                for hook in hooks.into_iter().flatten() {
                    choose(ui, hook.to_string(), Some(hook));
                }
            })
            .response
            .on_hover_text("The tensor that it looks at from there");
    }
}

fn hint(ui: &mut Ui, view: &PathView<'_>) {
    let text = match view.desk.activity {
        Activity::Record => "The camera is recorded: fly, then stop",
        Activity::Play => "The camera flies; take it with the mouse to stop",
        Activity::Rest if view.desk.path.keyframes().is_empty() => {
            "Record a flight, or make keyframes of views; a film flies along them with record --camera"
        }
        Activity::Rest => "Click a keyframe to change it, drag it to move it in time",
    };
    ui.colored_label(theme::weak_text(view.theme), text);
}

fn ease_title(ease: Ease) -> &'static str {
    match ease {
        Ease::Rest => "comes to rest",
        Ease::Through => "flies through",
        Ease::Cut => "cuts",
    }
}
