//! Tokens as points: vectors of the text or of the whole vocabulary, projected to two or three
//! dimensions beside the frames, and the nearest vectors of the one that is chosen.

mod choosing;
mod cloud;
mod controls;
mod desk;
mod dots;
mod frame;
mod heading;
mod look;
mod nearest;
mod orders;
mod scatter;
mod subject;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use egui::{Align, Layout, ScrollArea, Ui, vec2};

use super::parts::{Cached, note};
use super::{PlotView, TokenPicker, nothing_yet};
use crate::config::ModelConfig;
use crate::viewer::ui::panels::Intent;
use choosing::Followed;
use controls::Choice;
use desk::Desk;
use dots::Scattered;
use heading::method_in_words;
use scatter::{Scatter, ScatterView};
use subject::{Origin, Subject, grouped};

/// Tokens as points.
#[derive(Default)]
pub struct EmbeddingsPlot {
    choice: Choice,
    desk: Desk,
    /// What can't be ordered, and why.
    missing: Option<(Origin, String)>,
    scatter: Scatter,
    picker: TokenPicker,
    /// Where between the places of the pass the points stand.
    place: f32,
    is_playing: bool,
    points: Cached<(u64, u32), Vec<f32>>,
    /// The point that is chosen.
    chosen: Option<usize>,
    followed: Followed,
    metric: usize,
    /// What stands in the world: the picture, the place and the text.
    sent: Option<(u64, u32, u64)>,
    /// Points in the list of neighbours.
    listed: Vec<usize>,
}

/// A panel wider than this has the choices and the neighbours beside the picture.
const WIDE: f32 = 600.0;
/// Width of what stands beside the picture, in points.
const SIDE_WIDTH: f32 = 250.0;
/// Height of the neighbours that is seen below the picture, in points.
const LIST_HEIGHT: f32 = 120.0;
/// The least height of the picture where it can be scrolled to, in points.
const LEAST_HEIGHT: f32 = 280.0;

impl EmbeddingsPlot {
    /// Draws the view.
    pub fn ui(&mut self, ui: &mut Ui, view: &PlotView<'_>, intents: &mut Vec<Intent>) {
        let has_vectors = |model: &&crate::engine::LoadedModel| {
            !view.positions.is_empty() || model.weights.is_some()
        };
        let Some(model) = view.model.filter(has_vectors) else {
            nothing_yet(ui, view, "Tokens as points in two or three dimensions");
            return;
        };
        self.order(view);
        if self.desk.advance() {
            ui.ctx().request_repaint();
        }
        self.follow(view, intents);
        let room = ui.available_size();
        if room.x > WIDE {
            let beside = vec2(room.x - SIDE_WIDTH - 14.0, room.y);
            ui.horizontal_top(|ui| {
                ui.allocate_ui_with_layout(beside, Layout::top_down(Align::Min), |ui| {
                    self.picture(ui, view, room.y, intents);
                });
                ui.vertical(|ui| {
                    ScrollArea::vertical()
                        .auto_shrink([false, false])
                        .show(ui, |ui| {
                            self.choices(ui, view, &model.config, intents);
                            self.neighbors(ui, view, intents);
                        });
                });
            });
        } else {
            ScrollArea::vertical()
                .auto_shrink([false, false])
                .show(ui, |ui| {
                    self.choices(ui, view, &model.config, intents);
                    let height = (ui.available_height() - LIST_HEIGHT).max(LEAST_HEIGHT);
                    self.picture(ui, view, height, intents);
                    self.neighbors(ui, view, intents);
                });
        }
        self.send_cloud(view, intents);
    }

    /// Tokens whose texts were drawn last, beside points and in the list: their characters need fonts.
    pub fn named_tokens(&self) -> impl Iterator<Item = u32> + '_ {
        let subject = self.desk.picture.as_ref().map(|picture| &picture.subject);
        let named = self.scatter.named.iter().chain(&self.listed);
        named.filter_map(move |point| subject?.tokens.get(*point).copied())
    }

    /// What can be chosen, and how what was chosen is doing.
    fn choices(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        config: &ModelConfig,
        intents: &mut Vec<Intent>,
    ) {
        let before = self.choice;
        self.choice.ui(ui, view, config);
        if before != self.choice {
            self.scatter.fit();
        }
        self.status(ui, view);
        let Some(picture) = &self.desk.picture else {
            return;
        };
        let subject = Arc::clone(&picture.subject);
        self.facts(ui, view);
        self.search(ui, view, &subject, intents);
    }

    fn picture(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        height: f32,
        intents: &mut Vec<Intent>,
    ) {
        let Some(picture) = &self.desk.picture else {
            ui.vertical_centered(|ui| {
                ui.add_space((0.3 * height).clamp(8.0, 120.0));
                note(
                    ui,
                    view.theme,
                    "The picture appears here while it is computed",
                );
            });
            return;
        };
        let subject = Arc::clone(&picture.subject);
        let top = ui.cursor().top();
        self.title(ui);
        if subject.n_places() > 1 {
            self.player(ui, &subject);
        } else {
            self.place = 0.0;
        }
        if let Some(point) = self.chosen {
            self.desk.seek(&subject, point, self.place.round() as usize);
        }
        let used = ui.cursor().top() - top;
        self.scatter(ui, view, height - used, intents);
    }

    fn scatter(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        height: f32,
        intents: &mut Vec<Intent>,
    ) {
        let Some(picture) = &self.desk.picture else {
            return;
        };
        let (subject, projection) = (
            Arc::clone(&picture.subject),
            Arc::clone(&picture.projection),
        );
        let key = (self.desk.version, self.place.to_bits());
        let place = self.place;
        self.points
            .get(key, |_| subject.points_at(&projection, place));
        let Some(points) = self.points.last() else {
            return;
        };
        let values = lengths_at(&subject, place);
        let greatest = greatest(values);
        let marked = marked(&subject, view);
        let near: Vec<usize> = match (&self.desk.nearest.near, self.chosen) {
            (Some(near), Some(_)) => near[self.metric]
                .iter()
                .take(8)
                .map(|near| near.index)
                .collect(),
            _ => Vec::new(),
        };
        let axes: Vec<String> = (0..projection.n_dims)
            .map(|axis| projection.axis(axis))
            .collect();
        let scatter_view = ScatterView {
            name: &format!("Points of {}", subject.title),
            scattered: Scattered {
                points,
                n_dims: projection.n_dims,
                values,
                greatest,
                version: self.points.generation(),
            },
            reach: &projection.points,
            axes: &axes,
            value: "length",
            label: &|point| (view.token_text)(subject.tokens[point]),
            spelled: &|point| nearest::name(view, &subject, point),
            marked: &marked,
            chosen: self.chosen,
            near: &near,
            height,
            theme: view.theme,
        };
        let output = self.scatter.ui(ui, &scatter_view);
        if let Some(point) = output.double_clicked {
            intents.push(Intent::Visit(subject.cell(point, place.round() as usize)));
        } else if let Some(point) = output.clicked {
            self.choose(point, &subject, intents);
        }
    }

    fn neighbors(&mut self, ui: &mut Ui, view: &PlotView<'_>, intents: &mut Vec<Intent>) {
        self.listed.clear();
        let Some(picture) = &self.desk.picture else {
            return;
        };
        let subject = Arc::clone(&picture.subject);
        let Some(chosen) = self.chosen else {
            let n = grouped(subject.tokens.len());
            let text = format!("Choose one of the {n} tokens to see its nearest");
            note(ui, view.theme, text);
            return;
        };
        let nearest = &self.desk.nearest;
        if let Some(near) = &nearest.near {
            let near = near[self.metric].iter();
            self.listed.extend(near.map(|near| near.index));
        }
        let clicked = nearest::list(ui, view, &subject, chosen, nearest, &mut self.metric);
        if let Some(point) = clicked {
            self.choose(point, &subject, intents);
        }
    }

    /// Puts a picture of three axes into the world, and takes it away when there is none.
    fn send_cloud(&mut self, view: &PlotView<'_>, intents: &mut Vec<Intent>) {
        let picture = self.desk.picture.as_ref();
        let Some(picture) = picture.filter(|picture| picture.projection.n_dims == 3) else {
            if self.sent.take().is_some() {
                intents.push(Intent::Cloud(None));
            }
            return;
        };
        let key = (self.desk.version, self.place.to_bits(), view.version);
        if self.sent == Some(key) {
            return;
        }
        let Some(points) = self.points.last() else {
            return;
        };
        self.sent = Some(key);
        let projection = &picture.projection;
        let axes: Vec<String> = (0..3).map(|axis| projection.axis(axis)).collect();
        let title = format!(
            "{}, {}",
            picture.subject.title,
            method_in_words(projection.method)
        );
        let values = lengths_at(&picture.subject, self.place);
        let names = (title.as_str(), axes.as_slice(), "length of the vector");
        let cloud = cloud::cloud(
            &picture.subject,
            points,
            &projection.points,
            values,
            names,
            view,
        );
        intents.push(Intent::Cloud(Some(cloud)));
    }
}

/// The lengths of the vectors at a place; none before they are read.
fn lengths_at(subject: &Subject, place: f32) -> &[f32] {
    let n = subject.tokens.len();
    let lengths = subject.source.lengths().unwrap_or_default();
    let start = place.round() as usize * n;
    lengths.get(start..start + n).unwrap_or_default()
}

fn greatest(values: &[f32]) -> f32 {
    let finite = values.iter().copied().filter(|value| value.is_finite());
    finite.fold(0.0, f32::max)
}

/// Points of the text's tokens.
fn marked(subject: &Subject, view: &PlotView<'_>) -> Vec<usize> {
    if subject.is_text() {
        return (0..subject.tokens.len()).collect();
    }
    let tokens = view
        .positions
        .iter()
        .map(|position| position.token as usize);
    let own: std::collections::BTreeSet<usize> = tokens
        .filter(|token| *token < subject.tokens.len())
        .collect();
    own.into_iter().collect()
}
