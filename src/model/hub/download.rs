//! One file's bytes: gone on with where an earlier attempt ended, counted, and checked.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use ureq::http::{HeaderMap, StatusCode};

use super::error::HubError;
use super::teller::Teller;
use super::web::{Remote, Web};

/// Attempts in a row that bring no byte, before it is given up.
const MAX_ATTEMPTS: u32 = 4;
/// What is waited before the second attempt; twice as long before each that follows.
const FIRST_PAUSE: Duration = Duration::from_millis(300);
/// Bytes that are read at once.
const CHUNK_BYTES: usize = 1 << 18;

/// Does `work` until it succeeds, or fails for good or too often.
pub(super) fn patiently<T>(
    teller: &mut Teller,
    mut work: impl FnMut() -> Result<T, HubError>,
) -> Result<T, HubError> {
    let mut attempt = 1;
    loop {
        match work() {
            Err(error) if error.is_passing() && attempt < MAX_ATTEMPTS => {
                pause(teller, attempt)?;
                attempt += 1;
            }
            other => return other,
        }
    }
}

fn pause(teller: &mut Teller, attempt: u32) -> Result<(), HubError> {
    teller.pause(FIRST_PAUSE * 2u32.pow(attempt - 1))
}

/// A file that is being fetched.
pub(super) struct Download<'a> {
    pub(super) web: &'a Web,
    pub(super) repo: &'a str,
    pub(super) commit: &'a str,
    pub(super) file: &'a str,
    pub(super) remote: &'a Remote,
    /// Where it grows.
    pub(super) path: &'a Path,
}

/// What is there of a file.
struct Part {
    file: File,
    bytes: u64,
    hasher: Sha256,
}

impl Download<'_> {
    /// Fetches what is missing of the file, and checks it.
    ///
    /// What fails leaves what has come, unless that is wrong.
    pub(super) fn run(&self, teller: &mut Teller) -> Result<(), HubError> {
        let mut part = self.open_part(teller)?;
        if part.bytes > 0 {
            match self.complete(&mut part, teller) {
                Err(error) if error.is_of_the_content() => {
                    // What was there from an earlier run may have been the wrong part.
                    tracing::warn!("{error}: fetching all of it again");
                    part = self.open_part(teller)?;
                }
                other => return other,
            }
        }
        self.complete(&mut part, teller)
    }

    /// Fetches what is missing, as often as it takes, and throws it away if it is wrong then.
    fn complete(&self, part: &mut Part, teller: &mut Teller) -> Result<(), HubError> {
        let mut attempt = 1;
        loop {
            let before = part.bytes;
            match self.receive(part, teller) {
                Ok(()) => break,
                Err(error) if error.is_passing() => {
                    if part.bytes > before {
                        attempt = 1; // A connection that breaks off now and then is good enough.
                    }
                    if attempt == MAX_ATTEMPTS {
                        return Err(error.with_kept(part.bytes));
                    }
                    pause(teller, attempt)?;
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
        if let Err(error) = self.check(part) {
            fs::remove_file(self.path).map_err(|source| self.unwritten(source))?;
            return Err(error);
        }
        part.file
            .sync_all()
            .map_err(|source| self.unwritten(source))
    }

    fn unwritten(&self, source: std::io::Error) -> HubError {
        HubError::Write {
            path: self.path.to_owned(),
            source,
        }
    }

    /// Opens what an earlier run has left, and reads it for the sum.
    fn open_part(&self, teller: &mut Teller) -> Result<Part, HubError> {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let opened = options.open(self.path);
        let mut part = Part {
            file: opened.map_err(|source| self.unwritten(source))?,
            bytes: 0,
            hasher: Sha256::new(),
        };
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let read = part.file.read(&mut chunk);
            let n = read.map_err(|source| self.unwritten(source))?;
            if n == 0 {
                break;
            }
            part.add(&chunk[..n], self.remote);
            teller.fetching(self.file, part.bytes)?;
        }
        if self.remote.size.is_none_or(|size| part.bytes > size) {
            self.begin_again(&mut part)?;
        }
        Ok(part)
    }

    fn begin_again(&self, part: &mut Part) -> Result<(), HubError> {
        part.bytes = 0;
        part.hasher = Sha256::new();
        part.file
            .set_len(0)
            .and_then(|()| part.file.seek(SeekFrom::Start(0)))
            .map(drop)
            .map_err(|source| self.unwritten(source))
    }

    /// Asks for what is missing, and takes it in as it comes.
    fn receive(&self, part: &mut Part, teller: &mut Teller) -> Result<(), HubError> {
        if self.remote.size == Some(part.bytes) {
            return Ok(());
        }
        let answer = self.web.open(self.commit, self.file, part.bytes)?;
        match answer.status() {
            StatusCode::PARTIAL_CONTENT if starts_at(answer.headers(), part.bytes) => {}
            StatusCode::OK => self.begin_again(part)?,
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE if part.bytes > 0 => {
                self.begin_again(part)?;
                return self.receive(part, teller);
            }
            StatusCode::PARTIAL_CONTENT => {
                let reason = "it sends another part than it was asked for".to_owned();
                return Err(self.web.nonsense(self.file, reason));
            }
            _ => {
                let host = self.web.host();
                return Err(self.web.refusal(&answer, host, self.file, Some(self.file)));
            }
        }
        let promised = length(answer.headers()).map(|length| part.bytes + length);
        let mut body = answer.into_body().into_reader();
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let n = match body.read(&mut chunk) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) => return Err(self.web.fault(error.into(), self.web.host(), self.file)),
            };
            let written = part.file.write_all(&chunk[..n]);
            written.map_err(|source| self.unwritten(source))?;
            part.add(&chunk[..n], self.remote);
            teller.fetching(self.file, part.bytes)?;
            if self.remote.size.is_some_and(|size| part.bytes > size) {
                return Ok(()); // Whatever else comes, it is wrong.
            }
        }
        match promised {
            Some(promised) if part.bytes < promised => {
                let host = self.web.host().to_owned();
                let early = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
                Err(self.web.cut(host, self.file, &early))
            }
            _ => Ok(()),
        }
    }

    fn check(&self, part: &Part) -> Result<(), HubError> {
        if let Some(expected) = self.remote.size.filter(|size| *size != part.bytes) {
            return Err(HubError::WrongSize {
                repo: self.repo.to_owned(),
                file: self.file.to_owned(),
                got: part.bytes,
                expected,
            });
        }
        let Some(expected) = self.remote.sha256() else {
            return Ok(());
        };
        let sum = part.hasher.clone().finalize();
        let got: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        if got.eq_ignore_ascii_case(expected) {
            return Ok(());
        }
        Err(HubError::WrongHash {
            repo: self.repo.to_owned(),
            file: self.file.to_owned(),
            got,
            expected: expected.to_owned(),
        })
    }
}

impl Part {
    fn add(&mut self, bytes: &[u8], remote: &Remote) {
        self.bytes += bytes.len() as u64;
        if remote.sha256().is_some() {
            self.hasher.update(bytes);
        }
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get("content-length")?.to_str().ok()?.parse().ok()
}

/// Whether an answer begins with this byte: `Content-Range: bytes 7-9/10` with byte 7.
fn starts_at(headers: &HeaderMap, start: u64) -> bool {
    let range = headers.get("content-range");
    let range = range.and_then(|range| range.to_str().ok());
    let first = range.and_then(|range| range.strip_prefix("bytes ")?.split_once('-'));
    first.is_some_and(|(first, _)| first.trim().parse() == Ok(start))
}
