//! A template becomes text: `[this|that]` picks one, `{slot}` fills in, `{^slot}` capitalises,
//! `{an slot}` puts the right article in front.

use std::collections::BTreeMap;

use crate::words::Person;

/// Where chance comes from.
pub trait Dice {
    /// A number from zero up to, not including, `sides`.
    fn below(&mut self, sides: usize) -> usize;

    /// True `percent` times in a hundred.
    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// A number in `low..=high`.
    fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// One of `items`.
    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// `count` different ones of `items`, in random order.
    fn pick_some<'a, T>(&mut self, items: &'a [T], count: usize) -> Vec<&'a T> {
        let mut left: Vec<&T> = items.iter().collect();
        (0..count.min(items.len()))
            .map(|_| left.swap_remove(self.below(left.len())))
            .collect()
    }
}

/// What the slots of a template stand for in one story.
#[derive(Default)]
pub struct Slots(BTreeMap<String, String>);

impl Slots {
    /// `{slot}` now reads `value`.
    pub fn set(&mut self, slot: &str, value: impl Into<String>) {
        self.0.insert(slot.to_owned(), value.into());
    }

    /// `{slot}`, `{slot.he}`, `{slot.him}`, `{slot.his}` and `{slot.child}` now mean `person`.
    pub fn set_person(&mut self, slot: &str, person: &Person) {
        self.set(slot, person.name);
        self.set(&format!("{slot}.he"), person.he);
        self.set(&format!("{slot}.him"), person.him);
        self.set(&format!("{slot}.his"), person.his);
        self.set(&format!("{slot}.child"), person.child);
    }

    /// The text of `template`, every choice made by `dice`.
    pub fn tell(&self, dice: &mut impl Dice, template: &str) -> String {
        self.fill(&choose(dice, template))
    }

    fn fill(&self, template: &str) -> String {
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let (slot, tail) = after.split_once('}').expect("a template closes its braces");
            let (capital, slot) = slot.strip_prefix('^').map_or((false, slot), |s| (true, s));
            let (article, slot) = slot
                .strip_prefix("an ")
                .map_or((false, slot), |s| (true, s));
            let value = self
                .0
                .get(slot)
                .unwrap_or_else(|| panic!("no slot {slot:?}"));
            let value = if article {
                with_article(value)
            } else {
                value.clone()
            };
            text.push_str(&if capital { capitalised(&value) } else { value });
            rest = tail;
        }
        text.push_str(rest);
        text
    }
}

/// `a` or `an`, then `noun`.
pub fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {noun}")
}

/// `text` with its first letter large.
pub fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

/// `a`, `a and b`, `a, b, and c`.
pub fn listed<T: AsRef<str>>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [first, second] => format!("{} and {}", first.as_ref(), second.as_ref()),
        [start @ .., last] => {
            let start: Vec<&str> = start.iter().map(AsRef::as_ref).collect();
            format!("{}, and {}", start.join(", "), last.as_ref())
        }
    }
}

/// `template` with one branch of each `[…|…]` left; branches may nest.
fn choose(dice: &mut impl Dice, template: &str) -> String {
    let Some((before, after)) = template.split_once('[') else {
        return template.to_owned();
    };
    let (branches, len) = branches_of(after);
    let branch = branches[dice.below(branches.len())];
    let branch = choose(dice, branch);
    format!("{before}{branch}{}", choose(dice, &after[len..]))
}

/// The branches up to the matching `]`, and how many bytes they took with it.
fn branches_of(text: &str) -> (Vec<&str>, usize) {
    let mut branches = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, letter) in text.char_indices() {
        match letter {
            '[' => depth += 1,
            ']' if depth == 0 => {
                branches.push(&text[start..at]);
                return (branches, at + 1);
            }
            ']' => depth -= 1,
            '|' if depth == 0 => {
                branches.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    panic!("a template closes its brackets: {text:?}")
}
