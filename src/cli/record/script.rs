//! What happens in a film: a story of the text, or what was done in a window.

use crate::config::ModelConfig;
use crate::layout::ModelLayout;
use crate::viewer::capture::Offscreen;
use crate::viewer::film::{Captions, FilmCamera, Flight, Narration, Shows, Story};
use crate::viewer::session::SessionLog;
use crate::viewer::viewpoint::{Pose, Screen};

/// What happens in a film.
pub(super) enum Script {
    /// The text is told.
    Story(Story),
    /// A session is shown again, stretched or shortened to some seconds.
    Session {
        log: Box<SessionLog>,
        secs: f64,
        /// As long, for cameras that follow no session.
        story: Story,
    },
}

impl Script {
    /// A session that is shown in `secs` seconds, or in its own time.
    pub(super) fn session(log: SessionLog, secs: Option<f64>) -> Self {
        let secs = secs.unwrap_or(log.secs).max(1e-3);
        Self::Session {
            log: Box::new(log),
            secs,
            story: Story::new(0, 0, 0, Some(secs)),
        }
    }

    /// How long it takes, in seconds.
    pub(super) fn secs(&self) -> f64 {
        match self {
            Self::Story(story) => story.secs(),
            Self::Session { secs, .. } => *secs,
        }
    }

    /// The story that is told, or one as long as the session in which nothing happens.
    pub(super) fn story(&self) -> &Story {
        match self {
            Self::Story(story) | Self::Session { story, .. } => story,
        }
    }

    /// Shows what there is to be seen `secs` after the film began, but for the camera.
    pub(super) fn show(&self, offscreen: &mut Offscreen, captions: Option<&Captions>, secs: f64) {
        let (playhead, narration, look) = match self {
            Self::Story(story) => {
                let playhead = story.at(secs).playhead;
                let narration = Narration {
                    caption: captions.map(|captions| captions.at(story, secs)),
                    n_tokens: Some(playhead.lane + 1),
                    shows: None,
                };
                (playhead, narration, None)
            }
            Self::Session { log, .. } => {
                let frame = log.at(self.session_secs(secs));
                let shows = frame.look.map(|look| Shows {
                    panels: look.has_panels,
                    labels: look.has_labels,
                });
                let narration = Narration {
                    caption: None,
                    n_tokens: Some(frame.showing.n_tokens),
                    shows,
                };
                (frame.showing.playhead, narration, frame.look)
            }
        };
        offscreen.show(playhead);
        offscreen.tell_story(narration);
        if offscreen.dress(look.map(|look| &look.scene)) {
            offscreen.wait_for_studies();
        }
    }

    /// When in the session a moment of the film is.
    fn session_secs(&self, secs: f64) -> f64 {
        match self {
            Self::Story(_) => secs,
            Self::Session { log, secs: all, .. } => secs / all * log.secs,
        }
    }
}

/// Where the camera is in a film.
pub(super) enum Way<'a> {
    /// Where it is sent.
    Flight(Flight<'a>),
    /// Where it was in the session.
    Session(&'a Script, &'a ModelLayout, Screen),
}

impl<'a> Way<'a> {
    /// The way of `camera`, or that of the session if none is asked for.
    pub(super) fn find(
        script: &'a Script,
        camera: Option<&'a FilmCamera>,
        config: &ModelConfig,
        layout: &'a ModelLayout,
        screen: &Screen,
    ) -> Self {
        match (script, camera) {
            (Script::Session { .. }, None) => Self::Session(script, layout, *screen),
            (_, camera) => {
                let camera = camera.unwrap_or(&FilmCamera::Tour);
                Self::Flight(Flight::new(camera, script.story(), config, layout, screen))
            }
        }
    }

    /// Where the camera is `secs` after the film began; none where nobody knows.
    pub(super) fn at(&self, secs: f64) -> Option<Pose> {
        match self {
            Self::Flight(flight) => Some(flight.at(secs)),
            Self::Session(script, layout, screen) => match script {
                Script::Story(_) => None,
                Script::Session { log, .. } => {
                    log.at(script.session_secs(secs)).pose(layout, screen)
                }
            },
        }
    }
}
