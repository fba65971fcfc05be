//! The texts of a vocabulary's tokens.

use std::borrow::Cow;
use std::sync::Arc;

/// The text of every token, for labels. Cloning shares the texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vocab {
    texts: Arc<Vec<String>>,
}

impl Vocab {
    /// The vocabulary whose token `i` reads `texts[i]`.
    pub fn new(texts: Vec<String>) -> Self {
        Self {
            texts: Arc::new(texts),
        }
    }

    /// How many tokens have a text.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether no token has a text, as where there is no tokenizer.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The token's text as the tokenizer writes it, or its number in brackets if it has none.
    pub fn text(&self, token: u32) -> Cow<'_, str> {
        match self.texts.get(token as usize) {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(format!("[{token}]")),
        }
    }

    /// The token's text with blanks made visible, for a label: `·` for each at an edge, `↵` and `→`.
    pub fn label(&self, token: u32) -> String {
        visible(&self.text(token))
    }
}

fn visible(text: &str) -> String {
    let core_start = text.len() - text.trim_start_matches(' ').len();
    let core_end = text.trim_end_matches(' ').len().max(core_start);
    let mut label = "·".repeat(core_start);
    for character in text[core_start..core_end].chars() {
        match character {
            '\n' => label.push('↵'),
            '\t' => label.push('→'),
            control if control.is_control() => label.push('□'),
            other => label.push(other),
        }
    }
    label.push_str(&"·".repeat(text.len() - core_end));
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_make_blanks_visible() {
        let vocab = Vocab::new(
            [" the", "\n", "a b", "  ", "", "\u{7}x"]
                .map(str::to_owned)
                .to_vec(),
        );

        let labels: Vec<String> = (0..7).map(|token| vocab.label(token)).collect();

        assert_eq!(labels, ["·the", "↵", "a b", "··", "", "□x", "[6]"]);
    }
}
