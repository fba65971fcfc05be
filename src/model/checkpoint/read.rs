//! Reading all tensors of a model: what each becomes, whether there is room, several at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use candle_core::quantized::GgmlDType;
use candle_core::{DType, Device};

use super::tensor::{PIECE_BYTES, TensorReader};
use super::{Checkpoint, Numbers, Order, Wanted};
use crate::config::{ModelConfig, WeightSpec};
use crate::model::error::ModelError;
use crate::model::memory::Need;
use crate::model::sizes::TensorBytes;
use crate::model::tensors::{Stored, is_in_out};
use crate::model::{LoadProgress, Watch};
use crate::weight::WeightPoint;

/// More threads than this read no faster from memory or disk.
const MAX_THREADS: usize = 4;
/// How often progress is told while nothing is finished.
const PROGRESS_PAUSE: Duration = Duration::from_millis(50);

/// How weights are to be kept.
#[derive(Clone, Copy)]
pub(in crate::model) struct ReadPlan<'a> {
    /// The precision asked for; none keeps quantised matrices as the file has them, and all else as
    /// f32.
    pub(in crate::model) dtype: Option<DType>,
    /// What matrices that the file has as plain numbers become, if they are to be quantised.
    pub(in crate::model) quantized: Option<GgmlDType>,
    /// Where.
    pub(in crate::model) device: &'a Device,
}

/// What a tensor becomes in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Plain(DType),
    Quantized(GgmlDType),
    /// Read as f32 and quantised here.
    Made(GgmlDType),
}

/// A tensor to be read.
pub(super) struct Task<'a> {
    name: String,
    pub(super) wanted: Wanted<'a>,
    pub(super) kept: Kept,
    /// Whether it is a matrix that the model has as `[in, out]`.
    pub(super) is_in_out: bool,
}

/// What the reading threads share.
struct Shared<'a> {
    tasks: &'a [Task<'a>],
    next_task: AtomicUsize,
    reader: TensorReader<'a>,
}

/// Reads the weights of a model of this shape, under the names of [`ModelConfig::weights`].
///
/// A quantised embedding that is also the unembedding is kept twice: as numbers to look tokens up in,
/// and quantised under the name of an unembedding of its own.
///
/// # Errors
///
/// If a tensor is missing or not as the model has it, if there is too little memory (asked before
/// anything is read), or if a file can't be read to the end.
pub(in crate::model) fn read(
    checkpoint: &Checkpoint,
    config: &ModelConfig,
    plan: ReadPlan<'_>,
    watch: &mut Watch,
) -> Result<HashMap<String, Stored>, ModelError> {
    let mut tasks = tasks(checkpoint, config, plan)?;
    let n_threads = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MAX_THREADS)
        .min(tasks.len());
    if let Device::Cpu = plan.device {
        // Weights on a GPU take no memory of the processor's.
        let kept = tasks.iter().map(Task::kept_bytes).sum();
        let in_passing = tasks.iter().map(Task::passing_bytes).max();
        Need::of(config, kept, plan.dtype.unwrap_or(DType::F32))
            .check(n_threads as u64 * in_passing.unwrap_or(0))?;
    }
    // The largest first, so that no thread is left with it at the end.
    tasks.sort_by_key(|task| std::cmp::Reverse(task.wanted.byte_count()));
    read_all(&tasks, n_threads, plan.device, watch)
}

/// The bytes that each tensor would take in memory, by name.
///
/// # Errors
///
/// If a tensor is missing or not as the model has it.
pub(in crate::model) fn kept_bytes(
    checkpoint: &Checkpoint,
    config: &ModelConfig,
    plan: ReadPlan<'_>,
) -> Result<TensorBytes, ModelError> {
    let tasks = tasks(checkpoint, config, plan)?;
    let as_stored = |task: &Task<'_>| matches!(task.kept, Kept::Quantized(_));
    let has_stored_blocks = tasks.iter().any(as_stored);
    let bytes = tasks
        .iter()
        .map(|task| (task.name.clone(), task.kept_bytes()));
    let mut bytes = TensorBytes::new(bytes);
    bytes.has_stored_blocks = has_stored_blocks;
    Ok(bytes)
}

/// The bytes that each tensor takes in memory, by name, of a model that is stored as plain numbers.
pub(in crate::model) fn plain_bytes(config: &ModelConfig, plan: ReadPlan<'_>) -> TensorBytes {
    let mut bytes = Vec::new();
    for spec in config.weights() {
        for (name, kept) in plan.kept(config, &spec, &Numbers::Plain(DType::F32)) {
            bytes.push((name, kept.byte_count(&spec)));
        }
    }
    TensorBytes::new(bytes)
}

fn tasks<'a>(
    checkpoint: &'a Checkpoint,
    config: &ModelConfig,
    plan: ReadPlan<'_>,
) -> Result<Vec<Task<'a>>, ModelError> {
    let mut tasks = Vec::new();
    for wanted in checkpoint.find(config)? {
        let spec = &wanted.spec;
        let is_in_out = spec.shape.len() == 2 && is_in_out(config.family, &spec.name);
        for (name, kept) in plan.kept(config, spec, &wanted.entry.numbers) {
            tasks.push(Task {
                name,
                wanted: wanted.clone(),
                kept,
                is_in_out,
            });
        }
    }
    Ok(tasks)
}

impl ReadPlan<'_> {
    /// What becomes of a tensor that is stored so, under its own name and, of an embedding that is also
    /// the unembedding, quantised under that of an unembedding.
    fn kept(
        &self,
        config: &ModelConfig,
        spec: &WeightSpec,
        stored: &Numbers,
    ) -> Vec<(String, Kept)> {
        let is_embed = config.weight_slice(WeightPoint::Embed).key == spec.name;
        let is_looked_up = is_embed || spec.name == "wpe.weight";
        let quantized = match (self.dtype, stored) {
            (None, Numbers::Blocks(dtype)) if spec.shape.len() == 2 => {
                Some(Kept::Quantized(*dtype))
            }
            (None, Numbers::Plain(_)) => self.made_of(config, spec),
            _ => None,
        };
        let numbers = Kept::Plain(self.dtype.unwrap_or(DType::F32));
        let own = quantized.filter(|_| !is_looked_up).unwrap_or(numbers);
        let mut kept = vec![(spec.name.clone(), own)];
        if let Some(twin) = quantized.filter(|_| is_embed && config.tie_word_embeddings) {
            kept.push((config.family.own_unembedding().to_owned(), twin));
        }
        kept
    }

    /// What a matrix of plain numbers is to become, if rows of it are whole blocks.
    fn made_of(&self, config: &ModelConfig, spec: &WeightSpec) -> Option<Kept> {
        let dtype = self.quantized?;
        let n_in = match (spec.shape.as_slice(), is_in_out(config.family, &spec.name)) {
            ([n_in, _], true) | ([_, n_in], false) => *n_in,
            _ => return None,
        };
        n_in.is_multiple_of(dtype.block_size())
            .then_some(Kept::Made(dtype))
    }
}

impl Kept {
    /// Bytes in memory of a tensor of this shape.
    fn byte_count(self, spec: &WeightSpec) -> u64 {
        let n_numbers = spec.element_count();
        let n_bytes = match self {
            Self::Plain(dtype) => n_numbers * dtype.size_in_bytes(),
            Self::Quantized(dtype) | Self::Made(dtype) => {
                n_numbers / dtype.block_size() * dtype.type_size()
            }
        };
        n_bytes as u64
    }
}

impl Task<'_> {
    /// Bytes of the tensor in memory.
    fn kept_bytes(&self) -> u64 {
        self.kept.byte_count(&self.wanted.spec)
    }

    /// Bytes that are needed beside those while it is read.
    fn passing_bytes(&self) -> u64 {
        let moved = match self.wanted.order {
            Order::Same if self.is_in_out => self.kept_bytes(),
            Order::Same | Order::Transposed => 0,
            Order::Alternating { .. } | Order::Thirds { .. } => 2 * self.wanted.byte_count(),
        };
        let copied = match self.kept {
            // A piece as it is read, and as it is converted.
            Kept::Plain(_) => self.wanted.byte_count().min(PIECE_BYTES as u64) * 4,
            Kept::Quantized(_) => self.wanted.byte_count(),
            // As f32, and once more to be turned.
            Kept::Made(_) => 2 * 4 * self.wanted.spec.element_count() as u64,
        };
        moved + copied
    }
}

fn read_all(
    tasks: &[Task<'_>],
    n_threads: usize,
    device: &Device,
    watch: &mut Watch,
) -> Result<HashMap<String, Stored>, ModelError> {
    let total_bytes = tasks.iter().map(|task| task.wanted.byte_count()).sum();
    let shared = Shared {
        tasks,
        next_task: AtomicUsize::new(0),
        reader: TensorReader {
            device,
            done_bytes: AtomicU64::new(0),
            is_stopped: AtomicBool::new(false),
        },
    };
    let stop = || shared.reader.is_stopped.store(true, Ordering::Relaxed);
    let mut weights = HashMap::with_capacity(tasks.len());
    let mut failed = None;
    watch(LoadProgress::reading(0, total_bytes))?;
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel(n_threads);
        for _ in 0..n_threads {
            let sender = sender.clone();
            let thread = thread::Builder::new().name("read weights".to_owned());
            let spawned = thread.spawn_scoped(scope, || shared.work(sender));
            if let (Err(source), Some(task)) = (spawned, tasks.first()) {
                let path = task.wanted.part.path().to_owned();
                failed = Some(ModelError::Read { path, source });
                stop();
            }
        }
        drop(sender);
        loop {
            match receiver.recv_timeout(PROGRESS_PAUSE) {
                Ok((name, Ok(weight))) => {
                    weights.insert(name, weight);
                }
                Ok((_, Err(error))) => {
                    stop();
                    failed.get_or_insert(error);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let done_bytes = shared.reader.done_bytes.load(Ordering::Relaxed);
            if let Err(stopped) = watch(LoadProgress::reading(done_bytes, total_bytes)) {
                stop();
                failed.get_or_insert(stopped);
            }
        }
    });
    match failed {
        Some(error) => Err(error),
        None => Ok(weights),
    }
}

impl Shared<'_> {
    fn work(&self, sender: SyncSender<(String, Result<Stored, ModelError>)>) {
        while !self.reader.is_stopped() {
            let next = self.next_task.fetch_add(1, Ordering::Relaxed);
            let Some(task) = self.tasks.get(next) else {
                return;
            };
            if sender
                .send((task.name.clone(), self.reader.read(task)))
                .is_err()
            {
                return; // Nobody waits for it.
            }
        }
    }
}
