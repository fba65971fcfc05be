//! Why a file can't be had from the Hub.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::words::{are, consent, files_there, full_names, hint, kept, list, room, when};

/// Why a file can't be had from the Hub. Each message says what failed, where, and what to do.
#[derive(Debug, Error)]
pub enum HubError {
    /// Nobody knows where the cache is.
    #[error("there is no folder for files of the Hub: set HF_HOME (HOME is not set either)")]
    NoCache,
    /// The address of the Hub is none.
    #[error("HF_ENDPOINT is {0:?}, which is no web address such as https://huggingface.co")]
    BadEndpoint(String),
    /// A token could never be one.
    #[error(
        "the token in {from} has letters that no token has; copy it again from https://huggingface.co/settings/tokens"
    )]
    BadToken {
        /// The variable or file.
        from: String,
    },
    /// The Hub does not know the token.
    #[error(
        "{host} refuses the token (HF_TOKEN, or the file of `hf auth login`): it is wrong or has expired; make another at https://{host}/settings/tokens, or try without one"
    )]
    TokenRefused {
        /// The Hub.
        host: String,
    },
    /// There is no such repository, or it is not for everybody.
    #[error("{host} has no model {repo}, or it is private; check the name{}", hint(*has_token))]
    NoRepo {
        /// The Hub.
        host: String,
        /// The repository.
        repo: String,
        /// Whether a token was given.
        has_token: bool,
    },
    /// The repository asks for consent to its terms.
    #[error("{repo} is gated: accept its terms at https://{host}/{repo} {}", consent(*has_token))]
    Gated {
        /// The Hub.
        host: String,
        /// The repository.
        repo: String,
        /// Whether a token was given.
        has_token: bool,
    },
    /// There is no such branch, tag or commit.
    #[error(
        "{repo} has no revision {revision:?}; https://{host}/{repo}/tree/main lists its branches and tags"
    )]
    NoRevision {
        /// The Hub.
        host: String,
        /// The repository.
        repo: String,
        /// What was asked for.
        revision: String,
    },
    /// The repository has no such file.
    #[error("{repo} has no file {file}; {}", files_there(files))]
    NoFile {
        /// The repository.
        repo: String,
        /// What was asked for.
        file: String,
        /// What it has.
        files: Vec<String>,
    },
    /// The repository has GGUF files, and one has to be chosen.
    #[error("{repo} has no safetensors but GGUF files; name one of them: {}", list(&full_names(repo, files)))]
    OnlyGguf {
        /// The repository.
        repo: String,
        /// Its GGUF files.
        files: Vec<String>,
    },
    /// The repository has no weights that can be read.
    #[error(
        "{repo} has no weights that can be read (model.safetensors, pytorch_model.bin, or a .gguf file); {}",
        files_there(files)
    )]
    NoWeights {
        /// The repository.
        repo: String,
        /// What it has.
        files: Vec<String>,
    },
    /// A list of shards can't be used.
    #[error("{file} of {repo} cannot be used: {reason}")]
    BadIndex {
        /// The repository.
        repo: String,
        /// The list.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The program is offline, and files are not there.
    #[error("{repo} is not complete in {}: {} missing, and the program is offline; run it once online, without --offline and HF_HUB_OFFLINE", cache.display(), are(missing))]
    Offline {
        /// The repository, with its revision.
        repo: String,
        /// The files.
        missing: Vec<String>,
        /// Where they would be.
        cache: PathBuf,
    },
    /// The Hub asks for patience.
    #[error("{host} says that too much was asked for (429); {}", when(retry_after.as_deref(), *has_token))]
    TooMany {
        /// The Hub.
        host: String,
        /// When to try again, as the Hub says it.
        retry_after: Option<String>,
        /// Whether a token was given.
        has_token: bool,
    },
    /// The Hub has a fault.
    #[error("{host} answered {status} for {what} again and again; try again later{}", kept(*kept_bytes))]
    Server {
        /// Who answered.
        host: String,
        /// The status.
        status: u16,
        /// What was asked for.
        what: String,
        /// Bytes of the file that are there.
        kept_bytes: u64,
    },
    /// The Hub refuses, for a reason that is not known here.
    #[error("{host} refuses {what} with status {status}{message}")]
    Refused {
        /// Who answered.
        host: String,
        /// The status.
        status: u16,
        /// What was asked for.
        what: String,
        /// What the Hub says, with a separator before it.
        message: String,
    },
    /// The Hub can't be reached.
    #[error(
        "cannot reach {host}: {reason}; check the network, and HF_ENDPOINT and HTTPS_PROXY where they are set (--offline uses what was fetched before)"
    )]
    Unreachable {
        /// Who.
        host: String,
        /// Why.
        reason: String,
    },
    /// The connection was silent for too long.
    #[error("{host} sent nothing of {what} for {secs} s; try again{} (HF_HUB_DOWNLOAD_TIMEOUT says how many seconds are waited)", kept(*kept_bytes))]
    Stalled {
        /// Who.
        host: String,
        /// What was asked for.
        what: String,
        /// Seconds that were waited.
        secs: f64,
        /// Bytes of the file that are there.
        kept_bytes: u64,
    },
    /// The connection broke off.
    #[error("the connection to {host} broke off in {what} again and again ({reason}); try again{}", kept(*kept_bytes))]
    Cut {
        /// Who.
        host: String,
        /// What was asked for.
        what: String,
        /// What the system said.
        reason: String,
        /// Bytes of the file that are there.
        kept_bytes: u64,
    },
    /// One redirect led to another, or to where nothing may be fetched from.
    #[error(
        "{what} cannot be fetched: {host} {reason}; check HF_ENDPOINT, or whether the network asks for a sign-in"
    )]
    Redirects {
        /// Who.
        host: String,
        /// What was asked for.
        what: String,
        /// Where it led.
        reason: String,
    },
    /// An answer is not what the Hub answers.
    #[error(
        "{host} answered nonsense for {what}: {reason}; check HF_ENDPOINT, or whether the network asks for a sign-in"
    )]
    Nonsense {
        /// Who.
        host: String,
        /// What was asked for.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file has come with another size than the Hub says it has.
    #[error(
        "{file} of {repo} came with {got} bytes, but the Hub says it has {expected}; it was thrown away, try again"
    )]
    WrongSize {
        /// The repository.
        repo: String,
        /// The file.
        file: String,
        /// Bytes that came.
        got: u64,
        /// Bytes it should have.
        expected: u64,
    },
    /// A file has come that is not the one the Hub has.
    #[error(
        "{file} of {repo} came damaged: its SHA-256 is {got}, and the Hub says {expected}; it was thrown away, try again"
    )]
    WrongHash {
        /// The repository.
        repo: String,
        /// The file.
        file: String,
        /// Its sum.
        got: String,
        /// The sum it should have.
        expected: String,
    },
    /// The cache can't be written.
    #[error("cannot write {}: {source}; {}", path.display(), room(source))]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system gives no thread.
    #[error("cannot start the thread that fetches: {0}")]
    Thread(io::Error),
    /// Fetching was stopped on request.
    #[error("stopped; what was fetched is kept")]
    Stopped,
}

impl HubError {
    /// Whether the same request may succeed when it is made again at once.
    pub(super) fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Server { .. } | Self::Cut { .. } | Self::Stalled { .. }
        )
    }

    /// Whether a file has come that is not the one the Hub has.
    pub(super) fn is_of_the_content(&self) -> bool {
        matches!(self, Self::WrongSize { .. } | Self::WrongHash { .. })
    }

    /// The same, saying how many bytes of the file are there.
    pub(super) fn with_kept(mut self, bytes: u64) -> Self {
        if let Self::Server { kept_bytes, .. }
        | Self::Cut { kept_bytes, .. }
        | Self::Stalled { kept_bytes, .. } = &mut self
        {
            *kept_bytes = bytes;
        }
        self
    }

    /// Whether the network or the Hub fails, so that files fetched before are as good as any.
    pub(super) fn is_of_the_network(&self) -> bool {
        self.is_passing() || matches!(self, Self::Unreachable { .. } | Self::TooMany { .. })
    }
}
