//! The tables and figures of attention.

use super::{AttentionArgs, Pattern};
use crate::analysis::{HeadScore, HeadScores, attention_matrix, thumbnail};
use crate::cli::error::CliError;
use crate::cli::plot::output::Plot;
use crate::cli::plot::table::{Cell, Table};
use crate::cli::plot::text::Reading;
use crate::figure::{Axis, ColorScale, Figure, Heatmap, Panel, Panels};
use crate::hook::{BlockSite, HookPoint};

impl AttentionArgs {
    fn ask(&self, table: &mut Table) {
        table.ask("layer", self.layer);
        table.ask("head", self.head);
        table.ask("mean", self.mean);
        table.ask("rollout", self.rollout);
    }

    pub(super) fn plot_pattern(&self, reading: &Reading, pattern: Pattern) -> Plot {
        let mut table = reading.table(
            "attention",
            &[
                ("query", ""),
                ("query_text", ""),
                ("key", ""),
                ("key_text", ""),
                ("weight", "1"),
            ],
        );
        table.title.clone_from(&pattern.title);
        self.ask(&mut table);
        let text = |pos: usize| Cell::text(reading.vocab().text(reading.tokens[pos]));
        for query in 0..pattern.matrix.n_rows() {
            for (key, weight) in pattern.matrix.row(query).iter().enumerate() {
                table.rows.push(vec![
                    Cell::count(query),
                    text(query),
                    Cell::count(key),
                    text(key),
                    Cell::Number(*weight),
                ]);
            }
        }
        let range = pattern.matrix.range();
        let heatmap = Heatmap {
            scale: ColorScale::between(0.0, 1.0, range.n_not_finite, "weight"),
            matrix: pattern.matrix,
            rows: reading.token_axis("from (query)"),
            columns: reading.token_axis("to (key)"),
            texts: Vec::new(),
            cell: square_cell(reading.tokens.len()),
        };
        let figure = Figure {
            title: pattern.title,
            subtitles: vec![pattern.subtitle],
            notes: reading.notes(),
            charts: vec![(String::new(), Box::new(heatmap))],
        };
        Plot { table, figure }
    }

    /// All heads of a layer, or of the model.
    pub(super) fn plot_glance(&self, reading: &Reading) -> Plot {
        let config = reading.config();
        let layers = match self.layer {
            Some(layer) => layer..layer + 1,
            None => 0..config.n_layers,
        };
        let positions = reading.trace.positions();
        let mut table = reading.table(
            "attention",
            &[
                ("layer", ""),
                ("head", ""),
                ("query", ""),
                ("key", ""),
                ("weight", "1"),
            ],
        );
        table.title = match self.layer {
            Some(layer) => format!(
                "Attention of layer {layer}, all {} heads (weight)",
                config.n_heads
            ),
            None => format!(
                "Attention of all {} heads (weight)",
                config.n_layers * config.n_heads
            ),
        };
        self.ask(&mut table);
        let mut panels = Vec::new();
        let mut n_not_finite = 0;
        for layer in layers {
            for head in 0..config.n_heads {
                let hook = HookPoint::block(layer, BlockSite::Pattern);
                let matrix = attention_matrix(&positions, hook, head);
                n_not_finite += matrix.range().n_not_finite;
                for query in 0..matrix.n_rows() {
                    for (key, weight) in matrix.row(query).iter().enumerate() {
                        let counts = [layer, head, query, key].map(Cell::count);
                        let row = counts.into_iter().chain([Cell::Number(*weight)]);
                        table.rows.push(row.collect());
                    }
                }
                panels.push(Panel {
                    title: match self.layer {
                        Some(_) => format!("head {head}"),
                        None => format!("layer {layer}, head {head}"),
                    },
                    short: match self.layer {
                        Some(_) => head.to_string(),
                        None => format!("{layer}.{head}"),
                    },
                    matrix: thumbnail(&positions, hook, head, MAX_SMALL),
                });
            }
        }
        let panels = Panels {
            panels,
            n_across: match self.layer {
                Some(_) => config.n_heads.min(4),
                None => config.n_heads,
            },
            scale: ColorScale::between(0.0, 1.0, n_not_finite, "weight"),
            edges: (
                "from (query), down".to_owned(),
                "to (key), across".to_owned(),
            ),
        };
        let mut subtitle = "each panel: from the query, down, to the key, across".to_owned();
        if self.layer.is_none() {
            subtitle = format!("layers down, heads across; {subtitle}");
        }
        if reading.tokens.len() > MAX_SMALL {
            subtitle += "; a cell is the greatest weight of a block of tokens";
        }
        let figure = Figure {
            title: table.title.clone(),
            subtitles: vec![subtitle],
            notes: reading.notes(),
            charts: vec![(String::new(), Box::new(panels))],
        };
        Plot { table, figure }
    }

    pub(super) fn plot_scores(&self, reading: &Reading) -> Result<Plot, CliError> {
        let config = reading.config();
        let score: HeadScore = self.score.into();
        let scores = HeadScores::of(&reading.trace.positions(), config.n_layers, config.n_heads);
        let matrix = scores.matrix(score);
        if matrix.is_empty() {
            return Err(CliError::Usage(format!(
                "no token of this text counts for the {} score: {}",
                score.title(),
                needs(score)
            )));
        }
        let mut table = reading.table(
            "attention",
            &[
                ("layer", ""),
                ("head", ""),
                ("entropy", "nats"),
                ("previous_token", "weight"),
                ("first_token", "weight"),
                ("induction", "weight"),
                ("duplicate_token", "weight"),
            ],
        );
        table.title = format!("Heads by {} ({})", score.title(), score.unit());
        table.ask("score", score.title());
        for layer in 0..config.n_layers {
            for head in 0..config.n_heads {
                let all = HeadScore::ALL.map(|score| Cell::from(scores.get(score, layer, head)));
                let row = [Cell::count(layer), Cell::count(head)];
                table.rows.push(row.into_iter().chain(all).collect());
            }
        }
        let range = matrix.range();
        let title = format!("{}, {}", score.title(), score.unit());
        let heatmap = Heatmap {
            scale: if score == HeadScore::Entropy {
                ColorScale::from_zero(range, title)
            } else {
                ColorScale::between(0.0, 1.0, range.n_not_finite, title)
            },
            matrix,
            rows: Axis::counted("layer", config.n_layers),
            columns: Axis::counted("head", config.n_heads),
            texts: Vec::new(),
            cell: None,
        };
        let n = scores.n_queries(score);
        let queries = if n == 1 { "query" } else { "queries" };
        let figure = Figure {
            title: table.title.clone(),
            subtitles: vec![format!("{}; mean over {n} {queries}", meaning(score))],
            notes: reading.notes(),
            charts: vec![(String::new(), Box::new(heatmap))],
        };
        Ok(Plot { table, figure })
    }
}

/// Rows and columns of a head at a glance, at most.
const MAX_SMALL: usize = 96;

/// Squares, in whole half units where they are small.
fn square_cell(n: usize) -> Option<(f32, f32)> {
    let side = (720.0 / n.max(1) as f32).min(40.0);
    let side = if side > 4.0 {
        side.floor()
    } else {
        (2.0 * side).floor().max(1.0) / 2.0
    };
    Some((side, side))
}

fn meaning(score: HeadScore) -> &'static str {
    match score {
        HeadScore::Entropy => "entropy of the query's weights",
        HeadScore::PreviousToken => "weight of the token just before",
        HeadScore::FirstToken => "weight of the first token",
        HeadScore::Induction => "weight of what followed the same token earlier",
        HeadScore::DuplicateToken => "weight of the same token earlier",
    }
}

fn needs(score: HeadScore) -> &'static str {
    match score {
        HeadScore::Induction | HeadScore::DuplicateToken => "give one in which a token comes again",
        _ => "give one of two tokens or more",
    }
}
