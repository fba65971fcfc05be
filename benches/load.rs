//! Times loading the GPT-2 small shape from disk against reading its file, and measures the most
//! memory that loading takes. The last line of output is JSON.
//!
//! The weights are random and the file is in the system's cache. Times are medians of interleaved
//! rounds, so that what else the machine does falls on both alike.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs};

use anyhow::{Context as _, Result};
use llmscope::config::ModelConfig;
use llmscope::model::{LoadSettings, Model, ModelSource};
use rand::{RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

const ROUNDS: usize = 7;
/// Given to the process that only loads, so that its memory is loading's.
const ONLY_LOAD: &str = "--only-load";

fn main() -> Result<()> {
    let args: Vec<String> = env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == ONLY_LOAD) {
        let model = load(Path::new(&args[at + 1]))?;
        print_line(&most_memory()?.to_string());
        drop(model);
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    for dtype in [Dtype::F32, Dtype::BF16] {
        let path = write_model(folder.path(), dtype)?;
        let n_bytes = path.metadata()?.len();
        let (mut read, mut loaded) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            read.push(timed(|| Ok(fs::read(&path)?))?);
            loaded.push(timed(|| load(folder.path()))?);
        }
        let output = Command::new(env::current_exe()?)
            .arg(ONLY_LOAD)
            .arg(folder.path())
            .output()?;
        let peak: u64 = String::from_utf8(output.stdout)?.trim().parse()?;
        let (read, loaded) = (median_millis(&mut read), median_millis(&mut loaded));
        let config = ModelConfig::preset("gpt2").context("gpt2 is a preset")?;
        let kept = 4 * config.parameter_count();
        print_line(&format!(
            "{{\"file\":\"{dtype:?}\",\"file_bytes\":{n_bytes},\"read_ms\":{read:.1},\
             \"load_ms\":{loaded:.1},\"load_over_read\":{:.3},\"peak_bytes\":{peak},\
             \"peak_over_weights\":{:.3}}}",
            loaded / read,
            peak as f64 / kept as f64,
        ));
    }
    Ok(())
}

fn load(folder: &Path) -> Result<Model> {
    let source = ModelSource::Folder(folder.to_owned());
    Ok(Model::load(&source, &LoadSettings::default(), &mut |_| {})?)
}

/// A checkpoint with random weights, written and left in the cache.
fn write_model(folder: &Path, dtype: Dtype) -> Result<std::path::PathBuf> {
    let config = ModelConfig::preset("gpt2").context("gpt2 is a preset")?;
    fs::write(folder.join("config.json"), config.to_json().to_string())?;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let width = if dtype == Dtype::F32 { 4 } else { 2 };
    let mut tensors = BTreeMap::new();
    for spec in config.weights() {
        let mut bytes = vec![0; width * spec.element_count()];
        rng.fill_bytes(&mut bytes);
        tensors.insert(spec.name, (spec.shape, bytes));
    }
    let views = tensors.iter().map(|(name, (shape, bytes))| {
        Ok((name.as_str(), TensorView::new(dtype, shape.clone(), bytes)?))
    });
    let path = folder.join("model.safetensors");
    safetensors::serialize_to_file(views.collect::<Result<Vec<_>>>()?, None, &path)?;
    Ok(path)
}

#[expect(clippy::print_stdout, reason = "a bench's result is its output")]
fn print_line(line: &str) {
    println!("{line}");
}

/// The most memory that this process has had.
fn most_memory() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB"));
    let kib: u64 = kib.context("no VmHWM")?.trim().parse()?;
    Ok(1024 * kib)
}

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<Duration> {
    let started = Instant::now();
    let made = black_box(work()?);
    let taken = started.elapsed();
    drop(made);
    Ok(taken)
}

fn median_millis(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e3
}
