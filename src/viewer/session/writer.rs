//! Notes a session while it is filmed.

use super::log::{SessionLog, SessionLook, Showing};
use crate::viewer::camera_path::{CameraPath, Ease, Keyframe};
use crate::viewer::slots::AnchoredPose;

/// What is shown now.
pub struct Present<'a> {
    /// Where the picture stands in the text.
    pub showing: Showing,
    /// What the window looks like.
    pub look: &'a SessionLook,
    /// Where the camera is; none before there is a world.
    pub pose: Option<AnchoredPose>,
}

/// Notes what changes.
#[derive(Clone, Debug, Default)]
pub struct SessionWriter {
    looks: Vec<(f64, SessionLook)>,
    showings: Vec<(f64, Showing)>,
    /// When what is shown was last looked at.
    seen_secs: f64,
    camera: CameraPath,
    /// When and where the camera was last.
    last: Option<(f64, AnchoredPose)>,
    /// Whether it has not moved since the last keyframe.
    is_still: bool,
}

impl SessionWriter {
    /// Notes what is shown at `secs`; times never go back.
    pub fn note(&mut self, secs: f64, present: &Present<'_>) {
        if self
            .looks
            .last()
            .is_none_or(|(_, last)| last != present.look)
        {
            self.looks.push((secs, present.look.clone()));
        }
        self.note_showing(secs, present.showing);
        if let Some(pose) = present.pose {
            self.note_pose(secs, pose);
        }
    }

    /// What stands is noted at each end, so that it is told from what runs.
    fn note_showing(&mut self, secs: f64, showing: Showing) {
        match self.showings.last() {
            Some((_, last)) if *last == showing => {}
            Some((noted_secs, last)) => {
                if self.seen_secs > *noted_secs {
                    self.showings.push((self.seen_secs, *last));
                }
                self.showings.push((secs, showing));
            }
            None => self.showings.push((secs, showing)),
        }
        self.seen_secs = secs;
    }

    /// A camera that moves leaves a keyframe at each moment, one that rests one at each end.
    fn note_pose(&mut self, secs: f64, pose: AnchoredPose) {
        match self.last {
            None => self.add(secs, pose, Ease::Rest),
            Some((_, last)) if last == pose => {
                if !self.is_still {
                    let newest = self.camera.keyframes().len().saturating_sub(1);
                    self.camera
                        .change(newest, |keyframe| keyframe.ease = Ease::Rest);
                }
                self.is_still = true;
            }
            Some((last_secs, last)) => {
                if self.is_still {
                    self.add(last_secs, last, Ease::Rest);
                }
                self.is_still = false;
                self.add(secs, pose, Ease::Through);
            }
        }
        self.last = Some((secs, pose));
    }

    fn add(&mut self, at_secs: f64, pose: AnchoredPose, ease: Ease) {
        self.camera.add(Keyframe {
            at_secs,
            pose,
            ease,
            look_at: None,
        });
    }

    /// Puts what was noted into a log.
    pub fn fill(self, log: &mut SessionLog) {
        log.looks = self.looks;
        log.showings = self.showings;
        log.camera = self.camera;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ModelConfig;
    use crate::layout::ModelLayout;
    use crate::viewer::viewpoint::{Pose, Screen, Viewpoint};

    #[test]
    fn a_camera_that_rests_and_flies_is_where_it_was_at_every_moment() {
        let layout = ModelLayout::new(&ModelConfig::preset("gpt2").unwrap(), 4);
        let screen = Screen::default();
        let start = Viewpoint::Heads.pose(&layout, &screen).grounded();
        let tile = layout.tile_size.x;
        // One second of rest, one of flight, one of rest.
        let pose_at = |secs: f64| Pose {
            focus: start.focus - glam::Vec3::Z * tile * (secs.clamp(1.0, 2.0) as f32 - 1.0).powi(2),
            yaw: start.yaw + 0.5 * (secs.clamp(1.0, 2.0) as f32 - 1.0),
            ..start
        };
        let look = SessionLook::default();
        let mut writer = SessionWriter::default();
        for frame in 0..=90 {
            let secs = f64::from(frame) / 30.0;
            let present = Present {
                showing: Showing::default(),
                look: &look,
                pose: Some(AnchoredPose::new(&pose_at(secs), &layout)),
            };
            writer.note(secs, &present);
        }

        let mut log = SessionLog::default();
        writer.fill(&mut log);

        assert_eq!(log.looks.len(), 1);
        assert_eq!(log.showings.len(), 1);
        let n = log.camera.keyframes().len();
        assert!((30..=35).contains(&n), "{n} keyframes");
        for step in 0..=360 {
            let secs = f64::from(step) / 120.0;
            let pose = log.at(secs).pose(&layout, &screen).unwrap();
            let apart = pose.position().distance(pose_at(secs).position());
            assert!(apart < 0.02 * tile, "{apart} at {secs} s");
        }
    }
}
