//! Rows of 8-bit numbers in blocks of 32 with one scale each: GGML's Q8_0.

use std::ops::Range;

use super::simd::Simd;

/// Numbers in a block.
pub(super) const BLOCK: usize = 32;
/// Bytes of a block: its scale as f16, then the numbers.
pub(super) const BLOCK_BYTES: usize = 2 + BLOCK;

/// Bytes of the whole blocks among so many numbers.
#[inline(always)]
pub(super) fn bytes_of(n_numbers: usize) -> usize {
    n_numbers / BLOCK * BLOCK_BYTES
}

/// Reads part of a row of a matrix of `n_in` columns; the part begins and ends with a block, or else
/// the blocks there are read whole, one after the other.
#[inline(always)]
pub(super) fn read_q8_0<S: Simd>(
    simd: S,
    blocks: &[u8],
    row: usize,
    n_in: usize,
    part: &Range<usize>,
    into: &mut [f32],
) {
    let row = &blocks[row * bytes_of(n_in)..];
    let zero = simd.splat(0.0);
    let mut at = part.start;
    while at < part.end {
        let block = &row[at / BLOCK * BLOCK_BYTES..][..BLOCK_BYTES];
        let (scale, bytes) = block.split_at(2);
        let scale = simd.splat(scale_of(scale));
        let mut numbers = [0.0; BLOCK];
        for first in (0..BLOCK).step_by(S::LANES) {
            let vector = simd.mul_add(simd.load_i8(&bytes[first..]), scale, zero);
            simd.store(vector, &mut numbers[first..]);
        }
        let skipped = at % BLOCK;
        let n = (BLOCK - skipped).min(part.end - at);
        into[at - part.start..][..n].copy_from_slice(&numbers[skipped..skipped + n]);
        at += n;
    }
}

/// How far ahead blocks are brought near.
const AHEAD: usize = 4096;

/// The product of `xs` with the first numbers of `bytes`, of which those after them are read next.
#[inline(always)]
pub(super) fn dot_q8_0<S: Simd>(simd: S, bytes: &[u8], xs: &[f32]) -> f32 {
    let zero = simd.splat(0.0);
    let mut sum = zero;
    let row = bytes[..bytes_of(xs.len())].as_chunks::<BLOCK_BYTES>().0;
    let blocks = row.iter().zip(xs.as_chunks::<BLOCK>().0);
    for (ahead, (block, xs)) in (AHEAD..).step_by(BLOCK_BYTES).zip(blocks) {
        if let Some(place) = bytes.get(ahead) {
            simd.fetch(place);
        }
        let (scale, bytes) = block.split_at(2);
        let mut of_block = zero;
        for first in (0..BLOCK).step_by(S::LANES) {
            let numbers = simd.load_i8(&bytes[first..]);
            of_block = simd.mul_add(numbers, simd.load(&xs[first..]), of_block);
        }
        sum = simd.mul_add(of_block, simd.splat(scale_of(scale)), sum);
    }
    simd.sum(sum)
}

/// A finite f16, two bytes, the lower one first; those too small to be normal are exact too.
#[inline(always)]
fn scale_of(bytes: &[u8]) -> f32 {
    /// What an f16's exponent is short of an f32's: 2^112.
    const EXPONENT: f32 = 5.192_297e33;
    let bits = u32::from(u16::from_le_bytes([bytes[0], bytes[1]]));
    let sign = (bits & 0x8000) << 16;
    let magnitude = f32::from_bits((bits & 0x7fff) << 13) * EXPONENT;
    f32::from_bits(magnitude.to_bits() | sign)
}
