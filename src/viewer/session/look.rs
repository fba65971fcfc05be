//! What a window looks like, in the words of a session's file.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::log::SessionLook;
use crate::color::{RangeEnd, RangeMode, RangeSettings, Scaling, Theme};
use crate::layout::Kind;
use crate::viewer::scene::{ArcChoice, ColorBy, Pooling, Reduction, SceneSettings};

/// What a window looks like from a time on, in words.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LookText {
    pub(super) at_secs: f64,
    theme: String,
    color_by: String,
    range: [String; 3],
    hidden: Vec<String>,
    has_arcs: bool,
    arc_threshold: f32,
    arc_heads: BTreeSet<usize>,
    arc_pool: String,
    arc_layer: Option<usize>,
    reduction: String,
    has_links: bool,
    has_panels: bool,
    has_labels: bool,
}

impl LookText {
    pub(super) fn of((at_secs, look): &(f64, SessionLook)) -> Self {
        let scene = &look.scene;
        let ranges = scene.ranges;
        Self {
            at_secs: *at_secs,
            theme: word(&THEMES, &scene.theme),
            color_by: word(&COLOR_BY, &scene.color_by),
            range: [
                word(&MODES, &ranges.mode),
                word(&ENDS, &ranges.end),
                word(&SCALINGS, &ranges.scaling),
            ],
            hidden: scene
                .hidden
                .iter()
                .map(|kind| kind.title().to_owned())
                .collect(),
            has_arcs: scene.has_arcs,
            arc_threshold: scene.arc_threshold,
            arc_heads: scene.arc_choice.heads.clone(),
            arc_pool: word(&POOLINGS, &scene.arc_choice.pooling),
            arc_layer: scene.arc_choice.layer,
            reduction: word(&REDUCTIONS, &scene.reduction),
            has_links: scene.has_links,
            has_panels: look.has_panels,
            has_labels: look.has_labels,
        }
    }

    /// What the words mean.
    pub(super) fn read(&self) -> Result<SessionLook, String> {
        let [mode, end, scaling] = &self.range;
        let kind = |title: &String| {
            let kinds = Kind::all();
            let known = kinds.into_iter().find(|kind| kind.title() == title);
            known.ok_or_else(|| format!("{title:?} is no kind of thing"))
        };
        if !self.arc_threshold.is_finite() {
            return Err("its arcs have no threshold".to_owned());
        }
        let scene = SceneSettings {
            theme: meaning(&THEMES, &self.theme)?,
            color_by: meaning(&COLOR_BY, &self.color_by)?,
            ranges: RangeSettings {
                mode: meaning(&MODES, mode)?,
                end: meaning(&ENDS, end)?,
                scaling: meaning(&SCALINGS, scaling)?,
            },
            hidden: self.hidden.iter().map(kind).collect::<Result<_, _>>()?,
            has_arcs: self.has_arcs,
            arc_threshold: self.arc_threshold,
            arc_choice: ArcChoice {
                heads: self.arc_heads.clone(),
                pooling: meaning(&POOLINGS, &self.arc_pool)?,
                layer: self.arc_layer,
            },
            reduction: meaning(&REDUCTIONS, &self.reduction)?,
            has_links: self.has_links,
            ..SceneSettings::default()
        };
        Ok(SessionLook {
            scene,
            has_panels: self.has_panels,
            has_labels: self.has_labels,
        })
    }
}

/// Words for settings, each beside what it stands for.
type Words<T, const N: usize> = [(T, &'static str); N];

const THEMES: Words<Theme, 2> = [(Theme::Dark, "dark"), (Theme::Light, "light")];
const COLOR_BY: Words<ColorBy, 3> = [
    (ColorBy::Value, "value"),
    (ColorBy::Gradient, "gradient"),
    (ColorBy::Direct, "direct"),
];
const MODES: Words<RangeMode, 4> = [
    (RangeMode::PerTensor, "tensor"),
    (RangeMode::PerLayer, "layer"),
    (RangeMode::PerName, "name"),
    (RangeMode::WholeModel, "model"),
];
const ENDS: Words<RangeEnd, 2> = [(RangeEnd::Quantile, "quantile"), (RangeEnd::Max, "max")];
const SCALINGS: Words<Scaling, 2> = [(Scaling::Linear, "linear"), (Scaling::SymLog, "symlog")];
const POOLINGS: Words<Pooling, 2> = [(Pooling::Mean, "mean"), (Pooling::Max, "max")];
const REDUCTIONS: Words<Reduction, 2> = [(Reduction::Max, "max"), (Reduction::Mean, "mean")];

fn word<T: PartialEq, const N: usize>(words: &Words<T, N>, value: &T) -> String {
    let known = words.iter().find(|(known, _)| known == value);
    known.map_or_else(String::new, |(_, word)| (*word).to_owned())
}

fn meaning<T: Copy, const N: usize>(words: &Words<T, N>, asked: &str) -> Result<T, String> {
    let known = words.iter().find(|(_, word)| *word == asked);
    known
        .map(|(value, _)| *value)
        .ok_or_else(|| format!("{asked:?} is not known here"))
}
