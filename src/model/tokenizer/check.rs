//! What the tokenizers library takes for granted of a `tokenizer.json`, and panics over where it does not
//! hold.

use serde_json::{Map, Value};

/// That the library can be given a tokenizer.
///
/// # Errors
///
/// Says which part can't be used.
pub(super) fn check(json: &Value) -> Result<(), String> {
    let parts: [(&str, fn(&Map<String, Value>) -> Option<&'static str>); 5] = [
        ("normalizer", fault_of_normalizer),
        ("pre_tokenizer", fault_of_pre_tokenizer),
        ("model", fault_of_model),
        ("post_processor", fault_of_template),
        ("decoder", fault_of_decoder),
    ];
    for (part, fault) in parts {
        if let Some(fault) = find(&json[part], fault) {
            return Err(format!("its {part} {fault}"));
        }
    }
    Ok(())
}

/// The first fault among an object and all that are within it.
fn find<T>(value: &Value, fault: fn(&Map<String, Value>) -> Option<T>) -> Option<T> {
    match value {
        Value::Array(values) => values.iter().find_map(|value| find(value, fault)),
        Value::Object(fields) => {
            fault(fields).or_else(|| fields.values().find_map(|value| find(value, fault)))
        }
        _ => None,
    }
}

/// None of the families has a table of precompiled rules, which the library believes to be whole.
fn fault_of_normalizer(fields: &Map<String, Value>) -> Option<&'static str> {
    let is_precompiled = |key: &String| key == "precompiled_charsmap" || key == "Precompiled";
    if fields.keys().any(is_precompiled) || fields.get("type") == Some(&"Precompiled".into()) {
        return Some("is a precompiled table, which can't be read here");
    }
    if fields.get("prepend") == Some(&"".into()) {
        return Some("prepends nothing");
    }
    replaces_nothing(fields)
}

fn replaces_nothing(fields: &Map<String, Value>) -> Option<&'static str> {
    let pattern = fields.get("pattern")?;
    let is_empty = |kind: &str| pattern[kind] == "";
    (is_empty("Regex") || is_empty("String")).then_some("replaces nothing")
}

fn fault_of_pre_tokenizer(fields: &Map<String, Value>) -> Option<&'static str> {
    (fields.get("length") == Some(&0.into())).then_some("cuts into pieces of length 0")
}

/// The right side of a merge must begin with what marks the inside of a word: it is cut off.
fn fault_of_model(fields: &Map<String, Value>) -> Option<&'static str> {
    let prefix = fields.get("continuing_subword_prefix")?.as_str()?;
    let merges = fields.get("merges")?.as_array()?;
    let right = |merge: &Value| match merge {
        Value::String(both) => both.split_once(' ').map(|(_, right)| right.to_owned()),
        both => both[1].as_str().map(str::to_owned),
    };
    let begins = |right: String| right.starts_with(prefix);
    let is_whole = merges.iter().filter_map(right).all(begins);
    (!is_whole).then_some("has merges without its continuing_subword_prefix")
}

/// A template for one text names special tokens and that text.
fn fault_of_template(fields: &Map<String, Value>) -> Option<&'static str> {
    let special = fields.get("special_tokens").unwrap_or(&Value::Null);
    fields.get("single")?.as_array()?.iter().find_map(|piece| {
        let token = piece["SpecialToken"]["id"].as_str();
        if token.is_some_and(|id| special.get(id).is_none()) {
            return Some("has a special token that it does not define");
        }
        (piece["Sequence"]["id"] == "B").then_some("wants a second text where there is one")
    })
}

/// The library cuts off more than there is where a token is shorter.
fn fault_of_decoder(fields: &Map<String, Value>) -> Option<&'static str> {
    let n = |side: &str| fields.get(side).and_then(Value::as_u64).unwrap_or(0);
    if n("stop") > 1 || n("stop") > 0 && n("start") > 0 {
        return Some("cuts more off a token than it may have");
    }
    replaces_nothing(fields)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_library_panics_over_is_refused_wherever_it_stands() {
        for (part, value) in [
            (
                "normalizer",
                json!({"type": "Precompiled", "precompiled_charsmap": ""}),
            ),
            ("normalizer", json!({"type": {"Precompiled": null}})),
            (
                "normalizer",
                json!({"normalizers": [{"type": "Prepend", "prepend": ""}]}),
            ),
            (
                "normalizer",
                json!({"type": "Replace", "pattern": {"Regex": ""}, "content": "a"}),
            ),
            (
                "pre_tokenizer",
                json!({"pretokenizers": [{"type": "FixedLength", "length": 0}]}),
            ),
            (
                "model",
                json!({"continuing_subword_prefix": "##", "merges": [["a", "##b"], ["a", "b"]]}),
            ),
            (
                "model",
                json!({"continuing_subword_prefix": "##", "merges": ["a b"]}),
            ),
            (
                "post_processor",
                json!({"single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}],
                "pair": [], "special_tokens": {}}),
            ),
            (
                "post_processor",
                json!({"processors": [{"single": [{"Sequence": {"id": "B", "type_id": 0}}]}]}),
            ),
            (
                "decoder",
                json!({"decoders": [{"type": "Strip", "content": " ", "start": 0, "stop": 5}]}),
            ),
            (
                "decoder",
                json!({"type": "Replace", "pattern": {"String": ""}, "content": " "}),
            ),
        ] {
            let error = check(&json!({part: value})).unwrap_err();
            assert!(error.starts_with(&format!("its {part} ")), "{error}");
        }
    }

    #[test]
    fn what_published_tokenizers_have_is_not() {
        let json = json!({
            "normalizer": {"type": "Sequence", "normalizers": [
                {"type": "Prepend", "prepend": "\u{2581}"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "\u{2581}"},
            ]},
            "pre_tokenizer": null,
            "post_processor": {"type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
            "decoder": {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            "model": {"type": "BPE", "continuing_subword_prefix": "", "vocab": {"Precompiled": 0},
                "merges": ["a b"]},
        });
        assert_eq!(check(&json), Ok(()));
    }
}
