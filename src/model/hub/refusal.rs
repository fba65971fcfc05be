//! What it means that a request was refused or failed.

use std::io;

use ureq::http::Response;
use ureq::{Body, Error, Timeout};

use super::error::HubError;
use super::web::{CONNECT, Web};

/// Letters of the Hub's own message that are shown.
const MAX_MESSAGE: usize = 200;

impl Web {
    /// What an answer that is no success means.
    pub(super) fn refusal(
        &self,
        answer: &Response<Body>,
        host: &str,
        what: &str,
        file: Option<&str>,
    ) -> HubError {
        let header = |name: &str| {
            let value = answer.headers().get(name)?.to_str().ok()?;
            Some(value.chars().take(MAX_MESSAGE).collect::<String>())
        };
        let (own_host, repo) = (self.host().to_owned(), self.name.clone());
        let has_token = self.place.token.is_some();
        let message = header("x-error-message").unwrap_or_default();
        let code = header("x-error-code").unwrap_or_default();
        let status = answer.status().as_u16();
        let no_repo = |host| HubError::NoRepo {
            host,
            repo: repo.clone(),
            has_token,
        };
        let revision = self.repo.revision().to_owned();
        match (status, &*code) {
            (401, _) if message.starts_with("Invalid credentials") => {
                HubError::TokenRefused { host: own_host }
            }
            (_, "RepoNotFound") => no_repo(own_host),
            (_, "GatedRepo") | (403, _) if host == own_host => HubError::Gated {
                host: own_host,
                repo,
                has_token,
            },
            (_, "RevisionNotFound") => HubError::NoRevision {
                host: own_host,
                repo,
                revision,
            },
            (401, _) if has_token => HubError::TokenRefused { host: own_host },
            (401, _) => no_repo(own_host),
            (404, _) => match file {
                Some(file) => HubError::NoFile {
                    repo,
                    file: file.to_owned(),
                    files: Vec::new(),
                },
                None if revision != "main" => HubError::NoRevision {
                    host: own_host,
                    repo,
                    revision,
                },
                None => no_repo(own_host),
            },
            (429, _) => HubError::TooMany {
                host: own_host,
                retry_after: header("retry-after"),
                has_token,
            },
            (408 | 500.., _) => self.server_fault(host, status, what),
            _ => HubError::Refused {
                host: host.to_owned(),
                status,
                what: what.to_owned(),
                message: match &*message {
                    "" => String::new(),
                    message => format!(": {message}"),
                },
            },
        }
    }

    pub(super) fn server_fault(&self, host: &str, status: u16, what: &str) -> HubError {
        HubError::Server {
            host: host.to_owned(),
            status,
            what: what.to_owned(),
            kept_bytes: 0,
        }
    }

    pub(super) fn nonsense(&self, what: &str, reason: String) -> HubError {
        HubError::Nonsense {
            host: self.host().to_owned(),
            what: what.to_owned(),
            reason,
        }
    }

    /// What a failed request means.
    pub(super) fn fault(&self, error: Error, host: &str, what: &str) -> HubError {
        let host = host.to_owned();
        let reason = match error {
            Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
                format!("no answer within {} s", CONNECT.as_secs())
            }
            Error::Timeout(_) => {
                return HubError::Stalled {
                    host,
                    what: what.to_owned(),
                    secs: self.place.patience.as_secs_f64(),
                    kept_bytes: 0,
                };
            }
            Error::HostNotFound => "there is no such host".to_owned(),
            Error::Io(error) if is_unreachable(&error) => error.to_string(),
            // What comes in answer to a greeting is none, or the certificate is not to be trusted.
            Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                format!("no secure connection can be made ({error})")
            }
            Error::Io(error) => return self.cut(host, what, &error),
            Error::Protocol(error) => return self.cut(host, what, &error),
            other => other.to_string(),
        };
        HubError::Unreachable { host, reason }
    }

    pub(super) fn cut(&self, host: String, what: &str, error: &dyn std::error::Error) -> HubError {
        HubError::Cut {
            host,
            what: what.to_owned(),
            reason: error.to_string(),
            kept_bytes: 0,
        }
    }
}

/// Whether a connection did not come about, rather than broke off.
fn is_unreachable(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable
            | io::ErrorKind::NotFound
            | io::ErrorKind::PermissionDenied
    )
}
