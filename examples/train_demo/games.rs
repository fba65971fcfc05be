//! Texts that reward looking back word by word: repeated lists, rhymes, and small facts.

use crate::template::{Dice, Slots, capitalised};
use crate::words;

/// A random list said once, then said again: only looking it up can predict the second time.
pub fn say_after_me(dice: &mut impl Dice) -> String {
    let list = random_list(dice);
    let mut slots = Slots::default();
    let people = dice.pick_some(words::PEOPLE, 2);
    slots.set_person("a", people[0]);
    slots.set_person("b", people[1]);
    slots.set("list", list.as_str());
    slots.set("pet", *dice.pick(words::PET_NAMES));
    slots.tell(
        dice,
        "[\"Say this after me,\" said {a}. \"{list}.\"\n\"{list},\" said {b}.[|\n\"Very good, {b},\" said {a}. \"{list}.\"]\
         |{a}: {list}\n{b}: {list}[|\n{a}: {list}]\
         |{a} said, \"{list}.\" {b} said, \"{list}.\"\
         |{pet} the bird says what you say. \"{list},\" said {a}. \"{list},\" said {pet}.[| \"{list},\" said {a} again. \"{list},\" said {pet} again.]\
         |Repeat: {list}. {list}. {list}.\
         |{list}\n{list}\
         |The password is: {list}. {a} told it to {b}: {list}. What is the password? {list}.]",
    )
}

fn random_list(dice: &mut impl Dice) -> String {
    let kind = dice.below(8);
    let len = if matches!(kind, 2 | 3) {
        dice.between(3, 8)
    } else {
        dice.between(4, 14)
    };
    let joint = if kind == 5 {
        " "
    } else {
        *dice.pick(&[" ", ", ", ", ", " and ", "-"])
    };
    let items: Vec<String> = (0..len).map(|_| random_item(dice, kind)).collect();
    items.join(joint)
}

fn random_item(dice: &mut impl Dice, kind: usize) -> String {
    match kind {
        0 => any_word(dice),
        1 => dice.pick(words::PEOPLE).name.to_owned(),
        2 | 3 => {
            let syllables = dice.between(1, 3);
            (0..syllables)
                .map(|_| *dice.pick(words::SYLLABLES))
                .collect()
        }
        4 => dice.pick(words::NUMBERS).to_string(),
        5 => {
            let letter = b'A' + u8::try_from(dice.below(26)).expect("a letter fits in a byte");
            if dice.chance(25) {
                dice.below(10).to_string()
            } else {
                char::from(letter).to_string()
            }
        }
        6 => dice.below(100).to_string(),
        _ => {
            let kind = dice.below(7);
            random_item(dice, kind)
        }
    }
}

fn any_word(dice: &mut impl Dice) -> String {
    match dice.below(6) {
        0 => dice.pick(words::THINGS).to_string(),
        1 => dice.pick(words::ANIMALS).kind.to_owned(),
        2 => dice.pick(words::COLOURS).to_string(),
        3 => dice.pick(words::PLACES).0.to_owned(),
        _ => dice.pick(words::GAME_WORDS).to_string(),
    }
}

/// The sentence about the fox.
pub const FOX: &str = "The quick brown fox jumps over the lazy dog.";

/// The fox sentence, or one like it, alone or said by someone.
pub fn fox(dice: &mut impl Dice) -> String {
    let sentence = if dice.chance(60) {
        FOX.to_owned()
    } else {
        fox_like(dice)
    };
    let mut slots = Slots::default();
    let people = dice.pick_some(words::PEOPLE, 2);
    slots.set_person("a", people[0]);
    slots.set_person("b", people[1]);
    slots.set("sentence", sentence.as_str());
    slots.set("fox", FOX);
    slots.set("next", fox_like(dice));
    slots.set("place", dice.pick(words::PLACES).1);
    slots.tell(
        dice,
        "[{sentence} {next}\
         |{fox} The dog [wakes up|does not wake up|opens one eye]. [\"Come back!\" says the dog.|\"Why do you jump over me?\" asks the dog. \"Because I am quick, and you are lazy,\" says the fox.]\
         |{a} wrote on the wall: {sentence} {b} read it out: {sentence}\
         |{a} said, \"{sentence}\" {b} said, \"{sentence}\"\
         |{a} saw it {place}. {sentence} {b} did not see it. \"What did you see?\" asked {b}. \"{sentence}\"\
         |{sentence}]",
    )
}

fn fox_like(dice: &mut impl Dice) -> String {
    let animals = dice.pick_some(words::ANIMALS, 2);
    let traits = dice.pick_some(words::RHYME_TRAITS, 2);
    format!(
        "The {} {} {} {} {} the {} {}.",
        traits[0],
        dice.pick(words::COLOURS),
        animals[0].kind,
        animals[0].moves,
        dice.pick(&["over", "over", "past", "to", "around"]),
        traits[1],
        animals[1].kind
    )
}

/// A handful of small facts of one kind, that are the same in every document.
pub fn facts(dice: &mut impl Dice) -> String {
    let kind = dice.below(7);
    let count = dice.between(2, 5);
    let lines: Vec<String> = match kind {
        0 => dice
            .pick_some(words::CAPITALS, count)
            .into_iter()
            .map(|(land, city)| match dice.below(3) {
                0 => format!("What is the capital of {land}? The capital of {land} is {city}."),
                1 => format!("{city} is the capital of {land}."),
                _ => format!("The capital of {land} is {city}."),
            })
            .collect(),
        1 => dice
            .pick_some(words::OPPOSITES, count)
            .into_iter()
            .map(|&(one, two)| {
                if dice.chance(50) {
                    (one, two)
                } else {
                    (two, one)
                }
            })
            .map(|(one, two)| format!("The opposite of {one} is {two}."))
            .collect(),
        2 => dice
            .pick_some(words::COLOUR_FACTS, count)
            .into_iter()
            .map(|(thing, colour)| format!("{} is {colour}.", capitalised(thing)))
            .collect(),
        3 => dice
            .pick_some(words::ANIMALS, count)
            .into_iter()
            .map(|animal| format!("The {} says {}.", animal.kind, animal.sound))
            .collect(),
        4 => (0..count)
            .map(|_| {
                let (one, two) = (dice.between(1, 6), dice.between(1, 6));
                let sum = words::NUMBERS[one + two];
                format!(
                    "{} plus {} is {sum}.",
                    capitalised(words::NUMBERS[one]),
                    words::NUMBERS[two]
                )
            })
            .collect(),
        5 => in_order(dice, words::DAYS, count),
        _ => in_order(dice, words::MONTHS, count),
    };
    lines.join(" ")
}

fn in_order(dice: &mut impl Dice, names: &[&str], count: usize) -> Vec<String> {
    if dice.chance(40) {
        return vec![format!("{}.", names.join(", "))];
    }
    (0..count)
        .map(|_| {
            let day = dice.below(names.len());
            let (name, next) = (names[day], names[(day + 1) % names.len()]);
            if dice.chance(50) {
                format!("After {name} comes {next}.")
            } else {
                format!("What comes after {name}? {next} comes after {name}.")
            }
        })
        .collect()
}
