//! The tokenizer within a GGUF file, as a `tokenizer.json`.

use serde_json::{Map, Value};

use super::header::{Fact, Header};
use crate::model::tokenizer::{
    AddedToken, WordSplit, beginning_with, byte_level, merge_of_line, sentence_pieces,
};

/// More tokens or merges than any model has.
const MOST_TOKENS: usize = 1 << 22;

/// The kinds of tokens, as llama.cpp counts them.
const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;

/// The tokenizer, or none where there is none that can be read.
///
/// # Errors
///
/// Says what makes no sense.
pub(super) fn tokenizer_json(header: &Header) -> Result<Option<Value>, String> {
    let (kind, tokens) = match (
        header.facts.get("tokenizer.ggml.model"),
        header.facts.get("tokenizer.ggml.tokens"),
    ) {
        (Some(Fact::Text(kind)), Some(Fact::Texts(tokens))) if tokens.len() <= MOST_TOKENS => {
            (kind.as_str(), tokens)
        }
        (None, _) => return Ok(None),
        _ => {
            return Err(format!(
                "tokenizer.ggml.tokens is no list of at most {MOST_TOKENS} texts"
            ));
        }
    };
    match kind {
        "gpt2" => Ok(Some(begun(header, tokens, gpt2(header, tokens)?, false))),
        "llama" => Ok(Some(begun(header, tokens, llama(header, tokens)?, true))),
        other => {
            tracing::warn!(
                "the file's tokenizer is of the kind {other:?}, which is not supported (gpt2 and \
                 llama are); text means nothing to the model"
            );
            Ok(None)
        }
    }
}

/// The tokenizer with the token that begins a text put before every prompt, where the file says so, or
/// by `default` where it says nothing.
fn begun(header: &Header, tokens: &[String], tokenizer: Value, default: bool) -> Value {
    let is_begun = match header.facts.get("tokenizer.ggml.add_bos_token") {
        Some(Fact::Bool(is_begun)) => *is_begun,
        _ => default,
    };
    let id = match header.facts.get("tokenizer.ggml.bos_token_id") {
        Some(Fact::Int(id)) => u32::try_from(*id).ok(),
        _ => None,
    };
    match id.and_then(|id| Some((id, tokens.get(id as usize)?))) {
        Some((id, token)) if is_begun => beginning_with(tokenizer, token, id),
        _ => tokenizer,
    }
}

fn gpt2(header: &Header, tokens: &[String]) -> Result<Value, String> {
    let lines = match header.facts.get("tokenizer.ggml.merges") {
        Some(Fact::Texts(lines)) if lines.len() <= MOST_TOKENS => lines,
        _ => {
            return Err(format!(
                "tokenizer.ggml.merges is no list of at most {MOST_TOKENS} texts"
            ));
        }
    };
    let merge = |line: &String| merge_of_line(line).ok_or(format!("{line:?} is no merge"));
    let merges = lines.iter().map(merge).collect::<Result<_, _>>()?;
    let split = match header.facts.get("tokenizer.ggml.pre") {
        Some(Fact::Text(name)) => WordSplit::named(name).unwrap_or_else(|| {
            tracing::warn!(
                "how {name:?} cuts text into words is not known; it is cut as GPT-2 does"
            );
            WordSplit::Gpt2
        }),
        _ => WordSplit::Gpt2,
    };
    let mut vocab = Map::new();
    for (id, token) in tokens.iter().enumerate() {
        vocab.insert(token.clone(), id.into());
    }
    Ok(byte_level(vocab, merges, split, &added(header, tokens)?))
}

fn llama(header: &Header, tokens: &[String]) -> Result<Value, String> {
    let scores = match header.facts.get("tokenizer.ggml.scores") {
        Some(Fact::Floats(scores)) if scores.len() == tokens.len() => scores,
        _ => return Err("tokenizer.ggml.scores has not one number for each token".to_owned()),
    };
    let pieces: Vec<(String, f32)> = tokens.iter().cloned().zip(scores.iter().copied()).collect();
    let unknown = kinds(header, tokens)?
        .and_then(|kinds| kinds.iter().position(|kind| *kind == UNKNOWN))
        .map(|id| tokens[id].as_str());
    let has_space_prefix = !matches!(
        header.facts.get("tokenizer.ggml.add_space_prefix"),
        Some(Fact::Bool(false))
    );
    let added = added(header, tokens)?;
    Ok(sentence_pieces(&pieces, unknown, has_space_prefix, &added))
}

/// The tokens that are found in a text before anything else is.
fn added(header: &Header, tokens: &[String]) -> Result<Vec<AddedToken>, String> {
    let kinds = kinds(header, tokens)?.unwrap_or(&[]);
    let is_added = |kind: i32| matches!(kind, CONTROL | USER_DEFINED);
    let with_kinds = tokens.iter().zip(kinds).enumerate();
    Ok(with_kinds
        .filter(|(_, (token, kind))| is_added(**kind) && !token.is_empty())
        .map(|(id, (token, kind))| AddedToken {
            id: id as u32,
            text: token.clone(),
            is_special: *kind == CONTROL,
        })
        .collect())
}

/// The kind of each token, if the file says.
fn kinds<'a>(header: &'a Header, tokens: &[String]) -> Result<Option<&'a [i32]>, String> {
    match header.facts.get("tokenizer.ggml.token_type") {
        None => Ok(None),
        Some(Fact::Ints(kinds)) if kinds.len() == tokens.len() => Ok(Some(kinds)),
        Some(_) => Err("tokenizer.ggml.token_type has not one number for each token".to_owned()),
    }
}
