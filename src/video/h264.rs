//! H.264 by openh264, within the program, into fragmented MP4.

use std::path::{Path, PathBuf};

use openh264::OpenH264API;
use openh264::Timestamp;
use openh264::encoder::{
    BitRate, Encoder, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, QpRange,
    RateControlMode, TransferCharacteristics, VuiConfig,
};
use openh264::formats::YUVSlices;

use super::mp4::{FragmentWriter, TrackSettings};
use super::yuv::Yuv420;
use super::{Film, FilmError, FilmSettings, FilmWriter, Quality};

/// Threads that encode: a fixed number, so that the same frames give the same file anywhere.
const N_THREADS: u16 = 2;
/// NAL unit types of what belongs in the head. ITU-T H.264, table 7-1.
const NAL_SPS: u8 = 7;
const NAL_PPS: u8 = 8;

/// An MP4 file in the making.
pub(super) struct H264Film {
    path: PathBuf,
    settings: FilmSettings,
    encoder: Encoder,
    writer: FragmentWriter,
    yuv: Yuv420,
    /// Frames taken in.
    n_frames: u64,
    /// What keeps to a rate; none where the quality is fixed.
    rate: Option<RateControl>,
    /// The sequence's and the picture's parameters, as the head has them.
    parameters: Option<(Vec<u8>, Vec<u8>)>,
}

impl H264Film {
    pub(super) fn begin(path: &Path, settings: &FilmSettings) -> Result<Self, FilmError> {
        let writer = FragmentWriter::create(path, settings.force)
            .map_err(|source| FilmError::of_write(path, 0, source))?;
        let rate = match settings.quality {
            Quality::Quantizer(_) => None,
            Quality::BitRate(bits) => Some(RateControl::new(bits)),
        };
        let quantizer = match settings.quality {
            Quality::Quantizer(quantizer) => quantizer.min(MAX_QUANTIZER),
            Quality::BitRate(_) => FIRST_QUANTIZER,
        };
        let encoder = encoder(settings, quantizer, 0)?;
        Ok(Self {
            path: path.to_owned(),
            encoder,
            writer,
            yuv: Yuv420::new(settings.width as usize, settings.height as usize),
            settings: settings.clone(),
            n_frames: 0,
            rate,
            parameters: None,
        })
    }

    /// Between two seconds: keeps to the rate, where there is one to keep to.
    fn keep_rate(&mut self) -> Result<(), FilmError> {
        let is_second = self.n_frames.is_multiple_of(u64::from(self.settings.fps));
        let n_bits = 8 * self.writer.n_pending_bytes() as u64;
        if let Some(rate) = &mut self.rate
            && is_second
            && self.n_frames > 0
            && let Some(quantizer) = rate.next(n_bits)
        {
            self.encoder = encoder(&self.settings, quantizer, self.n_frames)?;
        }
        Ok(())
    }

    fn encode(&mut self) -> Result<(), FilmError> {
        self.keep_rate()?;
        let (width, height) = self.yuv.size();
        let planes = (&self.yuv.y[..], &self.yuv.u[..], &self.yuv.v[..]);
        let source = YUVSlices::new(planes, (width, height), (width, width / 2, width / 2));
        let millis = self.n_frames * 1_000 / u64::from(self.settings.fps);
        let frame = self.n_frames;
        let failed = |reason: String| FilmError::Encode { frame, reason };
        let stream = self
            .encoder
            .encode_at(&source, Timestamp::from_millis(millis))
            .map_err(|error| failed(error.to_string()))?;
        let is_key = matches!(stream.frame_type(), FrameType::IDR | FrameType::I);
        let bytes = stream.to_vec();
        let units = nal_units(&bytes);
        let kind = |unit: &[u8]| unit.first().map_or(0, |byte| byte & 0x1f);
        let of_kind = |wanted: u8| units.iter().copied().find(|unit| kind(unit) == wanted);
        let picture: Vec<&[u8]> = units
            .iter()
            .copied()
            .filter(|unit| !matches!(kind(unit), NAL_SPS | NAL_PPS))
            .collect();
        if picture.is_empty() {
            return Err(failed("it left the frame out".to_owned()));
        }
        let write_failed = |n_frames, source| FilmError::of_write(&self.path, n_frames, source);
        let sets = of_kind(NAL_SPS).zip(of_kind(NAL_PPS));
        match (&self.parameters, sets) {
            (None, None) => return Err(failed("its first frame has no parameter sets".to_owned())),
            (None, Some((sps, pps))) => {
                let track = TrackSettings {
                    width: width as u16,
                    height: height as u16,
                    fps: self.settings.fps,
                    metadata: &self.settings.metadata,
                };
                self.writer
                    .write_head(&track, sps, pps)
                    .map_err(|source| write_failed(0, source))?;
                self.parameters = Some((sps.to_vec(), pps.to_vec()));
            }
            (Some((known_sps, known_pps)), Some((sps, pps)))
                if known_sps != sps || known_pps != pps =>
            {
                return Err(failed("its parameter sets have changed".to_owned()));
            }
            (Some(_), _) => {}
        }
        // A fragment begins with a frame that needs none before it.
        if is_key && self.writer.n_pending() > 0 {
            let n_whole = self.writer.n_frames();
            self.writer
                .flush()
                .map_err(|source| write_failed(n_whole, source))?;
        }
        self.writer.push(&picture, is_key);
        self.n_frames += 1;
        Ok(())
    }
}

/// The largest quantizer.
const MAX_QUANTIZER: u8 = 51;
/// The quantizer of the first second of a film that has a rate to keep to.
const FIRST_QUANTIZER: u8 = 32;
/// The least quantizer that is worth its bits.
const LEAST_QUANTIZER: f64 = 8.0;

/// Keeps to a number of bits a second, by the quantizer of each.
///
/// The encoder's own way drops frames. A quantizer six higher doubles the step, ITU-T H.264, 8.5.9, and
/// about halves the bits.
struct RateControl {
    bits_per_sec: f64,
    n_bits: f64,
    n_secs: f64,
    quantizer: f64,
}

impl RateControl {
    fn new(bits_per_sec: u32) -> Self {
        Self {
            bits_per_sec: f64::from(bits_per_sec),
            n_bits: 0.0,
            n_secs: 0.0,
            quantizer: f64::from(FIRST_QUANTIZER),
        }
    }

    /// Takes in how many bits a second took, and says what quantizer the next one is to have, if
    /// another.
    fn next(&mut self, n_bits: u64) -> Option<u8> {
        let took = (n_bits as f64).max(1.0);
        self.n_bits += took;
        self.n_secs += 1.0;
        let saved = self.bits_per_sec * self.n_secs - self.n_bits;
        // What was saved or spent before is made up for, but not all at once.
        let wanted = (self.bits_per_sec + 0.5 * saved)
            .clamp(0.4 * self.bits_per_sec, 2.0 * self.bits_per_sec);
        let before = self.quantizer.round();
        let changed = self.quantizer + 5.0 * (took / wanted).log2();
        self.quantizer = changed.clamp(LEAST_QUANTIZER, f64::from(MAX_QUANTIZER));
        let after = self.quantizer.round();
        (after != before).then_some(after as u8)
    }
}

/// An encoder whose first frame needs none before it.
fn encoder(settings: &FilmSettings, quantizer: u8, frame: u64) -> Result<Encoder, FilmError> {
    let config = config(settings, quantizer);
    Encoder::with_api_config(OpenH264API::from_source(), config).map_err(|error| {
        FilmError::Encode {
            frame,
            reason: error.to_string(),
        }
    })
}

fn config(settings: &FilmSettings, quantizer: u8) -> EncoderConfig {
    EncoderConfig::new()
        .debug(false)
        // Otherwise frames are left out whenever the rate is exceeded.
        .skip_frames(false)
        .max_frame_rate(FrameRate::from_hz(settings.fps as f32))
        // One second to a fragment.
        .intra_frame_period(IntraFramePeriod::from_num_frames(settings.fps))
        .num_threads(N_THREADS)
        .vui(VuiConfig::bt709().transfer_characteristics(TransferCharacteristics::Srgb))
        .rate_control_mode(RateControlMode::Bufferbased)
        .bitrate(BitRate::from_bps(100_000_000))
        .qp(QpRange::new(quantizer, quantizer))
}

/// The NAL units of a frame, without their start codes.
fn nal_units(stream: &[u8]) -> Vec<&[u8]> {
    // ITU-T H.264, annex B: units lie between codes of two or three zeros and a one; within a unit
    // no such code occurs.
    let mut units = Vec::new();
    let mut start = None;
    let mut at = 0;
    while at + 3 <= stream.len() {
        if stream[at..at + 3] == [0, 0, 1] {
            if let Some(start) = start {
                units.push(without_zeros(&stream[start..at]));
            }
            at += 3;
            start = Some(at);
        } else {
            at += 1;
        }
    }
    if let Some(start) = start {
        units.push(&stream[start..]);
    }
    units
}

/// A unit without the zeros that belong to the code behind it: it never ends in one itself.
fn without_zeros(unit: &[u8]) -> &[u8] {
    let n_zeros = unit.iter().rev().take_while(|byte| **byte == 0).count();
    &unit[..unit.len() - n_zeros]
}

impl FilmWriter for H264Film {
    fn push(&mut self, rgba: &[u8]) -> Result<(), FilmError> {
        super::check_frame(&self.settings, rgba)?;
        self.yuv.read_rgba(rgba);
        self.encode()
    }

    fn hold(&mut self, _: &[u8], n_frames: u32) -> Result<(), FilmError> {
        // Only a frame that begins a fragment ends the one before: the last is still there.
        self.writer.hold(n_frames);
        Ok(())
    }

    fn n_bytes(&self) -> u64 {
        self.writer.n_bytes()
    }

    fn finish(mut self: Box<Self>) -> Result<Film, FilmError> {
        let n_whole = self.writer.n_frames();
        self.writer
            .flush()
            .and_then(|()| self.writer.sync())
            .map_err(|source| FilmError::of_write(&self.path, n_whole, source))?;
        Ok(Film {
            n_frames: self.writer.n_frames(),
            n_bytes: self.writer.n_bytes(),
            path: self.path,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_lie_between_codes_of_either_length() {
        let stream = [0, 0, 0, 1, 0x67, 5, 0, 0, 1, 0x68, 0, 7, 0, 0, 0, 1, 0x65];

        assert_eq!(
            nal_units(&stream),
            [&[0x67u8, 5][..], &[0x68, 0, 7], &[0x65]]
        );
        assert!(nal_units(&[1, 2, 3]).is_empty());
    }
}
