//! Which point is chosen: in the panel, by its token's text, or elsewhere in the viewer.

use egui::Ui;

use super::EmbeddingsPlot;
use super::dots::Scattered;
use super::subject::{Origin, Subject};
use crate::layout::Cell;
use crate::viewer::ui::panels::Intent;
use crate::viewer::ui::panels::plots::PlotView;
use crate::viewer::ui::panels::plots::parts::note;

/// What was chosen elsewhere when it was last looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Followed {
    origin: Option<Origin>,
    pinned: Option<Cell>,
    token: Option<u32>,
}

impl EmbeddingsPlot {
    /// Takes over what was chosen elsewhere.
    pub(super) fn follow(&mut self, view: &PlotView<'_>, intents: &mut Vec<Intent>) {
        let Some(picture) = &self.desk.picture else {
            return;
        };
        let subject = &picture.subject;
        let now = Followed {
            origin: Some(subject.origin),
            pinned: view.pinned,
            token: view.chosen_token,
        };
        if now == self.followed {
            return;
        }
        let is_other = now.origin != self.followed.origin;
        let token_at = |point: usize| subject.tokens.get(point).copied();
        let before = self.chosen;
        if is_other {
            self.chosen = None;
        }
        if now.token != self.followed.token || is_other {
            let has_it = self.chosen.and_then(token_at) == now.token;
            if !has_it || now.token.is_none() {
                self.chosen = now.token.and_then(|token| subject.point_of_token(token));
            }
        }
        if (now.pinned != self.followed.pinned || is_other)
            && let Some(cell) = now.pinned
            && let Some(point) = subject.point_of(cell, view)
        {
            self.chosen = Some(point);
            if token_at(point) != now.token {
                intents.push(Intent::ChooseToken(token_at(point)));
            }
        }
        self.followed = now;
        if self.chosen != before
            && let Some(point) = self.chosen
        {
            let points = Scattered {
                points: &picture.projection.points,
                n_dims: picture.projection.n_dims,
                values: &[],
                greatest: 0.0,
                version: 0,
            };
            self.scatter.reveal(&points, point);
        }
    }

    /// Finds a token by its text, shows all points, and flies to the cloud.
    pub(super) fn search(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        subject: &Subject,
        intents: &mut Vec<Intent>,
    ) {
        if self.picker.ui(ui, view, "find token", "none")
            && let Some(token) = self.picker.chosen()
        {
            match subject.point_of_token(token) {
                Some(point) => self.choose(point, subject, intents),
                None => intents.push(Intent::ChooseToken(Some(token))),
            }
        }
        if let Some(token) = self.picker.chosen()
            && subject.point_of_token(token).is_none()
        {
            note(
                ui,
                view.theme,
                format!("“{}” is not in this text", (view.token_text)(token)),
            );
        }
        let projection = self
            .desk
            .picture
            .as_ref()
            .map(|picture| &picture.projection);
        let is_cloud = projection.is_some_and(|projection| projection.n_dims == 3);
        ui.horizontal_wrapped(|ui| {
            let fit = ui.button("Show all points");
            if fit.on_hover_text("Home does the same").clicked() {
                self.scatter.fit();
            }
            let tip = "The three axes stand in the world, left of the entrance";
            if is_cloud && ui.button("Fly to the cloud").on_hover_text(tip).clicked() {
                intents.push(Intent::VisitCloud);
            }
        });
    }

    /// Chooses a point, here and in the world.
    pub(super) fn choose(&mut self, point: usize, subject: &Subject, intents: &mut Vec<Intent>) {
        self.chosen = Some(point);
        intents.push(Intent::ChooseToken(subject.tokens.get(point).copied()));
        intents.push(Intent::Pin(
            subject.cell(point, self.place.round() as usize),
        ));
    }
}
