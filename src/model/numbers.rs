//! A tensor's numbers, shared with those who look at them.
#![expect(
    unsafe_code,
    reason = "candle lends a tensor's numbers for as long as a lock is held, which can't be for as long as they are kept"
)]

use std::fmt;
use std::ptr::NonNull;

use candle_core::{CpuStorage, Storage, Tensor};

/// All numbers of a tensor, in the processor's memory, that nobody will change.
pub(super) struct Numbers {
    first: NonNull<f32>,
    n: usize,
    /// What they belong to: as long as it is here, so are they.
    _tensor: Tensor,
}

// SAFETY: the numbers belong to a tensor that goes along, which may be sent and shared, and are only read.
unsafe impl Send for Numbers {}
// SAFETY: as above.
unsafe impl Sync for Numbers {}

impl Numbers {
    /// Those of a tensor of f32 on the processor, row by row; none where it is another kind, may be
    /// changed or differentiated, or is part of a larger one, which would be kept whole.
    ///
    /// The tensor must be one that a pass has made and that nobody outside of the model has.
    pub(super) fn of(tensor: &Tensor) -> Option<Self> {
        if tensor.track_op() || tensor.is_variable() {
            return None;
        }
        let (storage, layout) = tensor.storage_and_layout();
        let Storage::Cpu(CpuStorage::F32(numbers)) = &*storage else {
            return None;
        };
        if layout.contiguous_offsets() != Some((0, numbers.len())) {
            return None;
        }
        let (first, n) = (NonNull::from(numbers.as_slice()).cast(), numbers.len());
        drop(storage);
        let _tensor = tensor.clone();
        Some(Self { first, n, _tensor })
    }
}

impl AsRef<[f32]> for Numbers {
    fn as_ref(&self) -> &[f32] {
        // SAFETY: the tensor has `n` numbers there as long as it lives, and it lives as long as `self`. A
        // tensor that is no variable is changed by candle's operations in place alone: the model uses none,
        // and nobody else has the tensors of a pass that `Capture` sees.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.n) }
    }
}

impl fmt::Debug for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_ref()).finish()
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    #[test]
    fn they_outlive_the_tensor() {
        let tensor = Tensor::new(&[[1.0f32, 2.0], [3.0, 4.0]], &Device::Cpu).unwrap();

        let numbers = Numbers::of(&tensor.unsqueeze(0).unwrap()).unwrap();
        drop(tensor);
        let elsewhere = std::thread::scope(|scope| {
            let read = scope.spawn(|| numbers.as_ref().to_vec());
            read.join().unwrap()
        });

        assert_eq!(elsewhere, [1.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn parts_other_kinds_and_what_is_learned_are_not_shared() {
        let device = Device::Cpu;
        let tensor = Tensor::new(&[[1.0f32, 2.0], [3.0, 4.0]], &device).unwrap();

        assert!(Numbers::of(&tensor.get(1).unwrap()).is_none());
        assert!(Numbers::of(&tensor.t().unwrap()).is_none());
        assert!(Numbers::of(&tensor.broadcast_as((2, 2, 2)).unwrap()).is_none());
        assert!(Numbers::of(&Tensor::new(&[1u32], &device).unwrap()).is_none());
        let learned = Var::from_tensor(&tensor).unwrap();
        assert!(Numbers::of(learned.as_tensor()).is_none());
        assert!(Numbers::of(&(learned.as_tensor() + 1.0).unwrap()).is_none());
    }
}
