//! How figures look: the theme's colours and the sizes of type.

use crate::color::{NOT_FINITE, Rgb, Theme};

/// The look of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The theme.
    pub theme: Theme,
}

/// Sizes of type, in units.
pub(super) const TITLE_SIZE: f32 = 21.0;
pub(super) const SUBTITLE_SIZE: f32 = 13.0;
pub(super) const HEADING_SIZE: f32 = 13.5;
pub(super) const LABEL_SIZE: f32 = 12.0;
pub(super) const SMALL_SIZE: f32 = 10.5;

impl Look {
    /// The look of a theme.
    pub fn new(theme: Theme) -> Self {
        Self { theme }
    }

    /// What lies under everything.
    pub fn paper(self) -> Rgb {
        self.theme.neutrals().background
    }

    /// What lies under data, a little apart from the ground.
    pub fn plate(self) -> Rgb {
        mix(self.paper(), self.theme.neutrals().no_value, 0.32)
    }

    /// Cells without a value.
    pub fn no_value(self) -> Rgb {
        mix(self.paper(), self.theme.neutrals().no_value, 0.55)
    }

    /// Titles and values.
    pub fn text(self) -> Rgb {
        self.theme.neutrals().text
    }

    /// Labels of axes.
    pub fn label(self) -> Rgb {
        mix(self.paper(), self.text(), 0.80)
    }

    /// What is read last: notes, units.
    pub fn faint(self) -> Rgb {
        mix(self.paper(), self.text(), 0.62)
    }

    /// Axes and leaders.
    pub fn line(self) -> Rgb {
        mix(self.paper(), self.theme.neutrals().line, 0.75)
    }

    /// Lines of a grid.
    pub fn grid(self) -> Rgb {
        mix(self.paper(), self.theme.neutrals().line, 0.28)
    }

    /// NaN and the infinities.
    pub fn not_finite(self) -> Rgb {
        NOT_FINITE
    }

    /// What a text on `under` is written in: the theme's text colour or its ground, whichever stands
    /// out more.
    pub fn text_on(self, under: Rgb) -> Rgb {
        let contrast = |color: Rgb| {
            let (a, b) = (luminance(color) + 0.05, luminance(under) + 0.05);
            a.max(b) / a.min(b)
        };
        let (text, ground) = (self.text(), self.paper());
        if contrast(text) >= contrast(ground) {
            text
        } else {
            ground
        }
    }
}

/// Between two colours, by `share` of the second.
pub(super) fn mix(from: Rgb, to: Rgb, share: f32) -> Rgb {
    std::array::from_fn(|channel| {
        let (from, to) = (f32::from(from[channel]), f32::from(to[channel]));
        (from + (to - from) * share).round() as u8
    })
}

/// Relative luminance: IEC 61966-2-1 decoding, Rec. 709 weights.
fn luminance(color: Rgb) -> f32 {
    let [r, g, b] = color.map(|channel| {
        let c = f32::from(channel) / 255.0;
        if c <= 0.040_45 {
            c / 12.92
        } else {
            ((c + 0.055) / 1.055).powf(2.4)
        }
    });
    0.2126 * r + 0.7152 * g + 0.0722 * b
}
