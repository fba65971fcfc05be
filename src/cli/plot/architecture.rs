//! `plot architecture`: the 3D world from above, every part named with its shape and its count.

#[cfg(feature = "viewer")]
mod parts;

use clap::Args;

use super::output::{Format, OutputArgs, Plot};
use super::table::{Cell, Table};
#[cfg(feature = "viewer")]
use crate::analysis::grouped;
use crate::cli::error::CliError;
use crate::cli::options::RunArgs;
use crate::config::ModelConfig;
use crate::figure::Figure;
use crate::hook::{Axis, HookPoint};
use crate::layout::{GroundRect, ModelLayout};
use crate::weight::WeightPoint;

/// Options of `plot architecture`.
#[derive(Clone, Debug, Args)]
pub struct ArchitectureArgs {
    /// The model and what it reads.
    #[command(flatten)]
    pub run: RunArgs,
    /// Where it goes.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl ArchitectureArgs {
    pub(super) fn plot(&self, format: Format) -> Result<Plot, CliError> {
        let config = self.run.model.config()?;
        let is_picture = matches!(format, Format::Png | Format::Svg);
        let figure = if is_picture {
            self.figure(&config)?
        } else {
            Figure::default()
        };
        Ok(Plot {
            table: self.table(&config),
            figure,
        })
    }

    fn title(&self) -> String {
        format!("Architecture of {}", self.run.model.name())
    }

    /// Every tensor and every weight of the world, for one token's lane.
    fn table(&self, config: &ModelConfig) -> Table {
        let columns = [
            ("name", ""),
            ("title", ""),
            ("layer", ""),
            ("kind", ""),
            ("shape", ""),
            ("parameters", ""),
            ("x", "cells"),
            ("z", "cells"),
            ("width", "cells"),
            ("depth", "cells"),
        ];
        let mut table = Table::new("architecture", self.run.model.name(), &columns);
        table.title = self.title();
        let facts = [
            ("parameters", config.parameter_count()),
            ("layers", config.n_layers as u64),
            ("heads", (config.n_layers * config.n_heads) as u64),
            ("neurons", (config.n_layers * config.d_mlp) as u64),
            ("d_model", config.d_model as u64),
            ("d_vocab", config.d_vocab as u64),
            ("n_ctx", config.n_ctx as u64),
        ];
        table.facts = facts.map(|(name, count)| (name, Cell::Count(count))).into();
        let layout = ModelLayout::new(config, 1);
        for hook in config.hook_points() {
            let rect = layout.hook_rect(hook);
            let words = [hook.to_string(), config.title(hook).to_owned()].map(Cell::Text);
            let rest = [
                layer_cell(hook.layer()),
                Cell::text("value"),
                Cell::text(value_shape(config, hook)),
                Cell::Nothing,
            ];
            let row = words.into_iter().chain(rest).chain(place_cells(rect));
            table.rows.push(row.collect());
        }
        for weight in config.weight_points() {
            let (n_rows, n_columns) = config.weight_slice(weight).shape();
            let rects = layout.fields_of(weight).map(|field| field.rect);
            let rect = rects.reduce(|all, rect| all.union(&rect));
            let is_tied = weight == WeightPoint::Unembed && config.tie_word_embeddings;
            let words = [weight.to_string(), weight.title().to_owned()].map(Cell::Text);
            let rest = [
                layer_cell(weight.layer()),
                Cell::text("weight"),
                Cell::text(if n_rows == 1 {
                    n_columns.to_string()
                } else {
                    format!("{n_rows}x{n_columns}")
                }),
                // A tied unembedding is the embedding's numbers, counted there.
                Cell::count(if is_tied { 0 } else { n_rows * n_columns }),
            ];
            let row = words.into_iter().chain(rest).chain(place_cells(rect));
            table.rows.push(row.collect());
        }
        table
    }

    #[cfg(feature = "viewer")]
    fn subtitle(config: &ModelConfig) -> String {
        format!(
            "{} parameters · {} layers · {} heads · {} neurons · {} wide · {} tokens of vocabulary",
            grouped(config.parameter_count()),
            config.n_layers,
            grouped((config.n_layers * config.n_heads) as u64),
            grouped((config.n_layers * config.d_mlp) as u64),
            grouped(config.d_model as u64),
            grouped(config.d_vocab as u64)
        )
    }

    /// The picture.
    #[cfg(not(feature = "viewer"))]
    fn figure(&self, _config: &ModelConfig) -> Result<Figure, CliError> {
        Err(CliError::NoViewer("plot architecture as a picture"))
    }

    /// The picture.
    #[cfg(feature = "viewer")]
    fn figure(&self, config: &ModelConfig) -> Result<Figure, CliError> {
        use crate::figure::{Callout, Callouts, Pixels};

        let scale = self.output.scale.min(MAX_SCALE);
        let side = |units: f32| (units * scale).round() as u32;
        let (width, height) = (side(PICTURE.0), side(PICTURE.1));
        let (picture, parts) = self.render(config, width, height)?;
        let callouts = parts
            .into_iter()
            .map(|(part, places)| Callout {
                places,
                title: part.title,
                details: part.details,
            })
            .collect();
        let callouts = Callouts {
            picture: Pixels {
                width: picture.width,
                height: picture.height,
                rgba: picture.rgba,
            },
            callouts,
        };
        let colors = if self.run.model.arch.is_some() {
            "the shape alone: no weights, so no values"
        } else {
            "colours are of values: from afar the root mean square of each vector, and each head's \
             attention weights"
        };
        Ok(Figure {
            title: self.title(),
            subtitles: vec![Self::subtitle(config), colors.to_owned()],
            notes: vec![format!(
                "{} · llmscope {}",
                self.run.model.name(),
                env!("CARGO_PKG_VERSION")
            )],
            charts: vec![(String::new(), Box::new(callouts))],
        })
    }

    /// The world from above, and where on the picture each part's left and right
    /// edges are: shares from its top left.
    #[cfg(feature = "viewer")]
    fn render(
        &self,
        config: &ModelConfig,
        width: u32,
        height: u32,
    ) -> Result<
        (
            crate::viewer::capture::Picture,
            Vec<(parts::Part, [(f32, f32); 2])>,
        ),
        CliError,
    > {
        use crate::cli::stage;
        use crate::engine::EngineHandle;
        use crate::viewer::app::{Subject, ViewerOptions};
        use crate::viewer::capture::Offscreen;
        use crate::viewer::viewpoint::Viewpoint;

        let options = ViewerOptions {
            theme: self.output.theme(),
            has_panels: false,
            has_labels: false,
            has_legend: false,
            ..ViewerOptions::default()
        };
        let (subject, updates) = if self.run.model.arch.is_some() {
            (stage::live_subject(&self.run)?, Vec::new())
        } else {
            let (engine, prompt) = stage::start_engine_without(&self.run, &[])?;
            let updates = stage::run_text(&engine, 0, &|| false)?;
            // The picture needs what was computed, not who computed it.
            let engine =
                EngineHandle::start().map_err(|error| CliError::Failed(error.to_string()))?;
            (Subject::Model { engine, prompt }, updates)
        };
        let mut offscreen = Offscreen::new(subject, &options, width, height)?;
        for update in updates {
            offscreen.feed(update);
        }
        offscreen.draw();
        let aspect = width as f32 / height as f32;
        let mut placed = Vec::new();
        offscreen.look_from(|layout, screen| {
            let pose = Viewpoint::Overview.pose(layout, screen);
            for part in parts::parts(config, layout) {
                let middle = part.rect.center();
                let half = 0.5 * part.rect.size.x;
                let seen = [-half, half].map(|aside| {
                    let mut edge = middle;
                    edge.x += aside;
                    let place = pose.project(edge, aspect)?;
                    let is_seen = place.abs().max_element() < 1.0;
                    is_seen.then_some((0.5 + 0.5 * place.x, 0.5 - 0.5 * place.y))
                });
                if let [Some(left), Some(right)] = seen {
                    placed.push((part, [left, right]));
                }
            }
            pose
        });
        Ok((offscreen.picture()?, placed))
    }
}

/// The picture's size within the figure, in units.
#[cfg(feature = "viewer")]
const PICTURE: (f32, f32) = (820.0, 560.0);
/// Pixels a unit of the picture, at most.
#[cfg(feature = "viewer")]
const MAX_SCALE: f32 = 4.0;

fn layer_cell(layer: Option<usize>) -> Cell {
    layer.map_or(Cell::Nothing, Cell::count)
}

fn place_cells(rect: Option<GroundRect>) -> [Cell; 4] {
    match rect {
        None => [Cell::Nothing, Cell::Nothing, Cell::Nothing, Cell::Nothing],
        Some(rect) => {
            [rect.near_left.x, rect.near_left.y, rect.size.x, rect.size.y].map(Cell::Number)
        }
    }
}

/// The shape with the text's length by name, such as `pos x 12 x 64`.
fn value_shape(config: &ModelConfig, hook: HookPoint) -> String {
    let sides = config.shape(hook, 1);
    let sides = hook
        .axes()
        .iter()
        .zip(sides)
        .map(|(axis, side)| match axis {
            Axis::Pos | Axis::QueryPos | Axis::KeyPos => axis.name().to_owned(),
            _ => side.to_string(),
        });
    sides.collect::<Vec<_>>().join("x")
}
