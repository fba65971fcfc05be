//! What is shown and how it was made, and the way from layer to layer.

use egui::{Button, RichText, Slider, Ui};

use super::EmbeddingsPlot;
use super::subject::Subject;
use crate::analysis::projection::Method;
use crate::viewer::ui::panels::plots::PlotView;
use crate::viewer::ui::panels::plots::parts::note;

/// Places of the pass in a second, while they are played.
const PLACES_PER_SEC: f32 = 1.5;

impl EmbeddingsPlot {
    /// What is shown, how it was made, and what its colours mean.
    pub(super) fn title(&self, ui: &mut Ui, view: &PlotView<'_>) {
        let Some(picture) = &self.desk.picture else {
            return;
        };
        let projection = &picture.projection;
        let scaled = if picture.settings.has_unit_length {
            ", unit length"
        } else {
            ""
        };
        let unfinished = if picture.is_done { "" } else { ", unfinished" };
        ui.label(
            RichText::new(format!(
                "{}: {}{scaled}{unfinished}",
                picture.subject.title,
                method_in_words(projection.method),
            ))
            .strong(),
        );
        if !projection.explained.is_empty() {
            let shares = projection.explained.iter();
            let shares: Vec<String> = shares
                .map(|share| format!("{:.2} %", 100.0 * share))
                .collect();
            let sum = 100.0 * projection.explained.iter().sum::<f64>();
            let text = format!("Variance explained {} = {sum:.2} %", shares.join(" + "));
            note(ui, view.theme, text);
        }
    }

    /// Moves the points from place to place.
    pub(super) fn player(&mut self, ui: &mut Ui, subject: &Subject) {
        let last = (subject.n_places() - 1) as f32;
        self.place = self.place.min(last);
        if self.is_playing {
            self.place += PLACES_PER_SEC * ui.input(|input| input.stable_dt).min(0.1);
            self.is_playing = self.place < last;
            self.place = self.place.min(last);
            ui.ctx().request_repaint();
        }
        ui.horizontal_wrapped(|ui| {
            let (sign, verb) = if self.is_playing {
                ("⏸", "Pause the layers")
            } else {
                ("▶", "Play from layer to layer")
            };
            let button = ui.add(Button::new(sign));
            button.widget_info(|| egui::WidgetInfo::labeled(egui::WidgetType::Button, true, verb));
            if button.on_hover_text(verb).clicked() {
                self.is_playing = !self.is_playing;
                if self.place >= last {
                    self.place = 0.0;
                }
            }
            ui.spacing_mut().slider_width = (ui.available_width() - 260.0).clamp(80.0, 260.0);
            let label = ui.label("place");
            let slider = Slider::new(&mut self.place, 0.0..=last).show_value(false);
            ui.add(slider).labelled_by(label.id).on_hover_text(
                "All places share one set of axes, so that a move is a change of the vector; between \
                 two places points move on a straight line",
            );
            ui.monospace(subject.place_name(self.place.round() as usize));
        });
    }
}

/// The method with the settings it was used with.
pub(super) fn method_in_words(method: Method) -> String {
    match method {
        Method::Pca => "PCA".to_owned(),
        Method::Tsne(settings) => format!(
            "t-SNE, perplexity {:.1}, {} steps, {}",
            settings.perplexity,
            settings.n_steps,
            settings.metric.name()
        ),
        Method::Umap(settings) => format!(
            "UMAP, {} neighbours, min dist {}, {}",
            settings.n_neighbors,
            settings.min_dist,
            settings.metric.name()
        ),
    }
}
