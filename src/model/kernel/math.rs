//! Functions of single numbers without a branch, so that a loop over them becomes vectors.

use super::simd::Simd;

/// Below this a power of e is no normal f32; it counts as zero.
const EXP_LOW: f32 = -87.3;
/// Powers of e above this one are given as this one's, 2.4e38.
const EXP_HIGH: f32 = 88.37;

/// e to the power of `x`, to within two units in the last place; zero below [`EXP_LOW`].
///
/// The polynomial is Cephes's `expf`.
#[inline(always)]
pub(super) fn exp<S: Simd>(simd: S, x: f32) -> f32 {
    // Adding it leaves no bits for a fraction: the sum's lowest bits are the rounded integer.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let clamped = if x > EXP_HIGH { EXP_HIGH } else { x };
    let rounded = simd.mul_add_one(clamped, std::f32::consts::LOG2_E, ROUND);
    let n = rounded - ROUND;
    let rest = simd.mul_add_one(n, -LN_2_HIGH, clamped);
    let rest = simd.mul_add_one(n, -LN_2_LOW, rest);
    let mut sum = 1.987_569_1e-4;
    for coefficient in [
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ] {
        sum = simd.mul_add_one(sum, rest, coefficient);
    }
    let power = simd.mul_add_one(sum, rest * rest, rest) + 1.0;
    let two_to_n = f32::from_bits((rounded.to_bits() << 23).wrapping_add(1.0f32.to_bits()));
    if x < EXP_LOW { 0.0 } else { power * two_to_n }
}

/// `1 / (1 + exp(-x))`.
#[inline(always)]
pub(super) fn sigmoid<S: Simd>(simd: S, x: f32) -> f32 {
    1.0 / (1.0 + exp(simd, -x))
}

/// The error function, to within 1e-6: a rational function, as Eigen and XLA have it, up to where it
/// is one.
#[inline(always)]
pub(super) fn erf<S: Simd>(simd: S, x: f32) -> f32 {
    let square = x * x;
    let mut over = -2.726_142_4e-10;
    for coefficient in [
        2.770_681_5e-8,
        -2.101_024e-6,
        -5.692_506_6e-5,
        -7.349_906_5e-4,
        -2.954_6e-3,
        -1.609_603_4e-2,
    ] {
        over = simd.mul_add_one(over, square, coefficient);
    }
    let mut under = -1.456_607_2e-5;
    for coefficient in [
        -2.133_740_6e-4,
        -1.682_827_e-3,
        -7.373_329_e-3,
        -1.426_474e-2,
    ] {
        under = simd.mul_add_one(under, square, coefficient);
    }
    let inner = x * over / under;
    let inner = if x > 3.9 { 1.0 } else { inner };
    if x < -3.9 { -1.0 } else { inner }
}

/// Lanes that sums over a row are made in: the same on every processor.
pub(super) const SUM_LANES: usize = 16;

/// Folds a row in [`SUM_LANES`] lanes, the rest in the first ones, and the lanes in order.
#[inline(always)]
pub(super) fn fold(
    row: &[f32],
    start: f32,
    step: impl Fn(f32, f32) -> f32,
    join: impl Fn(f32, f32) -> f32,
) -> f32 {
    let mut lanes = [start; SUM_LANES];
    let (chunks, rest) = row.as_chunks::<SUM_LANES>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = step(*lane, *value);
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane = step(*lane, *value);
    }
    lanes.into_iter().fold(start, join)
}
