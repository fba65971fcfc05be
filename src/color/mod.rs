//! Colour: maps from value to colour, the ranges they span, and the reserved colours.
//!
//! Signed values take a diverging map with zero at its middle; values that are zero or more take a
//! sequential one that is perceptually uniform and safe for the colour-blind. The tables here are
//! the only ones: shaders sample them as a texture, panels look them up.

mod colormap;
mod range;

pub use colormap::{Colormap, LUT_SIZE, Rgb};
pub use range::{RangeEnd, RangeMode, RangeSettings, Scaling, TileStats, ValueRange};

/// The look of the whole: what lies under and around the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Theme {
    /// Light values on a dark ground.
    #[default]
    Dark,
    /// Dark values on a light ground.
    Light,
}

/// The colour of NaN and the infinities, in every map.
pub const NOT_FINITE: Rgb = [255, 0, 200];

/// The colour of a film that is being recorded.
pub const RECORDING: Rgb = [229, 57, 53];

/// What is not a value: ground, structure, and cells without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neutrals {
    /// Sky and far ground.
    pub background: Rgb,
    /// The ground under the lanes.
    pub ground: Rgb,
    /// The road of the residual stream.
    pub road: Rgb,
    /// Cells that hold no value.
    pub no_value: Rgb,
    /// Cells of a shape without weights, where nothing is seen but they.
    pub shape: Rgb,
    /// Lines: frames, borders, links.
    pub line: Rgb,
    /// Text.
    pub text: Rgb,
}

impl Theme {
    /// The theme's neutral colours.
    pub const fn neutrals(self) -> Neutrals {
        match self {
            Self::Dark => Neutrals {
                background: [9, 11, 16],
                ground: [15, 18, 25],
                road: [30, 35, 46],
                no_value: [47, 54, 69],
                shape: [94, 98, 106],
                line: [92, 101, 120],
                text: [226, 231, 240],
            },
            Self::Light => Neutrals {
                background: [238, 240, 244],
                ground: [228, 231, 236],
                road: [211, 216, 225],
                no_value: [200, 205, 214],
                shape: [154, 158, 166],
                line: [126, 135, 152],
                text: [26, 30, 38],
            },
        }
    }
}
