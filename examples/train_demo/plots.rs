//! Stories with a plot: each is one template, cast with people, an animal, a thing and a place.

use crate::template::{Dice, Slots};
use crate::words;

/// One story from beginning to end.
pub fn story(dice: &mut impl Dice) -> String {
    let plot = *dice.pick(PLOTS);
    cast(dice).tell(dice, plot)
}

/// One talk, each speaker on a line of their own.
pub fn dialogue(dice: &mut impl Dice) -> String {
    let talk = *dice.pick(TALKS);
    cast(dice).tell(dice, talk)
}

/// Everyone and everything a story may need.
fn cast(dice: &mut impl Dice) -> Slots {
    let mut slots = Slots::default();
    for (slot, person) in ["a", "b", "c"].iter().zip(dice.pick_some(words::PEOPLE, 3)) {
        slots.set_person(slot, person);
    }

    let colours = dice.pick_some(words::COLOURS, 2);
    let things = dice.pick_some(words::THINGS, 2);
    let (toy, fragile) = (dice.pick(words::TOYS), dice.pick(words::FRAGILE));
    let nouns = [things[0], things[1], toy, fragile];
    for (index, (slot, noun)) in ["thing", "other", "toy", "fragile"]
        .iter()
        .zip(nouns)
        .enumerate()
    {
        let colour = colours[index % colours.len()];
        slots.set(slot, format!("{colour} {noun}"));
        slots.set(&format!("{slot}.noun"), *noun);
        slots.set(&format!("{slot}.colour"), *colour);
    }

    let animals = dice.pick_some(words::ANIMALS, 2);
    let pets = dice.pick_some(words::PET_NAMES, 2);
    let traits = dice.pick_some(words::TRAITS, 2);
    for (index, slot) in ["pet", "friend"].iter().enumerate() {
        slots.set(slot, *pets[index]);
        slots.set(&format!("{slot}.kind"), animals[index].kind);
        slots.set(&format!("{slot}.sound"), animals[index].sound);
        slots.set(&format!("{slot}.moved"), animals[index].moved);
        slots.set(&format!("{slot}.home"), animals[index].home);
        slots.set(&format!("{slot}.trait"), *traits[index]);
    }

    for (slot, (place, at)) in ["place", "there"]
        .iter()
        .zip(dice.pick_some(words::PLACES, 2))
    {
        slots.set(slot, *place);
        slots.set(&format!("{slot}.at"), *at);
    }
    for (slot, places) in [("water", words::WATERS), ("field", words::FIELDS)] {
        let (place, at) = dice.pick(places);
        slots.set(slot, *place);
        slots.set(&format!("{slot}.at"), *at);
    }
    for (slot, spot) in ["spot", "wrong", "also"]
        .iter()
        .zip(dice.pick_some(words::SPOTS, 3))
    {
        slots.set(slot, *spot);
    }
    for (slot, (one, many)) in ["food", "snack"]
        .iter()
        .zip(dice.pick_some(words::FOODS, 2))
    {
        slots.set(slot, *one);
        slots.set(&format!("{slot}.many"), *many);
    }
    slots.set("day", *dice.pick(words::DAYS));
    slots
}

const PLOTS: &[&str] = &[
    // Lost and found.
    "[{a} had|{a} had|Once upon a time, there was a [little |]{a.child} named {a}. {^a.he} had] {an thing}. [{^a.he} loved the {thing}.|It was {a.his} best {thing.noun}.|{^a.he} played with the {thing.noun} every day.] \
     One day, the {thing} was gone. {a} looked {wrong}. The {thing.noun} was not there. {^a.he} looked {also}. It was not there. \
     [\"Have you seen my {thing}?\" {a} asked {b}.|{a} asked {b}, \"Where is my {thing}?\"] [\"Let us look together,\" said {b}.|\"I will help you,\" said {b}.] \
     [Then {b} looked {spot}.|They looked and looked. At last, {b} looked {spot}.] There was the {thing}! \
     [{a} was very happy.|{a} smiled.] [\"Thank you, {b},\" {a.he} said.|\"You found it! Thank you, {b}!\" said {a}.]",
    // A gift.
    "It was {a}'s birthday. {b} came to {a}'s house with a big box. [\"This is for you,\" said {b}.|\"Happy birthday, {a}!\" said {b}.] \
     {a} opened the box. In the box was {an thing}. [\"I love it!\" said {a}.|\"What a nice {thing.noun}!\" said {a}.] \
     {a} and {b} [played with the {thing.noun} all day|ate cake and played with the {thing}]. \
     [In the evening, {a} put the {thing.noun} {spot}.|{a} showed the {thing} to {c}. \"{b} gave it to me,\" said {a}.]",
    // Animal meets animal.
    "Once upon a time, there was [a little|a young|an old] {pet.kind} named {pet}. {pet} lived {pet.home}. {pet} was very {pet.trait}, but {pet} had no friends. \
     One day, {pet} [{pet.moved} to the {place}|went to the {place}]. There {pet} met a {friend.kind} named {friend}. \
     \"{^pet.sound}, {pet.sound},\" said {pet}. \"{^friend.sound}, {friend.sound},\" said {friend}. \
     [\"Do you want to play with me?\" asked {pet}. \"Yes, I do,\" said {friend}.|\"Will you be my friend?\" asked {pet}. \"Yes, I will be your friend,\" said {friend}.] \
     [From that day on, {pet} and {friend} were best friends.|They played {place.at} until it was dark. Then {pet} went home, and {friend} went home too.]",
    // Rain.
    "[On {day}, |One day, ]{a} and {b} went to the {place}. {a} had {an thing}, and {b} had {an other}. The sun was out, and they were happy. \
     Then it began to rain. [\"We will get wet!\" said {a}.|\"Look at the rain!\" said {b}.] They ran [under a big tree|into the barn|into the old house]. \
     [But {a} did not have the {thing}. The {thing.noun} was still {place.at}.|But {b} did not have the {other}. The {other.noun} was still {place.at}.] \
     They waited. When the rain stopped, they went back to the {place}. [The {thing} was wet, and the {other} was wet, but they did not mind.|\"Here is my {thing.noun},\" said {a}. \"And here is my {other.noun},\" said {b}.]",
    // The message.
    "{a} wanted to tell {c} something. {^a.he} said to {b}, \"Go to {c} and say this: the {thing} is {spot}.\" \
     {b} [walked|ran] [to the {place}|over the bridge to the {place}|up the hill and down the road]. There was {c}. \
     \"{a} says this: the {thing} is {spot},\" said {b}. [{c} went to look {spot}|So {c} went and looked {spot}]. The {thing} was there. \
     [\"Tell {a} that I have it,\" said {c}. So {b} went back to {a} and said, \"{c} has it.\"|{c} took the {thing.noun} and went home.]",
    // Swap.
    "{a} had {an thing}. {b} had {an other}. {a} liked the {other} [more|very much], and {b} liked the {thing} [more|very much]. \
     [\"Can we swap?\" asked {a}. \"Yes,\" said {b}.|\"Let us swap,\" said {b}. \"Yes, let us swap,\" said {a}.] \
     {a} gave the {thing.noun} to {b}, and {b} gave the {other.noun} to {a}. \
     Now {a} had the {other}, and {b} had the {thing}. [They were both happy.|Both of them smiled.]",
    // The lost pet.
    "{a} had a {pet.kind} named {pet}. {pet} was [a {pet.trait}|a very {pet.trait}] {pet.kind}. One morning, {pet} was gone. \
     {a} was sad. \"{pet}! {pet}! Where are you?\" {a.he} called. {^a.he} went to the {place} and called again, \"{pet}! {pet}! Where are you?\" \
     [Then {a.he} heard a sound|At last, {a} heard something] {spot}. \"{^pet.sound}, {pet.sound}!\" \
     It was {pet}! [{a} took {pet} home and gave {pet} some milk.|{a} and {pet} went home together.] [\"Do not run away again, {pet},\" said {a}.|{a} was so happy.]",
    // The seed.
    "{a} found a small seed {field.at}. {^a.he} put the seed in the ground and gave it some water. {b} asked, \"What will it be?\" \"I do not know,\" said {a}. \
     On Monday, nothing happened. On Tuesday, nothing happened. On Wednesday, there was a little green leaf. \
     [{a} gave it more water.|The sun was warm.] On Sunday, there was a big {thing.colour} flower. \
     [\"It is {an thing.colour} flower!\" said {b}.|\"Look, {b}, the flower is {thing.colour}!\" said {a}.] [{a} gave the {thing.colour} flower to {b}.|Everyone came to see the {thing.colour} flower.]",
    // Painting.
    "{a} wanted to paint a picture. {^a.he} asked {b}, \"What should I paint?\" [\"Paint a {pet.kind},\" said {b}.|\"You should paint a {pet.kind},\" said {b}.] \
     \"What colour should the {pet.kind} be?\" asked {a}. \"{^thing.colour},\" said {b}. So {a} painted {an thing.colour} {pet.kind} {place.at}. \
     [Then {c} came and said, \"I have never seen {an thing.colour} {pet.kind}!\" [They all laughed.|\"{b} told me to paint it {thing.colour},\" said {a}.]\
     |{c} looked at it. \"Why is the {pet.kind} {thing.colour}?\" asked {c}. [\"{b} told me to paint it {thing.colour},\" said {a}.|\"Because I like {thing.colour},\" said {b}.]]",
    // The dark.
    "It was night, and {a} could not sleep. [The room was dark.|It was very dark.] {^a.he} heard a sound {spot}. \"Who is there?\" said {a}. \
     \"{^pet.sound},\" said something. {a} was afraid, but {a.he} was also brave. {^a.he} took a light and looked {spot}. \
     [It was only {pet} the {pet.kind}!|There was {pet}, the little {pet.kind}.] [\"It was only you, {pet}!\" said {a}.|{a} laughed.] Then {a} and {pet} went to sleep.",
    // The race.
    "{pet} the {pet.kind} and {friend} the {friend.kind} wanted to have a race. [\"I am faster than you,\" said {pet}.|\"You cannot win,\" said {pet}.] \
     [\"We will see,\" said {friend}.|\"Maybe I can,\" said {friend}.] They ran from the {place} to the {there}. [First {pet} was fast, but then {pet} stopped to sleep.|{pet} was fast, but {pet} fell into the water.] \
     {friend} did not stop. {friend} [came to the {there} first|was the first to come to the {there}]. [\"Who won?\" asked {a}. \"{friend} won,\" said {b}.|So {friend} won the race. \"Well done, {friend}!\" said {pet}.]",
    // Broken and mended.
    "{a} dropped {b}'s {fragile}, and the {fragile.noun} broke. {a} was [afraid|very sad]. [\"I am sorry, {b},\" said {a}. \"I broke your {fragile}.\"|{a} went to {b} and said, \"I broke your {fragile}. I am sorry.\"] \
     [{b} was sad, but {b.he} was not angry.|At first {b} was angry. Then {b.he} smiled.] \"We can fix it,\" said {b}. \
     [They asked {c} for help.|{c} came to help.] {a}, {b}, and {c} worked all day. In the evening, the {fragile} was [as good as new|like new again].",
    // Sharing.
    "{a} was hungry. {b} had {an food} and {an snack}. [\"Are you hungry, {a}?\" asked {b}.|\"You look hungry, {a},\" said {b}.] \"Yes, I am,\" said {a}. \
     [\"You can have the {food},\" said {b}. So {b} gave {a} the {food} and ate the {snack}.|\"You can have the {snack},\" said {b}. So {b} gave {a} the {snack} and ate the {food}.] \
     [The next day|On {day}], {b} was hungry. Now {a} had [some {food.many}|many {snack.many}], and {a.he} gave one to {b}. [That is what friends do.|\"Thank you, {a},\" said {b}.]",
    // The wise owl.
    "{pet} the {pet.kind} wanted to find the {thing}. {pet} asked the old owl, \"Where is the {thing}?\" The owl said, \"Go to the {place}, then go to the {there}.\" \
     So {pet} went to the {place}, and then {pet} went to the {there}. [There was a {friend.kind} named {friend}.|There sat {friend}, a {friend.trait} {friend.kind}.] \
     \"Where is the {thing}?\" asked {pet}. \"It is {spot},\" said {friend}. {pet} looked {spot}. [The {thing} was there.|And there it was, the {thing}!] [\"The owl was right,\" said {pet}.|{pet} took the {thing.noun} home.]",
    // The ball and the water.
    "{a} and {b} were playing {water.at} with {an toy}. [{a} threw the {toy.noun} too far.|The wind was strong.] The {toy} fell into the water. \
     \"Oh no, my {toy}!\" said {b}. [{pet}, the {pet.trait} {pet.kind}, saw it.|A {pet.kind} named {pet} came by.] {pet} went into the water and came back with the {toy}. \
     [\"Good {pet}!\" said {a}.|\"Thank you, {pet}!\" said {b}.] [{b} gave {pet} {an food}.|They gave {pet} {an food}.] [{pet} liked the {food}.|\"{^pet.sound},\" said {pet}.]",
    // At school.
    "On {day}, there was a new {c.child} at school. [\"My name is {c},\"|\"I am {c},\"] said the new {c.child}. [\"Hello, {c}. I am {a},\" said {a}.|\"Hello, {c}. My name is {a},\" said {a}.] \
     \"I like your {thing},\" said {a}. \"Thank you, {a}. I like your {other},\" said {c}. \
     [They sat together and read a book.|They played together all day.] [When {a} came home, {a.he} said, \"I have a new friend. The name of my friend is {c}.\"|From then on, {a} and {c} were friends.]",
    // The king.
    "Once upon a time, there was a king who had {an thing}. [He kept the {thing.noun} {spot}.|Every night, he put the {thing} {spot}.] One night, a {pet.kind} came and took the {thing}. \
     \"Who took my {thing}?\" asked the king. \"The {pet.kind} took it,\" said {a}. The king said to {a}, \"Find the {pet.kind}, and bring me my {thing}.\" \
     {a} found the {pet.kind} {place.at}. [\"Why did you take it?\" asked {a}. \"Because it is {thing.colour}, and I like {thing.colour},\" said the {pet.kind}.|The {pet.kind} was sorry and gave the {thing} to {a}.] [{a} took the {thing} back to the king.|So the king had his {thing} again.]",
    // Day at home.
    "In the morning, {a} [woke up|got up] and ate {an food}. Then {a.he} went to the {place}. {^a.he} saw {b} {place.at}. [\"Good morning, {b},\" said {a}. \"Good morning, {a},\" said {b}.|\"Hello, {a}!\" said {b}. \"Hello, {b}!\" said {a}.] \
     In the afternoon, {a} and {b} [went to the {field} and played with {a}'s {toy}|looked for {an pet.kind} {field.at}, but they did not find one]. \
     In the evening, {a} was tired. [{^a.he} went home and went to bed.|\"Good night, {b},\" said {a}. \"Good night, {a},\" said {b}.]",
    // Too small.
    "{pet} was a small {pet.kind}. [\"You are too small,\" said the big {friend.kind}.|The other animals said, \"You are too small.\"] {pet} was sad. \
     One day, {a} lost {an thing}. The {thing.noun} was in a little hole. The big {friend.kind} was too big to go in. [\"I can go in, because I am small,\" said {pet}.|But {pet} was small, so {pet} could go in.] \
     {pet} went into the hole and came out with the {thing}. \"Thank you, {pet}!\" said {a}. [\"It is good to be small,\" said {pet}.|After that, nobody said that {pet} was too small.]",
    // The shop.
    "{a} went to the store. [\"Good morning,\" said {b}. \"What do you want?\"|{b} was at the store.] \"I want {an thing}, please,\" said {a}. \
     [\"I do not have {an thing}, but I have {an other},\" said {b}.|\"The {thing} is gone, but here is {an other},\" said {b}.] {a} looked at the {other}. [\"It is nice,\" said {a}. \"I will take the {other}.\"|\"No, thank you,\" said {a}. \"I want {an thing}, not {an other}.\"]",
    // A child and a wish.
    "Once upon a time, there was a [little |]{a.child} named {a}. {a} wanted {an thing} very much. [{^a.he} asked {b}, but {b} did not have {an thing}.|{^a.he} looked for {an thing} at the market, but there was none.] \
     One day, {a} helped an old {pet.kind} named {pet} {place.at}. [\"You are very kind, {a},\" said {pet}. \"What do you want?\"|\"Thank you, {a},\" said {pet}. \"You are a kind {a.child}. What do you want?\"] \
     \"I want {an thing},\" said {a}. \"Look {spot},\" said {pet}. {a} looked {spot}, and there was {an thing}! [{a} kept the {thing} for many years.|{a} was the happiest {a.child} in the world.]",
    // Grandmother's house.
    "Once upon a time, there was a [little |]{a.child} who had {an thing}. The name of the {a.child} was {a}. {a} went into the forest to see {a.his} grandmother. \
     In the forest, {a.he} met a {pet.kind}. \"Where are you going, {a}?\" asked the {pet.kind}. \"I am going to see my grandmother,\" said {a}. \"I have some {food.many} for her.\" \
     [\"I like {food.many} too,\" said the {pet.kind}. So {a} gave the {pet.kind} one.|\"May I come with you?\" asked the {pet.kind}. \"Yes, you may,\" said {a}.] \
     [\"What a nice {thing}!\" said {a.his} grandmother.|At the house, {a} gave the {food.many} to {a.his} grandmother.] [\"I am happy that you came, {a},\" she said.|They ate the {food.many} together.]",
    // The snow.
    "It was winter, and the snow was white. {a} and {b} made a man of snow {field.at}. {a} gave him {an thing.colour} hat, and {b} gave him {an other.colour} scarf. \
     [\"He needs a nose,\" said {c}. So they gave him a carrot.|\"What is his name?\" asked {c}. \"His name is {pet},\" said {b}.] \
     Then the sun came out, and it was warm. The next day, the man of snow was gone. Only [the {thing.colour} hat and the {other.colour} scarf were left|the {thing.colour} hat was left, and the {other.colour} scarf was wet]. \
     [\"Where did he go?\" asked {a}. \"He went away with the snow,\" said {b}.|\"He will come back next winter,\" said {a}.]",
    // Magic.
    "{a} found {an thing} {spot}. It was magic! [\"You have one wish,\" said the {thing.noun}.|The {thing.noun} said, \"You may have one wish.\"] {a} thought for a long time. \
     [\"I wish for {an other},\" said {a}. And there was {an other} in {a.his} hand.|\"I wish that {pet} could talk,\" said {a}. \"Hello, {a},\" said {pet} the {pet.kind}. \"Now I can talk!\"] \
     [{a} told {b} about the magic {thing.noun}, but {b} did not believe it.|Nobody knew about the magic {thing.noun} but {a}.]",
];

const TALKS: &[&str] = &[
    "\"Hello, {a},\" said {b}.\n\"Hello, {b},\" said {a}. \"How are you?\"\n\"I am [fine|well|happy], thank you. How are you, {a}?\"\n\"I am [fine too|a little tired|a little hungry], {b}.\"\n[\"Goodbye, {a}.\"\n\"Goodbye, {b}.\"|\"See you on {day}, {a}.\"\n\"Yes, see you on {day}, {b}.\"]",
    "{a}: Where is the {thing}?\n{b}: The {thing} is {spot}.\n{a}: And where is the {other}?\n{b}: The {other} is {wrong}.\n{a}: So the {thing} is {spot}, and the {other} is {wrong}.\n{b}: Yes, that is right, {a}.",
    "{a}: Do you have {an thing}?\n{b}: No, I have {an other}. {c} has {an thing}.\n{a}: {c}, do you have {an thing}?\n{c}: Yes, I have {an thing}. [Do you want it?\n{a}: Yes, please. Thank you, {c}.|You can have the {thing.noun}, {a}.\n{a}: Thank you, {c}.]",
    "\"What is your name?\" asked {a}.\n\"My name is {b},\" said {b}. \"What is your name?\"\n\"My name is {a},\" said {a}.\n\"I have a {pet.kind} named {pet},\" said {b}. \"Do you have a {pet.kind}?\"\n\"No, I have a {friend.kind} named {friend},\" said {a}.\n[\"Can I see {friend}?\" asked {b}.|\"Is {pet} a {pet.trait} {pet.kind}?\" asked {a}.]\n\"Yes,\" said [{a}|{b}].",
    "{a}: I am going to the {place}. Do you want to come?\n{b}: No, I am going to the {there}.\n{c}: Where is {a} going?\n{b}: {a} is going to the {place}.\n{c}: And where are you going?\n{b}: I am going to the {there}.\n{c}: Then I will come with you to the {there}.",
    "{a}: Who broke the {thing}?\n{b}: I did not break the {thing}. {c} broke it.\n{c}: I did not break the {thing}. {pet} the {pet.kind} broke it.\n{a}: {pet}, did you break the {thing}?\n{pet}: {^pet.sound}!\n{a}: [{pet} says yes.|So it was {pet}!]",
    "\"Knock, knock,\" said {a}.\n\"Who is there?\" asked {b}.\n\"{pet},\" said {a}.\n\"{pet} who?\" asked {b}.\n\"{pet} the {pet.kind},\" said {a}, and they [both laughed|laughed and laughed].",
    "\"Can you keep a secret, {b}?\" asked {a}.\n\"Yes, I can keep a secret,\" said {b}.\n\"The {thing} is {spot},\" said {a}.\nThen {c} asked {b}, \"What did {a} say?\"\n[\"I cannot tell you. It is a secret,\" said {b}.|\"{a} said that the {thing} is {spot},\" said {b}.]",
    "{a}: What do you want to eat?\n{b}: I want {an food}. What do you want?\n{a}: I want {an snack}.\n{c}: What does {b} want?\n{a}: {b} wants {an food}, and I want {an snack}.\n{c}: Here is {an food} for {b}, and here is {an snack} for {a}.\n{b}: Thank you, {c}.",
    "{a}: What do you like, {b}?\n{b}: I like {food.many}, I like {pet.kind}s, and I like the {place}. What do you like, {a}?\n{a}: I like {snack.many}, and I like my {thing}.\n{c}: [So {b} likes {food.many}, and {a} likes {snack.many}.|What does {b} like?\n{a}: {b} likes {food.many} and the {place}.]",
];
