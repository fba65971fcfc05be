//! Fragmented MP4: a head that names the track, then fragments that each play by themselves.
//!
//! ISO/IEC 14496-12 (boxes, fragments) and 14496-15 (H.264 in them). A file cut anywhere plays up to
//! its last whole fragment.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::path::Path;

use super::boxes::{Sample, Track, fragment, head};
use super::create;

/// Ticks of the clock in one frame.
const FRAME_TICKS: u32 = 1_000;
/// `sample_depends_on = 2`: a picture by itself. 14496-12, 8.8.3.1.
const KEY_FLAGS: u32 = 0x0200_0000;
/// `sample_depends_on = 1, sample_is_non_sync_sample = 1`.
const DELTA_FLAGS: u32 = 0x0101_0000;

/// What a track is.
pub(super) struct TrackSettings<'a> {
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) fps: u32,
    pub(super) metadata: &'a [(String, String)],
}

/// Writes fragments to a file.
pub(super) struct FragmentWriter {
    file: File,
    /// Bytes of the head and of whole fragments.
    n_bytes: u64,
    /// Frames in whole fragments.
    n_frames: u64,
    n_fragments: u32,
    /// How long the whole fragments take.
    n_ticks: u64,
    pending: Vec<Sample>,
    /// The pending samples' bytes, one after the other.
    data: Vec<u8>,
}

impl FragmentWriter {
    /// Opens the file, empty.
    pub(super) fn create(path: &Path, force: bool) -> io::Result<Self> {
        Ok(Self {
            file: create(path, force)?,
            n_bytes: 0,
            n_frames: 0,
            n_fragments: 0,
            n_ticks: 0,
            pending: Vec::new(),
            data: Vec::new(),
        })
    }

    /// Bytes of the head and of whole fragments.
    pub(super) fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    /// Frames in whole fragments.
    pub(super) fn n_frames(&self) -> u64 {
        self.n_frames
    }

    /// Writes the head.
    pub(super) fn write_head(
        &mut self,
        settings: &TrackSettings<'_>,
        sps: &[u8],
        pps: &[u8],
    ) -> io::Result<()> {
        let track = Track {
            width: settings.width,
            height: settings.height,
            timescale: settings.fps * FRAME_TICKS,
            frame_ticks: FRAME_TICKS,
            sps,
            pps,
            metadata: settings.metadata,
        };
        let bytes = head(&track, DELTA_FLAGS);
        self.write_whole(&bytes)
    }

    /// Adds a sample, its NAL units each behind their length, to the fragment in the making.
    pub(super) fn push(&mut self, nal_units: &[&[u8]], is_key: bool) {
        let before = self.data.len();
        for unit in nal_units {
            let n_bytes = unit.len() as u32;
            self.data.extend_from_slice(&n_bytes.to_be_bytes());
            self.data.extend_from_slice(unit);
        }
        self.pending.push(Sample {
            n_bytes: (self.data.len() - before) as u32,
            flags: if is_key { KEY_FLAGS } else { DELTA_FLAGS },
            n_ticks: FRAME_TICKS,
        });
    }

    /// Shows the last sample of the fragment in the making for `n_frames` frames longer.
    pub(super) fn hold(&mut self, n_frames: u32) {
        if let Some(last) = self.pending.last_mut() {
            let more = n_frames.saturating_mul(FRAME_TICKS);
            last.n_ticks = last.n_ticks.saturating_add(more);
        }
    }

    /// Frames in the fragment in the making.
    pub(super) fn n_pending(&self) -> usize {
        self.pending.len()
    }

    /// Bytes of those frames.
    pub(super) fn n_pending_bytes(&self) -> usize {
        self.data.len()
    }

    /// Writes the fragment in the making; nothing if it is empty.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let bytes = fragment(
            self.n_fragments + 1,
            self.n_ticks,
            FRAME_TICKS,
            &self.pending,
            &self.data,
        );
        self.write_whole(&bytes)?;
        self.n_frames += self.pending.len() as u64;
        self.n_fragments += 1;
        let ticks = self.pending.iter().map(|sample| u64::from(sample.n_ticks));
        self.n_ticks += ticks.sum::<u64>();
        self.pending.clear();
        self.data.clear();
        Ok(())
    }

    /// Makes sure that what is written is on the disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Writes all of it, or takes back what was written of it: what was whole stays whole.
    fn write_whole(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.file.write_all(bytes) {
            Ok(()) => {
                self.n_bytes += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                // The first failure is the one to tell of.
                let cut = self.file.set_len(self.n_bytes);
                let back = self.file.seek(io::SeekFrom::Start(self.n_bytes));
                drop((cut, back));
                Err(error)
            }
        }
    }
}
