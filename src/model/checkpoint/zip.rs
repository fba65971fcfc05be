//! The directory of a zip archive whose files are stored as they are, as PyTorch writes them.
//!
//! Compressed files are refused: nothing is ever unpacked, so no archive can swell.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Part;
use crate::model::error::ModelError;

/// The longest end of an archive: its record of 22 bytes and a comment.
const MAX_END_BYTES: u64 = 22 + 0xffff;
/// Far above the directory of any checkpoint.
const MAX_DIRECTORY_BYTES: u64 = 64 << 20;

const END: &[u8] = b"PK\x05\x06";
const END_64_LOCATOR: &[u8] = b"PK\x06\x07";
const END_64: &[u8] = b"PK\x06\x06";
const ENTRY: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";

/// Whether a file begins as a zip archive does.
pub(super) fn is_zip(part: &Part) -> bool {
    part.bytes_at(0, 4).is_ok_and(|bytes| bytes == LOCAL)
}

/// Where each file of an archive lies, by its name.
pub(super) fn directory(part: &Part) -> Result<BTreeMap<String, Range<u64>>, ModelError> {
    let cut = || part.damaged("it is a zip archive without a whole directory");
    let (start, byte_count) = directory_place(part).ok_or_else(cut)?;
    if byte_count > MAX_DIRECTORY_BYTES {
        return Err(part.damaged(format!("its directory claims {byte_count} bytes")));
    }
    let bytes = part.bytes_at(start, byte_count)?;
    let mut files = BTreeMap::new();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let (entry, after) = Entry::split_from(rest).ok_or_else(cut)?;
        rest = after;
        let name = entry.name;
        if entry.method != 0 || entry.stored_bytes != entry.byte_count {
            return Err(part.unsupported(format!(
                "{name:?} in it is compressed, which PyTorch never does; save it again with torch.save"
            )));
        }
        let data = local_data_start(part, entry.local_start).and_then(|start| {
            let end = start.checked_add(entry.byte_count)?;
            (end <= part.byte_count()).then_some(start..end)
        });
        let data =
            data.ok_or_else(|| part.damaged(format!("{name:?} in it is not where it should be")))?;
        if files.insert(name.to_owned(), data).is_some() {
            return Err(part.damaged(format!("it has {name:?} twice")));
        }
    }
    Ok(files)
}

/// First byte and length of the directory.
fn directory_place(part: &Part) -> Option<(u64, u64)> {
    let end_bytes = part.byte_count().min(MAX_END_BYTES);
    let tail_start = part.byte_count() - end_bytes;
    let tail = part.bytes_at(tail_start, end_bytes).ok()?;
    let at = tail.windows(4).rposition(|bytes| bytes == END)?;
    let end = tail.get(at..at + 22)?;
    let (byte_count, start) = (u32_at(end, 12)?, u32_at(end, 16)?);
    if byte_count != u32::MAX && start != u32::MAX {
        return Some((start.into(), byte_count.into()));
    }
    // Archives over 4 GB say it in a record of their own, which stands where a locator says.
    let locator = tail.get(at.checked_sub(20)?..at)?;
    let end_64 = part.bytes_at(u64_at(locator, 8)?, 56).ok()?;
    let is_64 = locator.starts_with(END_64_LOCATOR) && end_64.starts_with(END_64);
    is_64.then_some((u64_at(&end_64, 48)?, u64_at(&end_64, 40)?))
}

/// A file, as the directory has it.
struct Entry<'a> {
    name: &'a str,
    method: u16,
    stored_bytes: u64,
    byte_count: u64,
    local_start: u64,
}

impl<'a> Entry<'a> {
    /// The entry that `bytes` begins with, and what follows.
    fn split_from(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let length = |at| Some(usize::from(u16_at(bytes, at)?));
        let (name, extra, comment) = (length(28)?, length(30)?, length(32)?);
        let rest = bytes.strip_prefix(ENTRY)?.get(42..)?;
        let (name, rest) = rest.split_at_checked(name)?;
        let (mut extra, rest) = rest.split_at_checked(extra)?;
        let mut entry = Self {
            name: str::from_utf8(name).ok()?,
            method: u16_at(bytes, 10)?,
            stored_bytes: u32_at(bytes, 20)?.into(),
            byte_count: u32_at(bytes, 24)?.into(),
            local_start: u32_at(bytes, 42)?.into(),
        };
        while let (Some(kind), Some(length)) = (u16_at(extra, 0), u16_at(extra, 2)) {
            let field = extra.get(4..4 + usize::from(length))?;
            if kind == 1 {
                entry.widen(field)?;
            }
            extra = &extra[4 + usize::from(length)..];
        }
        Some((entry, rest.get(comment..)?))
    }

    /// Takes what has no place in 32 bits from the field that holds it: in this order, and only that.
    fn widen(&mut self, mut field: &[u8]) -> Option<()> {
        for number in [
            &mut self.byte_count,
            &mut self.stored_bytes,
            &mut self.local_start,
        ] {
            if *number == u64::from(u32::MAX) {
                *number = u64_at(field, 0)?;
                field = &field[8..];
            }
        }
        Some(())
    }
}

fn local_data_start(part: &Part, local_start: u64) -> Option<u64> {
    let local = part.bytes_at(local_start, 30).ok()?;
    let (name, extra) = (u16_at(&local, 26)?, u16_at(&local, 28)?);
    local
        .starts_with(LOCAL)
        .then_some(local_start + 30 + u64::from(name) + u64::from(extra))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
