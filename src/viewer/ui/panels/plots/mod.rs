//! The views beside the world: each shows what the passes computed in one way, follows the playhead
//! and the selection, and sends the user's choices back as intents.
//!
//! They dock around the world, can be torn off as windows, and their arrangement is kept.

pub mod ablation;
mod activations;
mod attention;
mod bars;
pub mod dock;
mod embeddings;
#[cfg(test)]
mod fixture;
mod head_map;
pub mod heatmap;
mod lens;
mod neuron_list;
mod parts;
mod saliency;
pub mod study;
mod summary;
pub mod target;
mod token_finder;
mod token_picker;
mod words;

use egui::{ProgressBar, Rect, RichText, Ui};

use super::Intent;
use crate::ablation::Ablation;
use crate::analysis::{Candidate, LensReading};
use crate::attribution::Target;
use crate::color::Theme;
use crate::engine::LoadedModel;
use crate::layout::Cell;
use crate::trace::TokenTrace;
use crate::viewer::inference::Studies;
use crate::viewer::playback::Playhead;
use crate::viewer::ui::theme;
use dock::Dock;
use target::TargetChooser;

pub use ablation::AblationPlot;
pub use activations::ActivationsPlot;
pub use attention::AttentionPlot;
pub use embeddings::EmbeddingsPlot;
pub use lens::LensPlot;
pub use saliency::SaliencyPlot;
pub use summary::SummaryPlot;
pub use token_picker::TokenPicker;

/// One of the views beside the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Plot {
    /// Layers, shapes, parameters and memory.
    Summary,
    /// How large values are, by layer and token.
    Activations,
    /// Who attends to whom.
    Attention,
    /// Tokens as points.
    Embeddings,
    /// Which tokens a prediction hangs on.
    Saliency,
    /// What each layer would predict, and which part adds what to a prediction.
    Lens,
    /// What a prediction loses without some parts.
    Ablation,
}

impl Plot {
    /// All of them, in the order of their keys.
    pub const ALL: [Self; 7] = [
        Self::Summary,
        Self::Activations,
        Self::Attention,
        Self::Embeddings,
        Self::Saliency,
        Self::Lens,
        Self::Ablation,
    ];

    /// Its name on screen.
    pub fn title(self) -> &'static str {
        match self {
            Self::Summary => "Summary",
            Self::Activations => "Activations",
            Self::Attention => "Attention",
            Self::Embeddings => "Embeddings",
            Self::Saliency => "Saliency",
            Self::Lens => "Lens & attribution",
            Self::Ablation => "Ablation",
        }
    }

    /// Its name in the file that keeps the arrangement.
    pub fn name(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Activations => "activations",
            Self::Attention => "attention",
            Self::Embeddings => "embeddings",
            Self::Saliency => "saliency",
            Self::Lens => "lens",
            Self::Ablation => "ablation",
        }
    }

    /// The key that opens and closes it.
    pub fn key(self) -> &'static str {
        match self {
            Self::Summary => "F2",
            Self::Activations => "F3",
            Self::Attention => "F4",
            Self::Embeddings => "F5",
            Self::Saliency => "F6",
            Self::Lens => "F7",
            Self::Ablation => "F8",
        }
    }

    /// What it shows, in a few words.
    pub fn tip(self) -> &'static str {
        match self {
            Self::Summary => "Layers, shapes, parameters and memory",
            Self::Activations => "How large values are, by layer and token",
            Self::Attention => "Who attends to whom, head by head",
            Self::Embeddings => "Tokens as points in two or three dimensions",
            Self::Saliency => "Which tokens a prediction hangs on",
            Self::Lens => "What each layer would predict, and which part adds what",
            Self::Ablation => "What a prediction loses without some parts",
        }
    }
}

/// What the views show.
pub struct PlotView<'a> {
    /// The model, once it is loaded.
    pub model: Option<&'a LoadedModel>,
    /// Every position whose pass is complete, position 0 first.
    pub positions: &'a [TokenTrace<'a>],
    /// Counts up when the model, the text or a value of `positions` has changed: what was computed
    /// from them under another number is stale.
    pub version: u64,
    /// Counts up when what is recorded begins anew: under one number positions are only added, and
    /// those there are stay the same.
    pub text: u64,
    /// A token's text as it can be shown, blanks made visible.
    pub token_text: &'a dyn Fn(u32) -> String,
    /// What the end of a layer predicts to follow a position, most probable first; none where that
    /// is not known.
    pub lens: &'a dyn Fn(usize, usize) -> Option<&'a [Candidate]>,
    /// The same with how sure the layer is and how far it is from the pass's own prediction.
    pub lens_reading: &'a dyn Fn(usize, usize) -> Option<&'a LensReading>,
    /// The token at every position, of the pass being computed too.
    pub tokens: &'a [u32],
    /// The parts that are set to zero.
    pub ablations: &'a [Ablation],
    /// What was asked about predictions, and found.
    pub studies: &'a Studies,
    /// Where the picture stands.
    pub playhead: Playhead,
    /// The number that is chosen in the world.
    pub pinned: Option<Cell>,
    /// The token that is chosen among those of a projection.
    pub chosen_token: Option<u32>,
    /// Dark or light.
    pub theme: Theme,
    /// Whether a pass is being computed.
    pub is_computing: bool,
    /// Whether there are weights to run.
    pub can_run: bool,
    /// How far loading has come, 0 to 1.
    pub loading: Option<f32>,
    /// What went wrong last.
    pub failure: Option<&'a str>,
}

impl PlotView<'_> {
    /// A target in words.
    fn target_title(&self, target: &Target) -> String {
        target::title(target, self.tokens, self.token_text)
    }

    /// The position the playhead stands at, of those that are complete.
    pub fn lane(&self) -> Option<usize> {
        let last = self.positions.len().checked_sub(1)?;
        Some(self.playhead.lane.min(last))
    }
}

/// The views and how they are arranged.
#[derive(Default)]
pub struct Plots {
    /// Where each one is.
    pub dock: Dock,
    /// Layers, shapes, parameters and memory.
    pub summary: SummaryPlot,
    /// How large values are, by layer and token.
    pub activations: ActivationsPlot,
    /// Who attends to whom.
    pub attention: AttentionPlot,
    /// Tokens as points.
    pub embeddings: EmbeddingsPlot,
    /// Which tokens a prediction hangs on.
    pub saliency: SaliencyPlot,
    /// What each layer would predict, and which part adds what.
    pub lens: LensPlot,
    /// What a prediction loses without some parts.
    pub ablation: AblationPlot,
    /// Which logit the last three explain.
    pub target: TargetChooser,
}

impl Plots {
    /// Draws the open views around the world, and says which part they leave to it.
    pub fn show(&mut self, ui: &mut Ui, view: &PlotView<'_>, intents: &mut Vec<Intent>) -> Rect {
        // The dock lends itself to the drawing, and the views to its tabs.
        let mut dock = std::mem::take(&mut self.dock);
        let world = dock.show(ui, view.theme, &mut |ui, plot| {
            self.plot(ui, plot, view, intents);
        });
        self.dock = dock;
        world
    }

    /// Brings a page of a view to its front, counted from 0; nothing happens where there is no such.
    pub fn turn_to(&mut self, plot: Plot, page: usize) {
        match plot {
            Plot::Saliency => self.saliency.turn_to(page),
            Plot::Lens => self.lens.turn_to(page),
            _ => {}
        }
    }

    /// Draws one view by itself.
    pub fn plot(
        &mut self,
        ui: &mut Ui,
        plot: Plot,
        view: &PlotView<'_>,
        intents: &mut Vec<Intent>,
    ) {
        match plot {
            Plot::Summary => self.summary.ui(ui, view, intents),
            Plot::Activations => self.activations.ui(ui, view, intents),
            Plot::Attention => self.attention.ui(ui, view, intents),
            Plot::Embeddings => self.embeddings.ui(ui, view, intents),
            Plot::Saliency => self.saliency.ui(ui, view, &mut self.target, intents),
            Plot::Lens => self.lens.ui(ui, view, &mut self.target, intents),
            Plot::Ablation => self.ablation.ui(ui, view, &mut self.target, intents),
        }
    }
}

/// What stands where something would have to be computed of a saved trace.
pub(super) const NO_WEIGHTS: &str = "A saved trace has no weights to compute this with";

/// What stands in a view's place while it has nothing to show: what it would show, and how to get
/// there.
pub(super) fn nothing_yet(ui: &mut Ui, view: &PlotView<'_>, wanting: &str) {
    let line = match view.model {
        None if view.loading.is_some() => "The model is being read …",
        None => "No model is loaded yet",
        Some(_) if !view.can_run && !view.tokens.is_empty() => NO_WEIGHTS,
        Some(_) if !view.can_run => "This is a shape without weights: it has no values",
        Some(_) if view.is_computing => "The first pass is being computed …",
        Some(_) => "Begin a text at the left",
    };
    ui.vertical_centered(|ui| {
        ui.add_space((0.4 * ui.available_height()).clamp(8.0, 160.0));
        ui.label(RichText::new(wanting).strong());
        if let Some(failure) = view.failure.filter(|_| view.can_run) {
            ui.label(RichText::new(failure).color(theme::failure_text(view.theme)));
            return;
        }
        ui.label(RichText::new(line).color(theme::weak_text(view.theme)));
        if let (Some(share), None) = (view.loading, view.model) {
            let bar = ProgressBar::new(share).show_percentage();
            ui.add(bar.desired_width(220.0).desired_height(14.0));
        }
    });
}
