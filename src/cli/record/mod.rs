//! `record`: a film of a text running through a model, with no display needed.

#[cfg(feature = "viewer")]
mod again;
#[cfg(feature = "viewer")]
mod film;
#[cfg(feature = "viewer")]
mod plan;
#[cfg(feature = "viewer")]
mod progress;
#[cfg(feature = "viewer")]
mod script;
#[cfg(feature = "viewer")]
mod sidecar;

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::error::CliError;
use super::options::{ColorByArg, PictureArgs, RunArgs, SamplerArgs};
use super::snapshot::{PlotArg, SnapshotCamera, Switch};
use crate::ablation::Ablation;

/// Options of `record`.
#[derive(Clone, Debug, Args)]
pub struct RecordArgs {
    /// The film to write: .mp4 (H.264), .gif, .png (animated), with ffmpeg .webm (VP9) or .mkv (AV1);
    /// a name without an ending becomes a folder with one PNG a frame
    #[arg(short, long, value_name = "PATH", required_unless_present = "from")]
    pub output: Option<PathBuf>,
    /// Make a film again: from the `.json` beside one, or beside a recording of the window. Other options
    /// take the place of what it says
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// The model and what it reads.
    #[command(flatten)]
    pub run: RunArgs,
    /// In place of a model, a file that `trace` or the window has saved: it is filmed with no weights and
    /// nothing computed
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = [
            "model", "arch", "dtype", "offline", "prompt", "prompt_file", "tokens", "device", "seed",
            "temperature", "top_k", "top_p", "max_new_tokens", "ablate", "color_by",
        ]
    )]
    pub trace: Option<PathBuf>,
    /// How the picture looks.
    #[command(flatten)]
    pub picture: PictureArgs,
    /// What the camera does: `tour` follows the signal, `orbit` goes once round the model, `overview`,
    /// `layer`, `street`, `heads`, `neurons` and `map` stay where they are, `PATH.json` is a path saved in
    /// the window
    #[arg(long, value_name = "CAMERA", default_value = "tour")]
    pub camera: RecordCamera,
    /// Frames of one second
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=240))]
    pub fps: u32,
    /// Length in seconds; without it as long as the story or the path takes
    #[arg(long, value_name = "N", value_parser = seconds, allow_negative_numbers = true)]
    pub seconds: Option<f64>,
    /// How many tokens are added to the prompt
    #[arg(long, value_name = "N", default_value_t = 6)]
    pub max_new_tokens: usize,
    /// How the next token is chosen.
    #[command(flatten)]
    pub sampler: SamplerArgs,
    /// Parts set to zero at every position, such as
    /// `blocks.1.attn.hook_z:3,blocks.1.mlp.hook_post:33`
    #[arg(long, value_name = "HOOK:INDEX,...", value_delimiter = ',')]
    pub ablate: Vec<Ablation>,
    /// What colours and heights stand for
    #[arg(long, value_name = "WHAT", default_value = "value")]
    pub color_by: ColorByArg,
    /// Whether the text and what happens are written below the world
    #[arg(long, value_name = "SWITCH", default_value = "on")]
    pub captions: Switch,
    /// Whether the panels beside the world are in the film
    #[arg(long, value_name = "SWITCH", default_value = "off")]
    pub panels: Switch,
    /// Views open beside the world, which brings the panels into the film
    #[arg(long, value_name = "VIEW,...", value_delimiter = ',')]
    pub open: Vec<PlotArg>,
    /// What makes the file
    #[arg(long, value_name = "ENCODER", default_value = "builtin")]
    pub encoder: EncoderArg,
    /// The quantizer: 0 is the best picture, 51 the smallest file
    #[arg(long, value_name = "N", default_value_t = 23, value_parser = clap::value_parser!(u8).range(0..=51))]
    pub quality: u8,
    /// Bits a second, such as 4M or 800k, in place of a quality
    #[arg(long, value_name = "RATE", value_parser = bit_rate, conflicts_with = "quality")]
    pub bitrate: Option<u32>,
    /// Print a summary as JSON at the end
    #[arg(long)]
    pub json: bool,
    /// Replace what exists
    #[arg(long)]
    pub force: bool,
}

/// What the camera does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordCamera {
    /// Follows the signal, from the prompt to the prediction.
    Tour,
    /// Goes once round the model.
    Orbit,
    /// Stays there.
    Still(SnapshotCamera),
    /// Flies along a saved path.
    Path(PathBuf),
}

/// What makes the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EncoderArg {
    /// What the program has within it
    Builtin,
    /// The ffmpeg found on the path
    Ffmpeg,
}

impl FromStr for RecordCamera {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "tour" => return Ok(Self::Tour),
            "orbit" => return Ok(Self::Orbit),
            _ => {}
        }
        if let Ok(viewpoint) = SnapshotCamera::from_str(text, false) {
            return Ok(Self::Still(viewpoint));
        }
        if text.to_lowercase().ends_with(".json") {
            return Ok(Self::Path(PathBuf::from(text)));
        }
        Err(
            "it is tour, orbit, overview, layer, street, heads, neurons, map, or a path's \
             file that ends in .json"
                .to_owned(),
        )
    }
}

/// The longest film, a day.
const MAX_SECONDS: f64 = 86_400.0;

fn seconds(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|seconds| *seconds > 0.0 && *seconds <= MAX_SECONDS)
        .ok_or_else(|| format!("it must be a number above 0 and at most {MAX_SECONDS}"))
}

/// The least and the most bits a second that an encoder is asked for.
const BIT_RATES: std::ops::RangeInclusive<f64> = 1e4..=1e9;

fn bit_rate(text: &str) -> Result<u32, String> {
    let (number, unit) = match text.to_lowercase() {
        text if text.ends_with('k') => (text[..text.len() - 1].to_owned(), 1e3),
        text if text.ends_with('m') => (text[..text.len() - 1].to_owned(), 1e6),
        text => (text, 1.0),
    };
    let bits = number.parse::<f64>().ok().map(|number| number * unit);
    bits.filter(|bits| BIT_RATES.contains(bits))
        .map(|bits| bits.round() as u32)
        .ok_or_else(|| "a rate reads like 4M or 800k, from 10k to 1000M".to_owned())
}

/// Renders the film frame by frame and writes it.
///
/// # Errors
///
/// If the program was built without the viewer.
#[cfg(not(feature = "viewer"))]
pub fn run(_args: &RecordArgs, _given: &[OsString]) -> Result<(), CliError> {
    Err(CliError::NoViewer("record"))
}

/// Renders the film frame by frame and writes it; `given` is the command line, the program's name first.
///
/// # Errors
///
/// If the model can't be used, there is no graphics adapter, or the film can't be written.
#[cfg(feature = "viewer")]
pub fn run(args: &RecordArgs, given: &[OsString]) -> Result<(), CliError> {
    let given = super::given_options(given, "record");
    match &args.from {
        None => film::run(args, &given, None),
        Some(from) => {
            let again = again::Again::read(from, &given)?;
            film::run(&again.args, &again.given, Some(&again.made_of))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_is_a_word_or_a_file() {
        let camera = |text: &str| text.parse::<RecordCamera>();

        assert_eq!(camera("tour"), Ok(RecordCamera::Tour));
        assert_eq!(
            camera("heads"),
            Ok(RecordCamera::Still(SnapshotCamera::Heads))
        );
        assert_eq!(
            camera("my/Path.JSON"),
            Ok(RecordCamera::Path("my/Path.JSON".into()))
        );
        assert!(camera("moon").unwrap_err().contains("orbit"));
    }

    #[test]
    fn a_bit_rate_has_a_unit_and_bounds() {
        assert_eq!(bit_rate("4M"), Ok(4_000_000));
        assert_eq!(bit_rate("800k"), Ok(800_000));
        assert_eq!(bit_rate("1.5m"), Ok(1_500_000));
        assert_eq!(bit_rate("64000"), Ok(64_000));
        for text in ["", "k", "-4M", "1", "4G", "NaN", "infM"] {
            assert!(bit_rate(text).is_err(), "{text}");
        }
    }
}
