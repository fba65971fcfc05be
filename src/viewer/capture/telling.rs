//! What a film tells an application that draws into an image: how much to show, and what to say of it.

use bevy::prelude::*;

use super::Offscreen;
use crate::viewer::film::{Captions, Narration, Story};
use crate::viewer::inference::ActiveTrace;
use crate::viewer::playback::{PlaybackWish, Playhead};
use crate::viewer::scene::{ColorBy, SceneSettings};

impl Offscreen {
    /// Shows this much of what was fed, and no more until something else is asked for.
    pub fn show(&mut self, playhead: Playhead) {
        self.world()
            .write_message::<PlaybackWish>(PlaybackWish::Show(playhead));
    }

    /// Tells this of what is shown.
    pub fn tell_story(&mut self, narration: Narration) {
        let mut told = self.world().resource_mut::<Narration>();
        if *told != narration {
            *told = narration;
        }
    }

    /// Makes the scene look like this; says whether colours then hang on more than values, so that
    /// [`wait_for_studies`](Self::wait_for_studies) has to come before a frame.
    pub fn dress(&mut self, look: Option<&SceneSettings>) -> bool {
        let mut settings = self.world().resource_mut::<SceneSettings>();
        if let Some(look) = look {
            let look = SceneSettings {
                upload_budget: settings.upload_budget,
                has_backdrop: settings.has_backdrop,
                ..look.clone()
            };
            settings.set_if_neq(look);
        }
        settings.color_by != ColorBy::Value
    }

    /// What a film of what was fed says, told as `story`.
    pub fn captions(&mut self, story: &Story) -> Captions {
        let active = self.world().resource::<ActiveTrace>();
        match (active.model(), active.trace()) {
            (Some(model), Some(trace)) => Captions::new(&model.name, trace, &model.vocab, story),
            _ => Captions::default(),
        }
    }
}
