//! Where the pointer is, and what the user wants of the number it points at.

use bevy::prelude::*;

use crate::layout::Cell;

/// Where the pointer is, if it points into the world.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq)]
pub struct Pointer {
    /// From the picture's upper left corner, in the camera's logical pixels; none over a panel or
    /// outside.
    pub place: Option<Vec2>,
    /// Whether a window or a menu lies over the world there.
    pub is_covered: bool,
}

/// What the user wants of a number in the world.
#[derive(Message, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectionWish {
    /// It stays chosen.
    Pin(Cell),
    /// It stays chosen, and the camera flies to its tile.
    Visit(Cell),
    /// Nothing is chosen any more.
    Unpin,
    /// The choice moves on.
    Walk(Walk),
}

/// Where the choice moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk {
    /// The next cell to the left.
    Left,
    /// The next cell to the right.
    Right,
    /// The next cell towards the entrance.
    Back,
    /// The next cell towards the exit.
    Forth,
    /// The same cell, this many layers on.
    Layers(isize),
    /// The same cell, this many tokens on.
    Tokens(isize),
}
