//! Lines: what a block is computed from, and the frames around what is pointed at.

use bevy::prelude::*;

use super::gpu::Line;
use super::{DrawList, PointCloud, SceneLayout, SceneSettings};
use crate::color::Rgb;
use crate::hook::HookPoint;
use crate::layout::{Cell, CellId, CloudRoom, GroundRect, ModelLayout};
use crate::provenance::{Source, inputs};
use crate::viewer::inference::ActiveTrace;

/// How many earlier tokens a value computed from all of them has links to.
const MAX_EARLIER: usize = 48;

/// What is pointed at, and what was chosen.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq)]
pub struct Highlight {
    /// The number under the pointer.
    pub hovered: Option<Cell>,
    /// How high its box stands, in units.
    pub hovered_height: f32,
    /// The number that stays chosen.
    pub pinned: Option<Cell>,
    /// How high its box stands, in units.
    pub pinned_height: f32,
}

/// Links without data: what lies under a hovered tile's inputs.
struct Ink {
    strong: [f32; 4],
    faint: [f32; 4],
}

pub(super) fn draw_lines(
    layout: Res<SceneLayout>,
    trace: Res<ActiveTrace>,
    settings: Res<SceneSettings>,
    highlight: Res<Highlight>,
    cloud: Res<PointCloud>,
    mut list: ResMut<DrawList>,
) {
    if !(layout.is_changed()
        || settings.is_changed()
        || highlight.is_changed()
        || cloud.is_changed())
    {
        return;
    }
    let (Some(layout), Some(model)) = (&layout.0, trace.model()) else {
        return;
    };
    let neutrals = settings.theme.neutrals();
    let ink = Ink {
        strong: with_alpha(neutrals.text, 0.95),
        faint: with_alpha(neutrals.text, 0.5),
    };
    let mut lines = Vec::new();
    for (cell, height) in [
        (highlight.pinned, highlight.pinned_height),
        (highlight.hovered, highlight.hovered_height),
    ] {
        let Some(cell) = cell else {
            continue;
        };
        if let Some(rect) = layout.ground_of(cell) {
            outline_box(&mut lines, &rect, height, ink.strong);
        }
        if !settings.has_links {
            continue;
        }
        if let Cell::Value(cell) = cell {
            let sources = inputs(&model.config, cell.hook);
            link(&mut lines, layout, cell, &sources, &ink);
        }
    }
    if cloud.cloud.is_some() {
        outline_room(&mut lines, &layout.cloud_room(), ink.faint);
    }
    if list.lines != lines {
        list.lines = lines;
    }
}

/// The edges of the box that a projection stands in.
fn outline_room(lines: &mut Vec<Line>, room: &CloudRoom, color: [f32; 4]) {
    let at = |corner: u8| {
        let side = |bit: u8| if corner & bit == 0 { -1.0 } else { 1.0 };
        let place = room.center + room.half * Vec3::new(side(1), side(2), side(4));
        place.to_array()
    };
    for from in 0..8u8 {
        for bit in [1, 2, 4] {
            if from & bit == 0 {
                lines.push(Line {
                    from: at(from),
                    to: at(from | bit),
                    width: 1.0,
                    color,
                    ..Line::default()
                });
            }
        }
    }
}

/// Frames the inputs of a cell's tile and draws a line from each of them to it.
fn link(lines: &mut Vec<Line>, layout: &ModelLayout, cell: CellId, sources: &[Source], ink: &Ink) {
    let Some(to) = unit_rect(layout, cell.hook, cell.pos, cell.head) else {
        return;
    };
    outline(lines, &to, 0.0, ink.faint, 1.6);
    for source in sources {
        match source {
            Source::Here(hook) => {
                if let Some(from) = unit_rect(layout, *hook, cell.pos, cell.head) {
                    outline(lines, &from, 0.0, ink.strong, 2.0);
                    join(lines, &from, &to, ink.strong);
                }
            }
            Source::Before(hook) => {
                for pos in (0..=cell.pos).rev().take(MAX_EARLIER) {
                    if let Some(from) = unit_rect(layout, *hook, pos, cell.head) {
                        outline(lines, &from, 0.0, ink.strong, 2.0);
                        join(lines, &from, &to, ink.faint);
                    }
                }
            }
            Source::Weight(weight) => {
                let near = layout
                    .fields_of(*weight)
                    .min_by(|a, b| distance(&a.rect, &to).total_cmp(&distance(&b.rect, &to)));
                for field in layout.fields_of(*weight) {
                    outline(lines, &field.rect, 0.0, ink.strong, 2.0);
                }
                if let Some(field) = near {
                    join(lines, &field.rect, &to, ink.faint);
                }
            }
        }
    }
}

fn distance(a: &GroundRect, b: &GroundRect) -> f32 {
    a.center().distance(b.center())
}

/// The ground of one token's tile, or of one head's square.
fn unit_rect(layout: &ModelLayout, hook: HookPoint, pos: usize, head: usize) -> Option<GroundRect> {
    if let Some(band) = layout.band(hook) {
        return (head < band.n_heads).then(|| band.square(head));
    }
    layout.block(hook).map(|block| layout.tile_rect(block, pos))
}

/// A line from the edge of one rectangle to the edge of the other.
fn join(lines: &mut Vec<Line>, from: &GroundRect, to: &GroundRect, color: [f32; 4]) {
    let (a, b) = (from.center(), to.center());
    let (start, end) = (edge_towards(from, b), edge_towards(to, a));
    lines.push(Line {
        from: start.to_array(),
        to: end.to_array(),
        width: 1.6,
        color,
        ..Line::default()
    });
}

/// Where the way from a rectangle's middle to a point leaves the rectangle, a little above ground.
fn edge_towards(rect: &GroundRect, point: Vec3) -> Vec3 {
    let center = rect.center();
    let way = point - center;
    let share = |way: f32, half: f32| {
        if way.abs() < 1e-6 {
            f32::MAX
        } else {
            half / way.abs()
        }
    };
    let share = share(way.x, rect.size.x / 2.0)
        .min(share(way.z, rect.size.y / 2.0))
        .min(1.0);
    (center + share * way).with_y(LIFT)
}

/// How far lines lie above the ground, in units.
const LIFT: f32 = 0.06;

fn outline(lines: &mut Vec<Line>, rect: &GroundRect, y: f32, color: [f32; 4], width: f32) {
    let (low, high) = (rect.low(), rect.high());
    let corner = |x: f32, z: f32| [x, y + LIFT, z];
    let corners = [
        corner(low.x, low.y),
        corner(high.x, low.y),
        corner(high.x, high.y),
        corner(low.x, high.y),
    ];
    for index in 0..4 {
        lines.push(Line {
            from: corners[index],
            to: corners[(index + 1) % 4],
            width,
            color,
            ..Line::default()
        });
    }
}

fn outline_box(lines: &mut Vec<Line>, rect: &GroundRect, height: f32, color: [f32; 4]) {
    outline(lines, rect, 0.0, color, 2.0);
    if height <= 0.0 {
        return;
    }
    outline(lines, rect, height, color, 2.0);
    let (low, high) = (rect.low(), rect.high());
    for [x, z] in [
        [low.x, low.y],
        [high.x, low.y],
        [high.x, high.y],
        [low.x, high.y],
    ] {
        lines.push(Line {
            from: [x, LIFT, z],
            to: [x, height + LIFT, z],
            width: 2.0,
            color,
            ..Line::default()
        });
    }
}

fn with_alpha(color: Rgb, alpha: f32) -> [f32; 4] {
    let [r, g, b] = color;
    Color::srgb_u8(r, g, b)
        .with_alpha(alpha)
        .to_linear()
        .to_f32_array()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ModelConfig;
    use crate::hook::BlockSite;

    #[test]
    fn a_residual_tile_is_linked_to_both_of_its_summands() {
        let config = ModelConfig::preset("gpt2").unwrap();
        let layout = ModelLayout::new(&config, 4);
        let hook = HookPoint::block(2, BlockSite::ResidMid);
        let cell = CellId {
            hook,
            pos: 3,
            head: 0,
            index: 7,
        };
        let ink = Ink {
            strong: [1.0; 4],
            faint: [0.5; 4],
        };
        let mut lines = Vec::new();

        link(&mut lines, &layout, cell, &inputs(&config, hook), &ink);

        // Its own frame, two frames and two links.
        assert_eq!(lines.len(), 4 + 2 * 5);
        let tile = layout.tile_rect(layout.block(hook).unwrap(), 3);
        let n_ending_here = lines
            .iter()
            .filter(|line| line.color == ink.strong && line.width < 2.0)
            .filter(|line| {
                let to = Vec2::new(line.to[0], line.to[2]);
                (to.cmpge(tile.low() - 0.01) & to.cmple(tile.high() + 0.01)).all()
            })
            .count();
        assert_eq!(n_ending_here, 2);
    }

    #[test]
    fn z_is_linked_to_the_values_of_every_token_up_to_its_own() {
        let config = ModelConfig::preset("gpt2").unwrap();
        let layout = ModelLayout::new(&config, 6);
        let hook = HookPoint::block(1, BlockSite::Z);
        let cell = CellId {
            hook,
            pos: 4,
            head: 2,
            index: 0,
        };
        let ink = Ink {
            strong: [1.0; 4],
            faint: [0.5; 4],
        };
        let mut lines = Vec::new();

        link(&mut lines, &layout, cell, &inputs(&config, hook), &ink);

        let n_faint_links = lines
            .iter()
            .filter(|line| line.color == ink.faint && line.from != line.to)
            .count();
        assert_eq!(
            n_faint_links,
            4 + 5,
            "its own frame, and five earlier tokens"
        );
    }
}
