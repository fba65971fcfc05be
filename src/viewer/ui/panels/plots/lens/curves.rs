//! How sure each layer is, and how far its prediction is from the pass's own.

use egui::{Ui, WidgetInfo, WidgetType};
use egui_plot::{Legend, Line, Plot, PlotPoints, VLine};

use super::Place;
use crate::analysis::{LensReading, Matrix, MatrixRange};
use crate::viewer::ui::panels::plots::PlotView;
use crate::viewer::ui::panels::plots::heatmap::{Heatmap, HeatmapView, Labels, Scale};
use crate::viewer::ui::panels::plots::parts::{Cached, note, token_name, token_text};
use crate::viewer::ui::theme;

/// Which of the two the map shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Shown {
    #[default]
    Divergence,
    Entropy,
}

impl Shown {
    const ALL: [(Self, &'static str, &'static str); 2] = [
        (
            Self::Divergence,
            "KL to the final prediction",
            "Kullback-Leibler divergence of the layer's prediction from the pass's own",
        ),
        (
            Self::Entropy,
            "entropy",
            "0 where one token is certain, ln of the vocabulary where all are alike",
        ),
    ];

    fn of(self, reading: &LensReading) -> f32 {
        match self {
            Self::Divergence => reading.kl,
            Self::Entropy => reading.entropy,
        }
    }
}

/// Entropy and divergence by layer: lines for one position, a map for all.
#[derive(Default)]
pub struct Curves {
    shown: Shown,
    map: Cached<(u64, usize, Shown), (Matrix, MatrixRange)>,
    heatmap: Heatmap,
}

impl Curves {
    /// Draws both; the place that was chosen in the map.
    pub fn ui(&mut self, ui: &mut Ui, view: &PlotView<'_>, n_layers: usize) -> Option<Place> {
        let lane = view.lane()?;
        self.lines(ui, view, n_layers, lane);
        ui.add_space(4.0);
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 3.0;
            for (shown, title, hint) in Shown::ALL {
                ui.selectable_value(&mut self.shown, shown, title)
                    .on_hover_text(hint);
            }
            note(ui, view.theme, "at every position, nats");
        });
        self.map(ui, view, n_layers)
    }

    fn lines(&self, ui: &mut Ui, view: &PlotView<'_>, n_layers: usize, lane: usize) {
        let at = token_name(view, lane);
        note(
            ui,
            view.theme,
            format!("Entropy, and KL to the final prediction, after {at}, nats"),
        );
        let readings: Vec<(usize, &LensReading)> = (0..n_layers)
            .filter_map(|layer| Some((layer, (view.lens_reading)(layer, lane)?)))
            .collect();
        let line = |name: &str, shown: Shown| {
            let points: PlotPoints<'_> = readings
                .iter()
                .map(|(layer, reading)| (*layer, shown.of(reading)))
                .filter(|(_, value)| value.is_finite())
                .map(|(layer, value)| [layer as f64, f64::from(value)])
                .collect();
            Line::new(name, points).width(2.0)
        };
        let entropy = line("entropy", Shown::Entropy).color(theme::accent(view.theme));
        let divergence = line("KL to the final", Shown::Divergence)
            .color(theme::color(view.theme.neutrals().text));
        let reached = VLine::new("the last layer", n_layers.saturating_sub(1) as f64)
            .color(theme::weak_text(view.theme));
        let plot = Plot::new("entropy by layer")
            .height(128.0)
            .allow_scroll(false)
            .allow_zoom(false)
            .allow_drag(false)
            .allow_boxed_zoom(false)
            .show_background(false)
            .include_x(0.0)
            .include_x(n_layers.saturating_sub(1) as f64)
            .include_y(0.0)
            .x_axis_label("layer")
            .y_axis_label("nats")
            .legend(Legend::default())
            .label_formatter(|name, at| format!("{name}\nlayer {:.0}: {:.4} nats", at.x, at.y))
            .show(ui, |plot| {
                plot.vline(reached);
                plot.line(entropy);
                plot.line(divergence);
            });
        plot.response.widget_info(|| {
            let numbers: Vec<String> = readings
                .iter()
                .map(|(layer, r)| format!("layer {layer}: {} and {}", r.entropy, r.kl))
                .collect();
            let text = format!("Entropy and KL by layer, nats; {}", numbers.join(", "));
            WidgetInfo::labeled(WidgetType::Image, true, text)
        });
    }

    fn map(&mut self, ui: &mut Ui, view: &PlotView<'_>, n_layers: usize) -> Option<Place> {
        let n_pos = view.positions.len();
        let is_read = |layer: usize, pos: usize| (view.lens_reading)(layer, pos).is_some();
        // What is read only grows while the text stays the same.
        let n_read = (0..n_layers)
            .map(|layer| (0..n_pos).filter(|pos| is_read(layer, *pos)).count())
            .sum();
        let shown = self.shown;
        self.map.get((view.version, n_read, shown), |_| {
            let mut matrix = Matrix::new(n_pos);
            for row in 0..n_layers {
                // The last layer on top, as in the grid above.
                let layer = n_layers - 1 - row;
                let values = (0..n_pos).map_while(|pos| (view.lens_reading)(layer, pos));
                let values: Vec<f32> = values.map(|reading| shown.of(reading)).collect();
                matrix.push_row(&values);
            }
            let range = matrix.range();
            (matrix, range)
        });
        let generation = self.map.generation();
        let (matrix, range) = self.map.last()?;
        let layer_of = |row: usize| n_layers - 1 - row.min(n_layers - 1);
        let output = self.heatmap.ui(
            ui,
            &HeatmapView {
                name: "Lens by layer and position",
                matrix,
                version: generation,
                scale: Scale::of(*range),
                value: match shown {
                    Shown::Divergence => "KL to the final prediction, nats",
                    Shown::Entropy => "entropy, nats",
                },
                rows: Labels {
                    title: "layer",
                    text: &|row| layer_of(row).to_string(),
                    is_numbered: false,
                },
                columns: Labels::tokens(&|pos| token_text(view, pos)),
                current_row: None,
                current_column: view.lane(),
                marked: None,
                tip: &|_, _| "Click shows it in the world".to_owned(),
                is_square: false,
                height: 220.0,
                theme: view.theme,
            },
        );
        output.clicked.map(|(row, pos)| Place {
            layer: layer_of(row),
            pos,
        })
    }
}
