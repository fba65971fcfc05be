//! An arrangement of views in words and numbers, as it is kept from one run to the next.

use std::collections::BTreeSet;

use egui_dock::{Node, NodeIndex, Split, TabIndex, Tree};
use serde::{Deserialize, Serialize};

use super::Tab;
use crate::viewer::ui::panels::plots::Plot;

/// How the views are arranged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arrangement {
    /// What is docked, the world among it.
    pub main: Part,
    /// What is torn off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
}

/// A part of an area.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Part {
    /// Tabs by their names, one of them in front.
    Tabs {
        /// The names.
        names: Vec<String>,
        /// Which one is in front.
        front: usize,
    },
    /// Two parts side by side.
    Columns {
        /// The left one's share of the width.
        share: f32,
        /// The left one and the right one.
        parts: Box<[Self; 2]>,
    },
    /// Two parts, one above the other.
    Rows {
        /// The upper one's share of the height.
        share: f32,
        /// The upper one and the lower one.
        parts: Box<[Self; 2]>,
    },
}

/// Views torn off, in a window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Its left edge, in points.
    pub left: f32,
    /// Its upper edge, in points.
    pub top: f32,
    /// In points.
    pub width: f32,
    /// In points.
    pub height: f32,
    /// What is in it.
    pub part: Part,
}

/// The name of the world's tab.
const WORLD: &str = "world";
/// A share that leaves both parts to be seen.
const SHARES: std::ops::RangeInclusive<f32> = 0.1..=0.9;
/// A window's width and height, in points.
const WINDOW_SIZES: std::ops::RangeInclusive<f32> = 160.0..=4096.0;

impl Default for Part {
    fn default() -> Self {
        Self::Tabs {
            names: vec![WORLD.to_owned()],
            front: 0,
        }
    }
}

fn name(tab: &Tab) -> &'static str {
    match tab {
        Tab::World => WORLD,
        Tab::Plot(plot) => plot.name(),
    }
}

fn tab(name: &str) -> Option<Tab> {
    if name == WORLD {
        return Some(Tab::World);
    }
    let plot = Plot::ALL.into_iter().find(|plot| plot.name() == name)?;
    Some(Tab::Plot(plot))
}

/// The part at `node` of a tree; none if nothing is there.
pub(super) fn part_of(tree: &Tree<Tab>, node: NodeIndex) -> Option<Part> {
    if node.0 >= tree.len() {
        return None;
    }
    let two = |share: f32| {
        let first = part_of(tree, node.left());
        let second = part_of(tree, node.right());
        match (first, second) {
            (Some(first), Some(second)) => Ok((share, Box::new([first, second]))),
            (one, other) => Err(one.or(other)),
        }
    };
    match &tree[node] {
        Node::Empty => None,
        Node::Leaf(leaf) => Some(Part::Tabs {
            names: leaf.tabs.iter().map(|tab| name(tab).to_owned()).collect(),
            front: leaf.active.0,
        }),
        Node::Horizontal(split) => match two(split.fraction) {
            Ok((share, parts)) => Some(Part::Columns { share, parts }),
            Err(one) => one,
        },
        Node::Vertical(split) => match two(split.fraction) {
            Ok((share, parts)) => Some(Part::Rows { share, parts }),
            Err(one) => one,
        },
    }
}

impl Part {
    /// The tabs of it that are `allowed`, each the first time it is `seen`; none if there is no such.
    fn cleaned(&self, seen: &mut BTreeSet<String>, allowed: &dyn Fn(Tab) -> bool) -> Option<Self> {
        let mut two = |parts: &[Self; 2]| {
            let first = parts[0].cleaned(seen, allowed);
            let second = parts[1].cleaned(seen, allowed);
            match (first, second) {
                (Some(first), Some(second)) => Ok(Box::new([first, second])),
                (one, other) => Err(one.or(other)),
            }
        };
        let sound = |share: f32| {
            if share.is_finite() {
                share.clamp(*SHARES.start(), *SHARES.end())
            } else {
                0.5
            }
        };
        match self {
            Self::Tabs { names, front } => {
                let in_front = names.get(*front).cloned();
                let is_known = |name: &String| tab(name).is_some_and(allowed);
                let kept: Vec<String> = names
                    .iter()
                    .filter(|name| is_known(name) && seen.insert((*name).clone()))
                    .cloned()
                    .collect();
                let front = kept.iter().position(|name| Some(name) == in_front.as_ref());
                (!kept.is_empty()).then(|| Self::Tabs {
                    names: kept,
                    front: front.unwrap_or(0),
                })
            }
            Self::Columns { share, parts } => match two(parts) {
                Ok(parts) => Some(Self::Columns {
                    share: sound(*share),
                    parts,
                }),
                Err(one) => one,
            },
            Self::Rows { share, parts } => match two(parts) {
                Ok(parts) => Some(Self::Rows {
                    share: sound(*share),
                    parts,
                }),
                Err(one) => one,
            },
        }
    }
}

impl Arrangement {
    /// What of it can be shown: every tab known and there once, the world among those docked.
    pub(super) fn cleaned(&self) -> (Part, Vec<Window>) {
        let mut seen = BTreeSet::new();
        let main = self.main.cleaned(&mut seen, &|_| true);
        let main = match main {
            Some(main) if seen.contains(WORLD) => main,
            Some(rest) => Part::Rows {
                share: super::WORLDS_HEIGHT,
                parts: Box::new([Part::default(), rest]),
            },
            None => Part::default(),
        };
        let windows = self.windows.iter().filter_map(|window| {
            let part = window.part.cleaned(&mut seen, &|tab| tab != Tab::World)?;
            let place = |at: f32| if at.is_finite() { at.max(0.0) } else { 0.0 };
            let size = |length: f32| {
                if length.is_finite() {
                    length.clamp(*WINDOW_SIZES.start(), *WINDOW_SIZES.end())
                } else {
                    super::WINDOW_SIZE.y
                }
            };
            Some(Window {
                left: place(window.left),
                top: place(window.top),
                width: size(window.width),
                height: size(window.height),
                part,
            })
        });
        (main, windows.collect())
    }
}

/// Puts a cleaned part into the leaf at `node`.
pub(super) fn build(tree: &mut Tree<Tab>, node: NodeIndex, part: &Part) {
    let (split, share, parts) = match part {
        Part::Tabs { names, front } => {
            let tabs = names.iter().filter_map(|name| tab(name)).collect();
            tree[node] = Node::leaf_with(tabs);
            if let Ok(leaf) = tree.leaf_mut(node) {
                leaf.active = TabIndex(*front);
            }
            return;
        }
        Part::Columns { share, parts } => (Split::Right, *share, parts),
        Part::Rows { share, parts } => (Split::Below, *share, parts),
    };
    // A leaf to begin with, which its part replaces.
    let [first, second] = tree.split(node, split, share, Node::leaf(Tab::World));
    build(tree, first, &parts[0]);
    build(tree, second, &parts[1]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tabs(names: &[&str]) -> Part {
        Part::Tabs {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            front: names.len() - 1,
        }
    }

    #[test]
    fn what_is_unknown_or_there_twice_is_left_out_and_the_world_comes_back() {
        let arrangement = Arrangement {
            main: Part::Columns {
                share: f32::NAN,
                parts: Box::new([tabs(&["lens", "moon"]), tabs(&["summary", "lens"])]),
            },
            windows: vec![
                Window {
                    left: -5.0,
                    top: f32::INFINITY,
                    width: 1.0,
                    height: 1e9,
                    part: tabs(&["world", "attention"]),
                },
                Window {
                    left: 0.0,
                    top: 0.0,
                    width: 300.0,
                    height: 300.0,
                    part: tabs(&["summary"]),
                },
            ],
        };

        let (main, windows) = arrangement.cleaned();

        let Part::Rows { parts, .. } = &main else {
            panic!("the world stands above the rest: {main:?}");
        };
        assert_eq!(parts[0], Part::default());
        let Part::Columns { share, parts } = &parts[1] else {
            panic!("{:?}", parts[1]);
        };
        assert_eq!(*share, 0.5);
        let alone = |name: &str| Part::Tabs {
            names: vec![name.to_owned()],
            front: 0,
        };
        assert_eq!(**parts, [alone("lens"), alone("summary")]);
        assert_eq!(windows.len(), 1, "the second had nothing of its own");
        assert_eq!(windows[0].part, alone("attention"));
        assert_eq!((windows[0].left, windows[0].top), (0.0, 0.0));
        assert_eq!((windows[0].width, windows[0].height), (160.0, 4096.0));
    }

    #[test]
    fn a_split_with_one_empty_side_is_the_other_side() {
        let arrangement = Arrangement {
            main: Part::Rows {
                share: 0.3,
                parts: Box::new([tabs(&["world"]), tabs(&["nothing"])]),
            },
            windows: Vec::new(),
        };

        assert_eq!(arrangement.cleaned().0, Part::default());
    }
}
