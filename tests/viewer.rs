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
use llmscope::viewer::playback::PlaybackWish;
use llmscope::viewer::scene::{
    HeadPattern, Layer, SceneLayout, SceneSettings, TensorBlock, ValueBuffer, block_ranges,
};
use llmscope::viewer::viewpoint::{Pose, Screen};

const PROMPT: [u32; 5] = [5, 6, 7, 8, 9];
const WIDTH: u32 = 320;
const HEIGHT: u32 = 240;

fn engine() -> EngineHandle {
    let engine = EngineHandle::start().unwrap();
    engine
        .request(EngineRequest::Load {
            source: ModelSource::Folder(fixture("gpt2")),
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

#[test]
fn three_steps_fill_the_value_buffer_with_the_trace() {
    let mut offscreen = live();
    draw_until(&mut offscreen, PROMPT.len());
    for step in 1..=3 {
        offscreen.world().write_message(PlaybackWish::StepForward);
        draw_until(&mut offscreen, PROMPT.len() + step);
    }

    let layout = layout(&mut offscreen);
    let world = offscreen.world();
    let trace = world.resource::<ActiveTrace>().trace().unwrap().clone();
    let values = world.resource::<ValueBuffer>();
    assert_eq!(trace.len(), 8);
    assert_eq!(layout.n_lanes, 8);
    let mut n_compared = 0;
    for pos in 0..trace.len() {
        let token = trace.token(pos).unwrap();
        for block in &layout.blocks {
            let start = pos * layout.lane_stride + block.value_offset;
            let shown = &values.vectors()[start..start + block.grid.n_cells()];
            assert_eq!(
                Some(shown),
                token.row(block.hook),
                "{} at {pos}",
                block.hook
            );
            n_compared += shown.len();
        }
        for (layer, band) in layout.bands.iter().enumerate() {
            for head in 0..band.n_heads {
                let layer_head = layer * band.n_heads + head;
                let start = ModelLayout::pattern_offset(12, pos, layer_head);
                let shown = &values.patterns()[start..start + pos + 1];
                let hook = HookPoint::block(layer, BlockSite::Pattern);
                assert_eq!(Some(shown), token.attention_row(hook, head));
            }
        }
    }
    assert_eq!(n_compared, 8 * layout.lane_stride);
    assert_eq!(values.n_not_finite(), 0);
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
}

#[test]
fn scrubbing_back_computes_and_uploads_nothing() {
    let mut offscreen = live();
    draw_until(&mut offscreen, PROMPT.len());
    let before = offscreen
        .world()
        .resource::<ValueBuffer>()
        .vectors()
        .to_vec();

    offscreen.seek(1);
    offscreen.draw();

    assert_eq!(offscreen.playhead().lane, 1);
    let world = offscreen.world();
    assert!(!world.resource::<ActiveTrace>().is_computing());
    assert_eq!(world.resource::<ActiveTrace>().n_pos(), PROMPT.len());
    let mut values = world.resource_mut::<ValueBuffer>();
    assert_eq!(values.vectors(), before);
    let changes = values.take_changes();
    assert!(changes.vectors.is_empty() && changes.patterns.is_empty());
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

#[test]
fn a_cells_pixel_has_the_colour_of_its_value_and_the_future_has_none() {
    let mut offscreen = live();
    draw_until(&mut offscreen, PROMPT.len());
    let layout = layout(&mut offscreen);
    let hook = HookPoint::block(1, BlockSite::ResidPre);
    let pos = 2;
    let block = layout.block(hook).unwrap();
    let pose = Pose {
        focus: layout.tile_rect(block, pos).center(),
        yaw: 0.0,
        pitch: 1.55,
        radius: 14.0,
    };
    offscreen.look(pose);
    let picture = offscreen.picture().unwrap();

    let world = offscreen.world();
    let mode = world.resource::<SceneSettings>().range_mode;
    let values = world.resource::<ValueBuffer>();
    let index = layout.blocks.iter().position(|b| b.hook == hook).unwrap();
    let (range, _) = block_ranges(&layout, values, mode)[index];
    let trace = world.resource::<ActiveTrace>().trace().unwrap();
    let row = trace.token(pos).unwrap().row(hook).unwrap();
    let mut n_seen = 0;
    for (cell_index, value) in row.iter().enumerate() {
        let cell = CellId {
            hook,
            pos,
            head: 0,
            index: cell_index,
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
            "cell {cell_index}: {seen:?}, expected {expected:?}"
        );
        n_seen += 1;
    }
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
    assert!(matches!(update, EngineUpdate::Failed(_)));
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
    offscreen.look_from(|layout, screen: &Screen| {
        llmscope::viewer::viewpoint::Viewpoint::Overview.pose(layout, screen)
    });
    let picture = offscreen.picture().unwrap();

    let world = offscreen.world();
    assert_eq!(world.query::<&HeadPattern>().iter(world).count(), 384);
    assert!(world.resource::<ValueBuffer>().vectors().is_empty());
    // Nothing is coloured: every pixel is nearly grey.
    let n_drawn = picture
        .rgba
        .as_chunks::<4>()
        .0
        .iter()
        .filter(|[r, _, b, _]| *r > 25 && *b > 25)
        .count();
    assert!(n_drawn > 1_000, "{n_drawn}");
}
