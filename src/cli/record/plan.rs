//! What is known of a film before anything is computed, and refused if it can't be.

use std::path::{Path, PathBuf};

use super::sidecar::Sidecar;
use super::{EncoderArg, RecordArgs, RecordCamera};
use crate::cli::error::CliError;
use crate::cli::options::check_ablations;
use crate::cli::snapshot::{SnapshotCamera, Switch};
use crate::cli::stage;
use crate::config::ModelConfig;
use crate::model::{Sampler, SamplerSettings};
use crate::video::{EncoderChoice, FilmError, FilmKind, FilmSettings, Quality};
use crate::viewer::app::ViewerOptions;
use crate::viewer::camera_path::CameraPath;
use crate::viewer::film::FilmCamera;

impl From<FilmError> for CliError {
    fn from(error: FilmError) -> Self {
        match error {
            FilmError::UnknownKind(_)
            | FilmError::OddSize { .. }
            | FilmError::TooLarge { .. }
            | FilmError::TooFast { .. } => Self::Usage(error.to_string()),
            _ => Self::Recording(error.to_string()),
        }
    }
}

/// A film that can be made, as far as is known before.
pub(super) struct Plan {
    pub(super) config: ModelConfig,
    pub(super) output: PathBuf,
    pub(super) camera: FilmCamera,
    pub(super) sampler: SamplerSettings,
    pub(super) options: ViewerOptions,
    /// All but the metadata.
    pub(super) film: FilmSettings,
}

impl Plan {
    /// Refuses what can't be filmed.
    pub(super) fn check(args: &RecordArgs, made_of: Option<&Sidecar>) -> Result<Self, CliError> {
        let output = args
            .output
            .clone()
            .ok_or_else(|| CliError::Usage("record needs -o, the film to write".to_owned()))?;
        if !args.ablate.is_empty() {
            args.run.model.require_weights("--ablate")?;
        }
        let sampler = args.sampler.settings(args.run.seed);
        Sampler::new(&sampler)?;
        let film = FilmSettings {
            width: args.picture.size.width,
            height: args.picture.size.height,
            fps: args.fps,
            quality: match args.bitrate {
                Some(bits) => Quality::BitRate(bits),
                None => Quality::Quantizer(args.quality),
            },
            encoder: match args.encoder {
                EncoderArg::Builtin => EncoderChoice::BuiltIn,
                EncoderArg::Ffmpeg => EncoderChoice::Ffmpeg,
            },
            metadata: Vec::new(),
            force: args.force,
        };
        crate::video::check(&output, &film)?;
        require_free(&Sidecar::path_of(&output), args.force)?;
        let camera = camera(&args.camera, made_of)?;
        let config = args.run.model.config()?;
        check_ablations(&args.ablate, &config)?;
        let has_panels = args.panels == Switch::On || !args.open.is_empty();
        Ok(Self {
            options: ViewerOptions {
                has_panels,
                plots: args.open.iter().copied().map(Into::into).collect(),
                color_by: stage::color_by(args.color_by, &args.run)?,
                ..stage::picture_options(&args.picture, &config)?
            },
            config,
            output,
            camera,
            sampler,
            film,
        })
    }

    /// Whether the film is a folder of pictures.
    pub(super) fn is_folder(&self) -> bool {
        FilmKind::of(&self.output).is_ok_and(|kind| kind == FilmKind::Frames)
    }
}

fn require_free(path: &Path, force: bool) -> Result<(), CliError> {
    if path.exists() && !force {
        return Err(FilmError::Exists(path.to_owned()).into());
    }
    Ok(())
}

fn camera(asked: &RecordCamera, made_of: Option<&Sidecar>) -> Result<FilmCamera, CliError> {
    Ok(match asked {
        RecordCamera::Tour | RecordCamera::Still(SnapshotCamera::Tour) => FilmCamera::Tour,
        RecordCamera::Orbit => FilmCamera::Orbit,
        RecordCamera::Still(viewpoint) => FilmCamera::Still((*viewpoint).into()),
        RecordCamera::Path(file) => {
            // The path that the film was made with, whatever became of its file.
            let kept = made_of.filter(|made_of| made_of.camera == camera_name(asked));
            let kept = kept.and_then(|made_of| made_of.camera_path.as_ref());
            FilmCamera::Path(match kept {
                Some(path) => CameraPath::parse(path.to_string().as_bytes())
                    .map_err(|reason| CliError::Usage(format!("the camera's path: {reason}")))?,
                None => {
                    CameraPath::load(file).map_err(|error| CliError::Usage(error.to_string()))?
                }
            })
        }
    })
}

/// What the camera does, as it is written on the command line.
pub(super) fn camera_name(camera: &RecordCamera) -> String {
    use clap::ValueEnum as _;

    match camera {
        RecordCamera::Tour => "tour".to_owned(),
        RecordCamera::Orbit => "orbit".to_owned(),
        RecordCamera::Still(viewpoint) => viewpoint
            .to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned()),
        RecordCamera::Path(path) => path.display().to_string(),
    }
}
