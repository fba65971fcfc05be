//! A picture with names beside it, each led to its place by a line.

use super::canvas::{Area, Canvas};
use super::look::{LABEL_SIZE, SMALL_SIZE};
use super::marks::{Pixels, Stroke, TextAnchor};
use super::sheet::Chart;

/// A name for a place of the picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Callout {
    /// The place seen from the left, and from the right: shares of the picture's width and height
    /// from the top left.
    pub places: [(f32, f32); 2],
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

    /// The callouts of each side, left and right, from the top down: taken in turn, so that both have
    /// as many.
    fn sides(&self) -> [Vec<usize>; 2] {
        let mut order: Vec<usize> = (0..self.callouts.len()).collect();
        let height = |index: &usize| self.callouts[*index].places[0].1;
        order.sort_by(|a, b| height(a).total_cmp(&height(b)));
        [0, 1].map(|side| order.iter().copied().skip(side).step_by(2).collect())
    }

    /// The same with all that is to the left on the left: no line from one side then crosses one from
    /// the other.
    fn parted_sides(&self) -> [Vec<usize>; 2] {
        let mut order: Vec<usize> = (0..self.callouts.len()).collect();
        let place = |index: &usize| self.callouts[*index].places[0];
        order.sort_by(|a, b| place(a).0.total_cmp(&place(b).0));
        let right = order.split_off(order.len().div_ceil(2));
        [order, right].map(|mut side| {
            side.sort_by(|a, b| place(a).1.total_cmp(&place(b).1));
            side
        })
    }

    /// Each side's lines, from the names beside `names` to the places on `picture`.
    pub(super) fn leaders(&self, names: Area, picture: Area) -> [Vec<Leader>; 2] {
        let leaders = self.lead(self.sides(), [0, 1], names, picture);
        let [left, right] = &leaders;
        let mut pairs = left.iter().flat_map(|a| right.iter().map(move |b| (a, b)));
        if !pairs.any(|(a, b)| crosses(a, b)) {
            return leaders;
        }
        self.lead(self.parted_sides(), [0, 0], names, picture)
    }

    /// Leads the names of each side to their places, as seen from `seen_from`.
    fn lead(
        &self,
        sides: [Vec<usize>; 2],
        seen_from: [usize; 2],
        names: Area,
        picture: Area,
    ) -> [Vec<Leader>; 2] {
        let lead = |side: usize, x: f32| {
            let callouts = &sides[side];
            let pitch = names.height / callouts.len().max(1) as f32;
            let from: Vec<(f32, f32)> = (0..callouts.len())
                .map(|slot| (x, names.y + (slot as f32 + 0.5) * pitch))
                .collect();
            let place = |index: &usize| {
                let (x, y) = self.callouts[*index].places[seen_from[side]];
                let at = (
                    picture.x + x * picture.width,
                    picture.y + y * picture.height,
                );
                (*index, at)
            };
            let to: Vec<(usize, (f32, f32))> = callouts.iter().map(place).collect();
            uncrossed(&from, &to)
        };
        [lead(0, picture.x - 12.0), lead(1, picture.right() + 12.0)]
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
                canvas.drawing.disc(leader.to, 3.6, look.paper(), "");
                canvas.drawing.disc(leader.to, 2.4, look.text(), "");
                self.draw_name(canvas, leader, anchor);
            }
        }
    }
}
