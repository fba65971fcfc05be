//! Which labels find room, and how strongly they show.
//!
//! Everything here is a smooth function of where things appear: what comes too near to something
//! more important fades before they touch, so that nothing pops or flickers while the camera moves.

use egui::{Pos2, Rect, Vec2};

use super::{Label, Placed};

/// Labels nearer than this, in points, begin to give way.
const NEAR_GAP: f32 = 5.0;
/// Labels as near as this, in points, have given way.
const LEAST_GAP: f32 = 0.5;
/// Over this many points from the border of the free part labels fade.
const BORDER_FADE: f32 = 10.0;
/// A label whose presence is below this is not drawn, yet still holds part of its place: so one
/// fades wholly out before another fades in there.
const UNSEEN: f32 = 0.35;

/// The part of the picture that labels may use.
pub struct Room<'a> {
    /// What no panel covers.
    pub free: Rect,
    /// What lies over it.
    pub taken: &'a [Rect],
}

/// Labels that find room, the most important first; `measure` gives a text's size at a font size.
pub fn place(
    mut labels: Vec<Label>,
    room: &Room<'_>,
    measure: &mut dyn FnMut(&str, f32) -> Vec2,
) -> Vec<Placed> {
    labels.sort_by_key(|label| (label.tier, label.rank));
    let mut placed: Vec<(f32, Placed)> = Vec::new();
    for label in labels {
        let mut size = measure(&label.text, label.font_size) + 2.0 * label.tone.margin();
        if label.tail.share > 0.0 {
            size.x += label.tail.share * measure(&label.tail.text, label.font_size).x;
        }
        let rect = rect_at(label.place, label.away, size);
        let rect = slide(rect, label.slide, room.free);
        let mut presence = label.presence * border_share(rect, room);
        for (other_presence, other) in &placed {
            if presence <= 0.0 {
                break;
            }
            let gap = gap(rect, other.rect);
            if gap < NEAR_GAP {
                let nearness = 1.0 - ((gap - LEAST_GAP) / (NEAR_GAP - LEAST_GAP)).max(0.0);
                presence *= 1.0 - nearness * (other_presence / UNSEEN).min(1.0);
            }
        }
        if presence > 1e-3 {
            let alpha = ((presence - UNSEEN) / (1.0 - UNSEEN)).max(0.0);
            placed.push((
                presence,
                Placed {
                    rect,
                    alpha,
                    ink: label.ink,
                    text: label.text,
                    tail: label.tail,
                    font_size: label.font_size,
                    tone: label.tone,
                },
            ));
        }
    }
    placed.retain(|(_, label)| label.alpha > 0.02);
    placed.into_iter().map(|(_, label)| label).collect()
}

/// A rectangle that touches `place` from the side that `away` points to; around it where there is
/// no direction.
fn rect_at(place: Pos2, away: Vec2, size: Vec2) -> Rect {
    let reach = 0.5 * (away.x.abs() * size.x + away.y.abs() * size.y);
    Rect::from_center_size(place + away * reach, size)
}

/// Moves a rectangle along `way` as far as it takes to be inside; at most the whole way.
fn slide(rect: Rect, way: Vec2, free: Rect) -> Rect {
    let inner = free.shrink(BORDER_FADE + 2.0);
    let share = |missing: f32, step: f32| {
        let share = missing / step;
        // A way across the border at a flat angle would lead far off.
        let is_short = step.abs() > 0.3 * way.length();
        if is_short && share > 0.0 { share } else { 0.0 }
    };
    let across = share((inner.min.x - rect.min.x).max(0.0), way.x)
        .max(share((inner.max.x - rect.max.x).min(0.0), way.x));
    let down = share((inner.min.y - rect.min.y).max(0.0), way.y)
        .max(share((inner.max.y - rect.max.y).min(0.0), way.y));
    rect.translate(way * across.max(down).min(1.0))
}

/// How much of a label there is so near the border: none where any of it is covered.
fn border_share(rect: Rect, room: &Room<'_>) -> f32 {
    let free = room.free;
    let inset = (rect.min - free.min).min(free.max - rect.max).min_elem();
    let gaps = room.taken.iter().map(|taken| gap(rect, *taken));
    let nearest = gaps.fold(inset, f32::min);
    // The first point is for rounding.
    ((nearest - 1.0) / BORDER_FADE).clamp(0.0, 1.0)
}

/// The distance between two rectangles along the axis that parts them; negative where they overlap.
fn gap(a: Rect, b: Rect) -> f32 {
    (a.min - b.max).max(b.min - a.max).max_elem()
}

#[cfg(test)]
mod tests {
    use super::super::{Tail, Tone};
    use super::*;

    fn label(rank: u32, x: f32, presence: f32) -> Label {
        Label {
            tier: 0,
            rank,
            place: Pos2::new(x, 50.0),
            away: Vec2::ZERO,
            slide: Vec2::ZERO,
            text: rank.to_string(),
            tail: Tail::default(),
            font_size: 10.0,
            tone: Tone::Name,
            presence,
            ink: 1.0,
        }
    }

    fn placed(labels: Vec<Label>) -> Vec<Placed> {
        let room = Room {
            free: Rect::from_min_max(Pos2::ZERO, Pos2::new(400.0, 100.0)),
            taken: &[],
        };
        place(labels, &room, &mut |_, _| Vec2::new(30.0, 10.0))
    }

    #[test]
    fn the_less_important_of_two_gives_way_before_they_touch() {
        let mut last = 0.0;
        for step in 0..600 {
            let shown = placed(vec![
                label(1, 150.0 + 0.1 * step as f32, 1.0),
                label(0, 150.0, 1.0),
            ]);

            assert_eq!(shown[0].text, "0");
            assert_eq!(shown[0].alpha, 1.0);
            let alpha = shown.get(1).map_or(0.0, |label| label.alpha);
            if alpha > 0.0 {
                assert!(!shown[0].rect.intersects(shown[1].rect));
            }
            assert!(alpha >= last && alpha - last < 0.05, "{step}: {alpha}");
            last = alpha;
        }
        assert_eq!(last, 1.0);
    }

    #[test]
    fn one_fades_out_before_the_other_fades_in_at_its_place() {
        let mut last = [1.0, 0.0];
        for step in 0..=200 {
            let leaving = 1.0 - step as f32 / 200.0;
            let shown = placed(vec![label(0, 150.0, leaving), label(1, 155.0, 1.0)]);

            let alpha = |name: &str| {
                let found = shown.iter().find(|label| label.text == name);
                found.map_or(0.0, |label| label.alpha)
            };
            let now = [alpha("0"), alpha("1")];
            assert!(now[0] == 0.0 || now[1] == 0.0, "{step}: {now:?}");
            for (now, last) in now.iter().zip(last) {
                assert!((now - last).abs() < 0.06, "{step}: {now} {last}");
            }
            last = now;
        }
        assert_eq!(last, [0.0, 1.0]);
    }

    #[test]
    fn nothing_reaches_over_the_border_or_what_is_taken() {
        let legend = Rect::from_min_max(Pos2::new(200.0, 0.0), Pos2::new(300.0, 100.0));
        let room = Room {
            free: Rect::from_min_max(Pos2::ZERO, Pos2::new(400.0, 100.0)),
            taken: &[legend],
        };
        for step in 0..450 {
            let labels = vec![label(0, step as f32, 1.0)];

            for shown in place(labels, &room, &mut |_, _| Vec2::new(30.0, 10.0)) {
                assert!(room.free.contains_rect(shown.rect), "{:?}", shown.rect);
                assert!(!legend.intersects(shown.rect), "{:?}", shown.rect);
            }
        }
    }

    #[test]
    fn a_name_that_would_leave_the_picture_slides_along_what_it_names() {
        let free = Rect::from_min_max(Pos2::ZERO, Pos2::new(400.0, 100.0));
        let rect = Rect::from_min_size(Pos2::new(-40.0, 40.0), Vec2::new(30.0, 10.0));

        let slid = slide(rect, Vec2::new(300.0, 15.0), free);
        let not_far_enough = slide(rect, Vec2::new(20.0, 0.0), free);
        let inside = slide(rect.translate(Vec2::X * 90.0), Vec2::new(300.0, 15.0), free);

        assert_eq!(slid.min.x, BORDER_FADE + 2.0);
        assert!((slid.min.y - 42.6).abs() < 1e-3);
        assert_eq!(not_far_enough.min.x, -20.0);
        assert_eq!(inside.min.x, 50.0);
    }

    #[test]
    fn a_label_stands_on_the_side_it_is_pushed_to() {
        let size = Vec2::new(40.0, 10.0);
        let place = Pos2::new(100.0, 50.0);

        let left = rect_at(place, Vec2::new(-1.0, 0.0), size);
        let below = rect_at(place, Vec2::new(0.0, 1.0), size);

        assert_eq!(left.right_center(), place);
        assert_eq!(below.center_top(), place);
    }
}
