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
}

impl H264Film {
    pub(super) fn begin(path: &Path, settings: &FilmSettings) -> Result<Self, FilmError> {
        let writer = FragmentWriter::create(path, settings.force)
            .map_err(|source| FilmError::of_write(path, 0, source))?;
        let encoder = Encoder::with_api_config(OpenH264API::from_source(), config(settings))
            .map_err(|error| FilmError::Encode {
                frame: 0,
                reason: error.to_string(),
            })?;
        Ok(Self {
            path: path.to_owned(),
            encoder,
            writer,
            yuv: Yuv420::new(settings.width as usize, settings.height as usize),
            settings: settings.clone(),
            n_frames: 0,
        })
    }

    fn encode(&mut self) -> Result<(), FilmError> {
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
        if !self.writer.has_head() {
            let (Some(sps), Some(pps)) = (of_kind(NAL_SPS), of_kind(NAL_PPS)) else {
                return Err(failed("its first frame has no parameter sets".to_owned()));
            };
            let track = TrackSettings {
                width: width as u16,
                height: height as u16,
                fps: self.settings.fps,
                metadata: &self.settings.metadata,
            };
            self.writer
                .write_head(&track, sps, pps)
                .map_err(|source| write_failed(0, source))?;
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

fn config(settings: &FilmSettings) -> EncoderConfig {
    let config = EncoderConfig::new()
        .debug(false)
        // Otherwise frames are left out whenever the rate is exceeded.
        .skip_frames(false)
        .max_frame_rate(FrameRate::from_hz(settings.fps as f32))
        // One second to a fragment.
        .intra_frame_period(IntraFramePeriod::from_num_frames(settings.fps))
        .num_threads(N_THREADS)
        .vui(VuiConfig::bt709().transfer_characteristics(TransferCharacteristics::Srgb));
    match settings.quality {
        Quality::Quantizer(quantizer) => {
            let quantizer = quantizer.min(51);
            config
                .rate_control_mode(RateControlMode::Bufferbased)
                .bitrate(BitRate::from_bps(100_000_000))
                .qp(QpRange::new(quantizer, quantizer))
        }
        Quality::BitRate(bits) => config
            .rate_control_mode(RateControlMode::Bufferbased)
            .bitrate(BitRate::from_bps(bits)),
    }
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
