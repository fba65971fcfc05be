//! Films by the ffmpeg on the path, a process of its own that is fed frames.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{SendTimeoutError, Sender, bounded};

use super::{Film, FilmError, FilmKind, FilmSettings, FilmWriter, Quality};

/// How ffmpeg is found and how long it is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FfmpegSettings {
    /// The program.
    pub program: PathBuf,
    /// How long it may take for a frame, or to end, before it is ended.
    pub patience: Duration,
}

impl Default for FfmpegSettings {
    fn default() -> Self {
        Self {
            program: PathBuf::from("ffmpeg"),
            patience: Duration::from_secs(30),
        }
    }
}

/// Lines of what it printed last that are kept.
const N_LINES: usize = 4;
/// Frames that wait for it.
const ROOM: usize = 2;
/// How often it is looked whether it has ended.
const POLL: Duration = Duration::from_millis(10);

/// A film that ffmpeg makes.
pub(super) struct FfmpegFilm {
    path: PathBuf,
    settings: FilmSettings,
    ffmpeg: FfmpegSettings,
    child: Child,
    /// Takes frames to the thread that feeds it, which ends with an error where it takes no more.
    frames: Option<Sender<Vec<u8>>>,
    feeder: Option<JoinHandle<io::Result<()>>>,
    listener: Option<JoinHandle<()>>,
    said: Arc<Mutex<VecDeque<String>>>,
    n_frames: u64,
}

impl FfmpegFilm {
    pub(super) fn begin_with(
        path: &Path,
        kind: FilmKind,
        settings: &FilmSettings,
        ffmpeg: FfmpegSettings,
    ) -> Result<Self, FilmError> {
        let failed = |source| FilmError::of_write(path, 0, source);
        let mut child = Command::new(&ffmpeg.program)
            .args(arguments(kind, settings))
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => FilmError::NoFfmpeg,
                _ => failed(error),
            })?;
        let said = Arc::new(Mutex::new(VecDeque::new()));
        let (frames, waiting) = bounded::<Vec<u8>>(ROOM);
        let stdin = child.stdin.take();
        let feeder = thread::Builder::new()
            .name("llmscope-ffmpeg-in".to_owned())
            .spawn(move || feed(stdin, &waiting));
        let heard = Arc::clone(&said);
        let stderr = child.stderr.take();
        let listener = thread::Builder::new()
            .name("llmscope-ffmpeg-err".to_owned())
            .spawn(move || listen(stderr, &heard));
        let mut film = Self {
            path: path.to_owned(),
            settings: settings.clone(),
            ffmpeg,
            child,
            frames: Some(frames),
            feeder: None,
            listener: None,
            said,
            n_frames: 0,
        };
        film.feeder = Some(feeder.map_err(failed)?);
        film.listener = Some(listener.map_err(failed)?);
        Ok(film)
    }

    /// Waits until it has ended; ends it where that takes too long.
    fn wait(&mut self) -> Result<std::process::ExitStatus, FilmError> {
        let start = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) if start.elapsed() > self.ffmpeg.patience => return Err(self.hangs()),
                Ok(None) => thread::sleep(POLL),
                Err(error) => {
                    return Err(FilmError::of_write(&self.path, self.n_frames, error));
                }
            }
        }
    }

    fn hangs(&mut self) -> FilmError {
        self.end();
        FilmError::FfmpegHangs {
            seconds: self.ffmpeg.patience.as_secs(),
            said: self.last_words(),
        }
    }

    /// It took a frame no more: why.
    fn ended(&mut self) -> FilmError {
        let status = match self.wait() {
            Ok(status) => status.to_string(),
            Err(error) => return error,
        };
        self.end();
        FilmError::FfmpegEnded {
            status,
            said: self.last_words(),
        }
    }

    /// Ends the process, if it has not ended, and the threads beside it.
    fn end(&mut self) {
        self.frames = None;
        // What has ended can't be killed, and was waited for: both are as they should be.
        drop(self.child.kill());
        drop(self.child.wait());
        if let Some(feeder) = self.feeder.take() {
            drop(feeder.join());
        }
        if let Some(listener) = self.listener.take() {
            drop(listener.join());
        }
    }

    fn last_words(&self) -> String {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.iter().cloned().collect::<Vec<_>>().join("; ")
    }
}

impl Drop for FfmpegFilm {
    fn drop(&mut self) {
        self.end();
    }
}

/// Feeds frames as they come, until there are no more.
fn feed(
    stdin: Option<ChildStdin>,
    frames: &crossbeam_channel::Receiver<Vec<u8>>,
) -> io::Result<()> {
    let Some(mut stdin) = stdin else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    for frame in frames {
        stdin.write_all(&frame)?;
    }
    stdin.flush()
}

/// Keeps the last lines that it prints; unread, they would stop it.
fn listen(stderr: Option<ChildStderr>, said: &Mutex<VecDeque<String>>) {
    let Some(stderr) = stderr else { return };
    for line in BufReader::new(stderr).lines() {
        let Ok(line) = line else { return };
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() == N_LINES {
            said.pop_front();
        }
        said.push_back(line);
    }
}

fn arguments(kind: FilmKind, settings: &FilmSettings) -> Vec<String> {
    let (width, height, fps) = (settings.width, settings.height, settings.fps);
    let mut arguments = words("-nostdin -hide_banner -loglevel warning -f rawvideo -pix_fmt rgba");
    arguments.extend(["-s".to_owned(), format!("{width}x{height}")]);
    arguments.extend(["-r".to_owned(), fps.to_string()]);
    arguments.extend(words("-i - -an -pix_fmt yuv420p"));
    arguments.extend(words(
        "-vf scale=out_color_matrix=bt709:out_range=tv -color_range tv -color_primaries bt709 \
         -color_trc iec61966-2-1 -colorspace bt709",
    ));
    arguments.extend(words(match kind {
        FilmKind::WebM => "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -row-mt 1",
        FilmKind::Mkv => "-c:v libaom-av1 -usage realtime -cpu-used 8 -row-mt 1",
        _ => {
            "-c:v libx264 -preset veryfast -movflags \
              +frag_keyframe+empty_moov+default_base_moof+use_metadata_tags"
        }
    }));
    arguments.extend(["-g".to_owned(), fps.to_string()]);
    arguments.extend(match (settings.quality, kind) {
        (Quality::BitRate(bits), _) => ["-b:v".to_owned(), bits.to_string()].to_vec(),
        // VP9's and AV1's quantizers go to 63, and to be the measure they want a rate of 0.
        (Quality::Quantizer(q), FilmKind::WebM | FilmKind::Mkv) => {
            let q = u32::from(q.min(51)) * 63 / 51;
            [
                "-crf".to_owned(),
                q.to_string(),
                "-b:v".to_owned(),
                "0".to_owned(),
            ]
            .to_vec()
        }
        (Quality::Quantizer(q), _) => ["-crf".to_owned(), q.min(51).to_string()].to_vec(),
    });
    for (key, text) in &settings.metadata {
        arguments.extend(["-metadata".to_owned(), format!("{key}={text}")]);
    }
    arguments.push(if settings.force { "-y" } else { "-n" }.to_owned());
    arguments
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

impl FilmWriter for FfmpegFilm {
    fn push(&mut self, rgba: &[u8]) -> Result<(), FilmError> {
        super::check_frame(&self.settings, rgba)?;
        let Some(frames) = &self.frames else {
            return Err(self.ended());
        };
        match frames.send_timeout(rgba.to_vec(), self.ffmpeg.patience) {
            Ok(()) => {
                self.n_frames += 1;
                Ok(())
            }
            Err(SendTimeoutError::Timeout(_)) => Err(self.hangs()),
            Err(SendTimeoutError::Disconnected(_)) => Err(self.ended()),
        }
    }

    fn n_bytes(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |file| file.len())
    }

    fn finish(mut self: Box<Self>) -> Result<Film, FilmError> {
        // No more frames: it writes the film's end.
        self.frames = None;
        let status = self.wait()?;
        self.end();
        if !status.success() {
            return Err(FilmError::FfmpegEnded {
                status: status.to_string(),
                said: self.last_words(),
            });
        }
        Ok(Film {
            path: self.path.clone(),
            n_frames: self.n_frames,
            n_bytes: self.n_bytes(),
        })
    }
}
