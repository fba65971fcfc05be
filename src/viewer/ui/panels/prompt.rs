//! The prompt, how tokens are chosen, and what is shown.

use egui::{Button, RichText, Slider, TextEdit, Ui};

use super::plots::Plot;
use super::plots::dock::Dock;
use super::{Intent, ViewpointsSection, heading};
use crate::analysis::{grouped, human_bytes};
use crate::color::{RangeEnd, RangeMode, RangeSettings, Scaling, Theme};
use crate::model::SamplerSettings;
use crate::trace::TraceUsage;
use crate::viewer::ui::theme;
use crate::viewer::ui::view::UiView;

/// The prompt, how tokens are chosen, and what is shown.
pub struct PromptPanel {
    /// What is typed.
    pub text: String,
    sampler: SamplerSettings,
    has_top_k: bool,
    has_top_p: bool,
    top_k: usize,
    top_p: f64,
    has_labels: bool,
    viewpoints: ViewpointsSection,
}

impl Default for PromptPanel {
    fn default() -> Self {
        Self {
            text: String::new(),
            sampler: SamplerSettings::default(),
            has_top_k: false,
            has_top_p: false,
            top_k: 40,
            top_p: 0.95,
            has_labels: true,
            viewpoints: ViewpointsSection::default(),
        }
    }
}

/// How much has been recorded, and where it is.
fn usage(ui: &mut Ui, view: &UiView<'_>) {
    let TraceUsage { in_memory, on_disk } = view.usage;
    let tokens = match view.tokens.len() {
        1 => "1 token".to_owned(),
        n => format!("{} tokens", grouped(n as u64)),
    };
    let mut text = format!("{tokens}, {} of values", human_bytes(in_memory + on_disk));
    if on_disk > 0 {
        text.push_str(&format!(" ({} on disk)", human_bytes(on_disk)));
    }
    let hint = "What goes beyond --trace-memory lies in a temporary file, every bit of it; the file goes \
                with the text";
    ui.label(
        RichText::new(text)
            .color(theme::weak_text(view.theme))
            .small(),
    )
    .on_hover_text(hint);
}

impl PromptPanel {
    /// Draws the panel.
    pub fn ui(&mut self, ui: &mut Ui, view: &UiView<'_>, dock: &Dock, intents: &mut Vec<Intent>) {
        heading(ui, "Prompt");
        self.prompt(ui, view, intents);
        ui.add_space(8.0);
        ui.separator();
        heading(ui, "Panels");
        plots(ui, dock, intents);
        ui.add_space(8.0);
        ui.separator();
        heading(ui, "Next token");
        ui.add_enabled_ui(view.can_run, |ui| self.sampler(ui, intents));
        ui.add_space(8.0);
        ui.separator();
        heading(ui, "View");
        self.view(ui, view, intents);
    }

    fn prompt(&mut self, ui: &mut Ui, view: &UiView<'_>, intents: &mut Vec<Intent>) {
        let hint = match (view.can_run, view.tokens.is_empty()) {
            (true, _) => "Type a text for the model",
            (false, true) => "No weights: the shape alone is shown",
            (false, false) => "A saved trace: it has no weights to read another text with",
        };
        let edit = ui.add_enabled(
            view.can_run,
            TextEdit::multiline(&mut self.text)
                .id_salt("prompt_text")
                .hint_text(hint)
                .desired_rows(3)
                .desired_width(f32::INFINITY),
        );
        let shortcut = edit.has_focus()
            && ui.input(|input| input.modifiers.command && input.key_pressed(egui::Key::Enter));
        ui.horizontal(|ui| {
            let run = ui
                .add_enabled(view.can_run && view.model.is_some(), Button::new("Run"))
                .on_hover_text("Compute this text (Ctrl+Enter)");
            if run.clicked() || (shortcut && view.can_run) {
                intents.push(Intent::Begin(self.text.clone()));
            }
            if ui
                .add_enabled(view.is_computing, Button::new("Stop"))
                .on_hover_text("Stop the pass being computed")
                .clicked()
            {
                intents.push(Intent::Stop);
            }
            if ui
                .add_enabled(view.can_run && !view.tokens.is_empty(), Button::new("Save trace"))
                .on_hover_text(
                    "Save every value of this text as a new file in the folder where the program was \
                     started; view --trace shows it again",
                )
                .clicked()
            {
                intents.push(Intent::SaveTrace);
            }
        });
        if !view.tokens.is_empty() {
            usage(ui, view);
        }
    }

    fn sampler(&mut self, ui: &mut Ui, intents: &mut Vec<Intent>) {
        let before = self.settings();
        ui.add(Slider::new(&mut self.sampler.temperature, 0.0..=2.0).text("temperature"))
            .on_hover_text("0 takes the most probable token");
        let is_random = self.sampler.temperature > 0.0;
        ui.add_enabled_ui(is_random, |ui| {
            ui.horizontal(|ui| {
                ui.checkbox(&mut self.has_top_k, "top-k");
                ui.add_enabled(
                    self.has_top_k,
                    egui::DragValue::new(&mut self.top_k).range(1..=100_000),
                )
                .on_hover_text("Choose among this many most probable tokens");
            });
            ui.horizontal(|ui| {
                ui.checkbox(&mut self.has_top_p, "top-p");
                ui.add_enabled(
                    self.has_top_p,
                    egui::DragValue::new(&mut self.top_p)
                        .range(0.01..=1.0)
                        .speed(0.01),
                )
                .on_hover_text("Choose among the most probable that together reach this");
            });
            ui.horizontal(|ui| {
                ui.label("seed");
                ui.add(egui::DragValue::new(&mut self.sampler.seed));
            });
        });
        if self.settings() != before {
            intents.push(Intent::Sample(self.settings()));
        }
    }

    fn settings(&self) -> SamplerSettings {
        SamplerSettings {
            top_k: self.has_top_k.then_some(self.top_k),
            top_p: self.has_top_p.then_some(self.top_p),
            ..self.sampler
        }
    }

    fn view(&mut self, ui: &mut Ui, view: &UiView<'_>, intents: &mut Vec<Intent>) {
        self.viewpoints.ui(ui, view, intents);
        if ui.checkbox(&mut self.has_labels, "labels").changed() {
            intents.push(Intent::Labels(self.has_labels));
        }
        ranges(ui, view.ranges, intents);
        ui.horizontal(|ui| {
            ui.label("theme");
            for (theme, title) in [(Theme::Dark, "dark"), (Theme::Light, "light")] {
                if ui.selectable_label(view.theme == theme, title).clicked() {
                    intents.push(Intent::Theme(theme));
                }
            }
        });
        ui.colored_label(theme::weak_text(view.theme), "F1 lists the keys");
    }
}

/// Which values share a range, where it ends, and how values lie within it.
fn ranges(ui: &mut Ui, now: RangeSettings, intents: &mut Vec<Intent>) {
    let mut choose = |ui: &mut Ui, settings: RangeSettings, title: &str, hint: &str| {
        let is_chosen = settings == now;
        let label = ui.selectable_label(is_chosen, title);
        if label.on_hover_text(hint).clicked() {
            intents.push(Intent::Ranges(settings));
        }
    };
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        ui.label("range ");
        for (mode, title, hint) in [
            (
                RangeMode::PerTensor,
                "tensor",
                "Each tensor of each layer has its own range",
            ),
            (
                RangeMode::PerLayer,
                "layer",
                "The tensors of a layer share a range",
            ),
            (
                RangeMode::PerName,
                "name",
                "Tensors of one name share a range in all layers",
            ),
            (RangeMode::WholeModel, "all", "All tensors share one range"),
        ] {
            choose(ui, RangeSettings { mode, ..now }, title, hint);
        }
    });
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        ui.label("up to ");
        for (end, title, hint) in [
            (
                RangeEnd::Quantile,
                "99 %",
                "99 % of a token's values lie within the range",
            ),
            (RangeEnd::Max, "max", "Every value lies within the range"),
        ] {
            choose(ui, RangeSettings { end, ..now }, title, hint);
        }
        for (scaling, title, hint) in [
            (
                Scaling::Linear,
                "linear",
                "Values lie evenly in their range",
            ),
            (
                Scaling::SymLog,
                "log",
                "By the logarithm of the magnitude: small values are told apart",
            ),
        ] {
            choose(ui, RangeSettings { scaling, ..now }, title, hint);
        }
    });
}

/// Which views are open beside the world.
fn plots(ui: &mut Ui, dock: &Dock, intents: &mut Vec<Intent>) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 5.0;
        for plot in Plot::ALL {
            let tip = format!("{} ({}; with Shift as a window)", plot.tip(), plot.key());
            let button = Button::selectable(dock.is_open(plot), plot.title());
            let response = ui.add(button.frame_when_inactive(true)).on_hover_text(tip);
            if response.clicked() {
                let has_shift = ui.input(|input| input.modifiers.shift);
                intents.push(if has_shift {
                    Intent::TearPlot(plot)
                } else {
                    Intent::TogglePlot(plot)
                });
            }
        }
    });
}
