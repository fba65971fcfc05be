//! Short worlds with a state: who holds what, who is where, who has how many. The answers are
//! always in the text, some way back.

use crate::template::{Dice, Slots, capitalised, listed, with_article};
use crate::words::{self, Person};

/// Things are given and taken, then someone asks who has what.
pub fn giving(dice: &mut impl Dice) -> String {
    let people = dice.pick_some(words::PEOPLE, 3);
    let nouns = dice.pick_some(words::THINGS, 2);
    let colours = dice.pick_some(words::COLOURS, 2);
    let mut holders = [0, 1];

    let mut text = String::new();
    for thing in 0..2 {
        let name = people[holders[thing]].name;
        text += &format!(
            "{name} {} {}. ",
            dice.pick(&["had", "found", "got"]),
            with_article(&format!("{} {}", colours[thing], nouns[thing]))
        );
    }
    for _ in 0..dice.between(2, 5) {
        let thing = dice.below(2);
        let from = holders[thing];
        let to = (from + dice.between(1, 2)) % 3;
        holders[thing] = to;
        text += &handover(dice, people[from], people[to], colours[thing], nouns[thing]);
    }
    for thing in if dice.chance(50) { [0, 1] } else { [1, 0] } {
        let holder = people[holders[thing]].name;
        let asked = format!("{} {}", colours[thing], nouns[thing]);
        text += &match dice.below(3) {
            0 => format!("Who has the {asked}? {holder} has the {asked}. "),
            1 => format!("Now {holder} had the {asked}. "),
            _ => {
                let others: Vec<&Person> = people
                    .iter()
                    .filter(|person| person.name != holder)
                    .copied()
                    .collect();
                let (asks, says) = (others[0].name, others[1].name);
                format!(
                    "\"Who has the {asked}?\" asked {asks}. \"{holder} has the {asked},\" said {says}. "
                )
            }
        };
    }
    text.trim_end().to_owned()
}

fn handover(dice: &mut impl Dice, from: &Person, to: &Person, colour: &str, noun: &str) -> String {
    let mut slots = Slots::default();
    slots.set_person("from", from);
    slots.set_person("to", to);
    slots.set("thing", format!("{colour} {noun}"));
    slots.set("noun", noun);
    slots.tell(
        dice,
        "[{from} gave the [{thing}|{noun}] to {to}. |{from} gave {to} the [{thing}|{noun}]. |{to} took the {thing} from {from}. \
         |{to} asked {from} for the {thing}. {from} gave {to.him} the {noun}. |{from} gave {to} the {thing}. [\"Thank you, {from},\" said {to}. |\"Thank you,\" said {to}. ]]",
    )
}

/// People walk about with things, then someone asks where they are.
pub fn walking(dice: &mut impl Dice) -> String {
    let people = dice.pick_some(words::PEOPLE, 3);
    let places = dice.pick_some(words::PLACES, 4);
    let mut at: Vec<usize> = (0..3).map(|_| dice.below(4)).collect();

    let mut text = String::new();
    for (person, &place) in people.iter().zip(&at) {
        text += &match dice.below(2) {
            0 => format!("{} was {}. ", person.name, places[place].1),
            _ => format!("{} went to the {}. ", person.name, places[place].0),
        };
    }
    for _ in 0..dice.between(1, 4) {
        let who = dice.below(3);
        at[who] = (at[who] + dice.between(1, 3)) % 4;
        let verb = dice.pick(&["went", "walked", "ran", "went back"]);
        let verb = if *verb == "went back" {
            "then went"
        } else {
            verb
        };
        text += &format!("{} {verb} to the {}. ", people[who].name, places[at[who]].0);
    }
    for person in dice.pick_some(&[0, 1, 2], 2) {
        let (name, place) = (people[*person].name, places[at[*person]].1);
        text += &format!("Where is {name}? {name} is {place}. ");
    }
    text.trim_end().to_owned()
}

/// A few facts, then questions about them.
pub fn asking(dice: &mut impl Dice) -> String {
    let count = dice.between(2, 4);
    let people = dice.pick_some(words::PEOPLE, count);
    let nouns = dice.pick_some(words::THINGS, count);
    let colours = dice.pick_some(words::COLOURS, count);
    let spots = dice.pick_some(words::SPOTS, count);
    let (by_owner, verb) = (dice.chance(65), *dice.pick(&["has", "wants", "needs"]));
    let thing = |index: usize| format!("{} {}", colours[index], nouns[index]);

    let facts: Vec<String> = (0..count)
        .map(|index| {
            if by_owner {
                format!(
                    "{} {verb} {}.",
                    people[index].name,
                    with_article(&thing(index))
                )
            } else {
                format!("The {} is {}.", thing(index), spots[index])
            }
        })
        .collect();
    let mut text = facts.join(" ");
    let order: Vec<usize> = (0..count).collect();
    for &&index in &dice.pick_some(&order, count.min(3)) {
        let (name, noun, colour) = (people[index].name, nouns[index], colours[index]);
        let bare_verb = if verb == "has" {
            "have"
        } else {
            &verb[..verb.len() - 1]
        };
        text += &match (by_owner, dice.below(3)) {
            (_, 0) => format!(" What colour is the {noun}? The {noun} is {colour}."),
            (true, 1) => format!(" Who {verb} the {noun}? {name} {verb} the {noun}."),
            (true, _) => format!(
                " What does {name} {bare_verb}? {name} {verb} {}.",
                with_article(&thing(index))
            ),
            (false, _) => {
                format!(
                    " Where is the {0}? The {0} is {1}.",
                    thing(index),
                    spots[index]
                )
            }
        };
    }
    text
}

/// Two people go somewhere, and one gives the other something: who gets it?
pub fn gifts(dice: &mut impl Dice) -> String {
    let mut slots = Slots::default();
    let couple = dice.pick_some(words::PEOPLE, 2);
    slots.set_person("a", couple[0]);
    slots.set_person("b", couple[1]);
    let (giver, taker) = if dice.chance(50) { (0, 1) } else { (1, 0) };
    slots.set_person("giver", couple[giver]);
    slots.set_person("taker", couple[taker]);
    slots.set("place", dice.pick(words::PLACES).0);
    slots.set("gift", *dice.pick(words::GIFTS));
    slots.set("food", dice.pick(words::FOODS).0);
    slots.tell(
        dice,
        "[When {a} and {b} went to the {place}|After {a} and {b} went to the {place}|When {a} and {b} were at the {place}|While {a} and {b} were walking to the {place}|Then {a} and {b} went to the {place}. There], \
         {giver} gave {an gift} to {taker}. [\"Thank you, {giver},\" said {taker}. [\"You are welcome, {taker},\" said {giver}.|{giver} smiled at {taker}.]\
         |{taker} was very happy with the {gift}. Then {taker} gave {an food} to {giver}.|{taker} said to {giver}, \"Thank you for the {gift}.\"|Who has the {gift}? {taker} has the {gift}.]",
    )
}

/// Adding and taking away, with numbers as words.
pub fn counting(dice: &mut impl Dice) -> String {
    let couple = dice.pick_some(words::PEOPLE, 2);
    let (one, many) = *dice.pick(words::FOODS);
    let some = |count: usize| {
        let number = words::NUMBERS[count];
        if count == 0 {
            format!("no {many}")
        } else {
            format!("{number} {}", if count == 1 { one } else { many })
        }
    };
    let (a, b) = (couple[0].name, couple[1].name);
    let (first, second) = (dice.between(2, 8), dice.between(1, 4));
    let given = dice.between(1, first.min(4));
    let eaten = dice.between(1, first);
    let mut text = format!("{a} had {}. ", some(first));
    let (sentence, left) = match dice.below(3) {
        0 => {
            let now = format!(
                "Now {a} had {}, and {b} had {}. ",
                some(first - given),
                some(given)
            );
            (
                format!(
                    "{} gave {} to {b}. {now}",
                    capitalised(couple[0].he),
                    some(given)
                ),
                first - given,
            )
        }
        1 => {
            let sum = first + second;
            let more = format!(
                "{b} gave {} {} more. ",
                couple[0].him,
                words::NUMBERS[second]
            );
            (format!("{more}Now {a} had {}. ", some(sum)), sum)
        }
        _ => {
            let left = first - eaten;
            let rest = if left == 0 {
                "none"
            } else {
                words::NUMBERS[left]
            };
            let there = if left == 1 { "there was" } else { "there were" };
            let ate = format!(
                "{} ate {}. ",
                capitalised(couple[0].he),
                words::NUMBERS[eaten]
            );
            (format!("{ate}Then {there} {rest} left. "), left)
        }
    };
    text += &sentence;
    let count = |last: usize| words::NUMBERS[1..=last].join(", ");
    if dice.chance(40) {
        let last = dice.between(3, 10);
        let asked = format!("\"Can you count to {}?\" asked {b}. ", words::NUMBERS[last]);
        text += &format!("{asked}\"{},\" said {a}.", capitalised(&count(last)));
    } else if left > 1 {
        text += &format!("{a} counted the {many}: {}.", count(left));
    }
    text.trim_end().to_owned()
}

/// A market list, read out and then read back.
pub fn shopping(dice: &mut impl Dice) -> String {
    let people = dice.pick_some(words::PEOPLE, 2);
    let count = dice.between(2, 4);
    let mut items: Vec<String> = dice
        .pick_some(words::FOODS, count)
        .into_iter()
        .map(|(_, many)| format!("{} {many}", words::NUMBERS[dice.between(2, 9)]))
        .collect();
    items.push({
        let (colour, thing) = (dice.pick(words::COLOURS), dice.pick(words::THINGS));
        with_article(&format!("{colour} {thing}"))
    });
    let list = listed(&items);
    let (a, b) = (people[0], people[1].name);
    format!(
        "{} went to the {}. \"Bring me {list},\" said {b}. {} bought {list}. \"Did you bring me {list}?\" asked {b}. \"Yes, here are {list},\" said {}.",
        a.name,
        dice.pick(&["market", "store", "farm"]),
        capitalised(a.he),
        a.name
    )
}
