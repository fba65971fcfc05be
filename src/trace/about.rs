//! What a saved trace says of itself: where its numbers come from, and how they came to be.

use serde_json::{Map, Value, json};

use super::Vocab;
use crate::config::ModelConfig;
use crate::hook::{BlockSite, HookPoint};

/// The way traces are written; grows when an older program could not read them.
pub(super) const FORMAT: u64 = 1;

/// Where the numbers of a trace come from.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    /// The version of the program that computed them.
    pub version: String,
    /// The model, as it was asked for.
    pub model: String,
    /// The model's revision on the Hub, where one was asked for.
    pub revision: Option<String>,
    /// The model's shape.
    pub config: ModelConfig,
    /// The tokens that the text began with.
    pub prompt_tokens: Vec<u32>,
    /// The seed that the tokens after those were chosen with.
    pub seed: u64,
    /// How they were chosen.
    pub sampling: Sampling,
    /// The parts that passes set to zero.
    pub ablate: Vec<String>,
}

/// How tokens were chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sampling {
    /// What logits were divided by; 0 took the most probable token.
    pub temperature: f64,
    /// Among how many most probable tokens.
    pub top_k: Option<usize>,
    /// Among the most probable tokens that together reach this probability.
    pub top_p: Option<f64>,
}

/// What a file is to hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Contents {
    /// Where the numbers come from.
    pub about: About,
    /// The hook points, in the order a pass reaches them.
    pub hooks: Vec<HookPoint>,
    /// Whether what the logit lens read is there.
    pub has_lens: bool,
    /// The text of each token, for labels.
    pub vocab: Vocab,
}

impl Contents {
    /// Whether these hook points are all that the logit lens reads from.
    pub fn lens_is_of(hooks: &[HookPoint], config: &ModelConfig) -> bool {
        let ends = (0..config.n_layers).map(|layer| HookPoint::block(layer, BlockSite::ResidPost));
        ends.chain([HookPoint::Logits])
            .all(|hook| hooks.contains(&hook))
    }
}

impl About {
    /// As it stands in the file.
    pub(super) fn to_json(&self) -> Map<String, Value> {
        let mut json = Map::new();
        let mut put = |key: &str, value: Value| json.insert(key.to_owned(), value);
        put("format", FORMAT.into());
        put("version", self.version.as_str().into());
        put("model", self.model.as_str().into());
        put("config", self.config.to_json());
        put("prompt_tokens", self.prompt_tokens.as_slice().into());
        put("seed", self.seed.into());
        put(
            "sampler",
            json!({
                "temperature": self.sampling.temperature,
                "top_k": self.sampling.top_k,
                "top_p": self.sampling.top_p,
            }),
        );
        if let Some(revision) = &self.revision {
            put("revision", revision.as_str().into());
        }
        if !self.ablate.is_empty() {
            put("ablate", self.ablate.as_slice().into());
        }
        json
    }

    /// What [`to_json`](Self::to_json) wrote, or which field is wrong.
    pub(super) fn from_json(json: &Map<String, Value>) -> Result<Self, String> {
        let config = field(json, "config")?.to_string();
        let sampler = field(json, "sampler")?;
        Ok(Self {
            version: text(json, "version")?,
            model: text(json, "model")?,
            revision: json
                .get("revision")
                .map(|_| text(json, "revision"))
                .transpose()?,
            config: ModelConfig::from_json(&config).map_err(|error| format!("config: {error}"))?,
            prompt_tokens: list(json, "prompt_tokens", &|token| {
                token.as_u64()?.try_into().ok()
            })?,
            seed: field(json, "seed")?.as_u64().ok_or("seed is no number")?,
            sampling: Sampling {
                temperature: sampler["temperature"]
                    .as_f64()
                    .ok_or("sampler has no temperature")?,
                top_k: sampler["top_k"].as_u64().map(|k| k as usize),
                top_p: sampler["top_p"].as_f64(),
            },
            ablate: match json.get("ablate") {
                None => Vec::new(),
                Some(_) => list(json, "ablate", &|part| part.as_str().map(str::to_owned))?,
            },
        })
    }
}

fn field<'a>(json: &'a Map<String, Value>, name: &str) -> Result<&'a Value, String> {
    json.get(name).ok_or_else(|| format!("it lacks {name:?}"))
}

fn text(json: &Map<String, Value>, name: &str) -> Result<String, String> {
    let value = field(json, name)?.as_str();
    value
        .map(str::to_owned)
        .ok_or_else(|| format!("{name:?} is no text"))
}

/// A list whose every item `read` understands.
pub(super) fn list<T>(
    json: &Map<String, Value>,
    name: &str,
    read: &dyn Fn(&Value) -> Option<T>,
) -> Result<Vec<T>, String> {
    let items = field(json, name)?.as_array();
    items
        .and_then(|items| items.iter().map(read).collect())
        .ok_or_else(|| format!("{name:?} is not the list it should be"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::fixture;

    #[test]
    fn what_a_trace_says_of_itself_reads_back_and_a_field_that_lies_is_named() {
        let about = About {
            revision: Some("v1".to_owned()),
            ablate: vec!["blocks.0.hook_mlp_out".to_owned()],
            ..fixture::about()
        };
        let json = about.to_json();

        assert_eq!(About::from_json(&json), Ok(about));
        for (name, wrong) in [
            ("config", json!({"model_type": "gpt2"})),
            ("prompt_tokens", json!([1, "2"])),
            ("model", json!(3)),
            ("seed", json!(-1)),
            ("sampler", json!({})),
            ("ablate", json!("all")),
        ] {
            let mut damaged = json.clone();
            damaged.insert(name.to_owned(), wrong);

            let error = About::from_json(&damaged).unwrap_err();
            assert!(error.contains(name), "{name}: {error}");
        }
    }
}
