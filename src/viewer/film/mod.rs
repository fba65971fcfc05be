//! What a film of a text shows at each moment: how far the signal has come, and where the camera is.
//!
//! `story` puts what happens in time, `flight` follows it with the camera. Both are pure: the same
//! moment is the same picture, whatever was shown before.

mod captions;
mod flight;
mod story;

use bevy::prelude::Resource;

pub use captions::Captions;
pub use flight::{FilmCamera, Flight};
pub use story::{Chapter, ChapterKind, Moment, Story};

/// What is told while a film is made.
#[derive(Resource, Clone, Debug, Default, PartialEq, Eq)]
pub struct Narration {
    /// What is said of the moment; none where nobody tells a story.
    pub caption: Option<Caption>,
    /// How many tokens there are by now, of those that will be; all of them where nobody says.
    pub n_tokens: Option<usize>,
    /// Whether the panels and the names in the world are there, in place of what the settings say.
    pub shows: Option<Shows>,
}

/// What is there beside the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shows {
    /// Panels.
    pub panels: bool,
    /// Names in the world.
    pub labels: bool,
}

/// What a film says of the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caption {
    /// The text so far, but for its newest token.
    pub text: String,
    /// The newest token.
    pub newest: String,
    /// What happens.
    pub line: String,
    /// Where in the model, such as `layer 3 of 12`; may be empty.
    pub place: String,
}
