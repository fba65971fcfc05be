//! One pass as bytes: what comes where, and numbers to and from little-endian bytes.
//!
//! A record is its mark, first position and number of tokens; the tokens; the values at each hook
//! point as the pass has them; what the lens read, by layer; and a checksum over all of it.

use std::io::{self, Read, Write};

use super::about::Contents;
use super::lens::{Candidate, LENS_TOP, LensReading};
use crate::config::ModelConfig;
use crate::hook::{BlockSite, HookPoint};

/// What a record begins with.
pub(super) const MARK: [u8; 4] = *b"PASS";
/// Bytes before the tokens.
pub(super) const HEAD_BYTES: u64 = 4 + 8 + 8;
/// Bytes of the checksum.
const SUM_BYTES: u64 = 8;
/// Bytes of one reading of the lens.
pub(super) const READING_BYTES: usize = 4 * (2 * LENS_TOP + 2);
/// Stands in a reading where there is no further token.
pub(super) const NO_TOKEN: u32 = u32::MAX;
/// Stands in a reading where the lens has not read.
pub(super) const UNREAD: u32 = u32::MAX - 1;
/// Numbers that are turned into bytes at once.
const AT_ONCE: usize = 1 << 14;

/// Where a pass's record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The first byte.
    pub offset: u64,
    /// The first position.
    pub first_pos: usize,
    /// How many positions.
    pub n_pos: usize,
}

impl Place {
    /// How many numbers the pass has at `hook`.
    pub fn count(&self, config: &ModelConfig, hook: HookPoint) -> u64 {
        let (n_pos, end) = (self.n_pos as u64, (self.first_pos + self.n_pos) as u64);
        let rows = n_pos * config.width(hook) as u64;
        rows.saturating_mul(if is_square(hook) { end } else { 1 })
    }

    /// The shape that the pass has at `hook`.
    pub fn shape(&self, config: &ModelConfig, hook: HookPoint) -> Vec<usize> {
        if is_square(hook) {
            vec![config.n_heads, self.n_pos, self.first_pos + self.n_pos]
        } else {
            config.shape(hook, self.n_pos)
        }
    }

    /// Where the first hook point's values lie.
    pub fn values_at(&self) -> u64 {
        self.offset + HEAD_BYTES + 4 * self.n_pos as u64
    }

    /// Bytes of the values at `hook`.
    pub fn byte_count(&self, config: &ModelConfig, hook: HookPoint) -> u64 {
        self.count(config, hook).saturating_mul(4)
    }

    /// Where what the lens read lies.
    pub fn lens_at(&self, contents: &Contents) -> u64 {
        let config = &contents.about.config;
        let hooks = contents.hooks.iter();
        hooks.fold(self.values_at(), |at, hook| {
            at.saturating_add(self.byte_count(config, *hook))
        })
    }

    /// Where the record ends.
    pub fn end(&self, contents: &Contents) -> u64 {
        let n_readings = (contents.about.config.n_layers * self.n_pos) as u64;
        let lens = if contents.has_lens {
            n_readings * READING_BYTES as u64
        } else {
            0
        };
        self.lens_at(contents).saturating_add(lens + SUM_BYTES)
    }
}

/// Whether the values at `hook` reach over all positions up to each.
pub(super) fn is_square(hook: HookPoint) -> bool {
    matches!(
        hook.site(),
        Some(BlockSite::AttnScores | BlockSite::Pattern)
    )
}

/// FNV-1a over 64 bits: tells a torn record from a whole one.
pub(super) struct Checksum(u64);

impl Checksum {
    pub fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    pub fn value(&self) -> u64 {
        self.0
    }
}

/// Writes through, and adds up what is written.
pub(super) struct Summed<W> {
    pub inner: W,
    pub sum: Checksum,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n_written = self.inner.write(bytes)?;
        self.sum.add(&bytes[..n_written]);
        Ok(n_written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Writes numbers as little-endian bytes.
pub(super) fn write_f32s(to: &mut impl Write, values: &[f32]) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(4 * values.len().min(AT_ONCE));
    for chunk in values.chunks(AT_ONCE) {
        bytes.clear();
        bytes.extend(chunk.iter().flat_map(|value| value.to_le_bytes()));
        to.write_all(&bytes)?;
    }
    Ok(())
}

/// Reads `count` numbers from little-endian bytes onto the end of `values`.
pub(super) fn read_f32s(
    from: &mut impl Read,
    count: usize,
    values: &mut Vec<f32>,
) -> io::Result<()> {
    let mut bytes = vec![0; 4 * count.min(AT_ONCE)];
    let mut n_left = count;
    while n_left > 0 {
        let chunk = &mut bytes[..4 * n_left.min(AT_ONCE)];
        from.read_exact(chunk)?;
        values.extend(
            chunk
                .as_chunks()
                .0
                .iter()
                .map(|word| f32::from_le_bytes(*word)),
        );
        n_left -= chunk.len() / 4;
    }
    Ok(())
}

/// A reading as bytes: tokens, probabilities, entropy, divergence.
pub(super) fn reading_bytes(reading: Option<&LensReading>) -> [u8; READING_BYTES] {
    let nowhere = Candidate {
        token: if reading.is_some() { NO_TOKEN } else { UNREAD },
        probability: 0.0,
    };
    let mut top = [nowhere; LENS_TOP];
    let mut ends = [f32::NAN; 2];
    if let Some(reading) = reading {
        for (place, candidate) in top.iter_mut().zip(&reading.top) {
            *place = *candidate;
        }
        ends = [reading.entropy, reading.kl];
    }
    let tokens = top.iter().map(|candidate| candidate.token.to_le_bytes());
    let shares = top.iter().map(|candidate| candidate.probability);
    let numbers = shares.chain(ends).map(f32::to_le_bytes);
    let mut bytes = [0; READING_BYTES];
    for (place, word) in bytes.chunks_exact_mut(4).zip(tokens.chain(numbers)) {
        place.copy_from_slice(&word);
    }
    bytes
}
