//! The little world the stories are about: its people, things, places and animals.

/// People, with the pronouns the stories use for them.
pub struct Person {
    /// First name.
    pub name: &'static str,
    /// `he` or `she`.
    pub he: &'static str,
    /// `him` or `her`.
    pub him: &'static str,
    /// `his` or `her`.
    pub his: &'static str,
    /// `boy` or `girl`.
    pub child: &'static str,
}

const fn boy(name: &'static str) -> Person {
    Person {
        name,
        he: "he",
        him: "him",
        his: "his",
        child: "boy",
    }
}

const fn girl(name: &'static str) -> Person {
    Person {
        name,
        he: "she",
        him: "her",
        his: "her",
        child: "girl",
    }
}

/// Everyone who can be in a story.
pub const PEOPLE: &[Person] = &[
    boy("John"),
    girl("Mary"),
    boy("Tom"),
    girl("Anna"),
    boy("Ben"),
    girl("Lily"),
    boy("Sam"),
    girl("Lucy"),
    boy("Jack"),
    girl("Rose"),
    boy("Peter"),
    girl("Emma"),
    boy("Paul"),
    girl("Sara"),
    boy("David"),
    girl("Jane"),
    boy("Leo"),
    girl("Nina"),
    boy("Oscar"),
    girl("Ella"),
    boy("Hugo"),
    girl("Clara"),
    boy("Max"),
    girl("Kate"),
];

/// Names of animals.
pub const PET_NAMES: &[&str] = &[
    "Rex", "Bella", "Milo", "Daisy", "Toby", "Luna", "Spot", "Coco", "Ruby", "Felix",
];

/// Colours; one per thing, kept through a story.
pub const COLOURS: &[&str] = &[
    "red", "blue", "green", "yellow", "black", "white", "brown", "orange", "pink", "grey",
];

/// Things a child can hold, lose, give and keep.
pub const THINGS: &[&str] = &[
    "ball", "key", "book", "hat", "cup", "kite", "bell", "boat", "drum", "lamp", "map", "coin",
    "shell", "ring", "stone", "flute", "scarf", "coat", "pen", "clock", "doll", "car", "spoon",
    "flag",
];

/// Things that are played with out of doors.
pub const TOYS: &[&str] = &["ball", "boat", "kite", "hat", "doll", "flag"];

/// Things that break when they fall.
pub const FRAGILE: &[&str] = &[
    "cup", "bell", "lamp", "clock", "drum", "flute", "doll", "car", "boat", "kite",
];

/// Where there is water.
pub const WATERS: &[(&str, &str)] = &[
    ("river", "by the river"),
    ("lake", "by the lake"),
    ("beach", "on the beach"),
    ("bridge", "on the bridge"),
];

/// Where things grow.
pub const FIELDS: &[(&str, &str)] = &[
    ("garden", "in the garden"),
    ("forest", "in the forest"),
    ("park", "in the park"),
    ("farm", "on the farm"),
    ("hill", "on the hill"),
];

/// Places: the bare noun and the phrase that says someone is there.
pub const PLACES: &[(&str, &str)] = &[
    ("garden", "in the garden"),
    ("kitchen", "in the kitchen"),
    ("park", "in the park"),
    ("school", "at the school"),
    ("store", "at the store"),
    ("forest", "in the forest"),
    ("river", "by the river"),
    ("farm", "on the farm"),
    ("beach", "on the beach"),
    ("hill", "on the hill"),
    ("barn", "in the barn"),
    ("library", "in the library"),
    ("station", "at the station"),
    ("market", "at the market"),
    ("bridge", "on the bridge"),
    ("lake", "by the lake"),
];

/// Where a small thing can lie.
pub const SPOTS: &[&str] = &[
    "under the bed",
    "behind the door",
    "on the table",
    "in the box",
    "under the chair",
    "on the shelf",
    "behind the tree",
    "in the basket",
    "under the mat",
    "in the bag",
    "on the roof",
    "under the bridge",
    "next to the window",
    "behind the barn",
];

/// Animals with the noise they make, how they move and where they live.
pub struct Animal {
    /// The animal's kind.
    pub kind: &'static str,
    /// What it says.
    pub sound: &'static str,
    /// How it gets about, third person.
    pub moves: &'static str,
    /// How it got about.
    pub moved: &'static str,
    /// Where it lives, after `lived`.
    pub home: &'static str,
}

const fn animal(
    kind: &'static str,
    sound: &'static str,
    moves: &'static str,
    moved: &'static str,
    home: &'static str,
) -> Animal {
    Animal {
        kind,
        sound,
        moves,
        moved,
        home,
    }
}

/// Every kind of animal.
pub const ANIMALS: &[Animal] = &[
    animal("dog", "woof", "runs", "ran", "in a small house"),
    animal("cat", "meow", "jumps", "jumped", "in an old house"),
    animal("fox", "yip", "runs", "ran", "in the forest"),
    animal("rabbit", "squeak", "hops", "hopped", "under a big tree"),
    animal("bear", "grr", "climbs", "climbed", "in a dark cave"),
    animal("horse", "neigh", "jumps", "jumped", "on a farm"),
    animal("duck", "quack", "flies", "flew", "by the lake"),
    animal("bird", "tweet", "flies", "flew", "in a tall tree"),
    animal("mouse", "squeak", "runs", "ran", "in the wall"),
    animal("frog", "croak", "hops", "hopped", "by the river"),
    animal("owl", "hoo", "flies", "flew", "in the barn"),
    animal("cow", "moo", "walks", "walked", "on a farm"),
    animal("pig", "oink", "runs", "ran", "on a farm"),
    animal("sheep", "baa", "walks", "walked", "on the hill"),
    animal("goat", "maa", "climbs", "climbed", "on the hill"),
    animal("hen", "cluck", "hops", "hopped", "on a farm"),
];

/// What someone can be like.
pub const TRAITS: &[&str] = &[
    "kind", "brave", "clever", "happy", "quiet", "funny", "gentle", "strong", "small", "shy",
];

/// How an animal in a rhyme can be; `quick` and `lazy` belong to the fox and the dog.
pub const RHYME_TRAITS: &[&str] = &[
    "happy", "sleepy", "clever", "little", "old", "young", "brave", "silly", "hungry", "gentle",
];

/// Food that can be counted: one, many.
pub const FOODS: &[(&str, &str)] = &[
    ("apple", "apples"),
    ("pear", "pears"),
    ("plum", "plums"),
    ("cookie", "cookies"),
    ("egg", "eggs"),
    ("carrot", "carrots"),
    ("nut", "nuts"),
    ("cake", "cakes"),
    ("orange", "oranges"),
];

/// What is given at the store or after school.
pub const GIFTS: &[&str] = &[
    "drink", "book", "ring", "ball", "flower", "hat", "cake", "kiss", "letter", "cookie",
];

/// Numbers as words; the index is the value.
pub const NUMBERS: &[&str] = &[
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve",
];

/// Days in order.
pub const DAYS: &[&str] = &[
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// Months in order.
pub const MONTHS: &[&str] = &[
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A few capitals.
pub const CAPITALS: &[(&str, &str)] = &[
    ("France", "Paris"),
    ("Italy", "Rome"),
    ("Spain", "Madrid"),
    ("Germany", "Berlin"),
    ("England", "London"),
    ("Japan", "Tokyo"),
    ("Egypt", "Cairo"),
    ("Greece", "Athens"),
    ("Russia", "Moscow"),
    ("China", "Beijing"),
    ("Norway", "Oslo"),
    ("Peru", "Lima"),
];

/// Opposites, both ways round.
pub const OPPOSITES: &[(&str, &str)] = &[
    ("hot", "cold"),
    ("big", "small"),
    ("up", "down"),
    ("day", "night"),
    ("fast", "slow"),
    ("happy", "sad"),
    ("open", "closed"),
    ("old", "new"),
    ("light", "dark"),
    ("wet", "dry"),
    ("left", "right"),
    ("loud", "quiet"),
];

/// What colour the world is.
pub const COLOUR_FACTS: &[(&str, &str)] = &[
    ("the sky", "blue"),
    ("grass", "green"),
    ("snow", "white"),
    ("the night", "black"),
    ("the sun", "yellow"),
    ("a carrot", "orange"),
    ("a strawberry", "red"),
    ("a frog", "green"),
    ("a bear", "brown"),
    ("a pig", "pink"),
    ("a mouse", "grey"),
    ("milk", "white"),
];

/// Plain words for the word games, on top of everything above.
pub const GAME_WORDS: &[&str] = &[
    "tree", "river", "sun", "moon", "star", "rain", "snow", "wind", "door", "window", "table",
    "chair", "bread", "milk", "fish", "song", "game", "road", "hand", "foot", "eye", "nose",
    "friend", "king", "queen", "boat", "fire", "water", "sand", "leaf", "cloud", "sleep", "run",
    "jump", "sing", "dance", "look", "find", "under", "over", "yes", "no", "never", "always",
    "morning", "winter", "summer", "sugar", "paper", "button", "candle", "mirror", "ladder",
    "pocket", "rocket", "pencil", "garden", "silver", "yellow", "thunder", "pepper", "lemon",
];

/// Parts of made-up words.
pub const SYLLABLES: &[&str] = &[
    "ba", "be", "bo", "da", "di", "do", "fa", "fi", "fu", "ga", "go", "ka", "ki", "ko", "la", "le",
    "lo", "ma", "mi", "mo", "mu", "na", "ne", "no", "pa", "pi", "po", "ra", "ri", "ro", "sa", "se",
    "su", "ta", "ti", "to", "tu", "va", "vi", "wo", "za", "zi", "zo", "zu", "plim", "bran", "dax",
    "fen", "gril", "hup", "jol", "kest", "lun", "mep", "nok", "quib", "rist", "sarn", "tog", "vex",
    "wib", "yan", "zep",
];
