//! A session as JSON, beside its film.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::log::{SessionLog, Showing};
use super::look::LookText;
use crate::model::SamplerSettings;
use crate::viewer::camera_path::CameraPath;
use crate::viewer::playback::Playhead;
use crate::whole_file::write_whole;

/// Why a session can't be read or written.
#[derive(Debug, Error)]
pub enum SessionError {
    /// The file can't be read.
    #[error("cannot read the session {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no session.
    #[error("{} is no session beside a film: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file can't be written.
    #[error("cannot write the session {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Where the session of a film is.
pub fn log_path(film: &Path) -> PathBuf {
    let mut path = OsString::from(film.as_os_str());
    path.push(".json");
    PathBuf::from(path)
}

/// What this program writes and reads.
const VERSION: u32 = 1;
/// A file is longer only if something else wrote it.
const MAX_BYTES: u64 = 256 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionText {
    llmscope_session: u32,
    /// The program's version.
    llmscope: String,
    arguments: Vec<String>,
    model: String,
    prompt: String,
    tokens: Vec<u32>,
    n_prompt_tokens: usize,
    seed: u64,
    temperature: f64,
    top_k: Option<usize>,
    top_p: Option<f64>,
    ablate: Vec<String>,
    width: u32,
    height: u32,
    fps: u32,
    secs: f64,
    looks: Vec<LookText>,
    showings: Vec<ShowingText>,
    /// As a camera path's file; none where no camera was noted.
    camera: Option<serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShowingText {
    at_secs: f64,
    lane: usize,
    first_lane: usize,
    order: f32,
    n_tokens: usize,
}

impl SessionLog {
    /// Reads a session.
    ///
    /// # Errors
    ///
    /// If the file can't be read, or is no session: then what is wrong with it.
    pub fn load(path: &Path) -> Result<Self, SessionError> {
        let failed = |source| SessionError::Read {
            path: path.to_owned(),
            source,
        };
        let damaged = |reason| SessionError::Damaged {
            path: path.to_owned(),
            reason,
        };
        let n_bytes = fs::metadata(path).map_err(failed)?.len();
        if n_bytes > MAX_BYTES {
            return Err(damaged(format!("it has {n_bytes} bytes")));
        }
        Self::parse(&fs::read(path).map_err(failed)?).map_err(damaged)
    }

    /// Whether a file says that it is a session.
    pub fn is_at(path: &Path) -> bool {
        #[derive(Deserialize)]
        struct Head {
            #[serde(rename = "llmscope_session")]
            _version: serde::de::IgnoredAny,
        }
        let is_small = fs::metadata(path).is_ok_and(|file| file.len() <= MAX_BYTES);
        is_small && fs::read(path).is_ok_and(|bytes| serde_json::from_slice::<Head>(&bytes).is_ok())
    }

    /// Reads a session from JSON.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text: SessionText = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if text.llmscope_session != VERSION {
            return Err(format!(
                "version {} is not known here",
                text.llmscope_session
            ));
        }
        let (n_prompt, n_tokens) = (text.n_prompt_tokens, text.tokens.len());
        if n_prompt > n_tokens {
            return Err(format!("{n_prompt} of {n_tokens} tokens were given"));
        }
        if !(text.fps > 0 && text.secs >= 0.0 && text.temperature >= 0.0) {
            return Err("its film takes no time that there is".to_owned());
        }
        check_times(text.looks.iter().map(|look| look.at_secs))?;
        check_times(text.showings.iter().map(|showing| showing.at_secs))?;
        let ablations = text.ablate.iter().map(|part| {
            let part = part.parse();
            part.map_err(|error: crate::ablation::AblationError| error.to_string())
        });
        let looks = text
            .looks
            .iter()
            .map(|look| Ok((look.at_secs, look.read()?)));
        let camera = text
            .camera
            .map(|path| CameraPath::parse(path.to_string().as_bytes()));
        Ok(Self {
            ablations: ablations.collect::<Result<_, _>>()?,
            looks: looks.collect::<Result<_, String>>()?,
            showings: text.showings.iter().map(ShowingText::read).collect(),
            camera: camera.transpose()?.unwrap_or_default(),
            arguments: text.arguments,
            model: text.model,
            prompt: text.prompt,
            tokens: text.tokens,
            n_prompt,
            sampler: SamplerSettings {
                temperature: text.temperature,
                top_k: text.top_k,
                top_p: text.top_p,
                seed: text.seed,
            },
            width: text.width,
            height: text.height,
            fps: text.fps,
            secs: text.secs,
        })
    }

    /// The session as JSON.
    pub fn text(&self) -> String {
        let camera = self.camera.text();
        let has_camera = !self.camera.keyframes().is_empty();
        let text = SessionText {
            llmscope_session: VERSION,
            llmscope: env!("CARGO_PKG_VERSION").to_owned(),
            arguments: self.arguments.clone(),
            model: self.model.clone(),
            prompt: self.prompt.clone(),
            tokens: self.tokens.clone(),
            n_prompt_tokens: self.n_prompt,
            seed: self.sampler.seed,
            temperature: self.sampler.temperature,
            top_k: self.sampler.top_k,
            top_p: self.sampler.top_p,
            ablate: self.ablations.iter().map(ToString::to_string).collect(),
            width: self.width,
            height: self.height,
            fps: self.fps,
            secs: self.secs,
            looks: self.looks.iter().map(LookText::of).collect(),
            showings: self.showings.iter().map(ShowingText::of).collect(),
            camera: has_camera.then(|| serde_json::from_str(&camera).unwrap_or_default()),
        };
        serde_json::to_string(&text).expect("numbers and names are JSON")
    }

    /// Writes the session, whole or not at all.
    ///
    /// # Errors
    ///
    /// If the file can't be written.
    pub fn save(&self, path: &Path) -> Result<(), SessionError> {
        write_whole(path, self.text().as_bytes()).map_err(|source| SessionError::Write {
            path: path.to_owned(),
            source,
        })
    }
}

/// Refuses times that go back, or are none.
fn check_times(times: impl Iterator<Item = f64>) -> Result<(), String> {
    let mut last_secs = 0.0;
    for at_secs in times {
        if at_secs.is_nan() || at_secs < last_secs {
            return Err(format!("{at_secs} s is not after {last_secs} s"));
        }
        last_secs = at_secs;
    }
    Ok(())
}

impl ShowingText {
    fn of((at_secs, showing): &(f64, Showing)) -> Self {
        Self {
            at_secs: *at_secs,
            lane: showing.playhead.lane,
            first_lane: showing.playhead.first_lane,
            order: showing.playhead.order,
            n_tokens: showing.n_tokens,
        }
    }

    fn read(&self) -> (f64, Showing) {
        let playhead = Playhead {
            lane: self.lane,
            first_lane: self.first_lane,
            order: self.order.max(0.0),
        };
        let n_tokens = self.n_tokens;
        (self.at_secs, Showing { playhead, n_tokens })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::color::{RangeMode, Theme};
    use crate::config::ModelConfig;
    use crate::layout::{Kind, ModelLayout};
    use crate::viewer::camera_path::{Ease, Keyframe};
    use crate::viewer::session::SessionLook;
    use crate::viewer::slots::AnchoredPose;
    use crate::viewer::viewpoint::{Screen, Viewpoint};

    fn showing(lane: usize, order: f32) -> Showing {
        let playhead = Playhead {
            lane,
            first_lane: lane,
            order,
        };
        let n_tokens = lane + 1;
        Showing { playhead, n_tokens }
    }

    fn session() -> SessionLog {
        let layout = ModelLayout::new(&ModelConfig::preset("gpt2").unwrap(), 4);
        let pose = Viewpoint::Heads.pose(&layout, &Screen::default());
        let mut camera = CameraPath::default();
        camera.add(Keyframe {
            at_secs: 0.0,
            pose: AnchoredPose::new(&pose, &layout),
            ease: Ease::Rest,
            look_at: None,
        });
        let mut light = SessionLook {
            has_labels: false,
            ..SessionLook::default()
        };
        light.scene.theme = Theme::Light;
        light.scene.hidden = Kind::all().into_iter().collect();
        light.scene.arc_choice.heads = BTreeSet::from([3, 5]);
        light.scene.ranges.mode = RangeMode::WholeModel;
        SessionLog {
            arguments: vec!["--model".to_owned(), "demo".to_owned()],
            model: "demo".to_owned(),
            prompt: "naïve 東京".to_owned(),
            tokens: vec![5, 6, 7],
            n_prompt: 2,
            sampler: SamplerSettings {
                temperature: 0.7,
                top_k: Some(40),
                top_p: None,
                seed: u64::MAX,
            },
            ablations: vec!["blocks.1.attn.hook_z:3".parse().unwrap()],
            width: 1440,
            height: 900,
            fps: 30,
            secs: 2.5,
            looks: vec![(0.0, SessionLook::default()), (1.0, light)],
            showings: vec![
                (0.0, showing(0, 0.0)),
                (0.5, showing(1, 12.25)),
                (2.0, showing(9, 40.0)),
            ],
            camera,
        }
    }

    #[test]
    fn a_session_is_read_back_as_it_was_and_names_its_version() {
        let folder = tempfile::tempdir().unwrap();
        let path = log_path(&folder.path().join("film.mp4"));
        session().save(&path).unwrap();

        assert_eq!(path, folder.path().join("film.mp4.json"));
        assert_eq!(SessionLog::load(&path).unwrap(), session());
        let json: serde_json::Value = serde_json::from_str(&session().text()).unwrap();
        assert_eq!(json["llmscope_session"], 1);
        assert_eq!(json["arguments"][1], "demo");
    }

    #[test]
    fn each_moment_has_its_playhead_its_look_and_its_camera() {
        let session = session();
        let playhead = |secs| session.at(secs).showing.playhead;

        assert_eq!(playhead(0.49).lane, 0);
        assert_eq!((playhead(0.5).lane, playhead(1.9).order), (1, 12.25));
        assert_eq!(session.at(1.9).showing.n_tokens, 2);
        assert_eq!(playhead(99.0).lane, 2, "the text has three tokens");
        let theme = |secs| session.at(secs).look.unwrap().scene.theme;
        assert_eq!((theme(0.99), theme(1.0)), (Theme::Dark, Theme::Light));
        assert_eq!(session.frame(15, 30), session.at(0.5));
        assert_eq!(session.n_frames(30), 75);
        let layout = ModelLayout::new(&ModelConfig::preset("gpt2").unwrap(), 4);
        assert!(session.at(2.0).pose(&layout, &Screen::default()).is_some());
        assert_eq!(SessionLog::default().at(1.0).look, None);
    }

    #[test]
    fn what_is_no_session_is_refused_with_the_reason() {
        let sound: serde_json::Value = serde_json::from_str(&session().text()).unwrap();
        let with = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut text = sound.clone();
            change(&mut text);
            SessionLog::parse(text.to_string().as_bytes()).unwrap_err()
        };

        let refusals = [
            (
                with(&|text| text["llmscope_session"] = 2.into()),
                "version 2",
            ),
            (with(&|text| text["n_prompt_tokens"] = 4.into()), "4 of 3"),
            (with(&|text| text["fps"] = 0.into()), "no time"),
            (
                with(&|text| text["showings"][2]["at_secs"] = 0.1.into()),
                "0.1 s is not after",
            ),
            (
                with(&|text| text["looks"][0]["theme"] = "red".into()),
                "red",
            ),
            (
                with(&|text| text["looks"][1]["hidden"][0] = "walls".into()),
                "walls",
            ),
            (with(&|text| text["ablate"][0] = "all".into()), "all"),
            (
                with(&|text| text["camera"]["keyframes"][0]["pose"]["distance"] = 0.into()),
                "lies nowhere",
            ),
            (with(&|text| text["more"] = 1.into()), "unknown field"),
        ];

        for (refusal, words) in refusals {
            assert!(refusal.contains(words), "{refusal} lacks {words}");
        }
        assert!(SessionLog::parse(b"\0").is_err());
    }
}
