//! `plot summary`: where the parameters are.

use clap::Args;

use super::output::{OutputArgs, Plot};
use super::table::{Cell, Table};
use crate::analysis::{MatrixRange, SummaryNode, grouped, human_bytes};
use crate::cli::error::CliError;
use crate::cli::options::ModelArgs;
use crate::figure::{Bar, Bars, ColorScale, Figure};

/// Options of `plot summary`.
#[derive(Clone, Debug, Args)]
pub struct SummaryPlotArgs {
    /// Which model.
    #[command(flatten)]
    pub model: ModelArgs,
    /// Where it goes.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl SummaryPlotArgs {
    pub(super) fn plot(&self) -> Result<Plot, CliError> {
        let (config, sizes) = self.model.sizes()?;
        let dtype = self.model.dtype_name(&sizes);
        let tree = SummaryNode::of_model(&config, &|spec| sizes.of(spec, &config));
        let mut table = Table::new(
            "summary",
            self.model.name(),
            &[
                ("part", ""),
                ("tensor", ""),
                ("shape", ""),
                ("parameters", ""),
                ("memory", "bytes"),
            ],
        );
        table.title = format!("Parameters of {} by part", self.model.name());
        table.ask("dtype", dtype);
        table
            .facts
            .insert("parameters", Cell::Count(tree.parameters));
        table
            .facts
            .insert("memory [bytes]", Cell::Count(tree.bytes));
        for part in &tree.children {
            for tensor in &part.children {
                let shape: Vec<String> = tensor.shape.iter().map(ToString::to_string).collect();
                table.rows.push(vec![
                    Cell::text(&part.name),
                    Cell::text(&tensor.name),
                    Cell::text(shape.join("x")),
                    Cell::Count(tensor.parameters),
                    Cell::Count(tensor.bytes),
                ]);
            }
        }
        let share = |parameters: u64| 100.0 * parameters as f32 / tree.parameters.max(1) as f32;
        let bars: Vec<Bar> = tree
            .children
            .iter()
            .map(|part| Bar {
                label: part.name.clone(),
                value: share(part.parameters),
            })
            .collect();
        let greatest = bars.iter().map(|bar| bar.value).fold(0.0, f32::max);
        let range = MatrixRange {
            high: 1.15 * greatest,
            ..MatrixRange::default()
        };
        let bars = Bars {
            bars,
            unit: "share of all parameters, %".to_owned(),
            of: String::new(),
            scale: ColorScale::from_zero(range, "share, %"),
        };
        let figure = Figure {
            title: table.title.clone(),
            subtitles: vec![format!(
                "{} parameters, {} as {}: {} layers of {} heads and {} neurons, {} wide",
                grouped(tree.parameters),
                human_bytes(tree.bytes),
                dtype,
                config.n_layers,
                config.n_heads,
                grouped(config.d_mlp as u64),
                grouped(config.d_model as u64)
            )],
            notes: vec![format!(
                "{} · llmscope {}",
                self.model.name(),
                env!("CARGO_PKG_VERSION")
            )],
            charts: vec![(String::new(), Box::new(bars))],
        };
        Ok(Plot { table, figure })
    }
}
