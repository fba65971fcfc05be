//! How a prediction is brought down to its tokens.

use egui::{ComboBox, DragValue, Ui};

use crate::analysis::SaliencyMeasure;
use crate::attribution::{Baseline, IntegrationSettings};
use crate::viewer::ui::panels::plots::{PlotView, TokenPicker};

/// How a prediction is brought down to its tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// The derivative times the value.
    #[default]
    TimesInput,
    /// The derivative's length.
    Norm,
    /// The mean derivative on the way from a baseline, times the way.
    Integrated,
}

impl Method {
    /// All of them, with their names and what they are.
    pub const ALL: [(Self, &'static str, &'static str); 3] = [
        (
            Self::TimesInput,
            "gradient × input",
            "The derivative times the value: what the target would lose, to first order, without it",
        ),
        (
            Self::Norm,
            "gradient norm",
            "The derivative's length: how much the target changes at most, for a step of length 1",
        ),
        (
            Self::Integrated,
            "integrated gradients",
            "The mean derivative on the straight way from a baseline, times the way (Sundararajan, \
             Taly and Yan 2017)",
        ),
    ];

    /// What of the derivatives it shows; none of another way.
    pub fn measure(self) -> Option<SaliencyMeasure> {
        match self {
            Self::TimesInput => Some(SaliencyMeasure::GradientTimesInput),
            Self::Norm => Some(SaliencyMeasure::GradientNorm),
            Self::Integrated => None,
        }
    }
}

/// How integrated gradients are to be computed.
pub struct Integration {
    n_steps: usize,
    kind: BaselineKind,
    token: TokenPicker,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BaselineKind {
    Zero,
    Mean,
    Token,
}

impl Default for Integration {
    fn default() -> Self {
        Self {
            n_steps: IntegrationSettings::default().n_steps,
            kind: BaselineKind::Zero,
            token: TokenPicker::default(),
        }
    }
}

impl Integration {
    /// The settings; none while a token is to be chosen.
    pub fn settings(&self) -> Option<IntegrationSettings> {
        let baseline = match self.kind {
            BaselineKind::Zero => Baseline::Zero,
            BaselineKind::Mean => Baseline::Mean,
            BaselineKind::Token => Baseline::Token(self.token.chosen()?),
        };
        Some(IntegrationSettings {
            n_steps: self.n_steps,
            baseline,
        })
    }

    /// Draws the choice.
    pub fn ui(&mut self, ui: &mut Ui, view: &PlotView<'_>) {
        ui.horizontal_wrapped(|ui| {
            let label = ui.label("steps");
            ui.add(DragValue::new(&mut self.n_steps).range(1..=1000))
                .labelled_by(label.id);
            ui.label("from");
            let title = |kind| match kind {
                BaselineKind::Zero => "zeros",
                BaselineKind::Mean => "the mean embedding",
                BaselineKind::Token => "a token",
            };
            ComboBox::from_id_salt("baseline")
                .selected_text(title(self.kind))
                .show_ui(ui, |ui| {
                    for kind in [BaselineKind::Zero, BaselineKind::Mean, BaselineKind::Token] {
                        ui.selectable_value(&mut self.kind, kind, title(kind));
                    }
                });
            if self.kind == BaselineKind::Token {
                self.token.ui(ui, view, "", "choose a token");
            }
        });
    }
}
