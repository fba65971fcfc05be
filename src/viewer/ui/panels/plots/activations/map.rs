//! The map: what every token's vector comes down to, at every layer.

use egui::{ComboBox, DragValue, Ui};

use super::fill::Filling;
use super::{cell_of, index_of};
use crate::analysis::{MatrixRange, Measure, Ranking, layer_hooks, stream_hooks, top_neurons};
use crate::config::ModelConfig;
use crate::hook::{BlockSite, HookPoint};
use crate::layout::{Cell, CellId};
use crate::viewer::readout::exact;
use crate::viewer::ui::panels::Intent;
use crate::viewer::ui::panels::plots::PlotView;
use crate::viewer::ui::panels::plots::heatmap::{Heatmap, HeatmapView, Labels, Scale};
use crate::viewer::ui::panels::plots::parts::{Cached, note, token_text};
use crate::viewer::ui::panels::plots::token_finder::TokenFinder;

/// Which vectors are on the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The residual stream: what enters the first layer, then what leaves each.
    Stream,
    /// One site of every layer.
    Site(BlockSite),
    /// What stands before the layers.
    Embeddings,
    /// What the final norm makes of the stream.
    FinalNorm,
}

impl Place {
    /// All that have vectors in this model.
    pub fn all(config: &ModelConfig) -> Vec<Self> {
        let sites = BlockSite::ALL.into_iter().filter(|site| {
            let is_attention = matches!(site, BlockSite::AttnScores | BlockSite::Pattern);
            !is_attention && config.has_hook(HookPoint::block(0, *site))
        });
        [Self::Stream, Self::Embeddings]
            .into_iter()
            .chain(sites.map(Self::Site))
            .chain([Self::FinalNorm])
            .collect()
    }

    /// Its name on screen.
    pub fn title(self, config: &ModelConfig) -> String {
        match self {
            Self::Stream => "residual stream".to_owned(),
            Self::Site(site) => format!("{} · {}", config.site_title(site), site.name()),
            Self::Embeddings => "embeddings".to_owned(),
            Self::FinalNorm => "final norm".to_owned(),
        }
    }

    /// Where this hook point is found: the place and the row; none if it has no vectors.
    pub fn of(hook: HookPoint, config: &ModelConfig) -> Option<(Self, usize)> {
        let places = Self::all(config).into_iter();
        // What leaves a layer is shown as the stream's only where it has no place of its own.
        let mut places = places.filter(|place| *place != Self::Stream);
        places.find_map(|place| {
            let row = place.hooks(config).iter().position(|row| *row == hook)?;
            Some((place, row))
        })
    }

    /// Its hook points: the rows.
    pub fn hooks(self, config: &ModelConfig) -> Vec<HookPoint> {
        match self {
            Self::Stream => stream_hooks(config),
            Self::Site(site) => layer_hooks(config, site),
            Self::Embeddings => [HookPoint::Embed, HookPoint::PosEmbed]
                .into_iter()
                .filter(|hook| config.has_hook(*hook))
                .collect(),
            Self::FinalNorm => vec![HookPoint::FinalNormalized],
        }
    }
}

/// A row's name: the layer, or what it is where it is no layer's.
pub fn row_name(hook: HookPoint, place: Place) -> String {
    match (place, hook) {
        (
            Place::Stream,
            HookPoint::Block {
                site: BlockSite::ResidPre,
                ..
            },
        ) => "in".to_owned(),
        (_, HookPoint::Block { layer, .. }) => layer.to_string(),
        (_, HookPoint::Embed) => "token".to_owned(),
        (_, HookPoint::PosEmbed) => "position".to_owned(),
        _ => "final".to_owned(),
    }
}

/// The map.
pub struct MapPage {
    place: Place,
    measure: Measure,
    index: usize,
    hooks: Vec<HookPoint>,
    filling: Filling,
    range: Cached<u64, MatrixRange>,
    heatmap: Heatmap,
    finder: TokenFinder,
}

impl Default for MapPage {
    fn default() -> Self {
        Self {
            place: Place::Stream,
            measure: Measure::Norm,
            index: 0,
            hooks: Vec::new(),
            filling: Filling::default(),
            range: Cached::default(),
            heatmap: Heatmap::default(),
            finder: TokenFinder::default(),
        }
    }
}

impl MapPage {
    /// Where one dimension is shown, shows that of this number if the map has it.
    pub fn follow(&mut self, cell: CellId, config: &ModelConfig) {
        if matches!(self.measure, Measure::Index(_))
            && self.place.hooks(config).contains(&cell.hook)
        {
            self.index = index_of(config, cell);
            self.measure = Measure::Index(self.index);
        }
    }

    /// Draws the page, `height` points high.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        config: &ModelConfig,
        height: f32,
        intents: &mut Vec<Intent>,
    ) {
        let found = self.choices(ui, view, config);
        if let Some(pos) = found {
            let (row, _) = self.heatmap.cursor();
            self.heatmap.reveal(row, pos);
        }
        self.hooks = self.place.hooks(config);
        if !self.filling.advance(view, &self.hooks, self.measure) {
            ui.ctx().request_repaint();
        }
        let measure = match self.measure {
            Measure::Index(index) => format!("dimension {index}"),
            other => other.title().to_owned(),
        };
        note(
            ui,
            view.theme,
            format!(
                "{measure} of each token's vector · {}",
                self.place.title(config)
            ),
        );
        let generation = self.filling.generation();
        let matrix = self.filling.matrix();
        let range = *self.range.get(generation, |_| matrix.range());
        let (place, hooks) = (self.place, &self.hooks);
        let pinned = match view.pinned {
            Some(Cell::Value(cell)) => hooks
                .iter()
                .position(|hook| *hook == cell.hook)
                .map(|row| (row, cell.pos)),
            _ => None,
        };
        let which = self.measure;
        let shown = HeatmapView {
            name: "Activation map",
            matrix,
            version: generation,
            scale: Scale::of(range),
            value: &measure,
            rows: Labels {
                title: "layer",
                text: &|row| {
                    hooks
                        .get(row)
                        .map_or_else(String::new, |hook| row_name(*hook, place))
                },
                is_numbered: false,
            },
            columns: Labels {
                title: "token",
                text: &|column| token_text(view, column),
                is_numbered: true,
            },
            current_row: None,
            current_column: view.lane(),
            marked: pinned,
            tip: &|row, column| tip(view, hooks, which, row, column),
            is_square: false,
            height: (height - 84.0).clamp(180.0, 720.0),
            theme: view.theme,
        };
        let output = self.heatmap.ui(ui, &shown);
        let cell = |(row, column): (usize, usize)| {
            let hook = *hooks.get(row)?;
            let index = loudest(view, hook, which, column)?;
            Some(cell_of(config, hook, column, index))
        };
        if let Some(cell) = output.double_clicked.and_then(cell) {
            intents.push(Intent::Visit(cell));
        } else if let Some(cell) = output.clicked.and_then(cell) {
            intents.push(Intent::Pin(cell));
        }
    }

    /// What is shown; the token that was looked for and found.
    fn choices(&mut self, ui: &mut Ui, view: &PlotView<'_>, config: &ModelConfig) -> Option<usize> {
        let whole = ui.horizontal_wrapped(|ui| {
            ComboBox::from_id_salt("place")
                .width(190.0)
                .selected_text(self.place.title(config))
                .show_ui(ui, |ui| {
                    for place in Place::all(config) {
                        ui.selectable_value(&mut self.place, place, place.title(config));
                    }
                });
            let index = Measure::Index(self.index);
            ComboBox::from_id_salt("measure")
                .width(110.0)
                .selected_text(match self.measure {
                    Measure::Index(_) => "one dimension",
                    other => other.title(),
                })
                .show_ui(ui, |ui| {
                    for measure in Measure::WHOLE {
                        ui.selectable_value(&mut self.measure, measure, measure.title());
                    }
                    ui.selectable_value(&mut self.measure, index, "one dimension");
                });
            if let Measure::Index(index) = &mut self.measure {
                let hook = self.place.hooks(config).first().copied();
                let width = hook.map_or(1, |hook| config.width(hook));
                let label = ui.label("dimension");
                ui.add(DragValue::new(index).range(0..=width.saturating_sub(1)))
                    .labelled_by(label.id);
                self.index = *index;
            }
            self.finder.ui(ui, view)
        });
        whole.inner
    }
}

/// The number that a cell of the map stands for in the world: the one asked for, or the one that
/// decides it.
fn loudest(view: &PlotView<'_>, hook: HookPoint, measure: Measure, pos: usize) -> Option<usize> {
    if let Measure::Index(index) = measure {
        return Some(index);
    }
    let ranking = match measure {
        Measure::Max => Ranking::Value,
        _ => Ranking::Magnitude,
    };
    let token = view.positions.get(pos)?;
    let top = top_neurons(token, &[hook], ranking, 1);
    Some(top.first().map_or(0, |neuron| neuron.index))
}

fn tip(
    view: &PlotView<'_>,
    hooks: &[HookPoint],
    measure: Measure,
    row: usize,
    column: usize,
) -> String {
    let Some(hook) = hooks.get(row) else {
        return String::new();
    };
    let loudest = loudest(view, *hook, measure, column);
    let number = loudest.and_then(|index| {
        let row = view.positions.get(column)?.row(*hook)?;
        Some((index, *row.get(index)?))
    });
    let greatest = match (measure, number) {
        (Measure::Index(_), _) | (_, None) => String::new(),
        (_, Some((index, value))) => format!("\ngreatest: {} at {index}", exact(value)),
    };
    format!("{hook}{greatest}\nClick chooses it in the world, a double click flies there")
}
