//! A plot's numbers as JSON and as CSV: exact, with their names and units and what they are of.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::trace::Vocab;

/// A plot's numbers.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Table {
    /// The kind of plot.
    pub kind: &'static str,
    /// What is shown, and in which unit.
    pub title: String,
    /// The program that computed it.
    pub llmscope: &'static str,
    /// The model.
    pub model: String,
    /// The text.
    pub tokens: Vec<TokenEntry>,
    /// What was asked.
    pub asked: BTreeMap<&'static str, Value>,
    /// Numbers of the whole, such as a target's logit.
    pub facts: BTreeMap<&'static str, Cell>,
    /// What each number of a row is.
    pub columns: Vec<Column>,
    /// The numbers, row by row.
    pub rows: Vec<Vec<Cell>>,
}

/// A token of the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct TokenEntry {
    pub pos: usize,
    pub token: u32,
    pub text: String,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Column {
    pub name: &'static str,
    /// Empty where it counts or names something.
    pub unit: &'static str,
}

/// A number or a word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Number(f32),
    Count(u64),
    Text(String),
    Nothing,
}

impl Cell {
    pub fn count(count: usize) -> Self {
        Self::Count(count as u64)
    }

    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

impl From<f32> for Cell {
    fn from(number: f32) -> Self {
        Self::Number(number)
    }
}

impl From<Option<f32>> for Cell {
    fn from(number: Option<f32>) -> Self {
        number.map_or(Self::Nothing, Self::Number)
    }
}

/// JSON has no word for what is not finite: it is written as a text.
impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) if number.is_finite() => serializer.serialize_f32(*number),
            Self::Number(number) => serializer.serialize_str(&number.to_string()),
            Self::Count(count) => serializer.serialize_u64(*count),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Nothing => serializer.serialize_none(),
        }
    }
}

impl Cell {
    fn to_csv(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Count(count) => count.to_string(),
            Self::Text(text) => quoted(text),
            Self::Nothing => String::new(),
        }
    }
}

impl Table {
    /// A table without rows yet.
    pub fn new(
        kind: &'static str,
        model: String,
        columns: &[(&'static str, &'static str)],
    ) -> Self {
        Self {
            kind,
            title: String::new(),
            llmscope: env!("CARGO_PKG_VERSION"),
            model,
            tokens: Vec::new(),
            asked: BTreeMap::new(),
            facts: BTreeMap::new(),
            columns: columns
                .iter()
                .map(|(name, unit)| Column { name, unit })
                .collect(),
            rows: Vec::new(),
        }
    }

    /// Names the text.
    pub fn set_tokens(&mut self, tokens: impl Iterator<Item = u32>, vocab: &Vocab) {
        let entries = tokens.enumerate().map(|(pos, token)| TokenEntry {
            pos,
            token,
            text: vocab.text(token).into_owned(),
        });
        self.tokens = entries.collect();
    }

    /// Notes what was asked.
    pub fn ask(&mut self, name: &'static str, value: impl Into<Value>) {
        self.asked.insert(name, value.into());
    }

    /// Comment lines that say what the numbers are of, a line of names, then the rows. A unit follows
    /// its column's name in square brackets.
    pub fn to_csv(&self) -> String {
        let mut csv = String::new();
        let mut say = |name: &str, value: &str| {
            let value: String = value
                .chars()
                .map(|character| {
                    if character.is_control() {
                        ' '
                    } else {
                        character
                    }
                })
                .collect();
            writeln!(csv, "# {name}: {value}").expect("a string takes all text");
        };
        say("llmscope", self.llmscope);
        say("plot", self.kind);
        say("title", &self.title);
        say("model", &self.model);
        if !self.tokens.is_empty() {
            let tokens: Vec<String> = self.tokens.iter().map(|t| t.token.to_string()).collect();
            say("tokens", &tokens.join(" "));
        }
        for (name, value) in &self.asked {
            say(name, &value.to_string());
        }
        for (name, cell) in &self.facts {
            say(name, &cell.to_csv());
        }
        let names: Vec<String> = self
            .columns
            .iter()
            .map(|column| match column.unit {
                "" => column.name.to_owned(),
                unit => format!("{} [{unit}]", column.name),
            })
            .map(|name| quoted(&name))
            .collect();
        csv.push_str(&names.join(","));
        csv.push('\n');
        for row in &self.rows {
            let cells: Vec<String> = row.iter().map(Cell::to_csv).collect();
            csv.push_str(&cells.join(","));
            csv.push('\n');
        }
        csv
    }
}

/// RFC 4180: in quotes where it must be.
fn quoted(text: &str) -> String {
    let is_plain = !text.contains([',', '"', '\n', '\r'])
        && !text.starts_with([' ', '#'])
        && !text.ends_with(' ');
    if is_plain {
        text.to_owned()
    } else {
        format!("\"{}\"", text.replace('"', "\"\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_quotes_what_it_must_and_says_what_the_numbers_are_of() {
        let mut table = Table::new(
            "attention",
            "demo".to_owned(),
            &[("key", ""), ("weight", "1")],
        );
        table.title = "a\ntitle".to_owned();
        table.ask("layer", 1);
        table.facts.insert("logit", Cell::Number(0.1));
        table.rows = vec![
            vec![Cell::text(" \"a\", b"), Cell::Number(f32::NAN)],
            vec![Cell::Nothing, Cell::Number(0.1)],
        ];

        let csv = table.to_csv();

        let lines: Vec<&str> = csv.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "# title: a title",
                "# model: demo",
                "# layer: 1",
                "# logit: 0.1",
                "key,weight [1]",
                "\" \"\"a\"\", b\",NaN",
                ",0.1",
            ]
        );
    }

    #[test]
    fn json_keeps_every_digit_and_names_what_is_not_finite() {
        let cells = [
            Cell::Number(0.1),
            Cell::Number(f32::NEG_INFINITY),
            Cell::count(7),
            Cell::Nothing,
        ];

        let json = serde_json::to_string(&cells).unwrap();

        assert_eq!(json, "[0.1,\"-inf\",7,null]");
    }
}
