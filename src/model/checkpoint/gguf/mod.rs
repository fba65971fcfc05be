//! GGUF: one file with a model's shape, tokenizer and weights, often quantised, as llama.cpp writes.

mod config;
mod header;
mod names;
mod tokens;

use std::path::Path;

use serde_json::Value;

use super::{Checkpoint, Naming, Part};
use crate::config::ModelConfig;
use crate::model::error::ModelError;
use crate::model::tokenizer::Tokenizer;
use header::{Fact, Header};
pub(super) use names::GgufNaming;

/// A GGUF file, open, its header read.
pub(in crate::model) struct Gguf {
    part: Part,
    header: Header,
    architecture: String,
}

impl Gguf {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    ///
    /// If it can't be read, is no GGUF file, or is one of several that make up a model.
    pub(in crate::model) fn open(path: &Path) -> Result<Self, ModelError> {
        let part = Part::open(path)?;
        let header = Header::read(&part)?;
        if let Some(Fact::Int(2..)) = header.facts.get("split.count") {
            return Err(part.unsupported(
                "it is one of several files; put them together with llama-gguf-split --merge",
            ));
        }
        let architecture = match header.facts.get("general.architecture") {
            Some(Fact::Text(name)) => name.clone(),
            _ => return Err(part.damaged("its header lacks general.architecture")),
        };
        Ok(Self {
            part,
            header,
            architecture,
        })
    }

    /// The model's shape.
    ///
    /// # Errors
    ///
    /// If the header lacks a number, or the model is of no supported family.
    pub(in crate::model) fn config(&self) -> Result<ModelConfig, ModelError> {
        let json = self.config_json()?;
        ModelConfig::from_json(&json.to_string()).map_err(|source| ModelError::Config {
            path: self.part.path().to_owned(),
            source,
        })
    }

    fn config_json(&self) -> Result<Value, ModelError> {
        config::config_json(&self.part, &self.header, &self.architecture)
    }

    /// The tokenizer, if there is one that can be read.
    ///
    /// # Errors
    ///
    /// If what there is makes no sense.
    pub(in crate::model) fn tokenizer(&self) -> Result<Option<Tokenizer>, ModelError> {
        let bad = |reason| ModelError::BadTokenizer {
            path: self.part.path().to_owned(),
            reason,
        };
        match tokens::tokenizer_json(&self.header).map_err(bad)? {
            None => Ok(None),
            Some(json) => Tokenizer::from_json(json.to_string().as_bytes())
                .map(Some)
                .map_err(bad),
        }
    }

    /// The tensors.
    pub(in crate::model) fn into_checkpoint(self, config: &ModelConfig) -> Checkpoint {
        Checkpoint {
            parts: vec![self.part],
            entries: self.header.tensors,
            naming: Naming::Gguf(GgufNaming {
                architecture: self.architecture,
                n_heads: config.n_heads,
                n_kv_heads: config.n_kv_heads,
            }),
        }
    }
}
