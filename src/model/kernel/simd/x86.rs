//! The vector instructions of x86-64.
#![expect(
    unsafe_code,
    reason = "vector instructions can only be reached through functions that the compiler can't check the processor for"
)]

use std::arch::x86_64::*;

use super::{Level, Portable, SIDE, Simd, Square, Work};

/// The richest set that the processor has.
pub(super) fn level() -> Level {
    let has_avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let has_avx512 = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl");
    match (has_avx2, has_avx512) {
        (true, true) => Level::Avx512,
        (true, false) => Level::Avx2,
        (false, _) => Level::Portable,
    }
}

/// Does `work` by a set of instructions, or by the richest that the processor has if that is poorer.
pub(super) fn run<W: Work>(wanted: Level, work: W) -> W::Output {
    match wanted.min(level()) {
        // SAFETY: the processor has said that it has the instructions.
        Level::Avx512 => unsafe { run_avx512(work) },
        // SAFETY: as above.
        Level::Avx2 => unsafe { run_avx2(work) },
        Level::Portable => work.run(Portable),
    }
}

#[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
fn run_avx512<W: Work>(work: W) -> W::Output {
    work.run(Avx512(()))
}

#[target_feature(enable = "avx2,fma")]
fn run_avx2<W: Work>(work: W) -> W::Output {
    work.run(Avx2(()))
}

#[inline(always)]
fn fetch<T>(place: &T) {
    // SAFETY: every processor of this kind has the instruction, which reads nothing.
    unsafe { _mm_prefetch::<_MM_HINT_T1>(std::ptr::from_ref(place).cast()) }
}

/// AVX-512, in a processor that has it: nobody else can make one.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

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

    #[inline(always)]
    fn turned(self, rows: &[f32], stride: usize) -> Square {
        let mut vectors = [self.splat(0.0); SIDE];
        for (vector, row) in vectors.iter_mut().zip(rows.chunks(stride)) {
            *vector = self.load(row);
        }
        // Squares of 2, then of 4 are turned within each quarter of the vectors, then the quarters.
        // SAFETY: the processor has the instructions.
        let vectors = unsafe {
            let mut pairs = vectors;
            for at in (0..SIDE).step_by(2) {
                pairs[at] = _mm512_unpacklo_ps(vectors[at], vectors[at + 1]);
                pairs[at + 1] = _mm512_unpackhi_ps(vectors[at], vectors[at + 1]);
            }
            let mut fours = pairs;
            for at in (0..SIDE).step_by(4) {
                for half in 0..2 {
                    let low = _mm512_castps_pd(pairs[at + half]);
                    let high = _mm512_castps_pd(pairs[at + half + 2]);
                    fours[at + 2 * half] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
                    fours[at + 2 * half + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
                }
            }
            let mut eights = fours;
            for half in [0, 8] {
                for at in 0..4 {
                    let (left, right) = (fours[half + at], fours[half + at + 4]);
                    eights[half + at] = _mm512_shuffle_f32x4::<0x88>(left, right);
                    eights[half + at + 4] = _mm512_shuffle_f32x4::<0xdd>(left, right);
                }
            }
            let mut all = eights;
            for at in 0..8 {
                let (left, right) = (eights[at], eights[at + 8]);
                all[at] = _mm512_shuffle_f32x4::<0x88>(left, right);
                all[at + 8] = _mm512_shuffle_f32x4::<0xdd>(left, right);
            }
            all
        };
        let mut square = [[0.0; SIDE]; SIDE];
        for (row, vector) in square.iter_mut().zip(vectors) {
            self.store(vector, row);
        }
        square
    }
}

/// AVX2 and FMA, in a processor that has them: nobody else can make one.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

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
