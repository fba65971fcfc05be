//! A session as plain data: a pure function of time.

use crate::ablation::Ablation;
use crate::layout::ModelLayout;
use crate::model::SamplerSettings;
use crate::viewer::camera_path::CameraPath;
use crate::viewer::playback::Playhead;
use crate::viewer::scene::SceneSettings;
use crate::viewer::viewpoint::{Pose, Screen};

/// A session: what was shown, and when. Times are a film's, in seconds from its start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionLog {
    /// The options that the window was started with.
    pub arguments: Vec<String>,
    /// The model's name.
    pub model: String,
    /// The prompt that was begun last.
    pub prompt: String,
    /// The token at every position.
    pub tokens: Vec<u32>,
    /// How many of them were given; the others were chosen.
    pub n_prompt: usize,
    /// How they were chosen.
    pub sampler: SamplerSettings,
    /// What passes set to zero.
    pub ablations: Vec<Ablation>,
    /// The film's width in pixels.
    pub width: u32,
    /// Its height.
    pub height: u32,
    /// Its frames a second.
    pub fps: u32,
    /// How long it is.
    pub secs: f64,
    /// What the window looked like, each from a time on.
    pub looks: Vec<(f64, SessionLook)>,
    /// Where the picture stood in the text, each from a time on.
    pub showings: Vec<(f64, Showing)>,
    /// Where the camera was.
    pub camera: CameraPath,
}

/// What a window looks like.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionLook {
    /// What of the scene is shown, and how.
    pub scene: SceneSettings,
    /// Whether the panels are there.
    pub has_panels: bool,
    /// Whether names stand in the world.
    pub has_labels: bool,
}

impl Default for SessionLook {
    fn default() -> Self {
        Self {
            scene: SceneSettings::default(),
            has_panels: true,
            has_labels: true,
        }
    }
}

/// Where a picture stands in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Showing {
    /// The playhead.
    pub playhead: Playhead,
    /// How many tokens there were.
    pub n_tokens: usize,
}

/// A session at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SessionFrame<'a> {
    /// The moment.
    pub secs: f64,
    /// Where the picture stood in the text.
    pub showing: Showing,
    /// What the window looked like; none where nothing was noted.
    pub look: Option<&'a SessionLook>,
    camera: &'a CameraPath,
}

impl SessionLog {
    /// What was shown `secs` after the start. Before the first note it is what that says, after the
    /// last it stays.
    pub fn at(&self, secs: f64) -> SessionFrame<'_> {
        let mut showing = latest(&self.showings, secs).copied().unwrap_or_default();
        // Another text may have been on show when it was noted.
        showing.n_tokens = showing.n_tokens.min(self.tokens.len());
        let last_lane = self.tokens.len().saturating_sub(1);
        showing.playhead.lane = showing.playhead.lane.min(last_lane);
        showing.playhead.first_lane = showing.playhead.first_lane.min(last_lane);
        SessionFrame {
            secs,
            showing,
            look: latest(&self.looks, secs),
            camera: &self.camera,
        }
    }

    /// How many frames a film of it has at `fps` frames a second.
    pub fn n_frames(&self, fps: u32) -> u64 {
        (self.secs * f64::from(fps)).ceil().max(1.0) as u64
    }

    /// The session at a film's frame, counted from 0, at `fps` frames a second.
    pub fn frame(&self, frame: u64, fps: u32) -> SessionFrame<'_> {
        self.at(frame as f64 / f64::from(fps.max(1)))
    }
}

impl SessionFrame<'_> {
    /// Where the camera was, in a layout of the same text; none where nothing was noted.
    pub fn pose(&self, layout: &ModelLayout, screen: &Screen) -> Option<Pose> {
        self.camera.pose_at(self.secs, layout, screen)
    }
}

/// The last of what was noted up to `secs`; the first of all before that.
fn latest<T>(notes: &[(f64, T)], secs: f64) -> Option<&T> {
    // Times are written down with fewer digits than they are computed with.
    let n_past = notes.partition_point(|(at_secs, _)| *at_secs <= secs + 1e-6);
    let (_, note) = notes.get(n_past.saturating_sub(1))?;
    Some(note)
}
