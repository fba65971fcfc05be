//! The exit: the most probable next tokens of each lane as bars.

use glam::Vec2;

use super::GroundRect;

/// The bars of the most probable next tokens: in every lane side by side, so that none hides another,
/// the most probable at the left.
#[derive(Clone, Debug, PartialEq)]
pub struct Skyline {
    /// Bars of a lane.
    pub n_ranks: usize,
    /// Left edge within the lane, and the edge nearest the entrance, of the first bar.
    pub origin: Vec2,
    /// Width and depth of a bar, in units.
    pub bar_size: Vec2,
    /// Distance from one bar to the next, in units.
    pub pitch: f32,
    /// Distance from lane to lane.
    pub lane_pitch: f32,
    /// Height of a bar of probability one, in units.
    pub height: f32,
}

impl Skyline {
    /// The ground of a lane's bar; rank 0 is the most probable token's.
    pub fn bar(&self, pos: usize, rank: usize) -> GroundRect {
        let x = pos as f32 * self.lane_pitch + rank as f32 * self.pitch;
        GroundRect {
            near_left: self.origin + Vec2::new(x, 0.0),
            size: self.bar_size,
        }
    }

    /// How deep the bars are, in units.
    pub fn depth(&self) -> f32 {
        self.bar_size.y
    }
}
