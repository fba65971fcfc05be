//! Why a command failed, and the exit code that says so.

use std::io;

use thiserror::Error;

use crate::attribution::TargetError;
use crate::model::ModelError;
use crate::trace::{OpenError, SaveError};

/// Why a command failed. Each message says what failed, on which file and field, and what to do.
#[derive(Debug, Error)]
pub enum CliError {
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The model can't be loaded or run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The trace can't be written.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// The trace can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Standard output can't be written.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
    /// The program was built without what the command needs.
    #[error(
        "{0} needs the viewer, which this program was built without; \
         build it with the default features"
    )]
    NoViewer(&'static str),
    /// No graphics adapter can be used.
    #[error("{0}")]
    NoAdapter(String),
    /// The picture or video can't be made or written.
    #[error("{0}")]
    Recording(String),
    /// Stopped by the user.
    #[error("interrupted")]
    Interrupted,
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

impl CliError {
    /// The exit code, as the help text lists them.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Output(_) if self.is_closed_output() => 0,
            Self::Open(_) | Self::Save(SaveError::Open(_)) => 4,
            Self::Output(_) | Self::Save(_) | Self::NoViewer(_) | Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::NoAdapter(_) => 3,
            Self::Model(error) => model_exit_code(error),
            Self::Recording(_) => 5,
            Self::Interrupted => 130,
        }
    }

    /// Whether the reader of standard output, such as `head`, has had enough: no failure.
    pub(super) fn is_closed_output(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

fn model_exit_code(error: &ModelError) -> u8 {
    match error {
        _ if error.is_unusable_model() => 4,
        ModelError::Target(TargetError::NotFinite { .. }) => 4,
        ModelError::Target(_)
        | ModelError::Ablation(_)
        | ModelError::UnknownToken { .. }
        | ModelError::EmptyPrompt
        | ModelError::ContextFull { .. }
        | ModelError::BadSampler(_)
        | ModelError::NoTokenizer => 2,
        _ => 1,
    }
}
