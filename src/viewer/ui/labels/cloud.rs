//! The tokens of a projection: those of the text, the chosen one, and some of the others.

use glam::Vec3;

use super::eye::fade;
use super::names::style;
use super::{Labels, Spot, Style, Tone};
use crate::layout::CloudRoom;
use crate::viewer::scene::{Cloud, cloud_place};

/// What of a projection has names.
pub struct CloudScene<'a> {
    /// The projection.
    pub cloud: &'a Cloud,
    /// The token that is chosen.
    pub chosen: Option<u32>,
}

const TITLE: Style = style(2, 13.0, Tone::Aside);
const CHOSEN: Style = style(1, 13.5, Tone::Name);
const OF_TEXT: Style = style(3, 12.5, Tone::Name);
const OTHER: Style = style(8, 11.0, Tone::Aside);

/// Names that points without a mark may have in all: evenly chosen, the same whatever the camera does.
const N_OTHERS: usize = 360;

pub(super) fn add(labels: &mut Labels<'_, '_>) {
    let scene = labels.scene;
    let Some(CloudScene { cloud, chosen }) = &scene.cloud else {
        return;
    };
    let room = scene.layout.cloud_room();
    // Half the box in points on screen.
    let half = scene
        .eye
        .length(room.center, room.center + Vec3::Y * room.half);
    add_title(labels, cloud, &room, half);
    let stride = cloud.points.len().div_ceil(N_OTHERS).max(1);
    for (index, point) in cloud.points.iter().enumerate() {
        let is_chosen = *chosen == Some(point.token);
        let is_other = !is_chosen && point.pos.is_none();
        if is_other && !index.is_multiple_of(stride) || !point.at.is_finite() {
            continue;
        }
        let (style, presence) = if is_chosen {
            (CHOSEN, fade(30.0, 45.0, half))
        } else if is_other {
            (OTHER, fade(190.0, 260.0, half))
        } else {
            (OF_TEXT, fade(70.0, 95.0, half))
        };
        let at = cloud_place(&room, point.at);
        let spot = Spot::beside(at, at + Vec3::Y * room.half);
        labels.add(style, index as u32, spot, presence, 1.0, || {
            (scene.token_text)(point.token)
        });
    }
}

/// What the projection is, above it, and what runs along its axes.
fn add_title(labels: &mut Labels<'_, '_>, cloud: &Cloud, room: &CloudRoom, half: f32) {
    let presence = fade(40.0, 60.0, half);
    let top = cloud_place(room, Vec3::new(0.0, 1.12, -1.0));
    labels.add(TITLE, 0, Spot::at(top), presence, 1.0, || {
        format!("{}; colour: {}", cloud.title, cloud.value)
    });
    let ends = [
        Vec3::new(1.0, -1.0, 1.0),
        Vec3::new(-1.0, 1.0, 1.0),
        Vec3::new(-1.0, -1.0, -1.0),
    ];
    let presence = fade(120.0, 160.0, half);
    for ((rank, end), name) in (1..).zip(ends).zip(&cloud.axes) {
        let at = cloud_place(room, end);
        let spot = Spot::beside(at, cloud_place(room, 1.2 * end));
        labels.add(TITLE, rank, spot, presence, 1.0, || name.clone());
    }
}
