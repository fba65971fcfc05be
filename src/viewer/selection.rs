//! Which number is pointed at, and which was chosen.

use std::time::Duration;

use bevy::input::ButtonState;
use bevy::input::mouse::MouseButtonInput;
use bevy::prelude::*;
use bevy::window::PrimaryWindow;
use bevy_egui::input::{EguiWantsInput, egui_wants_any_keyboard_input};

use super::ViewerSystems;
use super::inference::{ActiveTrace, TraceEvent};
use super::playback::Playhead;
use super::pointing::{Pointer, SelectionWish};
use super::scene::{
    CellHeights, DrawList, Eye, Highlight, Overlay, SceneLayout, SceneSettings, ValueTable,
};
use super::viewpoint::{CameraWish, Pose, Screen};
use crate::layout::{Cell, GroundRect, ModelLayout, Ray};

mod walk;

/// Keeps [`Highlight`] up to date with the pointer, its clicks, and the keys.
pub struct SelectionPlugin;

impl Plugin for SelectionPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Pointer>()
            .init_resource::<Screen>()
            .init_resource::<Gesture>()
            .add_message::<SelectionWish>()
            .add_message::<CameraWish>()
            .add_systems(
                Update,
                (
                    follow_cursor,
                    watch_clicks,
                    walk::obey_keys.run_if(not(egui_wants_any_keyboard_input)),
                    obey_wishes,
                    let_go,
                    point,
                )
                    .chain()
                    .after(ViewerSystems::Arrange)
                    .before(ViewerSystems::Camera),
            );
    }
}

/// How far the pointer may move between press and release of a click, in logical pixels.
const CLICK_REACH: f32 = 4.0;
/// How long two clicks may be apart to be one double click.
const DOUBLE_CLICK: Duration = Duration::from_millis(450);

/// What the mouse's buttons are doing.
#[derive(Resource, Default)]
struct Gesture {
    /// Where the left button went down, if the pointer has kept near.
    pressed_at: Option<Vec2>,
    /// Whether a button is held and the pointer was moved, or came from a panel.
    is_drag: bool,
    /// The last click that may become the first of two.
    last_click: Option<(Vec2, Duration)>,
}

/// What the mouse did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Click {
    Single,
    Double,
}

impl Gesture {
    fn press(&mut self, place: Option<Vec2>) {
        self.pressed_at = place;
    }

    fn release(&mut self, place: Option<Vec2>, now: Duration) -> Option<Click> {
        let (start, end) = self.pressed_at.take().zip(place)?;
        if self.is_drag || start.distance(end) > CLICK_REACH {
            self.last_click = None;
            return None;
        }
        let is_second = self.last_click.is_some_and(|(at, time)| {
            at.distance(end) <= CLICK_REACH && now.saturating_sub(time) <= DOUBLE_CLICK
        });
        self.last_click = (!is_second).then_some((end, now));
        Some(if is_second {
            Click::Double
        } else {
            Click::Single
        })
    }

    /// Notes where the pointer is with a button held, or that none is.
    fn hold(&mut self, is_held: bool, place: Option<Vec2>) {
        if !is_held {
            self.is_drag = false;
            return;
        }
        let has_kept_near = self
            .pressed_at
            .zip(place)
            .is_some_and(|(start, now)| start.distance(now) <= CLICK_REACH);
        self.is_drag |= !has_kept_near;
    }
}

fn follow_cursor(
    windows: Query<&Window, With<PrimaryWindow>>,
    screen: Res<Screen>,
    egui: Option<Res<EguiWantsInput>>,
    mut pointer: ResMut<Pointer>,
) {
    // Without a window whoever holds the application says where the pointer is.
    let Ok(window) = windows.single() else {
        return;
    };
    // egui's own answer does not count panels that were laid out by hand around a free middle.
    let is_taken = pointer.is_covered || egui.is_some_and(|egui| egui.is_using_pointer());
    let place = window
        .cursor_position()
        .filter(|cursor| !is_taken && screen.is_free(*cursor / window.size()));
    if pointer.place != place {
        pointer.place = place;
    }
}

fn watch_clicks(
    time: Res<Time<Real>>,
    buttons: Res<ButtonInput<MouseButton>>,
    mut inputs: MessageReader<MouseButtonInput>,
    pointer: Res<Pointer>,
    highlight: Res<Highlight>,
    mut gesture: ResMut<Gesture>,
    mut wishes: MessageWriter<SelectionWish>,
) {
    for input in inputs.read() {
        if input.button != MouseButton::Left {
            continue;
        }
        match input.state {
            ButtonState::Pressed => gesture.press(pointer.place),
            ButtonState::Released => {
                let click = gesture.release(pointer.place, time.elapsed());
                let wish = match (click, highlight.hovered) {
                    (None, _) => continue,
                    (Some(Click::Double), Some(cell)) => SelectionWish::Visit(cell),
                    (Some(Click::Single), Some(cell)) if highlight.pinned != Some(cell) => {
                        SelectionWish::Pin(cell)
                    }
                    _ => SelectionWish::Unpin,
                };
                wishes.write(wish);
            }
        }
    }
    let is_held = buttons.get_pressed().next().is_some();
    gesture.hold(is_held, pointer.place);
}

fn obey_wishes(
    mut wishes: MessageReader<SelectionWish>,
    layout: Res<SceneLayout>,
    screen: Res<Screen>,
    mut highlight: ResMut<Highlight>,
    mut camera: MessageWriter<CameraWish>,
) {
    let Some(layout) = layout.as_ref().as_ref() else {
        return;
    };
    for wish in wishes.read() {
        let pinned = match *wish {
            SelectionWish::Pin(cell) => Some(cell),
            SelectionWish::Unpin => None,
            SelectionWish::Visit(cell) => {
                if let Some(rect) = surroundings(layout, cell) {
                    camera.write(CameraWish::LookAt(Pose::before(rect, &screen)));
                }
                Some(cell)
            }
            SelectionWish::Walk(step) => match highlight.pinned {
                Some(cell) => walk::walked(layout, cell, step).or(Some(cell)),
                None => highlight.hovered,
            },
        };
        if highlight.pinned != pinned {
            highlight.pinned = pinned;
        }
    }
}

/// How many cells of a weight are looked at at once, along each edge.
const WINDOW: f32 = 96.0;

/// The ground that a flight to a cell ends before: its tile, its head's square, or as much of a
/// weight as can be read.
fn surroundings(layout: &ModelLayout, cell: Cell) -> Option<GroundRect> {
    let cell = match cell {
        Cell::Weight(cell) => {
            let field = layout
                .fields_of(cell.weight)
                .find(|field| field.place(cell).is_some())?;
            let own = field.cell_rect(cell)?;
            let size = (WINDOW * own.size).min(field.rect.size);
            let low = (own.low() - 0.5 * (size - own.size))
                .clamp(field.rect.low(), field.rect.high() - size);
            return Some(GroundRect {
                near_left: Vec2::new(low.x, low.y + size.y),
                size,
            });
        }
        Cell::Value(cell) => cell,
    };
    if let Some(band) = layout.band(cell.hook) {
        return (cell.head < band.n_heads).then(|| band.square(cell.head));
    }
    let block = layout.block(cell.hook)?;
    (cell.pos < layout.n_lanes).then(|| layout.tile_rect(block, cell.pos))
}

/// Lets go of what is no longer there: another model, or a text too short.
fn let_go(
    mut events: MessageReader<TraceEvent>,
    trace: Res<ActiveTrace>,
    mut highlight: ResMut<Highlight>,
) {
    let is_new_model = events
        .read()
        .any(|event| matches!(event, TraceEvent::ModelLoaded));
    let is_gone = |cell: Option<Cell>| match cell {
        Some(Cell::Value(cell)) => is_new_model || cell.pos >= trace.n_lanes(),
        Some(Cell::Weight(_)) => is_new_model,
        None => false,
    };
    let (is_pin_gone, is_hover_gone) = (is_gone(highlight.pinned), is_gone(highlight.hovered));
    if is_pin_gone {
        highlight.pinned = None;
    }
    if is_hover_gone {
        highlight.hovered = None;
    }
}

/// What picking was last done with.
#[derive(Clone, Copy, PartialEq)]
struct Aim {
    place: Option<Vec2>,
    camera: GlobalTransform,
    pinned: Option<Cell>,
}

fn point(
    pointer: Res<Pointer>,
    gesture: Res<Gesture>,
    camera: Query<(&Camera, &GlobalTransform), With<Camera3d>>,
    layout: Res<SceneLayout>,
    trace: Res<ActiveTrace>,
    overlay: Res<Overlay>,
    values: Res<ValueTable>,
    settings: Res<SceneSettings>,
    list: Res<DrawList>,
    eye: Res<Eye>,
    playhead: Res<Playhead>,
    mut last: Local<Option<Aim>>,
    mut highlight: ResMut<Highlight>,
) {
    let Ok((camera, transform)) = camera.single() else {
        return;
    };
    let aim = Aim {
        place: pointer.place.filter(|_| !gesture.is_drag),
        camera: *transform,
        pinned: highlight.pinned,
    };
    let is_same_world = !(list.is_changed() || playhead.is_changed() || layout.is_changed());
    if *last == Some(aim) && is_same_world {
        return;
    }
    *last = Some(aim);
    let mut now = Highlight {
        pinned: highlight.pinned,
        ..Highlight::default()
    };
    if let Some(layout) = layout.as_ref().as_ref()
        && (aim.place.is_some() || aim.pinned.is_some())
    {
        let heights = CellHeights::new(
            layout, &trace, &overlay, &values, &settings, &list, &eye, *playhead,
        );
        let height = |cell: Option<Cell>| match cell {
            Some(Cell::Value(cell)) => heights.height(cell),
            _ => 0.0,
        };
        let ray = aim
            .place
            .and_then(|place| camera.viewport_to_world(transform, place).ok());
        if let Some(ray) = ray {
            let ray = Ray {
                origin: ray.origin,
                direction: *ray.direction,
            };
            let hit = layout.pick(
                &ray,
                &|cell| heights.height(cell),
                heights.max(),
                heights.reach(),
            );
            now.hovered = hit.map(|hit| hit.cell);
            now.hovered_height = height(now.hovered);
        }
        now.pinned_height = height(now.pinned);
    }
    highlight.set_if_neq(now);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ModelConfig;
    use crate::hook::{BlockSite, HookPoint};
    use crate::layout::{CellId, WeightCell};
    use crate::weight::{WeightPoint, WeightSite};

    const HERE: Option<Vec2> = Some(Vec2::new(50.0, 50.0));

    fn at_secs(secs: f32) -> Duration {
        Duration::from_secs_f32(secs)
    }

    #[test]
    fn two_quick_clicks_at_one_place_are_a_double_click_and_a_third_is_a_first() {
        let mut gesture = Gesture::default();
        let mut click = |secs: f32| {
            gesture.press(HERE);
            gesture.hold(true, HERE);
            gesture.release(HERE, at_secs(secs))
        };

        assert_eq!(click(1.0), Some(Click::Single));
        assert_eq!(click(1.3), Some(Click::Double));
        assert_eq!(click(1.4), Some(Click::Single));
        assert_eq!(click(3.0), Some(Click::Single));
    }

    #[test]
    fn a_drag_is_no_click_even_if_it_comes_back() {
        let mut gesture = Gesture::default();
        gesture.press(HERE);
        gesture.hold(true, Some(Vec2::new(90.0, 50.0)));
        gesture.hold(true, HERE);

        assert!(gesture.is_drag);
        assert_eq!(gesture.release(HERE, at_secs(1.0)), None);
        gesture.hold(false, HERE);
        assert!(!gesture.is_drag);
    }

    #[test]
    fn what_was_pressed_on_a_panel_is_a_drag_wherever_it_goes() {
        let mut gesture = Gesture::default();
        gesture.press(None);
        gesture.hold(true, HERE);

        assert!(gesture.is_drag);
        assert_eq!(gesture.release(HERE, at_secs(1.0)), None);
    }

    #[test]
    fn the_surroundings_of_every_cell_hold_it() {
        let config = ModelConfig::preset("gpt2").unwrap();
        let layout = ModelLayout::new(&config, 5);
        let value = |hook, head, index| {
            Cell::Value(CellId {
                hook,
                pos: 3,
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
        for cell in [
            value(HookPoint::block(2, BlockSite::ResidMid), 0, 700),
            value(HookPoint::block(2, BlockSite::Pattern), 7, 1),
            value(HookPoint::block(2, BlockSite::Z), 7, 63),
            weight(WeightPoint::Embed, 50_000, 700),
            weight(WeightPoint::Unembed, 3, 0),
            weight(WeightPoint::block(4, WeightSite::MlpOut), 3000, 12),
            weight(WeightPoint::block(4, WeightSite::Ln1Scale), 0, 767),
        ] {
            let around = surroundings(&layout, cell).unwrap();
            let center = layout.ground_of(cell).unwrap().center();

            assert!(around.contains(center.x, center.z), "{cell:?}");
        }
    }
}
