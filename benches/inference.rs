//! Times passes and steps of the GPT-2 small shape with random weights, everything captured, against
//! PyTorch where the environment variable `LLMSCOPE_PYTHON` names a Python that has torch and
//! transformers. The last line of output is JSON.
//!
//! Both sides take turns and ratios are of medians, so that what else the machine does falls on both
//! alike. Both have as many threads as rayon has. With one (`RAYON_NUM_THREADS=1`, on Linux) what is
//! timed is the processor's time and not the clock's: other programs then hardly matter.

mod checkpoint;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::ops::ControlFlow;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use candle_core::Tensor;
use llmscope::hook::HookPoint;
use llmscope::model::{LoadSettings, Model, ModelSource, Precision, Recorder, Session};
use llmscope::trace::ActivationCache;
use tempfile::TempDir;

/// A Python with torch and transformers.
const PYTHON_VARIABLE: &str = "LLMSCOPE_PYTHON";
const PROMPT_TOKENS: usize = 128;
const ROUNDS: usize = 31;
const LONG_TEXT: usize = 1_000;

/// What PyTorch's passes are called, with the logits of all positions and of the last.
const PYTORCH: [&str; 2] = ["pytorch_pass", "pytorch_pass_last"];

/// Times in milliseconds, by what was timed.
#[derive(Default)]
struct Times(BTreeMap<&'static str, Vec<f64>>);

impl Times {
    fn add(&mut self, what: &'static str, millis: f64) {
        self.0.entry(what).or_default().push(millis);
    }

    fn time<T>(&mut self, what: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let start = Clock::start();
        let result = work()?;
        self.add(what, start.millis());
        Ok(result)
    }

    fn median(&self, what: &str) -> Option<f64> {
        self.0.get(what).map(|times| median(times))
    }

    /// One median over another.
    fn ratio(&self, what: &str, over: &str) -> Option<f64> {
        Some(self.median(what)? / self.median(over)?)
    }
}

/// How long is waited before anything is timed: PyTorch's threads stay awake for a while after a pass,
/// and ours too.
const PAUSE: Duration = Duration::from_millis(20);

/// Time since it was started: this thread's on the processor where it is the only one.
struct Clock {
    start: Instant,
    on_processor: Option<f64>,
}

impl Clock {
    fn start() -> Self {
        thread::sleep(PAUSE);
        Self {
            on_processor: on_processor(),
            start: Instant::now(),
        }
    }

    fn millis(&self) -> f64 {
        match (self.on_processor, on_processor()) {
            (Some(start), Some(end)) => end - start,
            _ => self.start.elapsed().as_secs_f64() * 1e3,
        }
    }
}

/// Milliseconds that this thread has spent on a processor, if it is the only one and Linux counts.
fn on_processor() -> Option<f64> {
    if rayon::current_num_threads() > 1 {
        return None;
    }
    let counts = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(counts.split_whitespace().next()?.parse::<f64>().ok()? / 1e6)
}

fn main() -> Result<()> {
    let folder = checkpoint::random("gpt2")?;
    let model = load(&folder, Precision::F32)?;
    let model_q8_0 = load(&folder, Precision::Q8_0)?;
    drop(folder);
    let tokens: Vec<u32> = (0..PROMPT_TOKENS as u32).map(|i| i * 37 % 50_257).collect();
    let mut python = Python::start()?;
    let mut times = Times::default();
    let mut captured_bytes = 0;
    for _ in 0..ROUNDS {
        let mut pytorch = |times: &mut Times, run: &str, what| -> Result<()> {
            if let Some(python) = &mut python {
                times.add(what, python.run(run)?);
            }
            Ok(())
        };
        // Everything comes after the same of PyTorch's, and so finds the same caches.
        for (pass, plain, logits) in [
            ("pass", "pass_plain", Logits::All),
            ("pass_last", "pass_last_plain", Logits::Last),
        ] {
            let theirs = PYTORCH[usize::from(logits == Logits::Last)];
            pytorch(&mut times, pass, theirs)?;
            let mut session = model.session();
            times.time(plain, || {
                Ok(model.run_recorded(&mut session, &tokens, &mut Nothing(logits))?)
            })?;
            pytorch(&mut times, "step", "pytorch_step")?;
            times.time("step_plain", || {
                Ok(model.run_recorded(&mut session, &[11], &mut ())?)
            })?;
            pytorch(&mut times, pass, theirs)?;
            let mut session = model.session();
            let cache = times.time(pass, || capture(&model, &mut session, &tokens, logits))?;
            captured_bytes = captured_bytes.max(byte_count(&cache));
            drop(cache);
            pytorch(&mut times, "step", "pytorch_step")?;
            times.time("step", || capture(&model, &mut session, &[11], logits))?;
        }
        let mut session = model_q8_0.session();
        pytorch(&mut times, "pass", "pytorch_pass")?;
        times.time("pass_q8_0", || {
            capture(&model_q8_0, &mut session, &tokens, Logits::All)
        })?;
        for _ in 0..2 {
            pytorch(&mut times, "step", "pytorch_step")?;
            times.time("step_q8_0", || {
                capture(&model_q8_0, &mut session, &[11], Logits::All)
            })?;
        }
    }
    let long = long_text(&model)?;
    for (what, of) in &times.0 {
        eprintln!("{what:>18} {:8.1} ms", median(of));
    }
    eprintln!("medians of {ROUNDS} rounds in turn");
    print(&serde_json::json!({
        "shape": "gpt2",
        "threads": rayon::current_num_threads(),
        "prompt_tokens": PROMPT_TOKENS,
        "captured_mib": captured_bytes as f64 / f64::from(1 << 20),
        "pass_ms": times.median("pass"),
        "step_ms": times.median("step"),
        "pass_over_pytorch": times.ratio("pass", "pytorch_pass"),
        "pass_last_over_pytorch": times.ratio("pass_last", "pytorch_pass_last"),
        "step_over_pytorch": times.ratio("step", "pytorch_step"),
        "pass_q8_0_over_pytorch": times.ratio("pass_q8_0", "pytorch_pass"),
        "step_q8_0_over_pytorch": times.ratio("step_q8_0", "pytorch_step"),
        "capture_over_none": times.ratio("pass", "pass_plain"),
        "capture_over_none_last": times.ratio("pass_last", "pass_last_plain"),
        "step_capture_over_none": times.ratio("step", "step_plain"),
        "long_text": long,
    }));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a bench's result is its output")]
fn print(line: &serde_json::Value) {
    println!("{line}");
}

fn byte_count(cache: &ActivationCache) -> usize {
    cache.values().map(|value| 4 * value.values().len()).sum()
}

fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Which of the logits a pass computes.
#[derive(Clone, Copy, PartialEq)]
enum Logits {
    All,
    Last,
}

/// Keeps nothing, but has the logits computed.
struct Nothing(Logits);

impl Recorder for Nothing {
    fn at(&mut self, _hook: HookPoint, value: Tensor) -> candle_core::Result<Tensor> {
        Ok(value)
    }

    fn reads(&self, hook: HookPoint) -> bool {
        self.0 == Logits::All || hook != HookPoint::Logits
    }
}

fn capture(
    model: &Model,
    session: &mut Session,
    tokens: &[u32],
    logits: Logits,
) -> Result<ActivationCache> {
    let mut cache = ActivationCache::new();
    let mut keep = |hook, activation| {
        cache.insert(hook, activation);
        ControlFlow::Continue(())
    };
    let is_wanted = |hook| logits == Logits::All || hook != HookPoint::Logits;
    model.run_some(session, tokens, &is_wanted, &mut keep)?;
    Ok(cache)
}

/// Writes a text of a thousand tokens, a token a step: the time of a step at its beginning and end, and
/// the memory that it takes more at the end.
fn long_text(model: &Model) -> Result<serde_json::Value> {
    const SOME: usize = 100;
    let mut session = model.session();
    let mut times = Vec::with_capacity(LONG_TEXT);
    let mut memory = Vec::with_capacity(LONG_TEXT);
    for step in 0..LONG_TEXT {
        let start = Clock::start();
        drop(capture(model, &mut session, &[step as u32], Logits::All)?);
        times.push(start.millis());
        memory.push(resident_mib());
    }
    let (begin, end) = (&times[..SOME], &times[LONG_TEXT - SOME..]);
    Ok(serde_json::json!({
        "first_100_steps_ms": median(begin),
        "last_100_steps_ms": median(end),
        "slowest_over_median": times.iter().copied().fold(0.0, f64::max) / median(&times),
        "grown_mib": memory[LONG_TEXT - 1] - memory[SOME],
    }))
}

/// Memory of this process; zero where the system does not say.
fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// PyTorch, waiting to be told what to run.
struct Python {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Python {
    fn start() -> Result<Option<Self>> {
        let Ok(python) = std::env::var(PYTHON_VARIABLE) else {
            eprintln!("{PYTHON_VARIABLE} is not set: nothing is compared with PyTorch");
            return Ok(None);
        };
        let threads = rayon::current_num_threads();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/pytorch.py");
        let mut child = Command::new(&python)
            .args([script, &threads.to_string(), &PROMPT_TOKENS.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {python}, which {PYTHON_VARIABLE} names"))?;
        let input = child.stdin.take().context("it has no input")?;
        let output = BufReader::new(child.stdout.take().context("it has no output")?);
        let mut python = Self {
            child,
            input,
            output,
        };
        for what in ["pass", "pass_last", "step"] {
            python.run(what)?; // The first time is slower.
        }
        Ok(Some(python))
    }

    /// Runs something once and says how many milliseconds it took.
    fn run(&mut self, what: &str) -> Result<f64> {
        thread::sleep(PAUSE);
        writeln!(self.input, "{what}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let millis = line.trim().parse();
        millis.with_context(|| format!("PyTorch answered {line:?}; {PYTHON_VARIABLE} names a Python that must have torch and transformers"))
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // It ends by itself when its input does; whether it has ended already does not matter.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn load(folder: &TempDir, precision: Precision) -> Result<Model> {
    let settings = LoadSettings {
        precision,
        ..LoadSettings::default()
    };
    let source = ModelSource::Folder(folder.path().to_owned());
    Ok(Model::load(&source, &settings, &mut |_| {})?)
}
