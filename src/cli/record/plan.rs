//! What is known of a film before anything is computed, and refused if it can't be.

use std::path::{Path, PathBuf};

use super::again::{MadeOf, names};
use super::{EncoderArg, RecordArgs, RecordCamera};
use crate::cli::error::CliError;
use crate::cli::options::check_ablations;
use crate::cli::snapshot::{SnapshotCamera, Switch};
use crate::cli::stage;
use crate::config::ModelConfig;
use crate::model::{Sampler, SamplerSettings};
use crate::trace::TraceFile;
use crate::video::{EncoderChoice, FilmError, FilmKind, FilmSettings, Quality};
use crate::viewer::app::ViewerOptions;
use crate::viewer::camera_path::CameraPath;
use crate::viewer::film::FilmCamera;
use crate::viewer::session::{SessionLog, log_path};

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
    /// The model, as it was asked for.
    pub(super) name: String,
    pub(super) config: ModelConfig,
    /// The trace that is shown in place of a model.
    pub(super) saved: Option<TraceFile>,
    pub(super) output: PathBuf,
    /// None where a session's own camera is followed.
    pub(super) camera: Option<FilmCamera>,
    /// What was done in a window, to be shown again.
    pub(super) session: Option<SessionLog>,
    pub(super) sampler: SamplerSettings,
    pub(super) options: ViewerOptions,
    /// All but the metadata.
    pub(super) film: FilmSettings,
}

impl Plan {
    /// Refuses what can't be filmed.
    pub(super) fn check(
        args: &RecordArgs,
        given: &[String],
        made_of: Option<&MadeOf>,
    ) -> Result<Self, CliError> {
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
        require_free(&log_path(&output), args.force)?;
        let session = made_of.map(MadeOf::session).transpose()?.flatten();
        if session.is_some() && args.captions == Switch::On {
            return Err(CliError::Usage(
                "--captions tell a story, and a session of the window has none".to_owned(),
            ));
        }
        let is_led = session.is_some() && !names(given, "--camera");
        let camera = (!is_led).then(|| camera(&args.camera, made_of));
        let camera = camera.transpose()?;
        let saved = args.trace.as_deref().map(stage::open_trace).transpose()?;
        let (config, name) = match &saved {
            Some(file) => (file.about().config.clone(), file.about().model.clone()),
            None => (args.run.model.config()?, args.run.model.name()),
        };
        check_ablations(&args.ablate, &config)?;
        let has_panels = args.panels == Switch::On || !args.open.is_empty();
        let usual = ViewerOptions::default().picture_points;
        // A session's panels are as large as they were in its window.
        let picture_points = session
            .as_ref()
            .map_or(usual, |log| log.height.max(1) as f32);
        Ok(Self {
            options: ViewerOptions {
                has_panels,
                picture_points,
                plots: args.open.iter().copied().map(Into::into).collect(),
                color_by: stage::color_by(args.color_by, &args.run)?,
                ..stage::picture_options(&args.picture, &config)?
            },
            name,
            config,
            saved,
            output,
            camera,
            session,
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

fn camera(asked: &RecordCamera, made_of: Option<&MadeOf>) -> Result<FilmCamera, CliError> {
    Ok(match asked {
        RecordCamera::Tour | RecordCamera::Still(SnapshotCamera::Tour) => FilmCamera::Tour,
        RecordCamera::Orbit => FilmCamera::Orbit,
        RecordCamera::Still(viewpoint) => FilmCamera::Still((*viewpoint).into()),
        RecordCamera::Path(file) => {
            // The path that the film was made with, whatever became of its file.
            let kept = match made_of {
                Some(MadeOf::Film(sidecar)) if sidecar.camera == camera_name(asked) => {
                    sidecar.camera_path.as_ref()
                }
                _ => None,
            };
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
