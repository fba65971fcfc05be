//! The tables and figures of saliency.

use super::{Method, SaliencyArgs};
use crate::analysis::{
    Matrix, MatrixRange, SaliencyMeasure, grouped, head_saliency, neuron_saliency, saliency_hooks,
    saliency_map,
};
use crate::attribution::{Gradients, IntegratedGradients, Target};
use crate::cli::plot::output::Plot;
use crate::cli::plot::table::{Cell, Table};
use crate::cli::plot::target::{note_target, target_words};
use crate::cli::plot::text::Reading;
use crate::figure::{Axis, Bar, Bars, Chart, ColorScale, Figure, Heatmap, Piece, Ribbon, short};
use crate::hook::HookPoint;

impl SaliencyArgs {
    fn measure(&self) -> SaliencyMeasure {
        match self.method {
            Method::GradNorm => SaliencyMeasure::GradientNorm,
            _ => SaliencyMeasure::GradientTimesInput,
        }
    }

    fn method_words(&self) -> &'static str {
        match self.method {
            Method::GradNorm => "Gradient norm",
            Method::GradXInput => "Gradient × input",
            Method::Integrated => "Integrated gradients",
        }
    }

    fn unit(&self) -> &'static str {
        match self.method {
            Method::GradNorm => "logit per unit",
            _ => "logit",
        }
    }

    fn table(
        &self,
        reading: &Reading,
        target: Target,
        value: f32,
        columns: &[(&'static str, &'static str)],
    ) -> Table {
        let mut table = reading.table("saliency", columns);
        table.ask("method", self.method_words());
        note_target(&mut table, reading, target, value);
        table
    }

    fn scale(&self, range: MatrixRange) -> ColorScale {
        match self.method {
            Method::GradNorm => ColorScale::from_zero(range, self.unit()),
            _ => ColorScale::diverging(range, self.unit()),
        }
    }

    pub(super) fn plot_integrated(&self, reading: &Reading, answer: &IntegratedGradients) -> Plot {
        let mut plot = self.plot_by_token(reading, answer.target, answer.value, &answer.by_pos);
        let error = answer.completeness_error();
        plot.table.ask("steps", self.steps);
        plot.table.ask("baseline", self.baseline.clone());
        let facts = [
            ("baseline [logit]", answer.baseline_value),
            ("completeness error [logit]", error),
        ];
        let facts = facts.map(|(name, value)| (name, Cell::Number(value)));
        plot.table.facts.extend(facts);
        let difference = answer.value - answer.baseline_value;
        plot.figure.subtitles.push(format!(
            "from {} for the baseline ({}) to {}: {} in {} steps, completeness error {}",
            short(answer.baseline_value),
            self.baseline,
            short(answer.value),
            short(difference),
            self.steps,
            short(error)
        ));
        plot
    }

    pub(super) fn plot_tokens(&self, reading: &Reading, gradients: &Gradients) -> Plot {
        let values = self.measure().by_pos(gradients, HookPoint::Embed);
        let values = values.unwrap_or_default();
        self.plot_by_token(reading, gradients.target, gradients.value, &values)
    }

    pub(super) fn plot_by_token(
        &self,
        reading: &Reading,
        target: Target,
        value: f32,
        values: &[f32],
    ) -> Plot {
        let columns = [
            ("pos", ""),
            ("token", ""),
            ("text", ""),
            ("saliency", self.unit()),
        ];
        let mut table = self.table(reading, target, value, &columns);
        table.title = format!("{} of each token ({})", self.method_words(), self.unit());
        let mut matrix = Matrix::new(values.len());
        matrix.push_row(values);
        let scale = self.scale(matrix.range());
        let mut pieces = Vec::new();
        for (pos, token) in reading.tokens.iter().enumerate() {
            let value = values.get(pos).copied();
            table.rows.push(vec![
                Cell::count(pos),
                Cell::count(*token as usize),
                Cell::text(reading.vocab().text(*token)),
                Cell::from(value),
            ]);
            pieces.push(Piece {
                label: reading.label(*token),
                value,
                is_marked: pos == target.pos,
            });
        }
        let bars = pieces.iter().enumerate().filter_map(|(pos, piece)| {
            Some(Bar {
                label: format!("{} {pos}", piece.label),
                value: piece.value?,
            })
        });
        let bars = Bars {
            bars: bars.collect(),
            unit: format!("{}, {}", self.method_words().to_lowercase(), self.unit()),
            of: "token".to_owned(),
            scale: scale.clone(),
        };
        let mut charts: Vec<(String, Box<dyn Chart>)> =
            vec![(String::new(), Box::new(Ribbon { pieces, scale }))];
        if bars.bars.len() <= MAX_BARS {
            charts.push((String::new(), Box::new(bars)));
        }
        let figure = self.figure(reading, &table, target, value, charts);
        Plot { table, figure }
    }

    fn figure(
        &self,
        reading: &Reading,
        table: &Table,
        target: Target,
        value: f32,
        charts: Vec<(String, Box<dyn Chart>)>,
    ) -> Figure {
        Figure {
            title: table.title.clone(),
            subtitles: vec![format!(
                "{}: {}",
                target_words(reading, target),
                short(value)
            )],
            notes: reading.notes(),
            charts,
        }
    }

    pub(super) fn plot_layers(&self, reading: &Reading, gradients: &Gradients) -> Plot {
        let matrix = saliency_map(gradients, reading.config(), self.measure());
        let columns = [
            ("hook", ""),
            ("pos", ""),
            ("token", ""),
            ("text", ""),
            ("saliency", self.unit()),
        ];
        let mut table = self.table(reading, gradients.target, gradients.value, &columns);
        table.title = format!(
            "{} by layer and token ({})",
            self.method_words(),
            self.unit()
        );
        let hooks = saliency_hooks(reading.config());
        let names = stream_names(matrix.n_rows());
        for (row, hook) in hooks.iter().enumerate().take(matrix.n_rows()) {
            for (pos, value) in matrix.row(row).iter().enumerate() {
                let token = reading.tokens[pos];
                table.rows.push(vec![
                    Cell::text(hook.to_string()),
                    Cell::count(pos),
                    Cell::count(token as usize),
                    Cell::text(reading.vocab().text(token)),
                    Cell::Number(*value),
                ]);
            }
        }
        let mut axis = reading.token_axis("token");
        axis.labels.truncate(matrix.n_columns());
        let heatmap = Heatmap {
            scale: self.scale(matrix.range()),
            matrix,
            rows: Axis::new("residual stream", names),
            columns: axis,
            texts: Vec::new(),
            cell: None,
        };
        let charts: Vec<(String, Box<dyn Chart>)> = vec![(String::new(), Box::new(heatmap))];
        let figure = self.figure(reading, &table, gradients.target, gradients.value, charts);
        Plot { table, figure }
    }

    pub(super) fn plot_heads(&self, reading: &Reading, gradients: &Gradients) -> Plot {
        let matrix = head_saliency(gradients, reading.config());
        let columns = [("layer", ""), ("head", ""), ("saliency", self.unit())];
        let mut table = self.table(reading, gradients.target, gradients.value, &columns);
        table.title = "Gradient × output of each head (logit)".to_owned();
        for layer in 0..matrix.n_rows() {
            for (head, value) in matrix.row(layer).iter().enumerate() {
                let row = [Cell::count(layer), Cell::count(head), Cell::Number(*value)];
                table.rows.push(row.to_vec());
            }
        }
        let heatmap = Heatmap {
            scale: self.scale(matrix.range()),
            rows: Axis::counted("layer", matrix.n_rows()),
            columns: Axis::counted("head", matrix.n_columns()),
            matrix,
            texts: Vec::new(),
            cell: None,
        };
        let charts: Vec<(String, Box<dyn Chart>)> = vec![(String::new(), Box::new(heatmap))];
        let figure = self.figure(reading, &table, gradients.target, gradients.value, charts);
        Plot { table, figure }
    }

    pub(super) fn plot_neurons(&self, reading: &Reading, gradients: &Gradients) -> Plot {
        let columns = [("layer", ""), ("neuron", ""), ("saliency", self.unit())];
        let mut table = self.table(reading, gradients.target, gradients.value, &columns);
        let of = match self.layer {
            Some(layer) => format!(" of layer {layer}"),
            None => String::new(),
        };
        table.title = format!("Gradient × activation of the neurons{of} (logit)");
        let layers = match self.layer {
            Some(layer) => layer..layer + 1,
            None => 0..reading.config().n_layers,
        };
        let mut all = Vec::new();
        for layer in layers {
            for (neuron, value) in neuron_saliency(gradients, layer).into_iter().enumerate() {
                let row = [Cell::count(layer), Cell::count(neuron), Cell::Number(value)];
                table.rows.push(row.to_vec());
                all.push((layer, neuron, value));
            }
        }
        // NaN first: it is what must be seen.
        let key = |value: f32| {
            if value.is_nan() {
                f32::INFINITY
            } else {
                value.abs()
            }
        };
        all.sort_by(|a, b| key(b.2).total_cmp(&key(a.2)));
        let n_all = all.len();
        all.truncate(self.top.clamp(1, MAX_BARS));
        let bars: Vec<Bar> = all
            .into_iter()
            .map(|(layer, neuron, value)| Bar {
                label: format!("layer {layer} neuron {neuron}"),
                value,
            })
            .collect();
        let mut matrix = Matrix::new(bars.len());
        let values: Vec<f32> = bars.iter().map(|bar| bar.value).collect();
        matrix.push_row(&values);
        let heading = format!(
            "the {} greatest of {} by magnitude",
            bars.len(),
            grouped(n_all as u64)
        );
        let bars = Bars {
            bars,
            unit: "gradient × activation, summed over the text, logit".to_owned(),
            of: String::new(),
            scale: self.scale(matrix.range()),
        };
        let charts: Vec<(String, Box<dyn Chart>)> = vec![(heading, Box::new(bars))];
        let figure = self.figure(reading, &table, gradients.target, gradients.value, charts);
        Plot { table, figure }
    }
}

/// More bars than this are read by nobody.
const MAX_BARS: usize = 60;

/// The rows of a saliency map: the embedding, what enters each layer, what leaves the last.
fn stream_names(n_rows: usize) -> Vec<String> {
    (0..n_rows)
        .map(|row| match row {
            0 => "embedding".to_owned(),
            _ if row + 1 == n_rows => "out".to_owned(),
            _ => format!("into {}", row - 1),
        })
        .collect()
}
