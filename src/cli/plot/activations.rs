//! `plot activations`: what the vectors of each token come down to, layer by layer.

use clap::{Args, ValueEnum};

use super::output::{OutputArgs, Plot};
use super::table::Cell;
use super::text::TextArgs;
use crate::analysis::{Matrix, Measure, activation_map, has_vectors, norm_ranges, stream_hooks};
use crate::cli::error::CliError;
use crate::cli::globs::glob_matches;
use crate::config::ModelConfig;
use crate::figure::{Axis, ColorScale, Figure, Heatmap, Line, Lines};
use crate::hook::HookPoint;

/// Options of `plot activations`.
#[derive(Clone, Debug, Args)]
pub struct ActivationsArgs {
    /// The model and its text.
    #[command(flatten)]
    pub text: TextArgs,
    /// The hook points, one row each: a name such as `blocks.1.mlp.hook_post`, a place of every
    /// layer such as `mlp.hook_post`, or with `*` for any characters; the residual stream without
    /// it
    #[arg(long, value_name = "GLOB,...", value_delimiter = ',')]
    pub hook: Vec<String>,
    /// What a vector comes down to
    #[arg(long, value_name = "MEASURE", default_value = "norm")]
    pub measure: MeasureArg,
    /// One dimension or neuron of each vector in place of a measure
    #[arg(long, value_name = "N", conflicts_with = "measure")]
    pub index: Option<usize>,
    /// Where it goes.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What a vector comes down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MeasureArg {
    /// Its length
    Norm,
    /// Its mean
    Mean,
    /// Its greatest number
    Max,
    /// Its greatest magnitude
    MaxAbs,
}

impl ActivationsArgs {
    fn measure(&self) -> Measure {
        match (self.index, self.measure) {
            (Some(index), _) => Measure::Index(index),
            (None, MeasureArg::Norm) => Measure::Norm,
            (None, MeasureArg::Mean) => Measure::Mean,
            (None, MeasureArg::Max) => Measure::Max,
            (None, MeasureArg::MaxAbs) => Measure::MaxAbs,
        }
    }

    pub(super) fn plot(&self) -> Result<Plot, CliError> {
        let config = self.text.config("activations")?;
        let hooks = chosen_hooks(&config, &self.hook)?;
        let measure = self.measure();
        if let Measure::Index(index) = measure {
            require_index(&config, &hooks, index)?;
        }
        let reading = self.text.read(&|hook| hooks.contains(&hook))?;
        let map = activation_map(&reading.trace.positions(), &hooks, measure);
        let mut table = reading.table(
            "activations",
            &[
                ("hook", ""),
                ("layer", ""),
                ("pos", ""),
                ("token", ""),
                ("text", ""),
                ("value", unit(measure)),
            ],
        );
        table.title = title(&hooks, measure);
        table.ask("measure", measure.title());
        if let Measure::Index(index) = measure {
            table.ask("index", index);
        }
        table.ask(
            "hooks",
            hooks.iter().map(HookPoint::to_string).collect::<Vec<_>>(),
        );
        for (row, hook) in hooks.iter().enumerate() {
            for (pos, value) in map.row(row).iter().enumerate() {
                let token = reading.tokens[pos];
                table.rows.push(vec![
                    Cell::text(hook.to_string()),
                    hook.layer().map_or(Cell::Nothing, Cell::count),
                    Cell::count(pos),
                    Cell::count(token as usize),
                    Cell::text(reading.vocab().text(token)),
                    Cell::Number(*value),
                ]);
            }
        }
        let columns = reading.token_axis("token");
        let figure = Figure {
            title: table.title.clone(),
            subtitles: vec![subtitle(&hooks)],
            notes: reading.notes(),
            charts: charts(&hooks, &map, columns, measure),
        };
        Ok(Plot { table, figure })
    }
}

fn charts(
    hooks: &[HookPoint],
    map: &Matrix,
    columns: Axis,
    measure: Measure,
) -> Vec<(String, Box<dyn crate::figure::Chart>)> {
    let range = map.range();
    let scale_title = scale_title(measure);
    let scale = if measure.is_non_negative() || range.low >= 0.0 {
        ColorScale::from_zero(range, scale_title.clone())
    } else {
        ColorScale::diverging(range, scale_title.clone())
    };
    let rows = hook_axis(hooks);
    let mut charts: Vec<(String, Box<dyn crate::figure::Chart>)> = vec![(
        String::new(),
        Box::new(Heatmap {
            matrix: map.clone(),
            rows: rows.clone(),
            columns,
            scale,
            texts: Vec::new(),
            cell: None,
        }),
    )];
    if hooks.len() >= 3 && map.n_columns() > 1 {
        let ranges = norm_ranges(hooks, map);
        let line = |label: &str, of: fn(&crate::analysis::NormRange) -> f32| Line {
            label: label.to_owned(),
            values: ranges.iter().map(of).collect(),
        };
        charts.push((
            "Over all tokens".to_owned(),
            Box::new(Lines {
                lines: vec![
                    line("greatest", |range| range.max),
                    line("mean", |range| range.mean),
                    line("least", |range| range.min),
                ],
                axis: rows,
                unit: scale_title,
                is_from_zero: range.low >= 0.0,
            }),
        ));
    }
    charts
}

fn unit(measure: Measure) -> &'static str {
    match measure {
        Measure::Norm => "L2 norm",
        Measure::Mean => "mean",
        Measure::Max => "max",
        Measure::MaxAbs => "max |x|",
        Measure::Index(_) => "activation",
    }
}

fn scale_title(measure: Measure) -> String {
    match measure {
        Measure::Index(index) => format!("value at {index}"),
        other => other.title().to_owned(),
    }
}

fn is_stream(hooks: &[HookPoint]) -> bool {
    hooks
        .iter()
        .all(|hook| hook.site().is_some_and(|site| site.is_stream()))
}

fn title(hooks: &[HookPoint], measure: Measure) -> String {
    let of = match hooks {
        [one] => one.to_string(),
        _ if is_stream(hooks) => "the residual stream".to_owned(),
        [first, ..] if same_site(hooks) => first.title().to_owned(),
        _ => "chosen hook points".to_owned(),
    };
    match measure {
        Measure::Norm => format!("Length of {of} by layer and token (L2 norm)"),
        Measure::Mean => format!("Mean of {of} by layer and token"),
        Measure::Max => format!("Greatest value of {of} by layer and token"),
        Measure::MaxAbs => format!("Greatest magnitude of {of} by layer and token"),
        Measure::Index(index) => format!("Value {index} of {of} by layer and token"),
    }
}

fn same_site(hooks: &[HookPoint]) -> bool {
    let mut sites = hooks.iter().map(|hook| hook.site());
    let first = sites.next().flatten();
    first.is_some() && sites.all(|site| site == first)
}

fn subtitle(hooks: &[HookPoint]) -> String {
    match hooks {
        [] => String::new(),
        [one] => one.to_string(),
        [first, .., last] => format!("{first} to {last}, {} hook points", hooks.len()),
    }
}

/// Layers where all rows are one place of a layer; else the hook points' names.
fn hook_axis(hooks: &[HookPoint]) -> Axis {
    let stream_end = |hook: &HookPoint| match (hook.layer(), hook.site()) {
        (Some(0), Some(crate::hook::BlockSite::ResidPre)) => "in".to_owned(),
        (Some(layer), _) => layer.to_string(),
        (None, _) => hook.to_string(),
    };
    let is_default = hooks.len() > 1 && same_site(&hooks[1..]) && is_stream(hooks);
    if same_site(hooks) || is_default {
        let labels = hooks.iter().map(stream_end).collect();
        return Axis::new(if is_default { "after layer" } else { "layer" }, labels);
    }
    Axis::new(
        "hook point",
        hooks.iter().map(HookPoint::to_string).collect(),
    )
}

/// The hook points that `globs` name, in the order a pass reaches them.
fn chosen_hooks(config: &ModelConfig, globs: &[String]) -> Result<Vec<HookPoint>, CliError> {
    if globs.is_empty() {
        return Ok(stream_hooks(config));
    }
    let all: Vec<HookPoint> = config.hook_points();
    let mut chosen = vec![false; all.len()];
    for glob in globs {
        let mut matching = 0;
        for (hook, is_chosen) in all.iter().zip(&mut chosen) {
            let name = hook.to_string();
            let site = hook.site().map(|site| site.name());
            if glob_matches(glob, &name) || site.is_some_and(|site| glob_matches(glob, site)) {
                matching += 1;
                *is_chosen |= has_vectors(*hook);
                if !has_vectors(*hook) && !glob.contains('*') {
                    return Err(CliError::Usage(format!(
                        "--hook {glob:?} has a row for each head instead of a vector for each \
                         token; plot attention shows it"
                    )));
                }
            }
        }
        if matching == 0 {
            return Err(CliError::Usage(format!(
                "--hook {glob:?} is no hook point of this model; names look like hook_embed, \
                 blocks.0.hook_resid_post or mlp.hook_post, and * stands for any characters"
            )));
        }
    }
    let chosen: Vec<HookPoint> = all
        .into_iter()
        .zip(chosen)
        .filter_map(|(hook, is_chosen)| is_chosen.then_some(hook))
        .collect();
    if chosen.is_empty() {
        return Err(CliError::Usage(
            "--hook names attention only, which has no vector for each token; plot attention \
             shows it"
                .to_owned(),
        ));
    }
    Ok(chosen)
}

fn require_index(config: &ModelConfig, hooks: &[HookPoint], index: usize) -> Result<(), CliError> {
    match hooks.iter().find(|hook| index >= config.width(**hook)) {
        None => Ok(()),
        Some(hook) => Err(CliError::Usage(format!(
            "--index is {index}, but the vectors of {hook} have {} numbers, counted from 0",
            config.width(*hook)
        ))),
    }
}
