//! What is asked of a picture of the window.

use bevy::prelude::*;

/// A picture that the user wants of the window.
#[derive(Message, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PictureWish {
    /// How large.
    pub size: PictureSize,
    /// Whether nothing is behind the world: no ground, no sky.
    pub is_transparent: bool,
    /// Whether the panels are in it; without them the legend is.
    pub has_panels: bool,
}

/// The size of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureSize {
    /// This many times the window's, and as sharp.
    Times(u32),
    /// So many pixels across and down.
    Pixels(u32, u32),
}

impl Default for PictureSize {
    fn default() -> Self {
        Self::Times(1)
    }
}

/// The greatest side of a picture, in pixels.
pub const MAX_SIDE: u32 = 16_384;
/// The least.
pub const MIN_SIDE: u32 = 16;

impl PictureSize {
    /// Its pixels, of a window that has so many.
    pub fn of(self, window: UVec2) -> UVec2 {
        let size = match self {
            Self::Times(times) => window.saturating_mul(UVec2::splat(times)),
            Self::Pixels(width, height) => UVec2::new(width, height),
        };
        size.clamp(UVec2::splat(MIN_SIDE), UVec2::splat(MAX_SIDE))
    }
}

/// What is done for pictures.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq)]
pub struct PictureMode {
    /// How the interface is laid out while a picture is taken; none while the window is on show.
    pub layout: Option<PictureLayout>,
    /// Pictures that are being taken or written.
    pub n_unsaved: usize,
}

/// How the interface is laid out for a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PictureLayout {
    /// Pixels of the picture in one point of the window.
    pub scale: f32,
    /// Whether the panels are there.
    pub has_panels: bool,
    /// Whether there are a ground and a sky.
    pub has_backdrop: bool,
}

impl PictureLayout {
    /// As the window has it.
    pub const WINDOW: Self = Self {
        scale: 1.0,
        has_panels: true,
        has_backdrop: true,
    };
}

impl PictureMode {
    /// How much larger panels and names are than in the window.
    pub fn scale(&self) -> f32 {
        self.layout.map_or(1.0, |layout| layout.scale)
    }

    /// Whether frames are needed, so that it goes on.
    pub fn is_busy(&self) -> bool {
        self.layout.is_some() || self.n_unsaved > 0
    }

    /// Whether the panels may be there.
    pub fn allows_panels(&self) -> bool {
        self.layout.is_none_or(|layout| layout.has_panels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_needed_until_a_picture_is_written() {
        let taking = PictureMode {
            layout: Some(PictureLayout::WINDOW),
            n_unsaved: 1,
        };
        let writing = PictureMode {
            layout: None,
            ..taking
        };

        assert!(taking.is_busy() && writing.is_busy());
        assert!(!PictureMode::default().is_busy());
    }

    #[test]
    fn a_picture_is_so_many_times_the_window_or_as_large_as_asked_within_bounds() {
        let window = UVec2::new(1440, 900);

        assert_eq!(PictureSize::default().of(window), window);
        assert_eq!(PictureSize::Times(4).of(window), UVec2::new(5760, 3600));
        assert_eq!(
            PictureSize::Pixels(99, 20_000).of(window),
            UVec2::new(99, 16_384)
        );
        assert_eq!(PictureSize::Pixels(0, 20).of(window), UVec2::new(16, 20));
    }
}
