//! Pointing at numbers: what is read out is what was computed, and how.
#![cfg(feature = "viewer")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use bevy::input::ButtonState;
use bevy::input::mouse::{MouseButton, MouseButtonInput};
use bevy::prelude::{Entity, Vec2};
use common::{FAMILIES, fixture};
use llmscope::engine::{EngineHandle, EngineRequest, EngineUpdate, Prompt};
use llmscope::hook::{BlockSite, HookPoint};
use llmscope::layout::{Cell, CellId, ModelLayout, WeightCell};
use llmscope::model::{LoadSettings, ModelSource};
use llmscope::viewer::app::{Subject, ViewerOptions};
use llmscope::viewer::capture::Offscreen;
use llmscope::viewer::inference::ActiveTrace;
use llmscope::viewer::playback::Playhead;
use llmscope::viewer::pointing::{Pointer, SelectionWish, Walk};
use llmscope::viewer::readout::{ReadOut, Reading};
use llmscope::viewer::scene::{Highlight, SceneLayout};
use llmscope::viewer::viewpoint::Pose;
use llmscope::weight::{WeightPoint, WeightSite};

const PROMPT: [u32; 6] = [5, 6, 7, 8, 9, 10];
const N_STEPS: usize = 2;
const WIDTH: u32 = 400;
const HEIGHT: u32 = 300;

/// What an engine tells of a prompt and some steps.
fn updates(family: &str) -> Vec<EngineUpdate> {
    let engine = EngineHandle::start().unwrap();
    for request in [
        EngineRequest::Load {
            source: ModelSource::Folder(fixture(family)),
            settings: LoadSettings::default(),
        },
        EngineRequest::SetPrompt(Prompt::Tokens(PROMPT.to_vec())),
        EngineRequest::Play(N_STEPS),
    ] {
        engine.request(request).unwrap();
    }
    let mut updates = Vec::new();
    while let Some(update) = engine.wait_update() {
        let is_last = matches!(update, EngineUpdate::Paused(_));
        updates.push(update);
        if is_last {
            break;
        }
    }
    updates
}

fn trace(family: &str) -> (ActiveTrace, Playhead) {
    let mut trace = ActiveTrace::default();
    for update in updates(family) {
        trace.apply(update);
    }
    let n_orders = trace.model().unwrap().config.hook_points().len();
    let playhead = Playhead {
        lane: trace.n_pos() - 1,
        first_lane: trace.n_pos() - 1,
        order: n_orders as f32,
    };
    (trace, playhead)
}

/// A few cells of a tensor: its first, its last, and some between.
fn cells_of(layout: &ModelLayout, hook: HookPoint) -> Vec<CellId> {
    let mut cells = Vec::new();
    for pos in [0, 3, layout.n_lanes - 1] {
        let (n_heads, n) = match layout.block(hook) {
            Some(block) => (block.grid.n_heads(), block.grid.n_per_head()),
            None => (layout.band(hook).unwrap().n_heads, pos + 1),
        };
        for head in BTreeSet::from([0, n_heads - 1]) {
            for index in BTreeSet::from([0, n / 3, n - 1]) {
                cells.push(CellId {
                    hook,
                    pos,
                    head,
                    index,
                });
            }
        }
    }
    cells
}

/// Relative to the greatest of the numbers within, f32.
const TOLERANCE: f32 = 2e-5;

#[test]
fn every_formula_gives_the_value_that_was_recorded() {
    for family in FAMILIES {
        let (trace, playhead) = trace(family);
        let config = &trace.model().unwrap().config;
        let layout = ModelLayout::new(config, trace.n_pos());
        let mut n_checked = 0;
        for hook in config.hook_points() {
            for cell in cells_of(&layout, hook) {
                let read_out = ReadOut::new(&trace, &playhead, Cell::Value(cell)).unwrap();
                let value = read_out.reading.value().unwrap();
                let formula = read_out.formula.unwrap();
                let result = formula.result.unwrap();
                // Masked, and said to be.
                if value == f32::NEG_INFINITY {
                    assert_eq!(result, value, "{}", read_out.name);
                    continue;
                }

                let greatest = formula
                    .parts
                    .iter()
                    .filter_map(|part| part.share.or(part.value))
                    .fold(value.abs().max(1.0), |most, part| most.max(part.abs()));
                assert!(
                    (result - value).abs() <= TOLERANCE * greatest,
                    "{}: {value} is recorded, {formula:?}",
                    read_out.name
                );
                assert!(formula.numbers.is_some(), "{}", read_out.name);
                n_checked += 1;
            }
        }
        assert!(n_checked > 300, "{n_checked}");
    }
}

#[test]
fn the_value_read_out_is_that_of_the_trace_to_the_last_digit() {
    for family in FAMILIES {
        assert_read_out(family);
    }
}

fn assert_read_out(family: &str) {
    let (trace, playhead) = trace(family);
    let config = &trace.model().unwrap().config;
    let layout = ModelLayout::new(config, trace.n_pos());
    for hook in config.hook_points() {
        for cell in cells_of(&layout, hook) {
            let token = trace.token(cell.pos).unwrap();
            let expected = match token.attention_row(hook, cell.head) {
                Some(row) if layout.band(hook).is_some() => row[cell.index],
                _ => {
                    let n = layout.block(hook).unwrap().grid.n_per_head();
                    token.row(hook).unwrap()[cell.head * n + cell.index]
                }
            };

            let read_out = ReadOut::new(&trace, &playhead, Cell::Value(cell)).unwrap();

            let text = read_out.reading.to_string();
            assert_eq!(text.parse::<f32>().unwrap().to_bits(), expected.to_bits());
        }
    }
}

#[test]
fn cells_are_named_as_transformer_lens_and_the_checkpoint_name_them() {
    let (trace, playhead) = trace("gpt2");
    let config = &trace.model().unwrap().config;
    let (d_model, d_head) = (config.d_model, config.d_head);
    let value = |site, pos, head, index| {
        Cell::Value(CellId {
            hook: HookPoint::block(1, site),
            pos,
            head,
            index,
        })
    };
    let weight = |weight, row, column| {
        Cell::Weight(WeightCell {
            weight,
            row,
            column,
        })
    };
    let read = |cell| ReadOut::new(&trace, &playhead, cell).unwrap();

    let pattern = read(value(BlockSite::Pattern, 4, 2, 1));
    assert_eq!(pattern.name, "blocks.1.attn.hook_pattern[2, 4, 1]");
    let line = pattern.index_line();
    assert!(line.starts_with("head_index 2, query_pos 4 “"), "{line}");
    assert!(line.contains(", key_pos 1 “"), "{line}");
    assert_eq!(
        read(value(BlockSite::Q, 4, 2, 1)).name,
        "blocks.1.attn.hook_q[4, 2, 1]"
    );
    let query = read(weight(
        WeightPoint::block(1, WeightSite::Key),
        12,
        3 * d_head + 5,
    ));
    assert_eq!(query.name, "blocks.1.attn.W_K[3, 12, 5]");
    assert_eq!(query.index_line(), "d_model 12, head_index 3, d_head 5");
    assert_eq!(
        query.stored_as.unwrap(),
        format!("h.1.attn.c_attn.weight[12, {}]", d_model + 3 * d_head + 5)
    );
    let unembed = read(weight(WeightPoint::Unembed, 7, 20));
    assert_eq!(unembed.name, "unembed.W_U[7, 20]");
    assert_eq!(unembed.stored_as.unwrap(), "wte.weight[20, 7]");
    assert!(unembed.indices[1].token.is_some());
    let embed = read(weight(WeightPoint::Embed, 20, 7));
    assert_eq!(embed.reading, unembed.reading, "they are tied");
    assert!(matches!(embed.reading, Reading::Value(_)));
}

#[test]
fn shared_keys_rotations_and_gates_are_named_and_computed_as_they_are() {
    let (trace, playhead) = trace("llama");
    let read = |site, head, index| {
        let cell = CellId {
            hook: HookPoint::block(1, site),
            pos: 4,
            head,
            index,
        };
        ReadOut::new(&trace, &playhead, Cell::Value(cell)).unwrap()
    };

    let key = read(BlockSite::K, 1, 3);
    assert_eq!(key.name, "blocks.1.attn.hook_k[4, 1, 3]");
    assert!(key.index_line().contains("kv_head_index 1, d_head 3"));
    assert_eq!(key.formula.unwrap().rule, "ln1 · W_K");
    // Six heads read two: the last three the second.
    let score = read(BlockSite::AttnScores, 5, 2).formula.unwrap();
    assert_eq!(score.rule, "rot_q · rot_k × scale");
    assert!(
        score.parts[0]
            .name
            .starts_with("blocks.1.attn.hook_rot_q[4, 5, ")
    );
    assert!(
        score.parts[1]
            .name
            .starts_with("blocks.1.attn.hook_rot_k[2, 1, ")
    );
    let z = read(BlockSite::Z, 4, 3).formula.unwrap();
    assert!(z.parts[1].name.starts_with("blocks.1.attn.hook_v["));
    assert!(z.parts[1].name.ends_with(", 1, 3]"), "{}", z.parts[1].name);
    let turned = read(BlockSite::RotQ, 2, 5).formula.unwrap();
    assert_eq!(turned.rule, "q[5] · cos + q[1] · sin");
    let neuron = read(BlockSite::MlpPost, 0, 7).formula.unwrap();
    assert_eq!(neuron.rule, "silu(gate) × up");
    assert_eq!(
        read(BlockSite::MlpPre, 0, 7).formula.unwrap().rule,
        "ln2 · W_gate"
    );
    assert_eq!(
        read(BlockSite::ResidPre, 0, 7).formula.unwrap().rule,
        "resid_post of layer 0"
    );
    assert_eq!(
        read(BlockSite::Ln1Normalized, 0, 7).formula.unwrap().rule,
        "x / rms × w"
    );
}

#[test]
fn a_parallel_block_adds_both_of_its_parts_at_its_end() {
    let (trace, playhead) = trace("gpt_neox");
    let d_head = trace.model().unwrap().config.d_head;
    let read = |hook| {
        let cell = CellId {
            hook,
            pos: 4,
            head: 0,
            index: 7,
        };
        let read_out = ReadOut::new(&trace, &playhead, Cell::Value(cell)).unwrap();
        read_out.formula.unwrap()
    };

    let stream = read(HookPoint::block(1, BlockSite::ResidPost));
    assert_eq!(stream.rule, "resid_pre + attn_out + mlp_out");
    let norm = read(HookPoint::block(1, BlockSite::Ln2Normalized));
    assert_eq!(norm.parts[0].name, "blocks.1.hook_resid_pre[4, 7]");
    assert_eq!(read(HookPoint::block(0, BlockSite::ResidPre)).rule, "embed");
    let key = Cell::Weight(WeightCell {
        weight: WeightPoint::block(1, WeightSite::Key),
        row: 9,
        column: 2 * d_head + 5,
    });
    let key = ReadOut::new(&trace, &playhead, key).unwrap();
    assert_eq!(key.index_line(), "d_model 9, head_index 2, d_head 5");
    // Head by head the query's, the key's and the value's rows.
    let expected = format!(
        "gpt_neox.layers.1.attention.query_key_value.weight[{}, 9]",
        7 * d_head + 5
    );
    assert_eq!(key.stored_as.unwrap(), expected);
}

#[test]
fn what_the_signal_has_not_reached_is_not_read_out() {
    let (trace, playhead) = trace("gpt2");
    let cell = |pos, layer| {
        Cell::Value(CellId {
            hook: HookPoint::block(layer, BlockSite::MlpPost),
            pos,
            head: 0,
            index: 0,
        })
    };
    let halfway = Playhead {
        lane: 3,
        first_lane: 2,
        order: 20.0,
    };
    let read = |pos, layer| ReadOut::new(&trace, &halfway, cell(pos, layer)).unwrap();

    assert_eq!(read(4, 0).reading, Reading::NotReached);
    assert_eq!(read(3, 2).reading, Reading::NotReached);
    assert!(matches!(read(3, 0).reading, Reading::Value(_)));
    assert!(matches!(read(1, 2).reading, Reading::Value(_)));
    let end = ReadOut::new(&trace, &playhead, cell(4, 2)).unwrap();
    assert!(matches!(end.reading, Reading::Value(_)));
}

/// A viewer with a text, before a tile.
fn viewer(hook: HookPoint) -> Offscreen {
    let options = ViewerOptions {
        has_panels: false,
        has_legend: false,
        ..ViewerOptions::default()
    };
    let subject = Subject::Model {
        engine: EngineHandle::start().unwrap(),
        prompt: String::new(),
    };
    let mut offscreen = Offscreen::new(subject, &options, WIDTH, HEIGHT).unwrap();
    offscreen.draw();
    for update in updates("gpt2") {
        offscreen.feed(update);
    }
    offscreen.set_frame_time(Duration::from_secs(1));
    offscreen.look_from(|layout, _| Pose {
        focus: layout.tile_rect(layout.block(hook).unwrap(), 1).center(),
        yaw: 0.0,
        pitch: 1.5,
        radius: 12.0,
    });
    offscreen.settle();
    offscreen
}

/// Where the camera sees the ground of a cell.
fn place_of(offscreen: &mut Offscreen, cell: Cell) -> Vec2 {
    use bevy::prelude::{Camera, Camera3d, GlobalTransform, With};
    let world = offscreen.world();
    let layout = world.resource::<SceneLayout>();
    let center = layout.as_ref().unwrap().ground_of(cell).unwrap().center();
    let mut query = world.query_filtered::<(&Camera, &GlobalTransform), With<Camera3d>>();
    let (camera, transform) = query.single(world).unwrap();
    camera.world_to_viewport(transform, center).unwrap()
}

fn point_at(offscreen: &mut Offscreen, place: Option<Vec2>) -> Highlight {
    offscreen.world().resource_mut::<Pointer>().place = place;
    offscreen.draw();
    *offscreen.world().resource::<Highlight>()
}

fn click(offscreen: &mut Offscreen) -> Highlight {
    for state in [ButtonState::Pressed, ButtonState::Released] {
        offscreen.world().write_message(MouseButtonInput {
            button: MouseButton::Left,
            state,
            window: Entity::PLACEHOLDER,
        });
        offscreen.draw();
    }
    *offscreen.world().resource::<Highlight>()
}

fn low_cell(offscreen: &mut Offscreen, hook: HookPoint) -> Cell {
    // A low one: tall boxes hide others.
    let trace = offscreen.world().resource::<ActiveTrace>();
    let row = trace.token(1).unwrap().row(hook).unwrap();
    let index = (0..row.len())
        .min_by(|a, b| row[*a].abs().total_cmp(&row[*b].abs()))
        .unwrap();
    Cell::Value(CellId {
        hook,
        pos: 1,
        head: 0,
        index,
    })
}

#[test]
fn the_cell_under_the_pointer_is_hovered_and_a_click_pins_it() {
    let hook = HookPoint::block(1, BlockSite::ResidMid);
    let mut offscreen = viewer(hook);
    let cell = low_cell(&mut offscreen, hook);
    let place = place_of(&mut offscreen, cell);

    assert_eq!(point_at(&mut offscreen, None).hovered, None);
    assert_eq!(point_at(&mut offscreen, Some(place)).hovered, Some(cell));
    assert_eq!(click(&mut offscreen).pinned, Some(cell));
    // Elsewhere, nothing; the pin stays.
    let away = point_at(&mut offscreen, None);
    assert_eq!((away.hovered, away.pinned), (None, Some(cell)));
    // The same cell again lets go of it.
    point_at(&mut offscreen, Some(place));
    assert_eq!(click(&mut offscreen).pinned, None);
}

#[test]
fn the_choice_walks_from_token_to_token_and_another_model_lets_go_of_it() {
    let hook = HookPoint::block(1, BlockSite::ResidMid);
    let mut offscreen = viewer(hook);
    let cell = low_cell(&mut offscreen, hook);
    let Cell::Value(id) = cell else {
        panic!("it is a value");
    };
    offscreen.world().write_message(SelectionWish::Pin(cell));
    offscreen
        .world()
        .write_message(SelectionWish::Walk(Walk::Tokens(1)));
    offscreen.draw();
    let pinned = offscreen.world().resource::<Highlight>().pinned;
    assert_eq!(pinned, Some(Cell::Value(CellId { pos: 2, ..id })));

    for update in updates("gpt2-wide-mlp") {
        offscreen.feed(update);
    }
    offscreen.draw();
    assert_eq!(offscreen.world().resource::<Highlight>().pinned, None);
}

#[test]
fn a_visit_pins_the_cell_and_brings_its_tile_before_the_camera() {
    let hook = HookPoint::block(1, BlockSite::ResidMid);
    let mut offscreen = viewer(hook);
    let far = Cell::Value(CellId {
        hook: HookPoint::block(2, BlockSite::MlpPost),
        pos: 6,
        head: 0,
        index: 3,
    });

    offscreen.world().write_message(SelectionWish::Visit(far));
    offscreen.settle();

    assert_eq!(offscreen.world().resource::<Highlight>().pinned, Some(far));
    let place = place_of(&mut offscreen, far);
    let is_seen = place.cmpgt(Vec2::ZERO) & place.cmplt(Vec2::new(WIDTH as f32, HEIGHT as f32));
    assert!(is_seen.all(), "{place}");
}
