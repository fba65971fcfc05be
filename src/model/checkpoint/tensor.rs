//! Reading one tensor: in pieces straight into the memory it stays in, converted on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use candle_core::quantized::{QStorage, QTensor};
use candle_core::{DType, Device, Tensor};

use super::read::{Kept, Task};
use super::{Numbers, Order, Part, Wanted};
use crate::model::error::ModelError;
use crate::model::tensors::{Stored, by_columns, quantized};

/// Bytes read at once to be converted; as many stay in a core's own cache.
pub(super) const PIECE_BYTES: usize = 256 << 10;
/// Floats read at once where they stay: few enough for progress to be told often.
const DIRECT_PIECE: usize = 2 << 20;

/// Reads tensors onto a device; shared by threads.
pub(super) struct TensorReader<'a> {
    pub(super) device: &'a Device,
    /// Bytes read by all of them.
    pub(super) done_bytes: AtomicU64,
    /// Whether what is not read yet is not wanted any more.
    pub(super) is_stopped: AtomicBool,
}

impl TensorReader<'_> {
    pub(super) fn read(&self, task: &Task<'_>) -> Result<Stored, ModelError> {
        let source = Source::of(&task.wanted)?;
        let shape = task.wanted.order.file_shape(&task.wanted.spec.shape);
        let dtype = match task.kept {
            Kept::Plain(dtype) => dtype,
            Kept::Made(_) => DType::F32,
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
            (Numbers::Plain(DType::BF16), DType::F32, Device::Cpu) => {
                Tensor::from_vec(self.widened(&source, task)?, shape, &Device::Cpu)?
            }
            _ => self.converted(&source, task, dtype)?.reshape(shape)?,
        };
        let tensor = match task.wanted.order {
            Order::Transposed => tensor.t()?,
            _ => tensor,
        };
        match task.kept {
            Kept::Made(dtype) => Ok(quantized(&tensor, dtype, task.is_in_out)?),
            _ if task.is_in_out => Ok(Stored::Plain(by_columns(tensor)?)),
            _ => Ok(Stored::Plain(tensor)),
        }
    }

    /// The numbers of a tensor of floats, read into the memory they stay in.
    fn floats(&self, source: &Source<'_>, task: &Task<'_>) -> Result<Vec<f32>, ModelError> {
        let mut numbers = vec![0.0; task.wanted.spec.element_count()];
        let mut offset = 0;
        for piece in numbers.chunks_mut(DIRECT_PIECE) {
            if self.is_stopped() {
                return Err(ModelError::Stopped);
            }
            // Files are little-endian, as are all machines that this is built for.
            let bytes: &mut [u8] = bytemuck::cast_slice_mut(piece);
            source.read_at(offset, bytes)?;
            offset += bytes.len() as u64;
            self.count(bytes.len() as u64);
        }
        Ok(numbers)
    }

    /// The numbers of a tensor of brain floats, each the upper half of an f32.
    fn widened(&self, source: &Source<'_>, task: &Task<'_>) -> Result<Vec<f32>, ModelError> {
        let mut numbers = Vec::with_capacity(task.wanted.spec.element_count());
        self.for_each_piece(source, task, &mut |bytes| {
            let halves = bytes.as_chunks::<2>().0;
            let widened =
                |half: &[u8; 2]| f32::from_bits(u32::from(u16::from_le_bytes(*half)) << 16);
            numbers.extend(halves.iter().map(widened));
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
        while offset < total && !self.is_stopped() {
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

    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
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
            Self::File {
                part,
                offset: start,
            } => part.read_at(start + offset, buffer),
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
