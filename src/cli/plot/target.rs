//! Which prediction is explained: from options to a target, and back to words.

use clap::Args;

use super::table::{Cell, Table};
use super::text::Reading;
use crate::attribution::{Target, TargetWish};
use crate::cli::error::CliError;
use crate::trace::Vocab;

/// Options of every plot that explains a prediction.
#[derive(Clone, Debug, Args)]
pub struct TargetArgs {
    /// The token whose logit is explained: its text, or `#` and its number; the most probable next
    /// one without it
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true)]
    pub target: Option<String>,
    /// A token whose logit is taken off, so that the difference of two is explained
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true)]
    pub minus: Option<String>,
    /// The position whose next token is predicted, from 0; the text's last without it
    #[arg(long, value_name = "N")]
    pub position: Option<usize>,
}

impl TargetArgs {
    /// What is asked, for a text that is read.
    pub(super) fn wish(&self, reading: &Reading) -> Result<TargetWish, CliError> {
        let vocab = reading.vocab();
        let d_vocab = reading.config().d_vocab;
        let token = |name: &str, text: &Option<String>| {
            text.as_ref()
                .map(|text| find_token(name, text, vocab, d_vocab))
                .transpose()
        };
        let wish = TargetWish {
            pos: self.position,
            token: token("target", &self.target)?,
            minus: token("minus", &self.minus)?,
        };
        if wish.token.is_some() && wish.token == wish.minus {
            return Err(CliError::Usage(format!(
                "--target and --minus are both {}; the difference of a logit from itself is zero",
                reading.quoted(wish.token.unwrap_or_default())
            )));
        }
        wish.position(reading.tokens.len())
            .map_err(|error| CliError::Usage(error.to_string()))?;
        Ok(wish)
    }
}

/// The token that `text` names: `#` and a number, or exactly its text, with or without a blank before.
pub(super) fn find_token(
    option: &str,
    text: &str,
    vocab: &Vocab,
    d_vocab: usize,
) -> Result<u32, CliError> {
    let number = text
        .strip_prefix('#')
        .and_then(|digits| digits.parse::<u32>().ok());
    if let Some(token) = number {
        if (token as usize) < d_vocab {
            return Ok(token);
        }
        return Err(CliError::Usage(format!(
            "--{option} {text:?}: the vocabulary's tokens go from #0 to #{}",
            d_vocab - 1
        )));
    }
    if vocab.is_empty() {
        return Err(CliError::Usage(format!(
            "--{option} {text:?}: the model has no tokenizer.json, so no token has a text; \
             give # and its number, such as #5"
        )));
    }
    let plain = text.replace('·', " ").replace('↵', "\n");
    let reads = |wanted: &str| {
        let tokens = 0..vocab.len() as u32;
        tokens
            .into_iter()
            .find(|token| vocab.text(*token) == wanted)
    };
    if let Some(token) = reads(text).or_else(|| reads(&plain)) {
        return Ok(token);
    }
    if let Some(token) = reads(&format!(" {plain}")) {
        return Ok(token);
    }
    let near: Vec<String> = vocab
        .search(text, 3)
        .into_iter()
        .map(|token| format!("{:?} (#{token})", vocab.text(token)))
        .collect();
    let hint = if near.is_empty() {
        "give another text, or # and its number".to_owned()
    } else {
        format!("near it are {}", near.join(", "))
    };
    Err(CliError::Usage(format!(
        "--{option} {text:?} is no single token of this model; {hint}"
    )))
}

/// The target in words: `logit of “·fox” after “·brown”`.
pub(super) fn target_words(reading: &Reading, target: Target) -> String {
    let after = reading
        .tokens
        .get(target.pos)
        .map(|token| reading.quoted(*token));
    let after = format!(
        "after {} (position {})",
        after.unwrap_or_default(),
        target.pos
    );
    let token = reading.quoted(target.token);
    match target.minus {
        None => format!("logit of {token} {after}"),
        Some(minus) => format!(
            "logit of {token} minus that of {} {after}",
            reading.quoted(minus)
        ),
    }
}

/// Notes the target and its value.
pub(super) fn note_target(table: &mut Table, reading: &Reading, target: Target, value: f32) {
    table.ask("target", target_words(reading, target));
    table.ask("target_position", target.pos);
    table.ask("target_token", target.token);
    if let Some(minus) = target.minus {
        table.ask("target_minus", minus);
    }
    table.facts.insert("target [logit]", Cell::Number(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_number_by_text_and_without_its_blank() {
        let vocab = Vocab::new([" the", "the", " fox", "\n"].map(str::to_owned).to_vec());
        let find = |text: &str| find_token("target", text, &vocab, 4);

        assert_eq!(find("#2").unwrap(), 2);
        assert_eq!(find("the").unwrap(), 1);
        assert_eq!(find(" the").unwrap(), 0);
        assert_eq!(find("·the").unwrap(), 0);
        assert_eq!(find("fox").unwrap(), 2);
        assert_eq!(find("↵").unwrap(), 3);
        let unknown = find("th").unwrap_err().to_string();
        assert!(
            unknown.contains("#1") && unknown.contains("no single token"),
            "{unknown}"
        );
        let far = find("#4").unwrap_err().to_string();
        assert!(far.contains("#0 to #3"), "{far}");
        let none = find_token("target", "a", &Vocab::default(), 4).unwrap_err();
        assert!(none.to_string().contains("#5"), "{none}");
    }
}
