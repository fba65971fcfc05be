//! `plot logit-lens`: what the model would say if it ended after each layer.

use clap::{Args, ValueEnum};

use super::output::{OutputArgs, Plot};
use super::patience::Patience;
use super::table::Cell;
use super::text::{Reading, TextArgs};
use crate::analysis::{LensReading, Matrix, stream_hooks};
use crate::attribution::TargetWish;
use crate::cli::error::CliError;
use crate::figure::{Axis, ColorScale, Figure, Heatmap, Line, Lines, short};
use crate::hook::HookPoint;

/// Options of `plot logit-lens`.
#[derive(Clone, Debug, Args)]
pub struct LensArgs {
    /// The model and its text.
    #[command(flatten)]
    pub text: TextArgs,
    /// How many of the most probable tokens JSON and CSV list at each place
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub top: u32,
    /// What the colours are
    #[arg(long, value_name = "VALUE", default_value = "probability")]
    pub value: LensValue,
    /// The position whose entropy and divergence are drawn by layer, from 0; the text's last without
    /// it
    #[arg(long, value_name = "N")]
    pub position: Option<usize>,
    /// Where it goes.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// A number of a prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LensValue {
    /// The best token's probability
    Probability,
    /// How undecided it is, in nats
    Entropy,
    /// How far from the final prediction: KL divergence, in nats
    Kl,
}

impl LensValue {
    fn of(self, reading: &LensReading) -> f32 {
        match self {
            Self::Probability => reading
                .top
                .first()
                .map_or(f32::NAN, |best| best.probability),
            Self::Entropy => reading.entropy,
            Self::Kl => reading.kl,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Probability => "its probability",
            Self::Entropy => "entropy in nats",
            Self::Kl => "KL divergence to the final prediction in nats",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Probability => "probability",
            Self::Entropy => "entropy, nats",
            Self::Kl => "KL, nats",
        }
    }
}

/// The readings of the stream at every place of `hooks`, `[hook][pos]`.
struct Readings {
    hooks: Vec<HookPoint>,
    all: Vec<Vec<LensReading>>,
}

impl LensArgs {
    pub(super) fn plot(&self) -> Result<Plot, CliError> {
        let config = self.text.config("logit-lens")?;
        let hooks = stream_hooks(&config);
        let reading = self
            .text
            .read(&|hook| hook == HookPoint::Logits || hooks.contains(&hook))?;
        let wish = TargetWish {
            pos: self.position,
            ..TargetWish::default()
        };
        let pos = wish
            .position(reading.tokens.len())
            .map_err(|error| CliError::Usage(error.to_string()))?;
        let readings = read(&reading, hooks, self.top as usize)?;
        Ok(self.draw(&reading, &readings, pos))
    }

    fn draw(&self, reading: &Reading, readings: &Readings, pos: usize) -> Plot {
        let columns = [
            ("hook", ""),
            ("pos", ""),
            ("rank", ""),
            ("token", ""),
            ("text", ""),
            ("probability", "1"),
            ("entropy", "nats"),
            ("kl", "nats"),
        ];
        let mut table = reading.table("logit-lens", &columns);
        table.title = format!(
            "Logit lens: the best token after each layer (colour: {})",
            self.value.words()
        );
        table.ask("top", self.top);
        let n = reading.tokens.len();
        let mut matrix = Matrix::new(n);
        let mut texts = Vec::new();
        for (hook, row) in readings.hooks.iter().zip(&readings.all) {
            let values: Vec<f32> = row.iter().map(|reading| self.value.of(reading)).collect();
            matrix.push_row(&values);
            let best = row.iter().map(|read| match read.top.first() {
                Some(best) => reading.label(best.token),
                None => "NaN".to_owned(),
            });
            texts.push(best.collect());
            for (pos, read) in row.iter().enumerate() {
                table.rows.extend(lens_rows(reading, *hook, pos, read));
            }
        }
        let range = matrix.range();
        let scale = match self.value {
            LensValue::Probability => {
                ColorScale::between(0.0, 1.0, range.n_not_finite, self.value.title())
            }
            _ => ColorScale::from_zero(range, self.value.title()),
        };
        let rows = Axis::new("after layer", layer_names(&readings.hooks));
        let width = (860.0 / n.max(1) as f32).clamp(6.0, 74.0).floor();
        let heatmap = Heatmap {
            matrix,
            rows: rows.clone(),
            columns: reading
                .token_axis("the text: each column predicts what comes after its token"),
            scale,
            texts,
            cell: Some((width, 25.0)),
        };
        let at = |of: fn(&LensReading) -> f32| -> Vec<f32> {
            readings.all.iter().map(|row| of(&row[pos])).collect()
        };
        let lines = Lines {
            lines: vec![
                Line {
                    label: "KL to the final".to_owned(),
                    values: at(|reading| reading.kl),
                },
                Line {
                    label: "entropy".to_owned(),
                    values: at(|reading| reading.entropy),
                },
            ],
            axis: rows,
            unit: "nats".to_owned(),
            is_from_zero: true,
        };
        let after = reading.quoted(reading.tokens[pos]);
        let last = readings.all.last().and_then(|row| row[pos].top.first());
        let said = last.map_or("no prediction: logits are not numbers".to_owned(), |best| {
            format!(
                "after {after} the model says {} with probability {}",
                reading.quoted(best.token),
                short(best.probability)
            )
        });
        let figure = Figure {
            title: table.title.clone(),
            subtitles: vec![said],
            notes: reading.notes(),
            charts: vec![
                (String::new(), Box::new(heatmap)),
                (
                    format!(
                        "How undecided, and how far from the final prediction, after {after} (position {pos})"
                    ),
                    Box::new(lines),
                ),
            ],
        };
        Plot { table, figure }
    }
}

fn lens_rows(reading: &Reading, hook: HookPoint, pos: usize, read: &LensReading) -> Vec<Vec<Cell>> {
    let rows = read.top.iter().enumerate().map(|(rank, best)| {
        vec![
            Cell::text(hook.to_string()),
            Cell::count(pos),
            Cell::count(rank),
            Cell::count(best.token as usize),
            Cell::text(reading.vocab().text(best.token)),
            Cell::Number(best.probability),
            Cell::Number(read.entropy),
            Cell::Number(read.kl),
        ]
    });
    let rows: Vec<Vec<Cell>> = rows.collect();
    if !rows.is_empty() {
        return rows;
    }
    // Nothing is predicted where logits are not numbers: that is said, too.
    let nan = || Cell::Number(f32::NAN);
    vec![vec![
        Cell::text(hook.to_string()),
        Cell::count(pos),
        Cell::Nothing,
        Cell::Nothing,
        Cell::Nothing,
        nan(),
        Cell::Number(read.entropy),
        Cell::Number(read.kl),
    ]]
}

fn layer_names(hooks: &[HookPoint]) -> Vec<String> {
    let names = hooks
        .iter()
        .enumerate()
        .map(|(index, hook)| match hook.layer() {
            Some(layer) if index > 0 => layer.to_string(),
            _ => "in".to_owned(),
        });
    names.collect()
}

/// Reads the stream as the last layer's is read, position by position.
fn read(reading: &Reading, hooks: Vec<HookPoint>, n_top: usize) -> Result<Readings, CliError> {
    let positions = reading.trace.positions();
    let n_all = hooks.len() * positions.len();
    let mut bar = Patience::new("reading");
    let mut all = Vec::new();
    for hook in &hooks {
        let mut row = Vec::with_capacity(positions.len());
        for token in &positions {
            let not_recorded =
                || CliError::Failed(format!("{hook} was not recorded at position {}", token.pos));
            let last = token.row(HookPoint::Logits).ok_or_else(not_recorded)?;
            let resid = token.row(*hook).ok_or_else(not_recorded)?;
            let logits = reading.model.unembed(resid)?;
            row.push(LensReading::of(&logits, last, n_top));
            bar.show(all.len() * positions.len() + row.len(), n_all);
        }
        all.push(row);
    }
    bar.finish();
    Ok(Readings { hooks, all })
}
