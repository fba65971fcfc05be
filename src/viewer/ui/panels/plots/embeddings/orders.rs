//! What is ordered by itself, what waits to be asked for, and how far it is.

use std::sync::Arc;

use egui::{ProgressBar, RichText, Ui};

use super::EmbeddingsPlot;
use super::controls::MethodName;
use super::desk::Work;
use super::subject::{Subject, grouped};
use crate::analysis::projection::Stage;
use crate::viewer::ui::panels::plots::PlotView;
use crate::viewer::ui::panels::plots::parts::note;
use crate::viewer::ui::theme;

/// Of more vectors than this, t-SNE and UMAP wait until they are asked for.
const N_AT_ONCE: usize = 2_000;

impl EmbeddingsPlot {
    /// Whether what is chosen is made without being asked for.
    fn is_at_once(&self, view: &PlotView<'_>) -> bool {
        let what = self.choice.what;
        let n = match (what.is_text(), view.model) {
            (false, Some(model)) => model.config.d_vocab,
            _ => view.positions.len(),
        };
        self.choice.method == MethodName::Pca || n <= N_AT_ONCE
    }

    /// Orders what is chosen, if it is not ordered yet.
    pub(super) fn order(&mut self, view: &PlotView<'_>) {
        let Some(origin) = self.choice.what.origin(view) else {
            return;
        };
        let is_growing = self.choice.what.is_text() && view.is_computing;
        let is_missing = matches!(&self.missing, Some((missing, _)) if *missing == origin);
        let is_ordered = self.desk.has_ordered(origin, &self.choice.settings());
        if !is_growing && !is_missing && !is_ordered && self.is_at_once(view) {
            self.order_now(view);
        }
    }

    fn order_now(&mut self, view: &PlotView<'_>) {
        let Some(origin) = self.choice.what.origin(view) else {
            return;
        };
        let subject = match self.desk.subject(origin) {
            Some(subject) => Ok(subject),
            None => Subject::new(self.choice.what, view).map(Arc::new),
        };
        match subject {
            Ok(subject) => {
                self.missing = None;
                self.desk.order(subject, self.choice.settings());
            }
            Err(missing) => self.missing = Some((origin, missing)),
        }
    }

    /// How what is chosen is doing, and what can be done about it.
    pub(super) fn status(&mut self, ui: &mut Ui, view: &PlotView<'_>) {
        let origin = self.choice.what.origin(view);
        let failure = |ui: &mut Ui, text: &str| {
            ui.label(RichText::new(text).color(theme::failure_text(view.theme)));
        };
        if let Some((missing, why)) = &self.missing
            && Some(*missing) == origin
        {
            failure(ui, why);
            return;
        }
        let is_ordered =
            origin.is_some_and(|origin| self.desk.has_ordered(origin, &self.choice.settings()));
        let mut is_asked = false;
        ui.horizontal(|ui| match &self.desk.work {
            Work::Running { stage, share } => {
                let text = match stage {
                    Stage::Components => "seeking components",
                    Stage::Neighbors => "seeking neighbours",
                    Stage::Points => "moving points",
                };
                let text = format!("{text}, {:.0} %", 100.0 * share);
                let width = (ui.available_width() - 70.0).clamp(60.0, 320.0);
                let bar = ProgressBar::new(*share)
                    .desired_width(width)
                    .desired_height(16.0);
                let bar = ui.add(bar.text(RichText::new(&text).size(11.0)));
                bar.widget_info(|| {
                    egui::WidgetInfo::labeled(egui::WidgetType::ProgressIndicator, true, &text)
                });
                if ui
                    .button("Stop")
                    .on_hover_text("The picture stays as it is now")
                    .clicked()
                {
                    self.desk.stop();
                }
            }
            _ if !is_ordered && !self.is_at_once(view) => {
                is_asked = ui.button("Compute").clicked();
                let n = view.model.map_or(0, |model| model.config.d_vocab);
                let name = self.choice.settings().method.name();
                let text = format!(
                    "{name} of {} vectors takes minutes; it can be stopped",
                    grouped(n)
                );
                note(ui, view.theme, text);
            }
            Work::Stopped => {
                is_asked = ui.button("Compute again").clicked();
                note(ui, view.theme, "Stopped: the picture is unfinished");
            }
            Work::Failed(why) => {
                is_asked = ui.button("Try again").clicked();
                failure(ui, why);
            }
            Work::Done => {
                if let Some(took) = self.desk.took {
                    note(ui, view.theme, format!("Computed in {}", seconds(took)));
                }
            }
            Work::Idle => note(ui, view.theme, "Waits until the text is computed"),
        });
        if is_asked {
            self.order_now(view);
        }
    }
}

fn seconds(took: std::time::Duration) -> String {
    let secs = took.as_secs_f32();
    if secs < 1.0 {
        format!("{:.0} ms", 1e3 * secs)
    } else {
        format!("{secs:.1} s")
    }
}
