//! The playhead: buttons, scrubbers, and what happens.

use egui::{Button, ProgressBar, RichText, Slider, Ui};

use super::plots::ablation::counted;
use super::{Intent, PictureButton, Plot, RecordButtons};
use crate::ablation::Ablation;
use crate::config::ModelConfig;
use crate::viewer::ui::theme;
use crate::viewer::ui::view::UiView;

/// The playhead: buttons, scrubbers, and what happens.
#[derive(Default)]
pub struct TransportPanel {
    record: RecordButtons,
    /// Pictures of the window.
    pub pictures: PictureButton,
}

impl TransportPanel {
    /// Draws the panel.
    pub fn ui(&mut self, ui: &mut Ui, view: &UiView<'_>, intents: &mut Vec<Intent>) {
        ui.horizontal(|ui| {
            buttons(ui, view, intents);
            ui.separator();
            self.record
                .ui(ui, view.filming, view.can_film_again, intents);
            self.pictures.ui(ui, intents);
            ui.separator();
            if ui
                .button("Open…")
                .on_hover_text("Another model: from the Hub, a folder or a file (Ctrl+O)")
                .clicked()
            {
                intents.push(Intent::ToggleOpen);
            }
            ui.separator();
            scrubbers(ui, view, intents);
        });
        status(ui, view, intents);
    }
}

fn buttons(ui: &mut Ui, view: &UiView<'_>, intents: &mut Vec<Intent>) {
    let has_text = !view.tokens.is_empty();
    // Without weights it goes on as far as the text does.
    let can_go_on = has_text && (view.can_run || view.playhead.lane + 1 < view.tokens.len());
    let (symbol, hint) = if view.playback.is_playing {
        ("⏸", "Pause (Space)")
    } else {
        ("▶", "Play: token follows token (Space)")
    };
    for (symbol, hint, is_enabled, intent) in [
        (
            "⏮",
            "One token back (←)",
            has_text && view.playhead.lane > 0,
            Intent::StepBack,
        ),
        (
            symbol,
            hint,
            can_go_on || view.playback.is_playing,
            Intent::TogglePlay,
        ),
        ("⏭", "One token on (→)", can_go_on, Intent::StepForward),
        (
            "⟲",
            "Run the signal through the model again (R)",
            has_text,
            Intent::Replay,
        ),
    ] {
        let button = Button::new(RichText::new(symbol).size(16.0)).min_size(egui::vec2(32.0, 26.0));
        if ui
            .add_enabled(is_enabled, button)
            .on_hover_text(hint)
            .clicked()
        {
            intents.push(intent);
        }
    }
}

fn scrubbers(ui: &mut Ui, view: &UiView<'_>, intents: &mut Vec<Intent>) {
    let mut layers_per_sec = view.playback.layers_per_sec;
    ui.spacing_mut().slider_width = 80.0;
    let speed = Slider::new(&mut layers_per_sec, 0.25..=60.0)
        .logarithmic(true)
        .custom_formatter(|value, _| format!("{value:.1}"))
        .text("layers/s");
    if ui
        .add(speed)
        .on_hover_text("How fast the signal runs")
        .changed()
    {
        intents.push(Intent::Speed(layers_per_sec));
    }
    ui.separator();
    let last_lane = view.tokens.len().saturating_sub(1);
    ui.spacing_mut().slider_width = 130.0;
    let mut lane = view.playhead.lane;
    ui.label("token");
    let token = Slider::new(&mut lane, 0..=last_lane).text(format!("of {last_lane}"));
    if ui
        .add_enabled(last_lane > 0, token)
        .on_hover_text("The last token shown")
        .changed()
    {
        intents.push(Intent::SeekLane(lane));
    }
    ui.separator();
    let mut order = view.playhead.order;
    ui.spacing_mut().slider_width = (ui.available_width() - 12.0).clamp(60.0, 1200.0);
    let signal = Slider::new(&mut order, 0.0..=view.n_orders.max(1.0)).show_value(false);
    let response = ui
        .add_enabled(!view.tokens.is_empty(), signal)
        .on_hover_text("How far the signal has come through the model");
    if response.changed() {
        intents.push(Intent::SeekOrder(order));
    }
}

/// What of a long token's text is shown, in characters.
const TOKEN_CHARS: usize = 16;
/// Room for where the signal is, in points, so that what follows stands still.
const PLACE_WIDTH: f32 = 400.0;

/// Where the signal is: the token, the layer, the stage.
fn place(view: &UiView<'_>) -> Option<String> {
    let (model, token) = (view.model?, view.tokens.get(view.playhead.lane)?);
    let label = model.vocab.label(*token);
    let mut text: String = label.chars().take(TOKEN_CHARS).collect();
    if text.len() < label.len() {
        text.push('…');
    }
    let stage = match view.stage {
        Some(hook) => match hook.layer() {
            Some(layer) => format!(
                "layer {layer} of {}, {}",
                model.config.n_layers,
                model.config.title(hook)
            ),
            None => model.config.title(hook).to_owned(),
        },
        None => "not begun".to_owned(),
    };
    Some(format!("token {} “{text}”   {stage}", view.playhead.lane))
}

fn status(ui: &mut Ui, view: &UiView<'_>, intents: &mut Vec<Intent>) {
    ui.horizontal(|ui| {
        if let Some(place) = place(view) {
            let size = egui::vec2(PLACE_WIDTH, ui.spacing().interact_size.y);
            let left = egui::Layout::left_to_right(egui::Align::Center);
            ui.allocate_ui_with_layout(size, left, |ui| {
                ui.set_min_width(PLACE_WIDTH);
                ui.add(egui::Label::new(RichText::new(place).strong()).truncate());
            });
        }
        zeroed(ui, view, intents);
        if let Some(failure) = view.failure {
            if ui.small_button("Dismiss").clicked() {
                intents.push(Intent::DismissFailure);
            }
            let text = RichText::new(failure).color(theme::failure_text(view.theme));
            ui.add(egui::Label::new(text).truncate())
                .on_hover_text(failure);
            return;
        }
        let weak = theme::weak_text(view.theme);
        match view.loading {
            Some((share, line)) => loading(ui, share, line, intents),
            None => {
                ui.label(RichText::new(view.status).size(12.0).color(weak));
            }
        }
        if let Some(model) = view.model {
            let facts = egui::Label::new(
                RichText::new(format!("{}   {}", model.name, facts(&model.config)))
                    .size(12.0)
                    .color(weak),
            );
            ui.add(facts.truncate());
        }
    });
}

/// How far the model that is being opened has come.
fn loading(ui: &mut Ui, share: f32, line: &str, intents: &mut Vec<Intent>) {
    ui.add(
        ProgressBar::new(share)
            .desired_width(160.0)
            .show_percentage(),
    );
    if ui
        .small_button("Cancel")
        .on_hover_text("Load no model; what was fetched is kept")
        .clicked()
    {
        intents.push(Intent::CancelLoad);
    }
    ui.label(RichText::new(line).size(12.0));
    ui.separator();
}

/// Says that parts are set to zero, so that nobody forgets.
fn zeroed(ui: &mut Ui, view: &UiView<'_>, intents: &mut Vec<Intent>) {
    if view.ablations.is_empty() {
        return;
    }
    let text = RichText::new(counted(view.ablations.len())).strong();
    let banner = Button::new(text.color(theme::on_accent(view.theme)))
        .fill(theme::accent(view.theme))
        .small();
    let names: Vec<String> = view.ablations.iter().map(Ablation::title).collect();
    let hint = format!("{}\nClick shows their effect", names.join("\n"));
    if ui.add(banner).on_hover_text(hint).clicked() {
        intents.push(Intent::TogglePlot(Plot::Ablation));
    }
    let restore = Button::new("Restore all").small();
    if ui.add_enabled(view.can_run, restore).clicked() {
        intents.push(Intent::Ablate(Vec::new()));
    }
}

/// How large a model is, such as `24 layers, 384 heads, 98,304 neurons, 354,823,168 parameters`.
pub(super) fn facts(config: &ModelConfig) -> String {
    format!(
        "{} layers, {} heads, {} neurons, {} parameters",
        config.n_layers,
        grouped((config.n_layers * config.n_heads) as u64),
        grouped((config.n_layers * config.d_mlp) as u64),
        grouped(config.parameter_count()),
    )
}

/// A whole number in groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpt2_medium_reads_as_it_was_published() {
        let config = ModelConfig::preset("gpt2-medium").unwrap();

        assert_eq!(
            facts(&config),
            "24 layers, 384 heads, 98,304 neurons, 354,823,168 parameters"
        );
    }

    #[test]
    fn numbers_are_grouped_by_three_digits() {
        let texts = [7, 768, 1024, 354_823_168].map(grouped);

        assert_eq!(texts, ["7", "768", "1,024", "354,823,168"]);
    }
}
