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

    /// The text of each token, from the first.
    pub fn texts(&self) -> &[String] {
        &self.texts
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

    /// Tokens that `query` may mean, at most `n`, the likeliest first: the token of that number if it
    /// is one in brackets or after `#`; then those that read so, as they are, with a blank before
    /// them, or as labels show them; then those that begin so, those that contain it, shorter ones
    /// first. Case counts only among equals.
    pub fn search(&self, query: &str, n: usize) -> Vec<u32> {
        if query.is_empty() || n == 0 {
            return Vec::new();
        }
        let mut found: Vec<(u8, usize, u32)> = Vec::new();
        let number = query.strip_prefix('#').or_else(|| {
            query
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
        });
        if let Some(token) = number.and_then(|number| number.parse::<u32>().ok())
            && (token as usize) < self.texts.len()
        {
            found.push((0, 0, token));
        }
        // What stands for a blank in a label, or a line's end.
        let plain = query.replace('·', " ").replace('↵', "\n");
        let lower = plain.to_lowercase();
        let core = lower.trim_start_matches(' ');
        for (token, text) in (0..).zip(self.texts.iter()) {
            let rank = if *text == plain || *text == query {
                1
            } else if text.strip_prefix(' ') == Some(plain.as_str()) {
                2
            } else {
                let text = text.to_lowercase();
                if text == lower || text.strip_prefix(' ') == Some(lower.as_str()) {
                    3
                } else if !core.is_empty() && text.trim_start_matches(' ').starts_with(core) {
                    4
                } else if !core.is_empty() && text.contains(core) {
                    5
                } else {
                    continue;
                }
            };
            found.push((rank, text.len(), token));
        }
        found.sort_unstable();
        found.dedup_by_key(|(_, _, token)| *token);
        found
            .into_iter()
            .take(n)
            .map(|(_, _, token)| token)
            .collect()
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
    fn a_search_finds_the_token_that_reads_so_first_then_those_like_it() {
        let texts = [" theory", "The", " the", "the", "bathe", "\n", "x"];
        let vocab = Vocab::new(texts.map(str::to_owned).to_vec());

        assert_eq!(vocab.search("the", 9), [3, 2, 1, 0, 4]);
        assert_eq!(vocab.search("·the", 2), [2, 1]);
        assert_eq!(vocab.search(" the", 1), [2]);
        assert_eq!(vocab.search("↵", 9), [5]);
        assert_eq!(vocab.search("#6", 9), [6]);
        assert_eq!(vocab.search("[6]", 9), [6]);
        assert!(vocab.search("#7", 9).is_empty());
        assert!(vocab.search("", 9).is_empty());
        assert!(vocab.search("zebra", 9).is_empty());
    }

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
