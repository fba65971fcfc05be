//! Reading tensors: in pieces straight into the memory they stay in, several at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{DType, Device, Tensor};

use super::{Checkpoint, Numbers, Order, Part, Wanted};
use crate::config::ModelConfig;
use crate::model::LoadProgress;
use crate::model::error::ModelError;
use crate::model::memory::Need;
use crate::model::tensors::Stored;
use crate::weight::WeightPoint;

/// Bytes read at once; as many stay in a core's own cache.
const PIECE_BYTES: usize = 256 << 10;
/// More threads than this read no faster from memory or disk.
const MAX_THREADS: usize = 4;
/// How often progress is told while nothing is finished.
const PROGRESS_PAUSE: Duration = Duration::from_millis(50);

/// How weights are to be kept.
#[derive(Clone, Copy)]
pub(in crate::model) struct ReadPlan<'a> {
    /// The precision asked for; none keeps quantized matrices as the file has them, and all else as
    /// f32.
    pub(in crate::model) dtype: Option<DType>,
    /// Where.
    pub(in crate::model) device: &'a Device,
}

/// What a tensor becomes in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Plain(DType),
    Quantized(GgmlDType),
}

/// A tensor to be read.
struct Task<'a> {
    name: String,
    wanted: Wanted<'a>,
    kept: Kept,
}

/// What the reading threads share.
struct Shared<'a> {
    tasks: &'a [Task<'a>],
    device: &'a Device,
    next_task: AtomicUsize,
    done_bytes: AtomicU64,
    is_stopped: AtomicBool,
}

/// Reads the weights of a model of this shape, under the names of [`ModelConfig::weights`].
///
/// A quantized embedding that is also the unembedding is kept twice: as numbers to look tokens up in,
/// and quantized under the name of an unembedding of its own.
///
/// # Errors
///
/// If a tensor is missing or not as the model has it, if there is too little memory (asked before
/// anything is read), or if a file can't be read to the end.
pub(in crate::model) fn read(
    checkpoint: &Checkpoint,
    config: &ModelConfig,
    plan: ReadPlan<'_>,
    progress: &mut dyn FnMut(LoadProgress),
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
    read_all(&tasks, n_threads, plan.device, progress)
}

fn tasks<'a>(
    checkpoint: &'a Checkpoint,
    config: &ModelConfig,
    plan: ReadPlan<'_>,
) -> Result<Vec<Task<'a>>, ModelError> {
    let mut tasks = Vec::new();
    let embed = config.weight_slice(WeightPoint::Embed).key;
    for wanted in checkpoint.find(config)? {
        let name = wanted.spec.name.clone();
        let quantized = match (plan.dtype, &wanted.entry.numbers) {
            (None, Numbers::Blocks(dtype)) if wanted.spec.shape.len() == 2 => {
                Some(Kept::Quantized(*dtype))
            }
            _ => None,
        };
        let numbers = Kept::Plain(plan.dtype.unwrap_or(DType::F32));
        let is_looked_up = name == embed || name == "wpe.weight";
        if let (true, Some(kept), true) = (name == embed, quantized, config.tie_word_embeddings) {
            tasks.push(Task {
                name: config.family.own_unembedding().to_owned(),
                wanted: wanted.clone(),
                kept,
            });
        }
        let kept = quantized.filter(|_| !is_looked_up).unwrap_or(numbers);
        tasks.push(Task { name, wanted, kept });
    }
    Ok(tasks)
}

impl Task<'_> {
    /// Bytes of the tensor in memory.
    fn kept_bytes(&self) -> u64 {
        match self.kept {
            Kept::Plain(dtype) => (self.wanted.spec.element_count() * dtype.size_in_bytes()) as u64,
            Kept::Quantized(_) => self.wanted.byte_count(),
        }
    }

    /// Bytes that are needed beside those while it is read.
    fn passing_bytes(&self) -> u64 {
        let moved = match self.wanted.order {
            Order::Same => 0,
            Order::Transposed => self.kept_bytes(),
            Order::Alternating { .. } | Order::Thirds { .. } => 2 * self.wanted.byte_count(),
        };
        let copied = match self.kept {
            // A piece as it is read, and as it is converted.
            Kept::Plain(_) => self.wanted.byte_count().min(PIECE_BYTES as u64) * 4,
            Kept::Quantized(_) => self.wanted.byte_count(),
        };
        moved + copied
    }
}

fn read_all(
    tasks: &[Task<'_>],
    n_threads: usize,
    device: &Device,
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<HashMap<String, Stored>, ModelError> {
    let total_bytes = tasks.iter().map(|task| task.wanted.byte_count()).sum();
    let shared = Shared {
        tasks,
        device,
        next_task: AtomicUsize::new(0),
        done_bytes: AtomicU64::new(0),
        is_stopped: AtomicBool::new(false),
    };
    let mut weights = HashMap::with_capacity(tasks.len());
    let mut failed = None;
    progress(LoadProgress {
        done_bytes: 0,
        total_bytes,
    });
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel(n_threads);
        for _ in 0..n_threads {
            let sender = sender.clone();
            let thread = thread::Builder::new().name("read weights".to_owned());
            let spawned = thread.spawn_scoped(scope, || shared.work(sender));
            if let (Err(source), Some(task)) = (spawned, tasks.first()) {
                let path = task.wanted.part.path().to_owned();
                failed = Some(ModelError::Read { path, source });
                shared.is_stopped.store(true, Ordering::Relaxed);
            }
        }
        drop(sender);
        loop {
            match receiver.recv_timeout(PROGRESS_PAUSE) {
                Ok((name, Ok(weight))) => {
                    weights.insert(name, weight);
                }
                Ok((_, Err(error))) => {
                    shared.is_stopped.store(true, Ordering::Relaxed);
                    failed.get_or_insert(error);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            progress(LoadProgress {
                done_bytes: shared.done_bytes.load(Ordering::Relaxed),
                total_bytes,
            });
        }
    });
    match failed {
        Some(error) => Err(error),
        None => Ok(weights),
    }
}

impl Shared<'_> {
    fn work(&self, sender: SyncSender<(String, Result<Stored, ModelError>)>) {
        while !self.is_stopped.load(Ordering::Relaxed) {
            let next = self.next_task.fetch_add(1, Ordering::Relaxed);
            let Some(task) = self.tasks.get(next) else {
                return;
            };
            if sender.send((task.name.clone(), self.read(task))).is_err() {
                return; // Nobody waits for it.
            }
        }
    }

    fn read(&self, task: &Task<'_>) -> Result<Stored, ModelError> {
        let source = Source::of(&task.wanted)?;
        let shape = task.wanted.order.file_shape(&task.wanted.spec.shape);
        let dtype = match task.kept {
            Kept::Plain(dtype) => dtype,
            Kept::Quantized(dtype) => {
                let bytes = source.whole(&task.wanted)?;
                let storage = QStorage::from_data(bytes.into(), self.device, dtype)?;
                self.count(task.wanted.byte_count());
                return Ok(Stored::Quantized(Arc::new(QTensor::new(storage, shape)?)));
            }
        };
        let tensor = match (&task.wanted.entry.numbers, dtype, self.device) {
            (Numbers::Plain(DType::F32), DType::F32, Device::Cpu) => {
                Tensor::from_vec(self.floats(&source, task)?, shape, &Device::Cpu)?
            }
            _ => self.converted(&source, task, dtype)?.reshape(shape)?,
        };
        Ok(Stored::Plain(match task.wanted.order {
            Order::Transposed => tensor.t()?.contiguous()?,
            _ => tensor,
        }))
    }

    /// The numbers of a tensor of floats, read into the memory they stay in.
    fn floats(&self, source: &Source<'_>, task: &Task<'_>) -> Result<Vec<f32>, ModelError> {
        let mut numbers = Vec::with_capacity(task.wanted.spec.element_count());
        self.for_each_piece(source, task, &mut |bytes| {
            let floats = bytes.as_chunks::<4>().0;
            numbers.extend(floats.iter().map(|bytes| f32::from_le_bytes(*bytes)));
            Ok(())
        })?;
        Ok(numbers)
    }

    /// The numbers of any tensor as `dtype`, converted piece by piece and where the bytes are, so that
    /// only the wanted precision travels to the device.
    fn converted(
        &self,
        source: &Source<'_>,
        task: &Task<'_>,
        dtype: DType,
    ) -> Result<Tensor, ModelError> {
        let n_numbers = task.wanted.spec.element_count();
        let numbers = Tensor::zeros(n_numbers, dtype, self.device)?;
        let mut n_done = 0;
        self.for_each_piece(source, task, &mut |bytes| {
            let piece = decode(&task.wanted.entry.numbers, bytes)?;
            let piece = piece.to_dtype(dtype)?.to_device(self.device)?;
            numbers.slice_set(&piece, 0, n_done)?;
            n_done += piece.elem_count();
            Ok(())
        })?;
        Ok(numbers)
    }

    /// Reads whole blocks of a tensor, some at a time.
    fn for_each_piece(
        &self,
        source: &Source<'_>,
        task: &Task<'_>,
        take: &mut dyn FnMut(&[u8]) -> Result<(), ModelError>,
    ) -> Result<(), ModelError> {
        let block = task.wanted.entry.numbers.block();
        let block_bytes = block.map_or(1, |(_, bytes)| bytes);
        let total = task.wanted.byte_count();
        let at_once = (PIECE_BYTES / block_bytes * block_bytes) as u64;
        let mut buffer = vec![0; at_once.min(total) as usize];
        let mut offset = 0;
        while offset < total && !self.is_stopped.load(Ordering::Relaxed) {
            let bytes = &mut buffer[..at_once.min(total - offset) as usize];
            source.read_at(offset, bytes)?;
            take(bytes)?;
            offset += bytes.len() as u64;
            self.count(bytes.len() as u64);
        }
        match offset == total {
            true => Ok(()),
            false => Err(ModelError::Stopped),
        }
    }

    fn count(&self, bytes: u64) {
        self.done_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// A piece's numbers, in one row.
fn decode(numbers: &Numbers, bytes: &[u8]) -> Result<Tensor, ModelError> {
    let (per_block, block_bytes) = numbers.block().unwrap_or((1, 1));
    let n_numbers = bytes.len() / block_bytes * per_block;
    Ok(match numbers {
        Numbers::Blocks(dtype) => {
            let storage = QStorage::from_data(bytes.into(), &Device::Cpu, *dtype)?;
            QTensor::new(storage, n_numbers)?.dequantize(&Device::Cpu)?
        }
        Numbers::Plain(dtype) => {
            Tensor::from_raw_buffer(bytes, *dtype, &[n_numbers], &Device::Cpu)?
        }
        Numbers::Unreadable(name) => {
            let reason = format!("numbers of kind {name} were not refused");
            return Err(ModelError::Compute(candle_core::Error::Msg(reason)));
        }
    })
}

/// A tensor's bytes, in the order of the model's rows.
enum Source<'a> {
    File { part: &'a Part, offset: u64 },
    Memory(Vec<u8>),
}

impl<'a> Source<'a> {
    fn of(wanted: &Wanted<'a>) -> Result<Self, ModelError> {
        let (part, offset) = (wanted.part, wanted.entry.offset);
        if matches!(wanted.order, Order::Same | Order::Transposed) {
            return Ok(Self::File { part, offset });
        }
        let n_rows = wanted.spec.shape.first().copied().unwrap_or(1);
        let in_file = part.bytes_at(offset, wanted.byte_count())?;
        let row_bytes = in_file.len() / n_rows.max(1);
        let mut bytes = Vec::with_capacity(in_file.len());
        for row in 0..n_rows {
            let start = row_bytes * wanted.order.file_row(row, n_rows);
            bytes.extend_from_slice(&in_file[start..start + row_bytes]);
        }
        Ok(Self::Memory(bytes))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ModelError> {
        match self {
            Self::File { part, offset: start } => part.read_at(start + offset, buffer),
            Self::Memory(bytes) => {
                let start = offset as usize;
                buffer.copy_from_slice(&bytes[start..start + buffer.len()]);
                Ok(())
            }
        }
    }

    fn whole(self, wanted: &Wanted<'_>) -> Result<Vec<u8>, ModelError> {
        match self {
            Self::File { part, offset } => part.bytes_at(offset, wanted.byte_count()),
            Self::Memory(bytes) => Ok(bytes),
        }
    }
}
