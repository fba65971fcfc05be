//! What of the world a film's session notes.

use bevy::ecs::system::SystemParam;
use bevy::prelude::*;

use crate::viewer::inference::ActiveTrace;
use crate::viewer::playback::Playhead;
use crate::viewer::scene::{SceneLayout, SceneSettings};
use crate::viewer::session::{Present, SessionFacts, SessionLog, SessionLook, Showing};
use crate::viewer::slots::AnchoredPose;
use crate::viewer::viewpoint::{CameraPose, Pose};

/// What of the world a session notes.
#[derive(SystemParam)]
pub(super) struct SessionView<'w, 's> {
    facts: Res<'w, SessionFacts>,
    trace: Res<'w, ActiveTrace>,
    scene: Res<'w, SceneSettings>,
    layout: Res<'w, SceneLayout>,
    playhead: Res<'w, Playhead>,
    stands: Res<'w, CameraPose>,
    cameras: Query<'w, 's, &'static GlobalTransform, With<Camera3d>>,
}

impl SessionView<'_, '_> {
    /// What the window looks like.
    pub(super) fn look(&self) -> SessionLook {
        SessionLook {
            scene: self.scene.clone(),
            has_panels: self.facts.has_panels,
            has_labels: self.facts.has_labels,
        }
    }

    /// What is shown now, in a window that looks like this.
    pub(super) fn present<'a>(&self, look: &'a SessionLook) -> Present<'a> {
        let radius = self.stands.0.map_or(1.0, |pose| pose.radius);
        let camera = self.cameras.iter().next();
        let pose = camera
            .zip(self.layout.as_ref().as_ref())
            .map(|(camera, layout)| {
                // Where it is, not where it is on its way to.
                AnchoredPose::new(&pose_of(camera, radius), layout)
            });
        Present {
            showing: Showing {
                playhead: *self.playhead,
                n_tokens: self.trace.n_pos(),
            },
            look,
            pose,
        }
    }

    /// What a picture says of itself: keywords and texts.
    pub(super) fn picture_texts(&self) -> Vec<(String, String)> {
        let log = self.log();
        let vocab = self.trace.model().map(|model| &model.vocab);
        let labels = log.tokens.iter();
        let text: String = vocab.map_or_else(String::new, |vocab| {
            labels.map(|token| vocab.label(*token)).collect()
        });
        let look = self.look();
        let camera = self.present(&look).pose;
        let camera = camera.and_then(|pose| serde_json::to_string(&pose).ok());
        let sampler = log.sampler;
        let ablations: Vec<String> = log.ablations.iter().map(ToString::to_string).collect();
        let texts = [
            (
                "Software",
                format!("llmscope {}", env!("CARGO_PKG_VERSION")),
            ),
            ("Model", log.model),
            ("Prompt", log.prompt),
            ("Text", text),
            ("Seed", sampler.seed.to_string()),
            ("Temperature", sampler.temperature.to_string()),
            ("Ablated", ablations.join(",")),
            ("Step", self.playhead.lane.to_string()),
            ("Camera", camera.unwrap_or_default()),
        ];
        let texts = texts.into_iter().filter(|(_, text)| !text.is_empty());
        texts
            .map(|(keyword, text)| (keyword.to_owned(), text))
            .collect()
    }

    /// The session as it is now, without what was noted of a film.
    pub(super) fn log(&self) -> SessionLog {
        let model = self.trace.model();
        let tokens = self.trace.tokens();
        SessionLog {
            arguments: self.facts.arguments.clone(),
            model: model.map_or_else(String::new, |model| model.name.clone()),
            prompt: self.facts.prompt.clone(),
            n_prompt: self.facts.n_prompt.min(tokens.len()),
            tokens,
            sampler: self.facts.sampler,
            ablations: self.trace.ablations().to_vec(),
            ..SessionLog::default()
        }
    }
}

/// The pose of a camera that looks at a point this far away.
fn pose_of(camera: &GlobalTransform, radius: f32) -> Pose {
    let (back, right) = (*camera.back(), *camera.right());
    Pose {
        focus: camera.translation() - back * radius,
        // Straight down, the turn is seen by the right hand alone.
        yaw: (-right.z).atan2(right.x),
        pitch: back.y.clamp(-1.0, 1.0).asin(),
        radius,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cameras_pose_is_read_off_where_it_is_even_straight_down() {
        for (yaw, pitch) in [(0.3, 0.5), (-2.5, 1.57), (3.0, -0.4)] {
            let rotation = Quat::from_rotation_y(yaw) * Quat::from_rotation_x(-pitch);
            let focus = Vec3::new(4.0, 0.0, -30.0);
            let eye = focus + rotation * Vec3::Z * 12.0;
            let camera = Transform::from_translation(eye).with_rotation(rotation);

            let pose = pose_of(&GlobalTransform::from(camera), 12.0);

            assert!(pose.focus.distance(focus) < 1e-3, "{pose:?}");
            assert!((pose.yaw - yaw).abs() < 1e-3, "{pose:?}");
            assert!((pose.pitch - pitch).abs() < 1e-3, "{pose:?}");
        }
    }
}
