//! What every head does, in a few numbers each: as a table and as a map over layers and heads.

use egui::{Button, ProgressBar, RichText, ScrollArea, Ui};
use egui_extras::{Column, TableBuilder};

use super::{HeadChoice, Whose};
use crate::analysis::{HeadScore, HeadScores, Matrix, MatrixRange};
use crate::config::ModelConfig;
use crate::viewer::readout::exact;
use crate::viewer::ui::panels::plots::PlotView;
use crate::viewer::ui::panels::plots::heatmap::{Heatmap, HeatmapView, Labels, Scale};
use crate::viewer::ui::panels::plots::parts::{Cached, note};

/// Weights that are read in one frame: about half a millisecond, beside a table that is sorted anew.
const WEIGHTS_A_FRAME: usize = 12_000;

/// What every head does, in numbers.
#[derive(Default)]
pub struct ScoresPage {
    scores: Option<(u64, HeadScores)>,
    /// The score that the map shows and the table is sorted by.
    by: Sorting,
    is_ascending: bool,
    order: Cached<(u64, usize, Sorting, bool), Vec<(usize, usize)>>,
    map: Cached<(u64, usize, HeadScore), (Matrix, MatrixRange)>,
    heatmap: Heatmap,
}

/// What the table is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sorting {
    Place,
    Score(HeadScore),
}

impl Default for Sorting {
    fn default() -> Self {
        Self::Score(HeadScore::Induction)
    }
}

impl ScoresPage {
    /// Draws the page; the head that was clicked, by layer and head.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        config: &ModelConfig,
        choice: &HeadChoice,
    ) -> Option<(usize, usize)> {
        let is_done = self.advance(view, config);
        let (_, scores) = self.scores.as_ref()?;
        let n_pos = view.positions.len();
        if !is_done {
            ui.ctx().request_repaint();
            let share = scores.n_tokens() as f32 / n_pos.max(1) as f32;
            let text = format!("{} of {n_pos} tokens read", scores.n_tokens());
            ui.add(
                ProgressBar::new(share)
                    .desired_height(12.0)
                    .text(RichText::new(text).size(10.5)),
            );
        } else if scores.n_tokens() == 0 {
            note(ui, view.theme, "The patterns of this text are not recorded");
            return None;
        }
        let shown = match self.by {
            Sorting::Score(score) => score,
            Sorting::Place => HeadScore::Entropy,
        };
        note(ui, view.theme, explained(shown, scores));
        let mut clicked = None;
        let wide = ui.available_width() > 620.0;
        let key = (view.text, scores.n_tokens(), shown);
        self.map.get(key, |(.., score)| {
            let matrix = scores.matrix(*score);
            let range = matrix.range();
            (matrix, range)
        });
        let Self {
            scores: Some((_, scores)),
            by,
            is_ascending,
            order,
            map,
            heatmap,
            ..
        } = self
        else {
            return None;
        };
        let mut table = Table {
            text: view.text,
            scores,
            by,
            is_ascending,
            order,
        };
        if wide {
            ui.columns(2, |columns| {
                if let [left, right] = columns {
                    clicked = table.ui(left, choice);
                    clicked = picture(right, view, heatmap, map, shown, choice).or(clicked);
                }
            });
        } else {
            ScrollArea::vertical().id_salt("scores").show(ui, |ui| {
                clicked = picture(ui, view, heatmap, map, shown, choice);
                ui.add_space(6.0);
                clicked = table.ui(ui, choice).or(clicked);
            });
        }
        clicked
    }

    /// Goes on taking in tokens, and says whether all are that can be.
    fn advance(&mut self, view: &PlotView<'_>, config: &ModelConfig) -> bool {
        let is_same = matches!(&self.scores, Some((text, scores))
            if *text == view.text
                && (scores.n_layers(), scores.n_heads()) == (config.n_layers, config.n_heads)
                && scores.n_tokens() <= view.positions.len());
        if !is_same {
            let scores = HeadScores::new(config.n_layers, config.n_heads);
            self.scores = Some((view.text, scores));
        }
        let Some((_, scores)) = &mut self.scores else {
            return true;
        };
        let mut n_left = WEIGHTS_A_FRAME;
        while let Some(token) = view.positions.get(scores.n_tokens()) {
            if n_left == 0 {
                return false;
            }
            let n_a_layer = config.n_heads * (token.pos + 1);
            let n_layers = (n_left / n_a_layer).clamp(1, config.n_layers);
            if !scores.take_layers(token, n_layers) {
                return true;
            }
            n_left = n_left.saturating_sub(n_layers * n_a_layer);
        }
        true
    }
}

/// A score's name at the head of a narrow column.
fn short_title(score: HeadScore) -> &'static str {
    match score {
        HeadScore::Entropy => "entropy",
        HeadScore::PreviousToken => "previous",
        HeadScore::FirstToken => "first",
        HeadScore::Induction => "induction",
        HeadScore::DuplicateToken => "duplicate",
    }
}

/// What a score is, and over how much it is a mean.
fn explained(score: HeadScore, scores: &HeadScores) -> String {
    let what = match score {
        HeadScore::Entropy => "Entropy of a query's weights, nats; 0 where all goes to one token",
        HeadScore::PreviousToken => "Weight of the token just before",
        HeadScore::FirstToken => "Weight of the first token",
        HeadScore::Induction => "Weight of tokens after an earlier occurrence of the same token",
        HeadScore::DuplicateToken => "Weight of earlier occurrences of the same token",
    };
    match scores.n_queries(score) {
        0 => format!("{what}; no query of this text has one yet"),
        1 => format!("{what}; of 1 query"),
        n => format!("{what}; mean over {n} queries"),
    }
}

/// The map over layers and heads.
fn picture(
    ui: &mut Ui,
    view: &PlotView<'_>,
    heatmap: &mut Heatmap,
    map: &Cached<(u64, usize, HeadScore), (Matrix, MatrixRange)>,
    score: HeadScore,
    choice: &HeadChoice,
) -> Option<(usize, usize)> {
    let (matrix, range) = map.last()?;
    let value = format!("{}, {}", score.title(), score.unit());
    let is_head = choice.whose == Whose::Head;
    let output = heatmap.ui(
        ui,
        &HeatmapView {
            name: "Map of head scores",
            matrix,
            version: map.generation(),
            scale: match score {
                HeadScore::Entropy => Scale::of(*range),
                _ => Scale::of_weights(*range),
            },
            value: &value,
            rows: Labels::numbers("layer"),
            columns: Labels::numbers("head"),
            current_row: None,
            current_column: None,
            marked: is_head.then_some((choice.layer, choice.head)),
            tip: &|_, _| "Click opens the head's matrix".to_owned(),
            is_square: true,
            height: 420.0,
            theme: view.theme,
        },
    );
    output.clicked
}

struct Table<'a> {
    /// The text that they are of.
    text: u64,
    scores: &'a HeadScores,
    by: &'a mut Sorting,
    is_ascending: &'a mut bool,
    order: &'a mut Cached<(u64, usize, Sorting, bool), Vec<(usize, usize)>>,
}

impl Table<'_> {
    /// The head that was clicked.
    fn ui(&mut self, ui: &mut Ui, choice: &HeadChoice) -> Option<(usize, usize)> {
        let (by, is_ascending) = (*self.by, *self.is_ascending);
        let scores = self.scores;
        let key = (self.text, scores.n_tokens(), by, is_ascending);
        let order = self.order.get(key, |_| sorted(scores, by, is_ascending));
        let mut clicked = None;
        let mut asked = None;
        ui.push_id("table of heads", |ui| {
            TableBuilder::new(ui)
                .striped(true)
                .cell_layout(egui::Layout::left_to_right(egui::Align::Center))
                .auto_shrink([false, true])
                .column(Column::exact(38.0).clip(true))
                .columns(Column::remainder().at_least(52.0).clip(true), 5)
                .header(20.0, |mut header| {
                    let titles = HeadScore::ALL
                        .map(|score| (Sorting::Score(score), short_title(score), score.title()));
                    let place = [(Sorting::Place, "head", "layer and head")];
                    for (sorting, title, whole) in place.into_iter().chain(titles) {
                        header.col(|ui| {
                            ui.spacing_mut().button_padding.x = 0.0;
                            let sign = match (sorting == by, is_ascending) {
                                (false, _) => "",
                                (true, true) => " ⏶",
                                (true, false) => " ⏷",
                            };
                            let text = RichText::new(format!("{title}{sign}")).size(11.0);
                            let button = Button::new(text).frame(false).truncate();
                            let tip = format!("Sort by {whole}");
                            if ui.add(button).on_hover_text(tip).clicked() {
                                asked = Some(sorting);
                            }
                        });
                    }
                })
                .body(|body| {
                    body.rows(18.0, order.len(), |mut row| {
                        let (layer, head) = order[row.index()];
                        let is_chosen = (choice.layer, choice.head) == (layer, head);
                        row.set_selected(choice.whose == Whose::Head && is_chosen);
                        row.col(|ui| {
                            let name = RichText::new(format!("{layer}.{head}")).size(12.0);
                            let button = ui.add(Button::new(name).frame(false));
                            let hint = format!("layer {layer} head {head}\nClick opens its matrix");
                            if button.on_hover_text(hint).clicked() {
                                clicked = Some((layer, head));
                            }
                        });
                        for score in HeadScore::ALL {
                            let value = scores.get(score, layer, head);
                            let text = value.map_or_else(|| "–".to_owned(), |x| format!("{x:.4}"));
                            row.col(|ui| {
                                let shown = ui.label(RichText::new(text).size(12.0));
                                if let Some(value) = value {
                                    shown.on_hover_text(exact(value));
                                }
                            });
                        }
                    });
                });
        });
        if let Some(sorting) = asked {
            *self.is_ascending = sorting == by && !is_ascending;
            *self.by = sorting;
        }
        clicked
    }
}

/// All heads in order; those without the score, or with NaN, last.
fn sorted(scores: &HeadScores, by: Sorting, is_ascending: bool) -> Vec<(usize, usize)> {
    let mut heads: Vec<(usize, usize)> = (0..scores.n_layers())
        .flat_map(|layer| (0..scores.n_heads()).map(move |head| (layer, head)))
        .collect();
    match by {
        Sorting::Place if is_ascending => heads.reverse(),
        Sorting::Place => {}
        Sorting::Score(score) => {
            let value = |(layer, head): (usize, usize)| {
                let value = scores.get(score, layer, head);
                value.filter(|value| !value.is_nan())
            };
            heads.sort_by(|a, b| match (value(*a), value(*b)) {
                (Some(a), Some(b)) if is_ascending => a.total_cmp(&b),
                (Some(a), Some(b)) => b.total_cmp(&a),
                (a, b) => b.is_some().cmp(&a.is_some()),
            });
        }
    }
    heads
}
