//! What the world looks like: small pictures of every kind of thing in it, against pictures kept in
//! `tests/golden/`.
//!
//! `LLMSCOPE_BLESS=1 cargo test --release --test golden` keeps the pictures as they are now. Look at
//! them before you commit them.
#![cfg(feature = "viewer")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use common::{load, trace_tokens};
use llmscope::color::Theme;
use llmscope::engine::{EngineHandle, EngineUpdate, LoadedModel};
use llmscope::hook::{BlockSite, HookPoint};
use llmscope::layout::{GroundRect, ModelLayout};
use llmscope::model::Model;
use llmscope::viewer::app::{Subject, ViewerOptions};
use llmscope::viewer::capture::{Offscreen, Picture, save_png};
use llmscope::viewer::viewpoint::{Pose, Screen, Viewpoint};
use llmscope::weight::{WeightPoint, WeightSite};

const PROMPT: [u32; 6] = [5, 60, 7, 80, 9, 100];
const WIDTH: u32 = 112;
const HEIGHT: u32 = 84;

/// The mean difference of a channel that is still the same picture, of 255.
///
/// One machine draws the same picture every time, to the bit. Another version of Mesa's rasterizer
/// rounds otherwise where edges are smoothed and colours mixed: a step or two of 255 over the whole,
/// and much at a few pixels on edges. What matters, a colour, a place or a height that is wrong,
/// changes more than that: the picture shifted by one pixel is rejected, which a test shows.
const MEAN_TOLERANCE: f64 = 1.0;
/// A channel that is off by more makes its pixel wrong.
const PIXEL_TOLERANCE: u8 = 24;
/// The share of pixels that may be wrong.
const WRONG_SHARE: f64 = 0.01;

/// Bytes that all pictures together may have: they are in every clone of the repository.
const MAX_BYTES: u64 = 200_000;

/// What a picture shows.
struct View {
    name: &'static str,
    /// What the camera looks at, and from where.
    camera: Camera,
    /// How far the signal has come through the pass, as a share; the whole pass if none.
    signal: Option<f32>,
    theme: Theme,
}

enum Camera {
    /// One of the viewpoints of the program.
    At(Viewpoint),
    /// A few tiles of this tensor, close enough for boxes.
    Tiles(HookPoint),
    /// All of a tensor.
    Whole(HookPoint),
    /// What rises over a layer's patterns, from the side.
    OverPatterns(usize),
    /// The beginning of the lanes, low and along them.
    Entrance,
    /// A weight of the second layer.
    Weights(WeightSite),
    /// The bars of the most probable next tokens.
    Exit,
}

const fn view(name: &'static str, camera: Camera) -> View {
    View {
        name,
        camera,
        signal: None,
        theme: Theme::Dark,
    }
}

/// Every kind of thing there is to see. A new kind gets a line here and a picture by blessing.
fn views() -> Vec<View> {
    let tiles = |name, site| view(name, Camera::Tiles(HookPoint::block(1, site)));
    vec![
        view("overview", Camera::At(Viewpoint::Overview)),
        View {
            theme: Theme::Light,
            ..view("overview-light", Camera::At(Viewpoint::Overview))
        },
        View {
            signal: Some(0.5),
            ..view("signal-halfway", Camera::At(Viewpoint::Overview))
        },
        view("ground", Camera::Entrance),
        tiles("stream", BlockSite::ResidPre),
        tiles("queries", BlockSite::Q),
        tiles("neurons", BlockSite::MlpPost),
        view("logits", Camera::Tiles(HookPoint::Logits)),
        view(
            "patterns",
            Camera::Whole(HookPoint::block(1, BlockSite::Pattern)),
        ),
        view("arcs", Camera::OverPatterns(1)),
        view(
            "scores",
            Camera::Whole(HookPoint::block(1, BlockSite::AttnScores)),
        ),
        view("weights", Camera::Weights(WeightSite::Query)),
        view("exit", Camera::Exit),
    ]
}

impl Camera {
    fn pose(&self, layout: &ModelLayout, screen: &Screen) -> Pose {
        match self {
            Self::At(viewpoint) => viewpoint.pose(layout, screen),
            Self::Whole(hook) => Pose::before(layout.hook_rect(*hook).unwrap(), screen),
            Self::Tiles(hook) => {
                let block = layout.block(*hook).unwrap();
                let tile = layout.tile_rect(block, 1);
                let with_next = GroundRect {
                    size: tile.size + glam::Vec2::new(0.5 * layout.lane_pitch, 0.0),
                    ..tile
                };
                Pose::before(with_next, screen)
            }
            Self::OverPatterns(layer) => {
                let hook = HookPoint::block(*layer, BlockSite::Pattern);
                let rect = layout.hook_rect(hook).unwrap();
                Pose {
                    yaw: 0.35,
                    pitch: 0.3,
                    ..Pose::before(rect, screen)
                }
            }
            Self::Weights(site) => {
                let weight = WeightPoint::block(1, *site);
                Pose::before(layout.fields_of(weight).next().unwrap().rect, screen)
            }
            Self::Exit => {
                let skyline = layout.skyline.as_ref().unwrap();
                let rect = skyline
                    .bar(0, 0)
                    .union(&skyline.bar(2, skyline.n_ranks - 1));
                Pose {
                    pitch: 0.35,
                    ..Pose::before(rect, screen)
                }
            }
            Self::Entrance => Pose {
                focus: glam::Vec3::new(0.5 * layout.width(), 0.0, -0.5 * layout.tile_size.x),
                yaw: -0.6,
                pitch: 0.25,
                radius: 3.0 * layout.tile_size.x,
            },
        }
    }
}

/// What an engine would tell of the prompt.
fn updates(model: &Model) -> Vec<EngineUpdate> {
    let trace = trace_tokens(model, &[&PROMPT]);
    let pass = trace.passes()[0].clone();
    let values = pass.cache.iter();
    vec![
        EngineUpdate::Loaded(LoadedModel {
            name: "gpt2".to_owned(),
            config: model.config().clone(),
            vocab: model.vocab().clone(),
            weights: model.weights().cloned(),
        }),
        EngineUpdate::PassStarted {
            first_pos: 0,
            tokens: PROMPT.to_vec(),
        },
        EngineUpdate::Computed {
            first_pos: 0,
            values: values.map(|(hook, value)| (*hook, value.clone())).collect(),
        },
        EngineUpdate::PassDone { pass, text: None },
    ]
}

/// The fixture's world.
struct Studio {
    offscreen: Offscreen,
    n_orders: f32,
}

impl Studio {
    fn new(theme: Theme) -> Self {
        let options = ViewerOptions {
            theme,
            has_panels: false,
            has_labels: false,
            has_legend: false,
            ..ViewerOptions::default()
        };
        let subject = Subject::Model {
            engine: EngineHandle::start().unwrap(),
            prompt: String::new(),
        };
        let mut offscreen = Offscreen::new(subject, &options, WIDTH, HEIGHT).unwrap();
        let model = load("gpt2");
        for update in updates(&model) {
            offscreen.feed(update);
        }
        offscreen.settle();
        Self {
            offscreen,
            n_orders: model.config().hook_points().len() as f32,
        }
    }

    fn shoot(&mut self, view: &View) -> Picture {
        let share = view.signal.unwrap_or(1.0);
        self.offscreen.seek_order(share * self.n_orders);
        self.offscreen
            .look_from(|layout, screen| view.camera.pose(layout, screen));
        self.offscreen.picture().unwrap()
    }
}

/// How two pictures differ.
#[derive(Debug)]
struct Difference {
    /// The mean difference of a channel, of 255.
    mean: f64,
    /// The share of pixels with a channel that is off by more than [`PIXEL_TOLERANCE`].
    wrong_share: f64,
}

impl Difference {
    fn between(a: &Picture, b: &Picture) -> Self {
        assert_eq!((a.width, a.height), (b.width, b.height));
        let n_pixels = f64::from(a.width * a.height);
        let pixels = || {
            a.rgba
                .as_chunks::<4>()
                .0
                .iter()
                .zip(b.rgba.as_chunks::<4>().0)
        };
        let apart = |a: &[u8; 4], b: &[u8; 4]| -> [u8; 3] {
            std::array::from_fn(|channel| a[channel].abs_diff(b[channel]))
        };
        let sum: f64 = pixels().flat_map(|(a, b)| apart(a, b)).map(f64::from).sum();
        let n_wrong = pixels()
            .filter(|(a, b)| apart(a, b).iter().any(|off| *off > PIXEL_TOLERANCE))
            .count();
        Self {
            mean: sum / (3.0 * n_pixels),
            wrong_share: n_wrong as f64 / n_pixels,
        }
    }

    fn is_tolerable(&self) -> bool {
        self.mean <= MEAN_TOLERANCE && self.wrong_share <= WRONG_SHARE
    }
}

fn golden_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn golden_path(name: &str) -> PathBuf {
    golden_folder().join(format!("{name}.png"))
}

fn read_png(path: &Path) -> Option<Picture> {
    let file = BufReader::new(File::open(path).ok()?);
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut rgba = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut rgba).unwrap();
    let info = reader.info();
    Some(Picture {
        width: info.width,
        height: info.height,
        rgba,
    })
}

/// Where two pictures differ, four times as strong, on black.
fn difference_picture(a: &Picture, b: &Picture) -> Picture {
    let bytes = a.rgba.iter().zip(&b.rgba).enumerate();
    let rgba = bytes.map(|(index, (a, b))| match index % 4 {
        3 => 255,
        _ => a.abs_diff(*b).saturating_mul(4),
    });
    Picture {
        rgba: rgba.collect(),
        ..a.clone()
    }
}

/// The picture one pixel further to the right.
fn shifted(picture: &Picture) -> Picture {
    let row_bytes = 4 * picture.width as usize;
    let mut rgba = picture.rgba.clone();
    for row in rgba.chunks_exact_mut(row_bytes) {
        row.rotate_right(4);
    }
    Picture {
        rgba,
        ..picture.clone()
    }
}

#[test]
fn everything_looks_as_it_did() {
    let is_blessing = std::env::var_os("LLMSCOPE_BLESS").is_some_and(|value| value == "1");
    let failures = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/golden");
    fs::create_dir_all(&failures).unwrap();
    let mut studios = [Studio::new(Theme::Dark), Studio::new(Theme::Light)];

    let mut faults = Vec::new();
    for view in views() {
        let studio = &mut studios[usize::from(view.theme == Theme::Light)];
        let actual = studio.shoot(&view);
        if is_blessing {
            save_png(&actual, &[], &golden_path(view.name), true).unwrap();
            continue;
        }
        let expected = read_png(&golden_path(view.name));
        let difference = expected.as_ref().map(|expected| {
            let difference = Difference::between(expected, &actual);
            (difference_picture(expected, &actual), difference)
        });
        if matches!(&difference, Some((_, difference)) if difference.is_tolerable()) {
            continue;
        }
        let save = |picture: &Picture, name: String| {
            save_png(picture, &[], &failures.join(name), true).unwrap();
        };
        save(&actual, format!("{}.png", view.name));
        faults.push(match difference {
            Some((picture, difference)) => {
                save(&picture, format!("{}-difference.png", view.name));
                format!("{}: {difference:?}", view.name)
            }
            None => format!("{}: there is no picture to compare with", view.name),
        });
    }

    assert!(
        faults.is_empty(),
        "these look otherwise than tests/golden/ has them:\n{}\nThe pictures and what differs are in \
         {}. If that is how it should look, run again with LLMSCOPE_BLESS=1.",
        faults.join("\n"),
        failures.display()
    );
}

#[test]
fn the_comparison_takes_the_same_picture_and_rejects_a_shifted_one() {
    for view in views() {
        let picture = read_png(&golden_path(view.name)).unwrap();

        let same = Difference::between(&picture, &picture);
        let moved = Difference::between(&picture, &shifted(&picture));

        assert!(same.is_tolerable());
        assert_eq!(same.mean, 0.0);
        assert!(!moved.is_tolerable(), "{}: {moved:?}", view.name);
    }
}

#[test]
fn a_tile_without_its_colours_is_rejected() {
    let picture = read_png(&golden_path("stream")).unwrap();
    let grey = Picture {
        rgba: picture
            .rgba
            .as_chunks::<4>()
            .0
            .iter()
            .flat_map(|[r, g, b, a]| {
                let mean = ((u16::from(*r) + u16::from(*g) + u16::from(*b)) / 3) as u8;
                [mean, mean, mean, *a]
            })
            .collect(),
        ..picture.clone()
    };

    assert!(!Difference::between(&picture, &grey).is_tolerable());
}

#[test]
fn every_picture_belongs_to_a_view_and_together_they_are_small() {
    let mut n_bytes = 0;
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(golden_folder()).unwrap() {
        let entry = entry.unwrap();
        n_bytes += entry.metadata().unwrap().len();
        names.insert(entry.file_name().into_string().unwrap());
    }

    let expected: BTreeSet<String> = views()
        .iter()
        .map(|view| format!("{}.png", view.name))
        .collect();
    assert_eq!(names, expected);
    assert!(n_bytes <= MAX_BYTES, "{n_bytes}");
}
