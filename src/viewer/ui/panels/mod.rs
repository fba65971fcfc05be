//! The panels. None of them knows the application: a test draws them with egui alone.

mod caption;
pub mod help;
pub mod inspector;
mod legend;
pub mod open;
mod path;
mod pictures;
pub mod plots;
mod prompt;
mod recording;
mod show;
mod text;
pub mod tooltip;
mod tour;
mod transport;
mod viewpoints;

use std::collections::BTreeSet;
use std::sync::Arc;

use egui::scroll_area::ScrollSource;
use egui::{
    Context, Frame, Id, LayerId, Margin, Panel as EguiPanel, Rect, RichText, ScrollArea, Ui,
    UiBuilder,
};

pub use caption::CaptionCard;
pub use help::HelpSheet;
pub use inspector::{Inspection, InspectorPanel};
pub use legend::LegendPanel;
pub use open::{OpenDialog, OpenView};
pub use path::{PathPanel, PathView};
pub use pictures::PictureButton;
pub use plots::{Plot, PlotView, Plots};
pub use prompt::PromptPanel;
pub use recording::RecordButtons;
pub use show::ShowPanel;
pub use text::TextPanel;
pub use tooltip::Tooltip;
pub use tour::TourCard;
pub use transport::TransportPanel;
pub use viewpoints::ViewpointsSection;

use super::theme;
use super::view::UiView;
use crate::ablation::Ablation;
use crate::color::{RangeSettings, Theme};
use crate::engine::Study;
use crate::layout::{Cell, Kind};
use crate::model::{ModelSource, SamplerSettings};
use crate::viewer::camera_path::PathWish;
use crate::viewer::filming::{FilmWish, PictureWish};
use crate::viewer::inference::Topic;
use crate::viewer::scene::{ArcChoice, Cloud, ColorBy, Reduction};
use crate::viewer::slots::SlotWish;
use crate::viewer::tour::TourWish;

/// What the user wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Intent {
    /// Begin a text with this prompt.
    Begin(String),
    /// Open the dialog that opens a model, or close it.
    ToggleOpen,
    /// Open this model in place of the one on show, once it is ready.
    Open(ModelSource),
    /// Load no model any more.
    CancelLoad,
    /// Leave this one out of the models opened last.
    ForgetRecent(String),
    /// Stop computing.
    Stop,
    /// Save the text so far as a trace.
    SaveTrace,
    /// Choose tokens so from now on.
    Sample(SamplerSettings),
    /// Play or pause.
    TogglePlay,
    /// One token on.
    StepForward,
    /// One token back.
    StepBack,
    /// Run the signal through the pass again.
    Replay,
    /// Show the text up to this position.
    SeekLane(usize),
    /// Show the pass up to this hook point.
    SeekOrder(f32),
    /// Layers a second.
    Speed(f32),
    /// Something of a saved viewpoint.
    Slot(SlotWish),
    /// Something of the guided tour.
    Tour(TourWish),
    /// Something of the camera's path.
    Path(PathWish),
    /// Open the timeline of the camera's path, or close it.
    TogglePath,
    /// Something of a film of the window.
    Film(FilmWish),
    /// A picture of the window.
    Picture(PictureWish),
    /// Dark or light.
    Theme(Theme),
    /// With arcs, or without.
    Arcs(bool),
    /// Weights below this have no arc.
    ArcThreshold(f32),
    /// Which heads have arcs, and what an arc stands for.
    ChooseArcs(ArcChoice),
    /// What attention comes down to, seen from afar.
    Reduce(Reduction),
    /// With links to what a value is computed from, or without.
    Links(bool),
    /// Leave these kinds out, and no other.
    Hide(BTreeSet<Kind>),
    /// What colours and heights stand for.
    ColorBy(ColorBy),
    /// Set these parts to zero, and no other.
    Ablate(Vec<Ablation>),
    /// Have this answered.
    Study(Topic, Study),
    /// Forget the question of this topic.
    CancelStudy(Topic),
    /// Open this view beside the world, bring it to the front, or close it.
    TogglePlot(Plot),
    /// Make a window of this view, or dock it again.
    TearPlot(Plot),
    /// Show this projection in the world, or none.
    Cloud(Option<Arc<Cloud>>),
    /// Choose this token among those of a projection, or none.
    ChooseToken(Option<u32>),
    /// Fly to the projection in the world.
    VisitCloud,
    /// Pin this number.
    Pin(Cell),
    /// Pin this number and fly there.
    Visit(Cell),
    /// Let go of the pinned number.
    Unpin,
    /// Which values share a range.
    Ranges(RangeSettings),
    /// With names in the world, or without.
    Labels(bool),
    /// The failure was read.
    DismissFailure,
}

/// All panels.
#[derive(Default)]
pub struct Panels {
    /// Prompt and sampler.
    pub prompt: PromptPanel,
    /// Which parts of the world are shown.
    pub show: ShowPanel,
    /// The views beside the world.
    pub plots: Plots,
    /// The text so far and what may come next.
    pub text: TextPanel,
    /// The number that was chosen.
    pub inspector: InspectorPanel,
    /// What the colours mean.
    pub legend: LegendPanel,
    /// Playhead and status.
    pub transport: TransportPanel,
    /// What is pointed at.
    pub tooltip: Tooltip,
    /// The dialog that opens another model.
    pub open: OpenDialog,
    /// The keys.
    pub help: HelpSheet,
    /// What the guided tour says.
    pub tour: TourCard,
    /// The camera's path.
    pub path: PathPanel,
}

/// A window narrower than this, in points, has no panels at its sides.
const ROOM_FOR_SIDES: f32 = 560.0;

impl Panels {
    /// Draws those that find room, and says which part in the middle they leave free.
    pub fn show(
        &mut self,
        context: &Context,
        view: &UiView<'_>,
        plot_view: &PlotView<'_>,
        path_view: &PathView<'_>,
        inspection: Option<&Inspection<'_>>,
        intents: &mut Vec<Intent>,
    ) -> Rect {
        let mut root = root_ui(context);
        let frame = Frame::NONE
            .fill(theme::panel_fill(view.theme))
            .inner_margin(Margin::symmetric(12, 10));
        EguiPanel::bottom("transport")
            .frame(frame)
            .resizable(false)
            .show_separator_line(false)
            .show_inside(&mut root, |ui| self.transport.ui(ui, view, intents));
        if self.path.is_open {
            EguiPanel::bottom("path")
                .frame(frame)
                .resizable(false)
                .show_inside(&mut root, |ui| self.path.ui(ui, path_view, intents));
        }
        // A panel that was squeezed once stays narrow: rather none.
        if root.available_width() < ROOM_FOR_SIDES {
            self.help.show(context, view.theme);
            return root.available_rect_before_wrap();
        }
        EguiPanel::left("prompt")
            .frame(frame)
            .default_size(232.0)
            .show_separator_line(false)
            .show_inside(&mut root, |ui| {
                column().show(ui, |ui| {
                    self.prompt.ui(ui, view, &self.plots.dock, intents);
                    ui.add_space(8.0);
                    ui.separator();
                    self.show.ui(ui, view, intents);
                });
            });
        EguiPanel::right("text")
            .frame(frame)
            .default_size(248.0)
            .show_separator_line(false)
            .show_inside(&mut root, |ui| {
                // What the colours mean is always there.
                EguiPanel::bottom("legend")
                    .frame(Frame::NONE)
                    .resizable(false)
                    .show_separator_line(false)
                    .show_inside(ui, |ui| {
                        ui.separator();
                        self.legend.ui(ui, view);
                    });
                column().show(ui, |ui| {
                    if let Some(inspection) = inspection {
                        self.inspector.ui(ui, inspection, view.theme, intents);
                        ui.add_space(8.0);
                        ui.separator();
                    }
                    self.text.ui(ui, view, intents);
                });
            });
        let world = self.plots.show(&mut root, plot_view, intents);
        self.help.show(context, view.theme);
        world
    }

    /// Draws the legend by itself, for pictures of the world, and says how much it takes at the right.
    pub fn show_legend_only(&mut self, context: &Context, view: &UiView<'_>) -> f32 {
        let margin = 16.0;
        let legend = egui::Area::new(Id::new("legend"))
            .anchor(egui::Align2::RIGHT_BOTTOM, egui::vec2(-margin, -margin))
            .interactable(false)
            .fade_in(false)
            .show(context, |ui| {
                Frame::NONE
                    .fill(theme::panel_fill(view.theme))
                    .corner_radius(6)
                    .inner_margin(Margin::symmetric(12, 9))
                    .show(ui, |ui| {
                        ui.set_width(220.0);
                        if let Some(model) = view.model {
                            ui.label(RichText::new(&model.name).strong());
                            let facts = RichText::new(transport::facts(&model.config));
                            ui.label(facts.size(11.0).color(theme::weak_text(view.theme)));
                            ui.separator();
                        }
                        self.legend.ui(ui, view);
                    });
            });
        // In a small picture the world goes behind it.
        let taken = legend.response.rect.width() + margin;
        if taken < 0.3 * context.viewport_rect().width() {
            taken
        } else {
            0.0
        }
    }
}

fn root_ui(context: &Context) -> Ui {
    Ui::new(
        context.clone(),
        Id::new("llmscope"),
        UiBuilder::new()
            .layer_id(LayerId::background())
            .max_rect(context.viewport_rect()),
    )
}

/// A panel's heading.
fn heading(ui: &mut Ui, text: &str) {
    ui.label(RichText::new(text).heading().strong());
}

/// A column that may be higher than the window. A mouse scrolls it by wheel and bar: dragged by its
/// ground, it would move under a button that is pressed in haste.
fn column() -> ScrollArea {
    let source = ScrollSource {
        drag: false,
        ..ScrollSource::ALL
    };
    ScrollArea::vertical().scroll_source(source)
}
