//! Which vectors are shown, and what is known of each.

use std::sync::Arc;

use crate::analysis::projection::{LayerPath, Projection, pooled_layers};
use crate::analysis::stream_hooks;
use crate::config::ModelConfig;
use crate::engine::VectorSource;
use crate::hook::HookPoint;
use crate::layout::{Cell, CellId, WeightCell};
use crate::viewer::ui::panels::plots::PlotView;
use crate::weight::WeightPoint;

/// Which vectors are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum What {
    /// The text's tokens as they are embedded.
    #[default]
    Text,
    /// The text's tokens at one place of the residual stream, counted from its beginning.
    Layer(usize),
    /// The text's tokens at every place of the residual stream, in one picture.
    Layers,
    /// Every token of the vocabulary, by a weight.
    Vocabulary(WeightPoint),
}

/// What vectors were read from: other than before where the vectors may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The text of this number, as far as it had come.
    Text(What, u64, usize),
    /// A weight of the model at this address.
    Weights(WeightPoint, usize),
}

/// Vectors, and what is known of each.
#[derive(Debug)]
pub struct Subject {
    /// What they were read from.
    pub origin: Origin,
    /// The vectors.
    pub source: Arc<VectorSource>,
    /// The token of every point of the picture.
    pub tokens: Vec<u32>,
    /// The vectors' name and number, such as `hook_embed, 11 tokens`.
    pub title: String,
    /// The places of the pass that the vectors are from; none of a vocabulary's.
    path: Option<LayerPath>,
}

impl What {
    /// Whether it is of the text.
    pub fn is_text(self) -> bool {
        !matches!(self, Self::Vocabulary(_))
    }

    /// What its vectors are read from now; none where there are none.
    pub fn origin(self, view: &PlotView<'_>) -> Option<Origin> {
        let Self::Vocabulary(weight) = self else {
            let n = view.positions.len();
            return (n > 0).then_some(Origin::Text(self, view.text, n));
        };
        let weights = view.model?.weights.as_ref()?;
        Some(Origin::Weights(weight, Arc::as_ptr(weights) as usize))
    }

    fn hooks(self, config: &ModelConfig) -> Vec<HookPoint> {
        match self {
            Self::Text => vec![HookPoint::Embed],
            Self::Layer(place) => stream_hooks(config)
                .into_iter()
                .skip(place)
                .take(1)
                .collect(),
            Self::Layers => stream_hooks(config),
            Self::Vocabulary(_) => Vec::new(),
        }
    }
}

impl Subject {
    /// The vectors that are wanted.
    ///
    /// # Errors
    ///
    /// Says what is not there.
    pub fn new(what: What, view: &PlotView<'_>) -> Result<Self, String> {
        let nothing = || "There are no vectors yet".to_owned();
        let model = view.model.ok_or_else(nothing)?;
        let origin = what.origin(view).ok_or_else(nothing)?;
        if let What::Vocabulary(weight) = what {
            let weights = model.weights.as_ref().ok_or_else(nothing)?;
            let d_vocab = model.config.d_vocab;
            return Ok(Self {
                origin,
                source: Arc::new(VectorSource::of_weight(Arc::clone(weights), weight)),
                tokens: (0..d_vocab as u32).collect(),
                title: format!("{weight}, {} tokens", grouped(d_vocab)),
                path: None,
            });
        }
        let hooks = what.hooks(&model.config);
        let Some(mut path) = pooled_layers(view.positions, &hooks) else {
            let names: Vec<String> = hooks.iter().take(2).map(ToString::to_string).collect();
            let names = names.join(", ");
            return Err(format!(
                "This trace lacks {names}; record it with these hooks"
            ));
        };
        let n = path.n_tokens;
        let title = match (hooks.as_slice(), what) {
            ([hook], _) => format!("{hook}, {n} tokens"),
            (hooks, _) => format!("residual stream, {} places of {n} tokens", hooks.len()),
        };
        let values = std::mem::take(&mut path.values);
        Ok(Self {
            origin,
            source: Arc::new(VectorSource::of_values(values, path.n_columns)),
            tokens: view.positions.iter().map(|token| token.token).collect(),
            title,
            path: Some(path),
        })
    }

    /// How many places of the pass there are to move between.
    pub fn n_places(&self) -> usize {
        self.path.as_ref().map_or(1, |path| path.hooks.len())
    }

    /// The name of a place of the pass.
    pub fn place_name(&self, place: usize) -> String {
        let hook = self.path.as_ref().and_then(|path| path.hooks.get(place));
        hook.map_or_else(String::new, ToString::to_string)
    }

    /// The points of a picture at a place, between two where it is broken.
    pub fn points_at(&self, projection: &Projection, place: f32) -> Vec<f32> {
        match &self.path {
            Some(path) if path.hooks.len() > 1 => path.points_at(projection, place),
            _ => projection.points.clone(),
        }
    }

    /// Whether its points are positions of the text.
    pub fn is_text(&self) -> bool {
        self.path.is_some()
    }

    /// The number in the world that stands for a point: the first of its vector.
    pub fn cell(&self, point: usize, place: usize) -> Cell {
        match (&self.path, self.origin) {
            (Some(path), _) => Cell::Value(CellId {
                hook: path.hooks[place.min(path.hooks.len() - 1)],
                pos: point,
                head: 0,
                index: 0,
            }),
            (None, Origin::Weights(WeightPoint::Unembed, _)) => Cell::Weight(WeightCell {
                weight: WeightPoint::Unembed,
                row: 0,
                column: point,
            }),
            (None, _) => Cell::Weight(WeightCell {
                weight: WeightPoint::Embed,
                row: point,
                column: 0,
            }),
        }
    }

    /// The point that a number in the world stands for.
    pub fn point_of(&self, cell: Cell, view: &PlotView<'_>) -> Option<usize> {
        let token = match cell {
            Cell::Value(cell) if self.is_text() => {
                return (cell.pos < self.tokens.len()).then_some(cell.pos);
            }
            Cell::Value(cell) => view.positions.get(cell.pos)?.token as usize,
            Cell::Weight(cell) if cell.weight == WeightPoint::Embed => cell.row,
            Cell::Weight(cell) if cell.weight == WeightPoint::Unembed => cell.column,
            Cell::Weight(_) => return None,
        };
        self.point_of_token(token as u32)
    }

    /// The first point of a token.
    pub fn point_of_token(&self, token: u32) -> Option<usize> {
        if self.is_text() {
            return self.tokens.iter().position(|own| *own == token);
        }
        ((token as usize) < self.tokens.len()).then_some(token as usize)
    }
}

/// A count with its thousands parted.
pub fn grouped(n: usize) -> String {
    crate::analysis::grouped(n as u64)
}
