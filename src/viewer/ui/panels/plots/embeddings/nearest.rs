//! The nearest vectors of the chosen one, as a list.

use egui::{RichText, ScrollArea, Ui};

use super::desk::Nearest;
use super::subject::Subject;
use crate::engine::METRICS;
use crate::viewer::ui::panels::plots::PlotView;
use crate::viewer::ui::panels::plots::parts::{note, value_row};
use crate::viewer::ui::theme;

/// Draws the list by metric number `metric` of [`METRICS`]; the point that was clicked.
pub fn list(
    ui: &mut Ui,
    view: &PlotView<'_>,
    subject: &Subject,
    chosen: usize,
    nearest: &Nearest,
    metric: &mut usize,
) -> Option<usize> {
    let name = name(view, subject, chosen);
    ui.label(RichText::new(format!("Nearest to {name}")).strong());
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 3.0;
        for (index, (title, tip)) in [
            ("cosine", "One less the cosine of the angle, 0 to 2"),
            ("Euclidean", "Length of the difference"),
        ]
        .into_iter()
        .enumerate()
        {
            ui.selectable_value(metric, index, title).on_hover_text(tip);
        }
    });
    if let Some(failure) = &nearest.failure {
        let color = theme::failure_text(view.theme);
        ui.label(RichText::new(failure).color(color));
        return None;
    }
    let Some(near) = nearest.near.as_ref().and_then(|near| near.get(*metric)) else {
        note(ui, view.theme, "Being sought among all vectors …");
        return None;
    };
    if near.is_empty() {
        note(ui, view.theme, "There is no other vector");
        return None;
    }
    let what = METRICS.get(*metric).map_or("", |metric| metric.name());
    note(
        ui,
        view.theme,
        format!("{what}, exact, not of the picture but of the vectors"),
    );
    let farthest = near.last().map_or(0.0, |near| near.distance) as f32;
    let mut clicked = None;
    ScrollArea::vertical()
        .id_salt("nearest")
        .auto_shrink([false, true])
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            for near in near {
                let label = name_of(view, subject, near.index);
                let distance = near.distance as f32;
                let share = if farthest > 0.0 {
                    distance / farthest
                } else {
                    0.0
                };
                let row = value_row(ui, view.theme, false, &label, distance, share);
                if row
                    .on_hover_text(format!("{what} {:?}", near.distance))
                    .clicked()
                {
                    clicked = Some(near.index);
                }
            }
        });
    clicked
}

/// A point's token in words, with its position where it has one.
pub fn name(view: &PlotView<'_>, subject: &Subject, point: usize) -> String {
    let token = subject.tokens.get(point).copied().unwrap_or(0);
    let text = (view.token_text)(token);
    if subject.is_text() {
        format!("{point} “{text}”")
    } else {
        format!("“{text}”")
    }
}

fn name_of(view: &PlotView<'_>, subject: &Subject, point: usize) -> String {
    let token = subject.tokens.get(point).copied().unwrap_or(0);
    let text = (view.token_text)(token);
    if subject.is_text() {
        format!("{point}  {text}")
    } else {
        text
    }
}
