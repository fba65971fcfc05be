//! Vectors of f32, as wide as this processor has them: the one place that names instructions.
#![expect(
    unsafe_code,
    reason = "vector instructions can only be reached through functions that the compiler can't check the processor for"
)]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// A set of vector instructions. Whoever holds one may use them: the processor has been asked.
///
/// Sums are made in an order that depends on [`LANES`](Self::LANES) alone: the same numbers make the
/// same bits, on one processor, whenever and on however many threads they are computed.
pub(super) trait Simd: Copy + Send + Sync {
    /// So many numbers as are computed with at once.
    type Vector: Copy;
    /// How many that is.
    const LANES: usize;
    /// Whether there are 32 registers for vectors, not 16.
    const HAS_MANY_REGISTERS: bool;
    /// Whether one instruction multiplies and adds.
    const HAS_MUL_ADD: bool;

    /// The same number in every lane.
    fn splat(self, value: f32) -> Self::Vector;

    /// The first numbers of `values`.
    fn load(self, values: &[f32]) -> Self::Vector;

    /// The first bytes of `values`, each as a signed number.
    fn load_i8(self, values: &[u8]) -> Self::Vector;

    /// Writes the numbers to the beginning of `values`.
    fn store(self, vector: Self::Vector, values: &mut [f32]);

    /// `a * b + c`.
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;

    /// Has the memory at `place` brought near, to be read soon.
    #[inline(always)]
    fn fetch<T>(self, _place: &T) {}

    /// `a * b + c` of single numbers; loops of it become vectors.
    #[inline(always)]
    fn mul_add_one(self, a: f32, b: f32, c: f32) -> f32 {
        if Self::HAS_MUL_ADD {
            a.mul_add(b, c)
        } else {
            a * b + c
        }
    }

    /// `a + b`.
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// The sum of a vector's numbers, in an order that never changes.
    fn sum(self, vector: Self::Vector) -> f32;
}

/// Lanes of the widest vectors.
pub(super) const MAX_LANES: usize = 16;

/// What is compiled once for every set of instructions.
///
/// `run`, and all of a [`Simd`] that it calls, must be `#[inline(always)]`, and no closure may use one
/// within an iterator's methods: what is not compiled into `run` is compiled for the poorest set.
pub(super) trait Work {
    /// What comes of it.
    type Output;

    /// Does it.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Does `work` by the widest vectors that this processor has.
pub(super) fn run<W: Work>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    {
        let level = level();
        if level == Level::Avx512 {
            // SAFETY: the processor has said that it has the instructions.
            return unsafe { run_avx512(work) };
        }
        if level == Level::Avx2 {
            // SAFETY: as above.
            return unsafe { run_avx2(work) };
        }
    }
    work.run(Portable)
}

/// Sets of instructions, from the poorest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    #[cfg(test)]
    const ALL: &[Self] = &[
        Self::Portable,
        #[cfg(target_arch = "x86_64")]
        Self::Avx2,
        #[cfg(target_arch = "x86_64")]
        Self::Avx512,
    ];
}

/// The richest set that the processor has (and a test allows).
pub(super) fn level() -> Level {
    #[cfg(target_arch = "x86_64")]
    let level = {
        let has_avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let has_avx512 =
            is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl");
        match (has_avx2, has_avx512) {
            (true, true) => Level::Avx512,
            (true, false) => Level::Avx2,
            (false, _) => Level::Portable,
        }
    };
    #[cfg(not(target_arch = "x86_64"))]
    let level = Level::Portable;
    #[cfg(test)]
    let level = level.min(limit::allowed());
    level
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
fn run_avx512<W: Work>(work: W) -> W::Output {
    work.run(Avx512(()))
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<W: Work>(work: W) -> W::Output {
    work.run(Avx2(()))
}

/// What every processor can do; the compiler makes vectors of it where it can.
#[derive(Clone, Copy)]
pub(super) struct Portable;

impl Simd for Portable {
    type Vector = [f32; 4];
    const LANES: usize = 4;
    const HAS_MANY_REGISTERS: bool = cfg!(target_arch = "aarch64");
    const HAS_MUL_ADD: bool = cfg!(target_arch = "aarch64");

    #[inline(always)]
    fn splat(self, value: f32) -> [f32; 4] {
        [value; 4]
    }

    #[inline(always)]
    fn load(self, values: &[f32]) -> [f32; 4] {
        std::array::from_fn(|lane| values[lane])
    }

    #[inline(always)]
    fn load_i8(self, values: &[u8]) -> [f32; 4] {
        std::array::from_fn(|lane| f32::from(values[lane].cast_signed()))
    }

    #[inline(always)]
    fn store(self, vector: [f32; 4], values: &mut [f32]) {
        values[..4].copy_from_slice(&vector);
    }

    #[inline(always)]
    fn mul_add(self, a: [f32; 4], b: [f32; 4], c: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|lane| self.mul_add_one(a[lane], b[lane], c[lane]))
    }

    #[inline(always)]
    fn add(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|lane| a[lane] + b[lane])
    }

    #[inline(always)]
    fn sum(self, [a, b, c, d]: [f32; 4]) -> f32 {
        (a + c) + (b + d)
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn fetch<T>(place: &T) {
    // SAFETY: every processor of this kind has the instruction, which reads nothing.
    unsafe { _mm_prefetch::<_MM_HINT_T1>(std::ptr::from_ref(place).cast()) }
}

/// AVX-512, in a processor that has it: nobody else can make one.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

#[cfg(target_arch = "x86_64")]
impl Simd for Avx512 {
    type Vector = __m512;
    const LANES: usize = 16;
    const HAS_MANY_REGISTERS: bool = true;
    const HAS_MUL_ADD: bool = true;

    #[inline(always)]
    fn fetch<T>(self, place: &T) {
        fetch(place);
    }

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        // SAFETY: the processor has the instruction.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    fn load(self, values: &[f32]) -> __m512 {
        let values = &values[..16];
        // SAFETY: the processor has the instruction, and there are 16 numbers.
        unsafe { _mm512_loadu_ps(values.as_ptr()) }
    }

    #[inline(always)]
    fn load_i8(self, values: &[u8]) -> __m512 {
        let values = &values[..16];
        // SAFETY: the processor has the instructions, and there are 16 bytes.
        unsafe {
            let bytes = _mm_loadu_si128(values.as_ptr().cast());
            _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes))
        }
    }

    #[inline(always)]
    fn store(self, vector: __m512, values: &mut [f32]) {
        let values = &mut values[..16];
        // SAFETY: the processor has the instruction, and there is room for 16 numbers.
        unsafe { _mm512_storeu_ps(values.as_mut_ptr(), vector) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: the processor has the instruction.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the processor has the instruction.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn sum(self, vector: __m512) -> f32 {
        // SAFETY: the processor has the instructions.
        unsafe { _mm512_reduce_add_ps(vector) }
    }
}

/// AVX2 and FMA, in a processor that has them: nobody else can make one.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

#[cfg(target_arch = "x86_64")]
impl Simd for Avx2 {
    type Vector = __m256;
    const LANES: usize = 8;
    const HAS_MANY_REGISTERS: bool = false;
    const HAS_MUL_ADD: bool = true;

    #[inline(always)]
    fn fetch<T>(self, place: &T) {
        fetch(place);
    }

    #[inline(always)]
    fn splat(self, value: f32) -> __m256 {
        // SAFETY: the processor has the instruction.
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    fn load(self, values: &[f32]) -> __m256 {
        let values = &values[..8];
        // SAFETY: the processor has the instruction, and there are 8 numbers.
        unsafe { _mm256_loadu_ps(values.as_ptr()) }
    }

    #[inline(always)]
    fn load_i8(self, values: &[u8]) -> __m256 {
        let values = &values[..8];
        // SAFETY: the processor has the instructions, and there are 8 bytes.
        unsafe {
            let bytes = _mm_loadl_epi64(values.as_ptr().cast());
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes))
        }
    }

    #[inline(always)]
    fn store(self, vector: __m256, values: &mut [f32]) {
        let values = &mut values[..8];
        // SAFETY: the processor has the instruction, and there is room for 8 numbers.
        unsafe { _mm256_storeu_ps(values.as_mut_ptr(), vector) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: the processor has the instruction.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the processor has the instruction.
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    fn sum(self, vector: __m256) -> f32 {
        // SAFETY: the processor has the instructions.
        let (low, high) = unsafe {
            let high = _mm256_extractf128_ps::<1>(vector);
            (_mm256_castps256_ps128(vector), high)
        };
        // SAFETY: as above.
        unsafe {
            let four = _mm_add_ps(low, high);
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }
}

/// Lets tests compute as poorer processors do.
#[cfg(test)]
pub(super) mod limit {
    use std::sync::{Mutex, PoisonError};

    use super::{Level, level};

    static ALLOWED: Mutex<Option<Level>> = Mutex::new(None);
    static IN_USE: Mutex<()> = Mutex::new(());

    pub(super) fn allowed() -> Level {
        let allowed = *ALLOWED.lock().unwrap();
        allowed.unwrap_or(Level::ALL[Level::ALL.len() - 1])
    }

    /// Runs a test once by every set of instructions there is.
    pub(in crate::model::kernel) fn by_every_set(test: impl Fn(Level)) {
        let in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        let richest = level();
        for set in Level::ALL {
            if *set <= richest {
                *ALLOWED.lock().unwrap() = Some(*set);
                test(*set);
            }
        }
        *ALLOWED.lock().unwrap() = None;
        drop(in_use);
    }
}
