//! What is asked about a prediction, and how far the answer to it is.
//!
//! A view says in every frame what it wants to know. Where that is answered it is shown; where not,
//! it is asked for once, and what another question was answered with is marked as outdated.

use egui::{ProgressBar, RichText, Ui};

use super::parts::note;
use super::{NO_WEIGHTS, PlotView};
use crate::config::ModelConfig;
use crate::engine::{Answer, Question, Study};
use crate::viewer::inference::{Studies, StudyState, Topic};
use crate::viewer::ui::panels::Intent;
use crate::viewer::ui::theme;

/// Whether what is wanted is known.
#[derive(Clone, Copy)]
enum Standing<'a> {
    /// It is.
    Answered,
    /// It is being worked on: steps done, and steps in all, where it is done in steps.
    UnderWay(Option<(usize, usize)>),
    /// It can't be.
    Failed(&'a str),
    /// Nobody has asked yet.
    Unasked,
}

/// A question, and what is known of it.
pub struct Inquiry<'a> {
    topic: Topic,
    wanted: Study,
    studies: &'a Studies,
}

/// An answer, and whether it is the one wanted.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// The study that it answers.
    pub study: &'a Study,
    /// The answer.
    pub answer: &'a Answer,
    /// Whether it answers what is asked now.
    pub is_current: bool,
}

fn is_same(study: &Study, wanted: &Study) -> bool {
    study.question == wanted.question
        && study.tokens == wanted.tokens
        && study.ablations == wanted.ablations
}

impl<'a> Inquiry<'a> {
    /// Asks about the text up to position `last`, computed as it is shown.
    pub fn new(view: &PlotView<'a>, topic: Topic, question: Question, last: usize) -> Self {
        let n_pos = (last + 1).min(view.tokens.len());
        Self {
            topic,
            studies: view.studies,
            wanted: Study {
                id: 0,
                tokens: view.tokens[..n_pos].to_vec(),
                ablations: view.ablations.to_vec(),
                question,
            },
        }
    }

    fn standing(&self) -> Standing<'a> {
        let asked = self.studies.get(self.topic);
        match asked.filter(|asked| is_same(&asked.study, &self.wanted)) {
            Some(asked) => match &asked.state {
                StudyState::Done(_) => Standing::Answered,
                StudyState::Working(steps) => Standing::UnderWay(*steps),
                StudyState::Failed(why) => Standing::Failed(why),
            },
            None => Standing::Unasked,
        }
    }

    /// The last answer there is about this text.
    pub fn known(&self, view: &PlotView<'_>) -> Option<Known<'a>> {
        let (study, answer) = self.studies.last_answer(self.topic)?;
        let is_of_text = view.tokens.starts_with(&study.tokens);
        is_of_text.then(|| Known {
            study,
            answer,
            is_current: is_same(study, &self.wanted),
        })
    }
}

/// Passes' worth of weights that are computed without being asked for: about two seconds of two
/// processor cores.
const QUICK: f64 = 1.2e10;

/// When a view has its question answered.
#[derive(Default)]
pub struct Asking {
    /// Whether it asks by itself; without a choice, where that is quick.
    choice: Option<bool>,
    /// What was stopped, and is not asked again by itself.
    stopped: Option<Study>,
}

impl Asking {
    /// Draws how far the answer is, asks for it where it is time to, and says what is known.
    ///
    /// `n_passes` is how many passes over the text it takes.
    pub fn ui<'a>(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'a>,
        config: &ModelConfig,
        inquiry: &Inquiry<'a>,
        n_passes: usize,
        intents: &mut Vec<Intent>,
    ) -> Option<Known<'a>> {
        if !view.can_run {
            note(ui, view.theme, NO_WEIGHTS);
            return None;
        }
        let n_weights = config.parameter_count() as f64;
        let is_quick = n_weights * (inquiry.wanted.tokens.len() * n_passes) as f64 <= QUICK;
        let mut is_automatic = self.choice.unwrap_or(is_quick);
        ui.horizontal(|ui| {
            self.line(ui, view, inquiry, is_automatic, intents);
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                let text = RichText::new("automatic").size(11.5);
                let hint = "Computes by itself whenever the text, the target or a setting changes";
                let switch = ui.checkbox(&mut is_automatic, text).on_hover_text(hint);
                if switch.changed() {
                    self.choice = Some(is_automatic);
                }
            });
        });
        inquiry.known(view)
    }

    fn line(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        inquiry: &Inquiry<'_>,
        is_automatic: bool,
        intents: &mut Vec<Intent>,
    ) {
        let mut is_asked = false;
        match inquiry.standing() {
            Standing::Answered => {
                let n = inquiry.wanted.tokens.len();
                note(ui, view.theme, format!("Computed over {n} tokens"));
                return;
            }
            Standing::UnderWay(steps) => {
                running(ui, steps);
                if ui.small_button("Stop").clicked() {
                    self.stopped = Some(inquiry.wanted.clone());
                    intents.push(Intent::CancelStudy(inquiry.topic));
                }
                ui.ctx().request_repaint();
            }
            Standing::Failed(why) => {
                let text = RichText::new(why).color(theme::failure_text(view.theme));
                is_asked = ui.small_button("Try again").clicked();
                ui.add(egui::Label::new(text).wrap());
            }
            Standing::Unasked => {
                let is_stopped = self.stopped.as_ref() == Some(&inquiry.wanted);
                let button = ui.small_button("Compute");
                // While a pass is computed the text is still changing.
                let is_time = is_automatic && !is_stopped && !view.is_computing;
                is_asked = button.clicked() || is_time;
                if is_stopped {
                    note(ui, view.theme, "Stopped");
                }
            }
        }
        if inquiry.known(view).is_some() {
            let text = RichText::new("outdated").size(11.5).strong();
            ui.label(text.color(theme::failure_text(view.theme)))
                .on_hover_text("What is shown below is of an earlier text, target or setting");
        }
        if is_asked {
            self.stopped = None;
            intents.push(Intent::Study(inquiry.topic, inquiry.wanted.clone()));
        }
    }
}

/// How far a study is.
fn running(ui: &mut Ui, steps: Option<(usize, usize)>) {
    let (share, text) = match steps {
        None => (0.0, "being computed".to_owned()),
        Some((n_done, n_all)) => (
            n_done as f32 / n_all.max(1) as f32,
            format!("{n_done} of {n_all} steps"),
        ),
    };
    ui.add(
        ProgressBar::new(share)
            .desired_width(160.0)
            .desired_height(13.0)
            .text(RichText::new(text).size(10.5)),
    );
}

/// Draws what is known of something that is asked; faint where it is not what is asked now.
pub fn shown<R>(ui: &mut Ui, is_current: bool, draw: impl FnOnce(&mut Ui) -> R) -> R {
    ui.scope(|ui| {
        if !is_current {
            ui.set_opacity(0.45);
        }
        draw(ui)
    })
    .inner
}
