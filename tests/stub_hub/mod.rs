//! A stand-in for huggingface.co on this machine: two servers, one that answers as the Hub does and
//! one that holds the large files, and faults on demand.

#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "test support"
)]

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

pub const COMMIT: &str = "607a30d783dfa663caf39e06633721c8d4cfcd7e";

/// What a server does wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answers with this status and these header lines.
    Status(u16, &'static str),
    /// Sends so many bytes of the body, then nothing, and holds the connection.
    Stall(usize),
    /// Sends so many bytes of the body, then closes the connection.
    Cut(usize),
    /// Turns a bit of the body over.
    Flip,
    /// Sends a body that is whole by itself, but so many bytes short.
    Short(usize),
    /// Sends a body of other bytes.
    Body(Vec<u8>),
    /// Sends so many bytes a second.
    Slow(usize),
    /// Redirects to itself.
    Loop,
    /// Redirects there.
    Redirect(String),
    /// Sends this for the header of that name.
    Header(&'static str, &'static str),
    /// Pays no heed to the range it is asked for.
    Whole,
}

/// A request that has come.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Whether it came to the server of large files.
    pub is_cdn: bool,
    pub method: String,
    pub path: String,
    pub authorization: Option<String>,
    pub range: Option<String>,
}

struct Armed {
    part_of_path: String,
    fault: Fault,
    times_left: usize,
}

#[derive(Default)]
struct State {
    /// Files by `organisation/name/file`.
    files: BTreeMap<String, Vec<u8>>,
    faults: Vec<Armed>,
    seen: Vec<Seen>,
    n_connections: usize,
    cdn: Option<SocketAddr>,
    /// Bytes of bodies of large files that were sent.
    n_cdn_bytes: usize,
}

/// The two servers; they end with the test's process.
#[derive(Clone)]
pub struct StubHub {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl StubHub {
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let address = serve(&state, false);
        let cdn = serve(&state, true);
        state.lock().unwrap().cdn = Some(cdn);
        Self { address, state }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn add(&self, repo: &str, file: &str, bytes: impl Into<Vec<u8>>) {
        let mut state = self.state.lock().unwrap();
        state.files.insert(format!("{repo}/{file}"), bytes.into());
    }

    /// Does this wrong at the next `times` requests whose method and path, such as
    /// `GET /org/name/resolve/…`, have `part` in them.
    pub fn fail(&self, part: &str, times: usize, fault: Fault) {
        self.state.lock().unwrap().faults.push(Armed {
            part_of_path: part.to_owned(),
            fault,
            times_left: times,
        });
    }

    pub fn heal(&self) {
        self.state.lock().unwrap().faults.clear();
    }

    /// What was asked for since this was last asked.
    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state.lock().unwrap().seen)
    }

    pub fn n_connections(&self) -> usize {
        self.state.lock().unwrap().n_connections
    }

    pub fn n_cdn_bytes(&self) -> usize {
        self.state.lock().unwrap().n_cdn_bytes
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    let sum = Sha256::digest(bytes);
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The ETag of a small file: on the Hub the sum that git gives it, of 40 letters.
pub fn small_etag(bytes: &[u8]) -> String {
    sha256(bytes)[..40].to_owned()
}

pub fn is_large(file: &str) -> bool {
    [".safetensors", ".bin", ".gguf"]
        .iter()
        .any(|ending| file.ends_with(ending))
}

fn serve(state: &Arc<Mutex<State>>, is_cdn: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let state = Arc::clone(state);
    let accept = move || {
        for stream in listener.incoming().flatten() {
            let state = Arc::clone(&state);
            let answer = move || {
                // The other side may be killed at any time.
                drop(Answering { state, is_cdn }.answer(stream));
            };
            let name = "stub-answer".to_owned();
            thread::Builder::new().name(name).spawn(answer).unwrap();
        }
    };
    let name = "stub-accept".to_owned();
    thread::Builder::new().name(name).spawn(accept).unwrap();
    address
}

struct Answering {
    state: Arc<Mutex<State>>,
    is_cdn: bool,
}

/// An answer before a fault is done to it.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

impl Answering {
    fn answer(&self, stream: TcpStream) -> io::Result<()> {
        self.state.lock().unwrap().n_connections += 1;
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
        let mut words = first.split(' ').map(str::to_owned);
        let (method, path) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        let mut headers = BTreeMap::new();
        for line in lines {
            let line = line?;
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        let seen = Seen {
            is_cdn: self.is_cdn,
            method,
            path,
            authorization: headers.remove("authorization"),
            range: headers.remove("range"),
        };
        let fault = self.fault_for(&format!("{} {}", seen.method, seen.path));
        self.state.lock().unwrap().seen.push(seen.clone());
        let heeds_range = !matches!(fault, Some(Fault::Whole));
        let answer = match self.is_cdn {
            true => self.answer_of_cdn(&seen, heeds_range),
            false => self.answer_of_hub(&seen),
        };
        self.send(stream, &seen, answer, fault)
    }

    fn fault_for(&self, request: &str) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
        let armed = state
            .faults
            .iter_mut()
            .find(|armed| armed.times_left > 0 && request.contains(&armed.part_of_path))?;
        armed.times_left -= 1;
        Some(armed.fault.clone())
    }

    fn answer_of_hub(&self, seen: &Seen) -> Answer {
        let path = seen.path.split('?').next().unwrap_or_default();
        if let Some(rest) = path.strip_prefix("/api/models/") {
            let (repo, revision) = rest.split_once("/revision/").unwrap_or((rest, "main"));
            return self.listing(repo, revision);
        }
        if let Some(rest) = path.strip_prefix("/api/resolve-cache/models/") {
            let (repo, file) = rest.split_once(&format!("/{COMMIT}/")).unwrap();
            return self.small(repo, file);
        }
        match path[1..].split_once("/resolve/") {
            Some((repo, rest)) => {
                let (_, file) = rest.split_once('/').unwrap_or_default();
                self.resolve(repo, file)
            }
            None => Answer::new(404, "Not Found"),
        }
    }

    /// The answer to a question for the files of a repository.
    fn listing(&self, repo: &str, revision: &str) -> Answer {
        let state = self.state.lock().unwrap();
        let prefix = format!("{repo}/");
        let siblings: Vec<serde_json::Value> = state
            .files
            .iter()
            .filter_map(|(path, bytes)| Some((path.strip_prefix(&prefix)?, bytes)))
            .map(|(file, bytes)| match is_large(file) {
                true => serde_json::json!({"rfilename": file, "size": bytes.len(),
                    "lfs": {"sha256": sha256(bytes), "size": bytes.len(), "pointerSize": 134}}),
                false => serde_json::json!({"rfilename": file, "size": bytes.len(),
                    "blobId": small_etag(bytes)}),
            })
            .collect();
        if siblings.is_empty() {
            return Answer::new(401, "{\"error\":\"Invalid username or password.\"}")
                .with("X-Error-Code", "RepoNotFound")
                .with("X-Error-Message", "Repository not found");
        }
        if !["main", COMMIT].contains(&revision) {
            return Answer::new(404, "{\"error\":\"Invalid rev id\"}")
                .with("X-Error-Code", "RevisionNotFound");
        }
        let json = serde_json::json!({"id": repo, "sha": COMMIT, "private": false,
            "gated": false, "siblings": siblings});
        Answer::new(200, json.to_string()).with("Content-Type", "application/json")
    }

    /// Where a file is: a large one elsewhere, a small one here under another address.
    fn resolve(&self, repo: &str, file: &str) -> Answer {
        let state = self.state.lock().unwrap();
        let Some(bytes) = state.files.get(&format!("{repo}/{file}")) else {
            return Answer::new(404, "Entry not found").with("X-Error-Code", "EntryNotFound");
        };
        let sum = sha256(bytes);
        let redirect = if is_large(file) {
            let cdn = state.cdn.unwrap();
            let place = format!("http://{cdn}/repos/{sum}?Signature=abc&Expires=1");
            Answer::new(302, format!("Found. Redirecting to {place}"))
                .with("Location", place)
                .with("X-Linked-Etag", format!("\"{sum}\""))
                .with("ETag", "\"of-the-redirect\"")
        } else {
            let place = format!("/api/resolve-cache/models/{repo}/{COMMIT}/{file}");
            Answer::new(307, format!("Temporary Redirect. Redirecting to {place}"))
                .with("Location", place)
                .with("X-Linked-Etag", format!("\"{}\"", small_etag(bytes)))
        };
        redirect
            .with("X-Repo-Commit", COMMIT)
            .with("X-Linked-Size", bytes.len().to_string())
            .with("Accept-Ranges", "bytes")
    }

    fn small(&self, repo: &str, file: &str) -> Answer {
        let state = self.state.lock().unwrap();
        let bytes = state.files[&format!("{repo}/{file}")].clone();
        let etag = format!("\"{}\"", small_etag(&bytes));
        Answer::new(200, bytes)
            .with("ETag", etag)
            .with("X-Repo-Commit", COMMIT)
    }

    fn answer_of_cdn(&self, seen: &Seen, heeds_range: bool) -> Answer {
        let state = self.state.lock().unwrap();
        let sum = seen.path.trim_start_matches("/repos/");
        let sum = sum.split('?').next().unwrap_or_default();
        let Some(bytes) = state.files.values().find(|bytes| sha256(bytes) == sum) else {
            return Answer::new(403, "<Error>AccessDenied</Error>");
        };
        let start = seen.range.as_deref().filter(|_| heeds_range);
        let start = start.map(|range| {
            let start = range.strip_prefix("bytes=").unwrap();
            start.strip_suffix('-').unwrap().parse::<usize>().unwrap()
        });
        let total = bytes.len();
        match start {
            None => Answer::new(200, bytes.clone()),
            Some(start) if start >= total => {
                Answer::new(416, "").with("Content-Range", format!("bytes */{total}"))
            }
            Some(start) => Answer::new(206, &bytes[start..]).with(
                "Content-Range",
                format!("bytes {start}-{}/{total}", total - 1),
            ),
        }
    }

    fn send(
        &self,
        mut stream: TcpStream,
        seen: &Seen,
        mut answer: Answer,
        fault: Option<Fault>,
    ) -> io::Result<()> {
        let (mut limit, mut is_held, mut rate) = (usize::MAX, false, None);
        match fault {
            None | Some(Fault::Whole) => {}
            Some(Fault::Status(status, lines)) => {
                answer = Answer::new(status, "");
                for (name, value) in lines.lines().filter_map(|line| line.split_once(": ")) {
                    answer = answer.with(name, value);
                }
            }
            Some(Fault::Stall(n)) => (limit, is_held) = (n, true),
            Some(Fault::Cut(n)) => limit = n,
            Some(Fault::Flip) => {
                let middle = answer.body.len() / 2;
                answer.body[middle] ^= 1;
            }
            Some(Fault::Short(n)) => answer.body.truncate(answer.body.len() - n),
            Some(Fault::Body(body)) => answer = Answer::new(200, body),
            Some(Fault::Slow(per_sec)) => rate = Some(per_sec),
            Some(Fault::Loop) => {
                answer = Answer::new(302, "").with("Location", seen.path.clone());
            }
            Some(Fault::Redirect(place)) => answer = Answer::new(302, "").with("Location", place),
            Some(Fault::Header(name, value)) => answer = answer.with(name, value),
        }
        let mut head = format!("HTTP/1.1 {} Stub\r\nConnection: close\r\n", answer.status);
        for (name, value) in &answer.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("Content-Length: {}\r\n\r\n", answer.body.len());
        stream.write_all(head.as_bytes())?;
        if seen.method == "HEAD" {
            return Ok(());
        }
        let body = &answer.body[..answer.body.len().min(limit)];
        for part in body.chunks(rate.map_or(1 << 16, |rate| (rate / 20).max(1))) {
            stream.write_all(part)?;
            if self.is_cdn {
                self.state.lock().unwrap().n_cdn_bytes += part.len();
            }
            if rate.is_some() {
                thread::sleep(Duration::from_millis(50));
            }
        }
        if is_held {
            // Longer than any test waits; the test's end ends it.
            thread::sleep(Duration::from_secs(600));
        }
        Ok(())
    }
}
