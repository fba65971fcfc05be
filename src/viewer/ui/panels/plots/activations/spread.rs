//! How the numbers of one tensor are spread, and how the residual stream grows from layer to layer.

use egui::{ComboBox, DragValue, Grid, RichText, Ui, WidgetInfo, WidgetType};
use egui_plot::{Bar, BarChart, Line, LineStyle, Plot, PlotPoints, VLine};

use super::fill::{Filling, VALUES_A_FRAME};
use super::map::{Place, row_name};
use crate::analysis::{Distribution, Measure, NormRange, norm_ranges, stream_hooks};
use crate::color::Theme;
use crate::config::ModelConfig;
use crate::hook::HookPoint;
use crate::viewer::readout::{digits, exact};
use crate::viewer::ui::panels::plots::PlotView;
use crate::viewer::ui::panels::plots::parts::{Cached, counted, note};
use crate::viewer::ui::theme;

/// Parts of the histogram.
const N_BINS: usize = 80;
/// Height of the pictures, in points.
const HEIGHTS: std::ops::RangeInclusive<f32> = 130.0..=420.0;

/// How the numbers of one tensor are spread.
pub struct SpreadPage {
    place: Place,
    row: usize,
    eps: f32,
    is_log: bool,
    of: Option<(u64, HookPoint, f32)>,
    distribution: Distribution,
    bars: Cached<(u64, bool), Vec<[f64; 2]>>,
    generation: u64,
    is_done: bool,
    n_pos: usize,
}

impl Default for SpreadPage {
    fn default() -> Self {
        Self {
            place: Place::Site(crate::hook::BlockSite::MlpPost),
            row: 0,
            eps: 0.01,
            is_log: true,
            of: None,
            distribution: Distribution::new(N_BINS, 0.01),
            bars: Cached::default(),
            generation: 0,
            is_done: false,
            n_pos: 0,
        }
    }
}

impl SpreadPage {
    /// Shows the tensor of this hook point, if it has vectors.
    pub fn follow(&mut self, hook: HookPoint, config: &ModelConfig) {
        if let Some((place, row)) = Place::of(hook, config) {
            (self.place, self.row) = (place, row);
        }
    }

    /// Draws the page.
    pub fn ui(&mut self, ui: &mut Ui, view: &PlotView<'_>, config: &ModelConfig, height: f32) {
        let hooks = self.place.hooks(config);
        self.row = self.row.min(hooks.len().saturating_sub(1));
        ui.horizontal_wrapped(|ui| {
            ComboBox::from_id_salt("spread place")
                .width(190.0)
                .selected_text(self.place.title(config))
                .show_ui(ui, |ui| {
                    for place in Place::all(config) {
                        ui.selectable_value(&mut self.place, place, place.title(config));
                    }
                });
            let label = ui.label("row");
            let last = hooks.len().saturating_sub(1);
            let (place, shown) = (self.place, hooks.clone());
            ui.add(
                DragValue::new(&mut self.row)
                    .range(0..=last)
                    .custom_formatter(move |row, _| {
                        let hook = shown.get(row as usize);
                        hook.map_or_else(String::new, |hook| row_name(*hook, place))
                    }),
            )
            .labelled_by(label.id);
            let label = ui.label("near zero below");
            ui.add(DragValue::new(&mut self.eps).range(0.0..=10.0).speed(0.005))
                .labelled_by(label.id);
            ui.checkbox(&mut self.is_log, "log counts");
        });
        let Some(hook) = hooks.get(self.row).copied() else {
            return;
        };
        self.advance(view, hook);
        if !self.is_done {
            ui.ctx().request_repaint();
        }
        let statistics = &self.distribution.statistics;
        note(
            ui,
            view.theme,
            format!(
                "{hook} · {} numbers of {}",
                statistics.n,
                counted(view.positions.len(), "token")
            ),
        );
        if statistics.n_finite() == 0 {
            note(ui, view.theme, "No finite number is recorded here");
            return;
        }
        self.facts(ui, view);
        self.histogram(ui, view, hook, height - 108.0);
    }

    fn advance(&mut self, view: &PlotView<'_>, hook: HookPoint) {
        let of = Some((view.text, hook, self.eps));
        if self.of != of || self.n_pos > view.positions.len() {
            self.of = of;
            self.distribution = Distribution::new(N_BINS, self.eps);
            self.is_done = false;
        }
        if self.is_done && self.n_pos == view.positions.len() {
            return;
        }
        self.n_pos = view.positions.len();
        let budget = VALUES_A_FRAME / 8;
        self.is_done = self.distribution.advance(view.positions, hook, budget);
        self.generation += 1;
    }

    fn facts(&self, ui: &mut Ui, view: &PlotView<'_>) {
        let statistics = &self.distribution.statistics;
        let sparsity = &self.distribution.sparsity;
        let percent = |share: f64| format!("{:.2} %", 100.0 * share);
        let rows = [
            ("min", exact(statistics.min)),
            ("max", exact(statistics.max)),
            ("mean", digits(statistics.mean() as f32)),
            ("std dev", digits(statistics.standard_deviation() as f32)),
            ("zero or less", percent(sparsity.share_not_positive())),
            ("near zero", percent(sparsity.share_near_zero())),
            ("NaN", statistics.n_nan.to_string()),
            ("infinite", statistics.n_infinite.to_string()),
        ];
        Grid::new("facts of the spread")
            .spacing([14.0, 1.0])
            .show(ui, |ui| {
                for (index, (name, value)) in rows.into_iter().enumerate() {
                    let name = RichText::new(name)
                        .size(11.5)
                        .color(theme::weak_text(view.theme));
                    ui.label(name);
                    ui.label(RichText::new(value).size(11.5).monospace());
                    if index % 4 == 3 {
                        ui.end_row();
                    }
                }
            });
    }

    fn histogram(&mut self, ui: &mut Ui, view: &PlotView<'_>, hook: HookPoint, height: f32) {
        let histogram = &self.distribution.histogram;
        let n_bins = histogram.counts.len();
        let width = f64::from(histogram.high - histogram.low) / n_bins as f64;
        let width = if width > 0.0 { width } else { 1.0 };
        let key = (self.generation, self.is_log);
        let bars = self.bars.get(key, |(_, is_log)| {
            let heights = histogram.counts.iter().map(|count| match is_log {
                true => (*count as f64 + 1.0).log10(),
                false => *count as f64,
            });
            let middle = |bin: usize| f64::from(histogram.low) + (bin as f64 + 0.5) * width;
            heights
                .enumerate()
                .map(|(bin, height)| [middle(bin), height])
                .collect()
        });
        let color = theme::accent(view.theme).gamma_multiply(0.75);
        let counts = &histogram.counts;
        let low = f64::from(histogram.low);
        let is_log = self.is_log;
        let bars = bars.iter().enumerate().map(|(bin, [at, height])| {
            let from = low + bin as f64 * width;
            let name = format!(
                "{} numbers from {from:.4} to {:.4}",
                counts[bin],
                from + width
            );
            Bar::new(*at, *height).width(width).fill(color).name(name)
        });
        let chart = BarChart::new("numbers", bars.collect())
            .color(color)
            .element_formatter(Box::new(|bar, _| bar.name.clone()));
        let zero = VLine::new("zero", 0.0)
            .color(theme::weak_text(view.theme))
            .width(1.0);
        let shown = framed(ui, view.theme, Plot::new("distribution"), height)
            .x_axis_label("value")
            .y_axis_label(if is_log { "log10(1 + n)" } else { "numbers" })
            .show(ui, |plot| {
                plot.bar_chart(chart);
                plot.vline(zero);
            });
        shown.response.widget_info(|| {
            WidgetInfo::labeled(WidgetType::Image, true, format!("Histogram of {hook}"))
        });
    }
}

/// A picture that stays as it is: what it shows fits.
fn framed<'a>(ui: &mut Ui, theme: Theme, plot: Plot<'a>, height: f32) -> Plot<'a> {
    // The grid has the colour of text: it steps back.
    ui.visuals_mut().override_text_color = Some(theme::weak_text(theme).gamma_multiply(0.8));
    plot.height(height.clamp(*HEIGHTS.start(), *HEIGHTS.end()))
        .allow_scroll(false)
        .allow_zoom(false)
        .allow_drag(false)
        .allow_boxed_zoom(false)
        .show_background(false)
}

/// How the residual stream grows from layer to layer.
#[derive(Default)]
pub struct NormsPage {
    filling: Filling,
    norms: Cached<u64, Vec<NormRange>>,
    is_log: bool,
}

impl NormsPage {
    /// Draws the page.
    pub fn ui(&mut self, ui: &mut Ui, view: &PlotView<'_>, config: &ModelConfig, height: f32) {
        let hooks = stream_hooks(config);
        if !self.filling.advance(view, &hooks, Measure::Norm) {
            ui.ctx().request_repaint();
        }
        let matrix = self.filling.matrix();
        let norms = self
            .norms
            .get(self.filling.generation(), |_| norm_ranges(&hooks, matrix));
        ui.horizontal(|ui| {
            note(
                ui,
                view.theme,
                "L2 norm of the residual stream, over the tokens of the text",
            );
            ui.checkbox(&mut self.is_log, "log");
        });
        let is_log = self.is_log;
        let scaled = |value: f32| {
            let value = f64::from(value);
            if is_log {
                value.max(1e-12).log10()
            } else {
                value
            }
        };
        let line = |name: &str, of: fn(&NormRange) -> f32| {
            let points: PlotPoints<'_> = norms
                .iter()
                .enumerate()
                .filter(|(_, norm)| of(norm).is_finite())
                // What enters the first layer stands before it.
                .map(|(row, norm)| [row as f64 - 1.0, scaled(of(norm))])
                .collect();
            Line::new(name, points)
        };
        let (accent, weak) = (theme::accent(view.theme), theme::weak_text(view.theme));
        let dotted = LineStyle::dotted_dense();
        let lines = [
            line("greatest", |norm| norm.max).color(weak).style(dotted),
            line("mean", |norm| norm.mean).color(accent).width(2.0),
            line("least", |norm| norm.min).color(weak).style(dotted),
        ];
        let shown = framed(ui, view.theme, Plot::new("residual norms"), height - 34.0)
            .legend(egui_plot::Legend::default().position(egui_plot::Corner::LeftTop))
            .x_axis_label("after layer (−1: what enters the first)")
            .y_axis_label(if is_log { "L2 norm, log10" } else { "L2 norm" })
            .show(ui, |plot| {
                for line in lines {
                    plot.line(line);
                }
            });
        ui.visuals_mut().override_text_color = Some(theme::color(view.theme.neutrals().text));
        shown.response.widget_info(|| {
            WidgetInfo::labeled(WidgetType::Image, true, "Residual norms by layer")
        });
        Grid::new("norms")
            .striped(true)
            .spacing([18.0, 1.0])
            .show(ui, |ui| {
                for title in ["layer", "mean", "least", "greatest", "NaN, inf"] {
                    ui.label(RichText::new(title).size(11.0).color(weak));
                }
                ui.end_row();
                for norm in norms {
                    let layer = row_name(norm.hook, Place::Stream);
                    let numbers = [norm.mean, norm.min, norm.max].map(digits);
                    let n_not_finite = norm.n_not_finite.to_string();
                    for text in [layer].into_iter().chain(numbers).chain([n_not_finite]) {
                        ui.label(RichText::new(text).size(11.5).monospace());
                    }
                    ui.end_row();
                }
            });
    }
}
