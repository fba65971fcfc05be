//! The texts the demo model learns from: simple stories, talks, puzzles and word games, all
//! generated here, in fixed proportions.

use crate::template::Dice;
use crate::{games, plots, tracking};

/// One document. The same dice tell the same story.
pub fn document(dice: &mut impl Dice) -> String {
    match dice.below(100) {
        0..36 => plots::story(dice),
        36..46 => plots::dialogue(dice),
        46..55 => tracking::giving(dice),
        55..60 => tracking::walking(dice),
        60..66 => tracking::asking(dice),
        66..71 => tracking::gifts(dice),
        71..74 => tracking::counting(dice),
        74..77 => tracking::shopping(dice),
        77..81 => games::fox(dice),
        81..85 => games::facts(dice),
        _ => games::say_after_me(dice),
    }
}
