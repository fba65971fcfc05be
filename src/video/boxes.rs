//! Boxes of ISO base media files, as bytes.
//!
//! ISO/IEC 14496-12 unless said otherwise; only what a fragmented film of one H.264 track needs.

/// Bytes in the making.
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Bytes {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    /// A box of this name around what `fill` puts.
    pub(super) fn boxed(&mut self, name: &[u8; 4], fill: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.u32(0);
        self.0.extend_from_slice(name);
        fill(self);
        let n_bytes = (self.0.len() - start) as u32;
        self.0[start..start + 4].copy_from_slice(&n_bytes.to_be_bytes());
    }

    /// As [`boxed`](Self::boxed), with a version and flags before what `fill` puts.
    pub(super) fn full(
        &mut self,
        name: &[u8; 4],
        version: u8,
        flags: u32,
        fill: impl FnOnce(&mut Self),
    ) {
        self.boxed(name, |bytes| {
            bytes.u32(u32::from(version) << 24 | flags);
            fill(bytes);
        });
    }

    pub(super) fn u16(&mut self, number: u16) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    pub(super) fn u32(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    pub(super) fn u64(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn zeros(&mut self, n: usize) {
        self.0.resize(self.0.len() + n, 0);
    }

    /// The matrix that leaves a picture as it is.
    pub(super) fn unity_matrix(&mut self) {
        for number in [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000] {
            self.u32(number);
        }
    }
}

/// A track of H.264.
pub(super) struct Track<'a> {
    pub(super) width: u16,
    pub(super) height: u16,
    /// Ticks of its clock in a second, and in a frame.
    pub(super) timescale: u32,
    pub(super) frame_ticks: u32,
    pub(super) sps: &'a [u8],
    pub(super) pps: &'a [u8],
    pub(super) metadata: &'a [(String, String)],
}

/// The number of the only track.
const TRACK: u32 = 1;

/// The file's head: what it is, and its track without any samples.
pub(super) fn head(track: &Track<'_>, delta_flags: u32) -> Vec<u8> {
    let mut bytes = Bytes::new();
    bytes.boxed(b"ftyp", |bytes| {
        bytes.bytes(b"isom");
        bytes.u32(512);
        bytes.bytes(b"isomiso6avc1mp41");
    });
    bytes.boxed(b"moov", |bytes| {
        bytes.full(b"mvhd", 0, 0, |bytes| {
            bytes.zeros(8); // When it was made: not said, so that the same film is the same file.
            bytes.u32(track.timescale);
            bytes.u32(0);
            bytes.u32(0x1_0000); // Plays at its own speed,
            bytes.u16(0x100); // at full volume.
            bytes.zeros(10);
            bytes.unity_matrix();
            bytes.zeros(24);
            bytes.u32(TRACK + 1);
        });
        bytes.boxed(b"trak", |bytes| trak(bytes, track));
        bytes.boxed(b"mvex", |bytes| {
            bytes.full(b"trex", 0, 0, |bytes| {
                for number in [TRACK, 1, track.frame_ticks, 0, delta_flags] {
                    bytes.u32(number);
                }
            });
        });
        if !track.metadata.is_empty() {
            meta(bytes, track.metadata);
        }
    });
    bytes.0
}

fn trak(bytes: &mut Bytes, track: &Track<'_>) {
    const ENABLED_AND_IN_MOVIE: u32 = 3;
    bytes.full(b"tkhd", 0, ENABLED_AND_IN_MOVIE, |bytes| {
        bytes.zeros(8);
        bytes.u32(TRACK);
        bytes.zeros(4 + 4 + 8 + 2 + 2 + 2 + 2);
        bytes.unity_matrix();
        bytes.u32(u32::from(track.width) << 16);
        bytes.u32(u32::from(track.height) << 16);
    });
    bytes.boxed(b"mdia", |bytes| {
        bytes.full(b"mdhd", 0, 0, |bytes| {
            bytes.zeros(8);
            bytes.u32(track.timescale);
            bytes.u32(0);
            bytes.u16(0x55c4); // No language: "und".
            bytes.u16(0);
        });
        handler(bytes, b"vide", "llmscope");
        bytes.boxed(b"minf", |bytes| {
            bytes.full(b"vmhd", 0, 1, |bytes| bytes.zeros(8));
            bytes.boxed(b"dinf", |bytes| {
                bytes.full(b"dref", 0, 0, |bytes| {
                    bytes.u32(1);
                    const IN_THIS_FILE: u32 = 1;
                    bytes.full(b"url ", 0, IN_THIS_FILE, |_| {});
                });
            });
            bytes.boxed(b"stbl", |bytes| {
                bytes.full(b"stsd", 0, 0, |bytes| {
                    bytes.u32(1);
                    bytes.boxed(b"avc1", |bytes| avc1(bytes, track));
                });
                for name in [b"stts", b"stsc", b"stco"] {
                    bytes.full(name, 0, 0, |bytes| bytes.u32(0));
                }
                bytes.full(b"stsz", 0, 0, |bytes| bytes.zeros(8));
            });
        });
    });
}

fn handler(bytes: &mut Bytes, kind: &[u8; 4], name: &str) {
    bytes.full(b"hdlr", 0, 0, |bytes| {
        bytes.zeros(4);
        bytes.bytes(kind);
        bytes.zeros(12);
        bytes.bytes(name.as_bytes());
        bytes.zeros(1);
    });
}

/// How the samples are to be read. ISO/IEC 14496-15, 5.4.2.
fn avc1(bytes: &mut Bytes, track: &Track<'_>) {
    bytes.zeros(6);
    bytes.u16(1);
    bytes.zeros(16);
    bytes.u16(track.width);
    bytes.u16(track.height);
    bytes.u32(0x48_0000); // 72 dots an inch, both ways.
    bytes.u32(0x48_0000);
    bytes.u32(0);
    bytes.u16(1);
    bytes.zeros(32);
    bytes.u16(24);
    bytes.u16(u16::MAX);
    bytes.boxed(b"avcC", |bytes| {
        let profile = track.sps.get(1..4).unwrap_or(&[66, 0, 30]);
        bytes.bytes(&[1]);
        bytes.bytes(profile);
        bytes.bytes(&[0xff]); // Lengths of four bytes.
        for (count, set) in [(0xe1, track.sps), (1, track.pps)] {
            bytes.bytes(&[count]);
            bytes.u16(set.len() as u16);
            bytes.bytes(set);
        }
    });
    // BT.709's primaries and matrix, sRGB's curve, limited range.
    bytes.boxed(b"colr", |bytes| {
        bytes.bytes(b"nclx");
        for number in [1, 13, 1] {
            bytes.u16(number);
        }
        bytes.bytes(&[0]);
    });
    bytes.boxed(b"pasp", |bytes| {
        bytes.u32(1);
        bytes.u32(1);
    });
}

/// What the file says of itself, by keys of any name: Apple, "QuickTime File Format", metadata.
fn meta(bytes: &mut Bytes, metadata: &[(String, String)]) {
    bytes.full(b"meta", 0, 0, |bytes| {
        handler(bytes, b"mdta", "");
        bytes.full(b"keys", 0, 0, |bytes| {
            bytes.u32(metadata.len() as u32);
            for (key, _) in metadata {
                bytes.boxed(b"mdta", |bytes| bytes.bytes(key.as_bytes()));
            }
        });
        bytes.boxed(b"ilst", |bytes| {
            for (number, (_, text)) in (1u32..).zip(metadata) {
                bytes.boxed(&number.to_be_bytes(), |bytes| {
                    bytes.boxed(b"data", |bytes| {
                        const UTF8: u32 = 1;
                        bytes.u32(UTF8);
                        bytes.u32(0);
                        bytes.bytes(text.as_bytes());
                    });
                });
            }
        });
    });
}

/// A frame of a fragment: its bytes, what it depends on, and how long it is shown.
pub(super) struct Sample {
    pub(super) n_bytes: u32,
    pub(super) flags: u32,
    pub(super) n_ticks: u32,
}

/// A fragment: its own head, then `data`, the bytes of all its samples.
pub(super) fn fragment(
    number: u32,
    first_ticks: u64,
    frame_ticks: u32,
    samples: &[Sample],
    data: &[u8],
) -> Vec<u8> {
    // The data begin behind the head, whose size does not depend on where that is.
    let n_head = moof(number, first_ticks, frame_ticks, samples, 0).len();
    let data_offset = (n_head + 8) as u32;
    let mut bytes = Bytes(moof(number, first_ticks, frame_ticks, samples, data_offset));
    bytes.boxed(b"mdat", |bytes| bytes.bytes(data));
    bytes.0
}

fn moof(
    number: u32,
    first_ticks: u64,
    frame_ticks: u32,
    samples: &[Sample],
    data_offset: u32,
) -> Vec<u8> {
    const DEFAULT_DURATION: u32 = 0x8;
    const BASE_IS_MOOF: u32 = 0x2_0000;
    const OFFSET_SIZES_AND_FLAGS: u32 = 0x1 | 0x200 | 0x400;
    const DURATIONS: u32 = 0x100;
    // Said only where one is shown for longer than the others.
    let has_durations = samples.iter().any(|sample| sample.n_ticks != frame_ticks);
    let durations = if has_durations { DURATIONS } else { 0 };
    let mut bytes = Bytes::new();
    bytes.boxed(b"moof", |bytes| {
        bytes.full(b"mfhd", 0, 0, |bytes| bytes.u32(number));
        bytes.boxed(b"traf", |bytes| {
            bytes.full(b"tfhd", 0, DEFAULT_DURATION | BASE_IS_MOOF, |bytes| {
                bytes.u32(TRACK);
                bytes.u32(frame_ticks);
            });
            bytes.full(b"tfdt", 1, 0, |bytes| bytes.u64(first_ticks));
            bytes.full(b"trun", 0, OFFSET_SIZES_AND_FLAGS | durations, |bytes| {
                bytes.u32(samples.len() as u32);
                bytes.u32(data_offset);
                for sample in samples {
                    if has_durations {
                        bytes.u32(sample.n_ticks);
                    }
                    bytes.u32(sample.n_bytes);
                    bytes.u32(sample.flags);
                }
            });
        });
    });
    bytes.0
}
