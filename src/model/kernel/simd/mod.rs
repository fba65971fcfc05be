//! Vectors of f32, as wide as this processor has them.
#[cfg(target_arch = "x86_64")]
mod x86;

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

    /// The square whose columns are the first numbers of rows that begin `stride` numbers apart.
    #[inline(always)]
    fn turned(self, rows: &[f32], stride: usize) -> Square {
        let mut square = [[0.0; SIDE]; SIDE];
        for (column, row) in rows.chunks(stride).take(SIDE).enumerate() {
            for (place, number) in square.iter_mut().zip(row) {
                place[column] = *number;
            }
        }
        square
    }
}

/// Rows and columns of a [`Square`].
pub(super) const SIDE: usize = 16;
/// Numbers that are turned at once.
pub(super) type Square = [[f32; SIDE]; SIDE];

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
    match level() {
        Level::Portable => work.run(Portable),
        #[cfg(target_arch = "x86_64")]
        level => x86::run(level, work),
    }
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
fn level() -> Level {
    #[cfg(target_arch = "x86_64")]
    let level = x86::level();
    #[cfg(not(target_arch = "x86_64"))]
    let level = Level::Portable;
    #[cfg(test)]
    let level = level.min(limit::allowed());
    level
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

/// Lets tests compute as poorer processors do.
#[cfg(test)]
pub(super) mod limit {
    use std::cell::Cell;

    use super::{Level, level};

    thread_local! {
        static ALLOWED: Cell<Option<Level>> = const { Cell::new(None) };
    }

    pub(super) fn allowed() -> Level {
        ALLOWED.get().unwrap_or(Level::ALL[Level::ALL.len() - 1])
    }

    /// What this thread's work does, done by another with as poor a set of instructions as this one's.
    pub(in crate::model::kernel) fn handed_over<R>(work: impl FnOnce() -> R) -> impl FnOnce() -> R {
        let allowed = ALLOWED.get();
        move || {
            let before = ALLOWED.replace(allowed);
            let result = work();
            ALLOWED.set(before);
            result
        }
    }

    /// Runs a test once by every set of instructions there is.
    pub(in crate::model::kernel) fn by_every_set(test: impl Fn(Level)) {
        let richest = level();
        for set in Level::ALL {
            if *set <= richest {
                ALLOWED.set(Some(*set));
                test(*set);
            }
        }
        ALLOWED.set(None);
    }
}
