//! The prompt: from an option, a file, or as token numbers.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;

use super::error::CliError;
use crate::config::ModelConfig;
use crate::model::{Model, ModelError};

/// What a model with a tokenizer reads when nothing is asked for.
pub(super) const DEFAULT_TEXT: &str = "The quick brown fox";

/// Far beyond any context; a file given by mistake is refused before it is read.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// What the model is to read.
#[derive(Clone, Debug, Args)]
#[group(multiple = false)]
pub struct PromptArgs {
    /// The text to read
    #[arg(long, value_name = "TEXT")]
    pub prompt: Option<String>,
    /// A file with the text to read, `-` for standard input; a last line break is left out
    #[arg(long, value_name = "FILE")]
    pub prompt_file: Option<PathBuf>,
    /// The token numbers to read, such as 464,2068,7586
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub tokens: Option<Vec<u32>>,
}

/// What the model is to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// Nothing was asked for.
    Default,
    /// A text.
    Text(String),
    /// Token numbers.
    Tokens(Vec<u32>),
}

impl PromptArgs {
    /// Reads the prompt, from its file if it is in one.
    ///
    /// # Errors
    ///
    /// If the file can't be read, is far too large or isn't UTF-8.
    pub fn read(&self) -> Result<Prompt, CliError> {
        Ok(match (&self.prompt, &self.prompt_file, &self.tokens) {
            (Some(text), ..) => Prompt::Text(text.clone()),
            (_, Some(path), _) => Prompt::Text(read_file(path)?),
            (_, _, Some(tokens)) => Prompt::Tokens(tokens.clone()),
            _ => Prompt::Default,
        })
    }
}

impl Prompt {
    /// The prompt as tokens of `model`.
    ///
    /// # Errors
    ///
    /// If the model can't read the text.
    pub fn tokens(&self, model: &Model) -> Result<Vec<u32>, CliError> {
        Ok(match self {
            Self::Text(text) => model.encode_prompt(text)?,
            Self::Tokens(tokens) => tokens.clone(),
            Self::Default if model.tokenizer().is_some() => model.encode_prompt(DEFAULT_TEXT)?,
            Self::Default => vec![first_token(model.config())?],
        })
    }
}

fn first_token(config: &ModelConfig) -> Result<u32, ModelError> {
    config.bos_token_id.ok_or(ModelError::NoTokenizer)
}

fn read_file(path: &Path) -> Result<String, CliError> {
    let name = path.display();
    let cannot_read =
        |error: io::Error| CliError::Usage(format!("cannot read the prompt file {name}: {error}"));
    let bytes = if path == Path::new("-") {
        read_capped(io::stdin().lock(), None)
    } else {
        let file = File::open(path).map_err(cannot_read)?;
        let length = file.metadata().map_err(cannot_read)?.len();
        read_capped(file, Some(length))
    };
    let Some(bytes) = bytes.map_err(cannot_read)? else {
        return Err(CliError::Usage(format!(
            "the prompt file {name} is larger than 16 MiB, which no model can read; shorten it"
        )));
    };
    let mut text = String::from_utf8(bytes).map_err(|error| {
        CliError::Usage(format!(
            "the prompt file {name} is not UTF-8 text: {}; convert it",
            error.utf8_error()
        ))
    })?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

/// All bytes, or none where there are too many. A pipe has no length to know that beforehand.
fn read_capped(from: impl Read, length: Option<u64>) -> io::Result<Option<Vec<u8>>> {
    if length.is_some_and(|length| length > MAX_FILE_BYTES) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    from.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= MAX_FILE_BYTES).then_some(bytes))
}
