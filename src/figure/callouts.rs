//! A picture with names beside it, each led to its place by a line.

use super::canvas::{Area, Canvas};
use super::drawing::{Pixels, Stroke, TextAnchor};
use super::look::{LABEL_SIZE, SMALL_SIZE};
use super::sheet::Chart;

/// A name for a place of the picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Callout {
    /// The place: shares of the picture's width and height from the top left.
    pub place: (f32, f32),
    /// What is there.
    pub title: String,
    /// More of it, in a line each.
    pub details: Vec<String>,
}

/// A picture with names beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Callouts {
    /// The picture.
    pub picture: Pixels,
    /// The names.
    pub callouts: Vec<Callout>,
}

const SIDE: f32 = 196.0;
const PICTURE_WIDTH: f32 = 820.0;
const TITLE: f32 = LABEL_SIZE + 1.5;
const DETAIL: f32 = SMALL_SIZE + 3.5;
const GAP: f32 = 10.0;

/// A callout's place on the page and the middle of its name's side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Leader {
    /// Which callout.
    pub index: usize,
    /// Where its name ends.
    pub from: (f32, f32),
    /// The place it names.
    pub to: (f32, f32),
}

/// Gives each of the places `to` one of the ends `from`, so that no two straight lines between them
/// cross: each exchange of a crossing pair shortens them all, so that it ends.
pub(super) fn uncrossed(from: &[(f32, f32)], to: &[(usize, (f32, f32))]) -> Vec<Leader> {
    let mut leaders: Vec<Leader> = from
        .iter()
        .zip(to)
        .map(|(from, (index, to))| Leader {
            index: *index,
            from: *from,
            to: *to,
        })
        .collect();
    let mut is_changed = true;
    while is_changed {
        is_changed = false;
        for a in 0..leaders.len() {
            for b in a + 1..leaders.len() {
                if crosses(&leaders[a], &leaders[b]) {
                    let end = leaders[a].from;
                    leaders[a].from = leaders[b].from;
                    leaders[b].from = end;
                    is_changed = true;
                }
            }
        }
    }
    leaders
}

/// Whether two straight lines have a point in common within both.
pub(super) fn crosses(a: &Leader, b: &Leader) -> bool {
    let side = |p: (f32, f32), q: (f32, f32), r: (f32, f32)| {
        (q.0 - p.0) * (r.1 - p.1) - (q.1 - p.1) * (r.0 - p.0)
    };
    side(a.from, a.to, b.from) * side(a.from, a.to, b.to) < 0.0
        && side(b.from, b.to, a.from) * side(b.from, b.to, a.to) < 0.0
}

impl Callouts {
    /// Width over height.
    fn aspect(&self) -> f32 {
        self.picture.width.max(1) as f32 / self.picture.height.max(1) as f32
    }

    fn slot_height(&self) -> f32 {
        let most = self.callouts.iter().map(|callout| callout.details.len());
        TITLE + most.max().unwrap_or(0) as f32 * DETAIL + GAP
    }

    /// The callouts of the left half and of the right one, each from the top down.
    fn sides(&self) -> [Vec<usize>; 2] {
        let mut order: Vec<usize> = (0..self.callouts.len()).collect();
        order.sort_by(|a, b| {
            self.callouts[*a]
                .place
                .0
                .total_cmp(&self.callouts[*b].place.0)
        });
        let right = order.split_off(order.len().div_ceil(2));
        [order, right].map(|mut side| {
            side.sort_by(|a, b| {
                self.callouts[*a]
                    .place
                    .1
                    .total_cmp(&self.callouts[*b].place.1)
            });
            side
        })
    }

    /// Where each side's names end, and the places they lead to.
    pub(super) fn leaders(&self, names: Area, picture: Area) -> [Vec<Leader>; 2] {
        let sides = self.sides();
        let ends = [picture.x - 12.0, picture.right() + 12.0];
        let mut all = [Vec::new(), Vec::new()];
        for ((side, x), leaders) in sides.iter().zip(ends).zip(&mut all) {
            let pitch = names.height / side.len().max(1) as f32;
            let from: Vec<(f32, f32)> = (0..side.len())
                .map(|slot| (x, names.y + (slot as f32 + 0.5) * pitch))
                .collect();
            let to: Vec<(usize, (f32, f32))> = side
                .iter()
                .map(|index| {
                    let (x, y) = self.callouts[*index].place;
                    let at = (
                        picture.x + x * picture.width,
                        picture.y + y * picture.height,
                    );
                    (*index, at)
                })
                .collect();
            *leaders = uncrossed(&from, &to);
        }
        all
    }

    fn draw_name(&self, canvas: &mut Canvas<'_>, leader: &Leader, anchor: TextAnchor) {
        let look = canvas.look();
        let callout = &self.callouts[leader.index];
        let height = TITLE + callout.details.len() as f32 * DETAIL;
        let (x, mut y) = (leader.from.0, leader.from.1 - 0.5 * height + LABEL_SIZE);
        let x = if anchor == TextAnchor::End {
            x - 6.0
        } else {
            x + 6.0
        };
        let title = canvas.fit(&callout.title, LABEL_SIZE, SIDE - 22.0);
        canvas.strong(&title, (x, y), LABEL_SIZE, look.text(), anchor);
        for detail in &callout.details {
            y += DETAIL;
            let detail = canvas.fit(detail, SMALL_SIZE, SIDE - 22.0);
            canvas.text(&detail, (x, y), SMALL_SIZE, look.faint(), anchor);
        }
    }
}

impl Chart for Callouts {
    fn natural_size(&self, _canvas: &Canvas<'_>) -> (f32, f32) {
        let n = self.callouts.len().div_ceil(2) as f32;
        let height = (PICTURE_WIDTH / self.aspect()).max(n * self.slot_height());
        (PICTURE_WIDTH + 2.0 * SIDE, height)
    }

    fn draw(&self, canvas: &mut Canvas<'_>, area: Area) {
        let look = canvas.look();
        let room = area.inset(SIDE, 0.0, SIDE, 0.0);
        let height = room.height.min(room.width / self.aspect());
        let width = height * self.aspect();
        let picture = Area {
            x: room.x + 0.5 * (room.width - width),
            y: room.y + 0.5 * (room.height - height),
            width,
            height,
        };
        canvas
            .drawing
            .picture(picture.rect(), self.picture.clone(), false);
        canvas
            .drawing
            .frame(picture.rect(), Stroke::new(look.grid(), 0.75), 0.0);
        let leaders = self.leaders(area, picture);
        for (side, anchor) in leaders.iter().zip([TextAnchor::End, TextAnchor::Start]) {
            for leader in side {
                let stroke = Stroke::new(look.faint(), 0.9);
                canvas.drawing.line(&[leader.from, leader.to], stroke);
                canvas.drawing.disc(leader.to, 3.6, look.ground(), "");
                canvas.drawing.disc(leader.to, 2.4, look.text(), "");
                self.draw_name(canvas, leader, anchor);
            }
        }
    }
}
