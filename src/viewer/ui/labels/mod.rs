//! Names in the world: gathered from the layout, given room, and drawn.
//!
//! [`collect`] is a pure function from what there is and where the eye stands to placed labels;
//! [`draw`] paints them.

mod cells;
mod cloud;
mod eye;
mod lens;
mod names;
mod room;

use egui::{Color32, FontId, LayerId, Pos2, Rect, Vec2};
use glam::Vec3;

pub use cells::CellLook;
pub use cloud::CloudScene;
pub use eye::Eye;
pub use room::Room;

use super::theme;
use crate::ablation::Ablation;
use crate::analysis::Candidate;
use crate::color::{Rgb, Theme};
use crate::hook::{BlockSite, HookPoint};
use crate::layout::{CellId, ModelLayout};
use crate::viewer::playback::Playhead;

/// What there is to name.
pub struct LabelScene<'a> {
    /// Where everything stands.
    pub layout: &'a ModelLayout,
    /// From where it is seen.
    pub eye: Eye,
    /// The part of the picture that labels may use.
    pub room: Room<'a>,
    /// The token at every position.
    pub tokens: &'a [u32],
    /// A token's text, as labels show it.
    pub token_text: &'a dyn Fn(u32) -> String,
    /// How far the signal has come.
    pub playhead: Playhead,
    /// Hook points of a pass.
    pub n_orders: f32,
    /// What the end of a layer predicts to follow a position, most probable first.
    pub lens: &'a dyn Fn(usize, usize) -> Option<&'a [Candidate]>,
    /// What may follow the token at a position, most probable first; none if not computed yet.
    pub predictions: &'a dyn Fn(usize) -> Option<&'a [Candidate]>,
    /// What the square beside the heads' patterns shows, such as `mean of heads`.
    pub pooled: &'a str,
    /// The parts that are set to zero.
    pub ablations: &'a [Ablation],
    /// The projection that stands in the world.
    pub cloud: Option<CloudScene<'a>>,
    /// A cell's value and look; none where there is no value.
    pub cell: &'a dyn Fn(CellId) -> Option<CellLook>,
}

impl LabelScene<'_> {
    /// How much of what a pass computes at hook point number `order` is shown in a lane, 0 to 1.
    fn lit(&self, lane: usize, order: f32) -> f32 {
        if lane >= self.tokens.len() || lane > self.playhead.lane {
            0.0
        } else if lane < self.playhead.first_lane {
            1.0
        } else {
            (self.playhead.order - order).clamp(0.0, 1.0)
        }
    }

    /// What is added to the name of a head that is set to zero: one of `hook`, or all of the query's
    /// head where that is no shared one.
    fn zeroed(&self, hook: HookPoint, head: usize, is_shared: bool) -> &'static str {
        let whole = hook.layer().filter(|_| !is_shared);
        let whole = whole.map(|layer| HookPoint::block(layer, BlockSite::Z));
        let is_zero = self.ablations.iter().any(|part| {
            part.covers(hook, head, 0) || whole.is_some_and(|z| part.covers(z, head, 0))
        });
        if is_zero { ", zero" } else { "" }
    }

    /// The middle of a lane.
    fn lane_middle(&self, lane: usize) -> f32 {
        self.layout.lane_x(lane) + 0.5 * self.layout.tile_size.x
    }
}

/// The ink of a label.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tone {
    /// A token, a layer: strong text on a shade.
    Name,
    /// What steps back: weak text on a shade.
    Aside,
    /// A value on a cell of this colour: dark or light, with no shade.
    OnCell(Rgb),
}

/// A label that asks for room.
struct Label {
    /// Lower ones find room first.
    tier: u8,
    /// Order within the tier; never changes with the camera.
    rank: u32,
    /// Where it stands, in points.
    place: Pos2,
    /// The direction it is pushed to from there, of length one; zero stands around it.
    away: Vec2,
    /// Along this way, in points, it moves to stay in the picture.
    slide: Vec2,
    text: String,
    tail: Tail,
    /// In points.
    font_size: f32,
    tone: Tone,
    /// 0 where it is not there, 1 where it is; what fades with distance.
    presence: f32,
    /// How strong the ink is, 0 to 1.
    ink: f32,
}

impl Tone {
    /// The shade around the text, in points.
    fn margin(self) -> Vec2 {
        match self {
            Self::Name | Self::Aside => egui::vec2(4.0, 1.0),
            Self::OnCell(_) => Vec2::ZERO,
        }
    }
}

/// What follows a label's text where there is more room.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tail {
    /// What it says.
    pub text: String,
    /// How much of it there is, 0 to 1: it grows in and out.
    pub share: f32,
}

/// A label with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// Where it is, with its shade, in points.
    pub rect: Rect,
    /// How much it shows, 0 to 1.
    pub alpha: f32,
    /// How strong its ink is, 0 to 1.
    pub ink: f32,
    /// What it says.
    pub text: String,
    /// What follows it.
    pub tail: Tail,
    /// In points.
    pub font_size: f32,
    /// Its ink.
    pub tone: Tone,
}

/// Labels as they are gathered: what is out of the picture is never written out.
struct Labels<'s, 'a> {
    scene: &'s LabelScene<'a>,
    list: Vec<Label>,
}

/// Where a label stands in the world.
#[derive(Clone, Copy)]
struct Spot {
    at: Vec3,
    /// Another point, in the direction the label is pushed to.
    away: Option<Vec3>,
    /// The far end of what is named: up to there the label moves to stay in the picture.
    until: Option<Vec3>,
}

impl Spot {
    /// Around a point.
    fn at(at: Vec3) -> Self {
        Self {
            at,
            away: None,
            until: None,
        }
    }

    /// Beside a point, on the side of another.
    fn beside(at: Vec3, away: Vec3) -> Self {
        Self {
            away: Some(away),
            ..Self::at(at)
        }
    }
}

/// What a kind of labels has in common.
#[derive(Clone, Copy)]
struct Style {
    tier: u8,
    font_size: f32,
    tone: Tone,
}

impl Labels<'_, '_> {
    fn add(
        &mut self,
        style: Style,
        rank: u32,
        spot: Spot,
        presence: f32,
        ink: f32,
        text: impl FnOnce() -> String,
    ) {
        let with_tail = || (text(), Tail::default());
        self.add_with_tail(style, rank, spot, presence, ink, with_tail);
    }

    fn add_with_tail(
        &mut self,
        style: Style,
        rank: u32,
        spot: Spot,
        presence: f32,
        ink: f32,
        text: impl FnOnce() -> (String, Tail),
    ) {
        if presence <= 0.0 {
            return;
        }
        let Some(place) = self.scene.eye.project(spot.at) else {
            return;
        };
        // Where the label itself does not reach into the picture it need not be written out.
        let until = spot.until.and_then(|until| self.scene.eye.project(until));
        let reach = Rect::from_two_pos(place, until.unwrap_or(place)).expand(120.0);
        if !self.scene.room.free.intersects(reach) {
            return;
        }
        let away = spot.away.and_then(|away| self.scene.eye.project(away));
        let away = away.map_or(Vec2::ZERO, |away| (away - place).normalized());
        let (text, tail) = text();
        self.list.push(Label {
            tier: style.tier,
            rank,
            place,
            away,
            slide: until.map_or(Vec2::ZERO, |until| until - place),
            text,
            tail,
            font_size: style.font_size,
            tone: style.tone,
            presence,
            ink,
        });
    }
}

/// The labels that are to be seen, the most important first; no two overlap, and none leaves the
/// room. `measure` gives a text's size at a font size, in points.
pub fn collect(scene: &LabelScene<'_>, measure: &mut dyn FnMut(&str, f32) -> Vec2) -> Vec<Placed> {
    let mut labels = Labels {
        scene,
        list: Vec::new(),
    };
    names::add(&mut labels);
    lens::add(&mut labels);
    cells::add(&mut labels);
    cloud::add(&mut labels);
    room::place(labels.list, &scene.room, measure)
}

/// Draws the labels that are to be seen.
pub fn draw(context: &egui::Context, theme: Theme, scene: &LabelScene<'_>) {
    // The same layer as the panels', beside which the labels keep.
    let painter = context.layer_painter(LayerId::background());
    let mut measure = |text: &str, font_size: f32| {
        let font = FontId::proportional(font_size);
        // Laid out once, egui keeps it for as long as it is drawn.
        let galley = painter.layout_no_wrap(text.to_owned(), font, Color32::PLACEHOLDER);
        galley.size()
    };
    for label in collect(scene, &mut measure) {
        let (ink, has_shade) = match label.tone {
            Tone::Name => (theme::text_of_strength(theme, label.ink), true),
            Tone::Aside => (theme::weak_text(theme), true),
            Tone::OnCell(rgb) => (theme::ink_on(rgb), false),
        };
        if has_shade {
            let shade = theme::faded(theme::label_fill(theme), label.alpha);
            painter.rect_filled(label.rect, 3.0, shade);
        }
        let font = FontId::proportional(label.font_size);
        let galley = painter.layout_no_wrap(label.text, font.clone(), Color32::PLACEHOLDER);
        let corner = label.rect.min + label.tone.margin();
        let tail_corner = corner + egui::vec2(galley.size().x, 0.0);
        painter.galley(corner, galley, theme::faded(ink, label.alpha));
        if label.tail.share > 0.0 {
            let galley = painter.layout_no_wrap(label.tail.text, font, Color32::PLACEHOLDER);
            // Where there is little of it, it is all past the label's end.
            let alpha = label.alpha * eye::fade(0.5, 1.0, label.tail.share);
            painter.galley(tail_corner, galley, theme::faded(ink, alpha));
        }
    }
}

#[cfg(test)]
mod tests;
