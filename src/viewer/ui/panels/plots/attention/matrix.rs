//! One matrix of weights: a head's, the mean of a layer's heads, or a rollout.

use egui::{RichText, Ui};

use super::{HeadChoice, Whose, pattern};
use crate::analysis::{Matrix, MatrixRange, Rollout, attention_matrix, mean_over_heads};
use crate::config::ModelConfig;
use crate::layout::{Cell, CellId};
use crate::viewer::ui::panels::Intent;
use crate::viewer::ui::panels::plots::PlotView;
use crate::viewer::ui::panels::plots::heatmap::{Heatmap, HeatmapView, Labels, Scale};
use crate::viewer::ui::panels::plots::parts::{Cached, note, token_text};
use crate::viewer::ui::panels::plots::token_finder::TokenFinder;
use crate::viewer::ui::theme;

/// Steps of a rollout that are done in one frame, or one token's: about a millisecond.
const STEPS_A_FRAME: usize = 500_000;

/// What the choice comes down to.
#[derive(Default)]
pub struct Shown {
    matrix: Cached<(u64, Whose, usize, usize, usize), (Matrix, MatrixRange)>,
    rollout: Option<(u64, Rollout)>,
}

impl Shown {
    /// Computes it if it is not what was computed last.
    pub fn refresh(
        &mut self,
        ui: &Ui,
        view: &PlotView<'_>,
        config: &ModelConfig,
        choice: &HeadChoice,
    ) {
        if choice.whose == Whose::Rollout && !self.advance(view, config) {
            ui.ctx().request_repaint();
        }
        let (head, n_tokens) = match choice.whose {
            Whose::Head => (choice.head, view.positions.len()),
            Whose::Mean => (0, view.positions.len()),
            Whose::Rollout => (0, self.rollout_tokens()),
        };
        let rollout = self.rollout.as_ref();
        let key = (view.version, choice.whose, choice.layer, head, n_tokens);
        self.matrix.get(key, |(_, whose, layer, head, _)| {
            let hook = pattern(*layer);
            let matrix = match whose {
                Whose::Head => attention_matrix(view.positions, hook, *head),
                Whose::Mean => mean_over_heads(view.positions, hook, config.n_heads),
                Whose::Rollout => rollout
                    .map(|(_, rollout)| rollout.matrix(*layer))
                    .unwrap_or_default(),
            };
            let range = matrix.range();
            (matrix, range)
        });
    }

    fn rollout_tokens(&self) -> usize {
        let rollout = self.rollout.as_ref();
        rollout.map_or(0, |(_, rollout)| rollout.n_tokens())
    }

    /// Goes on taking tokens into the rollout, and says whether all are that can be.
    fn advance(&mut self, view: &PlotView<'_>, config: &ModelConfig) -> bool {
        let is_same = matches!(&self.rollout, Some((text, rollout))
            if *text == view.text && rollout.n_tokens() <= view.positions.len());
        if !is_same {
            let rollout = Rollout::new(config.n_layers, config.n_heads);
            self.rollout = Some((view.text, rollout));
        }
        let Some((_, rollout)) = &mut self.rollout else {
            return true;
        };
        let mut n_left = STEPS_A_FRAME;
        while let Some(token) = view.positions.get(rollout.n_tokens()) {
            let query = rollout.n_tokens();
            let n_steps = config.n_layers * query * (config.n_heads + query / 2);
            // One at least, so that it goes on; another only if it fits.
            if n_left < STEPS_A_FRAME && n_left < n_steps {
                return false;
            }
            if !rollout.take(token) {
                return true;
            }
            n_left = n_left.saturating_sub(n_steps.max(1));
        }
        true
    }

    /// The weights, `[query, key]`.
    pub fn matrix(&self) -> Option<&Matrix> {
        self.matrix.last().map(|(matrix, _)| matrix)
    }

    /// Where they end.
    pub fn range(&self) -> MatrixRange {
        self.matrix
            .last()
            .map_or_else(MatrixRange::default, |(_, range)| *range)
    }

    /// Counts up whenever they change.
    pub fn generation(&self) -> u64 {
        self.matrix.generation()
    }
}

/// The cell that stands in the world for a weight shown; none for a rollout, and for a mean that of
/// the head with the greatest weight there.
pub fn cell_of(view: &PlotView<'_>, choice: &HeadChoice, query: usize, key: usize) -> Option<Cell> {
    let n_heads = view.model?.config.n_heads;
    let hook = pattern(choice.layer);
    let head = match choice.whose {
        Whose::Head => choice.head,
        Whose::Rollout => return None,
        Whose::Mean => {
            let token = view.positions.get(query)?;
            let weight = |head: usize| token.attention_row(hook, head)?.get(key).copied();
            (0..n_heads).max_by(|a, b| {
                weight(*a)
                    .partial_cmp(&weight(*b))
                    .unwrap_or(std::cmp::Ordering::Equal)
            })?
        }
    };
    Some(Cell::Value(CellId {
        hook,
        pos: query,
        head,
        index: key,
    }))
}

/// The weights as a picture.
pub struct MatrixPage {
    heatmap: Heatmap,
    is_full_range: bool,
    finder: TokenFinder,
}

impl Default for MatrixPage {
    fn default() -> Self {
        Self {
            heatmap: Heatmap::default(),
            is_full_range: true,
            finder: TokenFinder::default(),
        }
    }
}

impl MatrixPage {
    /// Says what is shown, and draws what can be chosen of it.
    pub fn heading(&mut self, ui: &mut Ui, view: &PlotView<'_>, choice: &HeadChoice) {
        note(
            ui,
            view.theme,
            format!(
                "Attention weights of {}: each row sums to 1, later keys are masked",
                choice.title()
            ),
        );
        ui.horizontal_wrapped(|ui| {
            if let Some(pos) = self.finder.ui(ui, view) {
                let (_, key) = self.heatmap.cursor();
                self.heatmap.reveal(pos, key.min(pos));
            }
            ui.checkbox(
                &mut self.is_full_range,
                RichText::new("colours to 1").size(11.5),
            )
            .on_hover_text("Colours reach to 1, or to the greatest weight shown");
        });
    }

    /// Draws the weights, `height` points high at most.
    pub fn map(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        choice: &HeadChoice,
        shown: &Shown,
        height: f32,
        intents: &mut Vec<Intent>,
    ) {
        let Some(matrix) = shown.matrix() else {
            return;
        };
        if matrix.is_empty() {
            note(ui, view.theme, "The patterns of this text are not recorded");
            return;
        }
        let range = shown.range();
        let scale = if self.is_full_range {
            Scale::of_weights(range)
        } else {
            Scale::of(range)
        };
        let label = |pos: usize| token_text(view, pos);
        let output = self.heatmap.ui(
            ui,
            &HeatmapView {
                name: "Attention matrix",
                matrix,
                version: shown.generation(),
                scale,
                value: "weight",
                rows: Labels {
                    title: "query",
                    text: &label,
                    is_numbered: true,
                },
                columns: Labels {
                    title: "key",
                    text: &label,
                    is_numbered: true,
                },
                current_row: view.lane(),
                current_column: None,
                marked: marked(view, choice),
                tip: &|query, key| tip(view, choice, query, key),
                is_square: true,
                height: height.clamp(150.0, 900.0),
                theme: view.theme,
            },
        );
        if let Some(cell) = output
            .double_clicked
            .and_then(|(query, key)| cell_of(view, choice, query, key))
        {
            intents.push(Intent::Visit(cell));
        } else if let Some(cell) = output
            .clicked
            .and_then(|(query, key)| cell_of(view, choice, query, key))
        {
            intents.push(Intent::Pin(cell));
        }
    }

    /// What the row at the cursor attends to most, in words.
    pub fn words(&self, ui: &mut Ui, view: &PlotView<'_>, shown: &Shown) {
        let Some(matrix) = shown.matrix().filter(|matrix| !matrix.is_empty()) else {
            return;
        };
        let (query, _) = self.heatmap.cursor();
        let mut row: Vec<(usize, f32)> = matrix.row(query).iter().copied().enumerate().collect();
        row.retain(|(_, weight)| weight.is_finite());
        row.sort_by(|a, b| b.1.total_cmp(&a.1));
        let most: Vec<String> = row
            .iter()
            .take(4)
            .map(|(key, weight)| format!("{key} “{}” {weight:.3}", token_text(view, *key)))
            .collect();
        let text = format!(
            "query {query} “{}” attends most to {}",
            token_text(view, query),
            most.join(", ")
        );
        let text = RichText::new(text)
            .size(11.5)
            .color(theme::weak_text(view.theme));
        ui.add(egui::Label::new(text).wrap());
    }
}

/// Where the number chosen in the world is in the matrix shown.
pub fn marked(view: &PlotView<'_>, choice: &HeadChoice) -> Option<(usize, usize)> {
    let Some(Cell::Value(cell)) = view.pinned else {
        return None;
    };
    let is_attention = !crate::analysis::has_vectors(cell.hook);
    let is_here = cell.hook.layer() == Some(choice.layer)
        && (choice.whose != Whose::Head || choice.head == cell.head);
    (is_attention && is_here).then_some((cell.pos, cell.index))
}

fn tip(view: &PlotView<'_>, choice: &HeadChoice, query: usize, key: usize) -> String {
    let what = match choice.whose {
        Whose::Head => format!("{}[{}, {query}, {key}]", pattern(choice.layer), choice.head),
        Whose::Mean => format!("mean over the heads of {}", pattern(choice.layer)),
        Whose::Rollout => return choice.title(),
    };
    let more = match cell_of(view, choice, query, key) {
        Some(Cell::Value(cell)) if choice.whose == Whose::Mean => {
            format!("\ngreatest in head {}", cell.head)
        }
        _ => String::new(),
    };
    format!("{what}{more}\nClick chooses it in the world, a double click flies there")
}
