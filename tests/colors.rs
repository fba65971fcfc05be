//! The legend's colours are on the cells: rendered pixels against the colour tables.
#![cfg(feature = "viewer")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::sync::Arc;

use bevy::prelude::Vec3;
use common::fixture;
use llmscope::color::{Colormap, RangeEnd, RangeMode, RangeSettings, Rgb, Scaling, Theme};
use llmscope::engine::{EngineHandle, EngineRequest, EngineUpdate, Prompt};
use llmscope::hook::{BlockSite, HookPoint};
use llmscope::layout::{Cell, CellId, ModelLayout, WeightField};
use llmscope::model::{LoadSettings, ModelSource};
use llmscope::viewer::app::{Subject, ViewerOptions};
use llmscope::viewer::capture::{Offscreen, Picture};
use llmscope::viewer::inference::ActiveTrace;
use llmscope::viewer::scene::{
    Cloud, CloudPoint, PointCloud, SceneLayout, SceneSettings, ValueTable, WeightStore,
    cloud_place, shown_hooks, tensor_ranges,
};
use llmscope::viewer::viewpoint::Pose;
use llmscope::weight::{WeightPoint, WeightSite};

const WIDTH: u32 = 320;
const HEIGHT: u32 = 240;
/// How far a channel may be off, of 255: what the depth cue takes, and rounding.
const TOLERANCE: u8 = 10;

/// A viewer of the fixture, with a short text read.
fn offscreen(theme: Theme, change: impl FnOnce(&mut SceneSettings)) -> Offscreen {
    let engine = EngineHandle::start().unwrap();
    for request in [
        EngineRequest::Load {
            source: ModelSource::Folder(fixture("gpt2")),
            settings: LoadSettings::default(),
        },
        EngineRequest::SetPrompt(Prompt::Tokens((5..17).collect())),
        EngineRequest::Play(0),
    ] {
        engine.request(request).unwrap();
    }
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
    let mut settings = offscreen.world().resource_mut::<SceneSettings>();
    // An arc or a link may lie over a cell.
    settings.has_arcs = false;
    settings.has_links = false;
    change(&mut settings);
    while let Some(update) = engine.wait_update() {
        let is_last = matches!(update, EngineUpdate::Paused(_));
        offscreen.feed(update);
        if is_last {
            break;
        }
    }
    offscreen
}

fn layout(offscreen: &mut Offscreen) -> ModelLayout {
    let layout = offscreen.world().resource::<SceneLayout>();
    layout.as_ref().unwrap().clone()
}

/// Straight above, so near that a cell of this size is about 12 pixels wide.
fn above(focus: Vec3, cell_size: f32) -> Pose {
    Pose {
        focus,
        yaw: 0.0,
        pitch: 1.56,
        radius: cell_size * HEIGHT as f32 / 12.0 * 1.2,
    }
}

/// The pixel where a point is seen; none out of the picture.
fn pixel(picture: &Picture, pose: &Pose, at: Vec3) -> Option<Rgb> {
    let place = pose.project(at, WIDTH as f32 / HEIGHT as f32)?;
    if place.abs().max_element() > 0.95 {
        return None;
    }
    let x = ((0.5 + 0.5 * place.x) * WIDTH as f32) as usize;
    let y = ((0.5 - 0.5 * place.y) * HEIGHT as f32) as usize;
    let index = 4 * (y * picture.width as usize + x);
    Some([
        picture.rgba[index],
        picture.rgba[index + 1],
        picture.rgba[index + 2],
    ])
}

/// Asserts that every cell in the picture, each by its middle, has the colour that its value has in the tables, and that
/// there are at least `n_least` of them.
fn assert_colors(offscreen: &mut Offscreen, pose: Pose, cells: &[(Vec3, Rgb)], n_least: usize) {
    offscreen.look(pose);
    let picture = offscreen.picture().unwrap();
    let mut n_seen = 0;
    for (at, expected) in cells {
        let Some(seen) = pixel(&picture, &pose, *at) else {
            continue;
        };
        let is_close = seen
            .iter()
            .zip(expected)
            .all(|(seen, expected)| seen.abs_diff(*expected) <= TOLERANCE);
        assert!(is_close, "{at:?}: {seen:?}, expected {expected:?}");
        n_seen += 1;
    }
    assert!(n_seen >= n_least, "{n_seen} cells");
}

/// The cells of a head's scores or patterns and their colours; without those that rise so high that
/// they lean out of their place, unless they are flat.
fn head_cells(
    offscreen: &mut Offscreen,
    hook: HookPoint,
    head: usize,
    is_flat: bool,
) -> Vec<(Vec3, Rgb)> {
    let layout = layout(offscreen);
    let world = offscreen.world();
    let settings = world.resource::<SceneSettings>();
    let (ranges, theme) = (settings.ranges, settings.theme);
    let values = world.resource::<ValueTable>();
    let range = tensor_ranges(&shown_hooks(&layout), values, ranges)[&hook].range;
    let trace = world.resource::<ActiveTrace>().trace().unwrap();
    let mut cells = Vec::new();
    for pos in 0..trace.len() {
        let row = trace.token(pos).unwrap().attention_row(hook, head).unwrap();
        for (index, value) in row.iter().enumerate() {
            let (place, color) = if hook.is_non_negative() {
                (*value, Colormap::Sequential.color(theme, *value))
            } else {
                let place = ranges.scaling.place(value * range.scale());
                (place, Colormap::Diverging.color(theme, 0.5 + 0.5 * place))
            };
            let cell = CellId {
                hook,
                pos,
                head,
                index,
            };
            if is_flat || place.abs() < 0.15 {
                cells.push((layout.cell_rect(cell).unwrap().center(), color));
            }
        }
    }
    cells
}

#[test]
fn scores_and_patterns_have_the_legends_colours_flat_and_risen() {
    for theme in [Theme::Dark, Theme::Light] {
        for (box_budget, n_least) in [(0, 60), (120_000, 12)] {
            let mut offscreen = offscreen(theme, |settings| settings.box_budget = box_budget);
            let layout = layout(&mut offscreen);
            for site in [BlockSite::AttnScores, BlockSite::Pattern] {
                let hook = HookPoint::block(1, site);
                let square = layout.band(hook).unwrap().square(2);
                let pose = above(square.center(), square.size.x / layout.n_lanes as f32);
                let cells = head_cells(&mut offscreen, hook, 2, box_budget == 0);
                assert_colors(&mut offscreen, pose, &cells, n_least);
            }
        }
    }
}

#[test]
fn ranges_and_scalings_change_the_colours_as_they_say() {
    for ranges in [
        RangeSettings {
            mode: RangeMode::WholeModel,
            end: RangeEnd::Max,
            scaling: Scaling::SymLog,
        },
        RangeSettings {
            mode: RangeMode::PerLayer,
            end: RangeEnd::Max,
            scaling: Scaling::Linear,
        },
    ] {
        let mut offscreen = offscreen(Theme::Dark, |settings| {
            settings.box_budget = 0;
            settings.ranges = ranges;
        });
        let layout = layout(&mut offscreen);
        let hook = HookPoint::block(2, BlockSite::AttnScores);
        let square = layout.band(hook).unwrap().square(0);
        let pose = above(square.center(), square.size.x / layout.n_lanes as f32);
        let cells = head_cells(&mut offscreen, hook, 0, true);
        assert_colors(&mut offscreen, pose, &cells, 60);
    }
}

#[test]
fn weights_have_the_legends_colours_each_number_at_its_own_place() {
    for weight in [
        WeightPoint::Embed,
        WeightPoint::Unembed,
        WeightPoint::block(1, WeightSite::Key),
        WeightPoint::block(1, WeightSite::MlpIn),
        WeightPoint::block(2, WeightSite::MlpOut),
        WeightPoint::block(0, WeightSite::Output),
    ] {
        let mut offscreen = offscreen(Theme::Dark, |settings| settings.box_budget = 0);
        let layout = layout(&mut offscreen);
        let field: WeightField = layout.fields_of(weight).next().unwrap().clone();
        let store = offscreen.world().resource::<WeightStore>();
        let key = (field.weight, field.columns.start);
        let scale = store.overview(key).unwrap().range.scale();
        let mut cells = Vec::new();
        for row in 0..field.n_rows {
            for col in 0..field.n_cols() {
                let cell = field.cell(row, col).unwrap();
                let value = store.value(weight, cell.row, cell.column).unwrap();
                let color = Colormap::Diverging.color(Theme::Dark, 0.5 + 0.5 * value * scale);
                let rect = layout.ground_of(Cell::Weight(cell)).unwrap();
                cells.push((rect.center(), color));
            }
        }
        let pose = above(field.rect.center(), field.cell_size().x);
        assert_colors(&mut offscreen, pose, &cells, 200);
    }
}

#[test]
fn points_of_a_projection_have_the_colour_of_their_value_where_they_stand() {
    for theme in [Theme::Dark, Theme::Light] {
        let mut offscreen = offscreen(theme, |_| {});
        let point = |at: Vec3, value: f32| CloudPoint {
            at,
            token: 3,
            pos: None,
            value,
        };
        let points = vec![
            point(Vec3::new(-0.8, 0.0, 0.0), 4.0),
            point(Vec3::ZERO, 1.0),
            point(Vec3::new(0.8, 0.0, 0.0), 0.0),
        ];
        let cloud = Cloud {
            points: points.clone(),
            ..Cloud::default()
        };
        offscreen.world().resource_mut::<PointCloud>().cloud = Some(Arc::new(cloud));
        let layout = layout(&mut offscreen);
        let room = layout.cloud_room();
        let pose = Pose {
            focus: room.center,
            yaw: 0.0,
            pitch: 0.0,
            radius: 2.4 * room.half,
        };
        let cells: Vec<(Vec3, Rgb)> = points
            .iter()
            .map(|point| {
                let color = Colormap::Magnitude.color(theme, point.value / 4.0);
                (cloud_place(&room, point.at), color)
            })
            .collect();

        assert_colors(&mut offscreen, pose, &cells, 3);
    }
}
