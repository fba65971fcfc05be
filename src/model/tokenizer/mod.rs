//! Text to tokens and back.

mod build;
mod check;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub(super) use build::{
    AddedToken, WordSplit, beginning_with, byte_level, merge_of_line, sentence_pieces,
};

use check::check;
use serde_json::Value;

use super::error::ModelError;
use crate::trace::Vocab;

/// Stands where a token's bytes are no whole characters.
const REPLACEMENT: char = '\u{fffd}';

/// Turns text into tokens and back, as the checkpoint says.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// A token and its text, which others are decoded after: some tokenizers leave out the space that
    /// a text begins with.
    anchor: Option<(u32, String)>,
    /// How many numbers its tokens take: one more than the greatest.
    n_ids: usize,
}

/// Turns tokens into text as they come, holding back characters that are not whole yet.
pub struct TextStream<'a> {
    tokenizer: &'a Tokenizer,
    /// The tokens of the unfinished character.
    pending: Vec<u32>,
}

/// What the library does; as an error also where it panics, which should never happen after [`check`].
fn guarded<T>(work: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("the tokenizers library panicked over it".to_owned()),
    }
}

impl Tokenizer {
    /// Reads a `tokenizer.json`. What it says of cutting and padding batches is left out, as
    /// transformers does: a prompt is read whole.
    pub(super) fn from_json(bytes: &[u8]) -> Result<Self, String> {
        // The library takes for granted that what it reads is JSON to the end, and text throughout.
        let mut json: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        check(&json)?;
        if let Some(fields) = json.as_object_mut() {
            fields.remove("truncation");
            fields.remove("padding");
        }
        // What was checked is what is read: bytes may say a thing twice.
        let inner: tokenizers::Tokenizer =
            guarded(|| serde_json::from_value(json).map_err(Into::into))?;
        let anchor = ["a", "e", "0", "!"].iter().find_map(|text| {
            let token = inner.token_to_id(text)?;
            let decoded = guarded(|| inner.decode(&[token], false)).ok()?;
            (decoded == **text).then_some((token, decoded))
        });
        let greatest = inner.get_vocab(true).into_values().max();
        Ok(Self {
            anchor,
            n_ids: greatest.map_or(0, |id| id as usize + 1),
            inner,
        })
    }

    /// How many numbers its tokens take: one more than the greatest.
    pub(super) fn n_ids(&self) -> usize {
        self.n_ids
    }

    /// The tokens of a prompt, with the special ones that the tokenizer puts around it: a Llama's begins
    /// with the token that begins a text, a GPT-2's has none.
    ///
    /// # Errors
    ///
    /// If the tokenizer fails, which byte-level ones never do.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        guarded(|| self.inner.encode_fast(text, true))
            .map(|encoding| encoding.get_ids().to_vec())
            .map_err(ModelError::Tokenize)
    }

    /// The text of `tokens`, special tokens included.
    ///
    /// # Errors
    ///
    /// If the tokenizer fails.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, ModelError> {
        guarded(|| self.inner.decode(tokens, false)).map_err(ModelError::Tokenize)
    }

    /// The text of `tokens` in the middle of a text.
    fn decode_within(&self, tokens: &[u32]) -> Result<String, ModelError> {
        let Some((anchor, before)) = &self.anchor else {
            return self.decode(tokens);
        };
        let mut all = vec![*anchor];
        all.extend_from_slice(tokens);
        let text = self.decode(&all)?;
        match text.strip_prefix(before.as_str()) {
            Some(text) => Ok(text.to_owned()),
            None => self.decode(tokens),
        }
    }

    /// Begins a text that comes token by token.
    pub fn stream(&self) -> TextStream<'_> {
        TextStream {
            tokenizer: self,
            pending: Vec::new(),
        }
    }

    /// The text of every token, up to `d_vocab` of them.
    ///
    /// A token that holds part of a character reads as the tokenizer spells its bytes.
    pub(super) fn vocab(&self, d_vocab: usize) -> Vocab {
        let n_tokens = self.n_ids.min(d_vocab);
        let text = |token: u32| match self.decode_within(&[token]) {
            Ok(text) if !text.contains(REPLACEMENT) => text,
            _ => self
                .inner
                .id_to_token(token)
                .unwrap_or_else(|| format!("[{token}]")),
        };
        Vocab::new((0..n_tokens as u32).map(text).collect())
    }
}

impl TextStream<'_> {
    /// The text that `token` makes whole; empty while a character is still in parts.
    ///
    /// # Errors
    ///
    /// If the tokenizer fails.
    pub fn push(&mut self, token: u32) -> Result<String, ModelError> {
        self.pending.push(token);
        let text = self.tokenizer.decode_within(&self.pending)?;
        // No character has more than four bytes: what stays broken after that is shown so.
        if text.ends_with(REPLACEMENT) && self.pending.len() < 4 {
            return Ok(String::new());
        }
        self.pending.clear();
        Ok(text)
    }
}
