//! What the interface keeps from frame to frame.

use bevy::prelude::*;

use super::fonts::Fonts;
use super::panels::{Panels, Plot};
use super::{inspect, view};
use crate::ablation::Ablation;
use crate::model::{LoadSettings, Pace};

/// What of the interface is shown.
#[derive(Resource, Clone, Debug, PartialEq)]
pub struct UiSettings {
    /// Whether the panels are there.
    pub has_panels: bool,
    /// Whether the legend is there even without the panels, as in pictures.
    pub has_legend: bool,
    /// Whether names stand in the world.
    pub has_labels: bool,
    /// The prompt to begin with.
    pub prompt: String,
    /// Whether there are weights to run.
    pub can_run: bool,
    /// How models are loaded that are opened in the window.
    pub load: LoadSettings,
    /// Size of panels and labels to begin with; 1 is the screen's own.
    pub scale: f32,
    /// The views that are open beside the world to begin with, besides those that were kept.
    pub plots: Vec<Plot>,
    /// The pages of views that are in front to begin with, counted from 0.
    pub pages: Vec<(Plot, usize)>,
    /// Whether a frame waits until the fonts that its texts need are there.
    pub waits_for_fonts: bool,
}

impl Default for UiSettings {
    fn default() -> Self {
        Self {
            has_panels: true,
            has_legend: true,
            has_labels: true,
            prompt: String::new(),
            can_run: true,
            load: LoadSettings::default(),
            scale: 1.0,
            plots: Vec::new(),
            pages: Vec::new(),
            waits_for_fonts: false,
        }
    }
}

/// The interface's own state.
#[derive(Resource, Default)]
pub(super) struct UiState {
    pub(super) panels: Panels,
    /// The last failure, until it is dismissed or another text begins.
    pub(super) failure: Option<String>,
    /// What is wrong with the file of viewpoints, until it is dismissed.
    pub(super) slots_failure: Option<String>,
    /// What became of a film or a picture, until it is dismissed.
    pub(super) film_failure: Option<String>,
    /// What happens, for the status line.
    pub(super) status: String,
    /// Why a model can't be loaded, until it is dismissed or another is asked for.
    pub(super) load_failure: Option<String>,
    /// How far loading has come, 0 to 1 and in words.
    pub(super) loading: Option<(f32, String)>,
    /// How fast it goes on.
    pub(super) pace: Pace,
    /// Whether a model was asked for in the window.
    pub(super) is_opening: bool,
    /// What the colours mean.
    pub(super) legend: Vec<view::LegendRow>,
    pub(super) shown_theme: Option<crate::color::Theme>,
    /// How much larger a picture is laid out than the window, as of the last frame.
    pub(super) picture_scale: Option<f32>,
    pub(super) has_prompt: bool,
    pub(super) fonts: Fonts,
    /// What is pointed at.
    pub(super) hovered: inspect::Cached,
    /// What was chosen.
    pub(super) pinned: inspect::Cached,
    /// What the chosen number's tensor comes down to.
    pub(super) surveyor: inspect::Surveyor,
    /// Passes begun or taken in so far.
    pub(super) n_passes: u64,
    /// Texts and models begun so far.
    pub(super) n_texts: u64,
    /// The parts that were asked to be set to zero, until the engine says so.
    pub(super) ablations: Option<Vec<Ablation>>,
}
