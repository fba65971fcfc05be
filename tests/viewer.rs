//! The viewer without a window: what it shows is what was computed.
#![cfg(feature = "viewer")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use bevy::render::renderer::RenderDevice;
use common::fixture;
use llmscope::color::{Colormap, Theme};
use llmscope::engine::{EngineHandle, EngineRequest, EngineUpdate, Prompt};
use llmscope::hook::{BlockSite, HookPoint};
use llmscope::layout::{CellId, ModelLayout};
use llmscope::model::{LoadSettings, ModelSource};
use llmscope::viewer::app::{Subject, ViewerError, ViewerOptions};
use llmscope::viewer::capture::{Offscreen, Picture};
use llmscope::viewer::inference::ActiveTrace;
use llmscope::viewer::material::UploadMeter;
use llmscope::viewer::scene::{
    HeadPattern, Layer, PoolKey, Reduction, SceneLayout, SceneLimits, SceneSettings, TensorBlock,
    ValuePool, ValueTable, WeightMatrix, shown_hooks, tensor_ranges,
};
use llmscope::viewer::viewpoint::{Pose, Screen, Viewpoint};

const PROMPT: [u32; 5] = [5, 6, 7, 8, 9];
const WIDTH: u32 = 320;
const HEIGHT: u32 = 240;

fn engine() -> EngineHandle {
    engine_of("gpt2")
}

fn engine_of(family: &str) -> EngineHandle {
    let engine = EngineHandle::start().unwrap();
    engine
        .request(EngineRequest::Load {
            source: ModelSource::Folder(fixture(family)),
            settings: LoadSettings::default(),
        })
        .unwrap();
    engine
        .request(EngineRequest::SetPrompt(Prompt::Tokens(PROMPT.to_vec())))
        .unwrap();
    engine
}

fn offscreen(subject: Subject) -> Offscreen {
    let options = ViewerOptions {
        has_panels: false,
        has_labels: false,
        has_legend: false,
        ..ViewerOptions::default()
    };
    Offscreen::new(subject, &options, WIDTH, HEIGHT).unwrap()
}

fn live() -> Offscreen {
    offscreen(Subject::Model {
        engine: engine(),
        prompt: String::new(),
    })
}

/// Draws until the text has `n_pos` complete positions.
fn draw_until(offscreen: &mut Offscreen, n_pos: usize) {
    for _ in 0..2_000 {
        offscreen.draw();
        let trace = offscreen.world().resource::<ActiveTrace>();
        if trace.trace().is_some_and(|trace| trace.len() >= n_pos) && !trace.is_computing() {
            offscreen.draw();
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    panic!("{n_pos} positions never came");
}

fn layout(offscreen: &mut Offscreen) -> ModelLayout {
    let layout = offscreen.world().resource::<SceneLayout>();
    layout.as_ref().unwrap().clone()
}

/// A viewer that took in a prompt and three steps, but has drawn nothing since.
fn fed() -> Offscreen {
    let engine = engine();
    engine.request(EngineRequest::Play(3)).unwrap();
    let mut offscreen = offscreen(Subject::Model {
        engine: EngineHandle::start().unwrap(),
        prompt: String::new(),
    });
    offscreen.draw();
    while let Some(update) = engine.wait_update() {
        let is_last = matches!(update, EngineUpdate::Paused(_));
        offscreen.feed(update);
        if is_last {
            break;
        }
    }
    offscreen
}

#[test]
fn three_steps_bring_the_values_of_the_trace_to_the_gpu_and_no_other() {
    let mut offscreen = fed();
    let layout = layout(&mut offscreen);

    let world = offscreen.world();
    let trace = world.resource::<ActiveTrace>().trace().unwrap().clone();
    let pool = world.resource::<ValuePool>();
    let values = world.resource::<ValueTable>();
    assert_eq!((trace.len(), layout.n_lanes), (8, 8));
    let uploads: std::collections::BTreeMap<usize, &[f32]> = pool
        .uploads()
        .iter()
        .map(|upload| (upload.offset, upload.values.as_slice()))
        .collect();
    let mut hooks_seen = std::collections::BTreeSet::new();
    for pos in 0..trace.len() {
        let token = trace.token(pos).unwrap();
        for block in &layout.blocks {
            let order = values.order(block.hook).unwrap();
            let tile = values.tiles()[pos * values.n_orders() + order];
            let row = token.row(block.hook).unwrap();
            let mean_sq = row.iter().map(|v| v * v).sum::<f32>() / row.len() as f32;
            assert!((tile.rms - mean_sq.sqrt()).abs() < 1e-4, "{}", block.hook);
            if let Some(offset) = tile.slot.checked_sub(1) {
                assert_eq!(uploads[&(offset as usize)], row, "{} at {pos}", block.hook);
                hooks_seen.insert(block.hook);
            }
        }
        for band in &layout.bands {
            for head in 0..band.n_heads {
                let square = values.square(band.hook, head).unwrap();
                let grid = values.attention().grid();
                let start = (pos * values.attention().n_squares() + square) * grid;
                let shown = values
                    .attention()
                    .values(start..start + pos + 1, Reduction::Max);
                assert_eq!(
                    Some(shown.as_slice()),
                    token.attention_row(band.hook, head),
                    "{}",
                    band.hook
                );
            }
        }
    }
    assert!(hooks_seen.len() > layout.blocks.len() / 2, "{hooks_seen:?}");
    assert_eq!(values.n_not_finite(), 0);
}

#[test]
fn the_smallest_buffers_still_show_the_nearest_and_never_more_than_fits() {
    let mut offscreen = live();
    let limit = 24 * 1024;
    offscreen.world().insert_resource(SceneLimits {
        buffer_bytes: limit,
    });
    draw_until(&mut offscreen, PROMPT.len());
    let hook = HookPoint::block(1, BlockSite::ResidMid);
    let layout = layout(&mut offscreen);
    offscreen.look(Pose {
        focus: layout.tile_rect(layout.block(hook).unwrap(), 2).center(),
        yaw: 0.0,
        pitch: 1.2,
        radius: 14.0,
    });
    let picture = offscreen.picture().unwrap();

    let world = offscreen.world();
    let pool = world.resource::<ValuePool>();
    assert!(pool.end() * 4 <= limit, "{}", pool.end() * 4);
    assert!(
        pool.has(&PoolKey::Tile { hook, pos: 2 }),
        "it is before the camera"
    );
    assert!(world.resource::<ValueTable>().attention().n_values() * 4 <= limit);
    let n_colors: std::collections::BTreeSet<&[u8]> = picture.rgba.chunks(4).collect();
    assert!(n_colors.len() > 100);
}

#[test]
fn layers_heads_and_tensors_are_entities() {
    let mut offscreen = live();
    draw_until(&mut offscreen, PROMPT.len());
    let layout = layout(&mut offscreen);

    let world = offscreen.world();
    let n_layers = world.query::<&Layer>().iter(world).count();
    let n_heads = world.query::<&HeadPattern>().iter(world).count();
    let mut hooks: Vec<HookPoint> = world
        .query::<&TensorBlock>()
        .iter(world)
        .map(|block| block.0)
        .collect();

    hooks.sort_unstable();
    let expected: Vec<HookPoint> = layout.blocks.iter().map(|block| block.hook).collect();
    assert_eq!(n_layers, 1 + 3, "three layers, and the ends");
    assert_eq!(n_heads, 12);
    assert_eq!(hooks, expected);
    assert_eq!(
        world.query::<&WeightMatrix>().iter(world).count(),
        layout.fields.len()
    );
}

#[test]
fn scrubbing_back_computes_and_uploads_nothing() {
    let mut offscreen = live();
    draw_until(&mut offscreen, PROMPT.len());
    offscreen.settle();
    let before = *offscreen.world().resource::<UploadMeter>();

    offscreen.seek(1);
    offscreen.draw();

    assert_eq!(offscreen.playhead().lane, 1);
    let world = offscreen.world();
    assert!(!world.resource::<ActiveTrace>().is_computing());
    assert_eq!(world.resource::<ActiveTrace>().n_pos(), PROMPT.len());
    let after = *world.resource::<UploadMeter>();
    assert_eq!(after.value_bytes, before.value_bytes);
    // Where the playhead is, and no more.
    assert!(after.list_bytes - before.list_bytes <= 256);
}

/// The pixel where a point of the world is seen.
fn pixel(picture: &Picture, pose: &Pose, point: bevy::prelude::Vec3) -> [u8; 3] {
    let place = pose.project(point, WIDTH as f32 / HEIGHT as f32).unwrap();
    let x = ((0.5 + 0.5 * place.x) * WIDTH as f32) as usize;
    let y = ((0.5 - 0.5 * place.y) * HEIGHT as f32) as usize;
    let index = 4 * (y * picture.width as usize + x);
    [
        picture.rgba[index],
        picture.rgba[index + 1],
        picture.rgba[index + 2],
    ]
}

/// The legend's colours are on the cells: seen from straight above, near enough that the depth cue
/// is small, each cell of a tile has its value's colour within this much of 255.
const COLOR_TOLERANCE: u8 = 10;

/// Looks at a tile from above, asserts that its cells have their values' colours, and says how many of
/// them were low enough to be seen so.
fn assert_colors(offscreen: &mut Offscreen, hook: HookPoint, pos: usize) -> (Pose, usize) {
    let layout = layout(offscreen);
    let tile = layout.tile_rect(layout.block(hook).unwrap(), pos);
    let pose = Pose {
        focus: tile.center(),
        yaw: 0.0,
        pitch: 1.55,
        radius: (2.0 * tile.size.max_element()).max(24.0),
    };
    offscreen.look(pose);
    let picture = offscreen.picture().unwrap();

    let world = offscreen.world();
    let ranges = world.resource::<SceneSettings>().ranges;
    let values = world.resource::<ValueTable>();
    let range = tensor_ranges(&shown_hooks(&layout), values, ranges)[&hook].range;
    let trace = world.resource::<ActiveTrace>().trace().unwrap();
    let row = trace.token(pos).unwrap().row(hook).unwrap();
    let grid = layout.block(hook).unwrap().grid;
    assert_eq!(row.len(), grid.n_cells(), "{hook}");
    let mut n_seen = 0;
    for (cell_index, value) in row.iter().enumerate() {
        let (head, index) = grid.head_and_index(cell_index);
        let cell = CellId {
            hook,
            pos,
            head,
            index,
        };
        let center = layout.cell_rect(cell).unwrap().center();
        // Tall boxes lean out of their cell in perspective: look at low ones.
        if (value * range.scale()).abs() > 0.6 {
            continue;
        }
        let seen = pixel(&picture, &pose, center);
        let expected = Colormap::Diverging.color(Theme::Dark, 0.5 + 0.5 * value * range.scale());
        let is_close = seen
            .iter()
            .zip(expected)
            .all(|(seen, expected)| seen.abs_diff(expected) <= COLOR_TOLERANCE);
        assert!(
            is_close,
            "{hook}, cell {cell_index}: {seen:?}, expected {expected:?}"
        );
        n_seen += 1;
    }
    (pose, n_seen)
}

#[test]
fn heads_gates_and_neurons_of_every_family_have_the_colours_of_their_values() {
    for family in ["llama", "mistral", "qwen2", "qwen3", "gpt_neox"] {
        let mut offscreen = offscreen(Subject::Model {
            engine: engine_of(family),
            prompt: String::new(),
        });
        draw_until(&mut offscreen, PROMPT.len());
        let layout = layout(&mut offscreen);
        let sites = [
            BlockSite::Q,
            BlockSite::K,
            BlockSite::RotK,
            BlockSite::V,
            BlockSite::MlpPre,
            BlockSite::MlpPreLinear,
            BlockSite::MlpPost,
        ];
        for hook in sites.map(|site| HookPoint::block(1, site)) {
            let Some(block) = layout.block(hook) else {
                assert_eq!(
                    (family, hook.site()),
                    ("gpt_neox", Some(BlockSite::MlpPreLinear))
                );
                continue;
            };
            let n_cells = block.grid.n_cells();

            let (_, n_seen) = assert_colors(&mut offscreen, hook, 2);

            assert!(
                3 * n_seen > n_cells,
                "{family} {hook}: {n_seen} of {n_cells}"
            );
        }
    }
}

#[test]
fn a_cells_pixel_has_the_colour_of_its_value_and_the_future_has_none() {
    let mut offscreen = live();
    draw_until(&mut offscreen, PROMPT.len());
    let layout = layout(&mut offscreen);
    let hook = HookPoint::block(1, BlockSite::ResidPre);
    let pos = 2;

    let (pose, n_seen) = assert_colors(&mut offscreen, hook, pos);
    assert!(n_seen > 20, "{n_seen}");

    // Before the signal reaches it, the same tile is neutral everywhere.
    offscreen.seek_order(0.0);
    let picture = offscreen.picture().unwrap();
    let colors: std::collections::BTreeSet<[u8; 3]> = (0..row_len(&layout, hook))
        .map(|index| {
            let cell = CellId {
                hook,
                pos,
                head: 0,
                index,
            };
            pixel(&picture, &pose, layout.cell_rect(cell).unwrap().center())
        })
        .collect();
    for color in colors {
        let neutral = Theme::Dark.neutrals().no_value;
        let is_neutral = color
            .iter()
            .zip(neutral)
            .all(|(seen, expected)| seen.abs_diff(expected) <= COLOR_TOLERANCE);
        assert!(is_neutral, "{color:?}, expected {neutral:?}");
    }
}

fn row_len(layout: &ModelLayout, hook: HookPoint) -> usize {
    layout.block(hook).unwrap().grid.n_cells()
}

#[test]
fn the_same_frame_twice_is_the_same_picture() {
    let picture = || {
        let mut offscreen = live();
        draw_until(&mut offscreen, PROMPT.len());
        offscreen.picture().unwrap()
    };

    assert_eq!(picture(), picture());
}

#[test]
fn a_failure_of_the_engine_leaves_the_viewer_alive_and_says_what_failed() {
    let engine = EngineHandle::start().unwrap();
    engine
        .request(EngineRequest::Load {
            source: ModelSource::Folder("no/such/folder".into()),
            settings: LoadSettings::default(),
        })
        .unwrap();
    let update = engine.wait_update().unwrap();
    assert!(matches!(update, EngineUpdate::LoadFailed(_)));
    let mut offscreen = offscreen(Subject::Model {
        engine,
        prompt: String::new(),
    });

    offscreen.feed(update);
    offscreen.draw();

    assert!(
        offscreen
            .world()
            .resource::<ActiveTrace>()
            .model()
            .is_none()
    );
}

#[test]
fn a_lost_graphics_device_is_an_error_that_says_so() {
    let mut offscreen = live();
    draw_until(&mut offscreen, PROMPT.len());
    let device = offscreen.world().resource::<RenderDevice>();

    device.wgpu_device().destroy();
    let picture = offscreen.picture();

    let error = picture.unwrap_err();
    assert!(matches!(error, ViewerError::DeviceLost(_)), "{error}");
    let text = error.to_string();
    assert!(text.contains("lost") && text.contains("driver"), "{text}");
    // Whoever goes on all the same gets errors, and no panic.
    assert!(offscreen.picture().is_err());
}

#[test]
fn a_shape_without_weights_has_all_its_blocks_and_no_values() {
    let config = llmscope::config::ModelConfig::preset("gpt2-medium").unwrap();
    let mut offscreen = offscreen(Subject::Shape {
        name: "gpt2-medium".to_owned(),
        config,
    });
    offscreen.settle();
    offscreen.look_from(|layout, screen: &Screen| Viewpoint::Overview.pose(layout, screen));
    let picture = offscreen.picture().unwrap();

    let world = offscreen.world();
    assert_eq!(world.query::<&HeadPattern>().iter(world).count(), 384);
    assert!(world.resource::<ValuePool>().end() == 0);
    // Nothing is coloured: every pixel is nearly grey, and cells have a grey of their own.
    let mut n_drawn = 0;
    for [r, g, b, _] in picture.rgba.as_chunks::<4>().0 {
        let channels = [*r, *g, *b];
        let (low, high) = (
            channels.iter().min().unwrap(),
            channels.iter().max().unwrap(),
        );
        assert!(high - low <= 30, "{channels:?}");
        n_drawn += usize::from(*low > 60);
    }
    assert!(n_drawn > 500, "{n_drawn}");
    let layout = layout(&mut offscreen);
    let hook = HookPoint::block(1, BlockSite::MlpPost);
    let tile = layout.tile_rect(layout.block(hook).unwrap(), 3);
    let pose = Pose {
        focus: tile.center(),
        yaw: 0.0,
        pitch: 1.55,
        radius: 14.0,
    };
    offscreen.look(pose);
    let picture = offscreen.picture().unwrap();
    let seen = pixel(&picture, &pose, tile.center());
    let expected = Theme::Dark.neutrals().shape;
    let is_close = |(seen, expected): (&u8, u8)| seen.abs_diff(expected) <= COLOR_TOLERANCE;
    assert!(
        seen.iter().zip(expected).all(is_close),
        "{seen:?} {expected:?}"
    );
}

#[test]
fn a_frame_in_motion_is_the_one_that_stands_still_there() {
    let engine = engine();
    let options = ViewerOptions {
        has_panels: false,
        ..ViewerOptions::default()
    };
    let subject = Subject::Model {
        engine,
        prompt: String::new(),
    };
    let mut offscreen = Offscreen::new(subject, &options, WIDTH, HEIGHT).unwrap();
    draw_until(&mut offscreen, PROMPT.len());
    let place = |share: f32| {
        move |layout: &ModelLayout, screen: &Screen| {
            let overview = Viewpoint::Overview.pose(layout, screen);
            overview.towards(&Viewpoint::Heads.pose(layout, screen), share)
        }
    };
    offscreen.look_from(place(0.4));
    offscreen.settle();

    offscreen.look_from(place(0.6));
    offscreen.draw();
    let in_motion = offscreen.read_back().unwrap();
    offscreen.settle();
    let at_rest = offscreen.read_back().unwrap();

    let different = in_motion
        .rgba
        .chunks(4)
        .zip(at_rest.rgba.chunks(4))
        .filter(|(a, b)| a != b)
        .count();
    assert_eq!(
        different, 0,
        "labels, boxes and ground are where the camera sees them"
    );
}
