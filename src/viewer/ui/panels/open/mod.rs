//! Another model: by its name on the Hub, from this computer, or one that was opened before.

mod drop;
#[cfg(test)]
mod tests;

use std::env;
use std::path::{Path, PathBuf};

use egui::{Align, Align2, Button, Context, Key, ProgressBar, RichText, TextEdit, Ui, Window};
use egui_file_dialog::FileDialog;

use super::Intent;
use crate::color::Theme;
use crate::model::{HubName, ModelSource};
use crate::viewer::recents::Recents;
use crate::viewer::ui::theme;

/// The dialog's width in points.
const WIDTH: f32 = 460.0;
/// How far below the window's upper edge it hangs.
const TOP: f32 = 110.0;
/// What kinds of files models are in.
const ENDINGS: [&str; 3] = ["gguf", "safetensors", "bin"];

/// What the dialog shows.
pub struct OpenView<'a> {
    /// The models that were opened last.
    pub recents: &'a Recents,
    /// How far loading has come, 0 to 1 and in words.
    pub loading: Option<(f32, &'a str)>,
    /// Why the last one can't be opened.
    pub failure: Option<&'a str>,
    /// Dark or light.
    pub theme: Theme,
}

/// The dialog that opens another model.
#[derive(Default)]
pub struct OpenDialog {
    /// Whether it is there.
    pub is_open: bool,
    /// What is typed as a name on the Hub.
    hub_name: String,
    /// Chooses a folder or file; made when it is first needed, since it looks at the disks.
    files: Option<Box<FileDialog>>,
    is_field_new: bool,
}

impl OpenDialog {
    /// Opens it, or closes it.
    pub fn toggle(&mut self) {
        self.is_open = !self.is_open;
        self.is_field_new = self.is_open;
        self.hub_name.clear();
    }

    /// Draws it if it is open, and takes in what is dropped onto the window.
    pub fn show(&mut self, context: &Context, view: &OpenView<'_>, intents: &mut Vec<Intent>) {
        drop::show_hint(context, view.theme);
        if let Some(path) = drop::dropped(context) {
            intents.push(Intent::Open(source_of(&path)));
        }
        self.show_files(context, intents);
        if !self.is_open {
            return;
        }
        let mut stays_open = true;
        Window::new("Open a model")
            .open(&mut stays_open)
            // What is clicked stays where it is while what lies below it comes and goes.
            .anchor(Align2::CENTER_TOP, egui::vec2(0.0, TOP))
            .collapsible(false)
            .resizable(false)
            .show(context, |ui| {
                ui.set_width(WIDTH);
                self.hub(ui, view, intents);
                ui.add_space(6.0);
                self.computer(ui, view, intents);
                recents(ui, view, intents);
                state(ui, view, intents);
            });
        let is_closed_by_key = context.input(|input| input.key_pressed(Key::Escape))
            && !self.files.as_ref().is_some_and(|files| is_shown(files));
        self.is_open = stays_open && !is_closed_by_key;
    }

    fn hub(&mut self, ui: &mut Ui, view: &OpenView<'_>, intents: &mut Vec<Intent>) {
        let label = ui.label("From the Hugging Face Hub");
        ui.horizontal(|ui| {
            let field = TextEdit::singleline(&mut self.hub_name)
                .id_salt("hub_name")
                .hint_text("org/name, such as openai-community/gpt2")
                .desired_width(WIDTH - 84.0)
                .vertical_align(Align::Center)
                .min_size(egui::vec2(0.0, ui.spacing().interact_size.y + 8.0));
            let field = ui.add(field).labelled_by(label.id);
            field.clone().on_hover_text(
                "With @revision for a branch, tag or commit, or as org/name/file.gguf for one file",
            );
            if std::mem::take(&mut self.is_field_new) {
                field.request_focus();
            }
            let source = hub_source(&self.hub_name);
            let is_entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
            let button = ui.add_enabled(source.is_some(), Button::new("Open"));
            if let Some(source) = source
                && (button.clicked() || is_entered)
            {
                intents.push(Intent::Open(source));
            }
        });
        let typed = self.hub_name.trim();
        if !typed.is_empty() && hub_source(typed).is_none() {
            let text = "A name on the Hub is an organisation and a name, with a slash between";
            ui.colored_label(theme::weak_text(view.theme), text);
        }
    }

    fn computer(&mut self, ui: &mut Ui, view: &OpenView<'_>, intents: &mut Vec<Intent>) {
        ui.label("From this computer");
        ui.horizontal(|ui| {
            if ui
                .button("Folder…")
                .on_hover_text("A folder with config.json and weights")
                .clicked()
            {
                self.files().pick_directory();
            }
            if ui
                .button("File…")
                .on_hover_text("A .gguf or .safetensors file, or any file of a model's folder")
                .clicked()
            {
                self.files().pick_file();
            }
            if ui
                .button("Embedded demo")
                .on_hover_text("The small model within the program")
                .clicked()
            {
                intents.push(Intent::Open(ModelSource::Demo));
            }
        });
        let hint = "Or drop a folder or a file onto the window";
        ui.colored_label(theme::weak_text(view.theme), hint);
    }

    fn files(&mut self) -> &mut FileDialog {
        self.files.get_or_insert_with(|| Box::new(file_dialog()))
    }

    fn show_files(&mut self, context: &Context, intents: &mut Vec<Intent>) {
        let Some(files) = &mut self.files else { return };
        files.update(context);
        if let Some(path) = files.take_picked() {
            intents.push(Intent::Open(source_of(&path)));
        }
    }
}

fn is_shown(files: &FileDialog) -> bool {
    matches!(files.state(), egui_file_dialog::DialogState::Open)
}

fn file_dialog() -> FileDialog {
    FileDialog::new()
        .title("Choose a model")
        .default_size([720.0, 460.0])
        .anchor(Align2::CENTER_CENTER, egui::Vec2::ZERO)
        .initial_directory(env::current_dir().unwrap_or_else(|_| PathBuf::from("/")))
        .show_new_folder_button(false)
        .add_file_filter_extensions("Models", [&ENDINGS[..], &["json"]].concat())
        .default_file_filter("Models")
}

/// A name on the Hub, if that is what is typed; an address of the Hub's pages is one too.
fn hub_source(typed: &str) -> Option<ModelSource> {
    let name = typed.trim().trim_end_matches('/');
    let name = name.split_once("://").map_or(name, |(_, rest)| {
        rest.split_once('/').map_or(rest, |(_, name)| name)
    });
    let name = name
        .split_once("/tree/")
        .map_or(name.to_owned(), |(name, revision)| {
            format!("{name}@{revision}")
        });
    match name.parse() {
        Ok(source @ (ModelSource::Hub(_) | ModelSource::Demo)) => Some(source),
        // A folder of that name is here too: the field is for the Hub.
        _ => HubName::parse(&name).map(ModelSource::Hub),
    }
}

/// The model that a folder or file on this computer belongs to.
pub fn source_of(path: &Path) -> ModelSource {
    let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
    let is_model = ending.is_some_and(|ending| ending == "gguf" || ending == "safetensors");
    let folder = || match path.parent() {
        Some(folder) if !path.is_dir() => ModelSource::Folder(folder.to_owned()),
        _ => ModelSource::Folder(path.to_owned()),
    };
    let is_shard = path.with_file_name("model.safetensors.index.json").exists();
    let is_of_folder = is_shard
        || path
            .file_name()
            .is_some_and(|name| name == "model.safetensors");
    match path.to_str() {
        Some(text) if is_model && !is_of_folder && !path.is_dir() => {
            text.parse().unwrap_or_else(|never| match never {})
        }
        _ => folder(),
    }
}

fn recents(ui: &mut Ui, view: &OpenView<'_>, intents: &mut Vec<Intent>) {
    if view.recents.is_empty() {
        return;
    }
    ui.add_space(6.0);
    ui.label("Recent");
    for (name, is_there) in view.recents.iter() {
        ui.horizontal(|ui| {
            if ui
                .add(Button::new("×").small())
                .on_hover_text(format!("Leave {name} out of this list"))
                .clicked()
            {
                intents.push(Intent::ForgetRecent(name.to_owned()));
            }
            let mut text = shortened(name);
            if !is_there {
                text.push_str(" is no longer there");
            }
            let button = Button::new(text).frame(false).truncate();
            let button = ui.add_enabled(is_there, button).on_hover_text(name);
            if button.clicked() {
                intents.push(Intent::Open(
                    name.parse().unwrap_or_else(|never| match never {}),
                ));
            }
        });
    }
}

/// Letters of a name that find room.
const MAX_NAME: usize = 56;

/// A long name's end, which tells more than its beginning.
fn shortened(name: &str) -> String {
    match name.char_indices().nth_back(MAX_NAME) {
        None => name.to_owned(),
        Some((start, first)) => format!("…{}", &name[start + first.len_utf8()..]),
    }
}

/// How far loading has come, or why it has failed.
fn state(ui: &mut Ui, view: &OpenView<'_>, intents: &mut Vec<Intent>) {
    if let Some((share, line)) = view.loading {
        ui.add_space(6.0);
        ui.separator();
        ui.horizontal(|ui| {
            ui.add(ProgressBar::new(share).desired_width(WIDTH - 84.0));
            if ui
                .button("Cancel")
                .on_hover_text("What was fetched is kept")
                .clicked()
            {
                intents.push(Intent::CancelLoad);
            }
        });
        ui.colored_label(theme::weak_text(view.theme), line);
    } else if let Some(failure) = view.failure {
        ui.add_space(6.0);
        ui.separator();
        ui.label(RichText::new(failure).color(theme::failure_text(view.theme)));
    }
}
