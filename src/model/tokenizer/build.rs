//! A `tokenizer.json` made of what checkpoints without one have: tokens, merges, scores.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

/// Longest piece, in bytes, that is looked at for merges; published ones have at most 48.
const MAX_PIECE_BYTES: usize = 256;
/// Stands for a space at a word's beginning.
const WORD_START: &str = "\u{2581}";

/// How text is cut into words before pairs are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum WordSplit {
    /// GPT-2's words.
    Gpt2,
    /// GPT-2's, with each digit alone.
    Gpt2Digits,
    /// Llama 3's: digits in threes.
    Llama3,
    /// Qwen's: each digit alone.
    Qwen2,
    /// Mistral's, by case.
    Tekken,
}

/// A token that is found in a text before anything else is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::model) struct AddedToken {
    pub(in crate::model) id: u32,
    pub(in crate::model) text: String,
    /// Whether it is no text but a mark.
    pub(in crate::model) is_special: bool,
}

const LETTERS: &str = r"[^\r\n\p{L}\p{N}]?\p{L}+";
const CONTRACTIONS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const REST: &str = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|",
    r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);

impl WordSplit {
    /// The split that llama.cpp knows by this name.
    pub(in crate::model) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "gpt-2" | "gpt2" | "default" | "olmo" | "dolma" | "mpt" | "phi-2" | "jais" => {
                Self::Gpt2
            }
            "smollm" | "starcoder" | "refact" | "command-r" | "codeshell" => Self::Gpt2Digits,
            "llama-bpe" | "llama3" | "llama-v3" | "smaug-bpe" | "dbrx" | "lfm2" => Self::Llama3,
            "qwen2" | "deepseek-r1-qwen" | "stablelm2" | "hunyuan" | "megrez" => Self::Qwen2,
            "tekken" => Self::Tekken,
            _ => return None,
        })
    }

    fn pre_tokenizer(self) -> Value {
        let byte_level = |use_regex: bool| {
            json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
                   "use_regex": use_regex})
        };
        let split = |regex: String| {
            json!({"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": false},
                byte_level(false),
            ]})
        };
        match self {
            Self::Gpt2 => byte_level(true),
            Self::Gpt2Digits => json!({"type": "Sequence", "pretokenizers": [
                {"type": "Digits", "individual_digits": true},
                byte_level(true),
            ]}),
            Self::Llama3 => split(format!(r"{CONTRACTIONS}|{LETTERS}|\p{{N}}{{1,3}}|{REST}")),
            Self::Qwen2 => split(format!(r"{CONTRACTIONS}|{LETTERS}|\p{{N}}|{REST}")),
            Self::Tekken => split(TEKKEN.to_owned()),
        }
    }
}

/// A byte-level BPE, such as GPT-2's.
pub(in crate::model) fn byte_level(
    vocab: Map<String, Value>,
    merges: Vec<[String; 2]>,
    split: WordSplit,
    added: &[AddedToken],
) -> Value {
    let normalizer = match split {
        WordSplit::Qwen2 => json!({"type": "NFC"}),
        _ => Value::Null,
    };
    // These two look a word up before they merge.
    let ignore_merges = matches!(split, WordSplit::Llama3 | WordSplit::Tekken);
    json!({
        "version": "1.0",
        "added_tokens": added_tokens(added),
        "normalizer": normalizer,
        "pre_tokenizer": split.pre_tokenizer(),
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "vocab": vocab, "merges": merges, "ignore_merges": ignore_merges},
    })
}

/// A `SentencePiece` BPE, such as Llama 2's: what is merged first is what has the greater score.
pub(in crate::model) fn sentence_pieces(
    pieces: &[(String, f32)],
    unknown: Option<&str>,
    has_space_prefix: bool,
    added: &[AddedToken],
) -> Value {
    let mut vocab = Map::new();
    for (id, (piece, _)) in pieces.iter().enumerate() {
        vocab.insert(piece.clone(), id.into());
    }
    let to_words = json!({"type": "Replace", "pattern": {"String": " "}, "content": WORD_START});
    let mut normalizers = vec![to_words];
    let mut decoders = vec![
        json!({"type": "Replace", "pattern": {"String": WORD_START}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if has_space_prefix {
        normalizers.insert(0, json!({"type": "Prepend", "prepend": WORD_START}));
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    json!({
        "version": "1.0",
        "added_tokens": added_tokens(added),
        "normalizer": {"type": "Sequence", "normalizers": normalizers},
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {"type": "BPE", "vocab": vocab, "merges": merges_by_score(pieces),
                  "unk_token": unknown, "fuse_unk": true, "byte_fallback": true},
    })
}

/// Every way to put a piece together from two others, the best pieces first.
fn merges_by_score(pieces: &[(String, f32)]) -> Vec<[&str; 2]> {
    let ids: HashMap<&str, usize> = pieces
        .iter()
        .enumerate()
        .map(|(id, (piece, _))| (piece.as_str(), id))
        .collect();
    let mut merges = Vec::new();
    for (piece, score) in pieces {
        if piece.len() > MAX_PIECE_BYTES {
            continue;
        }
        for (at, _) in piece.char_indices().skip(1) {
            let (left, right) = piece.split_at(at);
            if let (Some(left_id), Some(right_id)) = (ids.get(left), ids.get(right)) {
                merges.push((score, *left_id, *right_id, [left, right]));
            }
        }
    }
    merges.sort_by(
        |(a_score, a_left, a_right, _), (b_score, b_left, b_right, _)| {
            b_score
                .total_cmp(a_score)
                .then((a_left, a_right).cmp(&(b_left, b_right)))
        },
    );
    merges.into_iter().map(|(.., merge)| merge).collect()
}

/// The same tokenizer, which begins every prompt with this token.
pub(in crate::model) fn beginning_with(mut tokenizer: Value, token: &str, id: u32) -> Value {
    let mut special_tokens = Map::new();
    let begin = json!({"id": token, "ids": [id], "tokens": [token]});
    special_tokens.insert(token.to_owned(), begin);
    let begin = json!({"SpecialToken": {"id": token, "type_id": 0}});
    let text = |id: &str| json!({"Sequence": {"id": id, "type_id": 0}});
    tokenizer["post_processor"] = json!({
        "type": "TemplateProcessing",
        "single": [begin, text("A")],
        "pair": [begin, text("A"), text("B")],
        "special_tokens": special_tokens,
    });
    tokenizer
}

fn added_tokens(added: &[AddedToken]) -> Vec<Value> {
    let token = |token: &AddedToken| {
        json!({"id": token.id, "content": token.text, "special": token.is_special,
               "single_word": false, "lstrip": false, "rstrip": false, "normalized": false})
    };
    added.iter().map(token).collect()
}

/// The two halves of a line such as `Ġ t`; the first may be a space itself.
pub(in crate::model) fn merge_of_line(line: &str) -> Option<[String; 2]> {
    let (at, _) = line.char_indices().skip(1).find(|(_, char)| *char == ' ')?;
    Some([line[..at].to_owned(), line[at + 1..].to_owned()])
}
