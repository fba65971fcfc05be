//! Labels of the standard views: none overlaps another, none is covered, and they cost little.

use std::time::Instant;

use glam::{Mat4, Quat};

use super::*;
use crate::config::ModelConfig;
use crate::hook::{BlockSite, HookPoint};
use crate::viewer::viewpoint::{FIELD_OF_VIEW, Pose, Screen, Viewpoint};

/// What stands in for a model: every token has a text, every cell a value.
struct Scene {
    layout: ModelLayout,
    tokens: Vec<u32>,
    top: Vec<Candidate>,
    playhead: Playhead,
}

impl Scene {
    fn new(config: &ModelConfig, n_lanes: usize) -> Self {
        let probabilities = [0.6, 0.2, 0.1, 0.05, 0.001];
        let candidate = |(token, probability): (usize, f32)| Candidate {
            token: token as u32,
            probability,
        };
        Self {
            layout: ModelLayout::new(config, n_lanes),
            tokens: (0..n_lanes as u32).collect(),
            top: probabilities
                .into_iter()
                .enumerate()
                .map(candidate)
                .collect(),
            playhead: Playhead {
                lane: n_lanes - 1,
                first_lane: 0,
                order: 1e6,
            },
        }
    }

    fn labels(&self, pose: &Pose, picture: Rect, room: Room<'_>) -> Vec<Placed> {
        let words = ["·the", "·ball", ".", "·Mary", "·gave", "·unbelievably"];
        let scene = LabelScene {
            layout: &self.layout,
            eye: eye(pose, picture),
            room,
            tokens: &self.tokens,
            token_text: &|token| words[token as usize % words.len()].to_owned(),
            playhead: self.playhead,
            n_orders: 100.0,
            lens: &|_, _| Some(&self.top),
            candidates: &self.top,
            cell: &|cell| {
                Some(CellLook {
                    value: (cell.index as f32).sin(),
                    height: 0.5 + 0.5 * (cell.index as f32).sin(),
                    color: [90, 90, 90],
                })
            },
        };
        collect(&scene, &mut measure)
    }
}

/// About as large as egui's own type.
fn measure(text: &str, font_size: f32) -> Vec2 {
    Vec2::new(
        0.52 * font_size * text.chars().count() as f32,
        1.25 * font_size,
    )
}

fn eye(pose: &Pose, picture: Rect) -> Eye {
    let aspect = picture.width() / picture.height();
    let clip_from_view = Mat4::perspective_infinite_reverse_rh(FIELD_OF_VIEW, aspect, 0.1);
    let rotation = Quat::from_rotation_y(pose.yaw) * Quat::from_rotation_x(-pose.pitch);
    let world_from_view = Mat4::from_rotation_translation(rotation, pose.position());
    Eye::new(
        clip_from_view,
        world_from_view.inverse(),
        pose.position(),
        picture,
    )
}

fn demo_config() -> ModelConfig {
    ModelConfig {
        n_layers: 4,
        n_heads: 4,
        d_head: 32,
        d_model: 128,
        d_mlp: 512,
        d_vocab: 512,
        ..ModelConfig::preset("gpt2").unwrap()
    }
}

/// The pictures that are tested: their size, and what of them panels leave free.
fn pictures() -> Vec<(Rect, Rect, Vec<Rect>)> {
    let whole = |width, height| Rect::from_min_size(Pos2::ZERO, Vec2::new(width, height));
    let legend = Rect::from_min_max(Pos2::new(1020.0, 383.0), Pos2::new(1264.0, 704.0));
    let free = Rect::from_min_max(Pos2::new(256.0, 0.0), Pos2::new(1008.0, 640.0));
    let small_legend = Rect::from_min_max(Pos2::new(508.0, 351.0), Pos2::new(752.0, 672.0));
    vec![
        (whole(1280.0, 720.0), whole(1280.0, 720.0), vec![legend]),
        (whole(1280.0, 720.0), free, Vec::new()),
        (whole(768.0, 688.0), whole(768.0, 688.0), vec![small_legend]),
    ]
}

fn screen(picture: Rect, free: Rect) -> Screen {
    let place = |at: Pos2| {
        let share = (at - picture.min) / picture.size();
        glam::Vec2::new(2.0 * share.x - 1.0, 1.0 - 2.0 * share.y)
    };
    Screen {
        aspect: picture.width() / picture.height(),
        low: place(free.left_bottom()),
        high: place(free.right_top()),
    }
}

#[test]
fn in_no_standard_view_do_labels_overlap_or_leave_the_free_part() {
    for (config, n_lanes) in [
        (demo_config(), 13),
        (ModelConfig::preset("gpt2").unwrap(), 40),
        (ModelConfig::preset("gpt2-xl").unwrap(), 12),
    ] {
        let scene = Scene::new(&config, n_lanes);
        for (picture, free, taken) in pictures() {
            for viewpoint in Viewpoint::ALL {
                let pose = viewpoint.pose(&scene.layout, &screen(picture, free));
                let room = Room {
                    free,
                    taken: &taken,
                };

                let labels = scene.labels(&pose, picture, room);

                let name = format!("{viewpoint:?} of {} layers", config.n_layers);
                assert!(labels.len() > 4, "{name}: {}", labels.len());
                for (index, label) in labels.iter().enumerate() {
                    assert!(free.contains_rect(label.rect), "{name}: {label:?}");
                    for other in labels[..index]
                        .iter()
                        .map(|label| label.rect)
                        .chain(taken.clone())
                    {
                        assert!(!label.rect.intersects(other), "{name}: {label:?} {other:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn while_the_camera_creeps_no_label_pops() {
    let scene = Scene::new(&demo_config(), 13);
    let (picture, free, taken) = pictures().remove(0);
    let screen = screen(picture, free);
    let from = Viewpoint::Layer.pose(&scene.layout, &screen);
    let to = Viewpoint::Heads.pose(&scene.layout, &screen);
    let n_steps = 1200;
    let mut last: Option<Vec<Placed>> = None;
    for step in 0..=n_steps {
        let pose = from.towards(&to, step as f32 / n_steps as f32);
        let room = Room {
            free,
            taken: &taken,
        };
        let now = scene.labels(&pose, picture, room);
        if let Some(last) = &last {
            // What is strong in one frame is there in the next, where it was.
            for label in last.iter().filter(|label| label.alpha > 0.5) {
                let stays = now.iter().any(|other| {
                    other.text == label.text
                        && other.rect.center().distance(label.rect.center()) < 6.0
                });
                let is_value = matches!(label.tone, Tone::OnCell(_));
                assert!(stays || is_value, "step {step}: {label:?} is gone");
            }
        }
        last = Some(now);
    }
}

#[test]
fn what_the_signal_has_not_reached_is_not_predicted() {
    let mut scene = Scene::new(&demo_config(), 3);
    let (picture, free, _) = pictures().remove(0);
    let end_of_layer_2 = scene
        .layout
        .block(HookPoint::block(2, BlockSite::ResidPost))
        .unwrap()
        .order as f32;
    let pose = Viewpoint::Layer.pose(&scene.layout, &screen(picture, free));
    let mut n_lens = |order: f32| {
        scene.playhead.order = order;
        let room = Room { free, taken: &[] };
        let labels = scene.labels(&pose, picture, room);
        let lens = labels.iter().filter(|label| label.text.starts_with('→'));
        lens.count()
    };

    let counts = [0.0, end_of_layer_2, end_of_layer_2 + 1.0].map(&mut n_lens);

    assert_eq!(counts[0], 0);
    assert!(counts[1] < counts[2], "{counts:?}");
}

#[test]
fn labels_of_the_largest_overview_cost_under_a_millisecond() {
    let scene = Scene::new(&ModelConfig::preset("gpt2-xl").unwrap(), 12);
    let (picture, free, taken) = pictures().remove(0);
    let pose = Viewpoint::Overview.pose(&scene.layout, &screen(picture, free));

    let fastest = (0..40)
        .map(|_| {
            let room = Room {
                free,
                taken: &taken,
            };
            let start = Instant::now();
            let labels = scene.labels(&pose, picture, room);
            assert!(!labels.is_empty());
            start.elapsed()
        })
        .min()
        .unwrap();

    assert!(fastest.as_secs_f64() < 1e-3, "{fastest:?}");
}
