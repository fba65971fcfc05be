//! The number that was chosen: what it is, how it was computed, and the tensor it is part of.

use egui::{Button, FontId, Grid, RichText, Sense, Ui, pos2, vec2};

use super::tooltip::value_line;
use super::{Intent, heading};
use crate::analysis::{Histogram, Statistics};
use crate::color::{Rgb, Theme};
use crate::layout::Cell;
use crate::viewer::readout::{Part, ReadOut, Survey, digits, exact};
use crate::viewer::ui::theme;

/// What was chosen, and all that is known of it.
pub struct Inspection<'a> {
    /// What is to be said about it.
    pub read_out: &'a ReadOut,
    /// The colour of its value.
    pub color: Option<Rgb>,
    /// What else is to be known: its part in a prediction, whether it is set to zero.
    pub notes: &'a [String],
    /// What its tensor comes down to, once that is counted.
    pub survey: Option<&'a Survey>,
}

/// The number that was chosen.
#[derive(Default)]
pub struct InspectorPanel;

impl InspectorPanel {
    /// Draws the panel.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        inspection: &Inspection<'_>,
        theme: Theme,
        intents: &mut Vec<Intent>,
    ) {
        let read_out = inspection.read_out;
        ui.horizontal(|ui| {
            heading(ui, "Pinned");
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                if ui.small_button("Unpin").clicked() {
                    intents.push(Intent::Unpin);
                }
                let copy = ui
                    .small_button("Copy")
                    .on_hover_text("Copy all of this as text");
                if copy.clicked() {
                    ui.ctx().copy_text(inspection.text());
                }
                let fly = ui
                    .small_button("Fly")
                    .on_hover_text("Fly there; so does a double click");
                if fly.clicked() {
                    intents.push(Intent::Visit(read_out.cell));
                }
            });
        });
        let weak = |text: String| {
            RichText::new(text)
                .size(11.5)
                .color(theme::weak_text(theme))
        };
        ui.label(RichText::new(&read_out.name).monospace().size(11.5));
        ui.label(weak(read_out.index_line()));
        if let Some(stored_as) = &read_out.stored_as {
            ui.label(weak(format!("checkpoint: {stored_as}")));
        }
        value_line(ui, read_out.reading, inspection.color, 16.0, theme);
        for note in inspection.notes {
            ui.label(RichText::new(note).size(12.0).color(theme::accent(theme)));
        }
        if let Some(formula) = &read_out.formula {
            ui.label(weak(format!("= {}", formula.rule)));
            if let Some(numbers) = &formula.numbers {
                ui.label(weak(format!("= {numbers}")));
            }
            inputs(ui, &formula.parts, intents);
        }
        ui.add_space(4.0);
        match inspection.survey {
            Some(survey) => {
                let own = match read_out.cell {
                    Cell::Value(_) => "this token",
                    Cell::Weight(_) => "this row",
                };
                statistics(ui, own, survey, theme);
                histogram(ui, &survey.histogram, read_out.reading.value(), theme);
            }
            None => {
                ui.label(weak("Counting its tensor…".to_owned()));
            }
        }
    }
}

impl Inspection<'_> {
    /// All of it as lines of text.
    pub fn text(&self) -> String {
        let mut text = self.read_out.text();
        for note in self.notes {
            text += &format!("{note}\n");
        }
        if let Some(survey) = self.survey {
            for (title, statistics) in [("own", &survey.own), ("all", &survey.all)] {
                let rows: Vec<String> = rows(statistics)
                    .into_iter()
                    .map(|(name, value)| format!("{name} {value}"))
                    .collect();
                text += &format!("{title}: {}\n", rows.join(", "));
            }
        }
        text
    }
}

/// What it is computed from; a click goes there.
fn inputs(ui: &mut Ui, parts: &[Part], intents: &mut Vec<Intent>) {
    if parts.is_empty() {
        return;
    }
    let has_shares = parts.iter().any(|part| part.share.is_some());
    let title = if has_shares {
        "From, with the greatest shares"
    } else {
        "From"
    };
    ui.add_space(2.0);
    ui.label(RichText::new(title).strong().size(12.0));
    ui.spacing_mut().item_spacing.y = 2.0;
    for part in parts {
        let row = ui.horizontal(|ui| {
            let right = egui::Layout::right_to_left(egui::Align::Center);
            ui.with_layout(right, |ui| {
                let number = part.share.or(part.value);
                let text = number.map_or_else(|| "no value".to_owned(), digits);
                ui.label(RichText::new(text).monospace().size(11.0));
                let name = RichText::new(short_name(&part.name)).size(11.5);
                let left = egui::Layout::left_to_right(egui::Align::Center);
                ui.with_layout(left, |ui| ui.add(Button::new(name).frame(false).truncate()))
                    .inner
            })
            .inner
        });
        let mut hint = part.name.clone();
        if let (Some(value), Some(share)) = (part.value, part.share) {
            hint += &format!("\n{} adds {}", exact(value), exact(share));
        }
        if row
            .inner
            .on_hover_text(hint + "\nFly there and pin it")
            .clicked()
        {
            intents.push(Intent::Visit(part.cell));
        }
    }
}

/// A name without the block it lies in, which is nearly always the pinned cell's own.
fn short_name(name: &str) -> &str {
    name.strip_prefix("blocks.")
        .and_then(|rest| rest.split_once('.'))
        .map_or(name, |(_, rest)| rest)
}

fn rows(statistics: &Statistics) -> [(&'static str, String); 8] {
    let of_finite = |value: f64| {
        if statistics.n_finite() == 0 {
            "–".to_owned()
        } else {
            digits(value as f32)
        }
    };
    [
        ("numbers", statistics.n.to_string()),
        ("min", of_finite(f64::from(statistics.min))),
        ("max", of_finite(f64::from(statistics.max))),
        ("mean", of_finite(statistics.mean())),
        ("std dev", of_finite(statistics.standard_deviation())),
        ("rms", of_finite(statistics.rms())),
        ("zeros", statistics.n_zero.to_string()),
        (
            "NaN, inf",
            format!("{}, {}", statistics.n_nan, statistics.n_infinite),
        ),
    ]
}

fn statistics(ui: &mut Ui, own: &str, survey: &Survey, theme: Theme) {
    let weak = theme::weak_text(theme);
    Grid::new("statistics")
        .num_columns(3)
        .spacing([12.0, 1.0])
        .show(ui, |ui| {
            let small = |text: String| RichText::new(text).size(11.0);
            ui.label(RichText::new("Its tensor").strong().size(12.0));
            ui.label(small(own.to_owned()).color(weak));
            ui.label(small("all of it".to_owned()).color(weak));
            ui.end_row();
            for ((name, own), (_, all)) in rows(&survey.own).into_iter().zip(rows(&survey.all)) {
                ui.label(small(name.to_owned()).color(weak));
                ui.label(small(own).monospace());
                ui.label(small(all).monospace());
                ui.end_row();
            }
        });
}

/// Bars on a logarithmic scale, so that a single outlier is seen; a line where the value is.
fn histogram(ui: &mut Ui, histogram: &Histogram, value: Option<f32>, theme: Theme) {
    let width = ui.available_width();
    let (rect, response) = ui.allocate_exact_size(vec2(width, 78.0), Sense::hover());
    let bars = egui::Rect::from_min_max(rect.min, rect.max - vec2(0.0, 14.0));
    let painter = ui.painter();
    let neutrals = theme.neutrals();
    painter.rect_filled(bars, 2.0, theme::color(neutrals.road).gamma_multiply(0.5));
    let n_bins = histogram.counts.len();
    let most = histogram.counts.iter().copied().max().unwrap_or(0);
    let height = |count: u64| (count as f32).ln_1p() / (most as f32).ln_1p().max(1e-6);
    let bin_width = bars.width() / n_bins as f32;
    for (bin, count) in histogram.counts.iter().enumerate() {
        if *count == 0 {
            continue;
        }
        let left = bars.left() + bin as f32 * bin_width;
        let top = bars.bottom() - (bars.height() * height(*count)).max(1.0);
        let bar = egui::Rect::from_min_max(
            pos2(left, top),
            pos2(left + (bin_width - 0.5).max(0.5), bars.bottom()),
        );
        painter.rect_filled(bar, 0.0, theme::weak_text(theme));
    }
    if let Some(bin) = value.and_then(|value| histogram.bin(value)) {
        let x = bars.left() + (bin as f32 + 0.5) * bin_width;
        painter.vline(x, bars.y_range(), (2.0, theme::accent(theme)));
    }
    let font = FontId::proportional(10.5);
    let text = theme::color(neutrals.text);
    for (place, align, label) in [
        (
            rect.left_bottom(),
            egui::Align2::LEFT_BOTTOM,
            digits(histogram.low),
        ),
        (
            rect.center_bottom(),
            egui::Align2::CENTER_BOTTOM,
            "count, logarithmic".to_owned(),
        ),
        (
            rect.right_bottom(),
            egui::Align2::RIGHT_BOTTOM,
            digits(histogram.high),
        ),
    ] {
        painter.text(place, align, label, font.clone(), text);
    }
    let Some(pointer) = response.hover_pos().filter(|place| bars.contains(*place)) else {
        return;
    };
    let bin = (((pointer.x - bars.left()) / bin_width) as usize).min(n_bins - 1);
    let span = (f64::from(histogram.high) - f64::from(histogram.low)) / n_bins as f64;
    let low = f64::from(histogram.low) + bin as f64 * span;
    response.on_hover_text(format!(
        "{} from {} to {}",
        histogram.counts[bin],
        digits(low as f32),
        digits((low + span) as f32)
    ));
}
