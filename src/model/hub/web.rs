//! Requests to the Hub: redirects are followed by hand, so that the token goes to the Hub alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hf_hub::Repo;
use ureq::http::{HeaderMap, Method, Request, Response, Uri};
use ureq::{Agent, Body};

use super::error::HubError;
use super::name::{is_commit, is_plain_path};
use super::place::Place;

/// Seconds to find the host and connect.
pub(super) const CONNECT: Duration = Duration::from_secs(10);
/// One answer leads to the next at most so often.
const MAX_REDIRECTS: usize = 10;
/// A list of files is never so long.
const MAX_LIST_BYTES: u64 = 10 << 20;

/// The connection to the Hub.
pub(super) struct Web {
    pub(super) agent: Agent,
    pub(super) place: Place,
    pub(super) repo: Repo,
    /// The repository's name.
    pub(super) name: String,
}

/// What a repository holds at a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) commit: String,
    /// Bytes of each file, where the Hub tells them.
    pub(super) files: BTreeMap<String, Option<u64>>,
}

impl Listing {
    pub(super) fn names(&self) -> BTreeSet<String> {
        self.files.keys().cloned().collect()
    }
}

/// What the Hub says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remote {
    /// Names the content: its SHA-256 for a large file.
    pub(super) etag: String,
    /// Bytes.
    pub(super) size: Option<u64>,
}

impl Remote {
    /// The SHA-256 of the content, where that is known.
    pub(super) fn sha256(&self) -> Option<&str> {
        let is_sum = self.etag.len() == 64 && self.etag.bytes().all(|b| b.is_ascii_hexdigit());
        is_sum.then_some(&*self.etag)
    }
}

/// Whether redirects to other hosts are followed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Follow {
    Everywhere,
    OnlyAtHome,
}

impl Web {
    pub(super) fn new(place: Place, repo: Repo, name: &str) -> Self {
        let patience = Some(place.patience);
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("llmscope/", env!("CARGO_PKG_VERSION")))
            // What is counted and checked is what the file is.
            .accept_encoding("identity")
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(patience)
            .timeout_per_read(patience)
            .timeout_per_write(patience)
            .build()
            .into();
        Self {
            agent,
            place,
            repo,
            name: name.to_owned(),
        }
    }

    pub(super) fn host(&self) -> &str {
        self.place.host()
    }

    /// What the repository holds.
    pub(super) fn list(&self) -> Result<Listing, HubError> {
        let what = format!("the files of {}", self.name);
        let api = self.repo.api_url();
        let url = format!("{}/api/{api}?blobs=true", self.place.endpoint);
        let (mut answer, _) = self.ask(&Method::GET, url, None, Follow::Everywhere, &what)?;
        if !answer.status().is_success() {
            return Err(self.refusal(&answer, self.host(), &what, None));
        }
        let body = answer.body_mut().with_config().limit(MAX_LIST_BYTES);
        let json = body.read_to_vec().map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(limit) => {
                self.nonsense(&what, format!("more than {limit} bytes"))
            }
            error => self.fault(error, self.host(), &what),
        })?;
        parse_listing(&json).map_err(|reason| self.nonsense(&what, reason))
    }

    /// What the Hub says of `file` at `commit`.
    pub(super) fn look_up(&self, commit: &str, file: &str) -> Result<Remote, HubError> {
        let url = self.url(commit, file);
        let (answer, seen) = self.ask(&Method::HEAD, url, None, Follow::OnlyAtHome, file)?;
        let status = answer.status();
        if !status.is_success() && !status.is_redirection() {
            return Err(self.refusal(&answer, self.host(), file, Some(file)));
        }
        let text = |name: &str| seen.get(name).and_then(|value| value.to_str().ok());
        let etag = text("x-linked-etag").or_else(|| text("etag"));
        let etag = etag.map(|etag| etag.trim_start_matches("W/").trim_matches('"'));
        let etag = etag.filter(|etag| {
            let is_letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
            (1..=128).contains(&etag.len()) && etag.bytes().all(is_letter)
        });
        let etag = etag.ok_or_else(|| self.nonsense(file, "it has no ETag".to_owned()))?;
        let length = || {
            let own = answer.headers().get("content-length")?.to_str().ok();
            own.filter(|_| status.is_success())
        };
        let size = text("x-linked-size").or_else(length);
        Ok(Remote {
            etag: etag.to_owned(),
            size: size.and_then(|size| size.parse().ok()),
        })
    }

    /// Begins to fetch `file`, from the byte `start` on.
    pub(super) fn open(
        &self,
        commit: &str,
        file: &str,
        start: u64,
    ) -> Result<Response<Body>, HubError> {
        let start = (start > 0).then_some(start);
        let url = self.url(commit, file);
        let (answer, _) = self.ask(&Method::GET, url, start, Follow::Everywhere, file)?;
        Ok(answer)
    }

    fn url(&self, commit: &str, file: &str) -> String {
        let (endpoint, repo) = (&self.place.endpoint, self.repo.url());
        format!("{endpoint}/{repo}/resolve/{commit}/{file}")
    }

    /// The answer at the end of the redirects, and the headers that the Hub itself has sent on the
    /// way to it.
    fn ask(
        &self,
        method: &Method,
        url: String,
        start: Option<u64>,
        follow: Follow,
        what: &str,
    ) -> Result<(Response<Body>, HeaderMap), HubError> {
        let astray = |host: &str, reason: String| HubError::Redirects {
            host: host.to_owned(),
            what: what.to_owned(),
            reason,
        };
        let home = origin(&self.place.endpoint).unwrap_or_default();
        let mut seen = HeaderMap::new();
        let mut url = url;
        for _ in 0..MAX_REDIRECTS {
            let here = origin(&url).unwrap_or_default();
            let host = here.split_once("://").map_or(&*here, |(_, host)| host);
            let answer = self
                .request(method, &url, start, here == home)
                .map_err(|error| self.fault(error, host, what))?;
            if here == home {
                seen.extend(answer.headers().clone());
            }
            if !answer.status().is_redirection() {
                // Only the Hub knows why something is refused; a signed address that has expired is
                // made anew by asking again.
                let is_refused = answer.status().is_client_error();
                if here != home && is_refused && answer.status() != 416 {
                    return Err(self.server_fault(host, answer.status().as_u16(), what));
                }
                return Ok((answer, seen));
            }
            let place = answer.headers().get("location");
            let place = place.and_then(|place| place.to_str().ok());
            let next = place.and_then(|place| resolve(&url, place));
            let next = next.ok_or_else(|| astray(host, "redirects to nowhere".to_owned()))?;
            let next_origin = origin(&next).unwrap_or_default();
            if follow == Follow::OnlyAtHome && next_origin != home {
                return Ok((answer, seen));
            }
            if home.starts_with("https://") && !next_origin.starts_with("https://") {
                let reason = format!("redirects to {next_origin}, which is not encrypted");
                return Err(astray(host, reason));
            }
            url = next;
        }
        Err(astray(
            self.host(),
            format!("redirected {MAX_REDIRECTS} times"),
        ))
    }

    fn request(
        &self,
        method: &Method,
        url: &str,
        start: Option<u64>,
        is_home: bool,
    ) -> Result<Response<Body>, ureq::Error> {
        let mut request = Request::builder().method(method.clone()).uri(url);
        if let Some(start) = start {
            request = request.header("range", format!("bytes={start}-"));
        }
        if let Some(token) = self.place.token.as_ref().filter(|_| is_home) {
            request = request.header("authorization", format!("Bearer {}", token.0));
        }
        self.agent.run(request.body(())?)
    }
}

/// Scheme, host and port of an address.
fn origin(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let default = if scheme == "https" { 443 } else { 80 };
    let host = authority.host().to_lowercase();
    Some(match authority.port_u16() {
        Some(port) if port != default => format!("{scheme}://{host}:{port}"),
        _ => format!("{scheme}://{host}"),
    })
}

/// Where `place`, the value of a `Location` header, leads from `url`.
fn resolve(url: &str, place: &str) -> Option<String> {
    let next = if place.starts_with("http://") || place.starts_with("https://") {
        place.to_owned()
    } else if let Some(rest) = place.strip_prefix("//") {
        format!("{}://{rest}", url.split_once("://")?.0)
    } else if place.starts_with('/') {
        let uri: Uri = url.parse().ok()?;
        format!("{}://{}{place}", uri.scheme_str()?, uri.authority()?)
    } else {
        return None;
    };
    next.parse::<Uri>().is_ok().then_some(next)
}

/// Reads the answer to a question for a repository's files.
fn parse_listing(json: &[u8]) -> Result<Listing, String> {
    let answer: serde_json::Value = serde_json::from_slice(json).map_err(|e| e.to_string())?;
    let commit = answer["sha"].as_str().filter(|commit| is_commit(commit));
    let commit = commit.ok_or("it names no commit")?.to_owned();
    let siblings = answer["siblings"].as_array();
    let files = siblings.ok_or("it lists no files")?.iter();
    let files = files.filter_map(|file| {
        let name = file["rfilename"].as_str()?;
        // What could not be kept below the cache's folder is not there for us.
        is_plain_path(name).then(|| (name.to_owned(), file["size"].as_u64()))
    });
    Ok(Listing {
        commit,
        files: files.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port_and_nothing_else() {
        let same = |a: &str, b: &str| origin(a).is_some() && origin(a) == origin(b);

        assert!(same("https://hf.co/a?b", "https://HF.co:443/c"));
        assert!(!same("https://hf.co/a", "http://hf.co/a"));
        assert!(!same("http://127.0.0.1:80/a", "http://127.0.0.1:81/a"));
        assert!(!same("https://hf.co/", "https://hf.co.evil.example/"));
        assert!(!same("https://hf.co/", "https://hf.co@evil.example/"));
        assert_eq!(origin("hf.co/a"), None);
    }

    #[test]
    fn a_redirect_leads_where_browsers_go() {
        let from = |place: &str| resolve("https://hf.co:1/a/b?c", place);

        assert_eq!(from("http://cdn.co/x").unwrap(), "http://cdn.co/x");
        assert_eq!(from("//cdn.co/x").unwrap(), "https://cdn.co/x");
        assert_eq!(from("/x?y").unwrap(), "https://hf.co:1/x?y");
        assert_eq!(from("file:///etc/passwd"), None);
        assert_eq!(from("http://a b/"), None);
    }

    #[test]
    fn a_listing_keeps_the_files_that_lie_in_the_repository() {
        let json = br#"{"sha": "11c5a3d5811f50298f278a704980280950aedb10", "siblings": [
            {"rfilename": "config.json", "size": 7}, {"rfilename": "a/b.gguf"},
            {"rfilename": "../x"}, {"rfilename": 3}, {"rfilename": "/etc/passwd"}]}"#;

        let listing = parse_listing(json).unwrap();

        assert_eq!(listing.commit, "11c5a3d5811f50298f278a704980280950aedb10");
        let files = [
            ("a/b.gguf".to_owned(), None),
            ("config.json".to_owned(), Some(7)),
        ];
        assert_eq!(listing.files, BTreeMap::from(files));
        for nonsense in [
            "",
            "[]",
            "{\"sha\": \"../../x\", \"siblings\": []}",
            "<html>",
        ] {
            assert!(parse_listing(nonsense.as_bytes()).is_err(), "{nonsense}");
        }
    }
}
